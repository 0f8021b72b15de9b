/* The same bits, whatever the instruction set, the split of the rows over calls, the place of the result, the rows
 * beside, and the caller's floating-point environment. */
#include "lib/suite.h"
#include "real.h"
#include "unit/core/digest.h"

#include <fenv.h>
#include <stdlib.h>

enum function { SOFTMAX, LOG_SOFTMAX, GUMBEL_SOFT, GUMBEL_HARD, FUNCTIONS };

/* One call of any of the functions. */
struct problem {
    enum function function;
    size_t rows, classes;
    real *logits, *result;
    struct core_per_row parameter; /* temperature or tau */
    struct core_noise noise;
};

static int run(const struct problem *problem, size_t first, size_t count, size_t *bad)
{
    struct core_softmax_call plain = {.dtype = DTYPE,
                                      .logits = problem->logits,
                                      .classes = problem->classes,
                                      .temperature = problem->parameter,
                                      .result = problem->result};
    struct core_gumbel_softmax_call gumbel = {.dtype = DTYPE,
                                              .logits = problem->logits,
                                              .classes = problem->classes,
                                              .tau = problem->parameter,
                                              .hard = problem->function == GUMBEL_HARD,
                                              .noise = problem->noise,
                                              .samples = problem->result};
    switch (problem->function) {
    case SOFTMAX:
        return core_softmax(&plain, first, count, bad);
    case LOG_SOFTMAX:
        return core_log_softmax(&plain, first, count, bad);
    default:
        return core_gumbel_softmax(&gumbel, first, count, bad);
    }
}

static void run_all(const struct problem *problem)
{
    size_t bad = SIZE_MAX;
    ck_assert_int_eq(run(problem, 0, problem->rows, &bad), CORE_OK);
    ck_assert_uint_eq(bad, SIZE_MAX);
}

static const size_t class_counts[] = {1, 2, 3, 4, 5, 10, 16, 17, 31, 48, 63, 64, 65, 79, 80, 100, 130, 257, 1000, 4100};

#define CLASS_COUNTS (sizeof(class_counts) / sizeof(class_counts[0]))

enum { ROWS = 53 };

static const uint64_t one_seed = 0x0123456789abcdef;
static const double one_parameter = 0.8;

static struct problem problem_open(enum function function, size_t classes, enum logits_kind kind, struct inputs *inputs)
{
    struct problem problem = {
        .function = function,
        .rows = ROWS,
        .classes = classes,
        .logits = reals(ROWS * classes),
        .result = reals(ROWS * classes),
        .parameter = {&one_parameter, 0},
        .noise = {&one_seed, 0, 0xfffffff0, 2}, /* the row's number passes 2^32 */
    };
    fill_reals(problem.logits, ROWS, classes, kind, inputs);
    memset(problem.result, 0x55, ROWS * classes * sizeof(real));
    return problem;
}

static void problem_close(struct problem *problem)
{
    free(problem->logits);
    free(problem->result);
}

/* Runs `check` over functions and shapes with the result of one whole call in `whole`. */
static void for_all_problems(void (*check)(struct problem *problem, const real *whole, struct inputs *inputs))
{
    struct inputs inputs = {1};
    for (int function = 0; function < FUNCTIONS; function++)
        for (size_t i = 0; i < CLASS_COUNTS; i++) {
            struct problem problem = problem_open(function, class_counts[i], i % 2 ? LOGITS_HOLES : LOGITS_NORMAL,
                                                  &inputs);
            real *whole = problem.result;
            run_all(&problem);
            problem.result = reals(ROWS * problem.classes);
            memset(problem.result, 0x55, ROWS * problem.classes * sizeof(real));
            check(&problem, whole, &inputs);
            problem_close(&problem);
            free(whole);
        }
}

static void require_same(const struct problem *problem, const real *got, const real *whole, size_t first, size_t count)
{
    size_t from = first * problem->classes;
    if (!same_reals(got + from, whole + from, count * problem->classes))
        ck_abort_msg("function %d, K %zu: rows %zu + %zu differ", (int)problem->function, problem->classes, first,
                     count);
}

static void check_splits(struct problem *problem, const real *whole, struct inputs *inputs)
{
    for (int turn = 0; turn < 10; turn++) {
        size_t first = 0, count, bad;
        memset(problem->result, 0x55, ROWS * problem->classes * sizeof(real));
        for (; first < ROWS; first += count) {
            count = turn == 0 ? 1 : 1 + inputs_below(inputs, ROWS - first);
            ck_assert_int_eq(run(problem, first, count, &bad), CORE_OK);
        }
        require_same(problem, problem->result, whole, 0, ROWS);
    }
}

START_TEST(test_splits)
{
    select_isa(_i);
    for_all_problems(check_splits);
}
END_TEST

