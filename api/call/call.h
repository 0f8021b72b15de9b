/* A call of a function, whatever it was read from and whatever it is answered in: what a front fills, the core
 * computes and a front prints.
 *
 * A front reads its bytes into a struct call_source and gives that to call_build, which checks everything against
 * the table of parameters. After api_compute on all rows, call_finish gives the results as named tensors. */
#ifndef API_CALL_CALL_H
#define API_CALL_CALL_H

#include "api.h"
#include "core.h"
#include "json/array.h"

#include <jansson.h>

enum { CALL_MAX_BLOCKS = 1 + API_PARAMETER_COUNT }; /* a body, and what its arrays were converted into */

struct call_source {
    const struct api_function *function;
    const json_t *given[API_PARAMETER_COUNT]; /* the small parameters; NULL where one is left out or is a tensor */
    const char *unknown;                      /* the name of a member that is no parameter, or NULL */
    const struct json_text *text;             /* the JSON that they are of, or NULL */

    /* The others: logits, masks, lists of one value per row, whose names are the table's own, not copies. A tensor of
     * rank 0 is one for all rows. The call takes the data that it keeps and leaves NULL; the rest stays the front's, to
     * be freed. */
    struct api_tensor *tensors;
    size_t tensor_count;

    /* Memory in which borrowed data lie: call_build takes it, and frees it if it fails. */
    void *blocks[CALL_MAX_BLOCKS];

    /* Writes where in the request the parameter is, for problems; NULL means "/name". */
    void (*locate)(const struct call_source *source, const char *name, char *pointer, size_t size);

    const char *lists; /* how an array is sent, if not as the member itself; NULL otherwise */

    uint64_t (*fresh_seed)(void); /* as in struct api_request */
    const size_t *limits;         /* likewise */
};

/* The value of one parameter: one for all rows, or one a row in `list`. Which member of the union counts is said by
 * the parameter's type; that of a filter is a `number`, of a count too, as the core takes it. */
struct api_value {
    bool given;
    union {
        double number;
        int64_t integer;
        bool boolean;
        int choice; /* the value of the name that was chosen */
        struct core_order order;
        struct {
            uint8_t count, results[API_MAX_RESULTS]; /* of the function's results, each once */
        } names;
    } one;
    void *list; /* NULL, or double[rows], or uint64_t[rows] where `integer` counts; of pairs two for each row, and one
                   of them for all rows is the upper and the lower half of `integer` */
};

/* logit_bias, as the core takes it. */
struct call_bias {
    uint32_t *classes;
    double *values;
    size_t count;
    uint8_t *forbidden; /* [classes]: 1 where the bias is -inf; NULL if it is nowhere */
};

/* The classes of logprobs_for, as the core takes them. */
struct call_classes {
    uint32_t *classes;
    size_t count;
};

/* What a call may own at the most: the blocks of its source; an array or a list of each parameter; the bias (classes,
 * values, forbidden classes); two lists of classes (entries, where they begin); each result, in two layouts; samples
 * and the sums of gradients; the seeds of keys, and what places in a stream take. */
enum { CALL_MAX_OWNED = CALL_MAX_BLOCKS + API_PARAMETER_COUNT + 3 + 4 + 2 * API_MAX_RESULTS + 2 + 3 };

struct api_call {
    const struct api_function *function;
    const struct api_function *of; /* the one that vjp differentiates; otherwise `function` itself */
    enum core_dtype dtype;

    size_t rank, shape[API_MAX_RANK], axis; /* of the logits; the class axis */
    size_t rows, classes, inner;            /* inner as in core.h, 1 if the class axis is the last */
    size_t draws;                           /* num_samples, or 1 */
    size_t passes;                          /* how often the logits are gone through for one draw */
    size_t draw_work;                       /* of one draw of a row: numbers that are gone through */
    size_t work;                            /* of all: logits times samples, or of inverse_cdf logits and draws */

    void *logits;    /* softmax and the last of the samples take its place */
    void *cotangent; /* the first two samples' parts make room for adding the gradients when they are used up */
    uint8_t *mask;   /* NULL if all classes are possible */
    size_t mask_stride;
    bool mask_is_row; /* it was sent as one row for all, of logits of more than one axis */
    bool all_masked;  /* one mask for several rows leaves none a class: `on_invalid` takes it for no mask */
    struct call_bias bias;
    struct call_classes named;
    struct core_class_lists prompt, output;
    struct api_value values[API_PARAMETER_COUNT];

    struct call_stream *stream; /* NULL if no places in a random stream are needed */

    void *data[API_MAX_RESULTS]; /* of the function's results; NULL where not wanted */
    void *samples;               /* of all but the last sample, which takes the place of the logits */
    size_t sample_distance;      /* elements from one sample to the next; 0 if they are not wanted */
    void *spare;                 /* vjp of several samples: [2][rows], where their gradients by tau are added */
    struct api_tensor results[API_MAX_RESULTS];
    size_t result_count;            /* by call_finish so far */
    uint8_t order[API_MAX_RESULTS]; /* of the function's results, that of `return`: the `wanted` first ones */
    size_t wanted;
    struct {
        char *to;     /* NULL, or where the next one goes */
        size_t lines; /* that are there */
    } transposed;

    void *owned[CALL_MAX_OWNED]; /* freed with the call */
    size_t owned_count;
};

/* Places in torch's stream, for which there is memory from the beginning. The first plan fills it, and runs alone until
 * it has. */
struct call_stream {
    struct core_mt_table table;
    bool filled;
};

/* Whether each row is to be computed with all its draws before the next: it has a stream of its own, in which there are
 * no places to begin at. */
bool call_walks_rows(const struct api_call *call);

