/* Draws of core_categorical: of single classes, of several in a row, of orders without replacement, of rare classes. */
#include "sampling.h"
#include "stats.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_CLASSES = 1024, UNIT_ROWS = 4096 };

/* Rows of one kind, drawn from again and again. The n draws of a row are told in groups of `together`: which classes
 * in which order is one outcome. */
struct drawing {
    const char *name;
    enum core_dtype dtype;
    size_t classes;
    double slope, temperature; /* logits[j] = -slope * j */
    size_t draws, together;
    bool replacement;
    double top_k; /* 0: all */
    enum core_method method;
};

static const struct drawing drawings[] = {
    {"one draw", CORE_FLOAT32, 10, 0.25, 0.5, 1, 1, true, 0, CORE_GUMBEL_MAX},
    {"16 draws", CORE_FLOAT32, 10, 0.25, 0.5, 16, 1, true, 0, CORE_GUMBEL_MAX},
    {"16 draws, pairs", CORE_FLOAT32, 10, 0.25, 0.5, 16, 2, true, 0, CORE_GUMBEL_MAX},
    {"two draws, pairs", CORE_FLOAT32, 80, 0.0625, 1, 2, 2, true, 0, CORE_GUMBEL_MAX},
    {"16 draws", CORE_FLOAT32, 1000, 0x1p-7, 1, 16, 1, true, 0, CORE_GUMBEL_MAX},
    {"16 draws, top 7 of", CORE_FLOAT32, 100, 0.25, 1, 16, 1, true, 7, CORE_GUMBEL_MAX},
    {"one draw", CORE_FLOAT64, 10, 0.25, 0.5, 1, 1, true, 0, CORE_GUMBEL_MAX},
    {"16 draws, pairs", CORE_FLOAT64, 80, 0.0625, 1, 16, 2, true, 0, CORE_GUMBEL_MAX},
    {"inversion, 16 draws", CORE_FLOAT32, 10, 0.25, 0.5, 16, 1, true, 0, CORE_INVERSE_CDF},
    {"inversion, 16 draws, pairs", CORE_FLOAT32, 80, 0.0625, 1, 16, 2, true, 0, CORE_INVERSE_CDF},
    {"inversion, 1000 draws", CORE_FLOAT32, 1000, 0x1p-7, 1, 1000, 1, true, 0, CORE_INVERSE_CDF},
    {"inversion, 16 draws, top 7 of", CORE_FLOAT32, 100, 0.25, 1, 16, 1, true, 7, CORE_INVERSE_CDF},
    {"inversion, 16 draws, pairs", CORE_FLOAT64, 10, 0.25, 0.5, 16, 2, true, 0, CORE_INVERSE_CDF},
    {"without replacement, pairs", CORE_FLOAT32, 10, 0.25, 1, 2, 2, false, 0, CORE_GUMBEL_MAX},
    {"without replacement, all orders", CORE_FLOAT32, 4, 0.5, 1, 4, 4, false, 0, CORE_GUMBEL_MAX},
    {"without replacement, pairs", CORE_FLOAT32, 80, 0.0625, 1, 2, 2, false, 0, CORE_GUMBEL_MAX},
    {"without replacement, triples, top 6 of", CORE_FLOAT32, 20, 0.5, 2, 3, 3, false, 6, CORE_GUMBEL_MAX},
    {"without replacement, triples", CORE_FLOAT64, 10, 0.25, 0.5, 3, 3, false, 0, CORE_GUMBEL_MAX},
    {"without replacement, pairs", CORE_FLOAT64, 80, 0.0625, 1, 2, 2, false, 0, CORE_GUMBEL_MAX},
};

/* One row of logits for all: each unit has its copies. */
static void fill(const struct drawing *d, size_t rows, void *logits)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < d->classes; j++) {
            double x = -d->slope * (double)j;
            if (d->dtype == CORE_FLOAT64)
                ((double *)logits)[r * d->classes + j] = x;
            else
                ((float *)logits)[r * d->classes + j] = (float)x;
        }
}

static size_t rows_of_unit(const struct drawing *d)
{
    size_t rows = BLOCK / d->classes;
    return rows < UNIT_ROWS ? rows : UNIT_ROWS;
}

/* The classes drawn of rows first .. first+rows-1. */
static void draw(const struct drawing *d, const void *logits, uint32_t first, size_t rows, int32_t *indices)
{
    static const uint64_t seed = 31;
    size_t bad;
    struct core_categorical_call call = {
        .dtype = d->dtype,
        .logits = logits,
        .classes = d->classes,
        .temperature = {&d->temperature, 0},
        .noise = {.seed = &seed, .row_offset = first},
        .draws = d->draws,
        .replacement = d->replacement,
        .method = d->method,
        .filters = {.values = {[CORE_TOP_K] = {d->top_k > 0 ? &d->top_k : NULL, 0}}},
        .indices = indices,
    };
    void *scratch = allocate(core_categorical_scratch(&call) + 1);
    if (core_categorical(&call, 0, rows, scratch, &bad) != CORE_OK)
        exit(2);
    free(scratch);
}

