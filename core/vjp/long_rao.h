/* The Gumbel-Rao gradient of rows of many classes. vjp.h defines the results. */
#ifndef CORE_VJP_LONG_RAO_H
#define CORE_VJP_LONG_RAO_H

#include "vjp/long.h"

/* The tag of the noise given the hard sample; that of double's lower words is LOW_WORDS_TAG more. */
#define CONDITIONAL_TAG 1

/* One row in arrays of whole groups of LANES; after the last class x is -inf and c is 0. */
struct rao_row {
    size_t whole;
    size_t winner;
    real *x, *c, *p, *z, *y, *grad, *rest; /* grad + rest: the products' sums over the samples */
    real max, log_p_max, noise_scale;      /* of x; log p there; s */
    vreal tau_sum, tau_rest;               /* of the products' weighted sums, the same in each lane */
};

INLINE struct rao_row rao_row_of(real *scratch, size_t classes)
{
    size_t whole = (classes + LANES - 1) / LANES * LANES;
    return (struct rao_row){
        .whole = whole,
        .x = scratch,
        .c = scratch + whole,
        .p = scratch + 2 * whole,
        .z = scratch + 3 * whole,
        .y = scratch + 4 * whole,
        .grad = scratch + 5 * whole,
        .rest = scratch + 6 * whole,
    };
}

/* Copies a row and fills up its last group. */
INLINE void rao_copy(real *to, const real *from, size_t classes, size_t whole, real otherwise)
{
    memcpy(to, from, classes * sizeof(real));
    for (size_t j = classes; j < whole; j++)
        to[j] = otherwise;
}

/* Sets x, its maximum, and the winner: the class of the hard sample. False if the row is invalid. */
INLINE bool rao_draw(struct rao_row *row, const struct vjp_call *call, size_t r)
{
    size_t classes = call->layout.classes;
    struct perturbation perturbation = {.source = source_of_row(call->noise, r, 0, 0), .scale = row->noise_scale};
    struct long_row z;
    const uint8_t *allowed = call->mask.allowed;
    rao_copy(row->x, call->logits + r * classes, classes, row->whole, -__builtin_inff());
    if (allowed != NULL)
        long_row_mask(row->x, row->x, allowed + (call->mask.stride == 0 ? 0 : r * classes), classes);
    long_row_open(&z, row->x, row->z, row->whole);
    if (!long_row_max(&z, &row->max))
        return false;
    real max = row->max;
    long_row_perturb(&z, &max, &perturbation);
    row->winner = long_row_find(&z, row->z, max);
    return true;
}

/* p and log p_max, of softmax(x / s). */
INLINE void rao_probabilities(struct rao_row *row)
{
    const struct exp_frame frame = long_row_frame(row->max, row->noise_scale);
    struct long_row p;
    long_row_open(&p, row->x, row->p, row->whole);
    real sum = long_row_exp(&p, row->x, &frame, true);
    row->log_p_max = 0.0f - vec_log(vec_splat(sum / vec_exp(&frame, vec_splat(row->max), false)[0]))[0];
    long_row_divide(&p, sum);
}

/* E of one class. */
INLINE real exponential_of_class(size_t class, const struct noise_source *source)
{
    lane_uint random[NOISE_ROUNDED(VEC_LANES)] __attribute__((aligned(64))) = {0};
    noise_random(random, class / 4, NOISE_STEP, source);
    return vec_exponential((vuint)vec_splat_int((lane_int)random[class % 4]))[0];
}

/* e = E + p E_D, a normal number, since E >= 2^-54. */
INLINE void add_winner(real *e, const real *p, size_t count, real e_winner)
{
    for (size_t j = 0; j < count; j += VEC_LANES)
        vec_store(e + j, vec_fma(vec_load(p + j), vec_splat(e_winner), vec_load(e + j)));
}

/* z of all classes but the winner, whose z the caller sets. */
INLINE void condition_step(const struct rao_row *row, const real *x, real *z, const real *log_e, size_t count)
{
    vreal s = vec_splat(row->noise_scale);
    for (size_t j = 0; j < count; j += VEC_LANES) {
        vreal a = vec_fma(s, vec_splat(row->log_p_max), vec_load(x + j) - row->max);
        vec_store(z + j, vec_fma(-s, vec_load(log_e + j), a));
    }
}

