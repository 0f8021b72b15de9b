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
    real *saved;                  /* likewise, with min_keep */
    real center;                  /* the last filter's order is that of |x - center| */
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

/* Keeps the first k columns in the order of |x - center|, of those that reach `bound` or are possible at all. */
static void keep_first_from(struct filtered_row *row, real center, size_t k, real bound)
{
    if (row->columns <= SHORT_COLUMNS) {
        for (size_t j = 0; j < row->columns; j++)
            row->mass[j] = row->x[j] >= -REAL_MAX;
        cut_short(row, center, (real)k);
        return;
    }
    size_t count = gather(row->candidates, row->x, row->columns, center, row->x, bound > -REAL_MAX ? bound : -REAL_MAX,
                          __builtin_inff(), NULL);
    row->possible = cut_apply(row->x, row->columns, center, cut_of(row->candidates, count, (double)k));
}

static void keep_first(struct filtered_row *row, real center, size_t k)
{
    keep_first_from(row, center, k, -REAL_MAX);
}

static void keep_top_k(struct filtered_row *row, double value)
{
    if (value < 1 || value >= (double)row->possible)
        return;
    const size_t k = (size_t)value;
    size_t lanes = k < BOUND_LANES ? BOUND_LANES : (k + LANES - 1) / LANES * LANES;
    keep_first_from(row, 0, k, lanes <= row->columns / BOUND_SHARE ? top_bound(row, lanes) : -REAL_MAX);
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
    real mean = row->center = row_mean(row->x, row->mass, row->columns, total);
    if (row->columns <= SHORT_COLUMNS) {
        cut_short(row, mean, (real)mass_target(p, total));
        return;
    }
    size_t count = gather(row->candidates, row->x, row->columns, mean, row->mass, REAL_MIN, __builtin_inff(),
                          row->mass);
    row->possible = cut_apply(row->x, row->columns, mean, cut_of(row->candidates, count, mass_target(p, total)));
}

INLINE real log_of(real x)
{
    return vec_log(vec_splat(x))[0];
}

/* Keeps x >= least. */
static void keep_from(struct filtered_row *row, real least)
{
    vint kept = vec_splat_int(0);
    for (size_t j = 0; j < row->columns; j += VEC_LANES) {
        vreal v = vec_load(row->x + j);
        vint keep = v >= least;
        vec_store(row->x + j, vec_possible(keep, v));
        kept -= keep;
    }
    row->possible = vec_sum_ints(kept);
}

/* Values of min_p and cutoffs below REAL_MIN act as REAL_MIN. */
INLINE real log_of_part(real p)
{
    return log_of(p > REAL_MIN ? p : REAL_MIN);
}

static void keep_min_p(struct filtered_row *row, double value)
{
    const real p = (real)value;
    if (p > 0)
        keep_from(row, row_max(row->x, row->columns) + log_of_part(p < 1 ? p : 1));
}

/* Keeps p >= exp(log_p), S being the sum of exp(x) and p = exp(x) / S; the greatest x in any case. */
static void keep_probable(struct filtered_row *row, real log_p, real total)
{
    real least = log_p + log_of(total), max = row_max(row->x, row->columns);
    keep_from(row, least < max ? least : max);
}

static void keep_epsilon_cutoff(struct filtered_row *row, double value)
{
    const real epsilon = (real)value;
    if (epsilon > 0)
        keep_probable(row, log_of_part(epsilon), row_total(row->x, row->columns, 1));
}

/* The entropy is log S - (the mean of x under p). */
static void keep_eta_cutoff(struct filtered_row *row, double value)
{
    const real epsilon = (real)value;
    if (!(epsilon > 0))
        return;
    const real total = row_masses(row->x, row->columns, row->mass), log_epsilon = log_of_part(epsilon);
    const real entropy = log_of(total) - row_mean(row->x, row->mass, row->columns, total);
    const real other = 0.5f * log_epsilon - entropy;
    keep_probable(row, other < log_epsilon ? other : log_epsilon, total);
}

/* From this on n standard deviations are more than any x is below the greatest, which is at most sqrt(columns). */
#define SIGMAS_MOST 65536

/* distance = (max - x) / width of the possible columns, `width` being the greatest max - x, which is returned; of the
 * others it is 0. */
