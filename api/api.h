/* gumbeld's contract: turns a request's bytes into a response's bytes.
 *
 * No sockets, no clock, no threads: every call is a function of its arguments and may run on any thread. What
 * the contract consists of (functions, parameters, routes, problems) is in tables that the server, the
 * tests and the published specification read.
 */
#ifndef API_H
#define API_H

#include "sampling.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define API_RNG "v1"

/* ---- What a function takes ---- */

/* How elements of arrays lie in memory. */
enum api_dtype { API_FLOAT32, API_FLOAT64, API_INT32, API_UINT32, API_UINT64, API_BOOL, API_DTYPE_COUNT };

struct api_dtype_kind {
    const char *name; /* NumPy's */
    size_t size;
    const char *descr;    /* in the header of an .npy array */
    const char *datatype; /* the Open Inference Protocol's */
};

extern const struct api_dtype_kind api_dtypes[API_DTYPE_COUNT];

enum api_parameter_id {
    API_LOGITS,
    API_DIM,
    API_MASK,
    API_DTYPE,
    API_ON_INVALID,
    API_TEMPERATURE,
    API_TAU,
    API_HARD,
    API_SEED,
    API_ROW_OFFSET,
    API_NUM_SAMPLES,
    API_NOISE_SCALE,
    API_REPLACEMENT,
    API_FILTER, /* the core's filters: API_FILTER + CORE_TOP_K and so on, by enum core_filter */
    API_LAST_FILTER = API_FILTER + CORE_FILTER_COUNT - 1,
    API_LOGIT_BIAS,
    API_FILTER_ORDER,
    API_LOGPROBS,
    API_LOGPROBS_OF,
    API_FUNCTION,
    API_COTANGENT,
    API_ESTIMATOR,
    API_CONDITIONAL_SAMPLES,
    API_RETURN,
    API_PARAMETER_COUNT
};

enum api_type {
    API_NUMBERS,  /* nested arrays of the call's dtype */
    API_BOOLEANS, /* nested arrays of booleans */
    API_NUMBER,   /* double */
    API_INTEGER,
    API_BOOLEAN,
    API_CHOICE, /* one of `choices` */
    API_NAMES,  /* a list of names of the function's results */
    API_BIAS,   /* an object: a number, or null for -inf, for each of some class numbers */
};

/* The largest number of every JSON reader's, 2^53 - 1. */
#define API_MAX_INTEGER 9007199254740991.0

/* A word that a client may choose, and its value. */
struct api_choice {
    const char *name;
    int value;
};

enum api_on_invalid { API_INVALID_ERROR, API_INVALID_ZERO, API_INVALID_UNIFORM, API_INVALID_NAN };
enum api_estimator { API_STRAIGHT_THROUGH, API_GUMBEL_RAO };

struct api_parameter {
    const char *name;
    enum api_type type;
    bool required;
    bool per_row;  /* a list of one value per row is taken as well */
    bool schedule; /* an object that says how it falls is taken as well */
    bool optional; /* left out, it stays unset: there is no value that means the same */
    bool drawn;    /* left out, its value is drawn afresh; otherwise it is `fallback` */
    bool above;    /* the minimum itself is out of the range */
    double minimum, maximum, fallback;
    const struct api_choice *choices; /* up to one without a name; the fallback is the first */
    const char *doc;
};

extern const struct api_parameter api_parameters[API_PARAMETER_COUNT];

/* A schedule is an object of "schedule", the name of its kind, and the members of that kind. */
struct api_schedule_member {
    const char *name;
    unsigned kinds; /* bit k: of the kind whose enum core_schedule_kind is k */
    bool integer;
    double minimum, maximum;
};

extern const struct api_choice api_schedule_kinds[]; /* enum core_schedule_kind, up to one without a name */

enum { API_SCHEDULE_MEMBER_COUNT = 5 };
extern const struct api_schedule_member api_schedule_members[API_SCHEDULE_MEMBER_COUNT];

/* ---- Limits: what a request may ask for ---- */

enum api_limit_id {
    API_LIMIT_ROWS,
    API_LIMIT_CLASSES,
    API_LIMIT_DRAWS,
    API_LIMIT_WORK,
    API_LIMIT_RESULT_BYTES,
    API_LIMIT_BATCH_REQUESTS,
    API_LIMIT_COUNT
};

struct api_limit {
    const char *name;
    size_t fallback;
    const char *doc;
    size_t maximum; /* what it can be set to: what indices and the noise's counters can hold */
};

extern const struct api_limit api_limits[API_LIMIT_COUNT];

