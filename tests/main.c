/* Runs all suites; CK_RUN_SUITE and CK_RUN_CASE choose some. Ends in Check's own summary. */
#include "api/suites.h"
#include "core/suites.h"
#include "server/suites.h"

#include <stdlib.h>

/* clang-format off */
static Suite *(*const suites[])(void) = {
    test_core_dispatch_suite,
    test_core_fma_suite,
    test_core_noise_suite,
    test_core_softmax_suite,
    test_core_gumbel_suite,
    test_core_invariance_suite,
    test_core_outputs_suite,
    test_core_layouts_suite,
    test_core_schedule_suite,
    test_core_rows_suite,
    test_core_vjp_suite,
    test_core_vjp_bits_suite,
    test_core_filters_suite,
    test_core_sampling_suite,
    test_core_sampling_rows_suite,
    test_api_number_suite,
    test_api_json_suite,
    test_api_calls_suite,
    test_api_contract_suite,
    test_server_command_line_suite,
    test_server_routes_suite,
    test_server_bodies_suite,
    test_server_bad_input_suite,
    test_server_determinism_suite,
    test_server_drain_suite,
    test_server_limits_suite,
    test_server_records_suite,
};
/* clang-format on */

int main(void)
{
    SRunner *runner = srunner_create(NULL);
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++)
        srunner_add_suite(runner, suites[i]());
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
