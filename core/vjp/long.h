/* Vector-Jacobian products of rows of many classes, dense and strided. */
#ifndef CORE_VJP_LONG_H
#define CORE_VJP_LONG_H

#include "vjp/rows.h"
#include "vjp/table.h"

_Static_assert(CORE_VJP_ROWS == LANES, "the scratch memory holds the rows that go together");

INLINE void no_gradient(const struct vjp_call *call, size_t row)
{
    memset(call->grad_logits + row * call->layout.classes, 0, call->layout.classes * sizeof(real));
    if (call->grad_temperature != NULL)
        call->grad_temperature[row] = 0.0f;
}

/* Makes z of the logits in y[i].in, and of `max` that of z. y[i].in becomes z: in the scratch memory if the
 * temperature's gradient wants it after the softmax, else where the softmax goes. */
INLINE void long_vjp_perturb(const struct vjp_call *call, size_t r, size_t count, struct long_row y[LONG_ROWS],
                             real max[LONG_ROWS])
{
    struct perturbation perturbation[LONG_ROWS];
    for (size_t i = 0; i < count; i++) {
        perturbation[i] = (struct perturbation){.source = source_of_row(call->noise, r + i, 0, 0),
                                                .scale = noise_scale(&call->noise_scale, r + i)};
        if (call->grad_temperature != NULL)
            y[i].out = call->scratch + i * call->layout.classes;
    }
    if (count == 1)
        long_row_perturb(&y[0], &max[0], &perturbation[0]);
    else
        long_rows_perturb(y, max, perturbation, count);
    for (size_t i = 0; i < count; i++) {
        y[i].in = y[i].out;
        y[i].out = call->grad_logits + (r + i) * call->layout.classes;
    }
}

/* The gradients of a row whose softmax is complete. */
INLINE void long_vjp_finish(const struct vjp_call *call, size_t r, struct long_row *y, const struct vjp_row *row,
                            bool logarithm)
{
    enum products products = logarithm ? LOG_SOFTMAX_GRADIENT : SOFTMAX_GRADIENT;
    if (call->grad_temperature == NULL)
        row_products(y, row, y->out, products, false);
    else
        call->grad_temperature[r] = temperature_gradient(row_products(y, row, y->out, products, true), row->scale);
    long_row_close(y);
}

/* Rows r .. r + count - 1, count at most LANES, or LONG_ROWS where there is noise. */
INLINE int long_vjp_rows(const struct vjp_call *call, size_t r, size_t count, size_t *invalid_row, bool logarithm)
{
    struct long_row y[LANES];
    struct vjp_row row[LANES];
    struct row_frames rows;
    size_t classes = call->layout.classes;
    row_frames_clear(&rows);
    for (size_t i = 0; i < count; i++) {
        size_t at = (r + i) * classes;
        const real *x = row_allowed(call->logits + at, call->scratch + i * classes, call->mask.allowed,
                                    call->mask.stride, r + i, classes);
        long_row_open(&y[i], x, call->grad_logits + at, classes);
        if (!long_row_max(&y[i], &rows.max[i]))
            return invalid(r + i, invalid_row);
        rows.temperature[i] = parameter(&call->temperature, r + i);
    }
    if (call->noise != NULL)
        long_vjp_perturb(call, r, count, y, rows.max);
    if (count >= MANY_ROWS)
        row_frames_open(&rows);
    for (size_t i = 0; i < count; i++) {
        const struct exp_frame frame = row_frame(&rows, i, count);
        row[i].x = y[i].in;
        row[i].c = call->cotangent + (r + i) * classes;
        row[i].max = rows.max[i];
        row[i].scale = frame.scale[0];
        memcpy(row[i].x_tail, y[i].tail, sizeof(row[i].x_tail));
        tail_load(row[i].c_tail, row[i].c + y[i].whole, classes % LANES, 0);
        rows.sum[i] = long_row_exp(&y[i], y[i].in, &frame, true);
    }
    for (size_t i = 0; i < count; i++)
        row[i].sum = row_share(&y[i], &row[i], rows.sum[i], logarithm);
    for (size_t i = 0; i < count; i++)
        if (rows.temperature[i] == 0)
            no_gradient(call, r + i);
        else
            long_vjp_finish(call, r + i, &y[i], &row[i], logarithm);
    return CORE_OK;
}

INLINE int long_vjp(const struct vjp_call *call, size_t first, size_t count, size_t *invalid_row, bool logarithm)
{
    size_t end = first + count, rows, most = core_rows_together(call->layout.classes, LANES);
    int status = CORE_OK;
    if (call->noise != NULL)
        most = call->layout.classes > NOISE_CHUNK ? 1 : LONG_ROWS;
    for (size_t r = first; r < end && status == CORE_OK; r += rows) {
        rows = end - r < most ? end - r : most;
        status = long_vjp_rows(call, r, rows, invalid_row, logarithm);
    }
    return status;
}

/* The part for the rows from `row` of the range on. */
INLINE struct core_rao_part rao_part_from(struct core_rao_part part, size_t row, size_t classes)
{
    if (part.sums != NULL)
        part.sums = (real *)part.sums + row * core_rao_sums(classes);
    return part;
}

typedef int dense_vjp(const struct vjp_call *call, size_t first, size_t count, size_t *invalid_row);

/* Strided rows by blocks of dense ones: logits, cotangents, gradients, and then what the dense rows need. */
INLINE int strided_vjp(const struct vjp_call *call, size_t first, size_t count, size_t *invalid_row, dense_vjp *dense)
{
    struct layout layout = call->layout;
    size_t end = first + count, rows, block_size = CORE_BLOCK_ROWS * layout.classes;
    real *x = call->scratch, *c = x + block_size, *grad = c + block_size;
    for (size_t r = first; r < end; r += rows) {
        size_t at = layout_row(layout, r);
        rows = layout_run(layout, r, end - r < CORE_BLOCK_ROWS ? end - r : CORE_BLOCK_ROWS);
        pack(x, call->logits, call->mask.allowed, call->mask.stride, layout, r, rows);
        block_pack(c, call->cotangent + at, layout, rows);
        struct core_noise noise;
        struct vjp_call block = {
            .logits = x,
            .cotangent = c,
            .layout = layout_of(layout.classes, 1),
            .temperature = per_row_from(call->temperature, r),
            .noise_scale = per_row_from(call->noise_scale, r),
            .samples = call->samples,
            .part = rao_part_from(call->part, r - first, layout.classes),
            .grad_logits = grad,
            .grad_temperature = call->grad_temperature == NULL ? NULL : call->grad_temperature + r,
            .scratch = grad + block_size,
        };
        if (call->noise != NULL) {
            noise = noise_from(*call->noise, r);
            block.noise = &noise;
        }
        if (dense(&block, 0, rows, invalid_row) != CORE_OK)
            return invalid(r + *invalid_row, invalid_row);
        block_unpack(call->grad_logits + at, grad, layout, rows);
    }
    return CORE_OK;
}

#endif
