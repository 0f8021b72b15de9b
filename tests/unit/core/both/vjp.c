/* The vector-Jacobian products against long double and finite differences, and the Gumbel-Rao gradient's mean and
 * variance. */
#include "lib/suite.h"
#include "vjp_problem.h"
#include "vjp_reference.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What is expected of one row: the gradients to logits, the last to the parameter, and what they may be off by. */
struct expected {
    struct reference_row row;
    wide *z;
    long double *grad, *error;
};

static long double *long_doubles(size_t count)
{
    long double *memory = calloc(count, sizeof(memory[0]));
    ck_assert_ptr_nonnull(memory);
    return memory;
}

static struct expected expected_open(const struct vjp_problem *problem)
{
    size_t classes = problem->classes;
    struct expected expected = {
        .row = {.classes = classes,
                .x = long_doubles(classes),
                .x_error = long_doubles(classes),
                .temperature = fmaxl((real)problem->parameter.value[0], 1 / (long double)REAL_MAX),
                .logarithm = problem->function == VJP_LOG_SOFTMAX},
        .z = wides(classes),
        .grad = long_doubles(classes + 1),
        .error = long_doubles(classes + 1)};
    return expected;
}

static void expected_close(struct expected *expected)
{
    free(expected->row.x);
    free(expected->row.x_error);
    free(expected->z);
    free(expected->grad);
    free(expected->error);
}

/* Rows of the noise's one seed. */
static uint32_t noise_row(const struct vjp_problem *problem, size_t r)
{
    return problem->noise.row_offset + (uint32_t)r;
}

static real scale_of(const struct vjp_problem *problem)
{
    return problem->noise_scale.value == NULL ? 1 : (real)problem->noise_scale.value[0];
}

static bool allows(const struct vjp_problem *problem, size_t r, size_t j)
{
    const struct core_mask *mask = &problem->mask;
    return mask->allowed == NULL || mask->allowed[mask->stride * r * problem->classes + j] != 0;
}

/* x and z = x + s g, rounded as the core may have it. */
static void perturb(struct expected *expected, const struct vjp_problem *problem, size_t r)
{
    const real *logits = problem->logits + r * problem->classes;
    real s = scale_of(problem);
    wide max = -INFINITY;
    perturbed(logits, problem->classes, problem->noise.seed[0], noise_row(problem, r), problem->noise.draw,
              expected->z);
    for (size_t j = 0; j < problem->classes; j++)
        if (allows(problem, r, j))
            max = fmax(max, logits[j]);
    for (size_t j = 0; j < problem->classes; j++) {
        bool possible = logits[j] > -INFINITY && allows(problem, r, j);
        wide noise = possible ? s * (expected->z[j] - logits[j]) : 0;
        if (s != 1)
            expected->z[j] = logits[j] + noise;
        if (!possible)
            expected->z[j] = -INFINITY;
        expected->row.x[j] = expected->z[j];
        expected->row.x_error[j] = 0;
        if (possible)
            expected->row.x_error[j] = UNIT * (2 * (max - logits[j]) + 4 * fabs(noise) + 4 * s);
    }
}

/* How many samples of logits a gradient is the mean of, and the i-th of them. */
static uint32_t sample_count(const struct vjp_problem *problem)
{
    return problem->function == VJP_RAO ? problem->samples : 1;
}

static void sample_x(struct expected *expected, const struct vjp_problem *problem, size_t r, uint32_t i)
{
    const real *logits = problem->logits + r * problem->classes;
    const struct core_mask *mask = &problem->mask;
    expected->row.cotangent = problem->cotangent + r * problem->classes;
    if (problem->function == VJP_SOFTMAX || problem->function == VJP_LOG_SOFTMAX) {
        for (size_t j = 0; j < problem->classes; j++)
            expected->row.x[j] = allows(problem, r, j) ? logits[j] : -INFINITY;
        return;
    }
    perturb(expected, problem, r);
    if (problem->function == VJP_RAO)
        reference_condition(&expected->row, logits,
                            mask->allowed == NULL ? NULL : mask->allowed + mask->stride * r * problem->classes,
                            scale_of(problem), first_max_of(expected->z, problem->classes), problem->noise.seed[0],
                            noise_row(problem, r), problem->noise.draw * problem->samples + i);
}

