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

/* A float of few significant bits, so that sums of two of them and products hit half-way cases. */
static float sparse_float(struct inputs *inputs, int lowest, int range)
{
    float x = (float)(1 + inputs_below(inputs, 8) * 2) * (inputs_next(inputs) & 1 ? 1.0f : -1.0f);
    if (inputs_next(inputs) & 1)
        x *= 1.0f + 0x1p-23f * (float)inputs_below(inputs, 4);
    return ldexpf(x, lowest + (int)inputs_below(inputs, (size_t)range));
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

START_TEST(test_half_way)
{
    struct inputs inputs = {2};
    for (int i = 0; i < TRIPLES; i++)
        check_fma(sparse_float(&inputs, -40, 40), sparse_float(&inputs, -40, 40), sparse_float(&inputs, -30, 60));
}
END_TEST

START_TEST(test_subnormal_results)
{
    struct inputs inputs = {3};
    for (int i = 0; i < TRIPLES; i++)
        check_fma(sparse_float(&inputs, -120, 60), sparse_float(&inputs, -90, 60), sparse_float(&inputs, -149, 30));
}
END_TEST

START_TEST(test_overflow)
{
    struct inputs inputs = {4};
    for (int i = 0; i < TRIPLES; i++)
        check_fma(sparse_float(&inputs, 58, 6), sparse_float(&inputs, 58, 6), sparse_float(&inputs, 95, 30));
}
END_TEST

/* Found by reasoning: where an emulation through double alone, or with a check of normal results alone, is wrong. */
START_TEST(test_known_cases)
{
    check_fma(0x1.000002p0f, 0x1.000002p0f, 0x1p60f);
    check_fma(0x1p-100f, 0x1p-100f, 0x1.000002p-130f);
    check_fma(0x1.8p-75f, 0x1p-75f, 0x1p-126f);
    check_fma(0x1.000002p-76f, 0x1.000002p-74f, 0x1p-127f);
    check_fma(0x1.fffffep-76f, 0x1.000002p-75f, 0x1p-128f);
    check_fma(0x1p-75f, 0x1p-75f, 0.0f);
    check_fma(0x1.000002p-75f, 0x1p-75f, 0.0f);
    check_fma(-0.0f, 1.0f, -0.0f);
    check_fma(-0.0f, 1.0f, 0.0f);
    check_fma(1.0f, 1.0f, -1.0f);
    check_fma(INFINITY, 1.0f, 0x1.000001p0f);
    check_fma(-INFINITY, 1.0f, 1.0f);
    check_fma(INFINITY, 0.0f, 1.0f);
    check_fma(INFINITY, 1.0f, -INFINITY);
}
END_TEST

/* One lane that needs the slow way must not change its neighbours, infinities and NaN among them. */
START_TEST(test_lanes_are_independent)
{
    struct inputs inputs = {5};
    for (int i = 0; i < TRIPLES / 4; i++) {
        float a[VEC_LANES], b[VEC_LANES], c[VEC_LANES], got[VEC_LANES];
        for (int l = 0; l < VEC_LANES; l++) {
            a[l] = inputs_next(&inputs) & 1 ? any_float(&inputs) : sparse_float(&inputs, -120, 60);
            b[l] = inputs_next(&inputs) & 1 ? any_float(&inputs) : sparse_float(&inputs, -90, 60);
            c[l] = inputs_next(&inputs) & 1 ? -INFINITY : sparse_float(&inputs, -149, 30);
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
    tcase_add_test(tcase, test_subnormal_results);
    tcase_add_test(tcase, test_overflow);
    tcase_add_test(tcase, test_known_cases);
    tcase_add_test(tcase, test_lanes_are_independent);
    suite_add_tcase(suite, tcase);
    return suite;
}
