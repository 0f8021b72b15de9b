/* api/vectors/categorical.json */
#include "make.h"
#include "sampling.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char about[] =
    "For each row of shape [rows, classes], row-major: v = logits, plus bias[i] at class classes[i] of logit_bias for "
    "each i; -Infinity, in logits and bias, is an impossible class. m = max v. order temperature_first: u = (v - m) / "
    "T, "
    "then the filters min_p, top_k, typical_p, top_p on u, then d = u; temperature_last: u = v - m, then the filters "
    "top_k, typical_p, top_p, min_p, then d = (u - max of the u left) / T. Each filter works on what those before it "
    "left, p = softmax(u) over that; ties, equal u, go to the lower class. top_k: the k greatest u (0: off). "
    "typical_p: "
    "in ascending order of |-log p - H|, H = -sum p log p, the shortest beginning whose mass reaches typical_p (1: "
    "off). "
    "top_p: the same in descending order of p (1: off). min_p: u >= max u + log min_p (0: off). kept: the classes left "
    "of "
    "each row, ascending. z = d - log E, E the exponential of noise.json under tag 0 in the batch's dtype, for the row "
    "row_offset + r of the seed. With replacement, draw i = 0 .. n-1 is the first maximum of z under the noise of draw "
    "draw + i; without, the draws are the n greatest z under that of draw, descending. T = 0: no noise, z = v - m, its "
    "first maximum n times or its n greatest; with temperature_first the filters are left aside. scores are the "
    "perturbed logits v / T - log E, for T = 0 z. indices, scores and "
    "log-probabilities are [rows][n]: log_probabilities of log softmax(d) over the kept classes, "
    "scaled_log_probabilities "
    "of log softmax((v - m) / T) over all; for T = 0 both are 0 at the first maximum and -Infinity elsewhere; "
    "raw_log_probabilities of log softmax(logits), for any T. ranks: 1 + the classes of greater logit, or of the same "
    "and "
    "lower number, than the one drawn. Of each row, with p the scaled probabilities: kept_mass, their sum over the "
    "kept "
    "classes, and entropy, -sum p log p. "
    "float32 "
    "results within 1e-6, relative where above 1, float64 within 1e-12.";

enum { MAX_BIAS = 4 };

struct filters {
    double top_k, top_p, min_p, typical_p;
};

#define NO_FILTERS                                                                                                     \
    {                                                                                                                  \
        0, 1, 0, 1                                                                                                     \
    }

