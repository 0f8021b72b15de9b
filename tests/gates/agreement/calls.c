/* The core's calls as streams.py makes them through ctypes: plain arguments, so that it need not know the structs. An
 * array has `rows` rows of `classes` with `inner` after the class axis, 0 for none; the rows are computed in two parts,
 * as two workers would. CORE_OK or the core's error. */
#include "sampling.h"

#include <stdlib.h>

struct stream {
    int rng;
    const uint64_t *seed;
    size_t stride;
    uint32_t row_offset, draw;
};

typedef int part_call(void *call, const struct core_noise *noise, size_t first, size_t count);

void agreement_exponentials(int dtype, int rng, uint64_t seed, uint64_t first, void *e, size_t count);
int agreement_gumbel_softmax(int dtype, const void *x, size_t rows, size_t classes, size_t inner, double tau,
                             const struct stream *stream, void *samples, void *gumbel, int32_t *indices);
int agreement_categorical(int dtype, const void *x, size_t rows, size_t classes, size_t inner, size_t draws,
                          bool replacement, const struct stream *stream, int32_t *indices);

static struct core_noise noise_of(const struct stream *stream, struct core_layout whole)
{
    return (struct core_noise){.seed = stream->seed,
                               .stride = stream->stride,
                               .row_offset = stream->row_offset,
                               .draw = stream->draw,
                               .rng = (enum core_rng)stream->rng,
                               .whole = whole};
}

/* Of one torch seed all blocks, or where rows are dense every third. */
static int fill_table(struct core_mt_table *table, const struct core_noise *noise, size_t draws)
{
    const struct core_layout *whole = &noise->whole;
    const size_t elements = whole->rows * whole->classes, in_block = CORE_MT_WORDS / 2;
    const size_t first = noise->row_offset * whole->classes + noise->draw * elements;
    table->every = whole->inner > 1 ? 1 : 3;
    table->first = first / in_block;
    table->count = ((first + draws * elements) / in_block - table->first) / table->every + 1;
    table->blocks = malloc(table->count * sizeof(table->blocks[0]));
    if (table->blocks == NULL)
        return -1;
    core_mt_fill(table, noise->seed[0]);
    return 0;
}

static int in_parts(part_call *part, void *call, struct core_noise noise, size_t draws)
{
    struct core_mt_table table = {.blocks = NULL};
    const size_t rows = noise.whole.rows, half = rows / 3;
    int status = 0;
    if (noise.rng == CORE_RNG_TORCH && noise.stride == 0) {
        status = fill_table(&table, &noise, draws);
        noise.table = &table;
    }
    for (size_t i = 0; i < 2 && status == 0; i++) {
        struct core_mt_cursor cursor = {.made = 0};
        noise.cursor = &cursor;
        status = part(call, &noise, i == 0 ? 0 : half, i == 0 ? half : rows - half);
    }
    free(table.blocks);
    return status;
}

void agreement_exponentials(int dtype, int rng, uint64_t seed, uint64_t first, void *e, size_t count)
{
    struct core_mt_cursor cursor = {.made = 0};
    struct core_noise noise = {.seed = &seed, .rng = (enum core_rng)rng, .cursor = &cursor};
    core_stream_exponentials((enum core_dtype)dtype, &noise, first, e, count);
}

static int gumbel_part(void *data, const struct core_noise *noise, size_t first, size_t count)
{
    struct core_gumbel_softmax_call *call = data;
    size_t bad;
    call->noise = *noise;
    call->scratch = malloc(core_gumbel_softmax_scratch(call) + 1);
    int status = call->scratch != NULL ? core_gumbel_softmax(call, first, count, &bad) : -1;
    free(call->scratch);
    return status;
}

int agreement_gumbel_softmax(int dtype, const void *x, size_t rows, size_t classes, size_t inner, double tau,
                             const struct stream *stream, void *samples, void *gumbel, int32_t *indices)
{
    struct core_gumbel_softmax_call call = {.dtype = (enum core_dtype)dtype,
                                            .logits = x,
                                            .classes = classes,
                                            .inner = inner,
                                            .tau = {&tau, 0},
                                            .samples = samples,
                                            .gumbel = gumbel,
                                            .indices = indices};
    return in_parts(gumbel_part, &call, noise_of(stream, (struct core_layout){rows, classes, inner}), 1);
}

static int categorical_part(void *data, const struct core_noise *noise, size_t first, size_t count)
{
    struct core_categorical_call *call = data;
    size_t bad;
    call->noise = *noise;
    void *scratch = malloc(core_categorical_scratch(call) + 1);
    int status = scratch != NULL ? core_categorical(call, first, count, scratch, &bad) : -1;
    free(scratch);
    return status;
}

int agreement_categorical(int dtype, const void *x, size_t rows, size_t classes, size_t inner, size_t draws,
                          bool replacement, const struct stream *stream, int32_t *indices)
{
    struct core_categorical_call call = {.dtype = (enum core_dtype)dtype,
                                         .logits = x,
                                         .classes = classes,
                                         .inner = inner,
                                         .draws = draws,
                                         .replacement = replacement,
                                         .indices = indices};
    const struct core_noise noise = noise_of(stream, (struct core_layout){rows, classes, inner});
    return in_parts(categorical_part, &call, noise, replacement ? draws : 1);
}
