/* Sums over samples, and over Gumbel-Rao's conditional ones: as exact as one sample's gradient, however many. */
#include "lib/suite.h"
#include "vjp_problem.h"
#include "vjp_reference.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { MANY = 65536 };

/* Rows of few and of many classes. A mean may be off by the errors of its samples, and a rounding each of the sum, the
 * mean, 1 / tau and the product with it. */
static const size_t class_counts[] = {3, 70};

/* Without noise the mean of many is what one sample has, but for the roundings of sum and mean. */
static void check_equal_samples(size_t classes, double tau)
{
    static const double no_noise = 0;
    static const uint64_t seed = 1;
    struct inputs inputs = {classes};
    struct vjp_problem problem = vjp_problem_open(VJP_RAO, 1, classes, LOGITS_NORMAL, &inputs);
    long double *x = memory_of(classes * sizeof(x[0])), *x_error = calloc(classes, sizeof(x[0])),
                *grad = calloc(classes + 1, sizeof(grad[0])), *error = calloc(classes + 1, sizeof(error[0]));
    ck_assert(x_error != NULL && grad != NULL && error != NULL);
    problem.parameter.value = &tau;
    problem.noise.seed = &seed;
    problem.noise_scale.value = &no_noise;
    problem.samples = MANY;
    vjp_run_all(&problem);
    for (size_t j = 0; j < classes; j++)
        x[j] = problem.logits[j];
    const struct reference_row row = {classes, x, x_error, problem.cotangent, (real)tau, false};
    reference_add_gradient(&row, 1, grad, error);
    for (size_t j = 0; j <= classes; j++) {
        const real got = j < classes ? problem.grad[j] : problem.grad_parameter[0];
        const long double allowed = error[j] + 4 * UNIT * fabsl(grad[j]);
        if (!(fabsl(got - grad[j]) <= allowed))
            ck_abort_msg("K %zu, gradient %zu: %.9g, not %.9Lg, off by %Lg of %Lg allowed", classes, j, got, grad[j],
                         fabsl(got - grad[j]), allowed);
    }
    free(x);
    free(x_error);
    free(grad);
    free(error);
    vjp_problem_close(&problem);
}

START_TEST(test_equal_samples)
{
    select_isa(_i);
    for (size_t i = 0; i < COUNT(class_counts); i++)
        check_equal_samples(class_counts[i], 1);
}
END_TEST

/* With noise: draw 0's k conditional samples are the one of each of the draws 0 .. k-1, where those have the same hard
 * sample. */
static void check_different_samples(size_t classes, double tau)
{
    static const uint64_t seed = 1;
    struct inputs inputs = {classes};
    struct vjp_problem problem = vjp_problem_open(VJP_RAO, 1, classes, LOGITS_NORMAL, &inputs);
    long double *sum = calloc(classes + 1, sizeof(sum[0])), *magnitude = calloc(classes + 1, sizeof(sum[0]));
    real *many = reals(classes + 1);
    ck_assert(sum != NULL && magnitude != NULL);
    /* No noise makes up for that logit: it is the hard sample's class in every draw. */
    problem.logits[0] = 200;
    problem.parameter.value = &tau;
    problem.noise.seed = &seed;
    problem.samples = MANY;
    vjp_run_all(&problem);
    memcpy(many, problem.grad, classes * sizeof(real));
    many[classes] = problem.grad_parameter[0];
    problem.samples = 1;
    for (problem.noise.draw = 0; problem.noise.draw < MANY; problem.noise.draw++) {
        vjp_run_all(&problem);
        for (size_t j = 0; j <= classes; j++) {
            const long double one = j < classes ? problem.grad[j] : problem.grad_parameter[0];
            sum[j] += one;
            magnitude[j] += fabsl(one);
        }
    }
    for (size_t j = 0; j <= classes; j++)
        if (!(fabsl(many[j] - sum[j] / MANY) <= 4 * UNIT * magnitude[j] / MANY))
            ck_abort_msg("K %zu, gradient %zu: %.9g, not %.9Lg", classes, j, many[j], sum[j] / MANY);
    free(sum);
    free(magnitude);
    free(many);
    vjp_problem_close(&problem);
}

