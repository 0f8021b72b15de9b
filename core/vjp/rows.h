/* What all vector-Jacobian products have in common, and the passes over the columns of one long row. Sums are those of
 * sums.h, as in softmax. */
#ifndef CORE_VJP_ROWS_H
#define CORE_VJP_ROWS_H

#include "softmax/long_kernels.h"
#include "vjp.h"

/* The calls of vjp.h as the kernels take them: with typed pointers, and NULL for what a function does not have. */
struct vjp_call {
    const real *logits, *cotangent;
    struct core_mask mask;
    struct layout layout;
    struct core_per_row temperature; /* or tau */
    const struct core_noise *noise;
    struct core_per_row noise_scale;
    uint32_t samples;
    struct core_rao_part part;
    real *grad_logits, *grad_temperature;
    real *scratch;
};

/* Results as they are written: any NaN as the quiet one without sign and payload, -0 as +0. */
INLINE vreal canonical(vreal x)
{
    const lane_int quiet = CORE_REAL == 32 ? 0x7fc00000 : (lane_int)0x7ff8000000000000;
    return vec_select(x == x, x + 0.0f, (vreal)vec_splat_int(quiet));
}

/* grad_temperature = -1/T of the weighted sum of products. */
INLINE real temperature_gradient(real weighted_sum, real scale)
{
    return canonical(vec_splat(-(weighted_sum * scale)))[0];
}

/* One row: its forward values, and what its gradient is made of. The columns of x and c after the last whole group are
 * copied to tails, as those of `y` are: x is filled up with -inf, c with 0. */
struct vjp_row {
    const real *x, *c;
    real x_tail[LANES] __attribute__((aligned(64)));
    real c_tail[LANES] __attribute__((aligned(64)));
    real max;   /* of x */
    real sum;   /* s: of y c, or for log_softmax of c */
    real scale; /* 1 / T */
    real *rest; /* of SOFTMAX_ADDEND: of the sums where the products go, as sum_add has it */
};

/* A sum of any numbers: infinite where the sum is, although its rest is then NaN. */
INLINE real any_total(const struct total *total)
{
    return total->rest == total->rest ? total_value(total) : total->sum;
}

/* y = y / total; adds y c, or c, to the sums. */
INLINE void share_step(real *y, const real *c, size_t count, real total, bool logarithm, vreal sums[VECS])
{
    vreal totals = vec_splat(total), inverse = 1.0f / totals;
    for (size_t j = 0; j < count; j += LANES)
        FOR_VECS (q) {
            real *at = y + j + q * VEC_LANES;
            vreal share = vec_divide(vec_load(at), totals, inverse), v = vec_load(c + j + q * VEC_LANES);
            vec_store(at, share);
            sums[q] = logarithm ? v + sums[q] : vec_fma(share, v, sums[q]);
        }
}

/* Completes a softmax from its exponentials and their total, except for copying the tail; returns row->sum. */
INLINE real row_share(struct long_row *y, const struct vjp_row *row, real total, bool logarithm)
{
    struct total sum = {0, 0};
    for (size_t block = 0; block < y->classes; block += SUM_BLOCK) {
        vreal sums[VECS];
        lanes_fill(sums, 0);
        size_t left = y->whole - block;
        share_step(y->out + block, row->c + block, left < SUM_BLOCK ? left : SUM_BLOCK, total, logarithm, sums);
        if (left < SUM_BLOCK)
            share_step(y->tail, row->c_tail, y->tail_count, total, logarithm, sums);
        total_add(&sum, sums);
    }
    return any_total(&sum);
}

/* Which products of a row are wanted, and where they go. */
enum products {
    SOFTMAX_GRADIENT,     /* y (c - s) / T */
    LOG_SOFTMAX_GRADIENT, /* (c - y s) / T */
    SOFTMAX_ADDEND        /* y (c - s), added to what is there */
};

/* Of v = y (c - s) or c - y s. */
INLINE vreal product(vreal y, vreal c, vreal s, bool logarithm)
{
    return logarithm ? vec_fma(-y, s, c) : y * (c - s);
}

/* What the weighted sum takes v times: (x - max) / T, or 0 where that is below -REAL_MAX: such a class counts as
 * impossible. */
INLINE vreal product_weight(vreal x, vreal max, vreal scale)
{
    vreal a = (x - max) * scale;
    return vec_keep(a >= -REAL_MAX, a);
}

INLINE void product_store(real *grad, real *rest, vreal v, real scale, enum products products)
{
    if (products != SOFTMAX_ADDEND) {
        vec_store(grad, canonical(v * scale));
        return;
    }
    vreal sum = vec_load(grad), sum_rest = vec_load(rest);
    sum_add(&sum, &sum_rest, v);
    vec_store(grad, sum);
    vec_store(rest, sum_rest);
}

/* `rest` is used for SOFTMAX_ADDEND only. */
INLINE void product_step(const struct vjp_row *row, const real *x, const real *y, const real *c, real *grad, real *rest,
                         size_t count, enum products products, bool weighted, vreal sums[VECS])
{
    for (size_t j = 0; j < count; j += LANES)
        FOR_VECS (q) {
            size_t at = j + q * VEC_LANES;
            vreal v = product(vec_load(y + at), vec_load(c + at), vec_splat(row->sum),
                              products == LOG_SOFTMAX_GRADIENT);
            if (weighted)
                sums[q] = vec_fma(v, product_weight(vec_load(x + at), vec_splat(row->max), vec_splat(row->scale)),
                                  sums[q]);
            product_store(grad + at, products == SOFTMAX_ADDEND ? rest + at : NULL, v, row->scale, products);
        }
}

/* The products of a row, of its tail in y->tail unless they are addends; returns the sum of v (x - max) / T, before the
 * division by T. */
INLINE real row_products(struct long_row *y, const struct vjp_row *row, real *grad, enum products products,
                         bool weighted)
{
    struct total total = {0, 0};
    for (size_t block = 0; block < y->classes; block += SUM_BLOCK) {
        vreal sums[VECS];
        lanes_fill(sums, 0);
        size_t left = y->whole - block;
        product_step(row, weighted ? row->x + block : NULL, y->out + block, row->c + block, grad + block,
                     products == SOFTMAX_ADDEND ? row->rest + block : NULL, left < SUM_BLOCK ? left : SUM_BLOCK,
                     products, weighted, sums);
        if (left < SUM_BLOCK && products != SOFTMAX_ADDEND)
            product_step(row, row->x_tail, y->tail, row->c_tail, y->tail, NULL, y->tail_count, products, weighted,
                         sums);
        if (weighted)
            total_add(&total, sums);
    }
    return any_total(&total);
}

#endif
