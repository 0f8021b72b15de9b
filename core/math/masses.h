/* The masses of a row, exp(x), their sum and mean. A row is x[0 .. columns-1], x <= 0 or -inf, filled up with -inf to a
 * multiple of LANES. */
#ifndef CORE_MATH_MASSES_H
#define CORE_MATH_MASSES_H

#include "math/exp_log.h"
#include "math/sums.h"

/* Adds exp(x * scale) of one group to the sums, and writes it to `mass` unless that is NULL. */
INLINE void mass_group(const struct exp_frame *frame, const real *x, real *mass, vreal sums[VECS])
{
    FOR_VECS (q) {
        vreal e = vec_exp(frame, vec_load(x + q * VEC_LANES), false);
        if (mass != NULL)
            vec_store(mass + q * VEC_LANES, e);
        sums[q] += e;
    }
}

INLINE real row_masses_as(const real *x, size_t columns, real scale, real *mass)
{
    const struct exp_frame frame = exp_frame(vec_splat(0), vec_splat(scale));
    struct total total = {0, 0};
    for (size_t block = 0; block < columns; block += SUM_BLOCK) {
        size_t end = columns - block < SUM_BLOCK ? columns : block + SUM_BLOCK;
        vreal sums[VECS];
        lanes_fill(sums, 0);
#pragma GCC unroll 4
        for (size_t j = block; j < end; j += LANES)
            mass_group(&frame, x + j, mass != NULL ? mass + j : NULL, sums);
        total_add(&total, sums);
    }
    return total_value(&total);
}

/* mass = exp(x); returns its sum. */
static real row_masses(const real *x, size_t columns, real *mass)
{
    return row_masses_as(x, columns, 1, mass);
}

/* The sum of exp(x * scale). */
static real row_total(const real *x, size_t columns, real scale)
{
    return row_masses_as(x, columns, scale, NULL);
}

/* The mean of x * scale under the masses. x of no mass does not count, -inf among them. */
INLINE real row_mean_as(const real *x, const real *mass, size_t columns, real total, real scale)
{
    struct total sum = {0, 0};
    for (size_t block = 0; block < columns; block += SUM_BLOCK) {
        size_t end = columns - block < SUM_BLOCK ? columns : block + SUM_BLOCK;
        vreal sums[VECS];
        lanes_fill(sums, 0);
        for (size_t j = block; j < end; j += LANES)
            FOR_VECS (q) {
                vreal w = vec_load(mass + j + q * VEC_LANES);
                sums[q] += vec_keep(w > 0, w * (vec_load(x + j + q * VEC_LANES) * scale));
            }
        total_add(&sum, sums);
    }
    return total_value(&sum) / total;
}

static real row_mean(const real *x, const real *mass, size_t columns, real total)
{
    return row_mean_as(x, mass, columns, total, 1);
}

/* The greatest x, +0 for -0. */
static real row_max(const real *x, size_t columns)
{
    vreal max[VECS];
    lanes_fill(max, -__builtin_inff());
    for (size_t j = 0; j < columns; j += LANES)
        FOR_VECS (q)
            max[q] = vec_max(vec_load(x + j + q * VEC_LANES), max[q]);
    return lanes_max(max);
}

#endif
