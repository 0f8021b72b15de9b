/* softmax and log_softmax against wider precision. */
#include "lib/suite.h"
#include "real.h"
#include "reference.h"

#include <stdlib.h>

#define LOG2_E 1.4426950408889634L
#define LN2 0.6931471805599453L

#include <stdlib.h>

/* Roundings in the longest chain of additions of a sum: lanes of a block, the tree, the blocks, whose roundings are
 * made good. */
static wide sum_roundings(size_t classes)
{
    return (wide)(classes < SUM_BLOCK ? classes : SUM_BLOCK) / 16 + 6;
}

/* The temperature that counts: those below 1 / REAL_MAX act as that one. */
static wide effective(double temperature)
{
    return fmax((wide)temperature, 1 / (wide)REAL_MAX);
}

static wide *wides_of(const real *x, size_t count)
{
    wide *d = malloc(count * sizeof(d[0]));
    ck_assert_ptr_nonnull(d);
    for (size_t i = 0; i < count; i++)
        d[i] = x[i];
    return d;
}

/* 1 / T is rounded once, of floats, and with it exp's argument a; exp, sum and division take 5 roundings more. What exp
 * makes 0 is below REAL_FLUSHED. */
static void check_softmax_row(const real *logits, size_t classes, double temperature, const real *got)
{
    wide *x = wides_of(logits, classes), *expected = malloc(classes * sizeof(expected[0]));
    ck_assert_ptr_nonnull(expected);
    wide t = effective(temperature), max = max_of(x, classes);
    softmax_of(x, classes, t, expected);
    for (size_t j = 0; j < classes; j++) {
        wide a = fmin((max - x[j]) / t, 1e4);
        wide allowed = expected[j] * UNIT * ((TEST_REAL == 32 && t != 1 ? 1.01 * a : 0) + 5 + sum_roundings(classes)) +
                       REAL_FLUSHED;
        if (!(fabs(got[j] - expected[j]) <= allowed) || is_negative_zero(got[j]))
            ck_abort_msg("K %zu T %g x[%zu] = %g: %a, not %a", classes, temperature, j, D(logits[j]), D(got[j]),
                         D(expected[j]));
        if (logits[j] == -INFINITY && got[j] != 0)
            ck_abort_msg("K %zu T %g: an impossible class has probability %a", classes, temperature, got[j]);
    }
    free(x);
    free(expected);
}

static void check_log_softmax_row(const real *logits, size_t classes, double temperature, const real *got)
{
    wide *x = wides_of(logits, classes), *expected = malloc(classes * sizeof(expected[0]));
    ck_assert_ptr_nonnull(expected);
    wide t = effective(temperature), max = max_of(x, classes);
    log_softmax_of(x, classes, t, expected);
    for (size_t j = 0; j < classes; j++) {
        wide a = (max - x[j]) / t;
        wide allowed = UNIT * (4 * a + fabs(expected[j]) + 4 + sum_roundings(classes));
        bool right = fabs(got[j] - expected[j]) <= allowed;
        if (a > REAL_MAX * (1 - 8 * UNIT)) /* -inf, or by the last rounding not quite */
            right = got[j] == -INFINITY || (right && a < REAL_MAX * (1 + 8 * UNIT));
        if (!right || is_negative_zero(got[j]))
            ck_abort_msg("K %zu T %g x[%zu] = %g: %a, not %a", classes, temperature, j, D(logits[j]), D(got[j]),
                         D(expected[j]));
    }
    free(x);
    free(expected);
}

static void check_both(const real *logits, size_t rows, size_t classes, double temperature)
{
    real *result = reals(rows * classes);
    size_t bad = SIZE_MAX;
    struct core_softmax_call call = {
        .dtype = DTYPE, .logits = logits, .classes = classes, .temperature = {&temperature, 0}, .result = result};
    ck_assert_int_eq(core_softmax(&call, 0, rows, &bad), CORE_OK);
    for (size_t r = 0; r < rows; r++)
        check_softmax_row(logits + r * classes, classes, temperature, result + r * classes);
    ck_assert_int_eq(core_log_softmax(&call, 0, rows, &bad), CORE_OK);
    for (size_t r = 0; r < rows; r++)
        check_log_softmax_row(logits + r * classes, classes, temperature, result + r * classes);
    free(result);
}

static void check_kind(size_t rows, size_t classes, double temperature, enum logits_kind kind, struct inputs *inputs)
{
    real *logits = reals(rows * classes);
    fill_reals(logits, rows, classes, kind, inputs);
    check_both(logits, rows, classes, temperature);
    free(logits);
}

