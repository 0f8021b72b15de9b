/* softmax, log_softmax and gumbel_softmax of rows of few classes. kernels.c defines the results. */
#ifndef CORE_SOFTMAX_SHORT_KERNELS_H
#define CORE_SOFTMAX_SHORT_KERNELS_H

#include "softmax/short_rows.h"
#include "softmax/table.h"

/* How many groups go through each step together: a single one would wait for its maximum and its sum. */
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
            if (g->scale.any_one_hot)
                group_one_hot(g->columns, classes, g->max, g->scale.one_hot);
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

/* The perturbed logits of a group, from its logits and log E. */
static __attribute__((noinline)) void short_perturbed(const struct core_gumbel_softmax_call *call, size_t row,
                                                      size_t count, group_columns x, group_columns log_e,
                                                      const vreal *noise_scale)
{
    group_columns perturbed __attribute__((aligned(64)));
    group_perturbed(perturbed, x, call->classes, log_e, noise_scale);
    group_store(call->perturbed, layout_of(call->classes, call->inner), row, perturbed, count);
}

/* The soft sample of a group from its z, or its logarithm. */
static __attribute__((noinline)) void short_soft(const struct core_gumbel_softmax_call *call, real *result, size_t row,
                                                 size_t count, group_columns z, const vreal max[VECS], bool logarithm)
{
    group_columns soft __attribute__((aligned(64)));
    struct group_scale scale;
    memcpy(soft, z, call->classes * sizeof(soft[0]));
    group_scale(&scale, &call->tau, false, row, count);
    if (scale.any_one_hot)
        group_one_hot(soft, call->classes, max, scale.one_hot);
    if (logarithm)
        group_log_softmax(soft, call->classes, max, &scale);
    else
        group_softmax(soft, call->classes, max, &scale);
    group_store(result, layout_of(call->classes, call->inner), row, soft, count);
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
    if (call->soft != NULL)
        short_soft(call, call->soft, row, count, z, max, false);
    if (call->log_soft != NULL)
        short_soft(call, call->log_soft, row, count, z, max, true);
}

/* Not inlined, nor is the kernel of long rows: together they would need more registers than there are. */
static __attribute__((noinline, unused)) int short_gumbel_softmax(const struct core_gumbel_softmax_call *call,
                                                                  size_t first, size_t count, size_t *invalid_row)
{
    struct layout layout = layout_of(call->classes, call->inner);
    size_t classes = call->classes, end = first + count;
    struct group groups[GROUPS];
    bool further = call->indices != NULL || call->soft != NULL || call->gumbel != NULL || call->log_density != NULL ||
                   call->log_soft != NULL;
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
            bool scaled = group_noise_scale(noise, &call->noise_scale, g->row, g->rows);
            if (call->perturbed != NULL)
                short_perturbed(call, g->row, g->rows, g->columns, log_e, scaled ? noise : NULL);
            if (scaled)
                group_perturb(g->columns, classes, g->max, log_e, noise);
            else
                group_perturb(g->columns, classes, g->max, log_e, NULL);
            if (further)
                short_further(call, g->row, g->rows, g->columns, g->max, e, log_e);
            if (r == first || call->tau.stride != 0)
                group_scale(&g->scale, &call->tau, call->hard, g->row, g->rows);
            if (g->scale.any_one_hot)
                group_one_hot(g->columns, classes, g->max, g->scale.one_hot);
        }
        groups_softmax(groups, together, call->samples, layout);
    }
    return CORE_OK;
}

#endif
