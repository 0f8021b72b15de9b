/* The core's calls as the bench makes them through ctypes: plain arguments, so that it need not know the structs.
 * Of float32, all parameters 1 but for filters, seed 7; rows first .. first+count-1. y is floats, or of the categorical
 * calls the classes drawn, an int32_t for each. CORE_OK or the core's error. */
#include "sampling.h"
#include "vjp.h"

#include <stdlib.h>

/* All calls have the same parameters; only those of gradients need the number of rows. */
#pragma GCC diagnostic ignored "-Wunused-parameter"
typedef int bench_call(const float *x, void *y, size_t rows, size_t classes, size_t first, size_t count);

bench_call bench_softmax, bench_log_softmax, bench_gumbel_softmax, bench_gumbel_softmax_hard;
bench_call bench_gumbel_softmax_torch, bench_gumbel_softmax_jax;
bench_call bench_categorical, bench_categorical_16, bench_categorical_top_p, bench_categorical_top_k;

float bench_registers(size_t steps);

static const double one = 1;
static const uint64_t seed = 7;

static struct core_softmax_call softmax_call(const float *x, void *y, size_t classes)
{
    return (struct core_softmax_call){.logits = x, .classes = classes, .temperature = {&one, 0}, .result = y};
}

static struct core_gumbel_softmax_call gumbel_call(const float *x, void *y, size_t classes, bool hard)
{
    return (struct core_gumbel_softmax_call){
        .logits = x, .classes = classes, .tau = {&one, 0}, .hard = hard, .noise = {.seed = &seed}, .samples = y};
}

int bench_softmax(const float *x, void *y, size_t rows, size_t classes, size_t first, size_t count)
{
    size_t bad;
    struct core_softmax_call call = softmax_call(x, y, classes);
    return core_softmax(&call, first, count, &bad);
}

int bench_log_softmax(const float *x, void *y, size_t rows, size_t classes, size_t first, size_t count)
{
    size_t bad;
    struct core_softmax_call call = softmax_call(x, y, classes);
    return core_log_softmax(&call, first, count, &bad);
}

int bench_gumbel_softmax(const float *x, void *y, size_t rows, size_t classes, size_t first, size_t count)
{
    size_t bad;
    struct core_gumbel_softmax_call call = gumbel_call(x, y, classes, false);
    return core_gumbel_softmax(&call, first, count, &bad);
}

int bench_gumbel_softmax_hard(const float *x, void *y, size_t rows, size_t classes, size_t first, size_t count)
{
    size_t bad;
    struct core_gumbel_softmax_call call = gumbel_call(x, y, classes, true);
    return core_gumbel_softmax(&call, first, count, &bad);
}

/* Torch's words are made first, in a table of so many blocks at most, as the service makes it. */
enum { MOST_BLOCKS = 2048 };

static int gumbel_softmax_of(enum core_rng rng, const float *x, void *y, size_t rows, size_t classes, size_t first,
                             size_t count)
{
    static uint32_t blocks[MOST_BLOCKS][CORE_MT_WORDS];
    size_t bad;
    const size_t needed = rows * classes / (CORE_MT_WORDS / 2) + 1, every = (needed + MOST_BLOCKS - 1) / MOST_BLOCKS;
    const struct core_mt_table table = {.blocks = blocks, .every = every, .count = (needed + every - 1) / every};
    struct core_mt_cursor cursor = {.made = 0};
    struct core_gumbel_softmax_call call = gumbel_call(x, y, classes, false);
    call.noise.rng = rng;
    call.noise.whole = (struct core_layout){.rows = rows, .classes = classes};
    call.noise.cursor = &cursor;
    if (rng == CORE_RNG_TORCH) {
        core_mt_fill(&table, seed);
        call.noise.table = &table;
    }
    return core_gumbel_softmax(&call, first, count, &bad);
}

int bench_gumbel_softmax_torch(const float *x, void *y, size_t rows, size_t classes, size_t first, size_t count)
{
    return gumbel_softmax_of(CORE_RNG_TORCH, x, y, rows, classes, first, count);
}

int bench_gumbel_softmax_jax(const float *x, void *y, size_t rows, size_t classes, size_t first, size_t count)
{
    return gumbel_softmax_of(CORE_RNG_JAX, x, y, rows, classes, first, count);
}

