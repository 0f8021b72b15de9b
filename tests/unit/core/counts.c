/* core_categorical: how often each class was drawn, against the draws themselves. */
#include "lib/suite.h"
#include "sampling_problem.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const size_t class_counts[] = {1, 2, 5, 63, 64, 100, 300};

enum { ROWS = 24, INNER = 4, DRAWS = 50 };

static size_t place_of(const struct core_categorical_call *call, size_t row, size_t class)
{
    const size_t inner = call->inner > 1 ? call->inner : 1;
    return (row / inner * call->classes + class) * inner + row % inner;
}

static void require_counts(const struct sampling *p, const int32_t *counts)
{
    int32_t *expected = calloc(ROWS * p->call.classes, sizeof *expected);
    ck_assert_ptr_nonnull(expected);
    for (size_t i = 0; i < ROWS * p->call.draws; i++)
        expected[place_of(&p->call, i / p->call.draws, (size_t)p->indices[i])]++;
    ck_assert_mem_eq(counts, expected, ROWS * p->call.classes * sizeof *expected);
    free(expected);
}

/* The ways of a row: plain, prepared, greedy, of few classes (a list), without replacement, by inversion. */
static void set_way(struct core_categorical_call *call, int way)
{
    static const double zero = 0, half = 0.5, two = 2;
    call->temperature.value = way == 2 ? &zero : &half;
    if (way == 1 || way == 2)
        call->filters.order = &core_orders[CORE_TEMPERATURE_LAST];
    if (way == 3)
        call->filters.values[CORE_TOP_K].value = &two;
    call->replacement = way != 4;
    if (way == 5)
        call->method = CORE_INVERSE_CDF;
    if (way == 4)
        call->draws = call->classes / 2 > 1 ? call->classes / 2 : 1;
}

static void check(enum core_dtype dtype, size_t classes, int way, bool strided, struct inputs *inputs)
{
    struct sampling p = sampling_of(dtype, ROWS, classes, DRAWS, true);
    set_way(&p.call, way);
    p.call.inner = strided ? INNER : 1;
    sampling_allocate(&p);
    fill_numbers(dtype, p.logits, ROWS, classes, LOGITS_NORMAL, inputs);
    p.call.scores = NULL;
    int32_t *counts = calloc(ROWS * classes, sizeof *counts), *indices = p.call.indices;
    ck_assert_ptr_nonnull(counts);
    p.call.counts = counts;
    sampling_run_all(&p);
    require_counts(&p, counts);
    memset(counts, 0, ROWS * classes * sizeof *counts);
    p.call.indices = NULL;
    for (size_t first = 0; first < p.call.draws; first += p.call.part.count) { /* parts add up */
        const size_t left = p.call.draws - first;
        p.call.part = way == 4 ? (struct core_draws){0, left} : (struct core_draws){first, left < 20 ? left : 20};
        sampling_run_all(&p);
    }
    require_counts(&p, counts);
    p.call.indices = indices;
    free(counts);
    sampling_close(&p);
}

START_TEST(test_counts)
{
    struct inputs inputs = {71};
    const enum core_dtype dtype = select_kernels(_i);
    for (size_t i = 0; i < COUNT(class_counts); i++)
        for (int way = 0; way < 6; way++)
            for (int strided = 0; strided < 2; strided++)
                check(dtype, class_counts[i], way, strided, &inputs);
}
END_TEST

TEST_SUITE("core")
{
    Suite *suite = suite_create("core counts");
    TCase *counts = tcase_create("counts");
    tcase_add_kernels_test(counts, test_counts);
    suite_add_tcase(suite, counts);
    return suite;
}
