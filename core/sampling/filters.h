/* The filters of sampling.h: each finds which columns of a row it keeps, and sets the others to -inf.
 *
 * top_k, top_p and typical_p are one rule: order the columns by a key, lower columns first of equal keys, and keep the
 * shortest prefix whose mass reaches a target. Nothing is sorted: the columns that can be the last of the prefix are
 * gathered in a vector pass, and that one is found by a few levels of histograms of their keys.
 *
 * A row is x[0 .. columns-1], x <= 0 or -inf, filled up with -inf to a multiple of LANES.
 */
#ifndef CORE_SAMPLING_FILTERS_H
#define CORE_SAMPLING_FILTERS_H

#include "math/masses.h"
#include "sampling.h"

struct candidate {
    lane_uint key; /* of a real >= 0: its bits, which order as it does */
    real mass;
    uint32_t column;
};

/* The last column that is kept, in the order of keys. */
struct cut {
    lane_uint key;
    uint32_t column;
};

#define KEY_BITS (CORE_REAL - 1)
#define KEY_MASK (((lane_uint)1 << KEY_BITS) - 1)

/* The bits of a digit, of which histograms are made: fewer for few candidates, where the histogram itself costs more.
 */
#define DIGIT_BITS_MOST 11

INLINE int digit_bits(size_t count)
{
    return count < 512 ? 6 : count < 4096 ? 8 : DIGIT_BITS_MOST;
}

/* Up to this many, one pass over the candidates for each that is kept is cheaper than a histogram. */
#define FEW_CANDIDATES 8

/* The end of the shortest prefix whose mass, added to `before`, reaches the target. */
static struct cut cut_of_few(struct candidate *candidates, size_t count, double before, double target)
{
    struct cut cut = {0, 0};
    while (count > 0 && before < target) {
        size_t best = 0;
        for (size_t i = 1; i < count; i++)
            if (candidates[i].key < candidates[best].key)
                best = i;
        before += candidates[best].mass;
        cut = (struct cut){candidates[best].key, candidates[best].column};
        count--;
        for (size_t i = best; i < count; i++)
            candidates[i] = candidates[i + 1];
    }
    return cut;
}

/* The same for candidates of one key. */
static struct cut cut_of_equals(const struct candidate *candidates, size_t count, double before, double target)
{
    size_t last = 0;
    for (before += candidates[0].mass; last + 1 < count && before < target; last++)
        before += candidates[last + 1].mass;
    return (struct cut){candidates[last].key, candidates[last].column};
}

/* A digit of the keys. */
struct digit {
    int shift, bits;
};

INLINE uint32_t digit_of(lane_uint key, struct digit digit)
{
    return (uint32_t)(key >> digit.shift) & ((1u << digit.bits) - 1);
}

/* The digit up to which the mass, added to *before, reaches the target, or else the greatest that occurs; the mass of
 * the smaller digits is added to *before. */
static uint32_t digit_of_cut(const struct candidate *candidates, size_t count, struct digit digit, double target,
                             double *before)
{
    double mass[1 << DIGIT_BITS_MOST];
    uint32_t greatest = 0, cut = 0;
    memset(mass, 0, sizeof(mass[0]) << digit.bits);
    for (size_t i = 0; i < count; i++) {
        uint32_t d = digit_of(candidates[i].key, digit);
        mass[d] += candidates[i].mass;
        greatest = d > greatest ? d : greatest;
    }
    while (cut < greatest && *before + mass[cut] < target)
        *before += mass[cut++];
    return cut;
}

/* Keeps the candidates with this digit; returns how many. */
static size_t keep_digit(struct candidate *candidates, size_t count, struct digit digit, uint32_t value)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        candidates[kept] = candidates[i];
        kept += digit_of(candidates[i].key, digit) == value;
    }
    return kept;
}

/* How many low bits of the keys remain after the leading ones that are the same in all. */
static int differing_bits(const struct candidate *candidates, size_t count)
{
    lane_uint differ = 0;
    for (size_t i = 1; i < count; i++)
        differ |= candidates[i].key ^ candidates[0].key;
    return differ == 0 ? 0 : 64 - __builtin_clzll(differ);
}

/* The end of the shortest prefix of the candidates whose mass reaches the target, or the last of them if the mass of
 * all does not. There is at least one candidate, in ascending order of columns; the array is overwritten. target > 0.
 */
