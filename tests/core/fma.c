/* The fused multiply-add that SSE2 lacks is emulated: here against fmaf, where one rounding and two differ most. */
#include "suites.h"
#include "support.h"
#include "vec.h"

#include <math.h>

#define TRIPLES 2000000

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* Any float, infinities and NaN too. */
static float any_float(struct inputs *inputs)
{
    return from_bits((uint32_t)inputs_next(inputs));
}

static float with_sign(float x, struct inputs *inputs)
{
    return inputs_next(inputs) & 1 ? x : -x;
}

/* Factors whose product is an odd number of units 2^exponent, but for a little that the addition in double loses:
 * m (1 + k 2^-20) (1 - k 2^-20) = m (1 - k^2 2^-40). */
static void almost_odd(struct inputs *inputs, int exponent, float *a, float *b)
{
    float m = (float)(1 + 2 * inputs_below(inputs, 4)), k = (float)inputs_below(inputs, 40) * 0x1p-20f;
    *a = with_sign(ldexpf(m * (1 + k), exponent / 2), inputs);
    *b = with_sign(ldexpf(1 - k, exponent - exponent / 2), inputs);
}

static void check_result(float a, float b, float c, float got)
{
    float expected = fmaf(a, b, c);
    if (!same_bits(&got, &expected, 1) && !(isnan(got) && isnan(expected)))
        ck_abort_msg("fma(%a, %a, %a) = %a, not %a", a, b, c, got, expected);
}

static void check_fma(float a, float b, float c)
{
    vfloat all = vec_fma(vec_splat(a), vec_splat(b), vec_splat(c));
    check_result(a, b, c, all[VEC_LANES - 1]);
}

START_TEST(test_any_floats)
{
    struct inputs inputs = {1};
    for (int i = 0; i < TRIPLES; i++)
        check_fma(any_float(&inputs), any_float(&inputs), any_float(&inputs));
}
END_TEST

/* The product is about an odd number of half units of the last place of c. */
START_TEST(test_half_way)
{
    struct inputs inputs = {2};
    for (int i = 0; i < TRIPLES; i++) {
        float a, b, c = from_bits((uint32_t)inputs_next(&inputs));
        int exponent = (int)inputs_below(&inputs, 200) - 100;
        c = ldexpf(frexpf(isfinite(c) && c != 0 ? c : 1, &(int){0}), exponent + 25);
        almost_odd(&inputs, exponent, &a, &b);
        check_fma(a, b, c);
    }
}
END_TEST

START_TEST(test_half_way_subnormal)
{
    struct inputs inputs = {3};
    for (int i = 0; i < TRIPLES; i++) {
        float a, b, c = with_sign(from_bits((uint32_t)inputs_below(&inputs, 0x00800010)), &inputs);
        almost_odd(&inputs, -150, &a, &b);
        check_fma(a, b, c);
    }
}
END_TEST

/* Around the least normal float, where the results below and above it have the same unit. */
START_TEST(test_half_way_at_least_normal)
{
    struct inputs inputs = {4};
    for (int i = 0; i < TRIPLES / 10; i++) {
        float a, b, c = with_sign(from_bits(0x00800000 - 8 + (uint32_t)inputs_below(&inputs, 16)), &inputs);
        almost_odd(&inputs, -150, &a, &b);
        check_fma(a, b, c);
    }
}
END_TEST

START_TEST(test_half_way_at_overflow)
{
    struct inputs inputs = {5};
    for (int i = 0; i < TRIPLES / 10; i++) {
        float a, b, c = with_sign(from_bits(0x7f7fffff - (uint32_t)inputs_below(&inputs, 8)), &inputs);
        almost_odd(&inputs, 103, &a, &b);
        check_fma(a, b, c);
    }
}
END_TEST

/* Ties that are none, signs of zero, infinities. */
START_TEST(test_known_cases)
{
    check_fma(0x1.000002p0f, 0x1.fffffcp-1f, 0x1.000002p24f);
    check_fma(-0x1.000002p0f, 0x1.fffffcp-1f, 0x1.000002p24f);
    check_fma(0x1.000002p-75f, 0x1.fffffcp-76f, 0x1.000008p-128f);
    check_fma(0x1.000002p-75f, 0x1.fffffcp-76f, 0x1.fffffcp-127f);
    check_fma(0x1p-75f, 0x1p-75f, 0.0f);
    check_fma(0x1.000002p-75f, 0x1p-75f, 0.0f);
    check_fma(-0.0f, 1.0f, -0.0f);
    check_fma(-0.0f, 1.0f, 0.0f);
    check_fma(1.0f, 1.0f, -1.0f);
    check_fma(INFINITY, 1.0f, 0x1.000002p0f);
    check_fma(-INFINITY, 1.0f, 1.0f);
    check_fma(INFINITY, 0.0f, 1.0f);
    check_fma(INFINITY, 1.0f, -INFINITY);
}
END_TEST

/* One lane that needs the slow way must not change its neighbours, infinities and NaN among them. */
START_TEST(test_lanes_are_independent)
{
    struct inputs inputs = {6};
    for (int i = 0; i < TRIPLES / 4; i++) {
        float a[VEC_LANES], b[VEC_LANES], c[VEC_LANES], got[VEC_LANES];
        for (int l = 0; l < VEC_LANES; l++) {
            c[l] = inputs_next(&inputs) % 4 == 0 ? -INFINITY : any_float(&inputs);
            if (inputs_next(&inputs) % 2 == 0) {
                almost_odd(&inputs, -150, &a[l], &b[l]);
                c[l] = from_bits((uint32_t)inputs_below(&inputs, 0x00800010));
            } else {
                a[l] = any_float(&inputs);
                b[l] = any_float(&inputs);
            }
        }
        vec_store(got, vec_fma(vec_load(a), vec_load(b), vec_load(c)));
        for (int l = 0; l < VEC_LANES; l++)
            check_result(a[l], b[l], c[l], got[l]);
    }
}
END_TEST

Suite *test_core_fma_suite(void)
{
    Suite *suite = suite_create("core fma");
    TCase *tcase = tcase_create("exact");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, test_any_floats);
    tcase_add_test(tcase, test_half_way);
    tcase_add_test(tcase, test_half_way_subnormal);
    tcase_add_test(tcase, test_half_way_at_least_normal);
    tcase_add_test(tcase, test_half_way_at_overflow);
    tcase_add_test(tcase, test_known_cases);
    tcase_add_test(tcase, test_lanes_are_independent);
    suite_add_tcase(suite, tcase);
    return suite;
}
