/* The noise of one class: g as core_gumbel_softmax gives it, and E. */
#include "stats.h"

#include <stdio.h>
#include <stdlib.h>

static const uint64_t noise_seed = 20200229;

static const char *const dtype_names[] = {"float32", "float64"};

static double number_at(enum core_dtype dtype, const void *values, size_t i)
{
    return dtype == CORE_FLOAT64 ? ((const double *)values)[i] : (double)((const float *)values)[i];
}

/* g of row `index`, of BLOCK classes. */
static void gumbel_of_row(enum core_dtype dtype, uint32_t index, void *gumbel)
{
    static const double zeros[BLOCK]; /* logits of either dtype */
    static _Thread_local double samples[BLOCK];
    static const double tau = 1;
    size_t bad;
    struct core_gumbel_softmax_call call = {
        .logits = zeros,
        .classes = BLOCK,
        .tau = {&tau, 0},
        .noise = {.seed = &noise_seed, .row_offset = index},
        .samples = samples,
        .dtype = dtype,
        .gumbel = gumbel,
    };
    if (core_gumbel_softmax(&call, 0, 1, &bad) != CORE_OK)
        exit(2);
}

/* g by its distribution function exp(-exp(-g)), and the tails of E = exp(-g). Bits 32 .. 47 of the function's value are
 * uniform too: of a double, which has them, they come of the lower words. */
static void gumbel_unit(struct counts *counts, uint32_t index, const void *argument)
{
    static _Thread_local double gumbel[BLOCK];
    const enum core_dtype dtype = *(const enum core_dtype *)argument;
    gumbel_of_row(dtype, index, gumbel);
    for (size_t i = 0; i < BLOCK; i++) {
        double e = exp(-number_at(dtype, gumbel, i)), p = exp(-e), scaled = p * 0x1p32;
        counts->uniform[cell_of(p)]++;
        counts->fine[cell_of(scaled - floor(scaled))]++;
        if (e < 0.5)
            for (int k = 1; k <= 31 && e < ldexp(1, -k); k++)
                counts->lower[k]++;
        for (int k = 1; k <= 22 && e > k; k++)
            counts->upper[k]++;
    }
}

static void check_tails(enum core_dtype dtype, const struct counts *counts, double n)
{
    char what[80];
    for (int k = 1; k <= 31; k++) { /* Gumbel's right tail, E near 0 */
        double p = -expm1(-ldexp(1, -k));
        snprintf(what, sizeof(what), "%s g > %.2f, E < 2^-%d: %.0f of %.1f", dtype_names[dtype], k * log(2), k,
                 (double)counts->lower[k], n * p);
        check_count(what, (double)counts->lower[k], n, p);
    }
    for (int k = 1; k <= 22; k++) { /* its left one */
        snprintf(what, sizeof(what), "%s g < %.2f, E > %d: %.0f of %.1f", dtype_names[dtype], -log(k), k,
                 (double)counts->upper[k], n * exp(-k));
        check_count(what, (double)counts->upper[k], n, exp(-k));
    }
}

static void test_gumbel(enum core_dtype dtype, double draws)
{
    char what[80];
    struct counts *counts = work_run(gumbel_unit, &dtype, draws / BLOCK);
    snprintf(what, sizeof(what), "%s gumbel: Kolmogorov-Smirnov", dtype_names[dtype]);
    check_uniform(what, counts->uniform);
    if (dtype == CORE_FLOAT64)
        check_uniform("float64 gumbel, bits 32 to 47: Kolmogorov-Smirnov", counts->fine);
    check_tails(dtype, counts, fmax(1, floor(draws / BLOCK)) * BLOCK);
    free(counts);
}

/* E by its distribution function, 1 - exp(-E). */
static void exponential_unit(struct counts *counts, uint32_t index, const void *argument)
{
    static _Thread_local uint32_t words[BLOCK], low_words[BLOCK];
    static _Thread_local double exponential[BLOCK];
    const enum core_dtype dtype = *(const enum core_dtype *)argument;
    core_noise_words(words, 0, BLOCK, noise_seed, index, 0, 1);
    core_noise_words(low_words, 0, BLOCK, noise_seed, index, 0, 3);
    core_exponential(dtype, words, low_words, exponential, BLOCK);
    for (size_t i = 0; i < BLOCK; i++)
        counts->uniform[cell_of(-expm1(-number_at(dtype, exponential, i)))]++;
}

static void test_exponential(enum core_dtype dtype, double draws)
{
    char what[80];
    struct counts *counts = work_run(exponential_unit, &dtype, draws / BLOCK);
    snprintf(what, sizeof(what), "%s E, tag 1: Kolmogorov-Smirnov", dtype_names[dtype]);
    check_uniform(what, counts->uniform);
    free(counts);
}

void test_noise(double draws)
{
    for (enum core_dtype dtype = CORE_FLOAT32; dtype <= CORE_FLOAT64; dtype++) {
        test_gumbel(dtype, draws);
        test_exponential(dtype, draws / 10);
    }
}
