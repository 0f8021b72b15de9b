/* Rows of few classes, LANES rows at a time: lane l holds row l, so that no lane is idle and no sum crosses lanes.
 *
 * The group is transposed into columns[class][lane]; what is computed in a lane does not depend on the other lanes.
 * Sums take the order that long rows have, so a result does not depend on which rows share its group.
 */
#ifndef CORE_SOFTMAX_SHORT_ROWS_H
#define CORE_SOFTMAX_SHORT_ROWS_H

#include "math/density.h"
#include "random/noise.h"
#include "simd/layout.h"
#include "softmax/perturbed.h"
#include "softmax/row_parameters.h"

/* Rows with fewer classes are short: a group of their columns takes a fraction of the first-level cache. */
#define SHORT_CLASSES 64

typedef real group_columns[SHORT_CLASSES][LANES];

/* Rows row .. row + count - 1 of the array into columns; lanes without a row become rows of zeros. Rows that lie side
 * by side are columns already. Of dense rows the last tile overlaps the one before it, so that nothing outside the row
 * is touched. */
INLINE void group_load(group_columns columns, const real *array, struct layout layout, size_t row, size_t count)
{
    size_t classes = layout.classes, step = layout.step;
    const real *rows = array + layout_row(layout, row);
    if (step == 1 && (count < LANES || classes < 4)) {
        for (size_t j = 0; j < classes; j++)
            for (size_t r = 0; r < LANES; r++)
                columns[j][r] = r < count ? rows[r * classes + j] : 0.0f;
        return;
    }
    if (step == 1) {
        for (size_t r = 0; r < LANES; r += FOURS_LANES)
            for (size_t j = 0; j < classes; j += 4) {
                size_t tile = j + 4 <= classes ? j : classes - 4;
                vfours v[4];
                for (size_t i = 0; i < 4; i++)
                    v[i] = fours_load(rows + (r + i) * classes + tile, 4 * classes);
                fours_transpose(v);
                for (size_t i = 0; i < 4; i++)
                    *(vfours_memory *)&columns[tile + i][r] = (vfours_memory)v[i];
            }
        return;
    }
    if (step > 1 && layout_run(layout, row, count) == LANES) {
        for (size_t j = 0; j < classes; j++)
            memcpy(columns[j], rows + j * step, sizeof(columns[j]));
        return;
    }
    size_t start[LANES];
    for (size_t r = 0; r < LANES; r++)
        start[r] = r < count ? layout_row(layout, row + r) : 0;
    for (size_t j = 0; j < classes; j++)
        for (size_t r = 0; r < LANES; r++)
            columns[j][r] = r < count ? array[start[r] + j * step] : 0.0f;
}

INLINE void group_store(real *array, struct layout layout, size_t row, group_columns columns, size_t count)
{
    size_t classes = layout.classes, step = layout.step;
    real *rows = array + layout_row(layout, row);
    if (step == 1 && (count < LANES || classes < 4)) {
        for (size_t r = 0; r < count; r++)
            for (size_t j = 0; j < classes; j++)
                rows[r * classes + j] = columns[j][r];
        return;
    }
    if (step == 1) {
        for (size_t r = 0; r < LANES; r += FOURS_LANES)
            for (size_t j = 0; j < classes; j += 4) {
                size_t tile = j + 4 <= classes ? j : classes - 4;
                vfours v[4];
                for (size_t i = 0; i < 4; i++)
                    v[i] = (vfours) * (const vfours_memory *)&columns[tile + i][r];
                fours_transpose(v);
                for (size_t i = 0; i < 4; i++)
                    fours_store(rows + (r + i) * classes + tile, 4 * classes, v[i]);
            }
        return;
    }
    if (step > 1 && layout_run(layout, row, count) == LANES) {
        for (size_t j = 0; j < classes; j++)
            memcpy(rows + j * step, columns[j], sizeof(columns[j]));
        return;
    }
    for (size_t r = 0; r < count; r++) {
        real *to = array + layout_row(layout, row + r);
        for (size_t j = 0; j < classes; j++)
            to[j * step] = columns[j][r];
    }
}