static const struct batch {
    enum core_dtype dtype;
    size_t rows, classes;
    double temperature;
    uint64_t seed;
    uint32_t row_offset, draw;
    size_t draws;
    bool replacement, masked;
    enum core_order_name order;
    struct filters filters;
    size_t biases;
    uint32_t bias_classes[MAX_BIAS];
    double bias[MAX_BIAS];
} batches[] = {
    {CORE_FLOAT32, 3, 4, 1, 7, 0, 0, 1, true, false, CORE_TEMPERATURE_FIRST, NO_FILTERS, 0, {0}, {0}},
    {CORE_FLOAT32, 2, 10, 0.5, 7, 0, 3, 12, true, false, CORE_TEMPERATURE_FIRST, NO_FILTERS, 0, {0}, {0}},
    {CORE_FLOAT32, 2, 10, 1, 8, 5, 3, 9, false, true, CORE_TEMPERATURE_FIRST, NO_FILTERS, 0, {0}, {0}},
    {CORE_FLOAT32,
     2,
     10,
     2,
     9,
     0,
     0,
     4,
     true,
     false,
     CORE_TEMPERATURE_FIRST,
     NO_FILTERS,
     4,
     {1, 8, 8, 3},
     {1.5, -0.5, 0.25, -INFINITY}},
    {CORE_FLOAT32, 2, 20, 0.5, 10, 0, 0, 5, true, false, CORE_TEMPERATURE_FIRST, {7, 1, 0, 1}, 0, {0}, {0}},
    {CORE_FLOAT32, 2, 20, 0.5, 10, 0, 0, 5, true, false, CORE_TEMPERATURE_FIRST, {0, 0.75, 0, 1}, 0, {0}, {0}},
    {CORE_FLOAT32, 2, 20, 0.5, 10, 0, 0, 5, true, false, CORE_TEMPERATURE_FIRST, {0, 1, 0.125, 1}, 0, {0}, {0}},
    {CORE_FLOAT32, 2, 20, 0.5, 10, 0, 0, 5, true, false, CORE_TEMPERATURE_FIRST, {0, 1, 0, 0.625}, 0, {0}, {0}},
    {CORE_FLOAT32,
     2,
     40,
     2,
     11,
     0,
     0,
     5,
     false,
     true,
     CORE_TEMPERATURE_FIRST,
     {30, 0.875, 0.0625, 0.9375},
     0,
     {0},
     {0}},
    {CORE_FLOAT32, 2, 40, 2, 11, 0, 0, 5, false, true, CORE_TEMPERATURE_LAST, {30, 0.875, 0.0625, 0.9375}, 0, {0}, {0}},
    {CORE_FLOAT32, 1, 3, 0, 12, 0, 0, 3, true, false, CORE_TEMPERATURE_FIRST, {1, 1, 0, 1}, 0, {0}, {0}},
    {CORE_FLOAT32, 1, 10, 0, 12, 0, 0, 4, false, true, CORE_TEMPERATURE_LAST, {6, 1, 0, 1}, 1, {2}, {2}},
    {CORE_FLOAT32, 1, 40, 1, 12, 0, 0, 4, true, false, CORE_TEMPERATURE_FIRST, {4, 1, 0, 1}, 0, {0}, {0}}, /* ties */
    {CORE_FLOAT64, 2, 10, 0.5, 7, 0, 3, 12, true, false, CORE_TEMPERATURE_FIRST, NO_FILTERS, 0, {0}, {0}},
    {CORE_FLOAT64, 2, 10, 1, 8, 5, 3, 9, false, true, CORE_TEMPERATURE_FIRST, NO_FILTERS, 0, {0}, {0}},
    {CORE_FLOAT64,
     2,
     40,
     0.7,
     11,
     0,
     0,
     5,
     true,
     true,
     CORE_TEMPERATURE_FIRST,
     {30, 0.9, 0.05, 0.95},
     2,
     {0, 7},
     {0.1, 1}},
    {CORE_FLOAT64,
     2,
     40,
     0.7,
     11,
     0,
     0,
     5,
     false,
     true,
     CORE_TEMPERATURE_LAST,
     {30, 0.9, 0.05, 0.95},
     2,
     {0, 7},
     {0.1, 1}},
};

/* What the core says of one batch. */
struct results {
    int32_t indices[MAX_VALUES], top_indices[MAX_VALUES], ranks[MAX_VALUES];
    numbers scores, log_probabilities, scaled_log_probabilities, raw_log_probabilities, kept_mass, entropy;
};

static struct core_categorical_call call_of(const struct batch *b, const numbers *logits)
{
    return (struct core_categorical_call){
        .dtype = b->dtype,
        .logits = logits,
        .classes = b->classes,
        .temperature = {&b->temperature, 0},
        .noise = {.seed = &b->seed, .row_offset = b->row_offset, .draw = b->draw},
        .draws = b->draws,
        .replacement = b->replacement,
        .filters = {.order = &core_orders[b->order],
                    .values = {[CORE_TOP_K] = {&b->filters.top_k, 0},
                               [CORE_TOP_P] = {&b->filters.top_p, 0},
                               [CORE_MIN_P] = {&b->filters.min_p, 0},
                               [CORE_TYPICAL_P] = {&b->filters.typical_p, 0}}},
        .bias = {b->bias_classes, b->bias, b->biases},
    };
}

static void run(const struct core_categorical_call *call, size_t rows)
{
    size_t bad;
    void *scratch = malloc(core_categorical_scratch(call));
    if (scratch == NULL)
        exit(1);
    must(core_categorical(call, 0, rows, scratch, &bad));
    free(scratch);
}

