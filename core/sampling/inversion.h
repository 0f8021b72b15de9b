/* Draws by inverting the cumulative distribution: one uniform number each.
 *
 * The masses are exp(d) of row_masses. Their cumulative sums are doubles in one order on all targets: within each group
 * of LANES columns in the order of columns, and before it the sum up to the end of the group before. Draw number i is
 * the first column whose sum exceeds u times the sum of all, u = k 2^-53, k the upper 53 bits of word 2 i 2^32 +
 * word 2 i + 1 of the row. u < 1, and the product, rounded, is below the sum of all; a column without mass has the sum
 * of the one before it, and is never the first. */
#ifndef CORE_SAMPLING_INVERSION_H
#define CORE_SAMPLING_INVERSION_H

#include "math/masses.h"
#include "random/noise.h"

/* The tag of the words. */
#define INVERSION_TAG 5

/* How many draws words are made for at a time. */
#define INVERSION_CHUNK 256

/* Buckets of the guide for each group of columns, and the least draws for each that it takes to be worth its making. */
#define GUIDE_BUCKETS 4
#define GUIDE_SHARE 4

/* Cumulative sums, and a guide to them (H.-C. Chen, Y. Asau: On Generating Random Variates from an Empirical
 * Distribution, AIIE Transactions 6, 1974): the first group that a number in each of equally wide buckets may be in. */
struct cumulative {
    double *sums;    /* [groups][LANES] */
    uint32_t *guide; /* [buckets] */
    size_t groups, buckets;
    double total, scale; /* scale: buckets / total; 0 buckets: no guide */
};

/* The bytes that cumulative_open needs for each column. */
#define CUMULATIVE_BYTES (sizeof(double) + GUIDE_BUCKETS * sizeof(uint32_t) / LANES)

static double cumulative_add(double *sums, const real *mass, size_t columns)
{
    double before = 0;
    for (size_t j = 0; j < columns; j += LANES) {
        double prefix[LANES], sum = 0;
        for (size_t i = 0; i < LANES; i++)
            prefix[i] = sum += (double)mass[j + i];
        for (size_t i = 0; i < LANES; i++)
            sums[j + i] = before + prefix[i];
        before = sums[j + LANES - 1];
    }
    return before;
}

INLINE double group_end(const struct cumulative *c, size_t group)
{
    return c->sums[group * LANES + LANES - 1];
}

/* Never decreasing in x, whatever is rounded: so a number is in no group before that of its bucket. */
INLINE size_t bucket_of(const struct cumulative *c, double x)
{
    size_t bucket = (size_t)(int64_t)(x * c->scale);
    return bucket < c->buckets ? bucket : c->buckets - 1;
}

static void guide_make(struct cumulative *c)
{
    size_t bucket = 0;
    c->buckets = GUIDE_BUCKETS * c->groups;
    c->scale = (double)c->buckets / c->total;
    for (size_t group = 0; group < c->groups; group++)
        for (size_t end = bucket_of(c, group_end(c, group)); bucket <= end; bucket++)
            c->guide[bucket] = (uint32_t)group;
    for (; bucket < c->buckets; bucket++)
        c->guide[bucket] = (uint32_t)(c->groups - 1);
}

/* Of so many columns, a multiple of LANES, at least one with mass. `memory` is aligned for a double and has
 * CUMULATIVE_BYTES for each. */
static struct cumulative cumulative_open(void *memory, const real *mass, size_t columns, size_t draws)
{
    struct cumulative c = {.sums = memory, .groups = columns / LANES};
    c.guide = (uint32_t *)(void *)(c.sums + columns);
    c.total = cumulative_add(c.sums, mass, columns);
    if (c.groups > 1 && draws >= c.groups / GUIDE_SHARE)
        guide_make(&c);
    return c;
}

/* The first group whose end exceeds x. */
INLINE size_t group_of(const struct cumulative *c, double x)
{
    size_t group = 0;
    if (c->buckets > 0) {
        for (group = c->guide[bucket_of(c, x)]; group_end(c, group) <= x; group++)
            ;
        return group;
    }
    for (size_t left = c->groups; left > 1;) {
        size_t half = left / 2;
        group += group_end(c, group + half - 1) <= x ? half : 0;
        left -= half;
    }
    return group;
}

/* The first column whose sum exceeds x < total. No branches within a group: they would be unpredictable. */
INLINE size_t cumulative_find(const struct cumulative *c, double x)
{
    const double *sums = c->sums + group_of(c, x) * LANES;
#pragma GCC unroll 4
    for (int half = LANES / 2; half > 0; half /= 2)
        sums += (size_t)half * (sums[half - 1] <= x);
    return (size_t)(sums - c->sums);
}

/* The uniform numbers of draws first .. first + count - 1, at most INVERSION_CHUNK of them. */
INLINE void uniform_numbers(double *u, uint64_t first, size_t count, const struct noise_source *source)
{
    uint32_t words[NOISE_ROUNDED(2 * INVERSION_CHUNK + 2)];
    const uint32_t *own = words + first % 2 * 2;
    noise_words(words, first / 2, 2 * count + first % 2 * 2, source);
    for (size_t i = 0; i < count; i++)
        u[i] = (double)(int64_t)(((uint64_t)own[2 * i] << 32 | own[2 * i + 1]) >> 11) * 0x1p-53;
}

#endif
