/* The gradients' bits: those of the plain formula in the core's type, whatever the instruction set, the split of the
 * rows over calls and the caller's floating-point environment. Rows without an answer are named; nothing outside the
 * rows of a call is read or written. */
#include "lib/suite.h"
#include "unit/core/vjp_digest.h"
#include "vjp_problem.h"

#include <fenv.h>

#define SIGNALING ((real_bits)(TEST_REAL == 32 ? 0x7f800001 : 0x7ff0000000000001)) /* a NaN */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { ROWS = 83 };

static const size_t class_counts[] = {1, 2, 3, 4, 5, 10, 16, 17, 31, 48, 63, 64, 65, 79, 100, 130, 257, 1000, 4100};
static const uint64_t one_seed = 0x0123456789abcdef;
static const double one_parameter = 0.8;

static struct vjp_problem problem_of(enum vjp_function function, size_t rows, size_t classes, enum logits_kind kind,
                                     struct inputs *inputs)
{
    struct vjp_problem problem = vjp_problem_open(function, rows, classes, kind, inputs);
    problem.parameter = (struct core_per_row){&one_parameter, 0};
    problem.noise = (struct core_noise){
        .seed = &one_seed, .stride = 0, .row_offset = 0xfffffff0, .draw = 2}; /* the row's number passes 2^32 */
    return problem;
}

static void clear(struct vjp_problem *problem)
{
    memset(problem->grad, 0x55, problem->rows * problem->classes * sizeof(real));
    memset(problem->grad_parameter, 0x55, problem->rows * sizeof(real));
}

static void require_same(const struct vjp_problem *got, const struct vjp_problem *whole, size_t first, size_t count)
{
    size_t from = first * got->classes;
    if (!same_reals(got->grad + from, whole->grad + from, count * got->classes) ||
        !same_reals(got->grad_parameter + first, whole->grad_parameter + first, count))
        ck_abort_msg("function %d, K %zu: rows %zu + %zu differ", (int)got->function, got->classes, first, count);
}

/* Runs `check` over functions and shapes: `whole` has the results of one call, `problem` the same inputs. */
static void for_all_problems(void (*check)(struct vjp_problem *problem, const struct vjp_problem *whole,
                                           struct inputs *inputs))
{
    struct inputs inputs = {1};
    for (enum vjp_function function = 0; function < VJP_FUNCTIONS; function++)
        for (size_t i = 0; i < COUNT(class_counts); i++) {
            size_t rows = class_counts[i] < 1000 ? ROWS : 7;
            enum logits_kind kind = i % 2 ? LOGITS_HOLES : LOGITS_NORMAL;
            struct vjp_problem whole = problem_of(function, rows, class_counts[i], kind, &inputs);
            struct vjp_problem problem = whole;
            vjp_run_all(&whole);
            problem.grad = reals(rows * class_counts[i]);
            problem.grad_parameter = reals(rows);
            clear(&problem);
            check(&problem, &whole, &inputs);
            free(problem.grad);
            free(problem.grad_parameter);
            vjp_problem_close(&whole);
        }
}

/* The sum of the terms in the order of 16 lanes and blocks, and what the additions of blocks round off. */
static real sum_in_order(const real *y, const real *c, size_t classes)
{
    real total = 0, rest = 0;
    for (size_t block = 0; block < classes; block += SUM_BLOCK) {
        real lane[16] = {0}, before = total;
        for (size_t j = block; j < classes && j < block + SUM_BLOCK; j++)
            lane[j % 16] = fma(y != NULL ? y[j] : 1, c[j], lane[j % 16]);
        for (size_t half = 8; half > 0; half /= 2)
            for (size_t l = 0; l < half; l++)
                lane[l] += lane[l + half];
        total += lane[0];
        rest += (real)((wide)before + lane[0] - total);
    }
    return total + rest;
}

/* y is what the core's own function returns for the same arguments. */
static void forward(const struct vjp_problem *p, real *y)
{
    size_t bad;
    struct core_softmax_call plain = {
        .dtype = DTYPE, .logits = p->logits, .classes = p->classes, .temperature = p->parameter, .result = y};
    struct core_gumbel_softmax_call gumbel = {.dtype = DTYPE,
                                              .logits = p->logits,
                                              .classes = p->classes,
                                              .tau = p->parameter,
                                              .noise = p->noise,
                                              .samples = y,
                                              .noise_scale = p->noise_scale};
    int status = p->function == VJP_GUMBEL ? core_gumbel_softmax(&gumbel, 0, p->rows, &bad)
                                           : core_softmax(&plain, 0, p->rows, &bad);
    ck_assert_int_eq(status, CORE_OK);
}