/* A range leaves the other rows of the result alone; an empty one all. */
static void check_range(struct problem *problem, const real *whole, struct inputs *inputs)
{
    for (int turn = 0; turn < 5; turn++) {
        size_t first = inputs_below(inputs, ROWS), count = inputs_below(inputs, ROWS - first + 1), bad;
        size_t from = first * problem->classes, to = (first + count) * problem->classes;
        memset(problem->result, 0x55, ROWS * problem->classes * sizeof(real));
        ck_assert_int_eq(run(problem, first, count, &bad), CORE_OK);
        require_same(problem, problem->result, whole, first, count);
        const unsigned char *bytes = (const unsigned char *)problem->result;
        for (size_t i = 0; i < ROWS * problem->classes * sizeof(real); i++)
            if ((i < from * sizeof(real) || i >= to * sizeof(real)) && bytes[i] != 0x55)
                ck_abort_msg("function %d, K %zu: wrote outside rows %zu + %zu", (int)problem->function,
                             problem->classes, first, count);
    }
}

START_TEST(test_ranges)
{
    select_isa(_i);
    for_all_problems(check_range);
}
END_TEST

static void check_in_place(struct problem *problem, const real *whole, struct inputs *inputs)
{
    (void)inputs;
    struct problem in_place = *problem;
    in_place.result = in_place.logits;
    run_all(&in_place);
    require_same(problem, in_place.result, whole, 0, ROWS);
}

START_TEST(test_in_place)
{
    select_isa(_i);
    for_all_problems(check_in_place);
}
END_TEST

/* Rows first .. alone, with row_offset moved on, are the rows of the whole batch. */
static void check_row_offset(struct problem *problem, const real *whole, struct inputs *inputs)
{
    for (int turn = 0; turn < 4; turn++) {
        size_t first = inputs_below(inputs, ROWS);
        struct problem part = *problem;
        part.rows = ROWS - first;
        part.logits += first * part.classes;
        part.result += first * part.classes;
        part.noise.row_offset += (uint32_t)first;
        run_all(&part);
        require_same(problem, problem->result, whole, first, ROWS - first);
    }
}

START_TEST(test_row_offset)
{
    select_isa(_i);
    for_all_problems(check_row_offset);
}
END_TEST

/* Parameters and seeds of each row give what each row gives alone with its own; some of them 0. */
static void check_per_row(struct problem *problem, const real *whole, struct inputs *inputs)
{
    double parameters[ROWS];
    uint64_t seeds[ROWS];
    real *listed = reals(ROWS * problem->classes);
    for (size_t r = 0; r < ROWS; r++) {
        parameters[r] = r % 5 == 1 ? 0.0f : r % 7 == 2 ? 1e-40f : 0.1 + 2 * inputs_uniform(inputs);
        seeds[r] = inputs_next(inputs);
    }
    struct problem list = *problem;
    list.result = listed;
    list.parameter = (struct core_per_row){parameters, 1};
    list.noise = (struct core_noise){.seed = seeds, .stride = 1, .row_offset = 5, .draw = 6};
    run_all(&list);
    for (size_t r = 0; r < ROWS; r++) {
        struct problem alone = *problem;
        alone.rows = 1;
        alone.logits += r * problem->classes;
        alone.result += r * problem->classes;
        alone.parameter.value = &parameters[r];
        alone.noise = (struct core_noise){.seed = &seeds[r], .stride = 0, .row_offset = 5, .draw = 6};
        run_all(&alone);
    }
    require_same(problem, problem->result, listed, 0, ROWS);
    if (problem->classes > 1 && problem->function != GUMBEL_HARD)
        ck_assert(!same_reals(listed, whole, ROWS * problem->classes));
    free(listed);
}

START_TEST(test_per_row)
{
    select_isa(_i);
    for_all_problems(check_per_row);
}
END_TEST

/* Every instruction set gives the bits of the first. */
START_TEST(test_targets_agree)
{
    static const double parameters[] = {0.0f, 1e-45f, 1e-3f, 0.7f, 1.0f, 30.0f, 1e38f};
    static const size_t large[] = {4095, 4096, 4097, 8193, 32001};
    struct inputs inputs = {2};
    for (size_t k = 1; k <= 130 + sizeof(large) / sizeof(large[0]); k++)
        for (int function = 0; function < FUNCTIONS; function++) {
            size_t classes = k <= 130 ? k : large[k - 131];
            struct problem problem = problem_open(function, classes, k % LOGITS_KINDS, &inputs);
            problem.parameter.value = &parameters[inputs_below(&inputs, sizeof(parameters) / sizeof(parameters[0]))];
            problem.rows = k <= 130 ? 1 + k % 40 : 1;
            real *first = problem.result;
            select_isa(first_isa());
            run_all(&problem);
            problem.result = reals(ROWS * classes);
            for (int isa = first_isa() + 1; isa <= (int)core_isa_best(); isa++) {
                select_isa(isa);
                run_all(&problem);
                if (!same_reals(problem.result, first, problem.rows * classes))
                    ck_abort_msg("%s: function %d, K %zu, parameter %g", core_isa_name((enum core_isa)isa), function,
                                 classes, problem.parameter.value[0]);
            }
            problem_close(&problem);
            free(first);
        }
}
END_TEST

