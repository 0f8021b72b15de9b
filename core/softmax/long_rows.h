/* Rows of many classes, one row at a time: passes over its columns, LANES of them a step.
 *
 * The columns after the last whole group of LANES are copied to a `tail` of LANES numbers, filled up with -inf, which
 * adds nothing to a maximum or a sum: so no pass has a special case for them, nothing outside the row is touched,
 * and the result may be the logits' own memory. Each pass takes the whole groups and then the tail.
 */
#ifndef CORE_SOFTMAX_LONG_ROWS_H
#define CORE_SOFTMAX_LONG_ROWS_H

#include "math/density.h"
#include "math/sums.h"
#include "random/noise.h"
#include "softmax/perturbed.h"
#include "softmax/row_parameters.h"

/* How many columns noise is made for at a time: it stays in the first-level cache between its steps. */
#define NOISE_CHUNK 256

struct long_row {
    const real *in;
    real *out;
    size_t classes;
    size_t whole;      /* columns in whole groups */
    size_t tail_count; /* LANES, or 0 if there are no others */
    real tail[LANES] __attribute__((aligned(64)));
};

/* The first `count` < LANES numbers, and then `rest`. */
INLINE void tail_load(real tail[LANES], const real *numbers, size_t count, real rest)
{
    static const lane_int lane[LANES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    FOR_VECS (q) {
        vint mask = vec_load_ints(lane + q * VEC_LANES) < (lane_int)count;
        vec_store(tail + q * VEC_LANES, vec_load_masked(numbers + q * VEC_LANES, mask, vec_splat(rest)));
    }
}

INLINE void long_row_open(struct long_row *row, const real *in, real *out, size_t classes)
{
    size_t rest = classes % LANES;
    row->in = in;
    row->out = out;
    row->classes = classes;
    row->whole = classes - rest;
    row->tail_count = rest > 0 ? LANES : 0;
    tail_load(row->tail, in + row->whole, rest, -__builtin_inff());
}

/* memcpy of fewer than 16 numbers, without the call. (A masked vector store is no better: a load from the lanes
 * that it does not write, those of the next row, waits for it.) */
INLINE void copy_few(real *to, const real *from, size_t count)
{
    for (size_t part = 8; part > 0; part /= 2)
        if (count & part) {
            memcpy(to, from, part * sizeof(real));
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
    vreal max;
    vint valid;
};

INLINE void extremes_add(struct extremes *e, vreal x)
{
    e->max = vec_max(x, e->max);
    e->valid &= x <= REAL_MAX;
}

/* The row's maximum, +0 for -0; false if the row is invalid. */
INLINE bool long_row_max(const struct long_row *row, real *max)
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
        extremes_add(&e[q % 4], vec_load(row->tail + q * VEC_LANES));
    *max = vec_max_lane(vec_max(vec_max(e[0].max, e[1].max), vec_max(e[2].max, e[3].max)));
    return !vec_any((e[0].valid & e[1].valid & e[2].valid & e[3].valid) == 0) && *max >= -REAL_MAX;
}

/* Of several groups at a time: a single one would wait for the step before. */
INLINE void exp_groups(const real *x, real *y, int groups, const struct exp_frame *frame, bool unscaled,
                       vreal sums[VECS])
{
    vreal e[2 * VECS];
    for (int i = 0; i < groups * VECS; i++)
        e[i] = vec_exp(frame, vec_load(x + i * VEC_LANES), unscaled);
    for (int i = 0; i < groups * VECS; i++) {
        if (y != NULL)
            vec_store(y + i * VEC_LANES, e[i]);
        sums[i % VECS] += e[i];
    }
}

/* Adds the exponentials to the sums, and writes them to y unless that is NULL. */
INLINE void exp_step(const real *x, real *y, size_t count, const struct exp_frame *frame, bool unscaled,
                     vreal sums[VECS])
{
    size_t j = 0;
    for (; j + 2 * LANES <= count; j += 2 * LANES)
        exp_groups(x + j, y != NULL ? y + j : NULL, 2, frame, unscaled, sums);
    for (; j < count; j += LANES)
        exp_groups(x + j, y != NULL ? y + j : NULL, 1, frame, unscaled, sums);
}

/* The sum of the exponentials of x = from .. and the tail; `keep` writes each to `out` and the tail. */
INLINE real long_row_exp_as(struct long_row *row, const real *from, const struct exp_frame *frame, bool unscaled,
                            bool keep)
{
    struct total total = {0, 0};
    for (size_t block = 0; block < row->classes; block += SUM_BLOCK) {
        vreal sums[VECS];
        lanes_fill(sums, 0);
        size_t left = row->whole - block;
        exp_step(from + block, keep ? row->out + block : NULL, left < SUM_BLOCK ? left : SUM_BLOCK, frame, unscaled,
                 sums);
        if (left < SUM_BLOCK)
            exp_step(row->tail, keep ? row->tail : NULL, row->tail_count, frame, unscaled, sums);
        total_add(&total, sums);
    }
    return total_value(&total);
}

INLINE real long_row_exp(struct long_row *row, const real *from, const struct exp_frame *frame, bool keep)
{
    return frame->scale[0] == 1.0f ? long_row_exp_as(row, from, frame, true, keep)
                                   : long_row_exp_as(row, from, frame, false, keep);
}

INLINE void divide_step(real *y, size_t count, real sum)
{
    vreal sums = vec_splat(sum), inverse = 1.0f / sums;
    for (size_t j = 0; j < count; j += VEC_LANES)
        vec_store(y + j, vec_divide(vec_load(y + j), sums, inverse));
}

INLINE struct exp_frame long_row_frame(real max, real temperature)
{
    return exp_frame_at(vec_splat(max), vec_splat(inverse(temperature)), vec_splat(temperature));
}

/* out = exp((x - max) / T), up to a factor, x = from .. and the tail; returns their sum. */
INLINE real long_row_exponentials(struct long_row *row, const real *from, real max, real temperature)
{
    const struct exp_frame frame = long_row_frame(max, temperature);
    return long_row_exp(row, from, &frame, true);
}

/* out = out / sum, which completes a softmax. */
INLINE void long_row_divide(struct long_row *row, real sum)
{
    divide_step(row->out, row->whole, sum);
    divide_step(row->tail, row->tail_count, sum);
    long_row_close(row);
}

INLINE void log_softmax_step(const real *x, real *y, size_t count, real max, real scale, real offset)
{
    for (size_t j = 0; j < count; j += VEC_LANES)
        vec_store(y + j, vec_fma(vec_load(x + j) - max, vec_splat(scale), vec_splat(offset)));
}

/* out = (in - max) / T - log_sum, which completes a log_softmax. */
INLINE void long_row_subtract(struct long_row *row, real max, real temperature, real log_sum)
{
    real scale = inverse(temperature), offset = 0.0f - log_sum; /* never -0, so that no result is */
    log_softmax_step(row->in, row->out, row->whole, max, scale, offset);
    log_softmax_step(row->tail, row->tail, row->tail_count, max, scale, offset);
    long_row_close(row);
}

/* z = (x - max) - s log E; `scaled` says that s is not 1. */
INLINE void perturb_step(const real *x, real *z, size_t count, real max, const real *log_e, bool scaled, real s,
                         vreal maxima[VECS])
{
    for (size_t j = 0; j < count; j += LANES)
        FOR_VECS (q) {
            vreal v = vec_load(x + j + q * VEC_LANES) - max, l = vec_load(log_e + j + q * VEC_LANES);
            v = scaled ? vec_fma(vec_splat(-s), l, v) : v - l;
            vec_store(z + j + q * VEC_LANES, v);
            maxima[q] = vec_max(v, maxima[q]);
        }
}

/* g = -log E, +0 for zero. */
INLINE void gumbel_step(const real *log_e, real *g, size_t count)
{
    for (size_t j = 0; j < count; j += VEC_LANES)
        vec_store(g + j, 0.0f - vec_load(log_e + j));
}

/* What density_tally counts and adds, of one chunk. */
struct chunk_tally {
    vint classes[VECS];
    vreal exponentials[VECS], logarithms[VECS];
};

INLINE void tally_step(struct chunk_tally *tally, const real *z, const real *e, const real *log_e, size_t count)
{
    for (size_t j = 0; j < count; j += LANES)
        FOR_VECS (q) {
            size_t at = j + q * VEC_LANES;
            vint possible = vec_load(z + at) >= -REAL_MAX;
            tally->classes[q] -= possible;
            tally->exponentials[q] += vec_keep(possible, vec_load(e + at));
            tally->logarithms[q] += vec_keep(possible, vec_load(log_e + at));
        }
}

/* The chunks are added in double, for the accuracy of long rows. */
INLINE void tally_add(struct density_tally *tally, const struct chunk_tally *chunk)
{
    vreal classes[VECS];
    FOR_VECS (q)
        classes[q] = vec_of_ints(chunk->classes[q]);
    tally->classes += lanes_sum(classes);
    tally->exponentials += lanes_sum(chunk->exponentials);
    tally->logarithms += lanes_sum(chunk->logarithms);
}

/* The noise of a row, and what else long_row_perturb makes of it. */
struct perturbation {
    struct noise_source source;
    real scale;                  /* of the noise */
    real *gumbel;                /* g, unless NULL */
    real *perturbed;             /* x + scale * g, unless NULL */
    struct density_tally *tally; /* added to, unless NULL */
};

/* Columns that noise is made for together: `count` in whole groups from `first` on, then `rest` of the tail. */
struct chunk {
    size_t first, count, rest;
};

INLINE struct chunk chunk_of(const struct long_row *row, size_t first)
{
    size_t left = row->whole - first;
    if (left < NOISE_CHUNK)
        return (struct chunk){first, left, row->tail_count};
    return (struct chunk){first, NOISE_CHUNK, 0};
}

INLINE void perturbed_step(const real *x, const real *log_e, real *to, size_t count, real s)
{
    for (size_t j = 0; j < count; j += VEC_LANES)
        vec_store(to + j, vec_perturbed(vec_load(x + j), vec_load(log_e + j), s != 1.0f, vec_splat(s)));
}

/* The perturbed logits of a chunk, before z may take the logits' place. */
static __attribute__((noinline)) void perturbed_chunk(const struct long_row *row, struct chunk chunk,
                                                      const struct perturbation *p, const real *log_e)
{
    real tail[LANES] __attribute__((aligned(64)));
    real *to = p->perturbed + chunk.first;
    perturbed_step(row->in + chunk.first, log_e, to, chunk.count, p->scale);
    perturbed_step(row->tail, log_e + chunk.count, tail, chunk.rest, p->scale);
    if (chunk.rest > 0)
        copy_few(to + chunk.count, tail, row->classes % LANES);
}

/* out (or tail) = z = (in - max) - scale * log E over a chunk. log_e may be overwritten. */
INLINE void perturb_chunk(struct long_row *row, struct chunk chunk, real max, const struct perturbation *p,
                          const real *e, real *log_e, vreal maxima[VECS])
{
    const real *x = row->in + chunk.first;
    real *z = row->out + chunk.first;
    if (p->perturbed != NULL)
        perturbed_chunk(row, chunk, p, log_e);
    if (p->scale == 1.0f) {
        perturb_step(x, z, chunk.count, max, log_e, false, 1.0f, maxima);
        perturb_step(row->tail, row->tail, chunk.rest, max, log_e + chunk.count, false, 1.0f, maxima);
    } else {
        perturb_step(x, z, chunk.count, max, log_e, true, p->scale, maxima);
        perturb_step(row->tail, row->tail, chunk.rest, max, log_e + chunk.count, true, p->scale, maxima);
    }
    if (p->tally != NULL) {
        struct chunk_tally sums;
        memset(&sums, 0, sizeof(sums));
        tally_step(&sums, z, e, log_e, chunk.count);
        tally_step(&sums, row->tail, e + chunk.count, log_e + chunk.count, chunk.rest);
        tally_add(p->tally, &sums);
    }
    if (p->gumbel != NULL) {
        size_t columns = chunk.rest > 0 ? row->classes - chunk.first : chunk.count;
        gumbel_step(log_e, log_e, chunk.count + chunk.rest);
        memcpy(p->gumbel + chunk.first, log_e, columns * sizeof(real));
    }
}

/* out (and tail) = z; `max` becomes that of z. */
INLINE void long_row_perturb(struct long_row *row, real *max, const struct perturbation *p)
{
    lane_uint random[NOISE_ROUNDED(NOISE_CHUNK)] __attribute__((aligned(64)));
    real noise[NOISE_CHUNK] __attribute__((aligned(64)));
    real raw[NOISE_CHUNK] __attribute__((aligned(64))); /* E where it is still wanted after its logarithm */
    real *e = p->tally != NULL ? raw : noise;
    vreal maxima[VECS];
    lanes_fill(maxima, -__builtin_inff());
    for (size_t first = 0; first < row->classes; first += NOISE_CHUNK) {
        struct chunk chunk = chunk_of(row, first);
        noise_of_classes(e, random, first, chunk.count + chunk.rest, &p->source);
        noise_logarithms(e, noise, chunk.count + chunk.rest);
        perturb_chunk(row, chunk, *max, p, e, noise, maxima);
    }
    *max = lanes_max(maxima);
}

/* How many rows of few columns go through each step together: a single row would wait for its maximum and its sum.
 * Longer rows have enough independent work, and two would evict each other from the cache. */
#define LONG_ROWS 4

/* As long_row_perturb, of rows of at most NOISE_CHUNK classes. */
INLINE void long_rows_perturb(struct long_row *rows, real *max, const struct perturbation *p, size_t count)
{
    lane_uint random[LONG_ROWS * NOISE_CHUNK + NOISE_STEP] __attribute__((aligned(64)));
    real noise[LONG_ROWS * NOISE_CHUNK] __attribute__((aligned(64)));
    real raw[LONG_ROWS * NOISE_CHUNK] __attribute__((aligned(64)));
    real *e = p->tally != NULL ? raw : noise;
    struct chunk chunk = chunk_of(rows, 0);
    size_t columns = chunk.count + chunk.rest;
    if (p[0].source.stream != NULL) {
        for (size_t i = 0; i < count; i++)
            stream_of_classes(e + i * columns, 0, columns, &p[i].source);
    } else {
        for (size_t i = 0; i < count; i++) /* what noise_random rounds up is overwritten by the next row's */
            noise_random(random + i * columns, 0, columns, &p[i].source);
        noise_exponentials(random, e, count * columns);
    }
    noise_logarithms(e, noise, count * columns);
    for (size_t i = 0; i < count; i++) {
        vreal maxima[VECS];
        lanes_fill(maxima, -__builtin_inff());
        perturb_chunk(&rows[i], chunk, max[i], &p[i], e + i * columns, noise + i * columns, maxima);
        max[i] = lanes_max(maxima);
    }
}

/* The first column where x, from .. and the tail, is `value`; there must be one. */
INLINE size_t long_row_find(const struct long_row *row, const real *from, real value)
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

/* out = the logits, but -inf where the mask's byte is 0. */
INLINE void long_row_mask(real *out, const real *in, const uint8_t *allowed, size_t classes)
{
    size_t j = 0;
    for (; j + VEC_LANES <= classes; j += VEC_LANES)
        vec_store(out + j, vec_possible(vec_load_bytes(allowed + j) != 0, vec_load(in + j)));
    for (; j < classes; j++)
        out[j] = allowed[j] != 0 ? in[j] : -__builtin_inff();
}

/* A whole row: `on` in one column, `off` in the others. */
INLINE void long_row_one_hot(real *out, size_t classes, size_t column, real on, real off)
{
    for (size_t j = 0; j < classes; j++)
        out[j] = off;
    out[column] = on;
}

#endif
