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

const struct core_random_kernels TARGET_NAME(core_random_kernels_) = {.fill = torch_fill};