static void expect_row(struct expected *expected, const struct vjp_problem *problem, size_t r)
{
    memset(expected->grad, 0, (problem->classes + 1) * sizeof(expected->grad[0]));
    memset(expected->error, 0, (problem->classes + 1) * sizeof(expected->error[0]));
    for (uint32_t i = 0; i < sample_count(problem); i++) {
        sample_x(expected, problem, r, i);
        reference_add_gradient(&expected->row, 1.0L / sample_count(problem), expected->grad, expected->error);
    }
}

static bool right(real got, long double expected, long double error)
{
    if (isinf(error))
        return true;
    if (fabsl(expected) + error > (long double)REAL_MAX && isinf(got))
        return (got > 0) == (expected > 0) || error > fabsl(expected);
    return fabsl(got - expected) <= error;
}

static void check_row(const struct vjp_problem *problem, size_t r, const struct expected *expected)
{
    for (size_t j = 0; j <= problem->classes; j++) {
        real got = j < problem->classes ? problem->grad[r * problem->classes + j] : problem->grad_parameter[r];
        if (!right(got, expected->grad[j], expected->error[j]) || (got == 0 && signbit(got)))
            ck_abort_msg("function %d, K %zu, parameter %g, row %zu, gradient %zu: %a, not %La, +- %Lg",
                         (int)problem->function, problem->classes, problem->parameter.value[0], r, j, got,
                         expected->grad[j], expected->error[j]);
    }
}

struct setting {
    double parameter, noise_scale;
    bool masked;
};

static void mask_randomly(struct vjp_problem *problem, struct inputs *inputs)
{
    size_t count = problem->rows * problem->classes;
    uint8_t *allowed = memory_of(count);
    for (size_t i = 0; i < count; i++)
        allowed[i] = inputs_below(inputs, 3) > 0;
    for (size_t r = 0; r < problem->rows; r++) { /* one class at least that the logits leave possible */
        size_t j = 0;
        while (problem->logits[r * problem->classes + j] == -INFINITY)
            j++;
        allowed[r * problem->classes + j] = 7;
    }
    problem->mask = (struct core_mask){allowed, 1};
    free(problem->scratch);
    vjp_make_scratch(problem);
}

static void check(enum vjp_function function, size_t rows, size_t classes, struct setting setting,
                  enum logits_kind kind, struct inputs *inputs)
{
    struct vjp_problem problem = vjp_problem_open(function, rows, classes, kind, inputs);
    uint64_t seed = inputs_next(inputs);
    problem.parameter.value = &setting.parameter;
    problem.noise_scale.value = &setting.noise_scale;
    problem.noise = (struct core_noise){.seed = &seed,
                                        .stride = 0,
                                        .row_offset = (uint32_t)inputs_next(inputs),
                                        .draw = (uint32_t)inputs_below(inputs, 5)};
    if (setting.masked)
        mask_randomly(&problem, inputs);
    struct expected expected = expected_open(&problem);
    vjp_run_all(&problem);
    for (size_t r = 0; r < rows; r++) {
        expect_row(&expected, &problem, r);
        check_row(&problem, r, &expected);
    }
    expected_close(&expected);
    free((void *)problem.mask.allowed);
    vjp_problem_close(&problem);
}

static const double temperatures[] = {REAL_TRUE_MIN, 1e-39, 1e-6, 0.1, 1, 3, 1e5, 1e38};
static const double taus[] = {0.05, 0.5, 1, 2.5, 100, 1e30};
static const double noise_scales[] = {1, 0.5, 0, 1, 3, 1e-3, 1e-40};
static const size_t large[] = {255, 256, 257, 1000, 4095, 4096, 4097, 8193, 32000, 128256};

static enum logits_kind kind_of(enum vjp_function function, size_t i)
{
    static const enum logits_kind kinds[] = {LOGITS_NORMAL, LOGITS_HOLES, LOGITS_WIDE,
                                             LOGITS_EQUAL,  LOGITS_TINY,  LOGITS_HUGE};
    return kinds[i % (function < VJP_GUMBEL ? 6 : 5)];
}

static struct setting setting_of(enum vjp_function function, size_t i)
{
    return (struct setting){
        .parameter = function < VJP_GUMBEL ? temperatures[i % COUNT(temperatures)] : taus[i % COUNT(taus)],
        .noise_scale = noise_scales[i / 2 % COUNT(noise_scales)],
        .masked = i % 3 == 2,
    };
}

