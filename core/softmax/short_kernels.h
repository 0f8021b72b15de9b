/* softmax, log_softmax and gumbel_softmax of rows of few classes. What is computed is written in kernels.c. */
#ifndef CORE_SOFTMAX_SHORT_KERNELS_H
#define CORE_SOFTMAX_SHORT_KERNELS_H

#include "softmax/row_parameters.h"
#include "softmax/short_rows.h"
#include "softmax/table.h"

/* Of rows row .. row + count - 1; the lanes after them do as the first. */
INLINE void group_scale(struct group_scale *g, const struct core_per_row *temperature, bool hard, size_t row,
                        size_t count)
{
    real temperatures[LANES], scale[LANES];
    lane_int sharp[LANES];
    g->any_sharp = false;
    g->unscaled = true;
    for (size_t lane = 0; lane < LANES; lane++) {
        real t = parameter(temperature, row + (lane < count ? lane : 0));
        temperatures[lane] = t;
        scale[lane] = inverse(t);
        sharp[lane] = hard || t == 0.0f ? -1 : 0;
        g->any_sharp |= sharp[lane] != 0;
        g->unscaled &= scale[lane] == 1.0f;
    }
    FOR_VECS (q) {
        g->temperature[q] = vec_load(temperatures + q * VEC_LANES);
        g->scale[q] = vec_load(scale + q * VEC_LANES);
        g->sharp[q] = vec_load_ints(sharp + q * VEC_LANES);
    }
}

