/* Vectors of floats in the width that the target's registers have.
 *
 * The definition of every result speaks of 16 lanes, whatever the processor: a group of LANES floats is held as
 * an array of VECS native vectors, so that the same loops over `q = 0 .. VECS-1` compile to one AVX-512, two
 * AVX2 or four SSE2 or NEON registers. (One 64-byte vector type for all targets would read better, but gcc 12
 * keeps such values in memory on the narrower targets.)
 *
 * Plain C operators work on these types. A comparison gives a vint of 0 (false) and -1 (true): a mask.
 */
#ifndef CORE_VEC_H
#define CORE_VEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#else
#error "the core knows x86-64 and aarch64"
#endif

#if defined(__AVX512F__)
#define VEC_LANES 16
#elif defined(__AVX2__)
#define VEC_LANES 8
#else
#define VEC_LANES 4
#endif

#define LANES 16
#define VECS (LANES / VEC_LANES)
#define FOR_VECS(q) for (int q = 0; q < VECS; q++)

#define INLINE static inline __attribute__((always_inline))

typedef float vfloat __attribute__((vector_size(4 * VEC_LANES)));
typedef int32_t vint __attribute__((vector_size(4 * VEC_LANES)));
typedef uint32_t vuint __attribute__((vector_size(4 * VEC_LANES))); /* for arithmetic that wraps, and bits */
typedef uint64_t vwide __attribute__((vector_size(4 * VEC_LANES))); /* half as many lanes, of 64 bits */

/* The same at any address and over any type: what memory is seen through. */
typedef float vfloat_memory __attribute__((vector_size(4 * VEC_LANES), aligned(4), may_alias));
typedef uint32_t vuint_memory __attribute__((vector_size(4 * VEC_LANES), aligned(4), may_alias));
typedef uint64_t vwide_memory __attribute__((vector_size(4 * VEC_LANES), aligned(8), may_alias));

INLINE vfloat vec_load(const float *from)
{
    return (vfloat) * (const vfloat_memory *)from;
}

INLINE void vec_store(float *to, vfloat v)
{
    *(vfloat_memory *)to = (vfloat_memory)v;
}

INLINE vuint vec_load_words(const uint32_t *from)
{
    return (vuint) * (const vuint_memory *)from;
}

INLINE void vec_store_words(uint32_t *to, vuint v)
{
    *(vuint_memory *)to = (vuint_memory)v;
}

INLINE vint vec_load_ints(const int32_t *from)
{
    return (vint) * (const vuint_memory *)from;
}

/* Bytes, each as a lane of 0 .. 255. */
INLINE vint vec_load_bytes(const uint8_t *from)
{
#if VEC_LANES == 16
    return (vint)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)from));
#elif VEC_LANES == 8
    return (vint)_mm256_cvtepu8_epi32(_mm_loadu_si64(from));
#else
    return (vint){from[0], from[1], from[2], from[3]};
#endif
}

INLINE vwide vec_load_wide(const uint64_t *from)
{
    return (vwide) * (const vwide_memory *)from;
}

/* x in every lane. (x - 0 keeps every x; x + 0 would make +0 of -0, and an addition of it.) */
INLINE vfloat vec_splat(float x)
{
    return x - (vfloat){0};
}

INLINE vint vec_splat_int(int32_t x)
{
    return x - (vint){0};
}

INLINE vwide vec_splat_wide(uint64_t x)
{
    return x - (vwide){0};
}

/* a where the mask is set, else b. */
INLINE vfloat vec_select(vint mask, vfloat a, vfloat b)
{
    return (vfloat)(((vint)a & mask) | ((vint)b & ~mask));
}

/* a where the mask is set, else +0. */
INLINE vfloat vec_keep(vint mask, vfloat a)
{
    return (vfloat)((vint)a & mask);
}

/* The greater of a and b. Which one of +0 and -0, or of a NaN and a number, differs between targets: callers
 * exclude NaN and add +0 to what comes out at the end. */
INLINE vfloat vec_max(vfloat a, vfloat b)
{
#if VEC_LANES == 16
    return (vfloat)_mm512_max_ps((__m512)a, (__m512)b);
#elif VEC_LANES == 8
    return (vfloat)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__x86_64__)
    return (vfloat)_mm_max_ps((__m128)a, (__m128)b);
