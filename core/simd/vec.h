/* Vectors of real numbers in the width that the target's registers have. `real` is float or double: the kernels are
 * compiled once for each (CORE_REAL, the bits of one).
 *
 * Every result is defined in terms of 16 lanes, on every processor: a group of LANES numbers is held as an
 * array of VECS native vectors, so that the same loops over `q = 0 .. VECS-1` compile to one AVX-512, two AVX2 or four
 * SSE2 or NEON registers of floats, and twice as many of doubles. (One 64-byte vector type for all targets would read
 * better, but gcc 12 keeps such values in memory on the narrower targets.)
 *
 * Plain C operators work on these types. A comparison gives a vint of 0 (false) and -1 (true): a mask. Constants are
 * written as floats where a float holds them exactly.
 */
#ifndef CORE_SIMD_VEC_H
#define CORE_SIMD_VEC_H

#include "simd/inline.h"

#include <float.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#else
#error "no vectors for this processor"
#endif

#if defined(__AVX512F__)
#define VEC_BYTES 64
#elif defined(__AVX2__)
#define VEC_BYTES 32
#else
#define VEC_BYTES 16
#endif

#define LANES 16
#define VEC_LANES (VEC_BYTES / (CORE_REAL / 8))
#define VECS (LANES / VEC_LANES)
#define FOR_VECS(q) for (int q = 0; q < VECS; q++)

/* Intrinsics by width and type: X86(max) is _mm512_max_ps and the like, NEON(vmax) vmaxq_f32 or vmaxq_f64. */
#if VEC_BYTES == 64
#define X86_OF(name, type) _mm512_##name##_##type
#elif VEC_BYTES == 32
#define X86_OF(name, type) _mm256_##name##_##type
#else
#define X86_OF(name, type) _mm_##name##_##type
#endif

/* A number, and the integers of its size. */
#if CORE_REAL == 32
typedef float real;
typedef int32_t lane_int;
typedef uint32_t lane_uint;
#define REAL_MAX FLT_MAX
#define REAL_MIN FLT_MIN /* the least normal number */
#define X86(name) X86_OF(name, ps)
#define NEON(name) name##q_f32
#define NEON_VECTOR float32x4_t
#else
typedef double real;
typedef int64_t lane_int;
typedef uint64_t lane_uint;
#define REAL_MAX DBL_MAX
#define REAL_MIN DBL_MIN
#define X86(name) X86_OF(name, pd)
#define NEON(name) name##q_f64
#define NEON_VECTOR float64x2_t
#endif

typedef real vreal __attribute__((vector_size(VEC_BYTES)));
typedef lane_int vint __attribute__((vector_size(VEC_BYTES)));
typedef lane_uint vuint __attribute__((vector_size(VEC_BYTES))); /* for arithmetic that wraps, and bits */
typedef uint32_t vwords __attribute__((vector_size(VEC_BYTES))); /* 32 bits a lane, whatever `real` is */
typedef uint64_t vwide __attribute__((vector_size(VEC_BYTES)));  /* 64 bits a lane */

/* The same for access to memory at any address and of any type. */
typedef real vreal_memory __attribute__((vector_size(VEC_BYTES), aligned(4), may_alias));
typedef lane_uint vuint_memory __attribute__((vector_size(VEC_BYTES), aligned(4), may_alias));
typedef uint32_t vwords_memory __attribute__((vector_size(VEC_BYTES), aligned(4), may_alias));
typedef uint64_t vwide_memory __attribute__((vector_size(VEC_BYTES), aligned(8), may_alias));

INLINE vreal vec_load(const real *from)
{
    return (vreal) * (const vreal_memory *)from;
}

INLINE void vec_store(real *to, vreal v)
{
    *(vreal_memory *)to = (vreal_memory)v;
}

INLINE vint vec_load_ints(const lane_int *from)
{
    return (vint) * (const vuint_memory *)from;
}

INLINE void vec_store_ints(lane_int *to, vint v)
{
    *(vuint_memory *)to = (vuint_memory)v;
}

INLINE vuint vec_load_uints(const lane_uint *from)
{
    return (vuint) * (const vuint_memory *)from;
}

INLINE void vec_store_uints(lane_uint *to, vuint v)
{
    *(vuint_memory *)to = (vuint_memory)v;
}

