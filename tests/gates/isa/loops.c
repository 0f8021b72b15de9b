#include "loops.h"
#include "random/noise.h"
#include "simd/target.h"

INLINE void exp_of(const uint32_t *in, float *out, size_t count, bool unscaled)
{
    const struct exp_frame frame = exp_frame(vec_splat(0), vec_splat(1));
    for (size_t i = 0; i < count; i += VEC_LANES)
        vec_store(out + i, vec_exp(&frame, (vreal)vec_load_uints(in + i), unscaled));
}

static void loop_exp(const uint32_t *in, float *out, size_t count)
{
    exp_of(in, out, count, true);
}

static void loop_exp_scaled(const uint32_t *in, float *out, size_t count)
{
    exp_of(in, out, count, false);
}

static void loop_log(const uint32_t *in, float *out, size_t count)
{
    for (size_t i = 0; i < count; i += VEC_LANES)
        vec_store(out + i, vec_log((vreal)vec_load_uints(in + i)));
}

static void loop_exponential(const uint32_t *in, float *out, size_t count)
{
    for (size_t i = 0; i < count; i += VEC_LANES)
        vec_store(out + i, vec_exponential(vec_load_uints(in + i)));
}

const struct loops JOIN(loops_, CORE_TARGET, , ) = {
    .exp = loop_exp,
    .exp_scaled = loop_exp_scaled,
    .log = loop_log,
    .exponential = loop_exponential,
};
