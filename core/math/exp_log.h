/* exp and log of vectors, the same bits on every target: range reduction, here, and a polynomial, in the file of the
 * precision. Each step is an IEEE operation or a fused multiply-add. */
#ifndef CORE_MATH_EXP_LOG_H
#define CORE_MATH_EXP_LOG_H

#include "simd/vec.h"

#if CORE_REAL == 32
#include "math/exp_log_f32.h"
#else
#include "math/exp_log_f64.h"
#endif

/* How the exponentials of a row are scaled (each lane may be of another row): with the row's maximum m and
 * scale = 1 / T,
 *
 *   vec_exp(frame, x) = exp(x * scale) / 2^N, N = round(m * scale / ln 2)
 *
 * which is exp((x - m) * scale) times a factor between 0.70 and 1.42 that all of the row share: dividing by the row's
 * sum removes it. To subtract m itself would cost a rounding, which is up to |x - m| / 2 ulp of the result. Only where
 * |m * scale| is so large that x * scale loses more, m is subtracted first (base = m, else 0): every x that then
 * matters is within a factor of two of m, and the difference is exact (Sterbenz). */
struct exp_frame {
    vreal base, scale;
    vreal scale_low; /* of a double: what the rounding of 1 / T dropped, so that x / T errs by less than 2^-53 */
    vreal shifter;   /* ROUND_SHIFTER - N */
    vreal lowest;    /* where the result falls below REAL_MIN */
};

#define EXP_FAR 4096.0f

INLINE struct exp_frame exp_frame(vreal max, vreal scale)
{
    const vreal shifter = vec_splat(ROUND_SHIFTER);
    vreal x = max * scale;
    vint near = (x < EXP_FAR) & (x > -EXP_FAR);
    vreal base = vec_select(near, vec_splat(0), max);
    vreal n = vec_fma((max - base) * scale, vec_splat(LOG2_E), shifter) - shifter;
    return (struct exp_frame){base, scale, vec_splat(0), shifter - n, (n - EXP_DEPTH) * LN2_HIGH};
}

/* The same with scale = 1 / temperature, at most REAL_MAX. (In float 1 / T is rounded, so that the
 * difference of two x / T errs by up to 2^-24 of itself; a rounding of each x / T would be 2^-24 of that.) */
INLINE struct exp_frame exp_frame_at(vreal max, vreal scale, vreal temperature)
{
    struct exp_frame frame = exp_frame(max, scale);
#if CORE_REAL == 64
    frame.scale_low = vec_keep(scale < REAL_MAX, vec_fma(-scale, temperature, vec_splat(1)) * scale);
#endif
    (void)temperature;
    return frame;
}

/* exp(x * scale) / 2^N for x up to the frame's maximum; +0 where that is below about REAL_MIN, as for -inf. Not for
 * NaN. `unscaled` says that all of frame->scale is 1, which saves steps and changes no bit.
 *
 *   p = x * scale, and what its rounding dropped in low
 *   n = round(p / ln 2), by adding ROUND_SHIFTER - N: the sum's last bits are then n - N in two's complement
 *   r = p - n ln 2 in two fused steps, + low; |r| <= ln 2 / 2 + 2^-13
 *   exp(r) by exp_reduced, times 2^(n - N), by adding to the exponent, which stays a normal number's
 *
 * Error below 0.90 ulp (measured over every float, and over half a million doubles). Below frame->lowest the
 * last step discards what the others compute. (The method is Cody and Waite's, Software Manual for
 * the Elementary Functions, 1980.) */
INLINE vreal vec_exp(const struct exp_frame *frame, vreal x, bool unscaled)
{
    x -= frame->base;
    vreal p = unscaled ? x : x * frame->scale;
    vreal shifted = vec_fma(p, vec_splat(LOG2_E), frame->shifter);
    vreal n = shifted - frame->shifter;
    vreal r = vec_fma(n, vec_splat(-LN2_HIGH), p);
    r = vec_fma(n, vec_splat(-LN2_LOW), r);
    if (!unscaled)
        r += CORE_REAL == 32 ? vec_fma(x, frame->scale, -p)
                             : vec_fma(x, frame->scale_low, vec_fma(x, frame->scale, -p));
    vreal y = (vreal)((vuint)exp_reduced(r) + ((vuint)shifted << MANTISSA_BITS));
    return vec_keep(p >= frame->lowest, y);
}

/* e / sum, with inverse = 1 / sum: correctly rounded (of floats but for subnormal results: P. Markstein, IA-64 and
 * Elementary Functions, 2000), so that equal shares come out equal, and a whole as exactly 1. */
INLINE vreal vec_divide(vreal e, vreal sum, vreal inverse)
{
#if CORE_REAL == 32
    vreal q = e * inverse;
    return vec_fma(vec_fma(-q, sum, e), inverse, q);
#else
    (void)inverse;
    return e / sum;
#endif
}

/* A positive normal number as m 2^k with m in [LOG_LOWEST, 2 LOG_LOWEST). */
struct mantissa {
    vreal m;
    vint k;
};

INLINE struct mantissa vec_mantissa(vreal x)
{
    vint k = (vint)((vuint)x - LOG_LOWEST_BITS) >> MANTISSA_BITS;
    return (struct mantissa){(vreal)((vuint)x - ((vuint)k << MANTISSA_BITS)), k};
}

/* log x for positive normal x. Error below 0.94 ulp (measured as for vec_exp); log 1 = +0. */
INLINE vreal vec_log(vreal x)
{
    struct mantissa of = vec_mantissa(x);
    return log_reduced(of.m - 1.0f, vec_of_ints(of.k), 1);
}

#endif
