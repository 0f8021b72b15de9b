/* Passes over the columns of one row, LANES of them a step, the last step masked: nothing outside the row is touched.
 * Sums go in the order of softmax: lane l of a block of SUM_COLUMNS adds its columns l, l + 16, ... in order, the lanes
 * are added by lanes_sum, the blocks in order. */
#ifndef CORE_VJP_ROWS_H
#define CORE_VJP_ROWS_H

#include "vec.h"


#define SUM_COLUMNS 4096

/* Of `count` floats, up to LANES; `otherwise` in the lanes after them. */
INLINE void lanes_load(vreal v[VECS], const real *from, size_t count, real otherwise)
{
    static const lane_int lane[LANES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    FOR_VECS (q) {
        const real *at = from + q * VEC_LANES;
        v[q] = count >= LANES
                   ? vec_load(at)
                   : vec_load_masked(at, vec_load_ints(lane + q * VEC_LANES) < (int32_t)count, vec_splat(otherwise));
    }
}

INLINE void lanes_store(real *to, const vreal v[VECS], size_t count)
{
    real all[LANES] __attribute__((aligned(64)));
    const real *from = all;
    FOR_VECS (q)
        vec_store(count >= LANES ? to + q * VEC_LANES : all + q * VEC_LANES, v[q]);
    for (size_t part = LANES / 2; part > 0 && count < LANES; part /= 2)
        if (count & part) {
            memcpy(to, from, part * sizeof(real));
            to += part;
            from += part;
        }
}

INLINE void lanes_fill(vreal v[VECS], real x)
{
    FOR_VECS (q)
        v[q] = vec_splat(x);
}

/* Results as they are written: any NaN as 0x7fc00000, -0 as +0. */
INLINE vreal canonical(vreal x)
{
    return vec_select(x == x, x + 0.0f, (vreal)vec_splat_int(0x7fc00000));
}

/* The row's maximum, +0 for -0; false if the row has no answer: NaN, +inf, or nothing but -inf. */
INLINE bool row_max(const real *x, size_t classes, real *max)
{
    vreal m[VECS], v[VECS];
    vint below_inf = vec_splat_int(-1);
    lanes_fill(m, -__builtin_inff());
    for (size_t j = 0; j < classes; j += LANES) {
        lanes_load(v, x + j, classes - j, -__builtin_inff());
        FOR_VECS (q) {
            m[q] = vec_max(v[q], m[q]);
            below_inf &= v[q] <= REAL_MAX;
        }
    }
    for (int q = 1; q < VECS; q++)
        m[0] = vec_max(m[q], m[0]);
    *max = vec_max_lane(m[0]);
    return !vec_any(below_inf == 0) && *max >= -REAL_MAX;
}

INLINE void dot_step(const real *y, const real *c, size_t count, vreal sums[VECS])
{
    vreal a[VECS], b[VECS];
    lanes_load(b, c, count, 0.0f);
    lanes_fill(a, 1.0f);
    if (y != NULL)
        lanes_load(a, y, count, 0.0f);
    FOR_VECS (q)
        sums[q] = y != NULL ? vec_fma(a[q], b[q], sums[q]) : b[q] + sums[q];
}

/* The sum of y c, or of c if y is NULL. */
INLINE real row_dot(const real *y, const real *c, size_t classes)
{
    real total = 0;
    for (size_t block = 0; block < classes; block += SUM_COLUMNS) {
        size_t end = classes - block < SUM_COLUMNS ? classes : block + SUM_COLUMNS, j = block;
        vreal sums[VECS];
        lanes_fill(sums, 0.0f);
        for (; j + LANES <= end; j += LANES)
            dot_step(y != NULL ? y + j : NULL, c + j, LANES, sums);
        if (j < end)
            dot_step(y != NULL ? y + j : NULL, c + j, end - j, sums);
        total += lanes_sum(sums);
    }
    return total;
}

/* Which products of a row are wanted, and where they go. */
enum products {
    SOFTMAX_GRADIENT,     /* y (c - s) / T */
    LOG_SOFTMAX_GRADIENT, /* (c - y s) / T */
    SOFTMAX_ADDEND        /* y (c - s), added to what is there */
};

struct product_row {
    const real *x, *y, *c;
    real *grad;
    size_t classes;
    real max;   /* of x */
    real sum;   /* s: of y c, or for log_softmax of c */
    real scale; /* 1 / T */
};

/* `sums` gets the products, before the division by T, times (x - max) / T. Classes where that is below -REAL_MAX count
 * as impossible and add nothing. */
INLINE void product_step(const struct product_row *row, size_t j, size_t count, enum products products, bool weighted,
                         vreal sums[VECS])
{
    vreal x[VECS], y[VECS], c[VECS], grad[VECS];
    lanes_load(y, row->y + j, count, 0.0f);
    lanes_load(c, row->c + j, count, 0.0f);
    if (weighted)
        lanes_load(x, row->x + j, count, row->max);
    if (products == SOFTMAX_ADDEND)
        lanes_load(grad, row->grad + j, count, 0.0f);
    FOR_VECS (q) {
        vreal v = products == LOG_SOFTMAX_GRADIENT ? vec_fma(-y[q], vec_splat(row->sum), c[q])
                                                    : y[q] * (c[q] - row->sum);
        if (weighted) {
            vreal a = (x[q] - row->max) * row->scale;
            sums[q] = vec_fma(v, vec_keep(a >= -REAL_MAX, a), sums[q]);
        }
        grad[q] = products == SOFTMAX_ADDEND ? grad[q] + v : canonical(v * row->scale);
    }
    lanes_store(row->grad + j, grad, count);
}

/* The products of a row; returns the weighted sum. */
INLINE real row_products(const struct product_row *row, enum products products, bool weighted)
{
    real total = 0;
    for (size_t block = 0; block < row->classes; block += SUM_COLUMNS) {
        size_t end = row->classes - block < SUM_COLUMNS ? row->classes : block + SUM_COLUMNS, j = block;
        vreal sums[VECS];
        lanes_fill(sums, 0.0f);
        for (; j + LANES <= end; j += LANES)
            product_step(row, j, LANES, products, weighted, sums);
        if (j < end)
            product_step(row, j, end - j, products, weighted, sums);
        if (weighted)
            total += lanes_sum(sums);
    }
    return total;
}

#endif