/* The gradients in `whole` are those of the formula. */
static void require_formula(struct vjp_problem *problem, const struct vjp_problem *whole)
{
    size_t classes = problem->classes;
    real *y = reals(problem->rows * classes), scale = 1 / (real)one_parameter;
    forward(problem, y);
    for (size_t r = 0; r < problem->rows; r++) {
        const real *c = problem->cotangent + r * classes, *y_row = y + r * classes;
        bool logarithm = problem->function == VJP_LOG_SOFTMAX;
        real s = sum_in_order(logarithm ? NULL : y_row, c, classes);
        for (size_t j = 0; j < classes; j++) {
            real v = logarithm ? fma(-y_row[j], s, c[j]) : y_row[j] * (c[j] - s);
            problem->grad[r * classes + j] = v * scale + 0.0f;
        }
    }
    ck_assert_msg(same_reals(problem->grad, whole->grad, problem->rows * classes), "function %d, K %zu",
                  (int)problem->function, classes);
    free(y);
}

static void check_formula(struct vjp_problem *problem, const struct vjp_problem *whole, struct inputs *inputs)
{
    double scales[ROWS];
    if (problem->function != VJP_RAO)
        require_formula(problem, whole);
    if (problem->function != VJP_GUMBEL)
        return;
    for (size_t r = 0; r < problem->rows; r++)
        scales[r] = r % 4 == 1 ? 0.0 : r % 9 == 2 ? 1e300 : r % 6 == 5 ? 1.0 : 3 * inputs_uniform(inputs);
    struct vjp_problem scaled = *problem;
    scaled.grad = reals(problem->rows * problem->classes);
    scaled.noise_scale = problem->noise_scale = (struct core_per_row){scales, 1};
    vjp_run_all(&scaled);
    require_formula(problem, &scaled);
    free(scaled.grad);
}

START_TEST(test_formula)
{
    select_isa(_i);
    for_all_problems(check_formula);
}
END_TEST

static void check_splits(struct vjp_problem *problem, const struct vjp_problem *whole, struct inputs *inputs)
{
    for (int turn = 0; turn < 4; turn++) {
        size_t count, bad;
        clear(problem);
        for (size_t first = 0; first < problem->rows; first += count) {
            count = turn == 0 ? 1 : 1 + inputs_below(inputs, problem->rows - first);
            if (problem->scratch != NULL) /* what it held before means nothing */
                memset(problem->scratch, 0xff, vjp_scratch(problem));
            ck_assert_int_eq(vjp_run(problem, first, count, &bad), CORE_OK);
        }
        require_same(problem, whole, 0, problem->rows);
    }
}

START_TEST(test_splits)
{
    select_isa(_i);
    for_all_problems(check_splits);
}
END_TEST

/* Conditional samples in several calls, of ranges of rows as they come: a row's sums are what one call leaves to the
 * next. */
static void check_sample_parts(struct vjp_problem *problem, const struct vjp_problem *whole, struct inputs *inputs)
{
    if (problem->function != VJP_RAO)
        return;
    const struct core_gumbel_softmax_vjp_call call = vjp_gumbel_call(problem);
    const size_t bytes = core_gumbel_rao_sums(&call);
    char *sums = memory_of(problem->rows * bytes);
    clear(problem);
    for (uint32_t at = 0, count; at < problem->samples; at += count) {
        count = 1 + (uint32_t)inputs_below(inputs, problem->samples - at);
        for (size_t first = 0, rows, bad; first < problem->rows; first += rows) {
            rows = 1 + inputs_below(inputs, problem->rows - first);
            problem->part = (struct core_rao_part){at, count, sums + first * bytes};
            ck_assert_int_eq(vjp_run(problem, first, rows, &bad), CORE_OK);
        }
    }
    require_same(problem, whole, 0, problem->rows);
    free(sums);
}

START_TEST(test_sample_parts)
{
    select_isa(_i);
    for_all_problems(check_sample_parts);
}
END_TEST

