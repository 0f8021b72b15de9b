/* The Gumbel-max rule as a race: the class of the greatest z = d - log E, E ~ Exp(1), wins with the probability
 * softmax(d). (E exp(-d) is the time of arrival of a Poisson process of rate exp(d), and the first to arrive wins.) */
#ifndef CORE_RACE_H
#define CORE_RACE_H

#include "noise.h"

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
    struct philox_blocks random = philox(noise_counter(vec_load_wide(block), source, tag), philox_key(source->seed));
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

/* The integers of columns at .. at + count - 1, up to RACE_CHUNK; `random` has room for NOISE_ROUNDED(RACE_CHUNK). */
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

/* The column of the first maximum of z, and that maximum. */
static size_t race_winner(const struct race *race, const struct noise_source *source, real *score)
{
    real z[RACE_CHUNK] __attribute__((aligned(64)));
    real best = -__builtin_inff();
    size_t winner = 0;
    for (size_t at = 0; at < race->columns; at += RACE_CHUNK) {
        real max = race_chunk(race, source, at, race_chunk_size(race, at), z);
        if (max > best) {
            best = max;
            winner = at + first_equal(z, max);
        }
    }
    *score = best;
    return winner;
}

/* ---- The thinned race: the same winners, for many draws --------------------------------------------------------
 *
 * An integer u of n bits gives E >= (u + 1/2) / 2^n >= floor(u / 2) / 2^(n-1), so that z > best needs
 *
 *   floor(u / 2) * (exp(-d) / 2^(n-1)) < exp(-best),
 *
 * which few columns meet once a good best is known: only for their groups E and z are made. THIN_SLACK is above what
 * all the roundings amount to, 1e-5. A class with d < -THIN_FAR loses whatever the noise is and takes no part: the
 * greatest d is 0, or what typical_p left, at least -2 log K > -43.1, and -3.7 < -log E < 37.5. */
#define THIN_FAR 86.0f
#define THIN_SLACK 1.0001f

#if CORE_REAL == 32
#define THIN_UNIT 0x1p-31f

INLINE vreal thin_halves(vuint u)
{
    return __builtin_convertvector((vint)(u >> 1), vreal);
}
#else
#define THIN_UNIT 0x1p-52

/* Of the first 53 bits: the half is a mantissa. */
INLINE vreal thin_halves(vuint u)
{
    return (vreal)(u >> 12 | 0x4330000000000000u) - 0x1p52;
}
#endif

/* exp(-d) / 2^(n-1) for the columns of a race whose scale is 1, max 0, and tail NULL; +inf for classes too far off. */
static void race_thinning(const struct race *race, real *weights)
{
    const struct exp_frame frame = exp_frame(vec_splat(0), vec_splat(1));
    for (size_t j = 0; j < race->columns; j += VEC_LANES) {
        vreal d = vec_load(race->x + j);
        vint near = d >= -THIN_FAR;
        vreal w = vec_exp(&frame, -vec_select(near, d, vec_splat(0)), true) * THIN_UNIT;
        vec_store(weights + j, vec_select(near, w, vec_splat(__builtin_inff())));
    }
}

INLINE bool thin_group_hit(const lane_uint *random, const real *weights, real bound)
{
    vint hit = vec_splat_int(0);
    FOR_VECS (q) {
        vreal halves = thin_halves(vec_load_uints(random + q * VEC_LANES));
        hit |= halves * vec_load(weights + q * VEC_LANES) < bound;
    }
    return vec_any(hit);
}

/* The maximum of z of one group. */
INLINE real thin_group_max(const lane_uint *random, const real *x, real *z)
{
    vreal max = vec_splat(-__builtin_inff());
    exponentials(random, z, LANES);
    logarithms(z, z, LANES);
    FOR_VECS (q) {
        vreal v = vec_load(x + q * VEC_LANES) - vec_load(z + q * VEC_LANES);
        vec_store(z + q * VEC_LANES, v);
        max = vec_max(v, max);
    }
    return vec_max_lane(max);
}

static real thin_bound(real best)
{
    const struct exp_frame frame = exp_frame(vec_splat(0), vec_splat(1));
    real far = -best < THIN_FAR ? -best : THIN_FAR;
    return vec_exp(&frame, vec_splat(far), true)[0] * THIN_SLACK;
}

/* As race_winner, for a race with `weights` from race_thinning. */
static size_t race_thin_winner(const struct race *race, const real *weights, const struct noise_source *source,
                               real *score)
{
    lane_uint random[NOISE_ROUNDED(RACE_CHUNK)] __attribute__((aligned(64)));
    real best = -__builtin_inff(), bound = __builtin_inff();
    size_t winner = 0;
    for (size_t at = 0; at < race->columns; at += RACE_CHUNK) {
        size_t count = race_chunk_size(race, at);
        race_random(race, source, at, count, random);
        for (size_t i = 0; i < count; i += LANES) {
            real z[LANES] __attribute__((aligned(64)));
            if (!thin_group_hit(random + i, weights + at + i, bound))
                continue;
            real max = thin_group_max(random + i, race->x + at + i, z);
            if (max > best) {
                best = max;
                bound = thin_bound(best);
                winner = at + i + first_equal(z, max);
            }
        }
    }
    *score = best;
    return winner;
}

#endif
