/* The tables of the contract, which the server, the tests and the published specification read: dtypes, parameters,
 * limits, functions, problems. */
#ifndef API_CONTRACT_H
#define API_CONTRACT_H

#include "sampling.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define API_DEFAULT_RNG "v1" /* the first choice of the parameter `rng` */

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
    API_RNG,
    API_SEED,
    API_KEY,
    API_ROW_OFFSET,
    API_DRAW_OFFSET,
    API_NUM_SAMPLES,
    API_NOISE_SCALE,
    API_REPLACEMENT,
    API_METHOD,
    API_FILTER, /* the core's filters: API_FILTER + CORE_TOP_K and so on, by enum core_filter */
    API_LAST_FILTER = API_FILTER + CORE_FILTER_COUNT - 1,
    API_MIN_KEEP,
    API_LOGIT_BIAS,
    API_FILTER_ORDER,
    API_PROMPT,
    API_OUTPUT,
    API_REPETITION_PENALTY,
    API_PRESENCE_PENALTY,
    API_FREQUENCY_PENALTY,
    API_LOGPROBS,
    API_LOGPROBS_OF,
    API_LOGPROBS_FOR,
    API_FUNCTION,
    API_COTANGENT,
    API_ESTIMATOR,
    API_CONDITIONAL_SAMPLES,
    API_RETURN,
    API_PARAMETER_COUNT
};

/* Bit i: api_parameters[i]. */
typedef uint64_t api_parameter_set;

enum api_type {
    API_NUMBERS,  /* nested arrays of the call's dtype */
    API_BOOLEANS, /* nested arrays of booleans */
    API_NUMBER,   /* double */
    API_INTEGER,
    API_BOOLEAN,
    API_CHOICE,      /* one of `choices` */
    API_NAMES,       /* a list of names of the function's results */
    API_STEPS,       /* one of `choices`, or a list of names of filters and "temperature" */
    API_CLASS_LIST,  /* a flat list of class numbers */
    API_CLASS_LISTS, /* a list of class numbers, -1 being none, or a list of one such per row */
    API_BIAS,        /* an object: a number, or null for -inf, for each of some class numbers */
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
    bool pair;     /* a value is two numbers */
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

/* The flag that sets it, without its dashes: "max-rows" of the limit "rows". */
void api_limit_flag(const struct api_limit *limit, char *flag, size_t size);

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
    API_OF_NAMED,   /* S with an axis of the classes that logprobs_for names in place of the class axis */
};

/* When there is a result. */
enum api_condition {
    API_ALWAYS,
    API_ON_RETURN,      /* `return` names it, or is left out and it is the function's first */
    API_WITH_LOGPROBS,  /* logprobs is not 0 */
    API_WITH_NAMED,     /* logprobs_for is given */
    API_OF_TEMPERATURE, /* the differentiated function takes a temperature */
    API_OF_TAU,         /* and this a tau */
};

/* What a result consists of, which decides its dtype and what it holds for a row without an answer. */
enum api_content {
    API_MASSES,     /* the call's dtype; 0 */
    API_LOGARITHMS, /* the call's dtype; -inf */
    API_CLASSES,    /* int32; -1, no class */
    API_COUNTS,     /* int32; 0 */
    API_NOISE,      /* the call's dtype; the noise all the same */
    API_GRADIENTS,  /* the call's dtype; 0, for "uniform" too */
};

enum { API_MAX_RESULTS = 12 };

struct api_result_kind {
    const char *name;
    enum api_extent extent;
    enum api_condition condition;
    enum api_content content;
};

/* Whether it is int32 in either precision. */
static inline bool api_content_is_integer(enum api_content content)
{
    return content == API_CLASSES || content == API_COUNTS;
}

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
    api_parameter_set parameters;
    bool draws_noise;
    api_parameter_set vjp_parameters; /* what vjp takes for this function in addition; 0 if it is not differentiable */
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

enum { API_POINTER_BYTES = 256, API_DETAIL_BYTES = 512 };

struct api_problem {
    enum api_problem_code code;
    char pointer[API_POINTER_BYTES]; /* RFC 6901, into the client's body; "" where no single member is meant */
    char detail[API_DETAIL_BYTES];   /* one line, UTF-8 */
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

#endif
