/* api/vectors/vjp.json */
#include "vjp.h"
#include "make.h"

#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char about[] =
    "Gradients of sum(cotangent * result) for each row of shape [rows, classes], row-major; a logit -Infinity is a "
    "class that is masked. softmax: y = softmax(x / T), g_j = y_j (c_j - sum_k c_k y_k) / T. log_softmax: g_j = (c_j - "
    "y_j sum_k c_k) / T. Both: grad_logits = g, grad_temperature = -1/T sum_j g_j (x_j - m), m the maximum of x, over "
    "the "
    "classes that are not -inf. gumbel_softmax: those of softmax at z = x + noise_scale * gumbel instead of x, and tau "
    "instead of T, gumbel as in gumbel_softmax.json. gumbel_rao: the means of those of softmax at z_i and tau over i = "
    "0 "
    ".. k-1, k = conditional_samples; with s = noise_scale > 0, D = the first maximum of x + s * gumbel, p = softmax(x "
    "/ "
    "s), E_j = the exponential of noise.json under tag 1 (float64: low words under tag 3) and draw k * draw + i (mod "
    "2^32), of the same seed and row: z_D = -s log E_D, z_j = s log p_j - s log(E_j + p_j E_D) for the others. T or "
    "tau = "
    "0: all 0. float32 results within 1e-6, relative where above 1, float64 within 1e-12.";

enum function { SOFTMAX, LOG_SOFTMAX, GUMBEL_SOFTMAX, GUMBEL_RAO };
static const char *const names[] = {"softmax", "log_softmax", "gumbel_softmax", "gumbel_rao"};

static const struct batch {
    enum function function;
    enum core_dtype dtype;
    size_t rows, classes;
    double temperature[4]; /* one for each row; tau */
    bool masked;
    uint64_t seed;
    uint32_t row_offset, draw;
    double noise_scale;
    uint32_t conditional_samples;
} batches[] = {
    {SOFTMAX, CORE_FLOAT32, 3, 5, {1, 0.5, 2}, false, 0, 0, 0, 0, 0},
    {SOFTMAX, CORE_FLOAT32, 2, 8, {0.5, 0}, true, 0, 0, 0, 0, 0},
    {SOFTMAX, CORE_FLOAT32, 1, 100, {1}, false, 0, 0, 0, 0, 0},
    {SOFTMAX, CORE_FLOAT64, 3, 5, {1, 0.7, 2}, true, 0, 0, 0, 0, 0},
    {LOG_SOFTMAX, CORE_FLOAT32, 3, 5, {1, 0.5, 2}, false, 0, 0, 0, 0, 0},
    {LOG_SOFTMAX, CORE_FLOAT64, 2, 8, {0.7, 3}, false, 0, 0, 0, 0, 0},
    {GUMBEL_SOFTMAX, CORE_FLOAT32, 3, 5, {1, 0.5, 2}, false, 7, 0, 0, 1, 0},
    {GUMBEL_SOFTMAX, CORE_FLOAT32, 2, 8, {0.5, 1}, true, 7, 10, 3, 0.5, 0},
    {GUMBEL_SOFTMAX, CORE_FLOAT32, 1, 100, {1}, false, 8, 0, 0, 1, 0},
    {GUMBEL_SOFTMAX, CORE_FLOAT64, 3, 5, {1, 0.7, 0}, true, 9, 0, 1, 1, 0},
    {GUMBEL_SOFTMAX, CORE_FLOAT64, 1, 8, {2}, false, 9, 0, 0, 0, 0},
    {GUMBEL_RAO, CORE_FLOAT32, 3, 5, {1, 0.5, 2}, false, 7, 0, 2, 1, 4},
    {GUMBEL_RAO, CORE_FLOAT32, 2, 8, {0.5, 1}, true, 7, 10, 3, 0.5, 3},
    {GUMBEL_RAO, CORE_FLOAT32, 1, 70, {1}, false, 8, 0, 0, 1, 2},
    {GUMBEL_RAO, CORE_FLOAT64, 3, 5, {1, 0.7, 2}, true, 9, 0, 1, 1, 3},
    {GUMBEL_RAO, CORE_FLOAT64, 1, 70, {0.7}, false, 9, 0, 1, 0.75, 1},
};

