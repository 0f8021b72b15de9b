/* The streams of torch and JAX, E of numbered elements, against their definitions word by word. */
#include "lib/streams.h"
#include "lib/suite.h"
#include "support.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 2000 };

/* ---- The definitions ---- */

static long double torch_exponential(const uint32_t words[2])
{
    const double u = ldexp((double)((uint64_t)(words[0] & 0x1fffff) << 32 | words[1]), -53);
    return -log1pl(-(long double)u);
}

static long double jax_exponential(enum core_dtype dtype, const uint32_t words[2])
{
    if (dtype == CORE_FLOAT64)
        return -logl(fmaxl(ldexpl((long double)(((uint64_t)words[0] << 32 | words[1]) >> 12), -52), DBL_MIN));
    return -logl(fmaxl(ldexpl((long double)((words[0] ^ words[1]) >> 9), -23), FLT_MIN));
}

/* ---- Comparison ---- */

typedef union {
    float narrow[COUNT];
    double wide[COUNT];
} values;

static void check_near(enum core_dtype dtype, const values *e, size_t i, long double expected)
{
    const bool wide = dtype == CORE_FLOAT64;
    const long double ours = wide ? (long double)e->wide[i] : (long double)e->narrow[i];
    const long double ulp = expected * (long double)(wide ? DBL_EPSILON : FLT_EPSILON);
    if (fabsl(ours - expected) > 1.3L * ulp)
        ck_abort_msg("element %zu is %.17Lg, not %.17Lg", i, ours, expected);
}

static void fill(enum core_dtype dtype, enum core_rng rng, uint64_t seed, uint64_t first, void *e, size_t count)
{
    struct core_mt_cursor cursor = {.made = 0};
    const struct core_noise noise = {.seed = &seed, .rng = rng, .cursor = &cursor};
    core_stream_exponentials(dtype, &noise, first, e, count);
}

static const enum core_dtype dtypes[] = {CORE_FLOAT32, CORE_FLOAT64};

START_TEST(test_torch)
{
    static uint32_t words[COUNT][2];
    static values e;
    select_isa(_i);
    mersenne_words(words[0], 2026, 0, 2 * COUNT);
    for (size_t d = 0; d < 2; d++) {
        fill(dtypes[d], CORE_RNG_TORCH, (UINT64_C(5) << 32) + 2026, 0, &e, COUNT);
        for (size_t i = 0; i < COUNT; i++)
            check_near(dtypes[d], &e, i, torch_exponential(words[i]));
    }
}
END_TEST

/* The high word of the counter counts too. */
START_TEST(test_jax)
{
    static const uint64_t seeds[] = {0, 7, UINT64_C(0xfedcba9876543210)};
    static const uint64_t firsts[] = {0, 123457, (UINT64_C(1) << 32) - COUNT / 2};
    static values e;
    select_isa(_i);
    for (size_t d = 0; d < 2; d++)
        for (size_t k = 0; k < 3; k++) {
            fill(dtypes[d], CORE_RNG_JAX, seeds[k], firsts[k], &e, COUNT);
            for (size_t i = 0; i < COUNT; i++) {
                uint32_t words[2];
                threefry_words(words, firsts[k] + i, seeds[k]);
                check_near(dtypes[d], &e, i, jax_exponential(dtypes[d], words));
            }
        }
}
END_TEST

static void check_parts(enum core_dtype dtype, enum core_rng rng, const values *whole)
{
    static values part;
    const size_t size = core_dtype_size(dtype);
    struct inputs inputs = {3};
    for (size_t i = 0; i < 200; i++) {
        const size_t at = inputs_below(&inputs, COUNT - 150), count = inputs_below(&inputs, 150);
        memset(&part, 0x5e, sizeof(part));
        fill(dtype, rng, 7, at, &part, count);
        ck_assert_mem_eq(&part, (const char *)whole + at * size, count * size);
        ck_assert_uint_eq(((const unsigned char *)&part)[count * size], 0x5e);
    }
}

/* Any part of a stream, and every instruction set, gives the same bits. */
START_TEST(test_parts)
{
    static const enum core_rng rngs[] = {CORE_RNG_TORCH, CORE_RNG_JAX};
    static values whole;
    for (size_t d = 0; d < 2; d++)
        for (size_t r = 0; r < 2; r++) {
            select_isa(first_isa());
            fill(dtypes[d], rngs[r], 7, 0, &whole, COUNT);
            select_isa(_i);
            check_parts(dtypes[d], rngs[r], &whole);
        }
}
END_TEST

/* With blocks made beforehand, some or all of them, the bits are those without. */
START_TEST(test_table)
{
    enum { FIRST = 3, BLOCKS = 4, IN_BLOCK = CORE_MT_WORDS / 2 };
    static uint32_t blocks[BLOCKS][CORE_MT_WORDS];
    static values without, with;
    const uint64_t seed = 99, first = FIRST * IN_BLOCK + 10;
    select_isa(_i);
    for (size_t every = 1; every <= 3; every++) {
        const size_t count = BLOCKS * every * IN_BLOCK - 10 < COUNT ? BLOCKS * every * IN_BLOCK - 10 : COUNT;
        struct core_mt_cursor cursor = {.made = 0};
        const struct core_mt_table table = {.blocks = blocks, .first = FIRST, .every = every, .count = BLOCKS};
        const struct core_noise noise = {.seed = &seed, .rng = CORE_RNG_TORCH, .table = &table, .cursor = &cursor};
        core_mt_fill(&table, seed);
        for (size_t d = 0; d < 2; d++) {
            fill(dtypes[d], CORE_RNG_TORCH, seed, first, &without, count);
            core_stream_exponentials(dtypes[d], &noise, first, &with, count);
            ck_assert_mem_eq(&with, &without, count * core_dtype_size(dtypes[d]));
        }
    }
}
END_TEST

TEST_SUITE("core")
{
    Suite *suite = suite_create("core stream exponentials");
    TCase *tcase = tcase_create("definitions");
    tcase_add_isa_test(tcase, test_torch);
    tcase_add_isa_test(tcase, test_jax);
    tcase_add_isa_test(tcase, test_parts);
    tcase_add_isa_test(tcase, test_table);
    suite_add_tcase(suite, tcase);
    return suite;
}
