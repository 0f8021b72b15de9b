/* What is computed once a row, for several rows together: frames of exponentials, logarithms of sums. A single row
 * would wait for the step before. */
#ifndef CORE_SOFTMAX_ROW_FRAMES_H
#define CORE_SOFTMAX_ROW_FRAMES_H

#include "softmax/long_rows.h"

/* A lane for each row. */
struct row_frames {
    real max[LANES] __attribute__((aligned(64)));
    real temperature[LANES] __attribute__((aligned(64)));
    real sum[LANES] __attribute__((aligned(64))); /* of the exponentials */
    struct exp_frame frame[VECS];
};

/* With fewer rows vectors take longer, since they wait for all lanes to be stored. */
#define MANY_ROWS 5

/* Sets all lanes: the results of those without a row are not used. */
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