static bool untouched(const real *memory, size_t count)
{
    const unsigned char *bytes = (const unsigned char *)memory;
    for (size_t i = 0; i < count * sizeof(real); i++)
        if (bytes[i] != 0x55)
            return false;
    return true;
}

/* A range leaves the other rows of the results alone; an empty one all. */
static void check_range(struct vjp_problem *problem, const struct vjp_problem *whole, struct inputs *inputs)
{
    for (int turn = 0; turn < 3; turn++) {
        size_t first = inputs_below(inputs, problem->rows), count = inputs_below(inputs, problem->rows - first + 1);
        size_t end = first + count, after = problem->rows - end, bad;
        clear(problem);
        ck_assert_int_eq(vjp_run(problem, first, count, &bad), CORE_OK);
        require_same(problem, whole, first, count);
        ck_assert(untouched(problem->grad, first * problem->classes));
        ck_assert(untouched(problem->grad + end * problem->classes, after * problem->classes));
        ck_assert(untouched(problem->grad_parameter, first));
        ck_assert(untouched(problem->grad_parameter + end, after));
    }
}

START_TEST(test_ranges)
{
    select_isa(_i);
    for_all_problems(check_range);
}
END_TEST

/* The logits' gradient does not depend on whether the parameter's is wanted. */
static void check_without_parameter(struct vjp_problem *problem, const struct vjp_problem *whole, struct inputs *inputs)
{
    struct vjp_problem without = *problem;
    (void)inputs;
    without.grad_parameter = NULL;
    vjp_run_all(&without);
    ck_assert(same_reals(problem->grad, whole->grad, problem->rows * problem->classes));
}

START_TEST(test_without_parameter)
{
    select_isa(_i);
    for_all_problems(check_without_parameter);
}
END_TEST

/* Parameters and seeds of each row give what each row gives alone with its own; some parameters are 0. */
static void check_per_row(struct vjp_problem *problem, const struct vjp_problem *whole, struct inputs *inputs)
{
    double parameters[ROWS], scales[ROWS];
    uint64_t seeds[ROWS];
    (void)whole;
    for (size_t r = 0; r < problem->rows; r++) {
        parameters[r] = r % 5 == 1 ? 0 : r % 7 == 2 ? 1e-40 : 0.1 + 2 * inputs_uniform(inputs);
        scales[r] = r % 3 == 1 ? 1 : r % 8 == 2 ? 0 : 3 * inputs_uniform(inputs);
        seeds[r] = inputs_next(inputs);
    }
    problem->parameter = (struct core_per_row){parameters, 1};
    problem->noise = (struct core_noise){.seed = seeds, .stride = 1, .row_offset = 5, .draw = 6};
    problem->noise_scale = (struct core_per_row){scales, 1};
    vjp_run_all(problem);
    for (size_t r = 0; r < problem->rows; r++) {
        struct vjp_problem alone = *problem;
        alone.rows = 1;
        alone.logits += r * problem->classes;
        alone.cotangent += r * problem->classes;
        alone.grad = reals(problem->classes);
        alone.grad_parameter = reals(1);
        alone.parameter = (struct core_per_row){&parameters[r], 0};
        alone.noise = (struct core_noise){.seed = &seeds[r], .stride = 0, .row_offset = 5, .draw = 6};
        alone.noise_scale = (struct core_per_row){&scales[r], 0};
        vjp_run_all(&alone);
        ck_assert(same_reals(alone.grad, problem->grad + r * problem->classes, problem->classes));
        ck_assert(same_reals(alone.grad_parameter, problem->grad_parameter + r, 1));
        free(alone.grad);
        free(alone.grad_parameter);
    }
}

START_TEST(test_per_row)
{
    select_isa(_i);
    for_all_problems(check_per_row);
}
END_TEST

/* In every third row a cotangent that is infinite, NaN, or overflows the sum. */
static void spoil(struct vjp_problem *problem, struct inputs *inputs)
{
    const real strange[] = {
        INFINITY, -INFINITY, NAN,           -NAN,          real_of_bits(SIGNALING), -real_of_bits(SIGNALING),
        REAL_MAX, -REAL_MAX, REAL_TRUE_MIN, -REAL_TRUE_MIN};
    for (size_t r = 0; r < problem->rows; r += 3)
        for (int i = 0; i < 2; i++) {
            real *at = &problem->cotangent[r * problem->classes + inputs_below(inputs, problem->classes)];
            memcpy(at, &strange[inputs_below(inputs, COUNT(strange))], sizeof(*at));
        }
}

