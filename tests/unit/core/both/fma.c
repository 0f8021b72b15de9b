/* The fused multiply-add that SSE2 lacks is emulated: here against fma, where one rounding and more differ most. */
#include "lib/suite.h"
#include "real.h"
#include "simd/vec.h"

#define TRIPLES 2000000

#if TEST_REAL == 32
#define PRECISION 24
#define LEAST_NORMAL 0x00800000u
#define GREATEST 0x7f7fffffu
#define HALF_LEAST (-150) /* the exponent of half the least number, */
#define HALF_LAST 103     /* and of half the unit in the last place of the greatest */
#define EPSILON FLT_EPSILON
#else
#define PRECISION 53
#define LEAST_NORMAL 0x0010000000000000u
#define GREATEST 0x7fefffffffffffffu
#define HALF_LEAST (-1075)
#define HALF_LAST 970
#define EPSILON DBL_EPSILON
#endif

/* Any number, infinities and NaN too. */
static real any_real(struct inputs *inputs)
{
    return real_of_bits((real_bits)inputs_next(inputs));
}

static real with_sign(real x, struct inputs *inputs)
{
    return inputs_next(inputs) & 1 ? x : -x;
}

/* Factors whose product is an odd number of units 2^exponent, but for a little that an addition loses: with s = 20 of
 * 24 bits, or 49 of 53, m (1 + k 2^-s) (1 - k 2^-s) = m (1 - k^2 2^-2s). */
static void almost_odd(struct inputs *inputs, int exponent, real *a, real *b)
{
    real m = (real)(1 + 2 * inputs_below(inputs, 4)), k = ldexp((real)inputs_below(inputs, 16), 4 - PRECISION);
    *a = with_sign(ldexp(m * (1 + k), exponent / 2), inputs);
    *b = with_sign(ldexp(1 - k, exponent - exponent / 2), inputs);
}

static void check_result(real a, real b, real c, real got)
{
    real expected = fma(a, b, c);
    if (!same_reals(&got, &expected, 1) && !(isnan(got) && isnan(expected)))
        ck_abort_msg("fma(%a, %a, %a) = %a, not %a", D(a), D(b), D(c), D(got), D(expected));
}

static void check_fma(real a, real b, real c)
{
    vreal all = vec_fma(vec_splat(a), vec_splat(b), vec_splat(c));
    check_result(a, b, c, all[VEC_LANES - 1]);
}

START_TEST(test_any_floats)
{
    struct inputs inputs = {1};
    for (int i = 0; i < TRIPLES; i++)
        check_fma(any_real(&inputs), any_real(&inputs), any_real(&inputs));
}
END_TEST

/* The product is about an odd number of half units of the last place of c. */
START_TEST(test_half_way)
{
    struct inputs inputs = {2};
    for (int i = 0; i < TRIPLES; i++) {
        real a, b, c = any_real(&inputs);
        int exponent = (int)inputs_below(&inputs, 200) - 100;
        c = ldexp(frexp(isfinite(c) && c != 0 ? c : 1, &(int){0}), exponent + PRECISION + 1);
        almost_odd(&inputs, exponent, &a, &b);
        check_fma(a, b, c);
    }
}
END_TEST

START_TEST(test_half_way_subnormal)
{
    struct inputs inputs = {3};
    for (int i = 0; i < TRIPLES; i++) {
        real a, b, c = with_sign(real_of_bits((real_bits)inputs_below(&inputs, LEAST_NORMAL + 16)), &inputs);
        almost_odd(&inputs, HALF_LEAST, &a, &b);
        check_fma(a, b, c);
    }
}
END_TEST

/* Around the least normal number, where the results below and above it have the same unit. */
START_TEST(test_half_way_at_least_normal)
{
    struct inputs inputs = {4};
    for (int i = 0; i < TRIPLES / 10; i++) {
        real a, b, c = with_sign(real_of_bits(LEAST_NORMAL - 8 + (real_bits)inputs_below(&inputs, 16)), &inputs);
        almost_odd(&inputs, HALF_LEAST, &a, &b);
        check_fma(a, b, c);
    }
}
END_TEST

