/* The Gumbel-Rao gradient of rows of few classes, LANES rows at a time: as long_rao.h, with lane l for row l. */
#ifndef CORE_VJP_SHORT_RAO_H
#define CORE_VJP_SHORT_RAO_H

#include "vjp/long_rao.h"
#include "vjp/short.h"

/* A group of rows and its hard samples. */
struct rao_group {
    group_columns a __attribute__((aligned(64))); /* (x - max) + s log p_max */
    group_columns p __attribute__((aligned(64)));
    group_columns c __attribute__((aligned(64)));
    group_columns grad __attribute__((aligned(64))); /* with `rest` the sums over the samples, as sum_add has them */
    group_columns rest __attribute__((aligned(64)));
    vreal noise_scale[VECS], tau_sum[VECS], tau_rest[VECS];
    vint winner[VECS];
};

/* From logits and their maxima: the winners, the first maxima of z, then p and a. */
static void group_rao_open(struct rao_group *g, const struct vjp_call *call, size_t row, size_t count, group_columns x,
                           const vreal max[VECS])
{
    size_t classes = call->layout.classes;
    struct exp_frame frame[VECS];
    vreal z_max[VECS], sum[VECS];
    memcpy(g->p, x, classes * sizeof(g->p[0]));
    memcpy(z_max, max, sizeof(z_max));
    group_perturb_rows(call, row, count, g->p, z_max);
    group_first_maxima(g->p, classes, z_max, g->winner);

    FOR_VECS (q)
        g->noise_scale[q] = vec_splat(1.0f);
    group_noise_scale(g->noise_scale, &call->noise_scale, row, count);
    FOR_VECS (q) {
        vreal scale = 1.0f / g->noise_scale[q];
        frame[q] = exp_frame_at(max[q], vec_select(scale < REAL_MAX, scale, vec_splat(REAL_MAX)), g->noise_scale[q]);
    }
    memcpy(g->p, x, classes * sizeof(g->p[0]));
    group_exp(g->p, classes, frame, false);
    group_sum(g->p, classes, sum);
    FOR_VECS (q) {
        vreal inverse = 1.0f / sum[q], log_p_max = 0.0f - vec_log(sum[q] / vec_exp(&frame[q], max[q], false));
        for (size_t j = 0; j < classes; j++) {
            size_t at = q * VEC_LANES;
            vec_store(g->p[j] + at, vec_divide(vec_load(g->p[j] + at), sum[q], inverse));
            vec_store(g->a[j] + at, vec_fma(g->noise_scale[q], log_p_max, vec_load(x[j] + at) - max[q]));
        }
    }
}

/* z given the winners, and its maxima. */
INLINE void group_condition(const struct rao_group *g, size_t classes, const struct group_source *source,
                            group_columns z, vreal max[VECS])
{
    vreal e_winner[VECS];
    vint valid[VECS];
    group_noise_exponentials(z, classes, source, CONDITIONAL_TAG);
    FOR_VECS (q) {
        e_winner[q] = vec_splat(1.0f);
        for (size_t j = 0; j < classes; j++)
            e_winner[q] = vec_select(g->winner[q] == (lane_int)j, vec_load(z[j] + q * VEC_LANES), e_winner[q]);
        for (size_t j = 0; j < classes; j++) {
            real *at = z[j] + q * VEC_LANES;
            vreal e = vec_fma(vec_load(g->p[j] + q * VEC_LANES), e_winner[q], vec_load(at));
            vec_store(at, vec_select(g->winner[q] == (lane_int)j, e_winner[q], e));
        }
    }
    noise_logarithms(z[0], z[0], classes * LANES);
    for (size_t j = 0; j < classes; j++)
        FOR_VECS (q) {
            real *at = z[j] + q * VEC_LANES;
            vreal a = vec_keep(g->winner[q] != (lane_int)j, vec_load(g->a[j] + q * VEC_LANES));
            vec_store(at, vec_fma(-g->noise_scale[q], vec_load(at), a));
        }
    group_max(z, classes, max, valid);
}

