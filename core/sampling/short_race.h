/* The race of race.h for rows of few classes, LANES rows at a time as in short_rows.h: lane l holds row l. The same z,
 * bit for bit. */
#ifndef CORE_SAMPLING_SHORT_RACE_H
#define CORE_SAMPLING_SHORT_RACE_H

#include "softmax/short_rows.h"

struct short_winners {
    lane_int column[LANES] __attribute__((aligned(64)));
    real score[LANES] __attribute__((aligned(64)));
};

/* The first maximum of z in each lane. x = d, for whole blocks of four classes. */
INLINE void short_race(group_columns x, size_t classes, const struct group_source *source,
                       struct short_winners *winners)
{
    group_columns log_e __attribute__((aligned(64)));
    group_noise(log_e, log_e, classes, source);
    for (size_t lane = 0; lane < LANES; lane += VEC_LANES) {
        vreal best = vec_splat(-__builtin_inff());
        vint column = vec_splat_int(0);
        for (size_t j = 0; j < classes; j++) {
            vreal z = vec_load(x[j] + lane) - vec_load(log_e[j] + lane);
            vint better = z > best;
            best = vec_select(better, z, best);
            column = (vint)vec_select(better, (vreal)vec_splat_int((lane_int)j), (vreal)column);
        }
        vec_store(winners->score + lane, best + 0.0f); /* +0 for -0 */
        vec_store_ints(winners->column + lane, column);
    }
}

#endif