static real distances(const real *x, size_t columns, real max, real *distance)
{
    vreal width = vec_splat(0);
    for (size_t j = 0; j < columns; j += VEC_LANES) {
        vreal v = vec_load(x + j);
        vreal below = vec_keep(v >= -REAL_MAX, max - v);
        vec_store(distance + j, below);
        width = vec_max(below, width);
    }
    real most = vec_max_lane(width);
    for (size_t j = 0; j < columns && most > 0; j += VEC_LANES)
        vec_store(distance + j, vec_load(distance + j) / most);
    return most;
}

/* The mean over the possible columns of distance, or of (distance - center)^2. */
static real mean_distance(const struct filtered_row *row, const real *distance, real center, bool squared)
{
    struct total sum = {0, 0};
    for (size_t block = 0; block < row->columns; block += SUM_BLOCK) {
        size_t end = row->columns - block < SUM_BLOCK ? row->columns : block + SUM_BLOCK;
        vreal sums[VECS];
        lanes_fill(sums, 0);
        for (size_t j = block; j < end; j += LANES)
            FOR_VECS (q) {
                vreal d = vec_load(distance + j + q * VEC_LANES) - center;
                sums[q] += vec_keep(vec_load(row->x + j + q * VEC_LANES) >= -REAL_MAX, squared ? d * d : d);
            }
        total_add(&sum, sums);
    }
    return total_value(&sum) / (real)row->possible;
}

/* Compares squares, which takes no root; divided by the width, none overflows or vanishes. */
static void keep_top_n_sigma(struct filtered_row *row, double value)
{
    const real n = (real)value;
    real *distance = row->mass, max = row_max(row->x, row->columns);
    if (!(n > 0) || n >= SIGMAS_MOST || distances(row->x, row->columns, max, distance) == 0)
        return;
    const real mean = mean_distance(row, distance, 0, false);
    const real most = n * n * mean_distance(row, distance, mean, true);
    vint kept = vec_splat_int(0);
    for (size_t j = 0; j < row->columns; j += VEC_LANES) {
        vreal v = vec_load(row->x + j), d = vec_load(distance + j);
        vint keep = (v >= -REAL_MAX) & (d * d <= most);
        vec_store(row->x + j, vec_possible(keep, v));
        kept -= keep;
    }
    row->possible = vec_sum_ints(kept);
}

/* The step of each filter. */
static void (*const filter_steps[CORE_FILTER_COUNT])(struct filtered_row *row, double value) = {
    [CORE_TOP_K] = keep_top_k,
    [CORE_TOP_P] = keep_top_p,
    [CORE_MIN_P] = keep_min_p,
    [CORE_TYPICAL_P] = keep_typical_p,
    [CORE_TOP_N_SIGMA] = keep_top_n_sigma,
    [CORE_EPSILON_CUTOFF] = keep_epsilon_cutoff,
    [CORE_ETA_CUTOFF] = keep_eta_cutoff,
};

static double value_of_row(const struct core_per_row *values, size_t r, double otherwise)
{
    return values->value != NULL ? values->value[r * values->stride] : otherwise;
}

/* Passes the row of the call's number r through a filter, its x being u. */
static void filter(const struct core_filters *filters, unsigned step, size_t r, struct filtered_row *row)
{
    if (filters->values[step].value == NULL)
        return;
    const double value = value_of_row(&filters->values[step], r, 0), least = value_of_row(&filters->min_keep, r, 1);
    const size_t possible = row->possible;
    if (least >= (double)possible)
        return;
    if (least > 1)
        memcpy(row->saved, row->x, row->columns * sizeof(row->x[0]));
    row->center = 0;
    filter_steps[step](row, value);
    if ((double)row->possible < least) {
        memcpy(row->x, row->saved, row->columns * sizeof(row->x[0]));
        keep_first(row, row->center, (size_t)least);
    }
}

static const struct core_order *order_of(const struct core_filters *filters)
{
    return filters->order != NULL ? filters->order : &core_orders[CORE_TEMPERATURE_FIRST];
}

/* Whether a step comes before the temperature. */
static bool temperature_is_late(const struct core_filters *filters)
{
    return order_of(filters)->steps[0] != CORE_TEMPERATURE;
}

static bool any_filter(const struct core_filters *filters)
{
    bool any = false;
    for (int i = 0; i < CORE_FILTER_COUNT; i++)
        any |= filters->values[i].value != NULL;
    return any;
}

#endif
