#ifndef TESTS_API_SUITES_H
#define TESTS_API_SUITES_H

#include "assertions.h"

Suite *test_api_number_suite(void);
Suite *test_api_json_suite(void);
Suite *test_api_json_elements_suite(void);
Suite *test_api_json_limits_suite(void);
Suite *test_api_corpus_suite(void);
Suite *test_api_calls_suite(void);
Suite *test_api_shapes_suite(void);
Suite *test_api_allocations_suite(void);
Suite *test_api_accounts_suite(void);
Suite *test_api_threads_suite(void);
Suite *test_api_jobs_suite(void);
Suite *test_api_sums_suite(void);
Suite *test_api_parameters_suite(void);
Suite *test_api_refusals_suite(void);
Suite *test_api_invalid_suite(void);
Suite *test_api_batch_suite(void);
Suite *test_api_npy_suite(void);
Suite *test_api_npy_calls_suite(void);
Suite *test_api_npy_answers_suite(void);
Suite *test_api_npy_contract_suite(void);
Suite *test_api_contract_suite(void);
Suite *test_api_examples_suite(void);
Suite *test_api_oip_documents_suite(void);
Suite *test_api_oip_suite(void);
Suite *test_api_oip_problems_suite(void);
Suite *test_api_oip_bits_suite(void);

#endif