/* The one in force: `limits` are by enum api_limit_id, or NULL for those of the table. */
static inline size_t api_limit_of(const size_t *limits, enum api_limit_id id)
{
    return limits != NULL ? limits[id] : api_limits[id].fallback;
}

/* ---- Functions and their results ---- */

enum api_function_id { API_SOFTMAX, API_LOG_SOFTMAX, API_GUMBEL_SOFTMAX, API_CATEGORICAL, API_VJP, API_FUNCTION_COUNT };

/* The shape of a result, S being that of the logits, and S' what is left of it without the class axis. */
enum api_extent {
    API_OF_LOGITS,  /* S */
    API_OF_SAMPLES, /* S, after an axis of num_samples where that is given; the first such takes the logits' place */
    API_OF_WINNERS, /* S', after an axis of num_samples where that is given */
    API_OF_ROWS,    /* S' */
    API_OF_DRAWS,   /* S with num_samples in place of the class axis */
    API_OF_TOP,     /* S with logprobs in place of the class axis */
};

/* When there is a result. */
enum api_condition {
    API_ALWAYS,
    API_ON_RETURN,      /* `return` names it, or is left out and it is the function's first */
    API_WITH_LOGPROBS,  /* logprobs is not 0 */
    API_OF_TEMPERATURE, /* the differentiated function takes a temperature */
    API_OF_TAU,         /* and this a tau */
};

/* What a result consists of, which decides its dtype and what it holds for a row without an answer. */
enum api_content {
    API_MASSES,     /* the call's dtype; 0 */
    API_LOGARITHMS, /* the call's dtype; -inf */
    API_CLASSES,    /* int32; -1, no class */
    API_NOISE,      /* the call's dtype; the noise all the same */
    API_GRADIENTS,  /* the call's dtype; 0, for "uniform" too */
};

enum { API_MAX_RESULTS = 5 };

struct api_result_kind {
    const char *name;
    enum api_extent extent;
    enum api_condition condition;
    enum api_content content;
};

struct api_call;
struct call_range;

/* How the draws of a row can be made in parts. */
enum api_division {
    API_TOGETHER,        /* not at all */
    API_APART,           /* each by itself */
    API_APART_THEN_LAST, /* likewise, but the last one after all others */
    API_IN_ORDER,        /* one after another, and each in parts of its conditional samples, in order too */
};

struct api_function {
    const char *name;
    unsigned parameters; /* bit i: takes api_parameters[i] */
    bool draws_noise;
    unsigned vjp_parameters; /* what vjp takes for this function in addition; 0 if it is not differentiable */
    struct api_result_kind results[API_MAX_RESULTS]; /* up to the first without a name */
    size_t (*scratch)(const struct api_call *call);
    int (*compute)(const struct api_call *call, const struct call_range *range, void *scratch, size_t *invalid_row);
    enum api_division (*divide)(const struct api_call *call);
};

extern const struct api_function api_functions[API_FUNCTION_COUNT];

static inline bool api_function_takes(const struct api_function *function, enum api_parameter_id id)
{
    return function->parameters >> id & 1;
}

/* Whether it is an array, or may be one, of one value per row. */
static inline bool api_parameter_is_array(const struct api_parameter *parameter)
{
    return parameter->per_row || parameter->type == API_NUMBERS || parameter->type == API_BOOLEANS;
}

/* The parameter of that name, of `length` bytes, if the function takes it; of any function, if that is NULL. NULL if
 * there is none. */
const struct api_parameter *api_parameter_find(const struct api_function *function, const char *name, size_t length);

/* ---- Problems: what is answered in place of a result ---- */

enum api_problem_code {
    API_MALFORMED_JSON,
    API_MISSING_MEMBER,
    API_UNKNOWN_MEMBER,
    API_DUPLICATE_MEMBER,
    API_WRONG_TYPE,
    API_OUT_OF_RANGE,
    API_WRONG_LENGTH,
    API_RAGGED_ARRAY,
    API_EMPTY_ARRAY,
    API_NOT_FOUND,
    API_METHOD_NOT_ALLOWED,
    API_NOT_ACCEPTABLE,
    API_BODY_TOO_LARGE,
    API_ENVELOPE_TOO_LARGE,
    API_LIMIT_EXCEEDED,
    API_UNSUPPORTED_MEDIA_TYPE,
    API_INVALID_ROW,
    API_TOO_FEW_CLASSES,
    API_OUT_OF_MEMORY,
    API_OVERLOADED,
    API_DEADLINE_PASSED,
    API_MALFORMED_ENCODING,
    API_UNSUPPORTED_ENCODING,
    API_MALFORMED_NPY,
    API_MALFORMED_REQUEST,
    API_UNKNOWN_CODING,
    API_HEAD_TOO_LARGE,
    API_TOO_SLOW,
    API_WRONG_HOST,
    API_FOREIGN_ORIGIN,
    API_PROBLEM_COUNT
};

