/* The Gumbel-max rule as a race: the class of the greatest z = d - log E, E ~ Exp(1), wins with the probability
 * softmax(d). (E exp(-d) is the time of arrival of a Poisson process of rate exp(d), and the first to arrive wins.) */
#ifndef CORE_SAMPLING_RACE_H
#define CORE_SAMPLING_RACE_H

#include "random/noise.h"

/* How many columns noise is made for at a time: it stays in the first-level cache between its steps. */
#define RACE_CHUNK 256

/* The contestants. Column j is class j, or class list[j] where there is a list, which ascends; d = (x - max) * scale.
 */
struct race {
    const real *x;
    const uint32_t *list; /* NULL, or of `columns` classes */
    size_t whole;         /* columns to be read from x, a multiple of LANES */
    size_t columns;       /* all columns, a multiple of LANES: those after `whole` are in the tail */
    const real *tail;     /* LANES columns, filled up with -inf; NULL if columns == whole */
    real max, scale;
};

INLINE size_t race_class(const struct race *race, size_t column)
{
    return race->list != NULL ? race->list[column] : column;
}

/* Of PHILOX_BLOCKS classes: word class % 4 of block class / 4, in the low half. */
INLINE void words_of_classes(uint64_t words[PHILOX_BLOCKS], const uint32_t *classes, const struct noise_source *source,
                             uint32_t tag)
{
    uint64_t block[PHILOX_BLOCKS], made[4][PHILOX_BLOCKS];
    for (size_t l = 0; l < PHILOX_BLOCKS; l++)
        block[l] = classes[l] / 4;
    struct philox_blocks random = noise_counter(vec_load_wide(block), source, tag);
    philox(&random, 1);
    memcpy(made, random.word, sizeof(made));
    for (size_t l = 0; l < PHILOX_BLOCKS; l++)
        words[l] = (uint32_t)made[classes[l] % 4][l];
}

/* The integers of single classes, as noise_random makes them. */
INLINE void noise_random_of(lane_uint *random, const uint32_t *classes, size_t count, const struct noise_source *source)
{
    for (size_t i = 0; i < count; i += PHILOX_BLOCKS) {
        uint64_t words[PHILOX_BLOCKS], low[PHILOX_BLOCKS];
        words_of_classes(words, classes + i, source, source->tag);
        if (CORE_REAL == 64)
            words_of_classes(low, classes + i, source, source->tag + LOW_WORDS_TAG);
        for (size_t l = 0; l < PHILOX_BLOCKS; l++)
            random[i + l] = (lane_uint)(CORE_REAL == 64 ? words[l] << 32 | low[l] : words[l]);
    }
}

/* The integers of columns at .. at + count - 1; `random` has room for NOISE_ROUNDED(count). */
INLINE void race_random(const struct race *race, const struct noise_source *source, size_t at, size_t count,
                        lane_uint *random)
{
    if (race->list != NULL)
        noise_random_of(random, race->list + at, count, source);
    else
        noise_random(random, at / 4, count, source);
}

/* z = d - z, where z holds log E. */
INLINE void race_perturb(const struct race *race, const real *x, real *z, size_t count, vreal maxima[VECS])
{
    for (size_t j = 0; j < count; j += LANES)
        FOR_VECS (q) {
            size_t i = j + (size_t)q * VEC_LANES;
            vreal v = (vec_load(x + i) - race->max) * race->scale - vec_load(z + i);
            vec_store(z + i, v);
            maxima[q] = vec_max(v, maxima[q]);
        }
}

/* z of columns at .. at + count - 1, at most RACE_CHUNK; returns its maximum, +0 for -0. */
static real race_chunk(const struct race *race, const struct noise_source *source, size_t at, size_t count, real *z)
{
    lane_uint random[NOISE_ROUNDED(RACE_CHUNK)] __attribute__((aligned(64)));
    vreal maxima[VECS];
    size_t whole = race->whole - at < count ? race->whole - at : count;
    if (race->list != NULL) {
        race_random(race, source, at, count, random);
        noise_exponentials(random, z, count);
    } else {
        noise_of_classes(z, random, at, count, source);
    }
    noise_logarithms(z, z, count);
    lanes_fill(maxima, -__builtin_inff());
    race_perturb(race, race->x + at, z, whole, maxima);
    if (whole < count)
        race_perturb(race, race->tail, z + whole, LANES, maxima);
    return lanes_max(maxima);
}

INLINE size_t first_equal(const real *z, real value)
{
    size_t i = 0;
    while (z[i] != value)
        i++;
    return i;
}

INLINE size_t race_chunk_size(const struct race *race, size_t at)
{
    return race->columns - at < RACE_CHUNK ? race->columns - at : RACE_CHUNK;
}

/* The first maximum of z so far. */
struct winner {
    size_t column;
    real score;
};