START_TEST(test_different_samples)
{
    select_isa(_i);
    for (size_t i = 0; i < COUNT(class_counts); i++)
        check_different_samples(class_counts[i], 100);
}
END_TEST

/* ---- The sums over samples that the caller adds ---- */

/* As sum_add in core/math/sums.h, number by number. */
static void add_one(real *sum, real *rest, real x)
{
    const real high = *sum + x, part = high - *sum, low = *rest + ((*sum - (high - part)) + (x - part));
    *sum = high + low;
    *rest = low - (*sum - high);
}

/* At the end of memory that nobody may read after. */
static real *at_end(const struct fenced *fenced, size_t count)
{
    return (real *)(fenced->mapping + fenced->page + fenced->size) - count;
}

START_TEST(test_added_samples)
{
    enum { MOST = 70, SAMPLES = 20 };
    struct fenced sums = fenced_open(MOST * sizeof(real)), rests = fenced_open(MOST * sizeof(real)),
                  summands = fenced_open(MOST * sizeof(real));
    struct inputs inputs = {1};
    select_isa(_i);
    for (size_t count = 1; count <= MOST; count++) {
        real *sum = at_end(&sums, count), *rest = at_end(&rests, count), *summand = at_end(&summands, count);
        real expected[MOST], expected_rest[MOST] = {0};
        for (size_t i = 0; i < count; i++) {
            rest[i] = NAN; /* what is there before the first addition does not count */
            expected[i] = sum[i] = (real)inputs_uniform(&inputs) - (real)0.5;
        }
        for (int sample = 1; sample < SAMPLES; sample++) {
            for (size_t i = 0; i < count; i++) {
                summand[i] = ((real)inputs_uniform(&inputs) - (real)0.5) * (real)(1 << sample % 13);
                add_one(&expected[i], &expected_rest[i], summand[i]);
                if (sample == 1)
                    ck_assert(expected[i] == sum[i] + summand[i]);
            }
            core_gradient_add(DTYPE, sum, rest, summand, count, sample == 1);
            ck_assert_mem_eq(sum, expected, count * sizeof(real));
            ck_assert_mem_eq(rest, expected_rest, count * sizeof(real));
        }
    }
    fenced_close(&sums);
    fenced_close(&rests);
    fenced_close(&summands);
}
END_TEST

/* What is not finite stays so, and each NaN is the same. */
START_TEST(test_added_infinities)
{
    static const real quiet = (real)__builtin_nan("");
    const real start[] = {INFINITY, -INFINITY, INFINITY, 1, 1, NAN, -quiet},
               more[] = {1, 1, -INFINITY, INFINITY, NAN, 1, 1},
               expected[] = {INFINITY, -INFINITY, quiet, INFINITY, quiet, quiet, quiet};
    real sum[COUNT(start)], rest[COUNT(start)];
    select_isa(_i);
    memcpy(sum, start, sizeof sum);
    for (int sample = 0; sample < 3; sample++)
        core_gradient_add(DTYPE, sum, rest, sample == 0 ? more : start, COUNT(start), sample == 0);
    for (size_t i = 0; i < COUNT(start); i++)
        ck_assert_msg(i == 3 ? sum[i] > REAL_MAX : memcmp(&sum[i], &expected[i], sizeof(real)) == 0, "%zu: %g", i,
                      D(sum[i]));
}
END_TEST

TEST_SUITE(PART)
{
    Suite *suite = suite_create(SUITE("vjp sums"));
    TCase *tcase = tcase_create("many conditional samples");
    tcase_set_timeout(tcase, 120);
    tcase_add_isa_test(tcase, test_equal_samples);
    tcase_add_isa_test(tcase, test_different_samples);
    suite_add_tcase(suite, tcase);
    TCase *added = tcase_create("samples that are added");
    tcase_add_isa_test(added, test_added_samples);
    tcase_add_isa_test(added, test_added_infinities);
    suite_add_tcase(suite, added);
    return suite;
}