struct api_problem_kind {
    const char *slug; /* the `code` member and the end of the `type` URI */
    int status;
    const char *title;
    unsigned retry_after; /* seconds, where a problem says nothing else; or 0 */
};

extern const struct api_problem_kind api_problem_kinds[API_PROBLEM_COUNT];

#define API_NO_OFFSET SIZE_MAX

enum { API_POINTER_BYTES = 256 };

struct api_problem {
    enum api_problem_code code;
    char pointer[API_POINTER_BYTES]; /* RFC 6901, into the client's body; "" where no single member is meant */
    char detail[256];                /* one line, UTF-8 */
    size_t offset;                   /* byte of the client's body, or API_NO_OFFSET */
    size_t limit;                    /* the limit that was exceeded, or 0 */
    const char *allow;               /* the methods of the route, with API_METHOD_NOT_ALLOWED */
    unsigned retry_after;            /* seconds; 0: the kind's */
};

/* Fills *problem (which may be NULL) and returns -1, for `return api_fail(...)`. The detail is printf's. */
int api_fail(struct api_problem *problem, enum api_problem_code code, const char *pointer, size_t offset,
             const char *detail, ...) __attribute__((format(printf, 5, 6)));

/* The same for what exceeds a limit. */
int api_fail_limit(struct api_problem *problem, const size_t *limits, enum api_limit_id id, const char *pointer);

/* ---- Routes ---- */

enum api_route_kind {
    API_ROUTE_CALL,     /* a function of the tables above */
    API_ROUTE_BATCH,    /* several calls in one request */
    API_ROUTE_DOCUMENT, /* bytes that never change while the program runs */
    API_ROUTE_LIVE,     /* this and the following are answered by the server */
    API_ROUTE_READY,
    API_ROUTE_METRICS,
    API_ROUTE_STATISTICS, /* of the model that the path names, or of all */
    API_ROUTE_INFER,      /* a call in the Open Inference Protocol */
    API_ROUTE_INDEX,      /* a document that is asked for with POST */
};

struct api_request;
struct api_response;

struct api_route {
    const char *path; /* {model} stands for the name of each function */
    enum api_route_kind kind;
    const struct api_function *function; /* API_ROUTE_CALL */
    const char *media_type;              /* of the answer */
    void (*document)(const struct api_request *request, struct api_response *response);
};

extern const struct api_route api_routes[];
extern const size_t api_route_count;

/* Whether it is asked with POST, and not with GET and HEAD. */
bool api_route_is_post(const struct api_route *route);

/* "POST, OPTIONS", or "GET, HEAD, OPTIONS". */
const char *api_route_methods(const struct api_route *route);

/* 0 and *route, or -1 and *problem (not found, method not allowed); *route is set with the latter as well. */
int api_route_find(const char *method, const char *path, const struct api_route **route, struct api_problem *problem);

/* The function that the path names in place of the route's {model}; NULL where it has none. */
const struct api_function *api_route_model(const struct api_route *route, const char *path);

/* Whether a body is sent to such a route for more than to be dropped. */
static inline bool api_route_takes_body(const struct api_route *route)
{
    return route->kind == API_ROUTE_CALL || route->kind == API_ROUTE_BATCH || route->kind == API_ROUTE_INFER;
}

/* ---- Requests and responses ---- */

/* Readable zero bytes that must follow a body, so that reading eight bytes at a time needs no checks. */
#define API_BODY_PADDING 8

/* About a millisecond of work, or a few. */
#define API_PART_NUMBERS ((size_t)1 << 20)

/* name=value of the query, percent-decoded. */
struct api_argument {
    const char *name;  /* "" if it holds a zero byte */
    const char *value; /* "" where there is no '=' */
    size_t length;     /* of the value, which may hold zero bytes */
};

/* What a call is answered in: a row of the table of fronts. */
struct api_front;

