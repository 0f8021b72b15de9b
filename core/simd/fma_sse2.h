/* a * b + c with one rounding, for processors without the instruction: the same bits as theirs, always.
 *
 * In double the product of two floats is exact (24 + 24 bits of 53), the addition of c rounds to 53 bits and the
 * conversion to float rounds again. Two roundings differ from one only if the double lies exactly half way between
 * two floats while the addition was inexact, so that the conversion sees a tie where there was none. Where the result
 * is a normal float, half way shows in the 29 bits that the conversion drops: 1 followed by zeros. Where it is
 * subnormal the conversion drops more; those few take the slow path. (A result of zero needs no care: a sum
 * half way to 2^-149 has no bit below 2^-198 and is exact.)
 *
 * The slow path rounds the addition to odd: an inexact sum becomes the neighbour whose last bit is 1, which is
 * never half way. (S. Boldo, G. Melquiond: Emulation of FMA and correctly rounded sums, IEEE Trans. Comp. 57, 2008.)
 */
#ifndef CORE_SIMD_FMA_SSE2_H
#define CORE_SIMD_FMA_SSE2_H

#include "simd/inline.h"

#include <emmintrin.h>
#include <stdint.h>
#include <string.h>

static float fma_rounded_to_odd(float a, float b, float c)
{
    double product = (double)a * b;
    double sum = product + c;
    double part = sum - product; /* TwoSum (Knuth): sum + error is product + c exactly */
    double error = (product - (sum - part)) + (c - part);

    uint64_t bits;
    memcpy(&bits, &sum, sizeof(bits));
    if ((error > 0 || error < 0) && (bits & 1) == 0) /* neither holds for the NaN that comes of infinities */
        bits = (error > 0) == (sum > 0) ? bits + 1 : bits - 1;
    memcpy(&sum, &bits, sizeof(sum));
    return (float)sum;
}

static __attribute__((noinline, cold)) __m128 fma_sse2_slow(__m128 a, __m128 b, __m128 c)
{
    float x[4], y[4], z[4];
    _mm_storeu_ps(x, a);
    _mm_storeu_ps(y, b);
    _mm_storeu_ps(z, c);
    for (int i = 0; i < 4; i++)
        z[i] = fma_rounded_to_odd(x[i], y[i], z[i]);
    return _mm_loadu_ps(z);
}

INLINE __m128d fma_in_double(__m128 a, __m128 b, __m128 c) /* of the two low lanes */
{
    return _mm_add_pd(_mm_mul_pd(_mm_cvtps_pd(a), _mm_cvtps_pd(b)), _mm_cvtps_pd(c));
}

/* Not inlined: the kernels have hundreds of these, and would take minutes to compile. */
static __attribute__((noinline)) __m128 fma_sse2(__m128 a, __m128 b, __m128 c)
{
    __m128d low = fma_in_double(a, b, c);
    __m128d high = fma_in_double(_mm_movehl_ps(a, a), _mm_movehl_ps(b, b), _mm_movehl_ps(c, c));
    __m128 result = _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));

    __m128i low_words = (__m128i)_mm_shuffle_ps((__m128)low, (__m128)high, _MM_SHUFFLE(2, 0, 2, 0));
    __m128i half_way = _mm_cmpeq_epi32(_mm_slli_epi32(low_words, 3), _mm_set1_epi32(INT32_MIN));

    /* 0 < |result| <= 2^-126, as integers: |result| - 1 < 0x00800000 unsigned, both moved by 2^31 to compare signed */
    __m128i magnitude = _mm_and_si128((__m128i)result, _mm_set1_epi32(INT32_MAX));
    __m128i tiny = _mm_cmplt_epi32(_mm_add_epi32(magnitude, _mm_set1_epi32(INT32_MAX)),
                                   _mm_set1_epi32(INT32_MIN + 0x00800000));

    if (__builtin_expect(_mm_movemask_epi8(_mm_or_si128(half_way, tiny)) != 0, 0))
        return fma_sse2_slow(a, b, c);
    return result;
}

#endif