/* Makes -inf of what the mask's bytes exclude: one row of them for all lanes, or one for each. */
INLINE void group_mask(group_columns columns, const uint8_t *allowed, size_t stride, struct layout layout, size_t row,
                       size_t count)
{
    if (stride == 0) {
        for (size_t j = 0; j < layout.classes; j++)
            if (allowed[j] == 0)
                FOR_VECS (q)
                    vec_store(columns[j] + q * VEC_LANES, vec_splat(-__builtin_inff()));
        return;
    }
    if (layout.step > 1 && layout_run(layout, row, count) == LANES) {
        allowed += layout_row(layout, row);
        for (size_t j = 0; j < layout.classes; j++)
            FOR_VECS (q) {
                real *at = columns[j] + q * VEC_LANES;
                vint mask = vec_load_bytes(allowed + j * layout.step + q * VEC_LANES) != 0;
                vec_store(at, vec_possible(mask, vec_load(at)));
            }
        return;
    }
    for (size_t r = 0; r < count; r++) {
        const uint8_t *from = allowed + layout_row(layout, row + r);
        for (size_t j = 0; j < layout.classes; j++)
            columns[j][r] = from[j * layout.step] != 0 ? columns[j][r] : -__builtin_inff();
    }
}

/* The maximum of each lane, +0 for -0, and which lanes are valid: no NaN, no +inf, not only -inf. */
INLINE void group_max(group_columns columns, size_t classes, vreal max[VECS], vint valid[VECS])
{
    FOR_VECS (q) {
        vreal m = vec_splat(-__builtin_inff());
        vint below_inf = vec_splat_int(-1);
        for (size_t j = 0; j < classes; j++) {
            vreal x = vec_load(columns[j] + q * VEC_LANES);
            m = vec_max(x, m);
            below_inf &= x <= REAL_MAX;
        }
        max[q] = m + 0.0f;
        valid[q] = below_inf & (m >= -REAL_MAX);
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

/* Loads a group of rows and takes its maxima. Returns the first lane that is not valid, or LANES. */
INLINE size_t group_open(group_columns columns, vreal max[VECS], const real *logits, const uint8_t *allowed,
                         size_t stride, struct layout layout, size_t row, size_t count)
{
    vint valid[VECS];
    group_load(columns, logits, layout, row, count);
    if (allowed != NULL)
        group_mask(columns, allowed, stride, layout, row, count);
    group_max(columns, layout.classes, max, valid);
    return group_first_invalid(valid);
}

/* In the lanes of the mask, the first occurrence of the maximum stays and all else becomes -inf: exp makes the exact
 * one-hot row of it. */
INLINE void group_one_hot(group_columns columns, size_t classes, const vreal max[VECS], const vint mask[VECS])
{
    FOR_VECS (q) {
        vint before = vec_splat_int(-1); /* no maximum seen yet */
        for (size_t j = 0; j < classes; j++) {
            real *at = columns[j] + q * VEC_LANES;
            vreal x = vec_load(at);
            vint first = before & (x == max[q]);
            before &= x != max[q];
            vec_store(at, vec_possible(first | (mask[q] == 0), x));
        }
    }
}

/* columns = their exponentials. */
INLINE void group_exp(group_columns columns, size_t classes, const struct exp_frame frame[VECS], bool unscaled)
{
    for (size_t j = 0; j < classes; j++)
        FOR_VECS (q) {
            real *at = columns[j] + q * VEC_LANES;
            vec_store(at, vec_exp(&frame[q], vec_load(at), unscaled));
        }
}

/* The sum of a b of each lane over the classes, or of b if `a` is NULL, in the order of a long row: sixteen partial
 * sums (class j in sum j % 16), then +8, +4, +2, +1. */
INLINE void group_dot(const real (*a)[LANES], const real (*b)[LANES], size_t classes, vreal sum[VECS])
{
    FOR_VECS (q) {
        vreal part[16];
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++) {
            part[i] = vec_splat(0);
            for (size_t j = i; j < classes; j += 16) {
                vreal v = vec_load(b[j] + q * VEC_LANES);
                part[i] = a == NULL ? v + part[i] : vec_fma(vec_load(a[j] + q * VEC_LANES), v, part[i]);
            }
        }
#pragma GCC unroll 4
        for (int half = 8; half > 0; half /= 2)
#pragma GCC unroll 8
            for (int i = 0; i < half; i++)
                part[i] += part[i + half];
        sum[q] = part[0];
    }
}

INLINE void group_sum(group_columns columns, size_t classes, vreal sum[VECS])
{
    group_dot(NULL, columns, classes, sum);
}

/* The temperature of each lane of a group. */
struct group_scale {
    vreal temperature[VECS], scale[VECS]; /* T, and 1 / T */
    vint one_hot[VECS];                   /* the lanes that are to become one-hot rows */
    bool any_one_hot, unscaled;           /* whether there are any; whether all of scale is 1 */
};

/* Of rows row .. row + count - 1; further lanes repeat the first. */
INLINE void group_scale(struct group_scale *g, const struct core_per_row *temperature, bool hard, size_t row,
                        size_t count)
{
    real temperatures[LANES], scale[LANES];
    lane_int one_hot[LANES];
    g->any_one_hot = false;
    g->unscaled = true;
    for (size_t lane = 0; lane < LANES; lane++) {
        real t = parameter(temperature, row + (lane < count ? lane : 0));
        temperatures[lane] = t;
        scale[lane] = inverse(t);
        one_hot[lane] = hard || t == 0.0f ? -1 : 0;
        g->any_one_hot |= one_hot[lane] != 0;
        g->unscaled &= scale[lane] == 1.0f;
    }
    FOR_VECS (q) {
        g->temperature[q] = vec_load(temperatures + q * VEC_LANES);
        g->scale[q] = vec_load(scale + q * VEC_LANES);
        g->one_hot[q] = vec_load_ints(one_hot + q * VEC_LANES);
    }
}

INLINE void group_frames(struct exp_frame frame[VECS], const vreal max[VECS], const struct group_scale *scale)
{
    FOR_VECS (q)
        frame[q] = exp_frame_at(max[q], scale->scale[q], scale->temperature[q]);
}

/* columns = their exponentials, up to a factor, and the sum of each lane. */
INLINE void group_exponentials(group_columns columns, size_t classes, const vreal max[VECS],
                               const struct group_scale *scale, vreal sum[VECS])
{
    struct exp_frame frame[VECS];
    group_frames(frame, max, scale);
    if (scale->unscaled)
        group_exp(columns, classes, frame, true);
    else
        group_exp(columns, classes, frame, false);
    group_sum(columns, classes, sum);
}

/* columns = columns / sum, which completes a softmax. */
INLINE void group_divide(group_columns columns, size_t classes, const vreal sum[VECS])
{
    vreal inverse[VECS];
    FOR_VECS (q)
        inverse[q] = 1.0f / sum[q];
    for (size_t j = 0; j < classes; j++)
        FOR_VECS (q) {
            real *at = columns[j] + q * VEC_LANES;
            vec_store(at, vec_divide(vec_load(at), sum[q], inverse[q]));
        }
}

INLINE void group_softmax(group_columns columns, size_t classes, const vreal max[VECS], const struct group_scale *scale)
{
    vreal sum[VECS];
    group_exponentials(columns, classes, max, scale, sum);
    group_divide(columns, classes, sum);
}

INLINE void group_log_softmax(group_columns columns, size_t classes, const vreal max[VECS],
                              const struct group_scale *scale)
{
    group_columns terms __attribute__((aligned(64)));
    struct exp_frame frame[VECS];
    vreal offset[VECS];
    group_frames(frame, max, scale);
    memcpy(terms, columns, classes * sizeof(terms[0]));
    group_exp(terms, classes, frame, false);
    group_sum(terms, classes, offset);
    FOR_VECS (q)
        offset[q] = 0.0f - vec_log(offset[q] / vec_exp(&frame[q], max[q], false)); /* never -0, so that no result is */
    for (size_t j = 0; j < classes; j++)
        FOR_VECS (q) {
            real *at = columns[j] + q * VEC_LANES;
            vec_store(at, vec_fma(vec_load(at) - max[q], scale->scale[q], offset[q]));
        }
}

/* Where the noise of each lane's row comes from. */
struct group_source {
    uint64_t key[2][LANES], row[LANES];
    uint32_t draw;
    const struct core_noise *noise; /* of rows first .. first + count - 1 */
    size_t first, count;
};

INLINE void group_source(struct group_source *g, const struct core_noise *noise, size_t row, size_t count)
{
    bool own = noise->stride != 0; /* a seed of its own for each row */
    g->draw = noise->draw;
    g->noise = noise;
    g->first = row;
    g->count = count;
    for (size_t lane = 0; lane < LANES; lane++) {
        g->key[0][lane] = (uint32_t)noise->seed[0];
        g->key[1][lane] = noise->seed[0] >> 32;
        g->row[lane] = (uint32_t)(noise->row_offset + (own ? 0 : noise->row + row + lane));
    }
    for (size_t lane = 0; own && lane < count; lane++) {
        g->key[0][lane] = (uint32_t)noise->seed[row + lane];
        g->key[1][lane] = noise->seed[row + lane] >> 32;
    }
}

/* The noise's scale of each lane; false if all are 1. */
INLINE bool group_noise_scale(vreal scale[VECS], const struct core_per_row *noise, size_t row, size_t count)
{
    real s[LANES];
    bool scaled = false;
    if (noise->value == NULL)
        return false;
    for (size_t lane = 0; lane < LANES; lane++) {
        s[lane] = noise_scale(noise, row + (lane < count ? lane : 0));
        scaled |= s[lane] != 1.0f;
    }
    FOR_VECS (q)
        scale[q] = vec_load(s + q * VEC_LANES);
    return scaled;
}

/* random[class][lane], for whole blocks of four classes. */
INLINE void group_random(lane_uint random[SHORT_CLASSES][LANES], size_t classes, const struct group_source *source,
                         uint32_t tag)
{
    for (size_t lane = 0; lane < LANES; lane += VEC_LANES)
        for (size_t j = 0; j < classes; j += 4) {
            vuint u[4];
            const uint64_t *key[2] = {source->key[0] + lane, source->key[1] + lane};
            noise_random_lanes(u, j / 4, key, source->row + lane, source->draw, tag);
            for (size_t i = 0; i < 4; i++)
                vec_store_uints(random[j + i] + lane, u[i]);
        }
}

/* E of each lane's row from a stream that is not v1; 1 in further lanes. Where rows follow one another in the stream
 * they are made together. */
static __attribute__((noinline, unused)) void group_stream(group_columns e, size_t classes,
                                                           const struct group_source *source)
{
    real made[LANES * SHORT_CLASSES + LANES];
    const bool dense = source->noise->stride == 0 && source->noise->whole.inner <= 1;
    const size_t together = dense ? source->count : 1;
    for (size_t j = 0; j < classes; j++)
        for (size_t lane = source->count; lane < LANES; lane++)
            e[j][lane] = 1.0f;
    for (size_t lane = 0; lane < source->count; lane++) {
        const real *row = made + lane % together * classes;
        if (lane % together == 0) {
            const struct noise_source of = source_of_row(source->noise, source->first + lane,
                                                         source->draw - source->noise->draw, 0);
            stream_of_classes(made, 0, (together * classes + LANES - 1) / LANES * LANES, &of);
        }
        for (size_t j = 0; j < classes; j++)
            e[j][lane] = row[j];
    }
}

/* E of each lane's row, for whole blocks of four classes. */
INLINE void group_noise_exponentials(group_columns e, size_t classes, const struct group_source *source, uint32_t tag)
{
    lane_uint random[SHORT_CLASSES][LANES] __attribute__((aligned(64)));
    if (tag == 0 && source->noise->rng != CORE_RNG_V1) {
        group_stream(e, classes, source);
        return;
    }
    group_random(random, classes, source, tag);
    noise_exponentials(random[0], e[0], classes * LANES);
}

/* E and log E, which may be the same array. */
INLINE void group_noise(group_columns e, group_columns log_e, size_t classes, const struct group_source *source)
{
    group_noise_exponentials(e, classes, source, 0);
    noise_logarithms(e[0], log_e[0], classes * LANES);
}

/* to = x + s g. s may be NULL, which means 1. */
INLINE void group_perturbed(group_columns to, group_columns x, size_t classes, group_columns log_e, const vreal *s)
{
    for (size_t j = 0; j < classes; j++)
        FOR_VECS (q) {
            vreal v = vec_load(x[j] + q * VEC_LANES), l = vec_load(log_e[j] + q * VEC_LANES);
            vec_store(to[j] + q * VEC_LANES, vec_perturbed(v, l, s != NULL, s != NULL ? s[q] : vec_splat(1)));
        }
}

/* columns = z = (columns - max) - s log E, and max becomes the maximum of z. The columns are valid. s may be NULL,
 * which means 1. */
INLINE void group_perturb(group_columns columns, size_t classes, vreal max[VECS], group_columns log_e, const vreal *s)
{
    for (size_t j = 0; j < classes; j++)
        FOR_VECS (q) {
            real *at = columns[j] + q * VEC_LANES;
            vreal x = vec_load(at) - max[q], l = vec_load(log_e[j] + q * VEC_LANES);
            vec_store(at, s == NULL ? x - l : vec_fma(-s[q], l, x));
        }
    vint valid[VECS];
    group_max(columns, classes, max, valid);
}

/* columns = -columns, with +0 for zero: log E becomes g. */
INLINE void group_negate(group_columns columns, size_t classes)
{
    for (size_t j = 0; j < classes; j++)
        FOR_VECS (q) {
            real *at = columns[j] + q * VEC_LANES;
            vec_store(at, 0.0f - vec_load(at));
        }
}

/* The class of the first maximum of each lane. */
INLINE void group_first_maxima(group_columns columns, size_t classes, const vreal max[VECS], vint index[VECS])
{
    FOR_VECS (q) {
        index[q] = vec_splat_int(0);
        for (size_t j = classes; j-- > 0;) {
            vint hit = vec_load(columns[j] + q * VEC_LANES) == max[q];
            index[q] = (hit & (lane_int)j) | (~hit & index[q]);
        }
    }
}

INLINE void group_indices(int32_t *indices, group_columns columns, size_t classes, const vreal max[VECS], size_t count)
{
    vint index[VECS];
    group_first_maxima(columns, classes, max, index);
    for (size_t lane = 0; lane < count; lane++)
        indices[lane] = (int32_t)index[lane / VEC_LANES][lane % VEC_LANES];
}

/* What the density of each lane's row needs of the noise of its possible classes: those with z > -inf. */
INLINE void group_tally(struct density_tally tally[LANES], group_columns z, group_columns e, group_columns log_e,
                        size_t classes)
{
    group_columns terms[2] __attribute__((aligned(64)));
    vreal sum[2][VECS];
    vint possible[VECS];
    FOR_VECS (q)
        possible[q] = vec_splat_int(0);
    for (size_t j = 0; j < classes; j++)
        FOR_VECS (q) {
            vint here = vec_load(z[j] + q * VEC_LANES) >= -REAL_MAX;
            vec_store(terms[0][j] + q * VEC_LANES, vec_keep(here, vec_load(e[j] + q * VEC_LANES)));
            vec_store(terms[1][j] + q * VEC_LANES, vec_keep(here, vec_load(log_e[j] + q * VEC_LANES)));
            possible[q] -= here;
        }
    group_sum(terms[0], classes, sum[0]);
    group_sum(terms[1], classes, sum[1]);
    for (size_t lane = 0; lane < LANES; lane++) {
        size_t q = lane / VEC_LANES, l = lane % VEC_LANES;
        tally[lane] = (struct density_tally){possible[q][l], sum[0][q][l], sum[1][q][l]};
    }
}

#endif
