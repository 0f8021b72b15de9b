/* api/vectors/softmax.json */
#include "make.h"

#include <math.h>
#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char about[] =
    "For each row of shape [rows, classes], row-major, with the row's temperature T (a number, or a list of one for "
    "each "
    "row) and the maximum m of its logits: softmax_j = exp((x_j - m) / T) / sum_k exp((x_k - m) / T), log_softmax_j = "
    "(x_j - m) / T - log sum_k exp((x_k - m) / T). T = 0 is the limit: softmax is 1 on the first maximum and 0 "
    "elsewhere, "
    "log_softmax 0 and -inf. A logit -Infinity is a class that is masked. float32 "
    "results "
    "within 1e-6, relative where above 1, float64 within 1e-12.";

static const struct batch {
    enum core_dtype dtype;
    size_t rows, classes;
    double temperature[4];
    bool each; /* a temperature for each row */
    bool masked;
} batches[] = {
    {CORE_FLOAT32, 1, 3, {1}, false, false},
    {CORE_FLOAT32, 3, 4, {0.5, 2, 0}, true, false},
    {CORE_FLOAT32, 2, 10, {0.125}, false, true},
    {CORE_FLOAT32, 1, 1, {3}, false, false},
    {CORE_FLOAT32, 2, 5, {0}, false, true},
    {CORE_FLOAT32, 1, 100, {1}, false, false}, /* as long rows are computed */
    {CORE_FLOAT64, 3, 4, {0.5, 2, 0}, true, false},
    {CORE_FLOAT64, 2, 10, {0.125}, false, true},
    {CORE_FLOAT64, 1, 100, {1.5}, false, false},
};

static void make_batch(const struct batch *b)
{
    numbers logits, result;
    size_t bad, count = b->rows * b->classes;
    struct core_softmax_call call = {
        .logits = &logits,
        .classes = b->classes,
        .temperature = {b->temperature, b->each},
        .result = &result,
        .dtype = b->dtype,
    };
    fill_logits(b->dtype, &logits, b->rows, b->classes, b->masked);
    printf("    {\n      \"shape\": [%zu, %zu],\n", b->rows, b->classes);
    print_dtype(b->dtype);
    print_parameter("temperature", b->temperature, b->each ? b->rows : 1);
    print_numbers("logits", b->dtype, &logits, count, ",");
    must(core_softmax(&call, 0, b->rows, &bad));
    print_numbers("softmax", b->dtype, &result, count, ",");
    must(core_log_softmax(&call, 0, b->rows, &bad));
    print_numbers("log_softmax", b->dtype, &result, count, "");
}

void make_softmax(void)
{
    printf("{\n  \"rng\": \"v1\",\n  \"about\": \"%s\",\n  \"batches\": [\n", about);
    for (size_t i = 0; i < COUNT(batches); i++) {
        make_batch(&batches[i]);
        puts(brace(i, COUNT(batches)));
    }
    puts("  ]\n}");
}
