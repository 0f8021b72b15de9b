/* Rows without an answer are named; nothing outside the rows of a call is read or written. */
#include "lib/suite.h"
#include "real.h"
#include "unit/core/fences.h"

#include <stdlib.h>

enum function { SOFTMAX, LOG_SOFTMAX, GUMBEL_SOFT, GUMBEL_HARD, FUNCTIONS };

static int run(enum function function, const real *logits, real *result, size_t classes, double parameter, size_t first,
               size_t count, size_t *bad)
{
    static const uint64_t seed = 77;
    struct core_softmax_call plain = {
        .dtype = DTYPE, .logits = logits, .classes = classes, .temperature = {&parameter, 0}, .result = result};
    struct core_gumbel_softmax_call gumbel = {.dtype = DTYPE,
                                              .logits = logits,
                                              .classes = classes,
                                              .tau = {&parameter, 0},
                                              .hard = function == GUMBEL_HARD,
                                              .noise = {&seed, 0, 0, 0},
                                              .samples = result};
    switch (function) {
    case SOFTMAX:
        return core_softmax(&plain, first, count, bad);
    case LOG_SOFTMAX:
        return core_log_softmax(&plain, first, count, bad);
    default:
        return core_gumbel_softmax(&gumbel, first, count, bad);
    }
}

/* What no row may hold: +inf, and NaN quiet or signalling, of either sign, of any payload. */
#if TEST_REAL == 32
static const real_bits forbidden[] = {0x7f800000, 0x7fc00000, 0xffc00000, 0x7f800001, 0xff800001,
                                      0x7fffffff, 0xffffffff, 0x7fa00000, 0xffbfffff, 0x7fd55555};
#else
static const real_bits forbidden[] = {0x7ff0000000000000, 0x7ff8000000000000, 0xfff8000000000000, 0x7ff0000000000001,
                                      0xfff0000000000001, 0x7fffffffffffffff, 0xffffffffffffffff, 0x7ff4000000000000,
                                      0xfff7ffffffffffff, 0x7ff5555555555555, 0x7ff0000080000000, 0xfff0000100000000};
#endif

#define FORBIDDEN (sizeof(forbidden) / sizeof(forbidden[0]))

static void require_invalid(int function, const real *logits, size_t rows, size_t classes, double parameter,
                            size_t first, size_t count, size_t expected)
{
    real *result = reals(rows * classes);
    size_t bad = SIZE_MAX;
    int status = run((enum function)function, logits, result, classes, parameter, first, count, &bad);
    if (status != CORE_INVALID_ROW || bad != expected)
        ck_abort_msg("function %d, K %zu, T %g, rows %zu + %zu: status %d, row %zu, not %zu", function, classes,
                     parameter, first, count, status, bad, expected);
    free(result);
}

/* One forbidden value at any place among the finite and -inf ones. */
START_TEST(test_forbidden_values)
{
    enum { ROWS = 20 };
    struct inputs inputs = {1};
    select_isa(_i);
    for (size_t classes = 1; classes <= 130; classes++)
        for (int function = 0; function < FUNCTIONS; function++) {
            real *logits = reals(ROWS * classes);
            double parameter = inputs_below(&inputs, 2) ? 1.0f : 0.0f;
            for (int turn = 0; turn < 6; turn++) {
                fill_reals(logits, ROWS, classes, turn % 2 ? LOGITS_HOLES : LOGITS_HUGE, &inputs);
                size_t row = inputs_below(&inputs, ROWS), column = inputs_below(&inputs, classes);
                real_bits value = forbidden[inputs_below(&inputs, FORBIDDEN)];
                memcpy(&logits[row * classes + column], &value, sizeof(value)); /* keeps a signalling NaN as it is */
                require_invalid(function, logits, ROWS, classes, parameter, 0, ROWS, row);
            }
            free(logits);
        }
}
END_TEST

