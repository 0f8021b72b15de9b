/* The noise's exponentials against the formula, and exp and log themselves. */
#include "lib/suite.h"
#include "math/exp_log.h"
#include "reference.h"

static wide ulps(real got, wide expected)
{
    int exponent;
    frexp(expected, &exponent);
    return fabs(got - expected) / ldexp((wide)2 * UNIT, exponent - 1);
}

/* Lower words of some variety. */
static uint32_t low_of(uint32_t word)
{
    return word * 2654435761u ^ word >> 7;
}

static void exponentials(const uint32_t *words, real *e, size_t count)
{
    uint32_t *low_words = memory_of(count * sizeof(low_words[0]));
    for (size_t i = 0; i < count; i++)
        low_words[i] = low_of(words[i]);
    core_exponential(DTYPE, words, low_words, e, count);
    free(low_words);
}

static void check_exponential(const uint32_t *words, size_t count)
{
    real *e = reals(count);
    exponentials(words, e, count);
    for (size_t i = 0; i < count; i++) {
        wide expected = exponential_of(words[i], low_of(words[i]));
        if (!(ulps(e[i], expected) < 3.3))
            ck_abort_msg("word %08x: %a, not %a", words[i], D(e[i]), D(expected));
    }
    free(e);
}

START_TEST(test_exponential_ends)
{
    static const uint32_t words[] = {0,          1,          2,          0xff,       0x7fffff,   0xffffff,
                                     0x1000001,  0x55555554, 0x55555555, 0x55555556, 0x7ffffffe, 0x7fffffff,
                                     0x80000000, 0x80000001, 0xaaaaaaaa, 0xaaaaaaab, 0xfeffffff, 0xff000000,
                                     0xfffffffd, 0xfffffffe, 0xffffffff};
    select_isa(_i);
    check_exponential(words, sizeof(words) / sizeof(words[0]));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        check_exponential(&words[i], 1);

    static const uint32_t ends[] = {0, 0xffffffff};
    real e[2];
    core_exponential(DTYPE, ends, ends, e, 2);
    ck_assert(e[0] == (TEST_REAL == 32 ? 0x1p-33 : 0x1p-54));
    ck_assert(e[1] == (real)((TEST_REAL == 32 ? 33 : 54) * logl(2)));
}
END_TEST

START_TEST(test_exponential_of_many_words)
{
    enum { COUNT = 300003 };
    uint32_t *words = malloc(COUNT * sizeof(words[0]));
    ck_assert_ptr_nonnull(words);
    select_isa(_i);
    struct inputs inputs = {3};
    for (size_t i = 0; i < COUNT; i++)
        words[i] = (uint32_t)(inputs_next(&inputs) >> inputs_below(&inputs, 32)) ^ (i % 2 ? 0 : 0xffffffff);
    check_exponential(words, COUNT);
    free(words);
}
END_TEST

START_TEST(test_exponential_never_decreases)
{
    enum { RUN = 4096 };
    static const uint32_t starts[] = {0,         0xffffff, 0x55555000, 0x7ffff800, 0xaaaaa000, 0xff000000 - RUN / 2,
                                      0xfffff000};
    uint32_t words[RUN];
    real e[RUN];
    select_isa(_i);
    for (size_t s = 0; s < sizeof(starts) / sizeof(starts[0]); s++) {
        for (uint32_t i = 0; i < RUN; i++)
            words[i] = starts[s] + i;
        exponentials(words, e, RUN);
        for (size_t i = 1; i < RUN; i++)
            if (!(e[i - 1] <= e[i]))
                ck_abort_msg("E(%08x) = %a > E(%08x) = %a", words[i - 1], D(e[i - 1]), words[i], D(e[i]));
    }
}
END_TEST

static int by_value(const void *a, const void *b)
{
    real x = *(const real *)a, y = *(const real *)b;
    return (x > y) - (x < y);
}

/* Kolmogorov and Smirnov's test of the noise of one row: p > 1e-3. */
START_TEST(test_exponential_distribution)
{
    enum { COUNT = 200000 };
    uint32_t *words = malloc(COUNT * sizeof(words[0]));
    real *e = reals(COUNT);
    ck_assert_ptr_nonnull(words);
    select_isa(_i);
    core_noise_words(words, 0, COUNT, 20240229, 3, 1, 0);
    exponentials(words, e, COUNT);
    qsort(e, COUNT, sizeof(e[0]), by_value);
    wide distance = 0;
    for (size_t i = 0; i < COUNT; i++) {
        wide p = -expm1(-(wide)e[i]);
        distance = fmax(distance, fmax(p - (wide)i / COUNT, (wide)(i + 1) / COUNT - p));
    }
    ck_assert_double_lt(D(distance) * sqrt(COUNT), 1.95);
    free(words);
    free(e);
}
END_TEST

