/* The generators of torch's and JAX's streams from their definitions, word by word: nothing shared with the core. */
#ifndef TESTS_LIB_STREAMS_H
#define TESTS_LIB_STREAMS_H

#include <stddef.h>
#include <stdint.h>

/* Words first .. first + count - 1 of MT19937 (Matsumoto and Nishimura 1998). */
static inline void mersenne_words(uint32_t *words, uint32_t seed, uint64_t first, size_t count)
{
    enum { SIZE = 624, FAR = 397 };
    uint32_t state[SIZE] = {seed};
    for (uint32_t k = 1; k < SIZE; k++)
        state[k] = 1812433253u * (state[k - 1] ^ (state[k - 1] >> 30)) + k;
    for (uint64_t i = 0; i < first + count; i++) {
        const size_t k = i % SIZE;
        uint32_t y = (state[k] & 0x80000000u) | (state[(k + 1) % SIZE] & 0x7fffffffu);
        y = state[k] = state[(k + FAR) % SIZE] ^ (y >> 1) ^ (y % 2 != 0 ? 0x9908b0dfu : 0);
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c5680u;
        y ^= (y << 15) & 0xefc60000u;
        if (i >= first)
            words[i - first] = y ^ (y >> 18);
    }
}

/* The two words of Threefry-2x32-20 (Salmon et al. 2011) of a counter under a key, each with its upper half first. */
static inline void threefry_words(uint32_t x[2], uint64_t counter, uint64_t key)
{
    static const int rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
    const uint32_t k0 = (uint32_t)(key >> 32), k1 = (uint32_t)key, keys[3] = {k0, k1, k0 ^ k1 ^ 0x1bd11bdau};
    x[0] = (uint32_t)(counter >> 32) + keys[0];
    x[1] = (uint32_t)counter + keys[1];
    for (uint32_t round = 0; round < 20; round++) {
        const int rotation = rotations[round % 8];
        x[0] += x[1];
        x[1] = (x[1] << rotation | x[1] >> (32 - rotation)) ^ x[0];
        if (round % 4 == 3) {
            x[0] += keys[(round / 4 + 1) % 3];
            x[1] += keys[(round / 4 + 2) % 3] + round / 4 + 1;
        }
    }
}

#endif
