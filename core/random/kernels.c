/* The random kernels, compiled once for each instruction set and precision as softmax/kernels.c is: the streams beside
 * v1. A further one is a file and a row of the table. */
#include "random/mersenne.h"
#include "random/table.h"
#include "random/threefry.h"

static void (*const streams[CORE_RNG_COUNT])(real *e, const struct stream_place *place, size_t count) = {
    [CORE_RNG_TORCH] = torch_stream,
    [CORE_RNG_JAX] = jax_stream,
};

void stream_exponentials(real *e, const struct stream_place *place, size_t count)
{
    streams[place->noise->rng](e, place, count);
}

/* Of any count: the streams themselves write whole vectors. */
static void exponentials(const struct core_noise *noise, uint64_t first, void *exponential, size_t count)
{
    enum { CHUNK = 64 };
    real *e = exponential, chunk[CHUNK] __attribute__((aligned(64)));
    for (size_t at = 0; at < count; at += CHUNK) {
        const struct stream_place place = {noise, noise->seed[0], first + at, 1};
        stream_exponentials(chunk, &place, CHUNK);
        memcpy(e + at, chunk, (count - at < CHUNK ? count - at : CHUNK) * sizeof(real));
    }
}

const struct core_random_kernels TARGET_NAME(core_random_kernels_) = {.fill = torch_fill, .exponentials = exponentials};