static struct cut cut_of(struct candidate *candidates, size_t count, double target)
{
    double before = 0;
    while (count > FEW_CANDIDATES) {
        int below = differing_bits(candidates, count), bits = digit_bits(count);
        if (below == 0)
            return cut_of_equals(candidates, count, before, target);
        bits = bits < below ? bits : below;
        struct digit digit = {below - bits, bits};
        count = keep_digit(candidates, count, digit, digit_of_cut(candidates, count, digit, target, &before));
    }
    return cut_of_few(candidates, count, before, target);
}

INLINE vint keys_of(vreal x, real center)
{
    return (vint)(x - center) & (lane_int)KEY_MASK; /* of |x - center| */
}

/* Sets the columns after the cut, in the order of |x - center|, to -inf; returns how many are kept. */
static size_t cut_apply(real *x, size_t columns, real center, struct cut cut)
{
    const vint iota = vec_iota(), key = vec_splat_int((lane_int)cut.key);
    vint kept = vec_splat_int(0);
    for (size_t j = 0; j < columns; j += VEC_LANES) {
        vreal v = vec_load(x + j);
        vint k = keys_of(v, center);
        vint keep = (k < key) | ((k == key) & (iota + (lane_int)j <= (lane_int)cut.column));
        vec_store(x + j, vec_possible(keep, v));
        kept -= keep;
    }
    return vec_sum_ints(kept);
}

/* Gathers the columns with floor <= measure < ceiling, in ascending order; their masses, or 1 where `mass` is NULL. */
static size_t gather(struct candidate *candidates, const real *x, size_t columns, real center, const real *measure,
                     real floor, real ceiling, const real *mass)
{
    size_t count = 0;
    for (size_t j = 0; j < columns; j += VEC_LANES) {
        vreal v = vec_load(measure + j);
        for (uint32_t bits = vec_bits((v >= floor) & (v < ceiling)); bits != 0; bits &= bits - 1) {
            size_t column = j + (size_t)__builtin_ctz(bits);
            real distance = x[column] - center;
            struct candidate c = {0, mass != NULL ? mass[column] : 1, (uint32_t)column};
            memcpy(&c.key, &distance, sizeof(c.key));
            c.key &= KEY_MASK;
            candidates[count++] = c;
        }
    }
    return count;
}

/* ---- The filters ------------------------------------------------------------------------------------------- */

struct filtered_row {
    real *x;
    size_t columns, possible;     /* possible: how many x > -inf */
    real *mass;                   /* scratch, of `columns` */
    struct candidate *candidates; /* scratch, of `columns` */
};

/* Up to this many columns, each is compared with each other one: in vectors, and without a branch that depends on them.
 */
#define SHORT_COLUMNS 64

/* The mass of the columns that come before columns at .. at + VEC_LANES - 1 in the order of keys. */
INLINE vreal mass_before(const real *key, const real *mass, size_t columns, size_t at)
{
    const vreal own = vec_load(key + at);
    const vint lane = vec_iota();
    vreal before = vec_splat(0);
    for (size_t j = 0; j < at; j++)
        before += vec_keep(vec_splat(key[j]) <= own, vec_splat(mass[j]));
    for (size_t j = at; j < at + VEC_LANES; j++) {
        vreal other = vec_splat(key[j]);
        vint first = (other < own) | ((other == own) & (lane > (lane_int)(j - at)));
        before += vec_keep(first, vec_splat(mass[j]));
    }
    for (size_t j = at + VEC_LANES; j < columns; j++)
        before += vec_keep(vec_splat(key[j]) < own, vec_splat(mass[j]));
    return before;
}

/* Keeps the shortest prefix of a short row whose mass reaches the target, in the order of |x - center|; columns without
 * mass are not in it. */
static void cut_short(struct filtered_row *row, real center, real target)
{
    real key[SHORT_COLUMNS] __attribute__((aligned(64)));
    vint kept = vec_splat_int(0);
    for (size_t j = 0; j < row->columns; j += VEC_LANES)
        vec_store(key + j, (vreal)keys_of(vec_load(row->x + j), center));
    for (size_t j = 0; j < row->columns; j += VEC_LANES) {
        vint keep = (mass_before(key, row->mass, row->columns, j) < target) & (vec_load(row->mass + j) > 0);
        vec_store(row->x + j, vec_possible(keep, vec_load(row->x + j)));
        kept -= keep;
    }
    row->possible = vec_sum_ints(kept);
}