/* In every column of a long row: the unrolled groups, the others, the tail. */
START_TEST(test_forbidden_columns)
{
    static const size_t counts[] = {63, 64, 65, 79, 100, 143, 300, 4099};
    struct inputs inputs = {2};
    select_isa(_i);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        size_t classes = counts[i];
        real *logits = reals(classes);
        fill_reals(logits, 1, classes, LOGITS_NORMAL, &inputs);
        for (size_t column = 0; column<classes; column += classes> 1000 ? 37 : 1) {
            real kept = logits[column];
            real_bits value = forbidden[column % FORBIDDEN];
            memcpy(&logits[column], &value, sizeof(value));
            require_invalid(SOFTMAX, logits, 1, classes, 1, 0, 1, 0);
            require_invalid(GUMBEL_SOFT, logits, 1, classes, 1, 0, 1, 0);
            logits[column] = kept;
        }
        free(logits);
    }
}
END_TEST

START_TEST(test_nothing_possible)
{
    enum { ROWS = 35 };
    struct inputs inputs = {3};
    select_isa(_i);
    for (size_t classes = 1; classes <= 130; classes++)
        for (int function = 0; function < FUNCTIONS; function++) {
            real *logits = reals(ROWS * classes);
            fill_reals(logits, ROWS, classes, LOGITS_NORMAL, &inputs);
            size_t row = inputs_below(&inputs, ROWS);
            for (size_t j = 0; j < classes; j++)
                logits[row * classes + j] = -INFINITY;
            require_invalid(function, logits, ROWS, classes, classes % 2 ? 1.0f : 0.0f, 0, ROWS, row);
            free(logits);
        }
}
END_TEST

/* Of several the first of the range counts; those outside do not. */
START_TEST(test_first_invalid_row)
{
    enum { ROWS = 60 };
    static const size_t counts[] = {1, 3, 10, 63, 64, 70, 300};
    struct inputs inputs = {4};
    select_isa(_i);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        for (int function = 0; function < FUNCTIONS; function++) {
            size_t classes = counts[i], bad = SIZE_MAX;
            real *logits = reals(ROWS * classes), *result = reals(ROWS * classes);
            fill_reals(logits, ROWS, classes, LOGITS_NORMAL, &inputs);
            logits[5 * classes] = real_of_bits(forbidden[1]);
            logits[37 * classes + classes - 1] = INFINITY;
            logits[38 * classes] = INFINITY;
            require_invalid(function, logits, ROWS, classes, 1, 0, ROWS, 5);
            require_invalid(function, logits, ROWS, classes, 1, 5, 1, 5);
            require_invalid(function, logits, ROWS, classes, 1, 6, ROWS - 6, 37);
            require_invalid(function, logits, ROWS, classes, 1, 38, 22, 38);
            ck_assert_int_eq(run(function, logits, result, classes, 1, 6, 31, &bad), CORE_OK);
            ck_assert_int_eq(run(function, logits, result, classes, 1, 39, 21, &bad), CORE_OK);
            ck_assert_int_eq(run(function, logits, result, classes, 1, 5, 0, &bad), CORE_OK);
            ck_assert_uint_eq(bad, SIZE_MAX);
            free(logits);
            free(result);
        }
}
END_TEST

enum { MOST_ROWS = 18, MOST_CLASSES = 130 };

static void check_fences(const struct fenced *from, const struct fenced *to, size_t rows, size_t classes,
                         const real *logits, int function)
{
    size_t count = rows * classes, bad = SIZE_MAX;
    real *expected = reals(count);
    double parameter = classes % 3 == 0 ? 0.0f : 1.5f;
    ck_assert_int_eq(run(function, logits, expected, classes, parameter, 0, rows, &bad), CORE_OK);
    /* at either end, and a number away from it, on both sides */
    for (int place = 0; place < 8; place++) {
        real *in = place & 1 ? fenced_last(from, count + (place >> 2)) : fenced_first(from) + (place >> 2);
        real *out = place & 2 ? fenced_last(to, count + (place >> 2)) : fenced_first(to) + (place >> 2);
        memcpy(in, logits, count * sizeof(real));
        ck_assert_int_eq(run(function, in, out, classes, parameter, 0, rows, &bad), CORE_OK);
        if (!same_reals(out, expected, count))
            ck_abort_msg("function %d, K %zu, %zu rows, place %d", function, classes, rows, place);
        ck_assert_int_eq(run(function, in, in, classes, parameter, 0, rows, &bad), CORE_OK);
        if (!same_reals(in, expected, count))
            ck_abort_msg("function %d, K %zu, %zu rows, place %d, in place", function, classes, rows, place);
    }
    free(expected);
}

