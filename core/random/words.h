/* Vectors of 32-bit random words, whatever `real` is. */
#ifndef CORE_RANDOM_WORDS_H
#define CORE_RANDOM_WORDS_H

#include "simd/vec.h"

#define WORD_LANES (VEC_BYTES / 4)

INLINE vwords words_load(const uint32_t *from)
{
    return (vwords) * (const vwords_memory *)from;
}

INLINE vwords words_rotate(vwords x, int bits)
{
    return x << bits | x >> (32 - bits);
}

#endif