struct api_request {
    const struct api_route *route;
    const struct api_function *model;  /* api_route_model's */
    const char *content_type, *accept; /* NULL where the header was not sent */
    const struct api_front *front;     /* api_front_of's, or NULL where that is still to be asked */
    const char *body;                  /* followed by API_BODY_PADDING zero bytes; NULL if length is 0 */
    size_t length;
    char **own_body; /* what holds `body`, of api_malloc under the request's account: set to NULL by one who api_frees
                      * it early; NULL: it is only lent */
    uint64_t (*fresh_seed)(void);     /* 0 .. 2^53 - 1 from a source of entropy; called at most once a call */
    const size_t *limits;             /* by enum api_limit_id; NULL: those of the table */
    const struct api_argument *query; /* in the URL's order, names may repeat */
    size_t query_count;
    size_t part_numbers; /* of a part of the request's job: about so many are computed; 0: API_PART_NUMBERS */
    const char *(*header)(void *closure, const char *name); /* a field's value or NULL; may itself be NULL */
    void *header_closure;
};

/* A field of the answer beside those that the server sets. */
struct api_header {
    const char *name, *value;
    char *owned; /* == value if it is to be freed, else NULL */
};

#define API_MOST_HEADERS 8

struct api_response {
    int status;
    const char *media_type;
    const char *allow; /* the value of the header Allow, or NULL */
    unsigned retry_after;
    const char *body;
    size_t length;
    char *owned;                            /* == body if the receiver must free() it, else NULL */
    size_t rows;                            /* computed */
    const struct api_problem_kind *problem; /* what it refuses with, and where; NULL: nothing */
    char pointer[API_POINTER_BYTES];
    struct api_header headers[API_MOST_HEADERS];
    size_t header_count;
};

/* Adds a field; `owned` is as in struct api_header. The name is to stay. */
void api_response_header(struct api_response *response, const char *name, const char *value, char *owned);

/* Frees the body and the values of the fields, where they are owned. */
void api_response_release(struct api_response *response);

/* Once, before any other call and before threads: seeds jansson's hash tables from the system's entropy. */
void api_init(void);

/* Reads a body into a call, which the caller frees. -1 and *problem if the body is not what the spec says, or the
 * media types are not the route's. */
int api_decode(const struct api_request *request, struct api_call **call, struct api_problem *problem);

/* The rows that api_compute takes ranges of. */
size_t api_call_rows(const struct api_call *call);

/* Computes rows first .. first+count-1; disjoint ranges may run on several threads. -1 and *problem if one of
 * them has no answer. Each row is to be computed once: its result takes the place of its logits. */
int api_compute(const struct api_call *call, size_t first, size_t count, struct api_problem *problem);

/* The response with the results of all rows. -1 and *problem if memory is short. */
int api_encode(struct api_call *call, struct api_response *response, struct api_problem *problem);

void api_call_free(struct api_call *call);

/* Decode, compute and encode, or a document; a problem becomes a response as well. A call's answer is JSON or .npy,
 * JSON also where the client prefers lines. */
void api_answer(const struct api_request *request, struct api_response *response);

/* The same, if the request is a call that computes and gives at most `most` numbers, or has a problem; otherwise false,
 * and nothing is answered. A batch is never that small. */
bool api_answer_small(const struct api_request *request, size_t most, struct api_response *response);

/* ---- Jobs: a request answered in parts ---- */

struct api_job;

/* Opens a job; nothing is read yet. What the request points to must stay until the job is freed; the body may go
 * earlier by own_body. NULL if memory is short. */
struct api_job *api_job_open(const struct api_request *request);

/* When all parts of the stage before are done: begins the next stage and returns of how many parts it is; 0 where the
 * answer is ready, as it is when a part has failed. On any thread, one at a time. */
size_t api_job_next(struct api_job *job);

/* Does part 0 .. parts-1 of the stage: some milliseconds of work, where it can be divided. Parts of one stage do not
 * depend on each other: they may run at once on several threads, in any order, to the same bits. Once one has failed,
 * the others of the stage end at once. */
void api_job_part(struct api_job *job, size_t part);

/* Makes this the answer, in place of whatever the job would have given. While none of its parts is running; those of
 * its stage that have not begun are left out then, and api_job_next returns 0. */
void api_job_fail(struct api_job *job, const struct api_problem *problem);

/* For how long the client waits, as its body says (the parameter `timeout` of the inference protocol), in
 * microseconds; 0 if it says nothing, or has not been read. */
uint64_t api_job_timeout_us(const struct api_job *job);

/* How many numbers the call that has been read computes or gives, whichever is more; 0 before, and of a batch. */
size_t api_job_cost(const struct api_job *job);

/* After api_job_next has returned 0, once: the response, of a problem too. */
void api_job_answer(struct api_job *job, struct api_response *response);

/* While none of its parts is running. */
void api_job_free(struct api_job *job);