START_TEST(test_half_way_at_overflow)
{
    struct inputs inputs = {5};
    for (int i = 0; i < TRIPLES / 10; i++) {
        real a, b, c = with_sign(real_of_bits(GREATEST - (real_bits)inputs_below(&inputs, 8)), &inputs);
        almost_odd(&inputs, HALF_LAST, &a, &b);
        check_fma(a, b, c);
    }
}
END_TEST

/* Ties that are none, signs of zero, infinities. */
START_TEST(test_known_cases)
{
    const real above = 1 + EPSILON, below = 1 - EPSILON, one = 1, zero = 0;
    check_fma(above, below, ldexp(above, PRECISION));
    check_fma(-above, below, ldexp(above, PRECISION));
    check_fma(ldexp(above, HALF_LEAST / 2), ldexp(below, HALF_LEAST / 2 - HALF_LEAST % 2),
              real_of_bits(LEAST_NORMAL / 4));
    check_fma(ldexp(above, HALF_LEAST / 2), ldexp(one, HALF_LEAST / 2), zero);
    check_fma(ldexp(one, HALF_LEAST / 2), ldexp(one, HALF_LEAST / 2), zero);
    check_fma(-zero, one, -zero);
    check_fma(-zero, one, zero);
    check_fma(one, one, -one);
    check_fma(above, above, -one);
    check_fma(above, above, -(1 + 2 * EPSILON));
    check_fma(REAL_TRUE_MIN, REAL_TRUE_MIN, -zero);
    check_fma(REAL_MAX, 2, -REAL_MAX);
    check_fma(REAL_MAX, REAL_MAX, -INFINITY);
    check_fma(INFINITY, one, above);
    check_fma(-INFINITY, one, one);
    check_fma(INFINITY, zero, one);
    check_fma(INFINITY, one, -INFINITY);
}
END_TEST

/* Exponents near each other, where everything cancels but the end of the product. */
START_TEST(test_cancellation)
{
    struct inputs inputs = {7};
    for (int i = 0; i < TRIPLES; i++) {
        int exponents = TEST_REAL == 32 ? 60 : 500;
        real a = ldexp(1 + (real)inputs_uniform(&inputs), (int)inputs_below(&inputs, exponents) - exponents / 2);
        real b = ldexp(1 + (real)inputs_uniform(&inputs), (int)inputs_below(&inputs, exponents) - exponents / 2);
        real c = -a * b;
        for (size_t steps = inputs_below(&inputs, 4); steps > 0; steps--)
            c = nextafter(c, inputs_next(&inputs) % 2 ? INFINITY : -INFINITY);
        check_fma(a, b, c);
    }
}
END_TEST

/* One lane that needs the slow way must not change its neighbours, infinities and NaN among them. */
START_TEST(test_lanes_are_independent)
{
    struct inputs inputs = {6};
    for (int i = 0; i < TRIPLES / 4; i++) {
        real a[VEC_LANES], b[VEC_LANES], c[VEC_LANES], got[VEC_LANES];
        for (int l = 0; l < VEC_LANES; l++) {
            c[l] = inputs_next(&inputs) % 4 == 0 ? -INFINITY : any_real(&inputs);
            if (inputs_next(&inputs) % 2 == 0) {
                almost_odd(&inputs, HALF_LEAST, &a[l], &b[l]);
                c[l] = real_of_bits((real_bits)inputs_below(&inputs, LEAST_NORMAL + 16));
            } else {
                a[l] = any_real(&inputs);
                b[l] = any_real(&inputs);
            }
        }
        vec_store(got, vec_fma(vec_load(a), vec_load(b), vec_load(c)));
        for (int l = 0; l < VEC_LANES; l++)
            check_result(a[l], b[l], c[l], got[l]);
    }
}
END_TEST

TEST_SUITE(PART)
{
    Suite *suite = suite_create(SUITE("fma"));
    TCase *tcase = tcase_create("exact");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_any_floats);
    tcase_add_test(tcase, test_half_way);
    tcase_add_test(tcase, test_half_way_subnormal);
    tcase_add_test(tcase, test_half_way_at_least_normal);
    tcase_add_test(tcase, test_half_way_at_overflow);
    tcase_add_test(tcase, test_known_cases);
    tcase_add_test(tcase, test_cancellation);
    tcase_add_test(tcase, test_lanes_are_independent);
    suite_add_tcase(suite, tcase);
    return suite;
}