static const double temperatures[] = {1e-45f,
                                      1e-39f,
                                      1e-6f,
                                      0.03f,
                                      0.7f,
                                      1.0f,
                                      3.0f,
                                      1000.0f,
                                      1e38f,
                                      REAL_MAX,
                                      TEST_REAL == 32 ? 2 : 5e-324,
                                      TEST_REAL == 32 ? 5 : 1e-310};

#define TEMPERATURES (sizeof(temperatures) / sizeof(temperatures[0]))

START_TEST(test_every_class_count)
{
    struct inputs inputs = {1};
    select_isa(_i);
    for (size_t classes = 1; classes <= 130; classes++)
        for (size_t t = 0; t < TEMPERATURES; t++)
            check_kind(1 + classes * 7 % 40, classes, temperatures[t], (classes + t) % LOGITS_KINDS, &inputs);
}
END_TEST

START_TEST(test_every_row_count)
{
    struct inputs inputs = {2};
    select_isa(_i);
    for (size_t rows = 1; rows <= 40; rows++)
        for (int kind = 0; kind < LOGITS_KINDS; kind++) {
            check_kind(rows, 3 + rows % 11, temperatures[rows % TEMPERATURES], kind, &inputs);
            check_kind(rows, 60 + rows % 11, temperatures[rows % TEMPERATURES], kind, &inputs);
        }
}
END_TEST

START_TEST(test_large_class_counts)
{
    static const size_t counts[] = {1000, 4080, 4095, 4096, 4097, 4111, 4112, 8191, 8192, 8193, 32000, 128256};
    struct inputs inputs = {3};
    select_isa(_i);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        check_kind(2, counts[i], 0.7f, LOGITS_NORMAL, &inputs);
        check_kind(1, counts[i], 3.0f, LOGITS_HOLES, &inputs);
        check_kind(1, counts[i], 1e37f, LOGITS_HUGE, &inputs);
    }
}
END_TEST

/* Blocks keep the error of a long sum small, also where all terms are equal and every rounding goes the same way. */
static void check_long_sum(real *logits, size_t classes)
{
    real *result = reals(classes);
    double one = 1;
    wide *expected = wides(classes), *x = wides_of(logits, classes), worst = 0;
    size_t bad = SIZE_MAX;
    struct core_softmax_call call = {
        .dtype = DTYPE, .logits = logits, .classes = classes, .temperature = {&one, 0}, .result = result};
    ck_assert_int_eq(core_softmax(&call, 0, 1, &bad), CORE_OK);
    softmax_of(x, classes, 1, expected);
    for (size_t j = 0; j < classes; j++)
        worst = fmax(worst, fabs(result[j] - expected[j]) / expected[j]);
    ck_assert_double_lt(D(worst), TEST_REAL == 32 ? 1.5e-6 : 4 * DBL_EPSILON);
    free(result);
    free(expected);
    free(x);
}

START_TEST(test_long_sums)
{
    enum { CLASSES = 128256 };
    real *logits = reals(CLASSES);
    struct inputs inputs = {4};
    select_isa(_i);
    fill_reals(logits, 1, CLASSES, LOGITS_NORMAL, &inputs);
    check_long_sum(logits, CLASSES);
    for (int turn = 0; turn < 12; turn++) {
        real level = (real)(20 * inputs_uniform(&inputs) - 10);
        for (size_t j = 0; j < CLASSES; j++)
            logits[j] = level;
        check_long_sum(logits, CLASSES);
    }
    free(logits);
}
END_TEST

/* One class outweighs the others, each of which is about half a unit of the sum: every addition to it rounds the same
 * way, as far as the chain is long. check_both's bound is the one that README.md states. */
START_TEST(test_lopsided_sums)
{
    static const size_t counts[] = {17, 63, 64, 256, 1000, 1024, 4096};
    select_isa(_i);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        for (wide part = 0.5; part < 1.6; part += 0.02) {
            real *logits = reals(counts[i]);
            for (size_t j = 1; j < counts[i]; j++)
                logits[j] = (real)log(UNIT * part);
            logits[0] = 0;
            check_both(logits, 1, counts[i], 1);
            free(logits);
        }
}
END_TEST

/* Rows [0, x, -inf, ...]: the second probability is exp(x) / (1 + exp(x)) to a few roundings, and +0 where
 * exp(x) is below 2^-REAL_DEPTH. */
