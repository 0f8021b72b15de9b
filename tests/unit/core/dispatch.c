/* Which instruction sets there are, and choosing one. */
#include "lib/suite.h"
#include "support.h"

#include <string.h>

START_TEST(test_names)
{
    ck_assert_str_eq(core_isa_name(CORE_SSE2), "sse2");
    ck_assert_str_eq(core_isa_name(CORE_AVX2), "avx2");
    ck_assert_str_eq(core_isa_name(CORE_AVX512), "avx512");
    ck_assert_str_eq(core_isa_name(CORE_NEON), "neon");
}
END_TEST

/* The compiler's own idea of the processor must agree. */
START_TEST(test_supported)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    ck_assert_int_eq(core_isa_supported(CORE_SSE2), true);
    ck_assert_int_eq(core_isa_supported(CORE_AVX2), avx2);
    ck_assert_int_eq(core_isa_supported(CORE_AVX512), avx512);
    ck_assert_int_eq(core_isa_supported(CORE_NEON), false);
    ck_assert_int_eq(core_isa_best(), avx512 ? CORE_AVX512 : avx2 ? CORE_AVX2 : CORE_SSE2);
#else
    ck_assert_int_eq(core_isa_supported(CORE_SSE2), false);
    ck_assert_int_eq(core_isa_supported(CORE_AVX2), false);
    ck_assert_int_eq(core_isa_supported(CORE_AVX512), false);
    ck_assert_int_eq(core_isa_supported(CORE_NEON), true);
    ck_assert_int_eq(core_isa_best(), CORE_NEON);
#endif
}
END_TEST

START_TEST(test_select)
{
    for (int isa = 0; isa < CORE_ISA_COUNT; isa++) {
        select_isa(core_isa_best());
        bool supported = core_isa_supported((enum core_isa)isa);
        ck_assert_int_eq(core_select((enum core_isa)isa), supported ? CORE_OK : CORE_NO_SUCH_ISA);
        ck_assert_int_eq(core_selected(), supported ? isa : (int)core_isa_best());
    }
    select_isa(core_isa_best());
}
END_TEST

TEST_SUITE("core")
{
    Suite *suite = suite_create("core dispatch");
    TCase *tcase = tcase_create("isa");
    tcase_add_test(tcase, test_names);
    tcase_add_test(tcase, test_supported);
    tcase_add_test(tcase, test_select);
    suite_add_tcase(suite, tcase);
    return suite;
}
