/* The random stream of a call: its key, and the places in it that the parts of the call begin at. */
#include "call/build.h"

static enum core_rng rng_of(const struct api_call *call)
{
    return (enum core_rng)call->values[API_RNG].one.choice;
}

static bool draws_from_torch(const struct api_call *call)
{
    return call->of->draws_noise && rng_of(call) == CORE_RNG_TORCH;
}

bool call_walks_rows(const struct api_call *call)
{
    return draws_from_torch(call) && call->values[API_SEED].list != NULL && call->draws > 1;
}

/* ---- Its key ---- */

/* The core's seed has the key's first word above the second. */
static uint64_t seed_of(const uint64_t pair[2])
{
    return pair[0] << 32 | pair[1];
}

int builder_read_key(const struct builder *builder)
{
    struct api_value *values = builder->call->values;
    const struct api_value *key = &values[API_KEY];
    const char *name = api_parameters[API_KEY].name;
    if (!key->given)
        return 0;
    if (rng_of(builder->call) != CORE_RNG_JAX)
        return builder_fail(builder, API_OUT_OF_RANGE, name, "", "goes with the rng jax: the others have a seed");
    if (values[API_SEED].given)
        return builder_fail(builder, API_OUT_OF_RANGE, name, "", "takes the place of a seed, and seed is given too");
    values[API_SEED].one.integer = key->one.integer;
    if (key->list == NULL)
        return 0;
    uint64_t *seeds = builder_allocate(builder, builder->call->rows, sizeof *seeds, name);
    for (size_t row = 0; seeds != NULL && row < builder->call->rows; row++)
        seeds[row] = seed_of((const uint64_t *)key->list + 2 * row);
    values[API_SEED].list = seeds;
    return seeds != NULL ? 0 : -1;
}

/* ---- Places in it ---- */

/* Elements of the stream that come before the call's own. */
struct skipped {
    size_t of_rows, of_draws;
};

/* What is skipped is walked over, and so limited as what is computed: for each pass over the logits. */
static int check_skipped(const struct builder *builder, size_t elements, struct skipped *skipped)
{
    const struct api_call *call = builder->call;
    const size_t work = elements * call->draws, limit = builder_limit(builder, API_LIMIT_WORK) / call->passes;
    const bool apart = call->values[API_SEED].list != NULL;
    const size_t row_offset = (size_t)call->values[API_ROW_OFFSET].one.integer;
    const size_t draw_offset = (size_t)call->values[API_DRAW_OFFSET].one.integer;
    if (row_offset > (limit - work) / call->classes)
        return builder_fail_limit(builder, API_LIMIT_WORK, api_parameters[API_ROW_OFFSET].name);
    skipped->of_rows = row_offset * call->classes;
    if (draw_offset > (limit - work - skipped->of_rows) / elements)
        return builder_fail_limit(builder, API_LIMIT_WORK, api_parameters[API_DRAW_OFFSET].name);
    skipped->of_draws = apart ? 0 : draw_offset * elements;
    return 0;
}

/* One sample of dense rows is drawn in order, and a part of it begins at most so many blocks before its place. Several
 * samples are drawn row by row, and strided rows have their elements apart: all blocks are kept, which are limited as
 * the results are. */
enum { MOST_BLOCKS = 2048, BLOCK_ELEMENTS = CORE_MT_WORDS / 2 };

static int allocate_table(const struct builder *builder, size_t first, size_t end)
{
    struct api_call *call = builder->call;
    const char *name = api_parameters[API_RNG].name;
    const size_t blocks = end / BLOCK_ELEMENTS + 1 - first / BLOCK_ELEMENTS;
    const bool in_order = call->inner == 1 && call->draws == 1;
    const size_t every = in_order ? (blocks + MOST_BLOCKS - 1) / MOST_BLOCKS : 1;
    if (!in_order && blocks > 1 + builder_limit(builder, API_LIMIT_RESULT_BYTES) / sizeof *call->stream->table.blocks)
        return builder_fail_limit(builder, API_LIMIT_RESULT_BYTES, name);
    struct call_stream *stream = builder_allocate(builder, 1, sizeof *stream, name);
    if (stream == NULL)
        return -1;
    *stream = (struct call_stream){
        .table = {.first = first / BLOCK_ELEMENTS, .every = every, .count = (blocks + every - 1) / every}};
    stream->table.blocks = builder_allocate(builder, stream->table.count, sizeof *stream->table.blocks, name);
    call->stream = stream;
    return stream->table.blocks != NULL ? 0 : -1;
}

int builder_open_stream(const struct builder *builder)
{
    const struct api_call *call = builder->call;
    const size_t elements = call->rows * call->classes;
    struct skipped skipped = {0, 0};
    if (!draws_from_torch(call) || elements == 0)
        return 0;
    if (check_skipped(builder, elements, &skipped) != 0)
        return -1;
    if (call->values[API_SEED].list != NULL)
        return 0;
    const size_t first = skipped.of_rows + skipped.of_draws;
    return allocate_table(builder, first, first + elements * call->draws);
}
