/* Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw (Parallel random numbers: as easy as
 * 1, 2, 3; SC 2011): ten rounds turn a counter of four words, under a key of two, into four random words. */
#ifndef CORE_PHILOX_H
#define CORE_PHILOX_H

#include "vec.h"

/* As many counters at a time as there are 64-bit lanes. A word's value is the low half of its lane; what the high
 * half holds is left over from products, and never gets into a low half. */
#define PHILOX_BLOCKS (VEC_BYTES / 8)

struct philox_blocks {
    vwide word[4];
};

struct philox_keys {
    vwide word[2];
};

INLINE struct philox_keys philox_key(uint64_t seed)
{
    return (struct philox_keys){{vec_splat_wide((uint32_t)seed), vec_splat_wide(seed >> 32)}};
}

INLINE struct philox_blocks philox(struct philox_blocks counter, struct philox_keys key)
{
    vwide c0 = counter.word[0], c1 = counter.word[1], c2 = counter.word[2], c3 = counter.word[3];
    vwide k0 = key.word[0], k1 = key.word[1];
#pragma GCC unroll 10
    for (int round = 0; round < 10; round++) {
        vwide p0 = vec_multiply_low(c0, 0xD2511F53), p2 = vec_multiply_low(c2, 0xCD9E8D57);
        c0 = (p2 >> 32) ^ c1 ^ k0;
        c2 = (p0 >> 32) ^ c3 ^ k1;
        c1 = p2;
        c3 = p0;
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
    return (struct philox_blocks){{c0, c1, c2, c3}};
}

/* 0, 1, 2, ... in the 64-bit lanes. */
INLINE vwide philox_iota(void)
{
    vwide iota = {0};
    for (int i = 0; i < PHILOX_BLOCKS; i++)
        iota[i] = (uint64_t)i;
    return iota;
}

/* The lanes of a and b by turns: those of their first halves, or of their second. */
INLINE vwide wide_zip_first(vwide a, vwide b)
{
#if VEC_BYTES == 64
    return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
#elif VEC_BYTES == 32
    return __builtin_shufflevector(a, b, 0, 4, 1, 5);
#else
    return __builtin_shufflevector(a, b, 0, 2);
#endif
}

INLINE vwide wide_zip_second(vwide a, vwide b)
{
#if VEC_BYTES == 64
    return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#elif VEC_BYTES == 32
    return __builtin_shufflevector(a, b, 2, 6, 3, 7);
#else
    return __builtin_shufflevector(a, b, 1, 3);
#endif
}

/* Words 4 i .. 4 i + 3 of the result are the four words of block i: 4 * PHILOX_BLOCKS words. */
INLINE void philox_store(uint32_t *to, struct philox_blocks blocks)
{
    const vwide *w = blocks.word;
    vwide first = (w[0] & 0xffffffff) | (w[1] << 32), last = (w[2] & 0xffffffff) | (w[3] << 32);
    vec_store_words(to, (vwords)wide_zip_first(first, last));
    vec_store_words(to + 2 * PHILOX_BLOCKS, (vwords)wide_zip_second(first, last));
}

#if CORE_REAL == 32
/* The low halves of the lanes of `low`, then those of `high`. */
INLINE vuint wide_low_halves(vwide low, vwide high)
{
    vuint a = (vuint)low, b = (vuint)high;
#if VEC_BYTES == 64
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
#elif VEC_BYTES == 32
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
#else
    return __builtin_shufflevector(a, b, 0, 2, 4, 6);
#endif
}
#else
/* to[4 i + j] is lane i of v[j]. */
INLINE void wide_transpose(uint64_t *to, const vwide v[4])
{
    vwide even[2] = {wide_zip_first(v[0], v[2]), wide_zip_second(v[0], v[2])};
    vwide odd[2] = {wide_zip_first(v[1], v[3]), wide_zip_second(v[1], v[3])};
    for (size_t i = 0; i < 2; i++) {
        vec_store_uints(to + 2 * i * PHILOX_BLOCKS, wide_zip_first(even[i], odd[i]));
        vec_store_uints(to + (2 * i + 1) * PHILOX_BLOCKS, wide_zip_second(even[i], odd[i]));
    }
}
#endif

#endif
