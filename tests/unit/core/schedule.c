/* Schedules of tau against the formulas in the library's double. */
#include "lib/suite.h"
#include "support.h"

#include <fenv.h>
#include <float.h>
#include <math.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

static double reference(const struct core_schedule *s)
{
    double t = s->step < s->steps ? s->step / s->steps : 1;
    switch (s->kind) {
    case CORE_SCHEDULE_EXPONENTIAL:
        return fmax(s->start * exp(-s->rate * s->step), s->min);
    case CORE_SCHEDULE_LINEAR:
        return s->start + (s->min - s->start) * t;
    default:
        return s->min + (s->start - s->min) * (1 + cos(acos(-1.0) * t)) / 2;
    }
}

static void check(const struct core_schedule *schedule)
{
    double got = core_schedule(schedule), expected = reference(schedule);
    double allowed = 1e-15 * fmax(schedule->start, schedule->min);
    if (schedule->kind == CORE_SCHEDULE_EXPONENTIAL)           /* the product rate * step is rounded alike in both */
        allowed = 1e-15 * expected + 1e-307 * schedule->start; /* exp ends at -708 */
    if (!(fabs(got - expected) <= allowed))
        ck_abort_msg("kind %d, start %g, min %g, rate %g, steps %g, step %g: %.17g, not %.17g", (int)schedule->kind,
                     schedule->start, schedule->min, schedule->rate, schedule->steps, schedule->step, got, expected);
}

START_TEST(test_formulas)
{
    struct inputs inputs = {1};
    for (int i = 0; i < 200000; i++) {
        struct core_schedule schedule = {.kind = (enum core_schedule_kind)(i % 3)};
        schedule.start = exp(20 * inputs_uniform(&inputs) - 10);
        schedule.min = i % 4 == 0 ? 0 : schedule.start * inputs_uniform(&inputs);
        schedule.rate = exp(20 * inputs_uniform(&inputs) - 20);
        schedule.steps = 1 + (double)inputs_below(&inputs, 1000000);
        schedule.step = (double)inputs_below(&inputs, (size_t)(1.2 * schedule.steps));
        check(&schedule);
    }
}
END_TEST

START_TEST(test_exponential)
{
    struct core_schedule jang = {.kind = CORE_SCHEDULE_EXPONENTIAL, .start = 1, .min = 0.5, .rate = 3e-5};
    ck_assert_double_eq(core_schedule(&jang), 1);
    jang.step = 10000;
    ck_assert_double_eq_tol(core_schedule(&jang), 0.74081822068171786607, 1e-15);
    jang.step = 23104;
    ck_assert_double_gt(core_schedule(&jang), 0.5);
    jang.step = 23105;
    ck_assert_double_eq(core_schedule(&jang), 0.5);
    jang.step = 9007199254740991.0;
    ck_assert_double_eq(core_schedule(&jang), 0.5);
    jang.min = 0;
    ck_assert_double_eq(core_schedule(&jang), 0);
    jang.rate = 1e300;
    ck_assert_double_eq(core_schedule(&jang), 0);
    jang.rate = DBL_MAX; /* the product overflows */
    ck_assert_double_eq(core_schedule(&jang), 0);
    jang.start = 0.25;
    jang.min = 0.5;
    jang.step = 0;
    ck_assert_double_eq(core_schedule(&jang), 0.5);
}
END_TEST

/* Both ends exactly; the middle is the mean; they stay at the end, and never leave the range on the way. */
START_TEST(test_ends)
{
    for (int kind = CORE_SCHEDULE_LINEAR; kind <= CORE_SCHEDULE_COSINE; kind++) {
        struct core_schedule schedule = {
            .kind = (enum core_schedule_kind)kind, .start = 1.1, .min = 0.3, .steps = 1000};
        double before = 1.1;
        ck_assert_double_eq(core_schedule(&schedule), 1.1);
        for (schedule.step = 1; schedule.step < 1000; schedule.step++) {
            double tau = core_schedule(&schedule);
            ck_assert(tau < before && tau > 0.3);
            before = tau;
        }
        ck_assert_double_eq(core_schedule(&schedule), 0.3);
        schedule.step = 1e15;
        ck_assert_double_eq(core_schedule(&schedule), 0.3);
        schedule.step = 500;
        ck_assert_double_eq_tol(core_schedule(&schedule), 0.7, 1e-15);
        schedule.steps = schedule.step = 0;
        ck_assert_double_eq(core_schedule(&schedule), 0.3);
    }
}
END_TEST

/* Rounding upwards, and subnormals flushed, must not reach in. */
START_TEST(test_environment)
{
    struct inputs inputs = {2};
    for (int i = 0; i < 3000; i++) {
        struct core_schedule schedule = {.kind = (enum core_schedule_kind)(i % 3),
                                         .start = i % 2 ? 1e-310 : 2.7,
                                         .rate = 1e-4,
                                         .steps = 5000,
                                         .step = (double)inputs_below(&inputs, 5000)};
        double usual = core_schedule(&schedule);
        fenv_t before;
        fegetenv(&before);
        fesetround(FE_UPWARD);
#if defined(__x86_64__)
        _mm_setcsr(_mm_getcsr() | 0x8040); /* FTZ, DAZ */
#endif
        double strange = core_schedule(&schedule);
        int rounding = fegetround();
        fesetenv(&before);
        ck_assert_int_eq(rounding, FE_UPWARD);
        ck_assert_mem_eq(&strange, &usual, sizeof(usual));
    }
}
END_TEST

TEST_SUITE("core")
{
    Suite *suite = suite_create("core schedule");
    TCase *tcase = tcase_create("tau");
    tcase_add_test(tcase, test_formulas);
    tcase_add_test(tcase, test_exponential);
    tcase_add_test(tcase, test_ends);
    tcase_add_test(tcase, test_environment);
    suite_add_tcase(suite, tcase);
    return suite;
}