static struct winner race_all(const struct race *race, const struct noise_source *source)
{
    real z[RACE_CHUNK] __attribute__((aligned(64)));
    struct winner winner = {0, -__builtin_inff()};
    for (size_t at = 0; at < race->columns; at += RACE_CHUNK) {
        real max = race_chunk(race, source, at, race_chunk_size(race, at), z);
        if (max > winner.score)
            winner = (struct winner){at + first_equal(z, max), max};
    }
    return winner;
}

/* ---- The pruned race: the same winner, with few logarithms -------------------------------------------------------
 *
 * An integer u of n bits gives E >= (u + 1/2) / 2^n > h / 2^(n-1), h = floor(u / 2). And log2 h is at least what h's
 * exponent and mantissa make as one number with a binary point between them, by less than 0.09. So z is at most
 *
 *   bound = d - ln 2 (that number - (n - 1)) + PRUNE_SLACK
 *
 * which takes no logarithm; the slack is above what all the roundings amount to, 1e-5. E and z are computed only for
 * the group with the greatest bound, and then for those whose bound reaches the greatest z so far. */
#define PRUNE_SLACK 3e-5f
#define PRUNE_CHUNK 1024

/* The bounds are of v1's integers. With fewer columns they take longer than they save. */
#define PRUNE_COLUMNS 128

/* An upper bound of -log E. */
#if CORE_REAL == 32
INLINE vreal noise_bound(vuint u)
{
    vint bits = (vint) __builtin_convertvector((vint)(u >> 1), vreal) - ((127 + 31) << 23);
    return PRUNE_SLACK - __builtin_convertvector(bits, vreal) * (LN2_HIGH * 0x1p-23f);
}
#else
/* From the upper 53 bits of u: half of their number is a mantissa, and so is the bound, with 41 bits after the point.
 */
INLINE vreal noise_bound(vuint u)
{
    vreal half = (vreal)(u >> 12 | 0x4330000000000000u) - 0x1p52;
    vreal number = (vreal)((vuint)half >> 11 | 0x4330000000000000u) - (0x1p52 + (1023 + 52) * 0x1p41);
    return PRUNE_SLACK - number * (LN2_HIGH * 0x1p-41);
}
#endif

/* LANES columns. */
INLINE const real *race_columns(const struct race *race, size_t at)
{
    return at < race->whole ? race->x + at : race->tail;
}

/* The bounds of columns at .. at + count - 1; returns the greatest. */
static real race_bounds(const struct race *race, size_t at, size_t count, const lane_uint *random, real *bounds)
{
    vreal maxima[VECS];
    lanes_fill(maxima, -__builtin_inff());
    for (size_t j = 0; j < count; j += LANES)
        FOR_VECS (q) {
            vreal x = vec_load(race_columns(race, at + j) + q * VEC_LANES);
            vreal v = (x - race->max) * race->scale + noise_bound(vec_load_uints(random + j + q * VEC_LANES));
            vec_store(bounds + j + q * VEC_LANES, v);
            maxima[q] = vec_max(v, maxima[q]);
        }
    return lanes_max(maxima);
}

INLINE bool group_reaches(const real *bounds, real value)
{
    vint reaches = vec_splat_int(0);
    FOR_VECS (q)
        reaches |= vec_load(bounds + q * VEC_LANES) >= value;
    return vec_any(reaches);
}

/* Computes z of columns at .. at + LANES - 1; *winner becomes the first maximum of these and of itself. */
static void race_group(const struct race *race, size_t at, const lane_uint *random, struct winner *winner)
{
    real z[LANES] __attribute__((aligned(64)));
    vreal maxima[VECS];
    noise_exponentials(random, z, LANES);
    noise_logarithms(z, z, LANES);
    lanes_fill(maxima, -__builtin_inff());
    race_perturb(race, race_columns(race, at), z, LANES, maxima);
    real max = lanes_max(maxima);
    if (max > winner->score || (max == winner->score && at < winner->column))
        *winner = (struct winner){at + first_equal(z, max), max};
}

static struct winner race_pruned(const struct race *race, const struct noise_source *source)
{
    lane_uint random[NOISE_ROUNDED(PRUNE_CHUNK)] __attribute__((aligned(64)));
    real bounds[PRUNE_CHUNK] __attribute__((aligned(64)));
    struct winner winner = {0, -__builtin_inff()};
    for (size_t at = 0; at < race->columns; at += PRUNE_CHUNK) {
        size_t count = race->columns - at < PRUNE_CHUNK ? race->columns - at : PRUNE_CHUNK, first = 0;
        race_random(race, source, at, count, random);
        real greatest = race_bounds(race, at, count, random, bounds);
        if (greatest <= winner.score)
            continue;
        while (!group_reaches(bounds + first, greatest))
            first += LANES;
        race_group(race, at + first, random + first, &winner);
        for (size_t j = 0; j < count; j += LANES)
            if (j != first && group_reaches(bounds + j, winner.score))
                race_group(race, at + j, random + j, &winner);
    }
    return winner;
}

static struct winner race_winner(const struct race *race, const struct noise_source *source)
{
    return race->columns < PRUNE_COLUMNS || source->stream != NULL ? race_all(race, source) : race_pruned(race, source);
}

#endif
