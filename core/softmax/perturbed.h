/* The perturbed logits as a result: x + s g. */
#ifndef CORE_SOFTMAX_PERTURBED_H
#define CORE_SOFTMAX_PERTURBED_H

#include "simd/vec.h"

/* x - s log E with one rounding, limited to +-REAL_MAX where x is possible; +0 for zero. `scaled` says that s is not 1.
 */
INLINE vreal vec_perturbed(vreal x, vreal log_e, bool scaled, vreal s)
{
    vreal v = (scaled ? vec_fma(-s, log_e, x) : x - log_e) + 0.0f;
    v = -vec_max(-vec_max(v, vec_splat(-REAL_MAX)), vec_splat(-REAL_MAX));
    return vec_possible(x >= -REAL_MAX, v);
}

#endif
