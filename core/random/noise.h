/* From random words to the noise of rows: E ~ Exp(1), and log E, whose negative is Gumbel noise. */
#ifndef CORE_RANDOM_NOISE_H
#define CORE_RANDOM_NOISE_H

#include "math/exp_log.h"
#include "random/philox.h"
#include "random/stream.h"

/* The random integer of a class has 32 bits for a float, a word of Philox. For a double it has 64, of which the first
 * 53 count: below that word is the same one under another tag. So t, below, is the same in both precisions to 2^-33,
 * and E and log E are the same up to their last bits where t is not small: g, high, differs by up to about 2^-33
 * exp(g). */
#if CORE_REAL == 32
#define RANDOM_BITS 32
#else
#define RANDOM_BITS 53
#endif

/* The tag of the lower words is that of the upper ones plus this. */
#define LOW_WORDS_TAG 2

#if CORE_REAL == 32
/* min(u, ~u), rounded to float. */
INLINE vreal random_nearer_end(vuint u, vint upper)
{
    return __builtin_convertvector((vint)u ^ upper, vreal);
}
#else
/* min(u, ~u) of the first 53 bits, exactly: below 2^52 an integer is a mantissa. */
INLINE vreal random_nearer_end(vuint u, vint upper)
{
    vuint nearer = ((u ^ (vuint)upper) >> 11) | 0x4330000000000000u;
    return (vreal)nearer - 0x1p52;
}
#endif

/* E ~ Exp(1) from random integers u of n = RANDOM_BITS bits, by inverting the distribution from its nearer end:
 *
 *   t = (min(u, ~u) + 1/2) / 2^n, in [2^-(n+1), 1/2]
 *   E = -log1p(-t) for u < 2^(n-1), else -log t
 *
 * so that both tails are resolved to 2^-(n+1). Never 0, never infinite, never decreasing in u (checked over all words
 * of 32 bits); error below 3.3 ulp, mostly that of rounding 1 - t. */
INLINE vreal vec_exponential(vuint u)
{
    const real unit = RANDOM_BITS == 32 ? 0x1p-32 : 0x1p-53;
    vint upper = (vint)u >> (CORE_REAL - 1); /* all ones for u >= 2^(n-1) */
    vreal t = vec_fma(random_nearer_end(u, upper), vec_splat(unit), vec_splat(unit / 2));
    struct mantissa x = vec_mantissa(vec_select(upper, t, 1.0f - t));
    /* Where k = 0, t is 1 - m without the rounding of 1 - t: t itself is at most 1/2, 1 - t at least 1/2. Otherwise
     * k < 0. */
    vreal f = vec_select(x.k >> (CORE_REAL - 1), 1.0f - x.m, t);
    return log_reduced(f, vec_of_ints(x.k), -1);
}

/* How many vectors go through each step together: a single one would wait for the step before. */
#define NOISE_VECTORS 4

/* E of random integers' bits, or log E of E. */
INLINE void noise_vectors(const real *from, real *to, int vectors, bool logarithm)
{
    vreal e[NOISE_VECTORS];
    for (int i = 0; i < vectors; i++) {
        const vreal x = vec_load(from + i * VEC_LANES);
        e[i] = logarithm ? vec_log(x) : vec_exponential((vuint)x);
    }
    for (int i = 0; i < vectors; i++)
        vec_store(to + i * VEC_LANES, e[i]);
}

INLINE void noise_array(const real *from, real *to, size_t count, bool logarithm)
{
    size_t i = 0;
    for (; i + NOISE_VECTORS * VEC_LANES <= count; i += NOISE_VECTORS * VEC_LANES)
        noise_vectors(from + i, to + i, NOISE_VECTORS, logarithm);
    for (; i < count; i += VEC_LANES)
        noise_vectors(from + i, to + i, 1, logarithm);
}

/* E of random integers; `count` is a multiple of LANES. */
INLINE void noise_exponentials(const lane_uint *random, real *e, size_t count)
{
    noise_array((const real *)(const void *)random, e, count, false);
}

/* log E, which may take the place of E; `count` is a multiple of LANES. */
INLINE void noise_logarithms(const real *e, real *log_e, size_t count)
{
    noise_array(e, log_e, count, true);
}

/* What the noise of a row depends on, apart from the class. */
struct noise_source {
    uint64_t seed;
    uint32_t row, draw, tag;
    const struct core_noise *stream; /* NULL for v1; otherwise E is that of elements from `first` on, `step` apart */
    uint64_t first, step;
};

/* How many integers a step makes, and how many whole steps make for `count`. */
#define NOISE_STEP (4 * PHILOX_BLOCKS)
#define NOISE_ROUNDED(count) (((count) + NOISE_STEP - 1) / NOISE_STEP * NOISE_STEP)

