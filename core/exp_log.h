/* exp and log of vectors of floats, the same bits on every target: range reduction and a polynomial, each step an
 * IEEE operation or a fused multiply-add. The polynomials are minimax fits of relative error with coefficients
 * rounded to float. The error bounds below are measured over every float of the range against double. */
#ifndef CORE_EXP_LOG_H
#define CORE_EXP_LOG_H

#include "vec.h"

/* ln 2 = LN2_HIGH + LN2_LOW to 2^-52; LN2_HIGH is the nearest float. */
#define LN2_HIGH 0x1.62e43p-1f
#define LN2_LOW (-0x1.05c61p-29f)

/* Where exp passes under 2^-126, the least normal float: exp(EXP_LOWEST) = 1.0000045 * 2^-126. */
#define EXP_LOWEST (-87.336540f)

/* exp(x) for x <= 88 (the core needs x <= 0); +0 for x < EXP_LOWEST, -inf too. Not for NaN.
 *
 *   n = round(x / ln 2), by adding 1.5 * 2^23: the sum's last bits are then n in two's complement
 *   r = x - n ln 2 in two fused steps, |r| <= ln 2 / 2
 *   exp(r) = 1 + r (1 + r q(r)), q(r) = 1/2 + r/6 + r^2/24 + r^3/120 + r^4/720 with fitted coefficients
 *   exp(x) = 2^n exp(r), by adding n to the exponent, which stays a normal float's
 *
 * Error below 0.90 ulp. exp(+-0) = 1 exactly. Below EXP_LOWEST the steps compute something of no meaning, which the
 * last one discards. (The method is Cody and Waite's, Software Manual for the Elementary Functions, 1980.) */
INLINE vfloat vec_exp(vfloat x)
{
    const vfloat shifter = vec_splat(0x1.8p23f);
    vfloat shifted = vec_fma(x, vec_splat(0x1.715476p0f), shifter);
    vfloat n = shifted - shifter;
    vfloat r = vec_fma(n, vec_splat(-LN2_HIGH), x);
    r = vec_fma(n, vec_splat(-LN2_LOW), r);

    vfloat q = vec_splat(0x1.6a5c5ep-10f);
    q = vec_fma(q, r, vec_splat(0x1.123ae4p-7f));
    q = vec_fma(q, r, vec_splat(0x1.5558a4p-5f));
    q = vec_fma(q, r, vec_splat(0x1.55549p-3f));
    q = vec_fma(q, r, vec_splat(0x1.fffffcp-2f));
    vfloat y = vec_fma(vec_fma(q, r, vec_splat(1.0f)), r, vec_splat(1.0f));

    y = (vfloat)((vuint)y + ((vuint)shifted << 23));
    return vec_keep(x >= EXP_LOWEST, y);
}

/* A positive normal float as (1 + f) 2^k with 1 + f in [2/3, 4/3). */
struct mantissa {
    vfloat f;
    vint k;
};

INLINE struct mantissa vec_mantissa(vfloat x)
{
    const uint32_t two_thirds = 0x3f2aaaab;
    vint k = (vint)((vuint)x - two_thirds) >> 23;
    vfloat m = (vfloat)((vuint)x - ((vuint)k << 23));
    return (struct mantissa){m - 1.0f, k};
}

/* log((1 + f) 2^k) = k ln 2 + f - f^2/2 + f^3 p(f), -1/3 <= f < 1/3; f may be more exact than 1 + f.
 *
 * p(f) = 1/3 - f/4 + f^2/5 - ... - f^7/10 with fitted coefficients. The small terms are added first. Error below
 * 0.94 ulp over the positive normal floats; log 1 = +0. (After Cephes logf, S. Moshier, 1989.) */
INLINE vfloat vec_log_of(struct mantissa x)
{
    vfloat f = x.f, k = __builtin_convertvector(x.k, vfloat);
    vfloat q = vec_splat(-0x1.080f4ep-3f);
    q = vec_fma(q, f, vec_splat(0x1.1e77d6p-3f));
    q = vec_fma(q, f, vec_splat(-0x1.f30d5ep-4f));
    q = vec_fma(q, f, vec_splat(0x1.1ed37ep-3f));
    q = vec_fma(q, f, vec_splat(-0x1.559de8p-3f));
    q = vec_fma(q, f, vec_splat(0x1.99d064p-3f));
    q = vec_fma(q, f, vec_splat(-0x1.fffefp-3f));
    q = vec_fma(q, f, vec_splat(0x1.555506p-2f));
    q = vec_fma(q, f, vec_splat(-0.5f));

    vfloat y = vec_fma(k, vec_splat(LN2_LOW), (f * f) * q);
    return vec_fma(k, vec_splat(LN2_HIGH), y + f);
}

/* log x for positive normal x. */
INLINE vfloat vec_log(vfloat x)
{
    return vec_log_of(vec_mantissa(x));
}

#endif
