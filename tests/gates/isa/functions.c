#include "functions.h"
#include "sampling.h"
#include "vjp.h"

#include <stdio.h>
#include <stdlib.h>

void *allocate(size_t size)
{
    void *memory = malloc(size + 1);
    if (memory == NULL) {
        fputs("digest: out of memory\n", stderr);
        exit(2);
    }
    return memory;
}

/* The next array in the memory of the results: `count` elements of `size` bytes. */
static void *take(char **memory, size_t count, size_t size)
{
    void *array = *memory;
    *memory += count * size;
    return array;
}

static size_t size_of_words(enum core_dtype dtype, size_t classes)
{
    (void)dtype;
    return classes * sizeof(uint32_t);
}

static size_t size_of_row(enum core_dtype dtype, size_t classes)
{
    return classes * core_dtype_size(dtype);
}

static struct core_softmax_call softmax_call(const struct problem *p, void *result)
{
    return (struct core_softmax_call){
        .dtype = p->dtype,
        .logits = p->logits,
        .classes = p->classes,
        .inner = p->inner,
        .mask = {p->allowed, 1},
        .temperature = p->parameter,
        .result = result,
    };
}

static int run_softmax(const struct problem *p, void *result, size_t first, size_t count)
{
    size_t bad;
    struct core_softmax_call call = softmax_call(p, result);
    call.scratch = allocate(core_softmax_scratch(&call));
    int status = core_softmax(&call, first, count, &bad);
    free(call.scratch);
    return status;
}

static int run_log_softmax(const struct problem *p, void *result, size_t first, size_t count)
{
    size_t bad;
    struct core_softmax_call call = softmax_call(p, result);
    call.scratch = allocate(core_softmax_scratch(&call));
    int status = core_log_softmax(&call, first, count, &bad);
    free(call.scratch);
    return status;
}

static struct core_gumbel_softmax_call gumbel_call(const struct problem *p, void *samples, bool hard)
{
    return (struct core_gumbel_softmax_call){
        .dtype = p->dtype,
        .logits = p->logits,
        .classes = p->classes,
        .inner = p->inner,
        .mask = {p->allowed, 1},
        .tau = p->parameter,
        .hard = hard,
        .noise = p->noise,
        .samples = samples,
    };
}

static int run_gumbel(struct core_gumbel_softmax_call *call, size_t first, size_t count)
{
    size_t bad;
    call->scratch = allocate(core_gumbel_softmax_scratch(call));
    int status = core_gumbel_softmax(call, first, count, &bad);
    free(call->scratch);
    return status;
}

static int run_gumbel_soft(const struct problem *p, void *result, size_t first, size_t count)
{
    struct core_gumbel_softmax_call call = gumbel_call(p, result, false);
    return run_gumbel(&call, first, count);
}

static int run_gumbel_hard(const struct problem *p, void *result, size_t first, size_t count)
{
    struct core_gumbel_softmax_call call = gumbel_call(p, result, true);
    return run_gumbel(&call, first, count);
}

/* Every result of it, the noise scaled. */
static int run_gumbel_all(const struct problem *p, void *result, size_t first, size_t count)
{
    static const double scale = 0.7;
    size_t size = core_dtype_size(p->dtype), all = p->rows * p->classes;
    char *memory = result;
    struct core_gumbel_softmax_call call = gumbel_call(p, take(&memory, all, size), true);
    call.soft = take(&memory, all, size);
    call.gumbel = take(&memory, all, size);
    call.log_density = take(&memory, p->rows, size);
    call.indices = take(&memory, p->rows, sizeof(int32_t));
    call.noise_scale.value = &scale;
    return run_gumbel(&call, first, count);
}

static size_t size_of_all(enum core_dtype dtype, size_t classes)
{
    return (3 * classes + 1) * core_dtype_size(dtype) + sizeof(int32_t);
}

/* Samples and noise of another stream. */
static int run_gumbel_of(enum core_rng rng, const struct problem *p, void *result, size_t first, size_t count)
{
    size_t size = core_dtype_size(p->dtype), all = p->rows * p->classes;
    char *memory = result;
    struct core_mt_cursor cursor = {.made = 0};
    struct core_gumbel_softmax_call call = gumbel_call(p, take(&memory, all, size), false);
    call.gumbel = take(&memory, all, size);
    call.noise.rng = rng;
    call.noise.row_offset = 3;
    call.noise.whole = (struct core_layout){p->rows, p->classes, p->inner};
    call.noise.cursor = &cursor;
    return run_gumbel(&call, first, count);
}