#else
    return (vfloat)vmaxq_f32((float32x4_t)a, (float32x4_t)b);
#endif
}

/* The floats where the mask is set, `otherwise` elsewhere. Memory where it is not set is not touched. */
INLINE vfloat vec_load_masked(const float *from, vint mask, vfloat otherwise)
{
#if VEC_LANES == 16
    return (vfloat)_mm512_mask_loadu_ps((__m512)otherwise, _mm512_movepi32_mask((__m512i)mask), from);
#elif VEC_LANES == 8
    return vec_select(mask, (vfloat)_mm256_maskload_ps(from, (__m256i)mask), otherwise);
#else
    for (int lane = 0; lane < VEC_LANES; lane++)
        if (mask[lane])
            otherwise[lane] = from[lane];
    return otherwise;
#endif
}

/* Whether the mask is set in any lane. */
INLINE bool vec_any(vint mask)
{
#if VEC_LANES == 16
    return _mm512_movepi32_mask((__m512i)mask) != 0;
#elif VEC_LANES == 8
    return _mm256_movemask_ps((__m256)mask) != 0;
#elif defined(__x86_64__)
    return _mm_movemask_ps((__m128)mask) != 0;
#else
    return vmaxvq_u32((uint32x4_t)mask) != 0;
#endif
}

/* (a mod 2^32) * c in each 64-bit lane. gcc 12 makes slow code of the plain 64-bit multiplication. */
INLINE vwide vec_multiply_low(vwide a, uint32_t c)
{
#if VEC_LANES == 16
    return (vwide)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64((long long)c));
#elif VEC_LANES == 8
    return (vwide)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x((long long)c));
#elif defined(__x86_64__)
    return (vwide)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x((long long)c));
#else
    return (vwide)vmull_u32(vmovn_u64((uint64x2_t)a), vdup_n_u32(c));
#endif
}

/* a * b + c, rounded once. Compilers may not fuse by themselves here (-ffp-contract=off). */
#if defined(__x86_64__) && VEC_LANES == 4
#include "fma_sse2.h"
#endif

INLINE vfloat vec_fma(vfloat a, vfloat b, vfloat c)
{
#if VEC_LANES == 16
    return (vfloat)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif VEC_LANES == 8
    return (vfloat)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__x86_64__)
    return (vfloat)fma_sse2((__m128)a, (__m128)b, (__m128)c);
#else
    return (vfloat)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#endif
}

typedef float vfour __attribute__((vector_size(16)));
typedef int32_t vint_four __attribute__((vector_size(16)));

INLINE vfour four_load(const float *from)
{
    vfour v;
    memcpy(&v, from, sizeof(v));
    return v;
}

/* The sum of 16 lanes in the one order that all targets share: +8, +4, +2, +1. */
INLINE float lanes_sum(const vfloat lanes[VECS])
{
    float d[LANES] __attribute__((aligned(64)));
    FOR_VECS (q)
        vec_store(d + q * VEC_LANES, lanes[q]);
    vfour s = (four_load(d) + four_load(d + 8)) + (four_load(d + 4) + four_load(d + 12));
    return (s[0] + s[2]) + (s[1] + s[3]);
}

INLINE vfour four_max(vfour a, vfour b)
{
    vint_four greater = a > b;
    return (vfour)(((vint_four)a & greater) | ((vint_four)b & ~greater));
}

/* The greatest lane; no NaN. Zeros of either sign come out as +0. No branches: they would be unpredictable. */
INLINE float vec_max_lane(vfloat v)
{
    float d[VEC_LANES] __attribute__((aligned(64)));
    vec_store(d, v);
    vfour m = four_load(d);
    for (int i = 4; i < VEC_LANES; i += 4)
        m = four_max(m, four_load(d + i));
    m = four_max(m, __builtin_shufflevector(m, m, 2, 3, 0, 1));
    m = four_max(m, __builtin_shufflevector(m, m, 1, 0, 3, 2));
    return m[0] + 0.0f;
}

#endif
