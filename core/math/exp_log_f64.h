/* The polynomials of exp and log in double. */
#ifndef CORE_MATH_EXP_LOG_F64_H
#define CORE_MATH_EXP_LOG_F64_H

#include "simd/vec.h"

#define MANTISSA_BITS 52
#define ROUND_SHIFTER 0x1.8p52 /* adding it rounds to integers */
#define EXP_DEPTH 1021.0       /* powers of two below a row's maximum, from which on results are 0 */

/* ln 2 = LN2_HIGH + LN2_LOW to 2^-110; LN2_HIGH is the nearest double. */
#define LN2_HIGH 0x1.62e42fefa39efp-1
#define LN2_LOW 0x1.abc9e3b39803fp-56
#define LOG2_E 0x1.71547652b82fep0

/* exp(r) = 1 + r (1 + r q(r)), q(r) = 1/2! + r/3! + ... + r^11/13!, Taylor's series: its remainder is below
 * r^14 / 14! < 2^-57. */
INLINE vreal exp_reduced(vreal r)
{
    vreal q = vec_splat(1.0 / 6227020800);
    q = vec_fma(q, r, vec_splat(1.0 / 479001600));
    q = vec_fma(q, r, vec_splat(1.0 / 39916800));
    q = vec_fma(q, r, vec_splat(1.0 / 3628800));
    q = vec_fma(q, r, vec_splat(1.0 / 362880));
    q = vec_fma(q, r, vec_splat(1.0 / 40320));
    q = vec_fma(q, r, vec_splat(1.0 / 5040));
    q = vec_fma(q, r, vec_splat(1.0 / 720));
    q = vec_fma(q, r, vec_splat(1.0 / 120));
    q = vec_fma(q, r, vec_splat(1.0 / 24));
    q = vec_fma(q, r, vec_splat(1.0 / 6));
    q = vec_fma(q, r, vec_splat(1.0 / 2));
    return vec_fma(vec_fma(q, r, vec_splat(1.0)), r, vec_splat(1.0));
}

#define LOG_LOWEST_BITS 0x3fe6a09e667f3bcdu /* sqrt(1/2) */

/* sign (k ln 2 + log(1 + sign f)), sign = 1 or -1. Of sign = 1, sqrt(1/2) <= 1 + f < sqrt(2): with s = f / (2 + f), |s|
 * < 0.1716,
 *
 *   log(1 + f) = 2 (s + s^3/3 + s^5/5 + ... + s^21/21) = f - s (f - R), R = 2 (s^2/3 + s^4/5 + ... + s^20/21)
 *
 * and the remainder of the series is below 2^-59 of the whole. f - s (f - R) is f - (f^2/2 - s (f^2/2 + R)), which
 * keeps the rounding of the division out of the greatest terms (fdlibm's e_log.c, Sun Microsystems, 1993). The small
 * terms are added first. */
INLINE vreal log_reduced(vreal f, vreal k, real sign)
{
    vreal s = f / (2.0 + sign * f), square = s * s, half = 0.5 * f * f;
    vreal q = vec_splat(2.0 / 21);
    q = vec_fma(q, square, vec_splat(2.0 / 19));
    q = vec_fma(q, square, vec_splat(2.0 / 17));
    q = vec_fma(q, square, vec_splat(2.0 / 15));
    q = vec_fma(q, square, vec_splat(2.0 / 13));
    q = vec_fma(q, square, vec_splat(2.0 / 11));
    q = vec_fma(q, square, vec_splat(2.0 / 9));
    q = vec_fma(q, square, vec_splat(2.0 / 7));
    q = vec_fma(q, square, vec_splat(2.0 / 5));
    q = vec_fma(q, square, vec_splat(2.0 / 3));
    vreal y = vec_fma(k, vec_splat(sign * LN2_LOW), vec_fma(s, vec_fma(q, square, half), -sign * half));
    return vec_fma(k, vec_splat(sign * LN2_HIGH), y + f);
}

#endif
