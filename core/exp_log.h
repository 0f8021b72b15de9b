/* exp and log of vectors of floats, the same bits on every target: range reduction and a polynomial, each step an
 * IEEE operation or a fused multiply-add. The polynomials are minimax fits of relative error with coefficients
 * rounded to float. The error bounds below are measured over every float of the range against double. */
#ifndef CORE_EXP_LOG_H
#define CORE_EXP_LOG_H

#include "vec.h"

/* ln 2 = LN2_HIGH + LN2_LOW to 2^-52; LN2_HIGH is the nearest float. */
#define LN2_HIGH 0x1.62e43p-1f
#define LN2_LOW (-0x1.05c61p-29f)

/* How a row's exponentials are scaled, a lane or all of them: with the row's maximum m and scale = 1 / T,
 *
 *   vec_exp(frame, x) = exp(x * scale) / 2^N, N = round(m * scale / ln 2)
 *
 * which is exp((x - m) * scale) but for a factor between 0.70 and 1.42 that the whole row shares and that dividing
 * by its sum removes. To subtract m itself would cost a rounding, and with it up to |x - m| / 2 ulp. Only where
 * |m * scale| is so large that x * scale loses more, m is subtracted first (base = m, else 0): every x that then
 * matters is within a factor of two of m, and the difference is exact (Sterbenz). */
struct exp_frame {
    vfloat base, scale;
    vfloat shifter; /* 1.5 * 2^23 - N */
    vfloat lowest;  /* where the result passes under 2^-126 */
};

#define EXP_FAR 4096.0f
#define LOG2_E 0x1.715476p0f

INLINE struct exp_frame exp_frame(vfloat max, vfloat scale)
{
    const vfloat shifter = vec_splat(0x1.8p23f);
    vfloat x = max * scale;
    vint near = (x < EXP_FAR) & (x > -EXP_FAR);
    vfloat base = vec_select(near, vec_splat(0), max);
    vfloat n = vec_fma((max - base) * scale, vec_splat(LOG2_E), shifter) - shifter;
    return (struct exp_frame){base, scale, shifter - n, (n - 125.0f) * LN2_HIGH};
}

/* exp(x * scale) / 2^N for x up to the frame's maximum; +0 where that is below about 2^-125.5, for -inf too. Not for
 * NaN. `unscaled` says that all of frame->scale is 1, which saves steps and changes no bit.
 *
 *   p = x * scale, and what its rounding left off in `low`
 *   n = round(p / ln 2), by adding 1.5 * 2^23 - N: the sum's last bits are then n - N in two's complement
 *   r = p - n ln 2 in two fused steps, + low; |r| <= ln 2 / 2 + 2^-13
 *   exp(r) = 1 + r (1 + r q(r)), q(r) = 1/2 + r/6 + r^2/24 + r^3/120 + r^4/720 with fitted coefficients
 *   times 2^(n - N), by adding to the exponent, which stays a normal float's
 *
 * Error below 0.90 ulp. Below frame->lowest the steps compute something of no meaning, which the last one discards.
 * (The method is Cody and Waite's, Software Manual for the Elementary Functions, 1980.) */
INLINE vfloat vec_exp(const struct exp_frame *frame, vfloat x, bool unscaled)
{
    x -= frame->base;
    vfloat p = unscaled ? x : x * frame->scale;
    vfloat shifted = vec_fma(p, vec_splat(LOG2_E), frame->shifter);
    vfloat n = shifted - frame->shifter;
    vfloat r = vec_fma(n, vec_splat(-LN2_HIGH), p);
    r = vec_fma(n, vec_splat(-LN2_LOW), r);
    if (!unscaled)
        r += vec_fma(x, frame->scale, -p);

    vfloat q = vec_splat(0x1.6a5c5ep-10f);
    q = vec_fma(q, r, vec_splat(0x1.123ae4p-7f));
    q = vec_fma(q, r, vec_splat(0x1.5558a4p-5f));
    q = vec_fma(q, r, vec_splat(0x1.55549p-3f));
    q = vec_fma(q, r, vec_splat(0x1.fffffcp-2f));
    vfloat y = vec_fma(vec_fma(q, r, vec_splat(1.0f)), r, vec_splat(1.0f));

    y = (vfloat)((vuint)y + ((vuint)shifted << 23));
    return vec_keep(p >= frame->lowest, y);
}

/* e / sum, with inverse = 1 / sum: correctly rounded but for subnormal results (P. Markstein, IA-64 and Elementary
 * Functions, 2000), so that equal shares come out equal, and a whole as exactly 1. */
INLINE vfloat vec_divide(vfloat e, vfloat sum, vfloat inverse)
{
    vfloat q = e * inverse;
    return vec_fma(vec_fma(-q, sum, e), inverse, q);
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