static void draw(const struct batch *b, const numbers *logits, struct results *results)
{
    struct core_categorical_call call = call_of(b, logits);
    call.indices = results->indices;
    call.scores = &results->scores;
    call.kept_mass = &results->kept_mass;
    call.entropy = &results->entropy;
    call.ranks = results->ranks;
    call.log_probabilities = &results->raw_log_probabilities;
    run(&call, b->rows);
    call.ranks = NULL;
    call.distribution = CORE_SCALED;
    call.log_probabilities = &results->scaled_log_probabilities;
    run(&call, b->rows);
    call.distribution = CORE_FILTERED;
    call.log_probabilities = &results->log_probabilities;
    call.top = b->classes; /* all classes that are left */
    call.top_indices = results->top_indices;
    run(&call, b->rows);
}

static int ascending(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return x < y ? -1 : x > y;
}

static void print_kept(const struct batch *b, struct results *results)
{
    printf("      \"kept\": [");
    for (size_t r = 0; r < b->rows; r++) {
        int32_t *row = results->top_indices + r * b->classes;
        bool first = true;
        qsort(row, b->classes, sizeof(row[0]), ascending);
        fputs(r > 0 ? ", [" : "[", stdout);
        for (size_t i = 0; i < b->classes; i++)
            if (row[i] >= 0) {
                printf("%s%d", first ? "" : ", ", (int)row[i]);
                first = false;
            }
        putchar(']');
    }
    puts("],");
}

static void print_head(const struct batch *b)
{
    printf("    {\n      \"shape\": [%zu, %zu], \"n\": %zu, \"replacement\": %s,\n", b->rows, b->classes, b->draws,
           b->replacement ? "true" : "false");
    print_dtype(b->dtype);
    print_parameter("temperature", &b->temperature, 1);
    printf("      \"order\": \"%s\", \"top_k\": %u, \"top_p\": %.17g, \"min_p\": %.17g, \"typical_p\": %.17g,\n",
           b->order == CORE_TEMPERATURE_FIRST ? "temperature_first" : "temperature_last", (unsigned)b->filters.top_k,
           b->filters.top_p, b->filters.min_p, b->filters.typical_p);
    puts("      \"logit_bias\": {");
    print_words("classes", b->bias_classes, b->biases);
    print_numbers("bias", CORE_FLOAT64, b->bias, b->biases, "");
    puts("      },");
}

static void make_batch(const struct batch *b)
{
    static struct results results;
    numbers logits;
    struct core_noise noise = {.seed = &b->seed, .row_offset = b->row_offset, .draw = b->draw};
    size_t count = b->rows * b->draws;
    fill_logits(b->dtype, &logits, b->rows, b->classes, b->masked);
    draw(b, &logits, &results);
    print_head(b);
    print_noise_source(&noise, b->rows);
    print_numbers("logits", b->dtype, &logits, b->rows * b->classes, ",");
    print_kept(b, &results);
    print_indices("indices", results.indices, count, ",");
    print_numbers("scores", b->dtype, &results.scores, count, ",");
    print_numbers("log_probabilities", b->dtype, &results.log_probabilities, count, ",");
    print_numbers("scaled_log_probabilities", b->dtype, &results.scaled_log_probabilities, count, ",");
    print_numbers("raw_log_probabilities", b->dtype, &results.raw_log_probabilities, count, ",");
    print_indices("ranks", results.ranks, count, ",");
    print_numbers("kept_mass", b->dtype, &results.kept_mass, b->rows, ",");
    print_numbers("entropy", b->dtype, &results.entropy, b->rows, "");
}

void make_categorical(void)
{
    printf("{\n  \"rng\": \"v1\",\n  \"about\": \"%s\",\n  \"batches\": [\n", about);
    for (size_t i = 0; i < COUNT(batches); i++) {
        make_batch(&batches[i]);
        puts(brace(i, COUNT(batches)));
    }
    puts("  ]\n}");
}
