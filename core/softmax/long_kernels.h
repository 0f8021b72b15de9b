/* softmax, log_softmax and gumbel_softmax of rows of many classes, dense and strided. kernels.c defines the results. */
#ifndef CORE_SOFTMAX_LONG_KERNELS_H
#define CORE_SOFTMAX_LONG_KERNELS_H

#include "simd/layout.h"
#include "softmax/long_rows.h"
#include "softmax/row_frames.h"
#include "softmax/row_parameters.h"
#include "softmax/table.h"

/* The logits of a dense row: as they are, or where there is a mask, masked in `out`. */
INLINE const real *row_allowed(const real *logits, real *out, const uint8_t *allowed, size_t stride, size_t row,
                               size_t classes)
{
    if (allowed == NULL)
        return logits;
    long_row_mask(out, logits, allowed + (stride == 0 ? 0 : row * classes), classes);
    return out;
}

/* Rows r .. r + count - 1, count at most LANES. */
INLINE int long_rows_softmax(const struct core_softmax_call *call, size_t r, size_t count, size_t *invalid_row,
                             bool logarithm)
{
    struct long_row row[LANES];
    struct row_frames rows;
    size_t classes = call->classes;
    row_frames_clear(&rows);
    for (size_t i = 0; i < count; i++) {
        real *out = (real *)call->result + (r + i) * classes;
        const real *logits = (const real *)call->logits + (r + i) * classes;
        logits = row_allowed(logits, out, call->mask.allowed, call->mask.stride, r + i, classes);
        long_row_open(&row[i], logits, out, classes);
        if (!long_row_max(&row[i], &rows.max[i]))
            return invalid(r + i, invalid_row);
        rows.temperature[i] = parameter(&call->temperature, r + i);
    }
    if (logarithm || count >= MANY_ROWS)
        row_frames_open(&rows);
    for (size_t i = 0; i < count; i++) {
        const struct exp_frame frame = row_frame(&rows, i, count);
        rows.sum[i] = long_row_exp(&row[i], row[i].in, &frame, !logarithm);
    }
    if (logarithm)
        row_frames_log(&rows);
    for (size_t i = 0; i < count; i++)
        if (logarithm)
            long_row_subtract(&row[i], rows.max[i], rows.temperature[i], rows.sum[i]);
        else
            long_row_divide(&row[i], rows.sum[i]);
    return CORE_OK;
}

/* The limit of temperature 0. */
static int long_row_limit(const struct core_softmax_call *call, size_t r, size_t *invalid_row, bool logarithm)
{
    struct long_row row;
    real max, *out = (real *)call->result + r * call->classes;
    const real *logits = (const real *)call->logits + r * call->classes;
    logits = row_allowed(logits, out, call->mask.allowed, call->mask.stride, r, call->classes);
    long_row_open(&row, logits, out, call->classes);
    if (!long_row_max(&row, &max))
        return invalid(r, invalid_row);
    long_row_one_hot(out, call->classes, long_row_find(&row, row.in, max), logarithm ? 0.0f : 1.0f,
                     logarithm ? -__builtin_inff() : 0.0f);
    return CORE_OK;
}

INLINE int long_softmax(const struct core_softmax_call *call, size_t first, size_t count, size_t *invalid_row,
                        bool logarithm)
{
    size_t end = first + count, rows, most = core_rows_together(call->classes, LANES);
    int status = CORE_OK;
    for (size_t r = first; r < end && status == CORE_OK; r += rows) {
        rows = 0;
        while (rows < most && r + rows < end && parameter(&call->temperature, r + rows) != 0.0f)
            rows++;
        if (rows > 0) {
            status = long_rows_softmax(call, r, rows, invalid_row, logarithm);
        } else {
            rows = 1;
            status = long_row_limit(call, r, invalid_row, logarithm);
        }
    }
    return status;
}

/* log_soft of a row, from z in the row's `out` and `tail`; tau > 0. */
static __attribute__((noinline, unused)) void long_row_log_soft(const struct long_row *z, real *result, real max,
                                                                real tau)
{
    struct long_row row;
    const struct exp_frame frame = long_row_frame(max, tau);
    memcpy(result, z->out, z->whole * sizeof(real));
    copy_few(result + z->whole, z->tail, z->classes % LANES);
    long_row_open(&row, result, result, z->classes);
    real sum = long_row_exp(&row, result, &frame, false);
    vreal log_sum = vec_log(vec_splat(sum) / vec_exp(&frame, vec_splat(max), false));
    long_row_subtract(&row, max, tau, log_sum[0]);
}

