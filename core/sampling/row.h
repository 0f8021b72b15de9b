/* A row of logits on its way to be drawn from: bias and mask, the maximum, the temperature, what is left of it. */
#ifndef CORE_SAMPLING_ROW_H
#define CORE_SAMPLING_ROW_H

#include "sampling.h"
#include "simd/vec.h"

/* x = the row's logits with bias and mask, filled up with -inf to whole groups. */
static void row_gather(const struct core_categorical_call *call, size_t row, real *x, size_t columns)
{
    size_t classes = call->classes, inner = call->inner > 1 ? call->inner : 1;
    size_t start = row / inner * classes * inner + row % inner;
    const real *logits = (const real *)call->logits + start;
    for (size_t j = 0; j < classes && inner > 1; j++)
        x[j] = logits[j * inner];
    if (inner == 1)
        memcpy(x, logits, classes * sizeof(x[0]));
    for (size_t j = classes; j < columns; j++)
        x[j] = -__builtin_inff();
    for (size_t i = 0; i < call->bias.count; i++)
        x[call->bias.classes[i]] += (real)call->bias.bias[i];
    if (call->mask.allowed != NULL) {
        const uint8_t *allowed = call->mask.allowed + call->mask.stride * start;
        size_t step = call->mask.stride != 0 ? inner : 1;
        for (size_t j = 0; j < classes; j++)
            x[j] = allowed[j * step] != 0 ? x[j] : -__builtin_inff();
    }
}

/* A row of logits where it is to be read from: `whole` columns, a multiple of LANES, and then the tail, filled up with
 * -inf. */
struct logits_row {
    const real *x;
    size_t whole;
    real tail[LANES] __attribute__((aligned(64)));
};

/* In the call's own memory, or gathered in `x`, of `columns`, if they are not dense there or not as they count. */
static void logits_row_open(struct logits_row *row, const struct core_categorical_call *call, size_t r, real *x,
                            size_t columns)
{
    size_t classes = call->classes;
    if (call->inner <= 1 && call->bias.count == 0 && call->mask.allowed == NULL) {
        row->x = (const real *)call->logits + r * classes;
        row->whole = classes - classes % LANES;
    } else {
        row_gather(call, r, x, columns);
        row->x = x;
        row->whole = columns;
    }
    for (size_t l = 0; l < LANES; l++)
        row->tail[l] = row->whole + l < classes ? row->x[row->whole + l] : -__builtin_inff();
}

/* A running maximum, and whether all values were less than +inf, and none NaN. */
struct row_extent {
    vreal max[VECS];
    vint valid[VECS];
};

INLINE struct row_extent extent_of_nothing(void)
{
    struct row_extent extent;
    FOR_VECS (q) {
        extent.max[q] = vec_splat(-__builtin_inff());
        extent.valid[q] = vec_splat_int(-1);
    }
    return extent;
}

INLINE void extent_add(struct row_extent *extent, const real *x, size_t count) /* a multiple of LANES */
{
#pragma GCC unroll 4
    for (size_t j = 0; j < count; j += LANES)
        FOR_VECS (q) {
            vreal v = vec_load(x + j + q * VEC_LANES);
            extent->max[q] = vec_max(v, extent->max[q]);
            extent->valid[q] &= v <= REAL_MAX;
        }
}

/* The maximum, +0 for -0; false if the row has no answer. */
INLINE bool extent_max(const struct row_extent *extent, real *max)
{
    vreal greatest = extent->max[0];
    vint valid = extent->valid[0];
    for (int q = 1; q < VECS; q++) {
        greatest = vec_max(extent->max[q], greatest);
        valid &= extent->valid[q];
    }
    *max = vec_max_lane(greatest);
    return !vec_any(valid == 0) && *max >= -REAL_MAX;
}

/* The row's maximum, +0 for -0; false if the row has no answer. */
static bool logits_row_max(const struct logits_row *row, real *max)
{
    struct row_extent extent = extent_of_nothing();
    extent_add(&extent, row->x, row->whole);
    extent_add(&extent, row->tail, LANES);
    return extent_max(&extent, max);
}

/* x = (in - max) * scale, at least -REAL_MAX where `in` is above -inf; returns how many those are. */
static size_t row_scale(const real *in, real *x, size_t columns, real max, real scale)
{
    vint possible = vec_splat_int(0);
    size_t count = 0;
    for (size_t j = 0; j < columns; j += VEC_LANES) {
        vreal logit = vec_load(in + j);
        vint is_possible = logit >= -REAL_MAX;
        vreal d = vec_max((logit - max) * scale, vec_splat(-REAL_MAX));
        vec_store(x + j, vec_select(is_possible, d, vec_splat(-__builtin_inff())));
        possible -= is_possible;
    }
    for (int lane = 0; lane < VEC_LANES; lane++)
        count += (size_t)possible[lane];
    return count;
}

/* Moves the possible columns to the front of x, and notes in `list` which they were; fills both up to whole groups
 * and returns how many columns that makes. */
static size_t row_compact(real *x, size_t columns, uint32_t *list)
{
    size_t count = 0;
    for (size_t j = 0; j < columns; j += VEC_LANES)
        for (uint32_t bits = vec_bits(vec_load(x + j) >= -REAL_MAX); bits != 0; bits &= bits - 1) {
            uint32_t column = (uint32_t)j + (uint32_t)__builtin_ctz(bits);
            x[count] = x[column];
            list[count++] = column;
        }
    for (; count % LANES != 0; count++) {
        x[count] = -__builtin_inff();
        list[count] = 0;
    }
    return count;
}

#endif
