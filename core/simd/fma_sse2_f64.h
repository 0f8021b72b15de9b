/* a * b + c of doubles with one rounding, for processors without the instruction: the same bits as theirs, always.
 *
 * After S. Boldo and G. Melquiond (Emulation of FMA and correctly rounded sums: proved algorithms using rounding to
 * odd, IEEE Trans. Comp. 57, 2008): the product is split into high + low exactly (Veltkamp and Dekker, 1971), c + low
 * into two, high and the greater of these into two; the two small parts that remain are added rounding to odd (an
 * inexact sum becomes the neighbour whose last bit is 1), so that the last addition rounds as if it saw all.
 *
 * That holds as long as no intermediate result overflows or is subnormal. Lanes where one might be are computed by the
 * C library's fma, which is exact everywhere, and slow.
 */
#ifndef CORE_SIMD_FMA_SSE2_F64_H
#define CORE_SIMD_FMA_SSE2_F64_H

#include "simd/inline.h"

#include <emmintrin.h>
#include <stdint.h>
#include <string.h>

struct fma_two {
    __m128d high, low;
};

/* high + low = a + b exactly (Knuth's TwoSum). */
INLINE struct fma_two fma_two_sum(__m128d a, __m128d b)
{
    __m128d sum = a + b, part = sum - a;
    return (struct fma_two){sum, (a - (sum - part)) + (b - part)};
}

/* x as two halves of 26 bits. */
INLINE struct fma_two fma_split(__m128d x)
{
    __m128d scaled = x * 0x1.0000002p27; /* 2^27 + 1 */
    __m128d high = scaled - (scaled - x);
    return (struct fma_two){high, x - high};
}

INLINE struct fma_two fma_two_product(__m128d a, __m128d b)
{
    struct fma_two x = fma_split(a), y = fma_split(b);
    __m128d product = a * b;
    __m128d low = ((x.high * y.high - product) + x.high * y.low + x.low * y.high) + x.low * y.low;
    return (struct fma_two){product, low};
}

/* All ones in both halves of a 64-bit lane where they are in its upper one. */
INLINE __m128i fma_spread(__m128i mask)
{
    return _mm_shuffle_epi32(mask, _MM_SHUFFLE(3, 3, 1, 1));
}

/* a + b rounded to odd. */
INLINE __m128d fma_sum_to_odd(__m128d a, __m128d b)
{
    struct fma_two sum = fma_two_sum(a, b);
    __m128i bits = (__m128i)sum.high, one = _mm_set1_epi64x(1);
    __m128i even = _mm_cmpeq_epi32(_mm_and_si128(bits, one), _mm_setzero_si128()); /* in the lower half */
    even = _mm_shuffle_epi32(even, _MM_SHUFFLE(2, 2, 0, 0));
    __m128i inexact = (__m128i)_mm_cmpneq_pd(sum.low, _mm_setzero_pd());
    __m128i shrinks = fma_spread(_mm_srai_epi32((__m128i)_mm_xor_pd(sum.high, sum.low), 31)); /* -1 or 0 */
    __m128i step = _mm_or_si128(shrinks, one);                                                /* -1 or 1 */
    return (__m128d)_mm_add_epi64(bits, _mm_and_si128(step, _mm_and_si128(even, inexact)));
}

static __attribute__((noinline, cold)) __m128d fma_sse2_slow(__m128d a, __m128d b, __m128d c)
{
    return (__m128d){__builtin_fma(a[0], b[0], c[0]), __builtin_fma(a[1], b[1], c[1])};
}

/* |x| < bound, in each lane; false for NaN. */
INLINE __m128d fma_below(__m128d x, double bound)
{
    __m128d magnitude = _mm_andnot_pd(_mm_set1_pd(-0.0), x);
    return _mm_cmplt_pd(magnitude, _mm_set1_pd(bound));
}

/* Not inlined: the kernels have hundreds of these, and would take minutes to compile. */
static __attribute__((noinline)) __m128d fma_sse2(__m128d a, __m128d b, __m128d c)
{
    struct fma_two product = fma_two_product(a, b);
    __m128d zero = _mm_cmpeq_pd(product.high, _mm_setzero_pd());
    __m128d exact_zero = _mm_and_pd(zero,
                                    _mm_or_pd(_mm_cmpeq_pd(a, _mm_setzero_pd()), _mm_cmpeq_pd(b, _mm_setzero_pd())));
    __m128d safe = _mm_and_pd(_mm_and_pd(fma_below(a, 0x1p900), fma_below(b, 0x1p900)),
                              _mm_and_pd(fma_below(product.high, 0x1p1000), fma_below(c, 0x1p1000)));
    __m128d large = _mm_or_pd(exact_zero, _mm_andnot_pd(fma_below(product.high, 0x1p-900), safe));
    if (__builtin_expect(_mm_movemask_pd(_mm_and_pd(safe, large)) != 3, 0))
        return fma_sse2_slow(a, b, c);

    struct fma_two small = fma_two_sum(c, product.low);
    struct fma_two great = fma_two_sum(product.high, small.high);
    __m128d sum = great.high + fma_sum_to_odd(small.low, great.low);
    __m128d plain = product.high + c; /* of a product of zero: with the right sign */
    return _mm_or_pd(_mm_and_pd(zero, plain), _mm_andnot_pd(zero, sum));
}

#endif
