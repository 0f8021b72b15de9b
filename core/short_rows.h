/* Rows of few classes, LANES rows at a time: lane l holds row l, so that no lane is idle and no sum crosses lanes.
 *
 * The group is transposed into columns[class][lane]; what is computed in a lane does not depend on the other lanes.
 * Sums take the order that long rows have, so a result does not depend on which rows share its group.
 */
#ifndef CORE_SHORT_ROWS_H
#define CORE_SHORT_ROWS_H

#include "noise.h"

#include <float.h>

/* Rows below so many classes are short: their group of columns fits the first-level cache with room to spare. */
#define SHORT_CLASSES 64

typedef float group_columns[SHORT_CLASSES][LANES];

/* 4 x 4 floats from rows that are from_stride apart to columns that are to_stride apart. */
INLINE void transpose_4x4(const float *from, size_t from_stride, float *to, size_t to_stride)
{
    typedef float four __attribute__((vector_size(16)));
    four r0, r1, r2, r3;
    memcpy(&r0, from, 16);
    memcpy(&r1, from + from_stride, 16);
    memcpy(&r2, from + 2 * from_stride, 16);
    memcpy(&r3, from + 3 * from_stride, 16);
    four r01_low = __builtin_shufflevector(r0, r1, 0, 4, 1, 5), r01_high = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
    four r23_low = __builtin_shufflevector(r2, r3, 0, 4, 1, 5), r23_high = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
    four c0 = __builtin_shufflevector(r01_low, r23_low, 0, 1, 4, 5);
    four c1 = __builtin_shufflevector(r01_low, r23_low, 2, 3, 6, 7);
    four c2 = __builtin_shufflevector(r01_high, r23_high, 0, 1, 4, 5);
    four c3 = __builtin_shufflevector(r01_high, r23_high, 2, 3, 6, 7);
    memcpy(to, &c0, 16);
    memcpy(to + to_stride, &c1, 16);
    memcpy(to + 2 * to_stride, &c2, 16);
    memcpy(to + 3 * to_stride, &c3, 16);
}

/* Rows of the matrix into columns; lanes without a row become rows of zeros. The last tile of a row overlaps the one
 * before it, so that nothing outside the row is touched. */
INLINE void group_load(group_columns columns, const float *rows, size_t count, size_t classes)
{
    if (count == LANES && classes >= 4) {
        for (size_t r = 0; r < LANES; r += 4)
            for (size_t j = 0; j < classes; j += 4) {
                size_t tile = j + 4 <= classes ? j : classes - 4;
                transpose_4x4(rows + r * classes + tile, classes, &columns[tile][r], LANES);
            }
        return;
    }
    for (size_t j = 0; j < classes; j++)
        for (size_t r = 0; r < LANES; r++)
            columns[j][r] = r < count ? rows[r * classes + j] : 0.0f;
}

INLINE void group_store(float *rows, group_columns columns, size_t count, size_t classes)
{
    if (count == LANES && classes >= 4) {
        for (size_t r = 0; r < LANES; r += 4)
            for (size_t j = 0; j < classes; j += 4) {
                size_t tile = j + 4 <= classes ? j : classes - 4;
                transpose_4x4(&columns[tile][r], LANES, rows + r * classes + tile, classes);
            }
        return;
    }
    for (size_t r = 0; r < count; r++)
        for (size_t j = 0; j < classes; j++)
            rows[r * classes + j] = columns[j][r];
}

/* The maximum of each lane, +0 for -0, and which lanes have an answer: no NaN or +inf, not only -inf. */
INLINE void group_max(group_columns columns, size_t classes, vfloat max[VECS], vint valid[VECS])
{
    FOR_VECS (q) {
        vfloat m = vec_splat(-__builtin_inff());
        vint below_inf = vec_splat_int(-1);
        for (size_t j = 0; j < classes; j++) {
            vfloat x = vec_load(columns[j] + q * VEC_LANES);
            m = vec_max(x, m);
            below_inf &= x <= FLT_MAX;
        }
        max[q] = m + 0.0f;
        valid[q] = below_inf & (m >= -FLT_MAX);
    }
}

/* The first lane that is not valid, or LANES. */
INLINE size_t group_first_invalid(const vint valid[VECS])
{
    vint invalid = vec_splat_int(0);
    FOR_VECS (q)
        invalid |= valid[q] == 0;
    if (!vec_any(invalid))
        return LANES;
    size_t lane = 0;
    while (valid[lane / VEC_LANES][lane % VEC_LANES] != 0)
        lane++;
    return lane;
}

/* In the lanes of the mask, the first occurrence of the maximum stays and all else becomes -inf: exp makes the exact
 * one-hot row of it. */
INLINE void group_sharpen(group_columns columns, size_t classes, const vfloat max[VECS], const vint mask[VECS])
{
    FOR_VECS (q) {
        vint before = vec_splat_int(-1); /* no maximum seen yet */
        for (size_t j = 0; j < classes; j++) {
            float *at = columns[j] + q * VEC_LANES;
            vfloat x = vec_load(at);
            vint first = before & (x == max[q]);
            before &= x != max[q];
            vec_store(at, vec_select(first | (mask[q] == 0), x, vec_splat(-__builtin_inff())));
        }
    }
}