/* A bound that at least `lanes` columns, a multiple of LANES, reach, or -REAL_MAX: the columns of equal number modulo
 * `lanes` have a maximum each, and the bound is the least of these. */
static real top_bound(const struct filtered_row *row, size_t lanes)
{
    real *maxima = row->mass;
    memcpy(maxima, row->x, lanes * sizeof(maxima[0]));
    for (size_t j = lanes; j + lanes <= row->columns; j += lanes)
        for (size_t i = 0; i < lanes; i += VEC_LANES)
            vec_store(maxima + i, vec_max(vec_load(row->x + j + i), vec_load(maxima + i)));
    vreal least = vec_splat(0);
    for (size_t i = 0; i < lanes; i += VEC_LANES)
        least = -vec_max(-vec_load(maxima + i), -least);
    return -vec_max_lane(vec_max(-least, vec_splat(0)));
}

/* top_bound of fewer lanes than BOUND_LANES is hardly faster, and with fewer columns a lane than BOUND_SHARE useless.
 */
#define BOUND_LANES 64
#define BOUND_SHARE 4

static void keep_top_k(struct filtered_row *row, double value)
{
    if (value < 1 || value >= (double)row->possible)
        return;
    const size_t k = (size_t)value;
    if (row->columns <= SHORT_COLUMNS) {
        for (size_t j = 0; j < row->columns; j++)
            row->mass[j] = row->x[j] >= -REAL_MAX;
        cut_short(row, 0, (real)k);
        return;
    }
    size_t lanes = k < BOUND_LANES ? BOUND_LANES : (k + LANES - 1) / LANES * LANES;
    real bound = lanes <= row->columns / BOUND_SHARE ? top_bound(row, lanes) : -REAL_MAX;
    size_t count = gather(row->candidates, row->x, row->columns, 0, row->x, bound > -REAL_MAX ? bound : -REAL_MAX,
                          __builtin_inff(), NULL);
    row->possible = cut_apply(row->x, row->columns, 0, cut_of(row->candidates, count, (double)k));
}

/* p of the total, but at least the smallest mass that a column can have, so that one is kept. */
INLINE double mass_target(real p, real total)
{
    double target = (double)p * total;
    return target > (double)REAL_MIN ? target : (double)REAL_MIN;
}

#define BOUNDS 4

/* above[i] = the mass of the columns whose own mass is at least bound[i]. */
static void masses_above(const real *mass, size_t columns, const real bound[BOUNDS], double above[BOUNDS])
{
    for (int i = 0; i < BOUNDS; i++)
        above[i] = 0;
    for (size_t block = 0; block < columns; block += SUM_BLOCK) {
        size_t end = columns - block < SUM_BLOCK ? columns : block + SUM_BLOCK;
        vreal sums[BOUNDS][VECS];
        for (int i = 0; i < BOUNDS; i++)
            lanes_fill(sums[i], 0);
        for (size_t j = block; j < end; j += LANES)
            FOR_VECS (q) {
                vreal w = vec_load(mass + j + q * VEC_LANES);
                for (int i = 0; i < BOUNDS; i++)
                    sums[i][q] += vec_keep(w >= bound[i], w);
            }
        for (int i = 0; i < BOUNDS; i++)
            above[i] += lanes_sum(sums[i]);
    }
}

/* The last column of a prefix has a mass of floor <= mass < ceiling; `before` is the mass of all columns at and above
 * the ceiling, which does not reach the target. */
struct mass_range {
    real floor, ceiling;
    double before;
};

/* Divides the range at floor * ratio, floor * ratio^2, .. A column always remains in it: the mass above the last
 * bound that is passed reaches the target, or by rounding none does, and the range keeps what is above the first. */
static void narrow(const struct filtered_row *row, double target, real ratio, struct mass_range *range)
{
    real bound[BOUNDS] = {range->floor};
    double above[BOUNDS];
    for (int i = 1; i < BOUNDS; i++)
        bound[i] = bound[i - 1] * ratio;
    masses_above(row->mass, row->columns, bound, above);
    for (int i = 1; i < BOUNDS; i++) {
        if (above[i] < target && above[i] < above[0]) {
            range->ceiling = bound[i];
            range->before = above[i];
            return;
        }
        range->floor = bound[i];
    }
}

/* From this many columns on, the range of masses is narrowed before candidates are gathered, and from very many on once
 * more: to gather many candidates costs more. */
#define MANY_COLUMNS 65
#define VERY_MANY_COLUMNS 20480