/* The response in the form that the path, known or not, has for problems: application/problem+json (RFC 9457), which is
 * that of NULL too; or the Open Inference Protocol's, application/json with an `error` string beside the same members.
 */
void api_answer_problem(const char *path, const struct api_problem *problem, struct api_response *response);

/* Whether the path, known or not, is one of the Open Inference Protocol's. */
bool api_path_is_inference(const char *path);

/* What a probe of the route is answered. */
void api_answer_health(const struct api_route *route, bool ready, struct api_response *response);

/* ---- What the server counts for each model ---- */

struct api_duration {
    uint64_t count, ns;
};

struct api_model_statistics {
    struct api_duration success, fail; /* from a request's first line to its answer's last byte */
    struct api_duration queue;         /* waiting for a worker */
    struct api_duration compute;       /* from the body to the answer */
    uint64_t rows;
    uint64_t last_ms; /* when the last one was answered, since 1970; 0 if there was none */
};

/* Those of one model, or of all where it is NULL; `models` are by enum api_function_id. */
void api_answer_statistics(const struct api_function *model, const struct api_model_statistics *models,
                           struct api_response *response);

/* ---- Streams: an answer as lines of JSON, made while it is read ---- */

#define API_NDJSON "application/x-ndjson"

struct api_stream;

/* The one that the client prefers of those that the route can answer with, of equals the first of the table; NULL if it
 * takes none of them. Whether its answers are streams. */
const struct api_front *api_front_of(const struct api_request *request);
bool api_front_streams(const struct api_front *front);

/* Reads the body, which is not needed any longer, and computes the first rows. -1 and *problem as api_decode and
 * api_compute; a row that has no answer further on becomes a problem document as the last line. */
int api_stream_open(const struct api_request *request, struct api_stream **stream, struct api_problem *problem);

/* The same by parts: reads the body only. Then api_stream_compute until it returns 0. */
int api_stream_begin(const struct api_request *request, struct api_stream **stream, struct api_problem *problem);

/* Does a part of what has to be computed before the next bytes, some milliseconds of work: 1 if there is more, 0 if
 * there is none, as in the middle of the rows that are computed. -1 and *problem where the first rows have no answer:
 * the stream is only to be closed then. api_stream_next does what is left of it. */
int api_stream_compute(struct api_stream *stream, struct api_problem *problem);

/* The next bytes, as many as fit but for the last few, or fewer where they take long to compute; 0 at the end. `size`
 * is at least API_STREAM_LEAST. May be called on any thread, on one at a time, as api_stream_compute. */
#define API_STREAM_LEAST 4096
size_t api_stream_next(struct api_stream *stream, char *buffer, size_t size);

/* Rows written so far. */
size_t api_stream_rows(const struct api_stream *stream);

void api_stream_close(struct api_stream *stream);

/* ---- Memory: what a request takes is counted, and may be refused ---- */

/* Where bytes are taken from before they are allocated. Both functions may be called on several threads at once, and
 * are not to allocate with those below. A thread that uses the account has up to 128 KiB more of it than it has
 * allocated. */
struct api_account {
    bool (*take)(struct api_account *account, size_t bytes); /* false: not to be had now */
    void (*give)(struct api_account *account, size_t bytes);
};

/* What the thread allocates and frees with the functions below, as all of api/ does, jansson included, counts on this
 * account from now on; on none with NULL. Gives what the thread has not used back to the former, and returns that.
 * Memory is freed under the account that it was allocated under, or by other means, such as free() or under no account:
 * then its bytes stay taken until the account's owner drops all that it gave. */
struct api_account *api_account_use(struct api_account *account);

/* As those of the C library; NULL also where the account refuses. All memory that api/ hands out or takes over is such,
 * and is free()'s as well. */
void *api_malloc(size_t size);
void *api_calloc(size_t count, size_t size);
void api_free(void *memory);
char *api_strdup(const char *text);

/* Of so many bytes, which malloc is to map by themselves, the system is asked for huge pages: with those the first
 * touch of each 4 KiB costs little, and without a quarter of the time of a request of 14 MB. */
#define API_LARGE_BYTES (4 * 1024 * 1024)
void *api_realloc(void *memory, size_t size); /* never refuses to make it smaller */

/* ---- Negotiation ---- */

#define API_NPY "application/x-npy"

/* The weight, 0 to 1000, that a list such as Accept gives the first of `names` (the most exact first, NULL after the
 * last) that is in it; -1 where none is. Of parameters only q counts. */
int api_accept_weight(const char *list, const char *const *names);

#endif
