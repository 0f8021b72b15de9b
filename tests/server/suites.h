/* The suites of the server's tests, for the program that runs them all. They start GUMBELD_BINARY and read
 * tests/data, both relative to the folder of the Makefile. */
#ifndef TESTS_SERVER_SUITES_H
#define TESTS_SERVER_SUITES_H

#include "assertions.h"

Suite *test_server_command_line_suite(void); /* flags, variables, exit statuses */
Suite *test_server_cgroup_suite(void);       /* limits of memory and processor time */
Suite *test_server_start_suite(void);        /* what the start needs, and what it says */
Suite *test_server_scheduler_suite(void);    /* whose turn it is */
Suite *test_server_budget_suite(void);       /* memory that requests share */
Suite *test_server_routes_suite(void);       /* routes, methods, media types, connections */
Suite *test_server_bodies_suite(void);       /* how bodies arrive, and how large they may be */
Suite *test_server_encodings_suite(void);    /* gzip and deflate of bodies and answers */
Suite *test_server_fields_suite(void);       /* what is read from a request's head and query; traces */
Suite *test_server_framing_suite(void);      /* where a request ends, and whom it is for */
Suite *test_server_streams_suite(void);      /* answers as lines, sent while they are made */
Suite *test_server_bad_input_suite(void);    /* what is refused, and that nothing suffers from it */
Suite *test_server_determinism_suite(void);  /* one seed, one answer, however it is served */
Suite *test_server_drain_suite(void);        /* SIGTERM */
Suite *test_server_limits_suite(void);       /* connections, silence, the queue */
Suite *test_server_clients_suite(void);      /* whose connections count together */
Suite *test_server_connections_suite(void);  /* slow clients, and room where places are short */
Suite *test_server_listening_suite(void);    /* addresses, UNIX sockets, probes apart */
Suite *test_server_inference_suite(void);    /* what /v2 needs of the server: health, statistics, errors */
Suite *test_server_metrics_suite(void);      /* what is counted */
Suite *test_server_records_suite(void);      /* the log */
Suite *test_server_memory_suite(void);       /* what a request takes at once */

#endif