static int run_gumbel_torch(const struct problem *p, void *result, size_t first, size_t count)
{
    return run_gumbel_of(CORE_RNG_TORCH, p, result, first, count);
}

static int run_gumbel_jax(const struct problem *p, void *result, size_t first, size_t count)
{
    return run_gumbel_of(CORE_RNG_JAX, p, result, first, count);
}

static size_t size_of_two(enum core_dtype dtype, size_t classes)
{
    return 2 * classes * core_dtype_size(dtype);
}

/* The logarithm of the soft sample, and the perturbed logits, the noise scaled. */
static int run_gumbel_logarithms(const struct problem *p, void *result, size_t first, size_t count)
{
    static const double scale = 0.7;
    size_t size = core_dtype_size(p->dtype), all = p->rows * p->classes;
    char *memory = result;
    struct core_gumbel_softmax_call call = gumbel_call(p, take(&memory, all, size), false);
    call.log_soft = take(&memory, all, size);
    call.perturbed = take(&memory, all, size);
    call.noise_scale.value = &scale;
    return run_gumbel(&call, first, count);
}

static size_t size_of_logarithms(enum core_dtype dtype, size_t classes)
{
    return 3 * classes * core_dtype_size(dtype);
}

enum { DRAWS = 3, TOP = 2 };

static int run_categorical(struct core_categorical_call *call, size_t first, size_t count)
{
    size_t bad;
    void *scratch = allocate(core_categorical_scratch(call));
    int status = core_categorical(call, first, count, scratch, &bad);
    free(scratch);
    return status;
}

static struct core_categorical_call categorical_call(const struct problem *p, size_t draws, char **memory)
{
    size_t size = core_dtype_size(p->dtype);
    return (struct core_categorical_call){
        .dtype = p->dtype,
        .logits = p->logits,
        .classes = p->classes,
        .inner = p->inner,
        .temperature = p->parameter,
        .mask = {p->allowed, 1},
        .noise = p->noise,
        .draws = draws,
        .replacement = true,
        .scores = take(memory, p->rows * draws, size),
        .indices = take(memory, p->rows * draws, sizeof(int32_t)),
    };
}

static size_t size_of_draws(enum core_dtype dtype, size_t classes)
{
    (void)classes;
    return DRAWS * (core_dtype_size(dtype) + sizeof(int32_t));
}

static int run_categorical_plain(const struct problem *p, void *result, size_t first, size_t count)
{
    char *memory = result;
    struct core_categorical_call call = categorical_call(p, DRAWS, &memory);
    return run_categorical(&call, first, count);
}

/* By inversion: more draws than the guide takes. */
enum { INVERSIONS = 65 };

static int run_categorical_inverse(const struct problem *p, void *result, size_t first, size_t count)
{
    char *memory = result;
    struct core_categorical_call call = categorical_call(p, INVERSIONS, &memory);
    call.log_probabilities = call.scores;
    call.scores = NULL;
    call.method = CORE_INVERSE_CDF;
    return run_categorical(&call, first, count);
}

static size_t size_of_inversions(enum core_dtype dtype, size_t classes)
{
    (void)classes;
    return INVERSIONS * (core_dtype_size(dtype) + sizeof(int32_t));
}

/* Gumbel top-k; of few classes perhaps only one is possible. */
static int run_categorical_without(const struct problem *p, void *result, size_t first, size_t count)
{
    char *memory = result;
    struct core_categorical_call call = categorical_call(p, p->classes < 64 ? 1 : DRAWS, &memory);
    call.replacement = false;
    return run_categorical(&call, first, count);
}

static size_t size_of_draws_without(enum core_dtype dtype, size_t classes)
{
    return classes < 64 ? core_dtype_size(dtype) + sizeof(int32_t) : size_of_draws(dtype, classes);
}