/* Adds a sample's products to grad and tau_sum. */
INLINE void group_rao_add(struct rao_group *g, size_t classes, group_columns z, const vreal max[VECS],
                          const struct group_scale *scale, bool weighted)
{
    group_columns y __attribute__((aligned(64)));
    vreal sum[VECS];
    memcpy(y, z, classes * sizeof(y[0]));
    group_softmax(y, classes, max, scale);
    group_products(y, g->c, classes, false);
    for (size_t j = 0; j < classes; j++)
        FOR_VECS (q) {
            size_t at = q * VEC_LANES;
            product_store(g->grad[j] + at, g->rest[j] + at, vec_load(y[j] + at), 1.0f, SOFTMAX_ADDEND);
        }
    if (!weighted)
        return;
    group_weigh(y, z, classes, max, scale->scale, sum);
    FOR_VECS (q)
        sum_add(&g->tau_sum[q], &g->tau_rest[q], sum[q]);
}

/* Copies the sums of a group of rows to where they are kept until the next call, and back. */
INLINE void group_rao_keep(const struct rao_group *g, real *sums, size_t classes, size_t count)
{
    const size_t size = core_rao_sums(classes), whole = (size - 2) / 2;
    for (size_t lane = 0; lane < count; lane++, sums += size) {
        for (size_t j = 0; j < classes; j++) {
            sums[j] = g->grad[j][lane];
            sums[whole + j] = g->rest[j][lane];
        }
        sums[2 * whole] = g->tau_sum[lane / VEC_LANES][lane % VEC_LANES];
        sums[2 * whole + 1] = g->tau_rest[lane / VEC_LANES][lane % VEC_LANES];
    }
}

INLINE void group_rao_resume(struct rao_group *g, const real *sums, size_t classes, size_t count)
{
    const size_t size = core_rao_sums(classes), whole = (size - 2) / 2;
    for (size_t lane = 0; lane < count; lane++, sums += size) {
        for (size_t j = 0; j < classes; j++) {
            g->grad[j][lane] = sums[j];
            g->rest[j][lane] = sums[whole + j];
        }
        g->tau_sum[lane / VEC_LANES][lane % VEC_LANES] = sums[2 * whole];
        g->tau_rest[lane / VEC_LANES][lane % VEC_LANES] = sums[2 * whole + 1];
    }
}

/* `part` is that of the group's rows. */
static void group_rao(struct rao_group *g, const struct vjp_call *call, const struct core_rao_part *part, size_t row,
                      size_t count)
{
    size_t classes = call->layout.classes;
    struct group_source source;
    struct group_scale scale;
    vreal samples = vec_splat((real)call->samples);
    group_source(&source, call->noise, row, count);
    group_scale(&scale, &call->temperature, false, row, count);
    memset(g->grad, 0, classes * sizeof(g->grad[0]));
    memset(g->rest, 0, classes * sizeof(g->rest[0]));
    memset(g->tau_sum, 0, sizeof(g->tau_sum));
    memset(g->tau_rest, 0, sizeof(g->tau_rest));
    if (part->first > 0)
        group_rao_resume(g, part->sums, classes, count);
    for (uint32_t i = part->first; i < part->first + part->count; i++) {
        group_columns z __attribute__((aligned(64)));
        vreal max[VECS];
        source.draw = call->noise->draw * call->samples + i;
        group_condition(g, classes, &source, z, max);
        group_rao_add(g, classes, z, max, &scale, call->grad_temperature != NULL);
    }
    if (part->first + part->count < call->samples) {
        group_rao_keep(g, part->sums, classes, count);
        return;
    }
    FOR_VECS (q) {
        for (size_t j = 0; j < classes; j++)
            vec_store(g->grad[j] + q * VEC_LANES, vec_load(g->grad[j] + q * VEC_LANES) / samples);
        g->tau_sum[q] /= samples;
    }
    group_gradients(call, row, count, g->grad, g->tau_sum, &scale);
}

static int short_rao(const struct vjp_call *call, size_t first, size_t count, size_t *invalid_row)
{
    for (size_t r = first, end = first + count; r < end; r += LANES) {
        group_columns x __attribute__((aligned(64)));
        struct rao_group g;
        vreal max[VECS];
        size_t rows = end - r < LANES ? end - r : LANES;
        size_t bad = group_open(x, max, call->logits, call->mask.allowed, call->mask.stride, call->layout, r, rows);
        if (bad < LANES)
            return invalid(r + bad, invalid_row);
        group_rao_open(&g, call, r, rows, x, max);
        group_load(g.c, call->cotangent, call->layout, r, rows);
        const struct core_rao_part part = rao_part_from(call->part, r - first, call->layout.classes);
        group_rao(&g, call, &part, r, rows);
    }
    return CORE_OK;
}

#endif
