/* gumbeld's contract: turns a request's bytes into a response's bytes.
 *
 * No sockets, no clock, no threads: every call is a function of its arguments and may run on any thread. Its tables are
 * in contract.h.
 */
#ifndef API_H
#define API_H

#include "contract.h"

/* ---- Routes ---- */

enum api_route_kind {
    API_ROUTE_CALL,     /* a function of contract.h's table */
    API_ROUTE_BATCH,    /* several calls in one request */
    API_ROUTE_DOCUMENT, /* bytes that never change while the program runs */
    API_ROUTE_LIVE,     /* this and the following are answered by the server */
    API_ROUTE_READY,
    API_ROUTE_METRICS,
    API_ROUTE_STATISTICS, /* of the model that the path names, or of all */
    API_ROUTE_INFER,      /* a call in the Open Inference Protocol */
    API_ROUTE_INDEX,      /* a document that is asked for with a body */
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

/* Whether a body is sent to such a route for more than to be dropped; not where there is no route. */
static inline bool api_route_takes_body(const struct api_route *route)
{
    return route != NULL && (route->kind == API_ROUTE_CALL || route->kind == API_ROUTE_BATCH ||
                             route->kind == API_ROUTE_INFER || route->kind == API_ROUTE_INDEX);
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
    bool draining;       /* the server is about to end: its models are not ready */
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

/* Reads the body of an API_ROUTE_CALL into a call, which the caller frees. -1 and *problem if the body is not what the
 * spec says, or the media types are not the route's. */
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

/* Whether the path, known or not, or the target that begins with it, is one of the Open Inference Protocol's. */
bool api_path_is_inference(const char *path);

/* What a probe of the route is answered; `model` is the one that the path names, or NULL. */
void api_answer_health(const struct api_route *route, const struct api_function *model, bool ready,
                       struct api_response *response);

/* ---- What the server counts for each model ---- */

struct api_duration {
    uint64_t count, ns;
};

struct api_model_statistics {
    struct api_duration success, fail; /* from a request's first line to its answer's last byte */
    struct api_duration queue;         /* waiting for a worker */
    struct api_duration compute;       /* of those that succeeded, from the body to the answer */
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

/* Of so many bytes, which malloc is to map by themselves, the system is asked for huge pages: with those the first
 * touch of each 4 KiB costs little, and without a quarter of the time of a request of 14 MB. */
#define API_LARGE_BYTES (4 * 1024 * 1024)
void *api_realloc(void *memory, size_t size); /* never refuses to make it smaller */

/* ---- Negotiation ---- */

#define API_NPY "application/x-npy"
#define API_TENSORS "application/octet-stream" /* binary tensors, and the JSON before them */

/* The weight, 0 to 1000, that a list such as Accept gives the first of `names` (the most exact first, NULL after the
 * last) that is in it; -1 where none is. Of parameters only q counts. */
int api_accept_weight(const char *list, const char *const *names);

#endif