INLINE void vec_store_words(uint32_t *to, vwords v)
{
    *(vwords_memory *)to = (vwords_memory)v;
}

INLINE vwide vec_load_wide(const uint64_t *from)
{
    return (vwide) * (const vwide_memory *)from;
}

/* Bytes, each as a lane of 0 .. 255. */
INLINE vint vec_load_bytes(const uint8_t *from)
{
#if VEC_LANES == 16
    return (vint)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)from));
#elif VEC_LANES == 8 && CORE_REAL == 32
    return (vint)_mm256_cvtepu8_epi32(_mm_loadu_si64(from));
#elif VEC_LANES == 8
    return (vint)_mm512_cvtepu8_epi64(_mm_loadu_si64(from));
#elif VEC_LANES == 4
    return (vint){from[0], from[1], from[2], from[3]};
#else
    return (vint){from[0], from[1]};
#endif
}

/* x in every lane. (x - 0 keeps every x; x + 0 would make +0 of -0, and an addition of it.) */
INLINE vreal vec_splat(real x)
{
    return x - (vreal){0};
}

INLINE vint vec_splat_int(lane_int x)
{
    return x - (vint){0};
}

INLINE vwide vec_splat_wide(uint64_t x)
{
    return x - (vwide){0};
}

/* The same number in every lane of a group. */
INLINE void lanes_fill(vreal lanes[VECS], real x)
{
    FOR_VECS (q)
        lanes[q] = vec_splat(x);
}

/* 0, 1, 2, ... */
INLINE vint vec_iota(void)
{
    vint iota = {0};
    for (int i = 0; i < VEC_LANES; i++)
        iota[i] = i;
    return iota;
}

/* a where the mask is set, else b. */
INLINE vreal vec_select(vint mask, vreal a, vreal b)
{
#if VEC_BYTES == 32
    return X86(blendv)(b, a, (vreal)mask);
#else
    return (vreal)(((vint)a & mask) | ((vint)b & ~mask));
#endif
}

/* a where the mask is set, else +0. */
INLINE vreal vec_keep(vint mask, vreal a)
{
    return (vreal)((vint)a & mask);
}

/* x where the mask is set, else -inf: the logit of an impossible class. */
INLINE vreal vec_possible(vint mask, vreal x)
{
    return vec_select(mask, x, vec_splat(-__builtin_inff()));
}

/* The sum of all lanes of integers. */
INLINE size_t vec_sum_ints(vint v)
{
    size_t sum = 0;
    for (int lane = 0; lane < VEC_LANES; lane++)
        sum += (size_t)v[lane];
    return sum;
}

/* Integers between -2^22 and 2^22 as numbers. */
INLINE vreal vec_of_ints(vint k)
{
#if CORE_REAL == 32
    return __builtin_convertvector(k, vreal);
#else
    const vreal shifter = vec_splat(0x1.8p52); /* whose last bits are then k; AVX2 converts no 64-bit integers */
    return (vreal)((vint)shifter + k) - shifter;
#endif
}

/* The greater of a and b. Which one of +0 and -0, or of a NaN and a number, differs between targets: callers
 * exclude NaN and add +0 to what comes out at the end. */
INLINE vreal vec_max(vreal a, vreal b)
{
#if defined(__x86_64__)
    return X86(max)(a, b);
#else
    return (vreal)NEON(vmax)((NEON_VECTOR)a, (NEON_VECTOR)b);
#endif
}

/* The mask as bits: bit l is set where lane l is. To walk over them: for (; bits != 0; bits &= bits - 1), the lowest
 * being __builtin_ctz(bits). */
INLINE uint32_t vec_bits(vint mask)
{
#if VEC_BYTES == 64 && CORE_REAL == 32
    return _mm512_movepi32_mask((__m512i)mask);
#elif VEC_BYTES == 64
    return _mm512_movepi64_mask((__m512i)mask);
#elif defined(__x86_64__)
    return (uint32_t)X86(movemask)((vreal)mask);
#elif CORE_REAL == 32
    return vaddvq_u32((uint32x4_t)(mask & (vint){1, 2, 4, 8}));
#else
    return (uint32_t)vaddvq_u64((uint64x2_t)(mask & (vint){1, 2}));
#endif
}

