/* Vector-Jacobian products of rows of few classes, LANES rows at a time as in short_rows.h: lane l holds row l. vjp.h
 * defines the results. */
#ifndef CORE_VJP_SHORT_H
#define CORE_VJP_SHORT_H

#include "softmax/short_rows.h"
#include "vjp/rows.h"

/* y = y (c - s), or c - y s. */
INLINE void group_products(group_columns y, group_columns c, size_t classes, bool logarithm)
{
    vreal sum[VECS];
    group_dot(logarithm ? NULL : y, c, classes, sum);
    for (size_t j = 0; j < classes; j++)
        FOR_VECS (q) {
            real *at = y[j] + q * VEC_LANES;
            vec_store(at, product(vec_load(at), vec_load(c[j] + q * VEC_LANES), sum[q], logarithm));
        }
}

/* The sum of the products times (x - max) / T, which takes the place of x. */
INLINE void group_weigh(group_columns products, group_columns x, size_t classes, const vreal max[VECS],
                        const vreal scale[VECS], vreal sum[VECS])
{
    for (size_t j = 0; j < classes; j++)
        FOR_VECS (q) {
            real *at = x[j] + q * VEC_LANES;
            vec_store(at, product_weight(vec_load(at), max[q], scale[q]));
        }
    group_dot(products, x, classes, sum);
}

/* The gradients from the products and their weighted sum; 0 where T = 0. */
INLINE void group_gradients(const struct vjp_call *call, size_t row, size_t count, group_columns products,
                            const vreal weighted[VECS], const struct group_scale *scale)
{
    for (size_t j = 0; j < call->layout.classes; j++)
        FOR_VECS (q) {
            real *at = products[j] + q * VEC_LANES;
            vec_store(at, vec_keep(~scale->one_hot[q], canonical(vec_load(at) * scale->scale[q])));
        }
    group_store(call->grad_logits, call->layout, row, products, count);
    if (call->grad_temperature == NULL)
        return;
    real grad[LANES];
    FOR_VECS (q)
        vec_store(grad + q * VEC_LANES, vec_keep(~scale->one_hot[q], canonical(-(weighted[q] * scale->scale[q]))));
    memcpy(call->grad_temperature + row, grad, count * sizeof(real));
}

/* columns = z, and max its maximum. */
static void group_perturb_rows(const struct vjp_call *call, size_t row, size_t count, group_columns columns,
                               vreal max[VECS])
{
    group_columns log_e __attribute__((aligned(64)));
    struct group_source source;
    vreal s[VECS];
    group_source(&source, call->noise, row, count);
    group_noise(log_e, log_e, call->layout.classes, &source);
    bool scaled = group_noise_scale(s, &call->noise_scale, row, count);
    group_perturb(columns, call->layout.classes, max, log_e, scaled ? s : NULL);
}

INLINE int short_vjp(const struct vjp_call *call, size_t first, size_t count, size_t *invalid_row, bool logarithm)
{
    size_t classes = call->layout.classes, end = first + count;
    struct group_scale scale = {.any_one_hot = false};
    for (size_t r = first; r < end; r += LANES) {
        group_columns x __attribute__((aligned(64))), y __attribute__((aligned(64))), c __attribute__((aligned(64)));
        vreal max[VECS], weighted[VECS] = {0};
        size_t rows = end - r < LANES ? end - r : LANES;
        size_t bad = group_open(x, max, call->logits, call->mask.allowed, call->mask.stride, call->layout, r, rows);
        if (bad < LANES)
            return invalid(r + bad, invalid_row);
        if (call->noise != NULL)
            group_perturb_rows(call, r, rows, x, max);
        if (r == first || call->temperature.stride != 0)
            group_scale(&scale, &call->temperature, false, r, rows);
        memcpy(y, x, classes * sizeof(y[0]));
        group_softmax(y, classes, max, &scale);
        group_load(c, call->cotangent, call->layout, r, rows);
        group_products(y, c, classes, logarithm);
        if (call->grad_temperature != NULL)
            group_weigh(y, x, classes, max, scale.scale, weighted);
        group_gradients(call, r, rows, y, weighted, &scale);
    }
    return CORE_OK;
}

#endif
