/* JAX's stream: Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2,
 * 3; SC 2011), one counter for each element, as jax.random has it since its keys are "partitionable". */
#ifndef CORE_RANDOM_THREEFRY_H
#define CORE_RANDOM_THREEFRY_H

#include "math/exp_log.h"
#include "random/stream.h"
#include "random/words.h"

/* How many vectors of counters go through each step together: a single one would wait for the step before. */
#define THREEFRY_TOGETHER 4

/* The elements whose words are made together. */
#define THREEFRY_STEP (THREEFRY_TOGETHER * WORD_LANES)

struct threefry {
    vwords x[2];
};

INLINE void threefry_rounds(struct threefry *blocks, const int rotations[4])
{
#pragma GCC unroll 4
    for (int round = 0; round < 4; round++)
#pragma GCC unroll 4
        for (int i = 0; i < THREEFRY_TOGETHER; i++) {
            vwords *x = blocks[i].x;
            x[0] += x[1];
            x[1] = words_rotate(x[1], rotations[round]) ^ x[0];
        }
}

/* Counters become random words under a key. */
INLINE void threefry(struct threefry *blocks, const uint32_t key[2])
{
    static const int rotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
    const uint32_t keys[3] = {key[0], key[1], key[0] ^ key[1] ^ 0x1BD11BDA};
    for (int i = 0; i < THREEFRY_TOGETHER; i++) {
        blocks[i].x[0] += keys[0];
        blocks[i].x[1] += keys[1];
    }
#pragma GCC unroll 5
    for (uint32_t group = 0; group < 5; group++) {
        threefry_rounds(blocks, rotations[group % 2]);
        for (int i = 0; i < THREEFRY_TOGETHER; i++) {
            blocks[i].x[0] += keys[(group + 1) % 3];
            blocks[i].x[1] += keys[(group + 2) % 3] + group + 1;
        }
    }
}

/* The counters of elements first, first + 1, ..., whose upper words are all the same. */
INLINE void threefry_near_counters(struct threefry *blocks, uint64_t first)
{
    vwords lower = {0};
    for (int i = 0; i < WORD_LANES; i++)
        lower[i] = (uint32_t)i;
    lower += (uint32_t)first;
    for (int i = 0; i < THREEFRY_TOGETHER; i++) {
        blocks[i].x[0] = (vwords){0} + (uint32_t)(first >> 32);
        blocks[i].x[1] = lower + (uint32_t)(i * WORD_LANES);
    }
}

INLINE void threefry_counters(struct threefry *blocks, uint64_t first, uint64_t step)
{
    uint32_t words[2][THREEFRY_STEP] __attribute__((aligned(64)));
    if (step == 1 && (uint32_t)first <= UINT32_MAX - THREEFRY_STEP) {
        threefry_near_counters(blocks, first);
        return;
    }
    for (uint64_t i = 0; i < THREEFRY_STEP; i++) {
        const uint64_t element = first + i * step;
        words[0][i] = (uint32_t)(element >> 32);
        words[1][i] = (uint32_t)element;
    }
    for (int i = 0; i < THREEFRY_TOGETHER; i++)
        for (int w = 0; w < 2; w++)
            blocks[i].x[w] = words_load(words[w] + i * WORD_LANES);
}

/* Of each element: the exclusive or of its words for a float, for a double one beside the other. */
INLINE void threefry_bits(lane_uint bits[THREEFRY_STEP], const struct threefry *blocks)
{
#if CORE_REAL == 32
    for (int i = 0; i < THREEFRY_TOGETHER; i++)
        vec_store_words(bits + i * WORD_LANES, blocks[i].x[0] ^ blocks[i].x[1]);
#else
    uint32_t words[2][THREEFRY_STEP] __attribute__((aligned(64)));
    for (int i = 0; i < THREEFRY_TOGETHER; i++)
        for (int w = 0; w < 2; w++)
            vec_store_words(words[w] + i * WORD_LANES, blocks[i].x[w]);
    for (size_t i = 0; i < THREEFRY_STEP; i++)
        bits[i] = (uint64_t)words[0][i] << 32 | words[1][i];
#endif
}

/* E = -log u, u the bits as a mantissa in [1, 2), less 1, but at least the smallest normal number: jax.random.uniform
 * with this minval, of which (1 - minval) is 1 as rounded. */
INLINE vreal jax_exponential(vuint bits)
{
    const vuint one = (vuint)vec_splat(1.0f);
    vreal u = (vreal)(bits >> (CORE_REAL - MANTISSA_BITS) | one) - 1.0f + REAL_MIN;
    return 0.0f - vec_log(u);
}

static void jax_stream(real *e, const struct stream_place *place, size_t count)
{
    const uint32_t key[2] = {(uint32_t)(place->seed >> 32), (uint32_t)place->seed};
    struct threefry blocks[THREEFRY_TOGETHER];
    lane_uint bits[THREEFRY_STEP] __attribute__((aligned(64)));
    for (size_t at = 0; at < count; at += THREEFRY_STEP) {
        const size_t left = count - at < THREEFRY_STEP ? count - at : THREEFRY_STEP;
        threefry_counters(blocks, place->first + at * place->step, place->step);
        threefry(blocks, key);
        threefry_bits(bits, blocks);
        for (size_t i = 0; i < left; i += VEC_LANES)
            vec_store(e + at + i, jax_exponential(vec_load_uints(bits + i)));
    }
}

#endif