struct gradients {
    numbers logits, temperature;
};

static void *scratch_of(size_t size)
{
    void *scratch = malloc(size + 1);
    if (scratch == NULL)
        exit(1);
    return scratch;
}

static void softmax_gradients(const struct batch *b, const numbers *x, const numbers *c, struct gradients *to)
{
    size_t bad;
    struct core_softmax_vjp_call call = {
        .logits = x,
        .cotangent = c,
        .classes = b->classes,
        .temperature = {b->temperature, 1},
        .grad_logits = &to->logits,
        .grad_temperature = &to->temperature,
        .dtype = b->dtype,
    };
    void *scratch = scratch_of(core_softmax_vjp_scratch(&call));
    must((b->function == SOFTMAX ? core_softmax_vjp : core_log_softmax_vjp)(&call, 0, b->rows, scratch, &bad));
    free(scratch);
}

static void gumbel_gradients(const struct batch *b, const numbers *x, const numbers *c, struct gradients *to)
{
    size_t bad;
    struct core_gumbel_softmax_vjp_call call = {
        .logits = x,
        .cotangent = c,
        .classes = b->classes,
        .tau = {b->temperature, 1},
        .noise = {.seed = &b->seed, .row_offset = b->row_offset, .draw = b->draw},
        .conditional_samples = b->conditional_samples,
        .grad_logits = &to->logits,
        .grad_tau = &to->temperature,
        .noise_scale = {&b->noise_scale, 0},
        .dtype = b->dtype,
    };
    bool rao = b->function == GUMBEL_RAO;
    void *scratch = scratch_of(rao ? core_gumbel_rao_vjp_scratch(&call) : core_gumbel_softmax_vjp_scratch(&call));
    must((rao ? core_gumbel_rao_vjp : core_gumbel_softmax_vjp)(&call, 0, b->rows, scratch, &bad));
    free(scratch);
}

static void print_noise_members(const struct batch *b)
{
    struct core_noise noise = {.seed = &b->seed, .row_offset = b->row_offset, .draw = b->draw};
    print_parameter("noise_scale", &b->noise_scale, 1);
    if (b->function == GUMBEL_RAO)
        printf("      \"conditional_samples\": %u,\n", (unsigned)b->conditional_samples);
    print_noise_source(&noise, b->rows);
}

static void make_batch(const struct batch *b)
{
    numbers x, c;
    struct gradients gradients;
    size_t count = b->rows * b->classes;
    bool noisy = b->function >= GUMBEL_SOFTMAX;
    fill_logits(b->dtype, &x, b->rows, b->classes, b->masked);
    fill_cotangent(b->dtype, &c, b->rows, b->classes);
    (noisy ? gumbel_gradients : softmax_gradients)(b, &x, &c, &gradients);
    printf("    {\n      \"function\": \"%s\", \"shape\": [%zu, %zu],\n", names[b->function], b->rows, b->classes);
    print_dtype(b->dtype);
    print_parameter(noisy ? "tau" : "temperature", b->temperature, b->rows);
    if (noisy)
        print_noise_members(b);
    print_numbers("logits", b->dtype, &x, count, ",");
    print_numbers("cotangent", b->dtype, &c, count, ",");
    print_numbers("grad_logits", b->dtype, &gradients.logits, count, ",");
    print_numbers(noisy ? "grad_tau" : "grad_temperature", b->dtype, &gradients.temperature, b->rows, "");
}

void make_vjp(void)
{
    printf("{\n  \"rng\": \"v1\",\n  \"about\": \"%s\",\n  \"batches\": [\n", about);
    for (size_t i = 0; i < COUNT(batches); i++) {
        make_batch(&batches[i]);
        puts(brace(i, COUNT(batches)));
    }
    puts("  ]\n}");
}