/* Some of what a call computes: of rows first .. first+count-1 so many draws from `draw` on; of a Gumbel-Rao gradient,
 * where `sums` is not NULL, so many of one draw's conditional samples from `sample` on, see struct core_rao_part. */
struct call_range {
    size_t first, count;
    size_t draw, draws;
    size_t sample, samples;
    void *sums;
    struct core_mt_cursor *cursor; /* the part's own; NULL where the call draws nothing from torch's stream */
    bool unbiased;                 /* logit_bias is left out */
};

/* Bytes of the sums of a row. */
size_t call_sums_bytes(const struct api_call *call);

/* Sets source->given from an object's members, whose names are the table's. */
void call_give(struct call_source *source, const json_t *members);

/* Checks what the source says and makes a call of it, to be freed with api_call_free. -1 and *problem, whose pointer
 * names the parameter, if it is not what the table says or asks for more than the limits. */
int call_build(struct call_source *source, struct api_call **call, struct api_problem *problem);

/* After all rows have been computed: frees the inputs and sets call->results, the wanted results in the order of
 * `return` and then of the function's table, having moved about `most` numbers of them to where they belong: 1 if that
 * was not all. When it is complete it does nothing, and returns 0. -1 and *problem if memory is short. */
int call_finish(struct api_call *call, size_t most, struct api_problem *problem);

/* Bytes of all results. */
size_t call_result_bytes(const struct api_call *call);

/* How many numbers a call computes or gives, whichever is more. */
size_t call_cost(const struct api_call *call);

/* Makes the call free `memory` with itself, and returns that. */
void *call_own(struct api_call *call, void *memory);

/* Frees `memory` before the call ends, if it is one of those that the call frees. */
void call_release(struct api_call *call, void *memory);

/* Frees what holds neither a result nor a list of one value per row. */
void call_release_inputs(struct api_call *call);

/* Frees the memory in which the result's data lie, unless another result is in it. Lists of one value per row may have
 * been there, and are not to be used any longer. */
void call_release_result(struct api_call *call, const struct api_tensor *result);

/* Makes the call not free the memory in which the result's data lie: *offset is their place in it. */
char *call_disown(struct api_call *call, const struct api_tensor *result, size_t *offset);

/* What an answer repeats of its call, so that it can be had again: each front prints all of it in this order, beside
 * the results and their shape. */
enum call_repeated {
    CALL_REPEATED_DTYPE,
    CALL_REPEATED_RNG,
    CALL_REPEATED_SEED,
    CALL_REPEATED_KEY,
    CALL_REPEATED_TAU,
    CALL_REPEATED_COUNT
};

struct call_repeated_kind {
    const char *name;
    const char *header;                               /* that says it where the body cannot */
    const char *(*text)(const struct api_call *call); /* NULL: it is the value of the parameter: */
    enum api_parameter_id id;
};

extern const struct call_repeated_kind call_repeated_kinds[CALL_REPEATED_COUNT];

/* Whether the call has it; whether it has one value for each row. */
bool call_repeats(const struct api_call *call, enum call_repeated item);
bool call_repeats_list(const struct api_call *call, enum call_repeated item);

/* Prints the value as in JSON, of that row if there is one for each; returns the byte after it. */
char *call_put_repeated(char *out, const struct api_call *call, enum call_repeated item, size_t row);

/* One parameter's value for the core. */
struct core_per_row call_per_row(const struct api_call *call, enum api_parameter_id id);

/* Where the elements of one row lie in an array: at start, start + step, ..., `length` of them. */
struct call_row {
    size_t start, step, length;
    bool bare; /* one number, not an axis of length 1 */
};

/* A row of the logits, or of what has their shape. */
struct call_row call_row_of_logits(const struct api_call *call, size_t row);

/* A row of a result, in the first of its samples. */
struct call_row call_row_of_result(const struct api_call *call, const struct api_result_kind *kind, size_t row);

/* The samples of a result: how many, how many elements from one to the next, and whether they are an axis of it. */
struct call_samples {
    size_t count, distance;
    bool axis;
};

struct call_samples call_samples_of_result(const struct api_call *call, const struct api_result_kind *kind);

enum api_dtype call_result_dtype(const struct api_call *call, const struct api_result_kind *kind);

/* Whether `on_invalid` gives rows without an answer one. */
bool call_replaces_invalid(const struct api_call *call);

/* Puts something that has an answer in place of those rows that have none, and says in marks[0 .. count-1] which they
 * were. */
void call_replace_invalid(const struct api_call *call, size_t first, size_t count, uint8_t *marks);

/* Computes the range's rows after that, with their marks: what the core returns, with *row. */
int call_compute_replaced(const struct api_call *call, const struct call_range *range, const uint8_t *marks,
                          void *scratch, size_t *row);

/* Puts into the results of the marked rows, of the range's draws, what `on_invalid` says. */
void call_mark_invalid(const struct api_call *call, const struct call_range *range, const uint8_t *marks);

/* What the core makes of a logit and its bias. */
double call_biased(const struct api_call *call, double logit, double bias);

/* The problem of a row that the core has refused: what of its logits, mask and bias it was. Its logits are as they
 * were, but for those that the mask excludes. */
void call_fail_row(const struct api_call *call, size_t row, struct api_problem *problem);

/* Likewise of one that has fewer classes than draws without replacement. */
void call_fail_few(const struct api_call *call, size_t row, struct api_problem *problem);

/* The choice of that name, or the one without a name that ends the list. */
const struct api_choice *call_find_choice(const struct api_choice *choices, const char *name);

/* The index of `name` among `names`, which end with NULL; their number if it is none of them. */
size_t call_find_name(const char *const *names, const char *name);

#endif