/* Every instruction set gives the bits of the first; a NaN is always the same one. */
START_TEST(test_targets_agree)
{
    static const double parameters[] = {0, 0x1p-149, 1e-3, 0.7, 1, 30, 1e38};
    static const size_t large[] = {4095, 4096, 4097, 8193, 32001};
    struct inputs inputs = {2};
    for (size_t k = 1; k <= 130 + COUNT(large); k++)
        for (enum vjp_function function = 0; function < VJP_FUNCTIONS; function++) {
            size_t classes = k <= 130 ? k : large[k - 131], rows = k <= 130 ? 1 + k % 20 : 1;
            struct vjp_problem first = problem_of(function, rows, classes, k % LOGITS_KINDS, &inputs), other;
            first.parameter.value = &parameters[inputs_below(&inputs, COUNT(parameters))];
            spoil(&first, &inputs);
            select_isa(first_isa());
            vjp_run_all(&first);
            for (size_t i = 0; i < rows * classes; i++)
                if (isnan(first.grad[i]))
                    ck_assert(same_reals(&first.grad[i], &(real){__builtin_nanf("")}, 1));
            other = first;
            other.grad = reals(rows * classes);
            other.grad_parameter = reals(rows);
            for (int isa = first_isa() + 1; isa <= (int)core_isa_best(); isa++) {
                select_isa(isa);
                vjp_run_all(&other);
                require_same(&other, &first, 0, rows);
            }
            free(other.grad);
            free(other.grad_parameter);
            vjp_problem_close(&first);
        }
}
END_TEST

/* A cotangent that is not finite makes the row's gradient NaN, and no other row's. */
START_TEST(test_strange_cotangents)
{
    struct inputs inputs = {3};
    static const real strange[] = {INFINITY, -INFINITY, NAN};
    select_isa(_i);
    for (enum vjp_function function = 0; function < VJP_FUNCTIONS; function++)
        for (size_t classes = 1; classes <= 100; classes++) {
            struct vjp_problem problem = problem_of(function, 5, classes, LOGITS_NORMAL, &inputs);
            problem.cotangent[2 * classes + inputs_below(&inputs, classes)] = strange[classes % 3];
            vjp_run_all(&problem);
            for (size_t r = 0; r < 5; r++) {
                bool finite = true;
                for (size_t j = 0; j < classes; j++)
                    finite &= isfinite(problem.grad[r * classes + j]) != 0;
                ck_assert_int_eq(finite, r != 2);
                ck_assert_int_eq(isnan(problem.grad_parameter[r]) != 0, r == 2);
            }
            vjp_problem_close(&problem);
        }
}
END_TEST

/* The bits are part of the contract ("rng": "v1"): they may not change from one version to the next. */
START_TEST(test_digest)
{
    select_isa(_i);
    ck_assert_uint_eq(vjp_digest_of_results(DTYPE), TEST_REAL == 32 ? VJP_DIGEST_V1 : VJP_DIGEST_V1_FLOAT64);
    ck_assert_uint_eq(vjp_digest_of_scaled_results(DTYPE),
                      TEST_REAL == 32 ? VJP_SCALED_DIGEST_V1 : VJP_SCALED_DIGEST_V1_FLOAT64);
}
END_TEST

static void check_environment(struct vjp_problem *problem, const struct vjp_problem *whole, struct inputs *inputs)
{
    size_t bad;
    (void)inputs;
    fenv_t before;
    fegetenv(&before);
    set_strange_environment();
    uint64_t strange = get_environment();
    int status = vjp_run(problem, 0, problem->rows, &bad);
    uint64_t after = get_environment();
    fesetenv(&before);
    ck_assert_int_eq(status, CORE_OK);
    ck_assert_uint_eq(after, strange);
    require_same(problem, whole, 0, problem->rows);
}

START_TEST(test_environment)
{
    select_isa(_i);
    for_all_problems(check_environment);
}
END_TEST