static void check_exp(size_t classes, size_t rows)
{
    real *logits = reals(rows * classes), *result = reals(rows * classes);
    double one = 1;
    size_t bad = SIZE_MAX;
    for (size_t r = 0; r < rows; r++) {
        for (size_t j = 2; j < classes; j++)
            logits[r * classes + j] = -INFINITY;
        logits[r * classes] = 0;
        logits[r * classes + 1] = (real)(-(REAL_DEPTH + 5) * 0.72 * (double)r / (double)rows);
    }
    struct core_softmax_call call = {
        .dtype = DTYPE, .logits = logits, .classes = classes, .temperature = {&one, 0}, .result = result};
    ck_assert_int_eq(core_softmax(&call, 0, rows, &bad), CORE_OK);
    for (size_t r = 0; r < rows; r++) {
        wide x = logits[r * classes + 1], expected = exp(x) / (1 + exp(x)), got = result[r * classes + 1];
        if (got == 0 ? x > -REAL_DEPTH * 0.69314L : !(fabs(got - expected) <= 4 * UNIT * expected))
            ck_abort_msg("K %zu x %a: %a, not %a", classes, D(x), D(got), D(expected));
    }
    free(logits);
    free(result);
}

START_TEST(test_exp)
{
    select_isa(_i);
    check_exp(2, 100000);
    check_exp(64, 10000);
}
END_TEST

/* Where exp ends: with N = round(m / T / ln 2), p = x / T keeps its exponential from (N - REAL_DEPTH) * ln 2 on, both
 * in the type itself; one number below, it is +0. (These are bits that no later version may move.) */
static void check_lowest(size_t classes, real max, double temperature)
{
    enum { AROUND = 40 };
    real scale = 1 / (real)temperature, n = rint(max * scale * (real)LOG2_E), lowest = (n - REAL_DEPTH) * (real)LN2;
    real *logits = reals(classes), *result = reals(classes), p = lowest;
    size_t bad = SIZE_MAX;
    for (size_t j = 0; j < classes; j++)
        logits[j] = -INFINITY;
    logits[0] = max;
    for (int i = 0; i < AROUND; i++)
        p = nextafter(p, -INFINITY);
    for (int i = -AROUND; i <= AROUND; i++, p = nextafter(p, INFINITY)) {
        struct core_softmax_call call = {
            .dtype = DTYPE, .logits = logits, .classes = classes, .temperature = {&temperature, 0}, .result = result};
        logits[classes - 1] = p * (real)temperature; /* T is a power of two */
        wide expected = exp(((wide)logits[classes - 1] - max) / temperature);
        ck_assert_int_eq(core_softmax(&call, 0, 1, &bad), CORE_OK);
        real got = result[classes - 1];
        if (p < lowest ? got != 0 || signbit(got) : !(fabs(got - expected) <= 4 * UNIT * expected + REAL_TRUE_MIN))
            ck_abort_msg("K %zu, max %a, T %a, %d floats from the lowest: %a, not %a", classes, D(max), temperature, i,
                         D(got), p < lowest ? 0.0 : D(expected));
    }
    free(logits);
    free(result);
}

START_TEST(test_lowest)
{
    static const real maxima[] = {0, 0.34f, 0.35f, 1, -1, 3, 25.5f, -40, 100, -700, 1000, -2000};
    static const real powers[] = {1, 0.5f, 2, 0x1p-3f, 0x1p10f};
    select_isa(_i);
    for (size_t m = 0; m < sizeof(maxima) / sizeof(maxima[0]); m++)
        for (size_t t = 0; t < sizeof(powers) / sizeof(powers[0]); t++)
            if (fabs(maxima[m] / powers[t]) < 4000) {
                check_lowest(2, maxima[m], powers[t]);
                check_lowest(17, maxima[m], powers[t]);
                check_lowest(64, maxima[m], powers[t]);
                check_lowest(333, maxima[m], powers[t]);
            }
}
END_TEST

/* Of K equal logits every log-probability is -log K, within an ulp and what the sum loses. */
START_TEST(test_log)
{
    select_isa(_i);
    double half = 0.5, one = 1;
    for (size_t classes = 1; classes < 9000; classes = classes < 300 ? classes + 1 : classes * 3 / 2) {
        real *logits = reals(classes), *result = reals(classes);
        size_t bad = SIZE_MAX;
        for (size_t j = 0; j < classes; j++)
            logits[j] = half;
        struct core_softmax_call call = {
            .dtype = DTYPE, .logits = logits, .classes = classes, .temperature = {&one, 0}, .result = result};
        ck_assert_int_eq(core_log_softmax(&call, 0, 1, &bad), CORE_OK);
        wide expected = -log((wide)classes);
        for (size_t j = 0; j < classes; j++)
            if (!(fabs(result[j] - expected) <= UNIT * (2 * fabs(expected) + sum_roundings(classes))) ||
                is_negative_zero(result[j]))
                ck_abort_msg("K %zu: %a, not %a", classes, D(result[j]), D(expected));
        free(logits);
        free(result);
    }
}
END_TEST