START_TEST(test_fences)
{
    static const size_t row_counts[] = {1, 2, 15, 16, 17, MOST_ROWS};
    struct fenced from = fenced_open((MOST_ROWS * MOST_CLASSES + 1) * sizeof(real));
    struct fenced to = fenced_open((MOST_ROWS * MOST_CLASSES + 1) * sizeof(real));
    real logits[MOST_ROWS * MOST_CLASSES];
    struct inputs inputs = {5};
    select_isa(_i);
    for (size_t classes = 1; classes <= MOST_CLASSES; classes++) {
        size_t rows = row_counts[classes % 6];
        fill_reals(logits, rows, classes, LOGITS_NORMAL, &inputs);
        for (int function = 0; function < FUNCTIONS; function++)
            check_fences(&from, &to, rows, classes, logits, function);
    }
    fenced_close(&from);
    fenced_close(&to);
}
END_TEST

/* Larger rows, and a single one of them. */
START_TEST(test_fences_of_large_rows)
{
    static const size_t counts[] = {255, 256, 257, 273, 1000, 4095, 4096, 4097, 8193};
    struct fenced from = fenced_open(8194 * sizeof(real)), to = fenced_open(8194 * sizeof(real));
    static real logits[8193];
    struct inputs inputs = {6};
    select_isa(_i);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        fill_reals(logits, 1, counts[i], LOGITS_NORMAL, &inputs);
        for (int function = 0; function < FUNCTIONS; function++)
            check_fences(&from, &to, 1, counts[i], logits, function);
    }
    fenced_close(&from);
    fenced_close(&to);
}
END_TEST

/* The rows before the range, or those after it, may lie in memory that nobody may touch. */
START_TEST(test_fenced_ranges)
{
    static const size_t counts[] = {1, 2, 3, 5, 10, 16, 33, 63, 64, 65, 100, 130};
    struct fenced from = fenced_open(1), to = fenced_open(1);
    size_t page = from.page / sizeof(real), bad = SIZE_MAX;
    struct inputs inputs = {7};
    select_isa(_i);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        size_t classes = counts[i], around = 5, count = page / classes < 36 ? page / classes : 36;
        for (int at_end = 0; at_end < 2; at_end++) {
            real *in = at_end ? fenced_last(&from, count * classes) : fenced_first(&from);
            real *out = at_end ? fenced_last(&to, count * classes) : fenced_first(&to);
            fill_reals(in, count, classes, LOGITS_NORMAL, &inputs);
            for (int function = 0; function < FUNCTIONS; function++)
                ck_assert_int_eq(
                    run(function, in - around * classes, out - around * classes, classes, 1, around, count, &bad),
                    CORE_OK);
        }
    }
    fenced_close(&from);
    fenced_close(&to);
}
END_TEST

TEST_SUITE(PART)
{
    Suite *suite = suite_create(SUITE("rows"));
    TCase *invalid = tcase_create("without an answer");
    tcase_set_timeout(invalid, 60);
    tcase_add_isa_test(invalid, test_forbidden_values);
    tcase_add_isa_test(invalid, test_forbidden_columns);
    tcase_add_isa_test(invalid, test_nothing_possible);
    tcase_add_isa_test(invalid, test_first_invalid_row);
    suite_add_tcase(suite, invalid);

    TCase *fences = tcase_create("fences");
    tcase_set_timeout(fences, 60);
    tcase_add_isa_test(fences, test_fences);
    tcase_add_isa_test(fences, test_fences_of_large_rows);
    tcase_add_isa_test(fences, test_fenced_ranges);
    suite_add_tcase(suite, fences);
    return suite;
}
