/* api/vectors/gumbel_softmax.json */
#include "make.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char about[] =
    "For each row of shape [rows, classes], row-major: z = logits + noise_scale * gumbel, gumbel the noise of "
    "noise.json "
    "under tag 0 in the batch's dtype; the noise of row r is that of row row_offset + r (mod 2^32) of the seed, with a "
    "list of seeds that of row row_offset of seed[r]. samples = softmax(z / tau), for tau = 0 the one-hot; indices: "
    "the "
    "first maximum of z; hard_samples: its one-hot. A logit -Infinity is a class that is masked, never drawn; its "
    "gumbel "
    "is told all the same. log_density, with K the number of the other classes, s = noise_scale and v_j = logits_j / "
    "s: "
    "lgamma(K) + (K - 1) log(tau / s) + sum_j log softmax(v - (tau / s) log samples)_j, which is lgamma(K) + (K - 1) "
    "log(tau / s) + sum_j log E_j - K log sum_j E_j, E_j = exp(-gumbel_j); where it is infinite, for K > 1: -Infinity "
    "for "
    "tau = 0, else Infinity for s = 0. float32 results within 1e-6, relative where above 1, float64 within 1e-12.";

static const struct batch {
    size_t rows, classes;
    uint64_t seeds[4]; /* one for all rows, or one for each */
    bool seed_each;
    double tau;
    uint32_t row_offset, draw;
    bool masked; /* the second class is -inf */
    enum core_dtype dtype;
    double noise_scale;
} batches[] = {
    {1, 3, {7}, false, 1, 0, 0, false, CORE_FLOAT32, 1},
    {3, 4, {7}, false, 0.5, 0, 0, false, CORE_FLOAT32, 1},
    {2, 4, {7}, false, 0.5, 1, 0, false, CORE_FLOAT32, 1}, /* rows 1 and 2 of the one before, with their own logits */
    {4, 10, {42, 42, 43, 0}, true, 2, 0, 0, false, CORE_FLOAT32, 1},
    {2, 10, {9007199254740991}, false, 1, 100, 0, true, CORE_FLOAT32, 1},
    {1, 64, {2026}, false, 1, 0, 3, false, CORE_FLOAT32, 1}, /* as long rows are computed */
    {3, 5, {5}, false, 0, 0, 0, false, CORE_FLOAT32, 1},     /* one-hot */
    {1, 1, {5}, false, 0.5, 0, 0, false, CORE_FLOAT32, 1},
    {2, 6, {11}, false, 0.75, 0, 2, true, CORE_FLOAT32, 0.5},
    {2, 5, {11}, false, 0.5, 0, 0, false, CORE_FLOAT32, 0},        /* softmax(logits / tau) */
    {2, 3, {12}, false, 1, 4294967295, 0, false, CORE_FLOAT32, 2}, /* rows 2^32 - 1 and 0 */
    {1, 3, {7}, false, 1, 0, 0, false, CORE_FLOAT64, 1},
    {4, 10, {42, 42, 43, 0}, true, 2, 0, 0, true, CORE_FLOAT64, 1},
    {1, 64, {2026}, false, 0.5, 7, 3, false, CORE_FLOAT64, 0.75},
    {3, 5, {5}, false, 0, 0, 0, true, CORE_FLOAT64, 1},
};

static void print_head(const struct batch *b)
{
    printf("    {\n      \"shape\": [%zu, %zu],\n", b->rows, b->classes);
    print_dtype(b->dtype);
    print_parameter("tau", &b->tau, 1);
    print_parameter("noise_scale", &b->noise_scale, 1);
}

static void make_batch(const struct batch *b)
{
    numbers logits, hard, soft, gumbel, log_density;
    int32_t indices[MAX_VALUES];
    size_t bad, count = b->rows * b->classes;
    struct core_gumbel_softmax_call call = {
        .logits = &logits,
        .classes = b->classes,
        .tau = {&b->tau, 0},
        .hard = true,
        .noise = {.seed = b->seeds, .stride = b->seed_each, .row_offset = b->row_offset, .draw = b->draw},
        .samples = &hard,
        .noise_scale = {&b->noise_scale, 0},
        .dtype = b->dtype,
        .indices = indices,
        .soft = &soft,
        .gumbel = &gumbel,
        .log_density = &log_density,
    };
    fill_logits(b->dtype, &logits, b->rows, b->classes, b->masked);
    must(core_gumbel_softmax(&call, 0, b->rows, &bad));
    print_head(b);
    print_noise_source(&call.noise, b->rows);
    print_numbers("logits", b->dtype, &logits, count, ",");
    print_numbers("gumbel", b->dtype, &gumbel, count, ",");
    print_numbers("samples", b->dtype, &soft, count, ",");
    print_numbers("hard_samples", b->dtype, &hard, count, ",");
    print_indices("indices", indices, b->rows, ",");
    print_numbers("log_density", b->dtype, &log_density, b->rows, "");
}

void make_gumbel_softmax(void)
{
    printf("{\n  \"rng\": \"v1\",\n  \"about\": \"%s\",\n  \"batches\": [\n", about);
    for (size_t i = 0; i < COUNT(batches); i++) {
        make_batch(&batches[i]);
        puts(brace(i, COUNT(batches)));
    }
    puts("  ]\n}");
}
