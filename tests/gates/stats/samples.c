/* The samples of core_gumbel_softmax, hard and soft. */
#include "stats.h"

#include <stdio.h>
#include <stdlib.h>

/* Hard samples of one row of logits, drawn again and again: by rows, or by draws and seeds. */
struct hard_case {
    const char *name;
    size_t classes;
    double slope; /* logits[j] = -slope * j, but the last is a copy of the first */
    bool by_draw;
    enum core_dtype dtype;
};

static const struct hard_case hard_cases[] = {
    {"equal", 2, 0, false, CORE_FLOAT32},          {"equal", 10, 0, false, CORE_FLOAT32},
    {"uneven", 10, 0.5, false, CORE_FLOAT32},      {"uneven", 10, 0.5, true, CORE_FLOAT32},
    {"uneven", 63, 0.125, false, CORE_FLOAT32},    {"uneven", 64, 0.125, false, CORE_FLOAT32},
    {"uneven", 100, 0.0625, true, CORE_FLOAT32},   {"equal", 1000, 0, false, CORE_FLOAT32},
    {"uneven", 1000, 0x1p-7, false, CORE_FLOAT32}, {"uneven", 10, 0.5, false, CORE_FLOAT64},
    {"uneven", 100, 0.0625, true, CORE_FLOAT64},
};

static double logit_of(const struct hard_case *c, size_t j)
{
    return j == c->classes - 1 ? 0 : -c->slope * (double)j;
}

/* Room for a unit's rows in either dtype. */
typedef union {
    float narrow[BLOCK];
    double wide[BLOCK];
} numbers;

static void fill(const struct hard_case *c, size_t rows, numbers *logits, uint64_t *seeds)
{
    for (size_t r = 0; r < rows; r++) {
        seeds[r] = c->by_draw ? r : 77;
        for (size_t j = 0; j < c->classes; j++) {
            double x = logit_of(c, j);
            if (c->dtype == CORE_FLOAT64)
                logits->wide[r * c->classes + j] = x;
            else
                logits->narrow[r * c->classes + j] = (float)x;
        }
    }
}

/* Counts a row's class; it must be one-hot, and tell the same as its index. */
static void count_one_hot(struct counts *counts, const struct hard_case *c, const numbers *samples, size_t row,
                          int32_t index)
{
    size_t ones = 0, others = 0;
    for (size_t j = 0; j < c->classes; j++) {
        size_t at = row * c->classes + j;
        double y = c->dtype == CORE_FLOAT64 ? samples->wide[at] : (double)samples->narrow[at];
        counts->outcome[j] += y == 1;
        ones += y == 1 && (size_t)index == j;
        others += y != 0;
    }
    counts->impossible += ones != 1 || others != 1;
}

static void hard_unit(struct counts *counts, uint32_t index, const void *argument)
{
    static _Thread_local numbers logits, samples;
    static _Thread_local uint64_t seeds[BLOCK];
    static _Thread_local int32_t indices[BLOCK];
    static const double tau = 1;
    const struct hard_case *c = argument;
    size_t rows = BLOCK / c->classes, bad;
    fill(c, rows, &logits, seeds);
    struct core_gumbel_softmax_call call = {
        .logits = &logits,
        .classes = c->classes,
        .tau = {&tau, 0},
        .hard = true,
        .noise = {.seed = seeds,
                  .stride = c->by_draw,
                  .row_offset = c->by_draw ? 0 : index * (uint32_t)rows,
                  .draw = c->by_draw ? index : 0},
        .samples = &samples,
        .dtype = c->dtype,
        .indices = indices,
    };
    if (core_gumbel_softmax(&call, 0, rows, &bad) != CORE_OK)
        exit(2);
    for (size_t r = 0; r < rows; r++)
        count_one_hot(counts, c, &samples, r, indices[r]);
}

static void test_hard(const struct hard_case *c, double draws)
{
    char what[80];
    static double expected[OUTCOMES];
    double sum = 0, n = 0;
    struct counts *counts = work_run(hard_unit, c, draws / BLOCK);
    for (size_t j = 0; j < c->classes; j++) {
        sum += exp(logit_of(c, j));
        n += (double)counts->outcome[j];
    }
    for (size_t j = 0; j < c->classes; j++)
        expected[j] = n * exp(logit_of(c, j)) / sum;
    snprintf(what, sizeof(what), "hard samples, %s%s, K = %zu, %s", c->dtype == CORE_FLOAT64 ? "float64 " : "", c->name,
             c->classes, c->by_draw ? "by draw and seed" : "by row");
    check_outcomes(what, counts->outcome, expected, c->classes, counts->impossible);
    free(counts);
}

/* Soft samples of two equal classes at tau = 1: y = 1 / (1 + exp(g1 - g0)), a logistic variable's own distribution
 * function, is uniform. It goes through all of the core, its logarithm of E too. */
static void logistic_unit(struct counts *counts, uint32_t index, const void *argument)
{
    static _Thread_local numbers samples;
    static const numbers zeros;
    static const double tau = 1;
    static const uint64_t seed = 5;
    const enum core_dtype dtype = *(const enum core_dtype *)argument;
    size_t rows = BLOCK / 2, bad;
    struct core_gumbel_softmax_call call = {
        .logits = &zeros,
        .classes = 2,
        .tau = {&tau, 0},
        .noise = {.seed = &seed, .row_offset = index * (uint32_t)rows, .draw = 1},
        .samples = &samples,
        .dtype = dtype,
    };
    if (core_gumbel_softmax(&call, 0, rows, &bad) != CORE_OK)
        exit(2);
    for (size_t r = 0; r < rows; r++)
        counts->uniform[cell_of(dtype == CORE_FLOAT64 ? samples.wide[2 * r] : (double)samples.narrow[2 * r])]++;
}

static void test_logistic(enum core_dtype dtype, double draws)
{
    char what[80];
    struct counts *counts = work_run(logistic_unit, &dtype, draws / BLOCK);
    snprintf(what, sizeof(what), "%s soft samples, K = 2, logistic: Kolmogorov-Smirnov",
             dtype == CORE_FLOAT64 ? "float64" : "float32");
    check_uniform(what, counts->uniform);
    free(counts);
}

void test_samples(double draws)
{
    for (enum core_dtype dtype = CORE_FLOAT32; dtype <= CORE_FLOAT64; dtype++)
        test_logistic(dtype, draws);
    for (size_t i = 0; i < COUNT(hard_cases); i++)
        test_hard(&hard_cases[i], draws);
}