/* What no row may hold, at any place of it, and a row of nothing but -inf: the first such row of the range counts. */
START_TEST(test_invalid_rows)
{
    static const real forbidden[] = {INFINITY, NAN};
    struct inputs inputs = {4};
    select_isa(_i);
    for (enum vjp_function function = 0; function < VJP_FUNCTIONS; function++)
        for (size_t classes = 1; classes <= 300; classes += classes < 70 ? 1 : 57) {
            struct vjp_problem problem = problem_of(function, 150, classes, LOGITS_HOLES, &inputs);
            size_t row = 10 + inputs_below(&inputs, 130), bad = SIZE_MAX;
            problem.logits[row * classes + inputs_below(&inputs, classes)] = forbidden[classes % 2];
            if (classes % 3 == 0)
                for (size_t j = 0; j < classes; j++)
                    problem.logits[row * classes + j] = -INFINITY;
            problem.logits[(row + 7) * classes] = NAN;
            problem.logits[3 * classes] = NAN;
            ck_assert_int_eq(vjp_run(&problem, 4, 146, &bad), CORE_INVALID_ROW);
            ck_assert_uint_eq(bad, row);
            bad = SIZE_MAX;
            ck_assert_int_eq(vjp_run(&problem, 4, row - 4, &bad), CORE_OK);
            ck_assert_uint_eq(bad, SIZE_MAX);
            vjp_problem_close(&problem);
        }
}
END_TEST

/* Of `count` numbers, at the end of the fenced memory or at its start. */
static real *fence(struct fenced *fenced, size_t count, bool at_end)
{
    *fenced = fenced_open(count * sizeof(real));
    return at_end ? fenced_last(fenced, count) : fenced_first(fenced);
}

static void check_fences(const struct vjp_problem *whole, bool at_end)
{
    size_t count = whole->rows * whole->classes, scratch = vjp_scratch(whole) / sizeof(real);
    struct fenced fenced[5];
    struct vjp_problem problem = *whole;
    problem.logits = fence(&fenced[0], count, at_end);
    problem.cotangent = fence(&fenced[1], count, at_end);
    problem.grad = fence(&fenced[2], count, at_end);
    problem.grad_parameter = fence(&fenced[3], whole->rows, at_end);
    problem.scratch = fence(&fenced[4], scratch > 0 ? scratch : 1, at_end);
    memcpy(problem.logits, whole->logits, count * sizeof(real));
    memcpy(problem.cotangent, whole->cotangent, count * sizeof(real));
    vjp_run_all(&problem);
    require_same(&problem, whole, 0, whole->rows);
    for (int i = 0; i < 5; i++)
        fenced_close(&fenced[i]);
}

START_TEST(test_fences)
{
    static const size_t large[] = {255, 256, 257, 273, 1000, 4095, 4096, 4097, 8193};
    struct inputs inputs = {5};
    select_isa(_i);
    for (enum vjp_function function = 0; function < VJP_FUNCTIONS; function++)
        for (size_t k = 1; k <= 130 + COUNT(large); k++) {
            size_t classes = k <= 130 ? k : large[k - 131], rows = k <= 130 ? 1 + k % 20 : 1;
            struct vjp_problem whole = problem_of(function, rows, classes, LOGITS_NORMAL, &inputs);
            vjp_run_all(&whole);
            check_fences(&whole, true);
            check_fences(&whole, false);
            vjp_problem_close(&whole);
        }
}
END_TEST

TEST_SUITE(PART)
{
    Suite *suite = suite_create(SUITE("vjp bits"));
    TCase *bits = tcase_create("bits");
    tcase_set_timeout(bits, 60);
    tcase_add_isa_test(bits, test_formula);
    tcase_add_isa_test(bits, test_splits);
    tcase_add_isa_test(bits, test_sample_parts);
    tcase_add_isa_test(bits, test_ranges);
    tcase_add_isa_test(bits, test_without_parameter);
    tcase_add_isa_test(bits, test_per_row);
    tcase_add_isa_test(bits, test_strange_cotangents);
    tcase_add_isa_test(bits, test_environment);
    tcase_add_isa_test(bits, test_digest);
    tcase_add_test(bits, test_targets_agree);
    suite_add_tcase(suite, bits);

    TCase *rows = tcase_create("rows");
    tcase_set_timeout(rows, 60);
    tcase_add_isa_test(rows, test_invalid_rows);
    tcase_add_isa_test(rows, test_fences);
    suite_add_tcase(suite, rows);
    return suite;
}