/* All filters, log-probabilities, the most probable classes. */
static int run_categorical_filtered(const struct problem *p, void *result, size_t first, size_t count)
{
    static const uint32_t biased[] = {0};
    static const double top_k = 50, top_p = 0.9, min_p = 0.001, typical_p = 0.95, bias[] = {0.5};
    size_t size = core_dtype_size(p->dtype);
    char *memory = result;
    struct core_categorical_call call = categorical_call(p, DRAWS, &memory);
    call.log_probabilities = take(&memory, p->rows * DRAWS, size);
    call.top = TOP;
    call.top_log_probabilities = take(&memory, p->rows * TOP, size);
    call.top_indices = take(&memory, p->rows * TOP, sizeof(int32_t));
    call.filters = (struct core_filters){
        .order = &core_orders[p->classes % 3 == 0 ? CORE_TEMPERATURE_LAST : CORE_TEMPERATURE_FIRST],
        .values = {[CORE_TOP_K] = {&top_k, 0},
                   [CORE_TOP_P] = {&top_p, 0},
                   [CORE_MIN_P] = {&min_p, 0},
                   [CORE_TYPICAL_P] = {&typical_p, 0}}};
    call.bias = (struct core_logit_bias){biased, bias, 1};
    call.distribution = p->classes % 2 == 0 ? CORE_SCALED : CORE_FILTERED;
    return run_categorical(&call, first, count);
}

static size_t size_of_filtered(enum core_dtype dtype, size_t classes)
{
    return size_of_draws(dtype, classes) + (DRAWS + TOP) * core_dtype_size(dtype) + TOP * sizeof(int32_t);
}

/* Every distribution's results: log-probabilities, ranks, what the filters kept, the entropy. */
static int run_categorical_described(const struct problem *p, void *result, size_t first, size_t count)
{
    static const uint32_t biased[] = {0};
    static const double top_p = 0.9, bias[] = {0.5};
    size_t size = core_dtype_size(p->dtype);
    char *memory = result;
    struct core_categorical_call call = categorical_call(p, DRAWS, &memory);
    call.log_probabilities = take(&memory, p->rows * DRAWS, size);
    call.filtered_log_probabilities = take(&memory, p->rows * DRAWS, size);
    call.kept_mass = take(&memory, p->rows, size);
    call.entropy = take(&memory, p->rows, size);
    call.ranks = take(&memory, p->rows * DRAWS, sizeof(int32_t));
    call.kept = take(&memory, p->rows, sizeof(int32_t));
    call.filters = (struct core_filters){
        .order = &core_orders[p->classes % 2 == 0 ? CORE_TEMPERATURE_LAST : CORE_TEMPERATURE_FIRST],
        .values = {[CORE_TOP_P] = {&top_p, 0}}};
    call.bias = (struct core_logit_bias){biased, bias, p->classes % 5 == 0};
    call.distribution = p->classes % 3 == 0 ? CORE_SCALED : CORE_RAW;
    return run_categorical(&call, first, count);
}

static size_t size_of_described(enum core_dtype dtype, size_t classes)
{
    return size_of_draws(dtype, classes) + (2 * DRAWS + 2) * core_dtype_size(dtype) + (DRAWS + 1) * sizeof(int32_t);
}

static size_t size_of_gradient(enum core_dtype dtype, size_t classes)
{
    return (classes + 1) * core_dtype_size(dtype);
}

static int run_softmax_vjps(const struct problem *p, void *result, size_t first, size_t count, bool logarithm)
{
    size_t bad, size = core_dtype_size(p->dtype);
    char *memory = result;
    struct core_softmax_vjp_call call = {
        .dtype = p->dtype,
        .logits = p->logits,
        .cotangent = p->cotangent,
        .classes = p->classes,
        .inner = p->inner,
        .mask = {p->allowed, 1},
        .temperature = p->parameter,
        .grad_logits = take(&memory, p->rows * p->classes, size),
        .grad_temperature = take(&memory, p->rows, size),
    };
    void *scratch = allocate(core_softmax_vjp_scratch(&call));
    int status = (logarithm ? core_log_softmax_vjp : core_softmax_vjp)(&call, first, count, scratch, &bad);
    free(scratch);
    return status;
}

static int run_softmax_vjp(const struct problem *p, void *result, size_t first, size_t count)
{
    return run_softmax_vjps(p, result, first, count, false);
}