/* With the same upper words t is the same in both types but for what lies below them. */
START_TEST(test_precisions_agree)
{
    enum { COUNT = 100000 };
    static uint32_t words[COUNT], low_words[COUNT];
    static float single[COUNT];
    static double twice[COUNT];
    struct inputs inputs = {4};
    select_isa(_i);
    for (size_t i = 0; i < COUNT; i++) {
        words[i] = (uint32_t)inputs_next(&inputs);
        low_words[i] = (uint32_t)inputs_next(&inputs);
    }
    core_exponential(CORE_FLOAT32, words, NULL, single, COUNT);
    core_exponential(CORE_FLOAT64, words, low_words, twice, COUNT);
    for (size_t i = 0; i < COUNT; i++) { /* t differs by at most 2^-33, and dE / dt is 1 / (1 - t) or 1 / t */
        double slope = fmax(exp(twice[i]), exp(single[i])), allowed = 0x1p-33 * slope + 0x1p-21 * twice[i];
        if (!(fabs(single[i] - twice[i]) <= allowed))
            ck_abort_msg("%08x %08x: %a and %a", words[i], low_words[i], single[i], twice[i]);
    }
}
END_TEST

/* -log E of the integer 0 ... 0 or 1 ... 1: the ends of g. */
static wide end_of_noise(uint32_t words)
{
    real e;
    core_exponential(DTYPE, &words, &words, &e, 1);
    return -log((wide)e);
}

/* How much of its probability p = exp(-depth) is left to a class so far below the top: it wins where its own E is below
 * exp(-depth) times the other's, and the least E are t = 1/2, 3/2, ... of 2^-n. */
static wide share_of_rare_class(wide depth)
{
    enum { LEAST = 200 };
    uint32_t words[LEAST], low_words[LEAST];
    real e[LEAST];
    wide share = 0;
    for (uint32_t i = 0; i < LEAST; i++) {
        words[i] = TEST_REAL == 32 ? i : 0;
        low_words[i] = i << 11;
    }
    core_exponential(DTYPE, words, low_words, e, LEAST);
    for (size_t i = 0; i < LEAST; i++)
        share += exp(-e[i] * exp(depth)) * exp(depth) * (TEST_REAL == 32 ? 0x1p-32 : 0x1p-53);
    return share;
}

/* What README.md says of the noise's ends and of classes far below the top. */
START_TEST(test_rare_classes)
{
    static const double depths[] = {21, 22, 23, 24, 25}, shares[] = {0.996, 0.972, 0.814, 0.283, 0.004};
    select_isa(_i);
    ck_assert_double_eq_tol(D(end_of_noise(0)), TEST_REAL == 32 ? 22.87 : 37.43, 0.005);
    ck_assert_double_eq_tol(D(end_of_noise(~0u)), TEST_REAL == 32 ? -3.13 : -3.62, 0.005);
    for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
        wide depth = depths[i] + (TEST_REAL == 32 ? 0 : 21 * log((wide)2));
        ck_assert_double_eq_tol(D(share_of_rare_class(depth)), shares[i], 0.0005);
    }
}
END_TEST

enum { ARGUMENTS = 4000000 };

/* In a frame of maximum 0 and scale 1, and by the way of other scales. */
START_TEST(test_exp)
{
    const struct exp_frame frame = exp_frame(vec_splat(0), vec_splat(1));
    struct inputs inputs = {5};
    wide worst = 0;
    for (int i = 0; i < ARGUMENTS / 8; i++) {
        real x = (real)(-inputs_uniform(&inputs) * (i % 4 == 0 ? 1 : i % 4 == 1 ? 0x1p-10 : REAL_DEPTH * 0.693));
        real plain = vec_exp(&frame, vec_splat(x), true)[0], scaled = vec_exp(&frame, vec_splat(x), false)[0];
        ck_assert(plain == scaled);
        worst = fmax(worst, ulps(plain, exp((wide)x)));
    }
    ck_assert_double_lt(D(worst), 0.90);
}
END_TEST

START_TEST(test_log)
{
    struct inputs inputs = {6};
    wide worst = 0;
    for (int i = 0; i < ARGUMENTS / 8; i++) {
        real x = (real)ldexp(1 + inputs_uniform(&inputs), (int)inputs_below(&inputs, 2 * REAL_DEPTH) - REAL_DEPTH);
        if (i % 2)
            x = (real)(i % 4 == 1 ? 0.5 + inputs_uniform(&inputs) : 1 + (inputs_uniform(&inputs) - 0.5) * 0x1p-9);
        wide expected = log((wide)x);
        if (expected != 0)
            worst = fmax(worst, ulps(vec_log(vec_splat(x))[0], expected));
    }
    ck_assert(vec_log(vec_splat(1))[0] == 0 && !signbit(vec_log(vec_splat(1))[0]));
    ck_assert_double_lt(D(worst), 0.94);
}
END_TEST

TEST_SUITE(PART)
{
    Suite *suite = suite_create(SUITE("exponential"));
    TCase *exponential = tcase_create("exponential");
    tcase_set_timeout(exponential, 60);
    tcase_add_isa_test(exponential, test_exponential_ends);
    tcase_add_isa_test(exponential, test_exponential_of_many_words);
    tcase_add_isa_test(exponential, test_exponential_never_decreases);
    tcase_add_isa_test(exponential, test_exponential_distribution);
    tcase_add_isa_test(exponential, test_precisions_agree);
    tcase_add_isa_test(exponential, test_rare_classes);
    suite_add_tcase(suite, exponential);

    TCase *functions = tcase_create("exp and log");
    tcase_set_timeout(functions, 60);
    tcase_add_test(functions, test_exp);
    tcase_add_test(functions, test_log);
    suite_add_tcase(suite, functions);
    return suite;
}