/* The index and the one-hot rows, from z in the row's `out`. */
INLINE void long_row_pick(const struct core_gumbel_softmax_call *call, size_t r, const struct long_row *row, real max)
{
    size_t classes = call->classes, at = r * classes;
    real tau = parameter(&call->tau, r);
    if (!call->hard && tau != 0.0f && call->indices == NULL)
        return;
    size_t column = long_row_find(row, row->out, max);
    if (call->indices != NULL)
        call->indices[r] = (int32_t)column;
    if (call->hard || tau == 0.0f)
        long_row_one_hot((real *)call->samples + at, classes, column, 1.0f, 0.0f);
    if (tau == 0.0f && call->soft != NULL)
        long_row_one_hot((real *)call->soft + at, classes, column, 1.0f, 0.0f);
    if (tau == 0.0f && call->log_soft != NULL)
        long_row_one_hot((real *)call->log_soft + at, classes, column, 0.0f, -__builtin_inff());
}

/* Rows r .. r + count - 1, count at most LONG_ROWS. */
static __attribute__((noinline, unused)) int long_rows_gumbel_softmax(const struct core_gumbel_softmax_call *call,
                                                                      size_t r, size_t count, size_t *invalid_row)
{
    struct long_row row[LONG_ROWS];
    struct density_tally tally[LONG_ROWS] = {{0, 0, 0}};
    struct perturbation perturbation[LONG_ROWS];
    real max[LONG_ROWS], sum[LONG_ROWS];
    size_t classes = call->classes;
    for (size_t i = 0; i < count; i++) {
        size_t at = (r + i) * classes;
        real *out = (real *)(call->hard && call->soft != NULL ? call->soft : call->samples) + at;
        const real *in = (const real *)call->logits + at;
        in = row_allowed(in, out, call->mask.allowed, call->mask.stride, r + i, classes);
        perturbation[i] = (struct perturbation){
            .source = source_of_row(&call->noise, r + i, 0, 0),
            .scale = noise_scale(&call->noise_scale, r + i),
            .gumbel = call->gumbel == NULL ? NULL : (real *)call->gumbel + at,
            .perturbed = call->perturbed == NULL ? NULL : (real *)call->perturbed + at,
            .tally = call->log_density == NULL ? NULL : &tally[i],
        };
        long_row_open(&row[i], in, out, classes);
        if (!long_row_max(&row[i], &max[i]))
            return invalid(r + i, invalid_row);
    }
    if (classes <= NOISE_CHUNK)
        long_rows_perturb(row, max, perturbation, count);
    for (size_t i = 0; classes > NOISE_CHUNK && i < count; i++)
        long_row_perturb(&row[i], &max[i], &perturbation[i]);
    for (size_t i = 0; i < count; i++) {
        real tau = parameter(&call->tau, r + i);
        if (call->log_density != NULL)
            ((real *)call->log_density)[r + i] = density_log(&tally[i], tau, perturbation[i].scale);
        long_row_pick(call, r + i, &row[i], max[i]);
        sum[i] = 0;
        if (tau != 0.0f && call->log_soft != NULL)
            long_row_log_soft(&row[i], (real *)call->log_soft + (r + i) * classes, max[i], tau);
        if (tau != 0.0f && (!call->hard || call->soft != NULL))
            sum[i] = long_row_exponentials(&row[i], row[i].out, max[i], tau);
    }
    for (size_t i = 0; i < count; i++) {
        if (sum[i] == 0)
            continue;
        long_row_divide(&row[i], sum[i]);
        if (!call->hard && call->soft != NULL)
            memcpy((real *)call->soft + (r + i) * classes, row[i].out, classes * sizeof(real));
    }
    return CORE_OK;
}

INLINE int long_gumbel_softmax(const struct core_gumbel_softmax_call *call, size_t first, size_t count,
                               size_t *invalid_row)
{
    size_t end = first + count, rows, most = core_rows_together(call->classes, LONG_ROWS);
    int status = CORE_OK;
    for (size_t r = first; r < end && status == CORE_OK; r += rows) {
        rows = end - r < most ? end - r : most;
        status = long_rows_gumbel_softmax(call, r, rows, invalid_row);
    }
    return status;
}