INLINE struct philox_blocks noise_counter(vwide block, const struct noise_source *source, uint32_t tag)
{
    return (struct philox_blocks){
        {block, vec_splat_wide(source->row), vec_splat_wide(source->draw), vec_splat_wide(tag)},
        {vec_splat_wide((uint32_t)source->seed), vec_splat_wide(source->seed >> 32)},
    };
}

/* The words of `steps` steps; advances the counter past them. */
INLINE void noise_steps(uint32_t *words, struct philox_blocks *counter, int steps)
{
    struct philox_blocks blocks[PHILOX_TOGETHER];
    for (int i = 0; i < steps; i++) {
        blocks[i] = *counter;
        counter->word[0] += PHILOX_BLOCKS;
    }
    philox(blocks, steps);
    for (int i = 0; i < steps; i++)
        philox_store(words + i * NOISE_STEP, blocks[i]);
}

/* words[i] is word i % 4 of the block first_block + i / 4. Writes NOISE_ROUNDED(count) words. */
INLINE void noise_words(uint32_t *words, uint64_t first_block, size_t count, const struct noise_source *source)
{
    const size_t together = PHILOX_TOGETHER * NOISE_STEP;
    struct philox_blocks counter = noise_counter(philox_iota() + first_block, source, source->tag);
    size_t i = 0;
    for (; i + together <= count; i += together)
        noise_steps(words + i, &counter, PHILOX_TOGETHER);
    for (; i < count; i += NOISE_STEP)
        noise_steps(words + i, &counter, 1);
}

#if CORE_REAL == 32

/* random[i] is the integer of class 4 first_block + i. Writes NOISE_ROUNDED(count) of them. */
INLINE void noise_random(lane_uint *random, uint64_t first_block, size_t count, const struct noise_source *source)
{
    noise_words(random, first_block, count, source);
}

/* random[i], i < 4, are the integers of the classes 4 block + i in each lane, under its own key and row. */
INLINE void noise_random_lanes(vuint random[4], uint64_t block, const uint64_t *const key[2], const uint64_t *row,
                               uint32_t draw, uint32_t tag)
{
    struct philox_blocks words[2];
    for (size_t half = 0; half < 2; half++) {
        size_t at = half * PHILOX_BLOCKS;
        words[half] = (struct philox_blocks){
            {vec_splat_wide(block), vec_load_wide(row + at), vec_splat_wide(draw), vec_splat_wide(tag)},
            {vec_load_wide(key[0] + at), vec_load_wide(key[1] + at)},
        };
    }
    philox(words, 2);
    for (size_t i = 0; i < 4; i++)
        random[i] = wide_low_halves(words[0].word[i], words[1].word[i]);
}

#else

INLINE vuint random_of_words(vwide high, vwide low)
{
    return high << 32 | (low & 0xffffffff);
}

INLINE void noise_random(lane_uint *random, uint64_t first_block, size_t count, const struct noise_source *source)
{
    struct philox_blocks counter[2], words[2];
    for (uint32_t i = 0; i < 2; i++)
        counter[i] = noise_counter(philox_iota() + first_block, source, source->tag + i * LOW_WORDS_TAG);
    for (size_t i = 0; i < count; i += NOISE_STEP) {
        memcpy(words, counter, sizeof(words));
        philox(words, 2);
        vuint u[4];
        for (size_t w = 0; w < 4; w++)
            u[w] = random_of_words(words[0].word[w], words[1].word[w]);
        wide_transpose(random + i, u);
        counter[0].word[0] += PHILOX_BLOCKS;
        counter[1].word[0] += PHILOX_BLOCKS;
    }
}

INLINE void noise_random_lanes(vuint random[4], uint64_t block, const uint64_t *const key[2], const uint64_t *row,
                               uint32_t draw, uint32_t tag)
{
    struct philox_blocks words[2];
    for (uint32_t i = 0; i < 2; i++)
        words[i] = (struct philox_blocks){
            {vec_splat_wide(block), vec_load_wide(row), vec_splat_wide(draw), vec_splat_wide(tag + i * LOW_WORDS_TAG)},
            {vec_load_wide(key[0]), vec_load_wide(key[1])},
        };
    philox(words, 2);
    for (size_t i = 0; i < 4; i++)
        random[i] = random_of_words(words[0].word[i], words[1].word[i]);
}

#endif

/* Those of a stream that is not v1. */
static __attribute__((noinline, unused)) void stream_of_classes(real *e, size_t first, size_t count,
                                                                const struct noise_source *source)
{
    const struct stream_place place = {source->stream, source->seed, source->first + first * source->step,
                                       source->step};
    stream_exponentials(e, &place, count);
}

/* E of the classes from `first`, a multiple of 4, on. `count` is a multiple of LANES; `random` has room for
 * NOISE_ROUNDED(count). */
INLINE void noise_of_classes(real *e, lane_uint *random, size_t first, size_t count, const struct noise_source *source)
{
    if (source->stream != NULL) {
        stream_of_classes(e, first, count, source);
        return;
    }
    noise_random(random, first / 4, count, source);
    noise_exponentials(random, e, count);
}

#endif