static int categorical(struct core_categorical_call call, size_t first, size_t count)
{
    static _Thread_local struct {
        void *memory;
        size_t size;
    } scratch; /* kept, as a server would: to get memory from the system takes longer than to draw */
    size_t bad, size = core_categorical_scratch(&call);
    if (size > scratch.size) {
        free(scratch.memory);
        scratch.memory = malloc(size);
        scratch.size = scratch.memory != NULL ? size : 0;
    }
    return scratch.memory != NULL ? core_categorical(&call, first, count, scratch.memory, &bad) : -1;
}

static struct core_categorical_call categorical_call(const float *x, int32_t *y, size_t classes, size_t draws)
{
    return (struct core_categorical_call){
        .logits = x, .classes = classes, .noise = {.seed = &seed}, .draws = draws, .replacement = true, .indices = y};
}

int bench_categorical(const float *x, void *y, size_t rows, size_t classes, size_t first, size_t count)
{
    return categorical(categorical_call(x, y, classes, 1), first, count);
}

int bench_categorical_16(const float *x, void *y, size_t rows, size_t classes, size_t first, size_t count)
{
    return categorical(categorical_call(x, y, classes, 16), first, count);
}

int bench_categorical_top_p(const float *x, void *y, size_t rows, size_t classes, size_t first, size_t count)
{
    static const double top_p = 0.95;
    struct core_categorical_call call = categorical_call(x, y, classes, 1);
    call.filters.values[CORE_TOP_P].value = &top_p;
    return categorical(call, first, count);
}

int bench_categorical_top_k(const float *x, void *y, size_t rows, size_t classes, size_t first, size_t count)
{
    static const double top_k = 50;
    struct core_categorical_call call = categorical_call(x, y, classes, 1);
    call.filters.values[CORE_TOP_K].value = &top_k;
    return categorical(call, first, count);
}

/* The cotangents follow the logits in x; y becomes their gradient. */
bench_call bench_softmax_vjp, bench_gumbel_softmax_vjp, bench_gumbel_rao_vjp;

int bench_softmax_vjp(const float *x, void *y, size_t rows, size_t classes, size_t first, size_t count)
{
    size_t bad;
    struct core_softmax_vjp_call call = {
        .logits = x, .cotangent = x + rows * classes, .classes = classes, .temperature = {&one, 0}, .grad_logits = y};
    return core_softmax_vjp(&call, first, count, NULL, &bad);
}

static struct core_gumbel_softmax_vjp_call gumbel_vjp_call(const float *x, void *y, size_t rows, size_t classes)
{
    return (struct core_gumbel_softmax_vjp_call){.logits = x,
                                                 .cotangent = x + rows * classes,
                                                 .classes = classes,
                                                 .tau = {&one, 0},
                                                 .noise = {.seed = &seed},
                                                 .conditional_samples = 10,
                                                 .grad_logits = y};
}

int bench_gumbel_softmax_vjp(const float *x, void *y, size_t rows, size_t classes, size_t first, size_t count)
{
    size_t bad;
    struct core_gumbel_softmax_vjp_call call = gumbel_vjp_call(x, y, rows, classes);
    void *scratch = malloc(core_gumbel_softmax_vjp_scratch(&call) + 1);
    int status = core_gumbel_softmax_vjp(&call, first, count, scratch, &bad);
    free(scratch);
    return status;
}

int bench_gumbel_rao_vjp(const float *x, void *y, size_t rows, size_t classes, size_t first, size_t count)
{
    size_t bad;
    struct core_gumbel_softmax_vjp_call call = gumbel_vjp_call(x, y, rows, classes);
    void *scratch = malloc(core_gumbel_rao_vjp_scratch(&call) + 1);
    int status = core_gumbel_rao_vjp(&call, first, count, scratch, &bad);
    free(scratch);
    return status;
}

/* So many steps of multiplying and adding, in registers alone: nothing that threads could contend for but the cores. */
float bench_registers(size_t steps)
{
    float x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, sum = 0; /* independent of each other */
    for (size_t i = 0; i < steps; i++)
        for (size_t j = 0; j < 8; j++)
            x[j] = x[j] * 0.999f + 0.001f;
    for (size_t j = 0; j < 8; j++)
        sum += x[j];
    return sum;
}
