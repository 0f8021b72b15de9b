/* Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw (Parallel random numbers: as easy as
 * 1, 2, 3; SC 2011): ten rounds turn a counter of four words, under a key of two, into four random words. */
#ifndef CORE_RANDOM_PHILOX_H
#define CORE_RANDOM_PHILOX_H

#include "simd/vec.h"

/* As many counters at a time as there are 64-bit lanes. A word is the low half of its lane; the high half holds rests
 * of products, which never reach a low half. */
#define PHILOX_BLOCKS (VEC_BYTES / 8)

struct philox_blocks {
    vwide word[4], key[2];
};

INLINE void philox_round(struct philox_blocks *blocks)
{
    vwide *c = blocks->word, *k = blocks->key;
    vwide p0 = vec_multiply_low(c[0], 0xD2511F53), p2 = vec_multiply_low(c[2], 0xCD9E8D57);
    c[0] = (p2 >> 32) ^ c[1] ^ k[0];
    c[2] = (p0 >> 32) ^ c[3] ^ k[1];
    c[1] = p2;
    c[3] = p0;
    k[0] += 0x9E3779B9;
    k[1] += 0xBB67AE85;
}

/* How many vectors of counters go through each step together: a single one would wait for the step before. */
#define PHILOX_TOGETHER (VEC_BYTES == 64 ? 4 : 2)

/* Counters become random words, up to PHILOX_TOGETHER vectors of them. */
INLINE void philox(struct philox_blocks *blocks, int count)
{
#pragma GCC unroll 10
    for (int round = 0; round < 10; round++)
#pragma GCC unroll 4
        for (int i = 0; i < count; i++)
            philox_round(&blocks[i]);
}

/* 0, 1, 2, ... in the 64-bit lanes. */
INLINE vwide philox_iota(void)
{
    vwide iota = {0};
    for (int i = 0; i < PHILOX_BLOCKS; i++)
        iota[i] = (uint64_t)i;
    return iota;
}

/* The lanes of a and b alternating: those of their first halves, or of their second. */
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

/* The low halves of `low`, with those of `high` above them. */
INLINE vwide wide_join(vwide low, vwide high)
{
    return (low & 0xffffffff) | (high << 32);
}

/* Words 4 i .. 4 i + 3 of the result are the four words of block i: 4 * PHILOX_BLOCKS words. */
INLINE void philox_store(uint32_t *to, struct philox_blocks blocks)
{
    const vwide *w = blocks.word;
    vwide first = wide_join(w[0], w[1]), last = wide_join(w[2], w[3]);
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
