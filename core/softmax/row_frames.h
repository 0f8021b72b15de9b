/* What is computed once a row rather than once a class, of several rows at once: frames of exponentials, logarithms of
 * sums. One row alone would wait for each step of it. */
#ifndef CORE_SOFTMAX_ROW_FRAMES_H
#define CORE_SOFTMAX_ROW_FRAMES_H

#include "softmax/long_rows.h"

/* What is computed once a row, a lane for each row of those that go together. */
struct row_frames {
    real max[LANES] __attribute__((aligned(64)));
    real temperature[LANES] __attribute__((aligned(64)));
    real sum[LANES] __attribute__((aligned(64))); /* of the exponentials */
    struct exp_frame frame[VECS];
};

/* For fewer rows than that vectors take longer, since they wait for all lanes to be stored. */
#define MANY_ROWS 5

/* Lanes without a row compute something of no meaning. */
INLINE void row_frames_clear(struct row_frames *rows)
{
    FOR_VECS (q) {
        vec_store(rows->max + q * VEC_LANES, vec_splat(0));
        vec_store(rows->temperature + q * VEC_LANES, vec_splat(1));
        vec_store(rows->sum + q * VEC_LANES, vec_splat(1));
    }
}

/* The frames of `max` and `temperature`. */
INLINE void row_frames_open(struct row_frames *rows)
{
    FOR_VECS (q) {
        vreal temperature = vec_load(rows->temperature + q * VEC_LANES), inverse = 1.0f / temperature;
        vreal scale = vec_select(inverse < REAL_MAX, inverse, vec_splat(REAL_MAX));
        rows->frame[q] = exp_frame_at(vec_load(rows->max + q * VEC_LANES), scale, temperature);
    }
}

/* The frame of one of `count` rows, row_frames_open's if that is at least MANY_ROWS. */
INLINE struct exp_frame row_frame(const struct row_frames *rows, size_t row, size_t count)
{
    if (count < MANY_ROWS)
        return long_row_frame(rows->max[row], rows->temperature[row]);
    const struct exp_frame *frame = &rows->frame[row / VEC_LANES];
    size_t lane = row % VEC_LANES;
    return (struct exp_frame){vec_splat(frame->base[lane]), vec_splat(frame->scale[lane]),
                              vec_splat(frame->scale_low[lane]), vec_splat(frame->shifter[lane]),
                              vec_splat(frame->lowest[lane])};
}

/* sum = log sum exp((x - max) / T). */
INLINE void row_frames_log(struct row_frames *rows)
{
    FOR_VECS (q) {
        vreal e = vec_exp(&rows->frame[q], vec_load(rows->max + q * VEC_LANES), false);
        vec_store(rows->sum + q * VEC_LANES, vec_log(vec_load(rows->sum + q * VEC_LANES) / e));
    }
}

#endif