START_TEST(test_every_class_count)
{
    struct inputs inputs = {1};
    select_isa(_i);
    for (enum vjp_function function = 0; function < VJP_FUNCTIONS; function++)
        for (size_t classes = 1; classes <= 130; classes++)
            for (size_t i = 0; i < 8; i++)
                check(function, 1 + (classes + i) % 5, classes, setting_of(function, classes * 3 + i),
                      kind_of(function, classes + i), &inputs);
}
END_TEST

START_TEST(test_large_class_counts)
{
    struct inputs inputs = {2};
    select_isa(_i);
    for (enum vjp_function function = 0; function < VJP_FUNCTIONS; function++)
        for (size_t i = 0; i < COUNT(large); i++)
            for (size_t turn = 0; turn < (large[i] < 10000 ? 3 : 1); turn++)
                check(function, 1, large[i], setting_of(function, i + turn), kind_of(function, i + 2 * turn), &inputs);
}
END_TEST

struct natural_errors {
    long double logits, temperature;
};

/* The greatest errors of a row's gradients of softmax or log_softmax in ulps of their natural scale: what the formula
 * gives if all its terms have one sign. */
static void natural_errors(const struct vjp_problem *problem, const struct expected *expected, size_t r,
                           struct natural_errors *errors)
{
    const struct reference_row *row = &expected->row;
    size_t classes = problem->classes;
    long double max = greatest(row->x, classes), offset = log_sum(row), sum = 0, tau_scale = 0;
    *errors = (struct natural_errors){0, 0};
    for (size_t j = 0; j < classes; j++)
        sum += fabsl(row->cotangent[j]) * (row->logarithm ? 1 : expl(row->x[j] / row->temperature - offset));
    for (size_t j = 0; j <= classes; j++) {
        real got = j < classes ? problem->grad[r * classes + j] : problem->grad_parameter[r];
        long double scale = tau_scale / row->temperature;
        if (j < classes) {
            long double y = expl(row->x[j] / row->temperature - offset), c = fabsl(row->cotangent[j]);
            scale = (row->logarithm ? c + y * sum : y * (c + sum)) / row->temperature;
            tau_scale += scale * (max - row->x[j]);
        }
        long double *error = j < classes ? &errors->logits : &errors->temperature;
        if (scale > 0)
            *error = fmaxl(*error, fabsl(got - expected->grad[j]) / scale / (2 * UNIT));
    }
}

/* Within 6 ulps of the natural scale for any temperature; of float only for temperature 1, as
 * the rounding of 1 / T counts there. */
START_TEST(test_natural_error)
{
    static const size_t counts[] = {1, 2, 3, 10, 17, 63, 64, 100, 257, 1000, 4096, 10007};
    struct inputs inputs = {6};
    select_isa(_i);
    for (enum vjp_function function = 0; function < VJP_GUMBEL; function++)
        for (size_t i = 0; i < COUNT(counts); i++)
            for (int turn = 0; turn < 12; turn++) {
                double temperature = TEST_REAL == 32 ? 1 : exp(4 * inputs_uniform(&inputs) - 2);
                struct vjp_problem problem = vjp_problem_open(function, counts[i] < 1000 ? 20 : 2, counts[i],
                                                              LOGITS_NORMAL, &inputs);
                problem.parameter.value = &temperature;
                struct expected expected = expected_open(&problem);
                vjp_run_all(&problem);
                for (size_t r = 0; r < problem.rows; r++) {
                    expect_row(&expected, &problem, r);
                    struct natural_errors errors;
                    natural_errors(&problem, &expected, r, &errors);
                    ck_assert_msg(errors.logits <= 6 && errors.temperature <= 6,
                                  "function %d, K %zu, T %g: %Lg, %Lg ulps", (int)function, problem.classes,
                                  temperature, errors.logits, errors.temperature);
                }
                expected_close(&expected);
                vjp_problem_close(&problem);
            }
}
END_TEST

/* The loss of a row, its logits moved by h at one class, or its temperature by h. */
static long double moved_loss(struct expected *expected, const struct vjp_problem *problem, size_t r, size_t at,
                              long double h)
{
    long double loss = 0, temperature = expected->row.temperature;
    for (uint32_t i = 0; i < sample_count(problem); i++) {
        sample_x(expected, problem, r, i);
        if (at < problem->classes)
            expected->row.x[at] += h;
        else
            expected->row.temperature += h;
        loss += reference_loss(&expected->row) / sample_count(problem);
        expected->row.temperature = temperature;
    }
    return loss;
}