/* The bits are part of the contract ("rng": "v1"): they may not change from one version to the next. */
START_TEST(test_digest)
{
    select_isa(_i);
    ck_assert_uint_eq(digest_of_results(DTYPE), DIGEST_V1(DTYPE));
    ck_assert_uint_eq(digest_of_more(DTYPE), DIGEST_OF_MORE_V1(DTYPE));
}
END_TEST

static void check_environment(struct problem *problem, const real *whole, struct inputs *inputs)
{
    size_t bad;
    (void)inputs;
    fenv_t before;
    fegetenv(&before);
    set_strange_environment();
    uint64_t strange = get_environment();
    int status = run(problem, 0, ROWS, &bad);
    uint64_t after = get_environment();
    fesetenv(&before);
    ck_assert_int_eq(status, CORE_OK);
    ck_assert_uint_eq(after, strange);
    require_same(problem, problem->result, whole, 0, ROWS);

    uint64_t usual = get_environment();
    status = run(problem, 0, ROWS, &bad);
    after = get_environment();
    ck_assert_int_eq(status, CORE_OK);
    ck_assert_uint_eq(after, usual);
}

START_TEST(test_environment)
{
    select_isa(_i);
    for_all_problems(check_environment);
}
END_TEST

/* Subnormal logits and temperatures, which FTZ and DAZ would take for 0. */
START_TEST(test_environment_subnormal)
{
    static const double temperatures[] = {TEST_REAL == 32 ? 1e-45f : 5e-324, TEST_REAL == 32 ? 3e-39f : 3e-309,
                                          TEST_REAL == 32 ? 1e-40f : 1e-310};
    struct inputs inputs = {3};
    select_isa(_i);
    for (int function = 0; function < FUNCTIONS; function++)
        for (size_t i = 0; i < CLASS_COUNTS; i++)
            for (size_t t = 0; t < 3; t++) {
                struct problem problem = problem_open(function, class_counts[i], LOGITS_TINY, &inputs);
                real *usual = problem.result;
                problem.parameter.value = &temperatures[t];
                run_all(&problem);
                problem.result = reals(ROWS * problem.classes);
                check_environment(&problem, usual, &inputs);
                problem_close(&problem);
                free(usual);
            }
}
END_TEST

START_TEST(test_environment_of_exponentials)
{
    enum { COUNT = 1003 };
    uint32_t words[COUNT];
    real usual[COUNT], strange[COUNT];
    select_isa(_i);
    core_noise_words(words, 0, COUNT, 1, 2, 3, 4);
    core_exponential(DTYPE, words, words, usual, COUNT);
    fenv_t before;
    fegetenv(&before);
    set_strange_environment();
    uint64_t expected = get_environment();
    core_exponential(DTYPE, words, words, strange, COUNT);
    uint64_t after = get_environment();
    fesetenv(&before);
    ck_assert_uint_eq(after, expected);
    ck_assert_mem_eq(usual, strange, sizeof(usual));
}
END_TEST

/* Every result of gumbel_softmax, masked, strided and scaled. */
START_TEST(test_environment_of_more)
{
    select_isa(_i);
    fenv_t before;
    fegetenv(&before);
    set_strange_environment();
    uint64_t digest = digest_of_more(DTYPE);
    fesetenv(&before);
    ck_assert_uint_eq(digest, DIGEST_OF_MORE_V1(DTYPE));
}
END_TEST

TEST_SUITE(PART)
{
    Suite *suite = suite_create(SUITE("invariance"));
    TCase *tcase = tcase_create("bits");
    tcase_set_timeout(tcase, 60);
    tcase_add_isa_test(tcase, test_splits);
    tcase_add_isa_test(tcase, test_ranges);
    tcase_add_isa_test(tcase, test_in_place);
    tcase_add_isa_test(tcase, test_row_offset);
    tcase_add_isa_test(tcase, test_per_row);
    tcase_add_isa_test(tcase, test_digest);
    tcase_add_test(tcase, test_targets_agree);
    suite_add_tcase(suite, tcase);

    TCase *environment = tcase_create("environment");
    tcase_set_timeout(environment, 60);
    tcase_add_isa_test(environment, test_environment);
    tcase_add_isa_test(environment, test_environment_subnormal);
    tcase_add_isa_test(environment, test_environment_of_exponentials);
    tcase_add_isa_test(environment, test_environment_of_more);
    suite_add_tcase(suite, environment);
    return suite;
}