/* Starts from half of (1 - p) total / K: the columns below have together at most half of 1 - p, and those above reach p
 * by a margin that roundings of the sums do not use up, unless p is next to 1. */
static struct mass_range nucleus_range(const struct filtered_row *row, real p, real total)
{
    real lowest = p < 0.9999f ? 0.5f * (1 - p) * (total / (real)row->columns) : 0;
    struct mass_range range = {lowest > REAL_MIN ? lowest : REAL_MIN, __builtin_inff(), 0};
    if (row->columns >= MANY_COLUMNS)
        narrow(row, mass_target(p, total), 4, &range);
    if (row->columns >= VERY_MANY_COLUMNS)
        narrow(row, mass_target(p, total), range.ceiling <= REAL_MAX ? 1.4142f : 4, &range); /* 1.4142^4 = 4 */
    return range;
}

static void keep_top_p(struct filtered_row *row, double value)
{
    const real p = (real)value;
    if (!(p < 1))
        return;
    real total = row_masses(row->x, row->columns, row->mass);
    if (row->columns <= SHORT_COLUMNS) {
        cut_short(row, 0, (real)mass_target(p, total));
        return;
    }
    struct mass_range range = nucleus_range(row, p, total);
    size_t count = gather(row->candidates, row->x, row->columns, 0, row->mass, range.floor, range.ceiling, row->mass);
    double target = mass_target(p, total) - range.before;
    row->possible = cut_apply(row->x, row->columns, 0, cut_of(row->candidates, count, target));
}

/* With S the sum of exp(x), -log p = log S - x and the entropy is log S - (the mean of x under p): their distance is
 * |x - mean|. */
static void keep_typical_p(struct filtered_row *row, double value)
{
    const real p = (real)value;
    if (!(p < 1))
        return;
    real total = row_masses(row->x, row->columns, row->mass);
    real mean = row_mean(row->x, row->mass, row->columns, total);
    if (row->columns <= SHORT_COLUMNS) {
        cut_short(row, mean, (real)mass_target(p, total));
        return;
    }
    size_t count = gather(row->candidates, row->x, row->columns, mean, row->mass, REAL_MIN, __builtin_inff(),
                          row->mass);
    row->possible = cut_apply(row->x, row->columns, mean, cut_of(row->candidates, count, mass_target(p, total)));
}

/* A min_p below REAL_MIN acts as REAL_MIN. */
static void keep_min_p(struct filtered_row *row, double value)
{
    const real p = (real)value;
    if (!(p > 0))
        return;
    real least = row_max(row->x, row->columns) + vec_log(vec_splat(p > REAL_MIN ? p : REAL_MIN))[0];
    vint kept = vec_splat_int(0);
    for (size_t j = 0; j < row->columns; j += VEC_LANES) {
        vreal v = vec_load(row->x + j);
        vint keep = v >= least;
        vec_store(row->x + j, vec_possible(keep, v));
        kept -= keep;
    }
    row->possible = vec_sum_ints(kept);
}

enum { FIRST = 1 << CORE_TEMPERATURE_FIRST, LAST = 1 << CORE_TEMPERATURE_LAST };

/* The filters in the sequence in which a row passes them, and the orders in which they have this place. */
static const struct {
    enum core_filter filter;
    void (*keep)(struct filtered_row *row, double value);
    unsigned orders;
} filter_steps[] = {
    {CORE_MIN_P, keep_min_p, FIRST},
    {CORE_TOP_K, keep_top_k, FIRST | LAST},
    {CORE_TYPICAL_P, keep_typical_p, FIRST | LAST},
    {CORE_TOP_P, keep_top_p, FIRST | LAST},
    {CORE_MIN_P, keep_min_p, LAST},
};

/* Row r of the call, its x being u. */
static void filter(const struct core_filters *filters, size_t r, struct filtered_row *row)
{
    for (size_t i = 0; i < sizeof(filter_steps) / sizeof(filter_steps[0]); i++) {
        const struct core_per_row *value = &filters->values[filter_steps[i].filter];
        if (value->value != NULL && (filter_steps[i].orders >> filters->order & 1) != 0)
            filter_steps[i].keep(row, value->value[r * value->stride]);
    }
}

static bool any_filter(const struct core_filters *filters)
{
    bool any = false;
    for (int i = 0; i < CORE_FILTER_COUNT; i++)
        any |= filters->values[i].value != NULL;
    return any;
}

#endif