static int run_log_softmax_vjp(const struct problem *p, void *result, size_t first, size_t count)
{
    return run_softmax_vjps(p, result, first, count, true);
}

static int run_gumbel_vjps(const struct problem *p, void *result, size_t first, size_t count, bool rao)
{
    size_t bad, size = core_dtype_size(p->dtype);
    char *memory = result;
    struct core_gumbel_softmax_vjp_call call = {
        .dtype = p->dtype,
        .logits = p->logits,
        .cotangent = p->cotangent,
        .classes = p->classes,
        .inner = p->inner,
        .mask = {p->allowed, 1},
        .tau = p->parameter,
        .noise = p->noise,
        .conditional_samples = 2,
        .grad_logits = take(&memory, p->rows * p->classes, size),
        .grad_tau = take(&memory, p->rows, size),
    };
    void *scratch = allocate(rao ? core_gumbel_rao_vjp_scratch(&call) : core_gumbel_softmax_vjp_scratch(&call));
    int status = (rao ? core_gumbel_rao_vjp : core_gumbel_softmax_vjp)(&call, first, count, scratch, &bad);
    free(scratch);
    return status;
}

static int run_gumbel_softmax_vjp(const struct problem *p, void *result, size_t first, size_t count)
{
    return run_gumbel_vjps(p, result, first, count, false);
}

static int run_gumbel_rao_vjp(const struct problem *p, void *result, size_t first, size_t count)
{
    return run_gumbel_vjps(p, result, first, count, true);
}

static int run_noise_words(const struct problem *p, void *result, size_t first, size_t count)
{
    uint32_t *words = result;
    for (size_t r = first; r < first + count; r++) {
        uint32_t row = p->noise.row_offset + (p->noise.stride == 0 ? (uint32_t)r : 0);
        core_noise_words(words + r * p->classes, 0, p->classes, p->noise.seed[r * p->noise.stride], row, p->noise.draw,
                         p->words[0]);
    }
    return CORE_OK;
}

static int run_exponential(const struct problem *p, void *result, size_t first, size_t count)
{
    size_t at = first * p->classes;
    core_exponential(p->dtype, p->words + at, p->words + at, (char *)result + at * core_dtype_size(p->dtype),
                     count * p->classes);
    return CORE_OK;
}

#define BOTH(name, run, row_size)                                                                                      \
    {name, CORE_FLOAT32, run, row_size},                                                                               \
    {                                                                                                                  \
        name, CORE_FLOAT64, run, row_size                                                                              \
    }

const struct function functions[] = {
    {"noise_words", CORE_FLOAT32, run_noise_words, size_of_words},
    BOTH("exponential", run_exponential, size_of_row),
    BOTH("softmax", run_softmax, size_of_row),
    BOTH("log_softmax", run_log_softmax, size_of_row),
    BOTH("gumbel_softmax", run_gumbel_soft, size_of_row),
    BOTH("gumbel_softmax_hard", run_gumbel_hard, size_of_row),
    BOTH("gumbel_softmax_all", run_gumbel_all, size_of_all),
    BOTH("gumbel_softmax_torch", run_gumbel_torch, size_of_two),
    BOTH("gumbel_softmax_jax", run_gumbel_jax, size_of_two),
    BOTH("gumbel_softmax_logarithms", run_gumbel_logarithms, size_of_logarithms),
    BOTH("categorical", run_categorical_plain, size_of_draws),
    BOTH("categorical_inverse", run_categorical_inverse, size_of_inversions),
    BOTH("categorical_without", run_categorical_without, size_of_draws_without),
    BOTH("categorical_filtered", run_categorical_filtered, size_of_filtered),
    BOTH("categorical_described", run_categorical_described, size_of_described),
    BOTH("softmax_vjp", run_softmax_vjp, size_of_gradient),
    BOTH("log_softmax_vjp", run_log_softmax_vjp, size_of_gradient),
    BOTH("gumbel_softmax_vjp", run_gumbel_softmax_vjp, size_of_gradient),
    BOTH("gumbel_rao_vjp", run_gumbel_rao_vjp, size_of_gradient),
};

const size_t function_count = sizeof(functions) / sizeof(functions[0]);