/* columns = their exponentials. */
INLINE void group_exp(group_columns columns, size_t classes, const struct exp_frame frame[VECS], bool unscaled)
{
    for (size_t j = 0; j < classes; j++)
        FOR_VECS (q) {
            float *at = columns[j] + q * VEC_LANES;
            vec_store(at, vec_exp(&frame[q], vec_load(at), unscaled));
        }
}

/* The sum of each lane over the classes, in the order of a long row: sixteen partial sums (class j in sum j % 16),
 * then +8, +4, +2, +1. */
INLINE void group_sum(group_columns columns, size_t classes, vfloat sum[VECS])
{
    FOR_VECS (q) {
        vfloat part[16];
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++) {
            part[i] = vec_splat(0);
            for (size_t j = i; j < classes; j += 16)
                part[i] += vec_load(columns[j] + q * VEC_LANES);
        }
#pragma GCC unroll 4
        for (int half = 8; half > 0; half /= 2)
#pragma GCC unroll 8
            for (int i = 0; i < half; i++)
                part[i] += part[i + half];
        sum[q] = part[0];
    }
}

INLINE void group_softmax(group_columns columns, size_t classes, const vfloat max[VECS], const vfloat scale[VECS],
                          bool unscaled)
{
    struct exp_frame frame[VECS];
    vfloat sum[VECS], inverse[VECS];
    FOR_VECS (q)
        frame[q] = exp_frame(max[q], scale[q]);
    if (unscaled)
        group_exp(columns, classes, frame, true);
    else
        group_exp(columns, classes, frame, false);
    group_sum(columns, classes, sum);
    FOR_VECS (q)
        inverse[q] = 1.0f / sum[q];
    for (size_t j = 0; j < classes; j++)
        FOR_VECS (q) {
            float *at = columns[j] + q * VEC_LANES;
            vec_store(at, vec_divide(vec_load(at), sum[q], inverse[q]));
        }
}

INLINE void group_log_softmax(group_columns columns, size_t classes, const vfloat max[VECS], const vfloat scale[VECS])
{
    group_columns terms;
    struct exp_frame frame[VECS];
    vfloat offset[VECS];
    FOR_VECS (q)
        frame[q] = exp_frame(max[q], scale[q]);
    memcpy(terms, columns, classes * sizeof(terms[0]));
    group_exp(terms, classes, frame, false);
    group_sum(terms, classes, offset);
    FOR_VECS (q)
        offset[q] = 0.0f - vec_log(offset[q] / vec_exp(&frame[q], max[q], false)); /* never -0, so that no result is */
    for (size_t j = 0; j < classes; j++)
        FOR_VECS (q) {
            float *at = columns[j] + q * VEC_LANES;
            vec_store(at, vec_fma(vec_load(at) - max[q], scale[q], offset[q]));
        }
}

/* Where the noise of each lane's row comes from. */
struct group_source {
    uint64_t key[2][LANES], row[LANES];
    uint32_t draw;
};

/* words[class][lane], for whole blocks of four classes. */
INLINE void group_words(uint32_t words[SHORT_CLASSES][LANES], size_t classes, const struct group_source *source)
{
    for (size_t lane = 0; lane < LANES; lane += VEC_LANES) {
        struct philox_keys key[2];
        vwide row[2];
        for (size_t half = 0; half < 2; half++) {
            size_t at = lane + half * PHILOX_BLOCKS;
            key[half] = (struct philox_keys){{vec_load_wide(source->key[0] + at), vec_load_wide(source->key[1] + at)}};
            row[half] = vec_load_wide(source->row + at);
        }
        for (size_t j = 0; j < classes; j += 4) {
            struct philox_blocks blocks[2];
            for (size_t half = 0; half < 2; half++)
                blocks[half] = philox((struct philox_blocks){{vec_splat_wide(j / 4), row[half],
                                                              vec_splat_wide(source->draw), vec_splat_wide(0)}},
                                      key[half]);
            for (size_t i = 0; i < 4; i++)
                vec_store_words(words[j + i] + lane, philox_word(blocks[0].word[i], blocks[1].word[i]));
        }
    }
}

/* columns = z = (columns - max) - log E, and max becomes the maximum of z. The columns are valid. */
INLINE void group_perturb(group_columns columns, size_t classes, vfloat max[VECS], const struct group_source *source)
{
    uint32_t words[SHORT_CLASSES][LANES] __attribute__((aligned(64)));
    float noise[SHORT_CLASSES][LANES] __attribute__((aligned(64)));
    group_words(words, classes, source);
    exponentials(words[0], noise[0], classes * LANES);
    logarithms(noise[0], noise[0], classes * LANES);
    for (size_t j = 0; j < classes; j++)
        FOR_VECS (q) {
            float *at = columns[j] + q * VEC_LANES;
            vec_store(at, (vec_load(at) - max[q]) - vec_load(noise[j] + q * VEC_LANES));
        }
    vint valid[VECS];
    group_max(columns, classes, max, valid);
}

#endif