/* Whether the mask is set in any lane. */
INLINE bool vec_any(vint mask)
{
#if defined(__x86_64__)
    return vec_bits(mask) != 0;
#else
    return vmaxvq_u32((uint32x4_t)mask) != 0;
#endif
}

/* The numbers where the mask is set, `otherwise` elsewhere. Memory where it is not set is not touched. */
INLINE vreal vec_load_masked(const real *from, vint mask, vreal otherwise)
{
#if VEC_BYTES == 64
    return X86(mask_loadu)(otherwise, vec_bits(mask), from);
#elif VEC_BYTES == 32
    return vec_select(mask, X86(maskload)(from, (__m256i)mask), otherwise);
#else
    for (int lane = 0; lane < VEC_LANES; lane++)
        if (mask[lane])
            otherwise[lane] = from[lane];
    return otherwise;
#endif
}

/* (a mod 2^32) * c in each 64-bit lane. gcc 12 makes slow code of the plain 64-bit multiplication. */
INLINE vwide vec_multiply_low(vwide a, uint32_t c)
{
#if VEC_BYTES == 64
    return (vwide)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64((long long)c));
#elif VEC_BYTES == 32
    return (vwide)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x((long long)c));
#elif defined(__x86_64__)
    return (vwide)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x((long long)c));
#else
    return (vwide)vmull_u32(vmovn_u64((uint64x2_t)a), vdup_n_u32(c));
#endif
}

/* a * b + c, rounded once. Compilers may not fuse by themselves here (-ffp-contract=off). */
#if defined(__x86_64__) && VEC_BYTES == 16 && CORE_REAL == 32
#include "simd/fma_sse2.h"
#elif defined(__x86_64__) && VEC_BYTES == 16
#include "simd/fma_sse2_f64.h"
#endif

INLINE vreal vec_fma(vreal a, vreal b, vreal c)
{
#if defined(__x86_64__) && VEC_BYTES == 16
    return fma_sse2(a, b, c);
#elif defined(__x86_64__)
    return X86(fmadd)(a, b, c);
#else
    return (vreal)NEON(vfma)((NEON_VECTOR)c, (NEON_VECTOR)a, (NEON_VECTOR)b);
#endif
}

/* Four numbers, on every target. */
typedef real vfour __attribute__((vector_size(4 * sizeof(real))));
typedef lane_int vfour_int __attribute__((vector_size(4 * sizeof(real))));

INLINE vfour four_load(const real *from)
{
    vfour v;
    memcpy(&v, from, sizeof(v));
    return v;
}

INLINE void four_store(real *to, vfour v)
{
    memcpy(to, &v, sizeof(v));
}

/* The sum of 16 lanes in one order on all targets: +8, +4, +2, +1. */
INLINE real lanes_sum(const vreal lanes[VECS])
{
    real d[LANES] __attribute__((aligned(64)));
    FOR_VECS (q)
        vec_store(d + q * VEC_LANES, lanes[q]);
    vfour s = (four_load(d) + four_load(d + 8)) + (four_load(d + 4) + four_load(d + 12));
    return (s[0] + s[2]) + (s[1] + s[3]);
}

INLINE vfour four_max(vfour a, vfour b)
{
    vfour_int greater = a > b;
    return (vfour)(((vfour_int)a & greater) | ((vfour_int)b & ~greater));
}

/* The greatest lane, +0 for -0; not for NaN. No branches: they would be unpredictable. */
INLINE real vec_max_lane(vreal v)
{
#if VEC_LANES == 2
    return (v[0] > v[1] ? v[0] : v[1]) + 0.0f;
#else
    real d[VEC_LANES] __attribute__((aligned(64)));
    vec_store(d, v);
    vfour m = four_load(d);
    for (int i = 4; i < VEC_LANES; i += 4)
        m = four_max(m, four_load(d + i));
    m = four_max(m, __builtin_shufflevector(m, m, 2, 3, 0, 1));
    m = four_max(m, __builtin_shufflevector(m, m, 1, 0, 3, 2));
    return m[0] + 0.0f;
#endif
}

/* The same of a group of lanes. */
INLINE real lanes_max(const vreal lanes[VECS])
{
    vreal max = lanes[0];
    for (int q = 1; q < VECS; q++)
        max = vec_max(lanes[q], max);
    return vec_max_lane(max);
}

#endif