INLINE void group_source(struct group_source *g, const struct core_noise *noise, size_t row, size_t count)
{
    bool own = noise->stride != 0; /* a seed of its own for each row */
    g->draw = noise->draw;
    for (size_t lane = 0; lane < LANES; lane++) {
        g->key[0][lane] = (uint32_t)noise->seed[0];
        g->key[1][lane] = noise->seed[0] >> 32;
        g->row[lane] = (uint32_t)(noise->row_offset + (own ? 0 : row + lane));
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

/* So many groups go through each step together: one alone would wait for its maximum and its sum. */
#define GROUPS 2

struct group {
    group_columns columns __attribute__((aligned(64)));
    vreal max[VECS], sum[VECS];
    struct group_scale scale;
    size_t row, rows;
};

/* The groups from row r on, their rows not yet loaded; returns how many. */
INLINE size_t groups_at(struct group groups[GROUPS], size_t r, size_t end)
{
    size_t count = 0;
    for (; count < GROUPS && r < end; r += LANES) {
        groups[count].row = r;
        groups[count++].rows = end - r < LANES ? end - r : LANES;
    }
    return count;
}

/* Softmax of the groups, to `result`. */
INLINE void groups_softmax(struct group *groups, size_t count, void *result, struct layout layout)
{
    for (struct group *g = groups; g < groups + count; g++)
        group_exponentials(g->columns, layout.classes, g->max, &g->scale, g->sum);
    for (struct group *g = groups; g < groups + count; g++) {
        group_divide(g->columns, layout.classes, g->sum);
        group_store(result, layout, g->row, g->columns, g->rows);
    }
}

INLINE int short_softmax(const struct core_softmax_call *call, size_t first, size_t count, size_t *invalid_row,
                         bool logarithm)
{
    struct layout layout = layout_of(call->classes, call->inner);
    size_t classes = call->classes, end = first + count;
    struct group groups[GROUPS];
    for (size_t r = first; r < end; r += GROUPS * LANES) {
        size_t together = groups_at(groups, r, end);
        for (struct group *g = groups; g < groups + together; g++) {
            size_t bad = group_open(g->columns, g->max, call->logits, call->mask.allowed, call->mask.stride, layout,
                                    g->row, g->rows);
            if (bad < LANES)
                return invalid(g->row + bad, invalid_row);
            if (r == first || call->temperature.stride != 0)
                group_scale(&g->scale, &call->temperature, false, g->row, g->rows);
            if (g->scale.any_sharp)
                group_sharpen(g->columns, classes, g->max, g->scale.sharp);
        }
        if (!logarithm)
            groups_softmax(groups, together, call->result, layout);
        for (struct group *g = groups; logarithm && g < groups + together; g++) {
            group_log_softmax(g->columns, classes, g->max, &g->scale);
            group_store(call->result, layout, g->row, g->columns, g->rows);
        }
    }
    return CORE_OK;
}

static void short_log_density(const struct core_gumbel_softmax_call *call, size_t row, size_t count,
                              const struct density_tally tally[LANES])
{
    for (size_t lane = 0; lane < count; lane++)
        ((real *)call->log_density)[row + lane] = density_log(&tally[lane], parameter(&call->tau, row + lane),
                                                              noise_scale(&call->noise_scale, row + lane));
}

/* The further results of a group, from its z, E and log E, which becomes g. */
static __attribute__((noinline)) void short_further(const struct core_gumbel_softmax_call *call, size_t row,
                                                    size_t count, group_columns z, const vreal max[VECS],
                                                    group_columns e, group_columns log_e)
{
    struct layout layout = layout_of(call->classes, call->inner);
    if (call->log_density != NULL) {
        struct density_tally tally[LANES];
        group_tally(tally, z, e, log_e, call->classes);
        short_log_density(call, row, count, tally);
    }
    if (call->indices != NULL)
        group_indices(call->indices + row, z, call->classes, max, count);
    if (call->gumbel != NULL) {
        group_negate(log_e, call->classes);
        group_store(call->gumbel, layout, row, log_e, count);
    }
    if (call->soft != NULL) {
        group_columns soft __attribute__((aligned(64)));
        struct group_scale scale;
        memcpy(soft, z, call->classes * sizeof(soft[0]));
        group_scale(&scale, &call->tau, false, row, count);
        if (scale.any_sharp)
            group_sharpen(soft, call->classes, max, scale.sharp);
        group_softmax(soft, call->classes, max, &scale);
        group_store(call->soft, layout, row, soft, count);
    }
}

/* Not inlined, nor is the kernel of long rows: together they would want more registers than there are. */
static __attribute__((noinline, unused)) int short_gumbel_softmax(const struct core_gumbel_softmax_call *call,
                                                                  size_t first, size_t count, size_t *invalid_row)
{
    struct layout layout = layout_of(call->classes, call->inner);
    size_t classes = call->classes, end = first + count;
    struct group groups[GROUPS];
    bool further = call->indices != NULL || call->soft != NULL || call->gumbel != NULL || call->log_density != NULL;
    for (size_t r = first; r < end; r += GROUPS * LANES) {
        size_t together = groups_at(groups, r, end);
        for (struct group *g = groups; g < groups + together; g++) {
            group_columns log_e __attribute__((aligned(64)));
            group_columns raw __attribute__((aligned(64))); /* E where it is still wanted after its logarithm */
            real(*e)[LANES] = call->log_density != NULL ? raw : log_e;
            vreal noise[VECS];
            struct group_source source;
            size_t bad = group_open(g->columns, g->max, call->logits, call->mask.allowed, call->mask.stride, layout,
                                    g->row, g->rows);
            if (bad < LANES)
                return invalid(g->row + bad, invalid_row);
            group_source(&source, &call->noise, g->row, g->rows);
            group_noise(e, log_e, classes, &source);
            if (group_noise_scale(noise, &call->noise_scale, g->row, g->rows))
                group_perturb(g->columns, classes, g->max, log_e, noise);
            else
                group_perturb(g->columns, classes, g->max, log_e, NULL);
            if (further)
                short_further(call, g->row, g->rows, g->columns, g->max, e, log_e);
            if (r == first || call->tau.stride != 0)
                group_scale(&g->scale, &call->tau, call->hard, g->row, g->rows);
            if (g->scale.any_sharp)
                group_sharpen(g->columns, classes, g->max, g->scale.sharp);
        }
        groups_softmax(groups, together, call->samples, layout);
    }
    return CORE_OK;
}

#endif
