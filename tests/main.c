/* Runs all suites, or those of the parts that are named (core, core-float64, api, server, server-time, memory);
 * CK_RUN_SUITE and CK_RUN_CASE choose one. Ends in Check's own summary. */
#include "api/suites.h"
#include "core/suites.h"
#include "server/suites.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const struct {
    const char *part;
    Suite *(*make)(void);
} suites[] = {
    {"core", test_core_dispatch_suite},
    {"core", test_core_fma_suite_f32},
    {"core-float64", test_core_fma_suite_f64},
    {"core", test_core_noise_suite},
    {"core", test_core_exponential_suite_f32},
    {"core-float64", test_core_exponential_suite_f64},
    {"core", test_core_softmax_suite_f32},
    {"core-float64", test_core_softmax_suite_f64},
    {"core", test_core_gumbel_suite_f32},
    {"core-float64", test_core_gumbel_suite_f64},
    {"core", test_core_invariance_suite_f32},
    {"core-float64", test_core_invariance_suite_f64},
    {"core", test_core_outputs_suite_f32},
    {"core-float64", test_core_outputs_suite_f64},
    {"core", test_core_layouts_suite_f32},
    {"core-float64", test_core_layouts_suite_f64},
    {"core", test_core_schedule_suite},
    {"core", test_core_rows_suite_f32},
    {"core-float64", test_core_rows_suite_f64},
    {"core", test_core_vjp_suite_f32},
    {"core-float64", test_core_vjp_suite_f64},
    {"core", test_core_vjp_bits_suite_f32},
    {"core-float64", test_core_vjp_bits_suite_f64},
    {"core", test_core_vjp_layouts_suite_f32},
    {"core-float64", test_core_vjp_layouts_suite_f64},
    {"core", test_core_vjp_sums_suite_f32},
    {"core-float64", test_core_vjp_sums_suite_f64},
    {"core", test_core_filters_suite},
    {"core", test_core_sampling_suite},
    {"core", test_core_sampling_rows_suite},
    {"core", test_core_scores_suite},
    {"api", test_api_number_suite},
    {"api", test_api_json_suite},
    {"api", test_api_json_elements_suite},
    {"api", test_api_json_limits_suite},
    {"api", test_api_corpus_suite},
    {"api", test_api_calls_suite},
    {"api", test_api_shapes_suite},
    {"api", test_api_allocations_suite},
    {"api", test_api_accounts_suite},
    {"api", test_api_threads_suite},
    {"api", test_api_jobs_suite},
    {"api", test_api_sums_suite},
    {"api", test_api_parameters_suite},
    {"api", test_api_refusals_suite},
    {"api", test_api_invalid_suite},
    {"api", test_api_batch_suite},
    {"api", test_api_npy_suite},
    {"api", test_api_npy_calls_suite},
    {"api", test_api_npy_answers_suite},
    {"api", test_api_npy_contract_suite},
    {"api", test_api_contract_suite},
    {"api", test_api_examples_suite},
    {"api", test_api_oip_documents_suite},
    {"api", test_api_oip_suite},
    {"api", test_api_oip_problems_suite},
    {"api", test_api_oip_bits_suite},
    {"server", test_server_command_line_suite},
    {"server", test_server_cgroup_suite},
    {"server-time", test_server_start_suite},
    {"server", test_server_scheduler_suite},
    {"server", test_server_budget_suite},
    {"server", test_server_routes_suite},
    {"server", test_server_bodies_suite},
    {"server", test_server_encodings_suite},
    {"server", test_server_fields_suite},
    {"server", test_server_framing_suite},
    {"server-time", test_server_streams_suite},
    {"server", test_server_bad_input_suite},
    {"server", test_server_determinism_suite},
    {"server-time", test_server_drain_suite},
    {"server-time", test_server_limits_suite},
    {"server", test_server_clients_suite},
    {"server-time", test_server_connections_suite},
    {"server", test_server_listening_suite},
    {"server", test_server_inference_suite},
    {"server", test_server_metrics_suite},
    {"server", test_server_records_suite},
    {"memory", test_server_memory_suite},
};
/* clang-format on */

static bool chosen(const char *part, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(part, argv[i]) == 0)
            return true;
    return argc == 1;
}

int main(int argc, char **argv)
{
    /* What these end has hung: a test that is slow on a machine that does much else, in instrumented code, is no fault.
     */
    setenv("CK_DEFAULT_TIMEOUT", "60", 0);
    setenv("CK_TIMEOUT_MULTIPLIER", "5", 0);
    SRunner *runner = srunner_create(NULL);
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++)
        if (chosen(suites[i].part, argc, argv))
            srunner_add_suite(runner, suites[i].make());
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
