/* The distributions of sampling.h that log-probabilities are of, as columns of a row have them: x[0 .. columns-1], x <=
 * 0 or -inf, filled up with -inf to a multiple of LANES. */
#ifndef CORE_SAMPLING_DISTRIBUTIONS_H
#define CORE_SAMPLING_DISTRIBUTIONS_H

#include "math/masses.h"
#include "sampling/race.h"

/* How the value of a column becomes its log-probability. */
struct log_scale {
    bool greedy; /* T = 0: the column `first` has probability 1 */
    size_t first;
    real scale, offset; /* else max(value * scale, -REAL_MAX) + offset */
    real total;         /* the sum of exp(x * scale) over the columns that it was made of */
};

static real log_probability(const struct log_scale *log, real value, size_t column)
{
    if (log->greedy)
        return column == log->first ? 0 : -__builtin_inff();
    value *= log->scale;
    return (value > -REAL_MAX ? value : -REAL_MAX) + log->offset;
}

/* Of softmax(x * scale), with x as it is now. */
static struct log_scale log_scale_of(const real *x, size_t columns, bool greedy, real scale)
{
    struct log_scale log = {.greedy = greedy, .scale = scale};
    if (greedy) {
        log.first = first_equal(x, row_max(x, columns));
    } else {
        log.total = row_total(x, columns, scale);
        log.offset = 0.0f - vec_log(vec_splat(log.total))[0];
    }
    return log;
}

/* -sum p log p, p = softmax(x * scale); `mass` is overwritten. */
static real entropy_of(const struct log_scale *log, const real *x, size_t columns, real *mass)
{
    if (log->greedy)
        return 0;
    real total = row_masses_as(x, columns, log->scale, mass);
    return (0.0f - log->offset) - row_mean_as(x, mass, columns, total, log->scale);
}

/* The sum of exp(x * scale + lowered), over the total that there was before columns were set to -inf. */
static real kept_mass_of(const struct log_scale *log, const real *x, size_t columns, real lowered)
{
    if (log->greedy)
        return x[log->first] >= -REAL_MAX ? 1 : 0;
    const struct exp_frame frame = exp_frame(vec_splat(0), vec_splat(1));
    real mass = row_total(x, columns, log->scale) * vec_exp(&frame, vec_splat(lowered), false)[0] / log->total;
    return mass < 1 ? mass : 1;
}

/* 1 + the columns that come before `column`: of greater x, or of the same and lower. */
static size_t rank_in(const real *x, size_t columns, size_t column)
{
    const vreal own = vec_splat(x[column]);
    const vint iota = vec_iota();
    vint before = vec_splat_int(0);
    for (size_t j = 0; j < columns; j += VEC_LANES) {
        vreal other = vec_load(x + j);
        before -= (other > own) | ((other == own) & (iota + (lane_int)j < (lane_int)column));
    }
    return 1 + vec_sum_ints(before);
}

#endif