/* z given the winner. */
INLINE void rao_condition(struct rao_row *row, const struct noise_source *source)
{
    lane_uint random[NOISE_ROUNDED(NOISE_CHUNK)] __attribute__((aligned(64)));
    real e[NOISE_CHUNK] __attribute__((aligned(64)));
    real e_winner = 0;
    for (size_t first = 0; first < row->whole; first += NOISE_CHUNK) {
        size_t count = row->whole - first < NOISE_CHUNK ? row->whole - first : NOISE_CHUNK;
        noise_random(random, first / 4, count, source);
        noise_exponentials(random, e, count);
        if (first == 0)
            e_winner = row->winner < count ? e[row->winner] : exponential_of_class(row->winner, source);
        add_winner(e, row->p + first, count, e_winner);
        noise_logarithms(e, e, count);
        condition_step(row, row->x + first, row->z + first, e, count);
    }
    row->z[row->winner] = -row->noise_scale * vec_log(vec_splat(e_winner))[0];
}

/* Adds a sample's products to grad and tau_sum. */
INLINE void rao_add(struct rao_row *row, real tau, bool weighted)
{
    struct long_row y;
    struct vjp_row products = {.x = row->z, .c = row->c, .scale = inverse(tau), .rest = row->rest};
    long_row_open(&y, row->z, row->y, row->whole);
    long_row_max(&y, &products.max);
    real total = long_row_exponentials(&y, row->z, products.max, tau);
    products.sum = row_share(&y, &products, total, false);
    if (weighted)
        sum_add(&row->tau_sum, &row->tau_rest, vec_splat(row_products(&y, &products, row->grad, SOFTMAX_ADDEND, true)));
    else
        row_products(&y, &products, row->grad, SOFTMAX_ADDEND, false);
}

/* The gradients from the sums over the samples. */
INLINE void rao_mean(struct rao_row *row, const struct vjp_call *call, size_t r, real tau)
{
    real scale = inverse(tau);
    size_t classes = call->layout.classes;
    vreal samples = vec_splat((real)call->samples);
    for (size_t j = 0; j < row->whole; j += VEC_LANES)
        vec_store(row->grad + j, canonical(vec_load(row->grad + j) / samples * scale));
    memcpy(call->grad_logits + r * classes, row->grad, classes * sizeof(real));
    if (call->grad_temperature != NULL)
        call->grad_temperature[r] = temperature_gradient(row->tau_sum[0] / (real)call->samples, scale);
}

/* The sums so far: 0, or those kept from the call before. Where sums are kept, they are also added up there. */
INLINE void rao_open_sums(struct rao_row *row, const struct core_rao_part *part)
{
    if (part->sums != NULL) {
        row->grad = part->sums;
        row->rest = row->grad + row->whole;
    }
    if (part->first == 0) {
        memset(row->grad, 0, row->whole * sizeof(real));
        memset(row->rest, 0, row->whole * sizeof(real));
        row->tau_sum = row->tau_rest = vec_splat(0);
        return;
    }
    row->tau_sum = vec_splat(row->rest[row->whole]);
    row->tau_rest = vec_splat(row->rest[row->whole + 1]);
}

INLINE void rao_keep_sums(struct rao_row *row)
{
    row->rest[row->whole] = row->tau_sum[0];
    row->rest[row->whole + 1] = row->tau_rest[0];
}

static int long_rao(const struct vjp_call *call, size_t first, size_t count, size_t *invalid_row)
{
    size_t classes = call->layout.classes;
    for (size_t r = first; r < first + count; r++) {
        struct rao_row row = rao_row_of(call->scratch, classes);
        real tau = parameter(&call->temperature, r);
        row.noise_scale = noise_scale(&call->noise_scale, r);
        if (!rao_draw(&row, call, r))
            return invalid(r, invalid_row);
        if (tau == 0.0f) {
            no_gradient(call, r);
            continue;
        }
        rao_probabilities(&row);
        rao_copy(row.c, call->cotangent + r * classes, classes, row.whole, 0.0f);
        const struct core_rao_part part = rao_part_from(call->part, r - first, classes);
        rao_open_sums(&row, &part);
        struct noise_source source = source_of_row(call->noise, r, 0, CONDITIONAL_TAG);
        for (uint32_t i = part.first; i < part.first + part.count; i++) {
            source.draw = call->noise->draw * call->samples + i;
            rao_condition(&row, &source);
            rao_add(&row, tau, call->grad_temperature != NULL);
        }
        if (part.first + part.count == call->samples)
            rao_mean(&row, call, r, tau);
        else
            rao_keep_sums(&row);
    }
    return CORE_OK;
}

#endif
