/* From random words to the noise of rows: E ~ Exp(1), and log E, whose negative is Gumbel noise. */
#ifndef CORE_NOISE_H
#define CORE_NOISE_H

#include "exp_log.h"
#include "philox.h"

/* E ~ Exp(1) from random words u, by inverting the distribution from its nearer end:
 *
 *   t = (min(u, ~u) + 1/2) / 2^32, in [2^-33, 1/2]
 *   E = -log1p(-t) for u < 2^31, else -log t
 *
 * so that both tails are resolved to 2^-33. Never 0, never infinite, never decreasing in u (checked over all
 * words); error below 3.3 ulp, mostly that of rounding 1 - t. */
INLINE vfloat vec_exponential(vuint u)
{
    vint upper = (vint)u >> 31; /* all ones for u >= 2^31 */
    vfloat nearer = __builtin_convertvector((vint)u ^ upper, vfloat);
    vfloat t = vec_fma(nearer, vec_splat(0x1p-32f), vec_splat(0x1p-33f));
    struct mantissa x = vec_mantissa(vec_select(upper, t, 1.0f - t));
    /* k = 0 means 1 - t >= 2/3, since t itself is at most 1/2: there -t is f without the rounding of 1 - t. */
    x.f = vec_select(x.k == 0, -t, x.f);
    return -vec_log_of(x);
}

/* Of several vectors at a time: one alone would wait for each of its steps. */
INLINE void exponential_vectors(const uint32_t *words, float *to, int vectors)
{
    vfloat e[4];
    for (int i = 0; i < vectors; i++)
        e[i] = vec_exponential(vec_load_words(words + i * VEC_LANES));
    for (int i = 0; i < vectors; i++)
        vec_store(to + i * VEC_LANES, e[i]);
}

INLINE void exponentials(const uint32_t *words, float *to, size_t count) /* a multiple of LANES */
{
    size_t i = 0;
    for (; i + 4 * VEC_LANES <= count; i += 4 * VEC_LANES)
        exponential_vectors(words + i, to + i, 4);
    for (; i < count; i += VEC_LANES)
        exponential_vectors(words + i, to + i, 1);
}

INLINE void logarithm_vectors(const float *from, float *to, int vectors)
{
    vfloat e[4];
    for (int i = 0; i < vectors; i++)
        e[i] = vec_log(vec_load(from + i * VEC_LANES));
    for (int i = 0; i < vectors; i++)
        vec_store(to + i * VEC_LANES, e[i]);
}

INLINE void logarithms(const float *from, float *to, size_t count) /* a multiple of LANES */
{
    size_t i = 0;
    for (; i + 4 * VEC_LANES <= count; i += 4 * VEC_LANES)
        logarithm_vectors(from + i, to + i, 4);
    for (; i < count; i += VEC_LANES)
        logarithm_vectors(from + i, to + i, 1);
}

/* Everything that the noise of one row depends on, but the class. */
struct noise_source {
    uint64_t seed;
    uint32_t row, draw, tag;
};

/* How many words noise_words makes for `count`: it works in whole vectors. */
#define NOISE_STEP (4 * PHILOX_BLOCKS)
#define NOISE_ROUNDED(count) (((count) + NOISE_STEP - 1) / NOISE_STEP * NOISE_STEP)

/* words[i] is word i % 4 of the block first_block + i / 4. Writes NOISE_ROUNDED(count) words. */
INLINE void noise_words(uint32_t *words, uint64_t first_block, size_t count, const struct noise_source *source)
{
    struct philox_keys key = philox_key(source->seed);
    struct philox_blocks counter = {{philox_iota() + first_block, vec_splat_wide(source->row),
                                     vec_splat_wide(source->draw), vec_splat_wide(source->tag)}};
    for (size_t i = 0; i < count; i += NOISE_STEP) {
        philox_store(words + i, philox(counter, key));
        counter.word[0] += PHILOX_BLOCKS;
    }
}

#endif
