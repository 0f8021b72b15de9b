/* The streams that are not v1's: E ~ Exp(1) of numbered elements. kernels.c has a table of them, one row for each. */
#ifndef CORE_RANDOM_STREAM_H
#define CORE_RANDOM_STREAM_H

#include "core.h"
#include "simd/target.h"

/* Elements first, first + step, ... of the stream that `noise` names, under `seed`. */
struct stream_place {
    const struct core_noise *noise;
    uint64_t seed, first, step;
};

/* e[i] is E of element first + i step, for i < count, a multiple of LANES: of core_noise, to the bit the same on every
 * target. */
void TARGET_NAME(core_stream_exponentials_)(real *e, const struct stream_place *place, size_t count);

#define stream_exponentials TARGET_NAME(core_stream_exponentials_)

#endif