/* Packs rows row .. row + count - 1, which lie side by side, and makes -inf of what a mask excludes. */
INLINE void pack(real *block, const real *logits, const uint8_t *allowed, size_t stride, struct layout layout,
                 size_t row, size_t count)
{
    size_t at = layout_row(layout, row);
    block_pack(block, logits + at, layout, count);
    if (allowed != NULL && stride != 0)
        block_mask(block, allowed + at, layout, count);
    for (size_t i = 0; allowed != NULL && stride == 0 && i < count; i++)
        long_row_mask(block + i * layout.classes, block + i * layout.classes, allowed, layout.classes);
}

INLINE int strided_softmax(const struct core_softmax_call *call, size_t first, size_t count, size_t *invalid_row,
                           bool logarithm)
{
    struct layout layout = layout_of(call->classes, call->inner);
    size_t end = first + count, rows;
    for (size_t r = first; r < end; r += rows) {
        rows = layout_run(layout, r, end - r < CORE_BLOCK_ROWS ? end - r : CORE_BLOCK_ROWS);
        pack(call->scratch, call->logits, call->mask.allowed, call->mask.stride, layout, r, rows);
        struct core_softmax_call block = {
            .logits = call->scratch,
            .classes = call->classes,
            .temperature = per_row_from(call->temperature, r),
            .result = call->scratch,
        };
        if (long_softmax(&block, 0, rows, invalid_row, logarithm) != CORE_OK)
            return invalid(r + *invalid_row, invalid_row);
        block_unpack((real *)call->result + layout_row(layout, r), block.result, layout, rows);
    }
    return CORE_OK;
}

/* A further block in the scratch memory, if that result is wanted. */
INLINE real *next_block(real **blocks, const void *wanted, size_t block_size)
{
    if (wanted == NULL)
        return NULL;
    real *block = *blocks;
    *blocks += block_size;
    return block;
}

INLINE void unpack_result(void *result, const void *block, struct layout layout, size_t row, size_t count)
{
    if (result != NULL)
        block_unpack((real *)result + layout_row(layout, row), block, layout, count);
}

INLINE int strided_gumbel_softmax(const struct core_gumbel_softmax_call *call, size_t first, size_t count,
                                  size_t *invalid_row)
{
    struct layout layout = layout_of(call->classes, call->inner);
    size_t end = first + count, rows, block_size = CORE_BLOCK_ROWS * call->classes;
    for (size_t r = first; r < end; r += rows) {
        real *blocks = (real *)call->scratch + block_size;
        rows = layout_run(layout, r, end - r < CORE_BLOCK_ROWS ? end - r : CORE_BLOCK_ROWS);
        pack(call->scratch, call->logits, call->mask.allowed, call->mask.stride, layout, r, rows);
        struct core_gumbel_softmax_call block = {
            .logits = call->scratch,
            .classes = call->classes,
            .tau = per_row_from(call->tau, r),
            .hard = call->hard,
            .noise = noise_from(call->noise, r),
            .samples = call->scratch,
            .noise_scale = per_row_from(call->noise_scale, r),
            .indices = call->indices == NULL ? NULL : call->indices + r,
            .log_density = call->log_density == NULL ? NULL : (real *)call->log_density + r,
        };
        block.soft = next_block(&blocks, call->soft, block_size);
        block.gumbel = next_block(&blocks, call->gumbel, block_size);
        block.log_soft = next_block(&blocks, call->log_soft, block_size);
        block.perturbed = next_block(&blocks, call->perturbed, block_size);
        if (long_gumbel_softmax(&block, 0, rows, invalid_row) != CORE_OK)
            return invalid(r + *invalid_row, invalid_row);
        unpack_result(call->samples, block.samples, layout, r, rows);
        unpack_result(call->soft, block.soft, layout, r, rows);
        unpack_result(call->gumbel, block.gumbel, layout, r, rows);
        unpack_result(call->log_soft, block.log_soft, layout, r, rows);
        unpack_result(call->perturbed, block.perturbed, layout, r, rows);
    }
    return CORE_OK;
}

#endif
