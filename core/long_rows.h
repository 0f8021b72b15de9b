/* Rows of many classes, one row at a time: passes over its columns, LANES of them a step.
 *
 * The columns after the last whole group of LANES are copied to a `tail` of LANES floats, filled up with -inf, which
 * adds nothing to a maximum or a sum: so no pass has a special case for them, nothing outside the row is touched,
 * and the result may be the logits' own memory. Each pass takes the whole groups and then the tail.
 */
#ifndef CORE_LONG_ROWS_H
#define CORE_LONG_ROWS_H

#include "noise.h"

#include <float.h>

/* Sums are made in blocks of so many columns: lane l of a block adds its columns l, l + 16, ... in order, the lanes
 * are added by lanes_sum, the blocks in order. This bounds the error of long sums. */
#define SUM_BLOCK 4096

/* Noise is made for so many columns at a time, to stay in the first-level cache between its steps. */
#define NOISE_CHUNK 256

struct long_row {
    const float *in;
    float *out;
    size_t classes;
    size_t whole;      /* columns in whole groups */
    size_t tail_count; /* LANES, or 0 if there are no others */
    float tail[LANES] __attribute__((aligned(64)));
};

INLINE void long_row_open(struct long_row *row, const float *in, float *out, size_t classes)
{
    static const int32_t lane[LANES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    size_t rest = classes % LANES;
    row->in = in;
    row->out = out;
    row->classes = classes;
    row->whole = classes - rest;
    row->tail_count = rest > 0 ? LANES : 0;
    FOR_VECS (q) {
        vint mask = vec_load_ints(lane + q * VEC_LANES) < (int32_t)rest;
        vec_store(row->tail + q * VEC_LANES,
                  vec_load_masked(in + row->whole + q * VEC_LANES, mask, vec_splat(-__builtin_inff())));
    }
}

/* memcpy of fewer than 16 floats, without the call. (A masked vector store is no better: what is loaded next from
 * the lanes that it leaves alone, the next row, waits for it.) */
INLINE void copy_few(float *to, const float *from, size_t count)
{
    for (size_t part = 8; part > 0; part /= 2)
        if (count & part) {
            memcpy(to, from, part * sizeof(float));
            to += part;
            from += part;
        }
}

/* Completes the result: the passes have written the whole groups to `out`, the other columns to `tail`. */
INLINE void long_row_close(const struct long_row *row)
{
    copy_few(row->out + row->whole, row->tail, row->classes % LANES);
}

/* A running maximum, and whether all values were less than +inf, and none NaN. */
struct extremes {
    vfloat max;
    vint valid;
};

INLINE void extremes_add(struct extremes *e, vfloat x)
{
    e->max = vec_max(x, e->max);
    e->valid &= x <= FLT_MAX;
}

/* The row's maximum, +0 for -0; false if the row has no answer. */
INLINE bool long_row_max(const struct long_row *row, float *max)
{
    struct extremes e[4]; /* independent of each other, for the latency of a maximum */
    for (int i = 0; i < 4; i++)
        e[i] = (struct extremes){vec_splat(-__builtin_inff()), vec_splat_int(-1)};
    size_t j = 0;
    for (; j + 4 * VEC_LANES <= row->whole; j += 4 * VEC_LANES)
        for (int i = 0; i < 4; i++)
            extremes_add(&e[i], vec_load(row->in + j + i * VEC_LANES));
    for (; j < row->whole; j += VEC_LANES)
        extremes_add(&e[0], vec_load(row->in + j));
    FOR_VECS (q)
        extremes_add(&e[q], vec_load(row->tail + q * VEC_LANES));
    *max = vec_max_lane(vec_max(vec_max(e[0].max, e[1].max), vec_max(e[2].max, e[3].max)));
    return !vec_any((e[0].valid & e[1].valid & e[2].valid & e[3].valid) == 0) && *max >= -FLT_MAX;
}

/* Of several groups at a time: one alone would wait for each of its steps. */
INLINE void exp_groups(const float *x, float *y, int groups, const struct exp_frame *frame, bool unscaled,
                       vfloat sums[VECS])
{
    vfloat e[2 * VECS];
    for (int i = 0; i < groups * VECS; i++)
        e[i] = vec_exp(frame, vec_load(x + i * VEC_LANES), unscaled);
    for (int i = 0; i < groups * VECS; i++) {
        if (y != NULL)
            vec_store(y + i * VEC_LANES, e[i]);
        sums[i % VECS] += e[i];
    }
}

/* Adds the exponentials to the sums, and writes them to y unless that is NULL. */
INLINE void exp_step(const float *x, float *y, size_t count, const struct exp_frame *frame, bool unscaled,
                     vfloat sums[VECS])
{
    size_t j = 0;
    for (; j + 2 * LANES <= count; j += 2 * LANES)
        exp_groups(x + j, y != NULL ? y + j : NULL, 2, frame, unscaled, sums);
    for (; j < count; j += LANES)
        exp_groups(x + j, y != NULL ? y + j : NULL, 1, frame, unscaled, sums);
}

/* The sum of the exponentials of x = from .. and the tail; `keep` writes each to `out` and the tail. */
INLINE float long_row_exp_as(struct long_row *row, const float *from, const struct exp_frame *frame, bool unscaled,
                             bool keep)
{
    float total = 0;
    for (size_t block = 0; block < row->classes; block += SUM_BLOCK) {
        vfloat sums[VECS];
        FOR_VECS (q)
            sums[q] = vec_splat(0);
        size_t left = row->whole - block;
        exp_step(from + block, keep ? row->out + block : NULL, left < SUM_BLOCK ? left : SUM_BLOCK, frame, unscaled,
                 sums);
        if (left < SUM_BLOCK)
            exp_step(row->tail, keep ? row->tail : NULL, row->tail_count, frame, unscaled, sums);
        total += lanes_sum(sums);
    }
    return total;
}

INLINE float long_row_exp(struct long_row *row, const float *from, const struct exp_frame *frame, bool keep)
{
    return frame->scale[0] == 1.0f ? long_row_exp_as(row, from, frame, true, keep)
                                   : long_row_exp_as(row, from, frame, false, keep);
}

INLINE void divide_step(float *y, size_t count, float sum)
{
    vfloat sums = vec_splat(sum), inverse = 1.0f / sums;
    for (size_t j = 0; j < count; j += VEC_LANES)
        vec_store(y + j, vec_divide(vec_load(y + j), sums, inverse));
}

/* out = exp((x - max) * scale) / its sum, x = from .. and the tail. */
INLINE void long_row_softmax(struct long_row *row, const float *from, float max, float scale)
{
    const struct exp_frame frame = exp_frame(vec_splat(max), vec_splat(scale));
    float sum = long_row_exp(row, from, &frame, true);
    divide_step(row->out, row->whole, sum);
    divide_step(row->tail, row->tail_count, sum);
}

INLINE void log_softmax_step(const float *x, float *y, size_t count, float max, float scale, float offset)
{
    for (size_t j = 0; j < count; j += VEC_LANES)
        vec_store(y + j, vec_fma(vec_load(x + j) - max, vec_splat(scale), vec_splat(offset)));
}

/* out = (in - max) * scale - log sum exp((in - max) * scale). */
INLINE void long_row_log_softmax(struct long_row *row, float max, float scale)
{
    const struct exp_frame frame = exp_frame(vec_splat(max), vec_splat(scale));
    float sum = long_row_exp(row, row->in, &frame, false) / vec_exp(&frame, vec_splat(max), false)[0];
    float offset = 0.0f - vec_log(vec_splat(sum))[0]; /* never -0, so that no result is */
    log_softmax_step(row->in, row->out, row->whole, max, scale, offset);
    log_softmax_step(row->tail, row->tail, row->tail_count, max, scale, offset);
}

INLINE void perturb_step(const float *x, float *z, size_t count, float max, const float *log_e, vfloat maxima[VECS])
{
    for (size_t j = 0; j < count; j += LANES)
        FOR_VECS (q) {
            vfloat v = (vec_load(x + j + q * VEC_LANES) - max) - vec_load(log_e + j + q * VEC_LANES);
            vec_store(z + j + q * VEC_LANES, v);
            maxima[q] = vec_max(v, maxima[q]);
        }
}

/* out (and tail) = z = (in - max) - log E; returns the maximum of z. */
INLINE float long_row_perturb(struct long_row *row, float max, const struct noise_source *source)
{
    uint32_t words[NOISE_ROUNDED(NOISE_CHUNK)] __attribute__((aligned(64)));
    float noise[NOISE_CHUNK] __attribute__((aligned(64)));
    vfloat maxima[VECS];
    FOR_VECS (q)
        maxima[q] = vec_splat(-__builtin_inff());
    for (size_t chunk = 0; chunk < row->classes; chunk += NOISE_CHUNK) {
        size_t left = row->whole - chunk;
        size_t count = left < NOISE_CHUNK ? left : NOISE_CHUNK; /* of whole groups */
        size_t made = left < NOISE_CHUNK ? left + row->tail_count : NOISE_CHUNK;
        noise_words(words, chunk / 4, made, source);
        exponentials(words, noise, made);
        logarithms(noise, noise, made);
        perturb_step(row->in + chunk, row->out + chunk, count, max, noise, maxima);
        if (left < NOISE_CHUNK)
            perturb_step(row->tail, row->tail, row->tail_count, max, noise + count, maxima);
    }
    for (int q = 1; q < VECS; q++)
        maxima[0] = vec_max(maxima[q], maxima[0]);
    return vec_max_lane(maxima[0]);
}

/* The first column of x = from .. and the tail where x is `value`, which occurs. */
INLINE size_t long_row_find(const struct long_row *row, const float *from, float value)
{
    for (size_t j = 0; j < row->whole; j += LANES) {
        vint hit = vec_splat_int(0);
        FOR_VECS (q)
            hit |= vec_load(from + j + q * VEC_LANES) == value;
        if (vec_any(hit)) {
            while (from[j] != value)
                j++;
            return j;
        }
    }
    size_t l = 0;
    while (row->tail[l] != value)
        l++;
    return row->whole + l;
}

/* The whole result: `on` in one column, `off` in the others. */
INLINE void long_row_one_hot(const struct long_row *row, size_t column, float on, float off)
{
    for (size_t j = 0; j < row->classes; j++)
        row->out[j] = off;
    row->out[column] = on;
}

#endif