/* The noise is the same on both sides: only where it enters is differentiated. */
static void check_differences(enum vjp_function function, size_t classes, double parameter, double noise_scale,
                              struct inputs *inputs)
{
    struct vjp_problem problem = vjp_problem_open(function, 2, classes, LOGITS_NORMAL, inputs);
    uint64_t seed = inputs_next(inputs);
    problem.parameter.value = &parameter;
    problem.noise_scale.value = &noise_scale;
    problem.noise = (struct core_noise){.seed = &seed, .stride = 0, .row_offset = 7, .draw = 1};
    struct expected expected = expected_open(&problem);
    vjp_run_all(&problem);
    for (size_t r = 0; r < problem.rows; r++) {
        expect_row(&expected, &problem, r);
        for (size_t j = 0; j <= classes; j++) {
            long double h = 1e-6L * parameter;
            long double slope = (moved_loss(&expected, &problem, r, j, h) - moved_loss(&expected, &problem, r, j, -h)) /
                                (2 * h);
            real got = j < classes ? problem.grad[r * classes + j] : problem.grad_parameter[r];
            long double allowed = 1e-8L * (1 + fabsl(expected.grad[j])) * fmaxl(1, 1 / (parameter * parameter));
            if (!(fabsl(slope - expected.grad[j]) <= allowed))
                ck_abort_msg("function %d, K %zu, parameter %g: the reference's gradient %zu is %Lg, the slope %Lg",
                             (int)function, classes, parameter, j, expected.grad[j], slope);
            if (!(fabsl(slope - got) <= allowed + expected.error[j]))
                ck_abort_msg("function %d, K %zu, parameter %g: gradient %zu is %g, the slope %Lg", (int)function,
                             classes, parameter, j, got, slope);
        }
    }
    expected_close(&expected);
    vjp_problem_close(&problem);
}

START_TEST(test_finite_differences)
{
    static const size_t counts[] = {1, 2, 3, 5, 10, 16, 17, 33, 65, 100};
    static const double parameters[] = {0.1, 0.5, 1, 3, 50};
    struct inputs inputs = {3};
    select_isa(_i);
    for (enum vjp_function function = 0; function < VJP_FUNCTIONS; function++)
        for (size_t i = 0; i < COUNT(counts); i++)
            for (size_t p = 0; p < COUNT(parameters); p++)
                check_differences(function, counts[i], parameters[p], noise_scales[(i + p) % 5], &inputs);
}
END_TEST

/* At parameter 0 there is no gradient, whatever the cotangent; nor through a single class of a softmax. */
START_TEST(test_constant_functions)
{
    static const double zero = 0, half = 0.5;
    static const uint64_t seed = 3;
    struct inputs inputs = {4};
    select_isa(_i);
    for (enum vjp_function function = 0; function < VJP_FUNCTIONS; function++)
        for (size_t classes = 1; classes <= 300; classes += classes < 70 ? 1 : 77) {
            struct vjp_problem problem = vjp_problem_open(function, 9, classes, LOGITS_NORMAL, &inputs);
            real *nothing = calloc(9 * classes, sizeof(real));
            ck_assert_ptr_nonnull(nothing);
            problem.noise.seed = &seed;
            problem.parameter.value = classes > 1 ? &zero : &half;
            if (classes > 1)
                problem.cotangent[inputs_below(&inputs, 9 * classes)] = NAN;
            vjp_run_all(&problem);
            ck_assert(same_reals(problem.grad, nothing, 9 * classes));
            ck_assert(same_reals(problem.grad_parameter, nothing, 9));
            vjp_problem_close(&problem);
            free(nothing);
        }
}
END_TEST

/* The loss |D - target|^2 of hard samples D of five classes, by straight-through and by Gumbel-Rao: for every D and
 * class the means of both gradients agree within 5 of their difference's standard errors (false alarms 1.5e-5 for the
 * 25 of them), and over all samples Gumbel-Rao varies less. The bits are the same for all instruction sets. */
enum { K = 5, SAMPLES = 60000 };

