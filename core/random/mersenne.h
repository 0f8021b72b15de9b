/* torch's stream: what torch.Tensor.exponential_ draws on a CPU under torch.manual_seed. Its words are those of
 * MT19937 (M. Matsumoto and T. Nishimura, Mersenne Twister, ACM TOMACS 8, 1998), made here a block of 624 at a time. */
#ifndef CORE_RANDOM_MERSENNE_H
#define CORE_RANDOM_MERSENNE_H

#include "random/log1p.h"
#include "random/stream.h"
#include "random/words.h"

#define MT_FAR 397 /* how far apart the words are that make one */

/* words[k] = far ^ A (the upper bit of `here`, the others of `next`). */
INLINE vwords mt_twist(vwords here, vwords next, vwords far)
{
    vwords y = (here & 0x80000000) | (next & 0x7fffffff);
    return far ^ (y >> 1) ^ (-(y & 1) & 0x9908b0df);
}

INLINE uint32_t mt_twist_one(uint32_t here, uint32_t next, uint32_t far)
{
    uint32_t y = (here & 0x80000000) | (next & 0x7fffffff);
    return far ^ (y >> 1) ^ (-(y & 1) & 0x9908b0df);
}

/* words[0 .. count - 1], each from itself, the next and one of `far`: no vector reaches what it changes itself. */
INLINE void mt_range(uint32_t *words, size_t count, const uint32_t *far)
{
    const size_t whole = count - count % WORD_LANES;
    for (size_t k = 0; k < whole; k += WORD_LANES)
        vec_store_words(words + k, mt_twist(words_load(words + k), words_load(words + k + 1), words_load(far + k)));
    for (size_t k = whole; k < count; k++)
        words[k] = mt_twist_one(words[k], words[k + 1], far[k]);
}

/* The block after this one. */
static void mt_next(uint32_t words[CORE_MT_WORDS])
{
    const size_t near = CORE_MT_WORDS - MT_FAR;
    mt_range(words, near, words + MT_FAR);
    mt_range(words + near, CORE_MT_WORDS - 1 - near, words);
    words[CORE_MT_WORDS - 1] = mt_twist_one(words[CORE_MT_WORDS - 1], words[0], words[MT_FAR - 1]);
}

/* What precedes block 0. */
static void mt_seed(uint32_t words[CORE_MT_WORDS], uint32_t seed)
{
    words[0] = seed;
    for (uint32_t k = 1; k < CORE_MT_WORDS; k++)
        words[k] = 1812433253 * (words[k - 1] ^ words[k - 1] >> 30) + k;
}

/* Puts the cursor before block 0. */
static void mt_rewind(struct core_mt_cursor *at, uint32_t seed)
{
    at->seed = seed;
    at->made = at->first = 0;
    mt_seed(at->words[1], seed);
}

/* Moves the cursor on to the table's last block before `block`, unless it is beyond. */
static void mt_leap(struct core_mt_cursor *at, const struct core_mt_table *table, uint64_t block)
{
    if (table == NULL || block < table->first)
        return;
    const uint64_t entry = (block - table->first) / table->every, nearest = table->first + entry * table->every;
    if (at->made > nearest)
        return;
    memcpy(at->words[nearest % 2], table->blocks[entry], sizeof(at->words[0]));
    at->first = nearest;
    at->made = nearest + 1;
}

/* A block: the table's, one of the last two of the cursor, or made from where the cursor is, or from the start. */
static const uint32_t *mt_block(const struct core_noise *noise, uint32_t seed, uint64_t block)
{
    const struct core_mt_table *table = noise->table;
    struct core_mt_cursor *at = noise->cursor;
    if (table != NULL && table->every == 1) {
        const uint64_t entry = block - table->first;
        return table->blocks[entry < table->count ? entry : table->count - 1];
    }
    if (at->made == 0 || at->seed != seed || block < at->first || block + 2 < at->made)
        mt_rewind(at, seed);
    if (block >= at->made)
        mt_leap(at, table, block);
    for (; at->made <= block; at->made++) {
        memcpy(at->words[at->made % 2], at->words[(at->made + 1) % 2], sizeof(at->words[0]));
        mt_next(at->words[at->made % 2]);
    }
    return at->words[block % 2];
}

INLINE vwords mt_temper(vwords y)
{
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680;
    y ^= y << 15 & 0xefc60000;
    return y ^ y >> 18;
}

#define TORCH_CHUNK 256 /* elements, of two words each */
#define TORCH_PAIRS (CORE_MT_WORDS / 2)

/* The untempered words of elements place->first + (at .. at + count - 1) step. */
static void torch_words(uint32_t words[2 * TORCH_CHUNK], const struct stream_place *place, size_t at, size_t count)
{
    uint64_t element = place->first + at * place->step;
    for (size_t i = 0, together; i < count; i += together, element += together * place->step) {
        const uint32_t *block = mt_block(place->noise, (uint32_t)place->seed, element / TORCH_PAIRS);
        const size_t in_block = element % TORCH_PAIRS, left = TORCH_PAIRS - in_block;
        together = place->step > 1 ? 1 : left < count - i ? left : count - i;
        memcpy(words + 2 * i, block + 2 * in_block, 2 * together * sizeof(words[0]));
    }
}

/* u = the lower 53 bits of a pair of words, the first of which is high, times 2^-53. */
INLINE vdouble torch_uniform(vwide pair)
{
    vwide high = (pair & 0x1fffff) | 0x4330000000000000, low = pair >> 32 | 0x4330000000000000;
    return (((vdouble)high - 0x1p52) * 0x1p32 + ((vdouble)low - 0x1p52)) * 0x1p-53;
}

/* E = -log1p(-u) in double, rounded to `real`; an E of 0, whose logarithm would be infinite, as 2^-54. */
INLINE void torch_exponential(real *e, vwords words)
{
    vdouble v = minus_log1p_minus(torch_uniform((vwide)mt_temper(words)));
    v = double_select(v == 0.0, (vdouble){0} + 0x1p-54, v);
#if CORE_REAL == 64
    vec_store(e, v);
#else
    typedef float half __attribute__((vector_size(VEC_BYTES / 2)));
    half rounded = __builtin_convertvector(v, half);
    memcpy(e, &rounded, sizeof(rounded));
#endif
}

static void torch_stream(real *e, const struct stream_place *place, size_t count)
{
    uint32_t words[2 * TORCH_CHUNK] __attribute__((aligned(64)));
    for (size_t at = 0; at < count; at += TORCH_CHUNK) {
        const size_t left = count - at < TORCH_CHUNK ? count - at : TORCH_CHUNK;
        torch_words(words, place, at, left);
        for (size_t i = 0; i < left; i += WORD_LANES / 2)
            torch_exponential(e + at + i, words_load(words + 2 * i));
    }
}

static void torch_fill(const struct core_mt_table *table, uint64_t seed)
{
    uint32_t words[CORE_MT_WORDS];
    mt_seed(words, (uint32_t)seed);
    for (uint64_t skipped = 0; skipped <= table->first; skipped++)
        mt_next(words);
    for (size_t i = 0; i < table->count; i++) {
        memcpy(table->blocks[i], words, sizeof(words));
        for (size_t k = 0; k < table->every && i + 1 < table->count; k++)
            mt_next(words);
    }
}

#endif
