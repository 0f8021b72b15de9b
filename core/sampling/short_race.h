/* The race of race.h for rows of few classes, LANES rows at a time: lane l holds row l. The same z, bit for bit. */
#ifndef CORE_SAMPLING_SHORT_RACE_H
#define CORE_SAMPLING_SHORT_RACE_H

#include "random/noise.h"

/* Rows below so many classes are short. */
#define SHORT_RACE_CLASSES 64

/* Where a group of rows stands, and what differs from lane to lane. Lanes without a row repeat the first. */
struct short_race {
    real x[SHORT_RACE_CLASSES][LANES] __attribute__((aligned(64)));
    real scale[LANES] __attribute__((aligned(64)));
    real max[LANES] __attribute__((aligned(64))); /* short_race_scale's */
    uint64_t key[2][LANES], row[LANES];
    uint32_t draw;
};

struct short_winners {
    lane_int column[LANES] __attribute__((aligned(64)));
    real score[LANES] __attribute__((aligned(64)));
};

INLINE void short_race_load(struct short_race *race, const real *rows, size_t count, size_t classes)
{
    for (size_t lane = 0; lane < LANES; lane++) {
        const real *row = rows + (lane < count ? lane : 0) * classes;
        for (size_t j = 0; j < classes; j++)
            race->x[j][lane] = row[j];
    }
}

/* x = (x - the row's maximum) * scale. Returns the first lane whose row has no answer, or LANES. */
INLINE size_t short_race_scale(struct short_race *race, size_t classes)
{
    for (size_t lane = 0; lane < LANES; lane += VEC_LANES) {
        vreal max = vec_splat(-__builtin_inff()), scale = vec_load(race->scale + lane);
        vint valid = vec_splat_int(-1);
        for (size_t j = 0; j < classes; j++) {
            vreal x = vec_load(race->x[j] + lane);
            max = vec_max(x, max);
            valid &= x <= REAL_MAX;
        }
        valid &= max >= -REAL_MAX;
        for (size_t l = 0; vec_any(valid == 0) && l < VEC_LANES; l++)
            if (!valid[l])
                return lane + l;
        vec_store(race->max + lane, max);
        for (size_t j = 0; j < classes; j++)
            vec_store(race->x[j] + lane, (vec_load(race->x[j] + lane) - max) * scale);
    }
    return LANES;
}

/* random[class][lane], for whole blocks of four classes. */
INLINE void short_race_random(lane_uint random[SHORT_RACE_CLASSES][LANES], const struct short_race *race,
                              size_t classes)
{
    for (size_t lane = 0; lane < LANES; lane += VEC_LANES)
        for (size_t j = 0; j < classes; j += 4) {
            const uint64_t *const key[2] = {race->key[0] + lane, race->key[1] + lane};
            vuint u[4];
            noise_random_lanes(u, j / 4, key, race->row + lane, race->draw, 0);
            for (size_t i = 0; i < 4; i++)
                vec_store_uints(random[j + i] + lane, u[i]);
        }
}

/* The first maximum of z in each lane. */
INLINE void short_race_run(const struct short_race *race, size_t classes, struct short_winners *winners)
{
    lane_uint random[SHORT_RACE_CLASSES][LANES] __attribute__((aligned(64)));
    real noise[SHORT_RACE_CLASSES][LANES] __attribute__((aligned(64)));
    short_race_random(random, race, classes);
    exponentials(random[0], noise[0], classes * LANES);
    logarithms(noise[0], noise[0], classes * LANES);
    for (size_t lane = 0; lane < LANES; lane += VEC_LANES) {
        vreal best = vec_splat(-__builtin_inff());
        vint column = vec_splat_int(0);
        for (size_t j = 0; j < classes; j++) {
            vreal z = vec_load(race->x[j] + lane) - vec_load(noise[j] + lane);
            vint better = z > best;
            best = vec_select(better, z, best);
            column = (vint)vec_select(better, (vreal)vec_splat_int((lane_int)j), (vreal)column);
        }
        vec_store(winners->score + lane, best + 0.0f); /* +0 for -0 */
        vec_store_ints(winners->column + lane, column);
    }
}

#endif