/* Whether the class occurs in the outcome's remaining draws. */
static bool repeats(const int32_t *classes, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (classes[i] == classes[0])
            return true;
    return false;
}

static size_t outcome_of(const struct drawing *d, const int32_t *classes, bool *impossible)
{
    size_t outcome = 0;
    for (size_t i = 0; i < d->together; i++) {
        outcome = outcome * d->classes + (size_t)classes[i];
        *impossible |= !d->replacement && repeats(classes + i, d->together - i);
        *impossible |= d->top_k > 0 && classes[i] >= d->top_k;
    }
    return outcome;
}

static void drawing_unit(struct counts *counts, uint32_t index, const void *argument)
{
    const struct drawing *d = argument;
    size_t rows = rows_of_unit(d), draws = rows * d->draws;
    void *logits = allocate(rows * d->classes * core_dtype_size(d->dtype));
    int32_t *indices = allocate(draws * sizeof(indices[0]));
    fill(d, rows, logits);
    draw(d, logits, index * (uint32_t)rows, rows, indices);
    for (size_t i = 0; i < draws; i += d->together) {
        bool impossible = false;
        counts->outcome[outcome_of(d, indices + i, &impossible)]++;
        counts->impossible += impossible;
    }
    free(indices);
    free(logits);
}

/* p = softmax of what is drawn from. */
static void probabilities(const struct drawing *d, double *p)
{
    double sum = 0;
    size_t kept = d->top_k > 0 ? (size_t)d->top_k : d->classes;
    for (size_t j = 0; j < d->classes; j++)
        sum += p[j] = j < kept ? exp(-d->slope * (double)j / d->temperature) : 0;
    for (size_t j = 0; j < d->classes; j++)
        p[j] /= sum;
}

/* The probability of an outcome: a product, without replacement (Plackett and Luce's model) each factor of what is
 * left: p_a, p_b / (1 - p_a), p_c / (1 - p_a - p_b), ... */
static double probability_of(const struct drawing *d, const double *p, size_t outcome)
{
    int32_t classes[8];
    double probability = 1, left = 1;
    for (size_t i = d->together; i-- > 0; outcome /= d->classes)
        classes[i] = (int32_t)(outcome % d->classes);
    for (size_t i = 0; i < d->together; i++) {
        if (!d->replacement && repeats(classes + i, d->together - i))
            return 0;
        probability *= p[classes[i]] / left;
        left -= d->replacement ? 0 : p[classes[i]];
    }
    return probability;
}

static void test_drawing(const struct drawing *d, double draws)
{
    char what[80];
    double p[MAX_CLASSES];
    static double expected[OUTCOMES];
    size_t rows = rows_of_unit(d), outcomes = 1;
    struct counts *counts = work_run(drawing_unit, d, draws / (double)(rows * d->draws));
    double n = 0;
    for (size_t i = 0; i < d->together; i++)
        outcomes *= d->classes;
    for (size_t i = 0; i < outcomes; i++)
        n += (double)counts->outcome[i];
    probabilities(d, p);
    for (size_t i = 0; i < outcomes; i++)
        expected[i] = n * probability_of(d, p, i);
    snprintf(what, sizeof(what), "%sdrawn, %s, K = %zu", d->dtype == CORE_FLOAT64 ? "float64 " : "", d->name,
             d->classes);
    check_outcomes(what, counts->outcome, expected, outcomes, counts->impossible);
    free(counts);
}

/* Classes that are hardly ever drawn: the noise's tails at work. */
static void test_rare(enum core_dtype dtype, size_t classes, double draws)
{
    const struct drawing d = {"rare", dtype, classes, 4, 1, 16, 1, true, 0, CORE_GUMBEL_MAX};
    char what[80];
    double p[MAX_CLASSES], n = 0;
    struct counts *counts = work_run(drawing_unit, &d, draws / (double)(rows_of_unit(&d) * d.draws));
    probabilities(&d, p);
    for (size_t j = 0; j < classes; j++)
        n += (double)counts->outcome[j];
    for (size_t j = 1; j < 6; j++) {
        snprintf(what, sizeof(what), "%sdrawn, rare, K = %zu, p = %.2g: %.0f of %.1f",
                 dtype == CORE_FLOAT64 ? "float64 " : "", classes, p[j], (double)counts->outcome[j], n * p[j]);
        check_count(what, (double)counts->outcome[j], n, p[j]);
    }
    free(counts);
}

void test_categorical(double draws)
{
    for (size_t i = 0; i < COUNT(drawings); i++)
        test_drawing(&drawings[i], draws);
    test_rare(CORE_FLOAT32, 6, draws);
    test_rare(CORE_FLOAT32, 100, draws);
    test_rare(CORE_FLOAT64, 100, draws);
}