struct moments {
    double sum, squares, count;
};

static void moments_add(struct moments *moments, double x)
{
    moments->sum += x;
    moments->squares += x * x;
    moments->count++;
}

static double variance(const struct moments *moments)
{
    double mean = moments->sum / moments->count;
    return moments->squares / moments->count - mean * mean;
}

static void estimate(struct vjp_problem *problem, real *grad)
{
    problem->grad = grad;
    problem->grad_parameter = NULL;
    vjp_run_all(problem);
}

static void check_estimators(double tau, double noise_scale, double least_gain)
{
    static const real logits[K] = {0.3f, -1.2f, 0.9f, 0, -0.4f}, target[K] = {0.2f, 0.1f, 0.3f, 0.15f, 0.25f};
    static real x[SAMPLES * K], hard[SAMPLES * K], c[SAMPLES * K], through[SAMPLES * K], rao[SAMPLES * K];
    const uint64_t seed = 20;
    struct moments differences[K][K] = {0}, of_through[K] = {0}, of_rao[K] = {0};
    size_t bad;
    for (size_t i = 0; i < SAMPLES * K; i++)
        x[i] = logits[i % K];
    struct core_gumbel_softmax_call sample = {.dtype = DTYPE,
                                              .logits = x,
                                              .classes = K,
                                              .tau = {&tau, 0},
                                              .hard = true,
                                              .noise = {&seed, 0, 0, 0},
                                              .noise_scale = {&noise_scale, 0},
                                              .samples = hard};
    ck_assert_int_eq(core_gumbel_softmax(&sample, 0, SAMPLES, &bad), CORE_OK);
    for (size_t i = 0; i < SAMPLES * K; i++)
        c[i] = 2 * (hard[i] - target[i % K]);

    struct inputs inputs = {5};
    struct vjp_problem problem = vjp_problem_open(VJP_RAO, 1, K, LOGITS_EQUAL, &inputs), lent = problem;
    lent.rows = SAMPLES;
    lent.logits = x;
    lent.cotangent = c;
    lent.parameter = sample.tau;
    lent.noise = sample.noise;
    lent.noise_scale = sample.noise_scale;
    lent.samples = 10;
    estimate(&lent, rao);
    lent.function = VJP_GUMBEL;
    estimate(&lent, through);
    vjp_problem_close(&problem);

    for (size_t i = 0; i < SAMPLES; i++) {
        size_t winner = 0;
        while (hard[i * K + winner] == 0)
            winner++;
        for (size_t j = 0; j < K; j++) {
            moments_add(&differences[winner][j], (double)rao[i * K + j] - through[i * K + j]);
            moments_add(&of_rao[j], rao[i * K + j]);
            moments_add(&of_through[j], through[i * K + j]);
        }
    }
    for (size_t j = 0; j < K; j++) {
        for (size_t winner = 0; winner < K; winner++) {
            const struct moments *d = &differences[winner][j];
            ck_assert_double_gt(d->count, 200);
            ck_assert_double_lt(fabs(d->sum / d->count), 5 * sqrt(variance(d) / d->count));
        }
        ck_assert_double_lt(variance(&of_rao[j]) * least_gain, variance(&of_through[j]));
    }
}

START_TEST(test_rao_blackwell)
{
    select_isa(core_isa_best());
    check_estimators(0.1, 1, 1.5);
    check_estimators(0.5, 1, 1.05);
    check_estimators(1, 1, 1.02);
    check_estimators(0.5, 0.4, 1.02);
    check_estimators(1, 2.5, 1.1);
}
END_TEST

TEST_SUITE(PART)
{
    Suite *suite = suite_create(SUITE("vjp"));
    TCase *tcase = tcase_create("against long double");
    tcase_set_timeout(tcase, 120);
    tcase_add_isa_test(tcase, test_every_class_count);
    tcase_add_isa_test(tcase, test_large_class_counts);
    tcase_add_isa_test(tcase, test_natural_error);
    tcase_add_isa_test(tcase, test_finite_differences);
    tcase_add_isa_test(tcase, test_constant_functions);
    suite_add_tcase(suite, tcase);

    TCase *estimators = tcase_create("estimators");
    tcase_set_timeout(estimators, 60);
    tcase_add_test(estimators, test_rao_blackwell);
    suite_add_tcase(suite, estimators);
    return suite;
}
