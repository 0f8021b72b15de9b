/* The polynomials of exp and log in float: minimax fits of relative error with coefficients rounded to float. The error
 * bounds in exp_log.h are measured over every float of the range against double. */
#ifndef CORE_MATH_EXP_LOG_F32_H
#define CORE_MATH_EXP_LOG_F32_H

#include "simd/vec.h"

#define MANTISSA_BITS 23
#define ROUND_SHIFTER 0x1.8p23f /* adding it rounds to integers */
#define EXP_DEPTH 125.0f        /* powers of two below a row's maximum, from which on results are 0 */

/* ln 2 = LN2_HIGH + LN2_LOW to 2^-52; LN2_HIGH is the nearest float. */
#define LN2_HIGH 0x1.62e43p-1f
#define LN2_LOW (-0x1.05c61p-29f)
#define LOG2_E 0x1.715476p0f

/* exp(r) = 1 + r (1 + r q(r)), q(r) = 1/2 + r/6 + r^2/24 + r^3/120 + r^4/720 with fitted coefficients. */
INLINE vreal exp_reduced(vreal r)
{
    vreal q = vec_splat(0x1.6a5c5ep-10f);
    q = vec_fma(q, r, vec_splat(0x1.123ae4p-7f));
    q = vec_fma(q, r, vec_splat(0x1.5558a4p-5f));
    q = vec_fma(q, r, vec_splat(0x1.55549p-3f));
    q = vec_fma(q, r, vec_splat(0x1.fffffcp-2f));
    return vec_fma(vec_fma(q, r, vec_splat(1.0f)), r, vec_splat(1.0f));
}

#define LOG_LOWEST_BITS 0x3f2aaaabu /* 2/3 */

/* sign (k ln 2 + log(1 + sign f)), sign = 1 or -1. Of sign = 1, -1/3 <= f < 1/3: f - f^2/2 + f^3 p(f), p(f) = 1/3 - f/4
 * + f^2/5 - ... - f^7/10 with fitted coefficients. The small terms are added first. (After Cephes logf, S. Moshier,
 * 1989.) */
INLINE vreal log_reduced(vreal f, vreal k, real sign)
{
    vreal q = vec_splat(sign * -0x1.080f4ep-3f);
    q = vec_fma(q, f, vec_splat(0x1.1e77d6p-3f));
    q = vec_fma(q, f, vec_splat(sign * -0x1.f30d5ep-4f));
    q = vec_fma(q, f, vec_splat(0x1.1ed37ep-3f));
    q = vec_fma(q, f, vec_splat(sign * -0x1.559de8p-3f));
    q = vec_fma(q, f, vec_splat(0x1.99d064p-3f));
    q = vec_fma(q, f, vec_splat(sign * -0x1.fffefp-3f));
    q = vec_fma(q, f, vec_splat(0x1.555506p-2f));
    q = vec_fma(q, f, vec_splat(sign * -0.5f));

    vreal y = vec_fma(k, vec_splat(sign * LN2_LOW), (f * f) * q);
    return vec_fma(k, vec_splat(sign * LN2_HIGH), y + f);
}

#endif