/* The only possible class of a row has log-probability +0, not -0, whatever the sign of its zero. */
START_TEST(test_certain_class)
{
    static const real only[] = {-0.0f, 0.0f, 5.0f, -1e30f}, temperatures_here[] = {1e-40f, 0.5f, 1, 1e38f};
    select_isa(_i);
    for (size_t classes = 1; classes <= 200; classes++)
        for (size_t i = 0; i < 16; i++) {
            real *logits = reals(classes), *result = reals(classes);
            double temperature = temperatures_here[i / 4];
            size_t bad = SIZE_MAX, at = classes * i / 16;
            for (size_t j = 0; j < classes; j++)
                logits[j] = j == at ? only[i % 4] : -INFINITY;
            struct core_softmax_call call = {.dtype = DTYPE,
                                             .logits = logits,
                                             .classes = classes,
                                             .temperature = {&temperature, 0},
                                             .result = result};
            ck_assert_int_eq(core_log_softmax(&call, 0, 1, &bad), CORE_OK);
            for (size_t j = 0; j < classes; j++)
                if (j == at ? result[j] != 0 || signbit(result[j]) : result[j] != -INFINITY)
                    ck_abort_msg("K %zu, logit %g: %a", classes, logits[j], result[j]);
            free(logits);
            free(result);
        }
}
END_TEST

/* Temperature 0: all on the first maximum; zeros of either sign are equal. */
static void check_limit(size_t rows, size_t classes, enum logits_kind kind, struct inputs *inputs)
{
    real *logits = reals(rows * classes), *result = reals(rows * classes), *expected = reals(rows * classes);
    double zero = 0;
    size_t bad = SIZE_MAX;
    fill_reals(logits, rows, classes, kind, inputs);
    struct core_softmax_call call = {
        .dtype = DTYPE, .logits = logits, .classes = classes, .temperature = {&zero, 0}, .result = result};
    for (int logarithm = 0; logarithm < 2; logarithm++) {
        for (size_t r = 0; r < rows; r++) {
            wide *x = wides_of(logits + r * classes, classes);
            for (size_t j = 0; j < classes; j++)
                expected[r * classes + j] = logarithm ? -INFINITY : 0.0f;
            expected[r * classes + first_max_of(x, classes)] = logarithm ? 0.0f : 1.0f;
            free(x);
        }
        ck_assert_int_eq((logarithm ? core_log_softmax : core_softmax)(&call, 0, rows, &bad), CORE_OK);
        if (!same_reals(result, expected, rows * classes))
            ck_abort_msg("K %zu, %zu rows, kind %d, logarithm %d", classes, rows, (int)kind, logarithm);
    }
    free(logits);
    free(result);
    free(expected);
}

START_TEST(test_temperature_zero)
{
    struct inputs inputs = {5};
    select_isa(_i);
    for (size_t classes = 1; classes <= 130; classes++)
        for (int kind = 0; kind < LOGITS_KINDS; kind++)
            check_limit(1 + (classes + (size_t)kind * 5) % 20, classes, kind, &inputs);
    check_limit(2, 5000, LOGITS_TINY, &inputs);
    check_limit(2, 5001, LOGITS_NORMAL, &inputs);
}
END_TEST

TEST_SUITE(PART)
{
    Suite *suite = suite_create(SUITE("softmax"));
    TCase *tcase = tcase_create("against wider numbers");
    tcase_set_timeout(tcase, 60);
    tcase_add_isa_test(tcase, test_every_class_count);
    tcase_add_isa_test(tcase, test_every_row_count);
    tcase_add_isa_test(tcase, test_large_class_counts);
    tcase_add_isa_test(tcase, test_long_sums);
    tcase_add_isa_test(tcase, test_lopsided_sums);
    tcase_add_isa_test(tcase, test_exp);
    tcase_add_isa_test(tcase, test_lowest);
    tcase_add_isa_test(tcase, test_log);
    tcase_add_isa_test(tcase, test_certain_class);
    tcase_add_isa_test(tcase, test_temperature_zero);
    suite_add_tcase(suite, tcase);
    return suite;
}
