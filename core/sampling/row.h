/* A row of logits before its draws: bias and mask, the maximum, the temperature, the classes that the filters kept. */
#ifndef CORE_SAMPLING_ROW_H
#define CORE_SAMPLING_ROW_H

#include "sampling.h"
#include "sampling/penalties.h"
#include "softmax/long_rows.h"

/* Where the logits of a row lie: at start, start + step, .. */
struct row_place {
    size_t start, step;
};

INLINE struct row_place row_place(const struct core_categorical_call *call, size_t row)
{
    size_t inner = call->inner > 1 ? call->inner : 1;
    return (struct row_place){row / inner * call->classes * inner + row % inner, inner};
}

/* x = the row's logits with mask and, unless it is raw, bias and penalties, filled up with -inf to whole groups. */
static void row_gather(const struct core_categorical_call *call, size_t row, bool raw, real *x, size_t columns)
{
    struct row_place place = row_place(call, row);
    size_t classes = call->classes, inner = place.step, start = place.start;
    const real *logits = (const real *)call->logits + start;
    for (size_t j = 0; j < classes && inner > 1; j++)
        x[j] = logits[j * inner];
    if (inner == 1)
        memcpy(x, logits, classes * sizeof(x[0]));
    for (size_t j = classes; j < columns; j++)
        x[j] = -__builtin_inff();
    for (size_t i = 0; i < call->bias.count && !raw; i++)
        x[call->bias.classes[i]] += (real)call->bias.bias[i];
    if (call->mask.allowed != NULL) {
        const uint8_t *allowed = call->mask.allowed + call->mask.stride * start;
        size_t step = call->mask.stride != 0 ? inner : 1;
        for (size_t j = 0; j < classes; j++)
            x[j] = allowed[j * step] != 0 ? x[j] : -__builtin_inff();
    }
    if (any_penalty(&call->penalties) && !raw)
        penalize(&call->penalties, row, x);
}

/* Whether the logits drawn from are others than those that came. */
INLINE bool is_changed(const struct core_categorical_call *call)
{
    return call->bias.count > 0 || any_penalty(&call->penalties);
}

/* Opens the row where it is to be read from: in the call's own memory, or gathered in x, of `columns`, where the logits
 * are strided, biased, masked or penalized; without bias and penalties if it is raw. Sets *max, +0 for -0; false if the
 * row is invalid. */
static bool row_open(struct long_row *row, const struct core_categorical_call *call, size_t r, bool raw, real *x,
                     size_t columns, real *max)
{
    if (call->inner > 1 || (is_changed(call) && !raw) || call->mask.allowed != NULL) {
        row_gather(call, r, raw, x, columns);
        long_row_open(row, x, NULL, columns);
    } else {
        long_row_open(row, (const real *)call->logits + r * call->classes, NULL, call->classes);
    }
    return long_row_max(row, max);
}

/* x = (in - max) * scale, at least -REAL_MAX where `in` is above -inf; returns how many those are. */
static size_t row_scale(const real *in, real *x, size_t columns, real max, real scale)
{
    vint possible = vec_splat_int(0);
    for (size_t j = 0; j < columns; j += VEC_LANES) {
        vreal logit = vec_load(in + j);
        vint is_possible = logit >= -REAL_MAX;
        vreal d = vec_max((logit - max) * scale, vec_splat(-REAL_MAX));
        vec_store(x + j, vec_possible(is_possible, d));
        possible -= is_possible;
    }
    return vec_sum_ints(possible);
}

/* Moves the possible columns to the front of x and lists their classes; fills both up to whole groups, and returns
 * how many columns that makes. */
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
