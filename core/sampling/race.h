/* The Gumbel-max rule as a race: the class of the greatest z = d - log E, E ~ Exp(1), wins with the probability
 * softmax(d). (E exp(-d) is the time of arrival of a Poisson process of rate exp(d), and the first to arrive wins.) */
#ifndef CORE_SAMPLING_RACE_H
#define CORE_SAMPLING_RACE_H

#include "random/noise.h"

/* Noise is made for so many columns at a time, to stay in the first-level cache between its steps. */
#define RACE_CHUNK 256

/* Who races. Column j is class j, or class list[j] where there is a list, which ascends; d = (x - max) * scale. */
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

INLINE void race_step(const struct race *race, const real *x, real *z, size_t count, vreal maxima[VECS])
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
    race_random(race, source, at, count, random);
    exponentials(random, z, count);
    logarithms(z, z, count);
    FOR_VECS (q)
        maxima[q] = vec_splat(-__builtin_inff());
    race_step(race, race->x + at, z, whole, maxima);
    if (whole < count)
        race_step(race, race->tail, z + whole, LANES, maxima);
    for (int q = 1; q < VECS; q++)
        maxima[0] = vec_max(maxima[q], maxima[0]);
    return vec_max_lane(maxima[0]);
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

/* ---- The thinned race: the same winner --------------------------------------------------------------------------
 *
 * An integer u of n bits gives E >= (u + 1/2) / 2^n > h / 2^(n-1), h = floor(u / 2). And log2 h is at least what h's
 * exponent and mantissa make as one number with a binary point between them, by less than 0.09. So z is at most
 *
 *   bound = d - ln 2 (that number - (n - 1)) + THIN_SLACK
 *
 * which takes no logarithm; the slack is above what all the roundings amount to, 1e-5. E and z are made of few groups
 * alone: of the one with the greatest bound, and of those whose bound reaches the best z then known. */
#define THIN_SLACK 3e-5f
#define THIN_CHUNK 1024

/* Below so many columns that takes longer. */
#define THIN_COLUMNS 128

#if CORE_REAL == 32
INLINE vreal thin_noise(vuint u)
{
    vint bits = (vint) __builtin_convertvector((vint)(u >> 1), vreal) - ((127 + 31) << 23);
    return THIN_SLACK - __builtin_convertvector(bits, vreal) * (LN2_HIGH * 0x1p-23f);
}
#else
/* Of the first 53 bits: half of them is a mantissa, and so is the number, with 41 bits after the point. */
INLINE vreal thin_noise(vuint u)
{
    vreal half = (vreal)(u >> 12 | 0x4330000000000000u) - 0x1p52;
    vreal number = (vreal)((vuint)half >> 11 | 0x4330000000000000u) - (0x1p52 + (1023 + 52) * 0x1p41);
    return THIN_SLACK - number * (LN2_HIGH * 0x1p-41);
}
#endif

/* LANES columns. */
INLINE const real *race_columns(const struct race *race, size_t at)
{
    return at < race->whole ? race->x + at : race->tail;
}

/* The bounds of columns at .. at + count - 1; returns the greatest. */
static real thin_bounds(const struct race *race, size_t at, size_t count, const lane_uint *random, real *bounds)
{
    vreal maxima[VECS];
    FOR_VECS (q)
        maxima[q] = vec_splat(-__builtin_inff());
    for (size_t j = 0; j < count; j += LANES)
        FOR_VECS (q) {
            vreal x = vec_load(race_columns(race, at + j) + q * VEC_LANES);
            vreal v = (x - race->max) * race->scale + thin_noise(vec_load_uints(random + j + q * VEC_LANES));
            vec_store(bounds + j + q * VEC_LANES, v);
            maxima[q] = vec_max(v, maxima[q]);
        }
    for (int q = 1; q < VECS; q++)
        maxima[0] = vec_max(maxima[q], maxima[0]);
    return vec_max_lane(maxima[0]);
}

INLINE bool group_reaches(const real *bounds, real value)
{
    vint reaches = vec_splat_int(0);
    FOR_VECS (q)
        reaches |= vec_load(bounds + q * VEC_LANES) >= value;
    return vec_any(reaches);
}

/* Lets the group of columns at .. at + LANES - 1 race with the winner. */
static void thin_group(const struct race *race, size_t at, const lane_uint *random, struct winner *winner)
{
    real z[LANES] __attribute__((aligned(64)));
    vreal maxima[VECS];
    exponentials(random, z, LANES);
    logarithms(z, z, LANES);
    FOR_VECS (q)
        maxima[q] = vec_splat(-__builtin_inff());
    race_step(race, race_columns(race, at), z, LANES, maxima);
    for (int q = 1; q < VECS; q++)
        maxima[0] = vec_max(maxima[q], maxima[0]);
    real max = vec_max_lane(maxima[0]);
    if (max > winner->score || (max == winner->score && at < winner->column))
        *winner = (struct winner){at + first_equal(z, max), max};
}

static struct winner race_thinned(const struct race *race, const struct noise_source *source)
{
    lane_uint random[NOISE_ROUNDED(THIN_CHUNK)] __attribute__((aligned(64)));
    real bounds[THIN_CHUNK] __attribute__((aligned(64)));
    struct winner winner = {0, -__builtin_inff()};
    for (size_t at = 0; at < race->columns; at += THIN_CHUNK) {
        size_t count = race->columns - at < THIN_CHUNK ? race->columns - at : THIN_CHUNK, first = 0;
        race_random(race, source, at, count, random);
        real greatest = thin_bounds(race, at, count, random, bounds);
        if (greatest <= winner.score)
            continue;
        while (!group_reaches(bounds + first, greatest))
            first += LANES;
        thin_group(race, at + first, random + first, &winner);
        for (size_t j = 0; j < count; j += LANES)
            if (j != first && group_reaches(bounds + j, winner.score))
                thin_group(race, at + j, random + j, &winner);
    }
    return winner;
}

static struct winner race_winner(const struct race *race, const struct noise_source *source)
{
    return race->columns < THIN_COLUMNS ? race_all(race, source) : race_thinned(race, source);
}

#endif
