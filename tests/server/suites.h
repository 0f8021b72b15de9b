/* The suites of the server's tests, for the program that runs them all. They start GUMBELD_BINARY and read
 * tests/data, both relative to the folder of the Makefile. */
#ifndef TESTS_SERVER_SUITES_H
#define TESTS_SERVER_SUITES_H

#include "assertions.h"

Suite *test_server_command_line_suite(void); /* flags, variables, exit statuses */
Suite *test_server_routes_suite(void);       /* routes, methods, media types, connections */
Suite *test_server_bodies_suite(void);       /* how bodies arrive, and how large they may be */
Suite *test_server_encodings_suite(void);    /* gzip and deflate of bodies and answers */
Suite *test_server_fields_suite(void);       /* what is read from a request's head and query; traces */
Suite *test_server_streams_suite(void);      /* answers as lines, sent while they are made */
Suite *test_server_bad_input_suite(void);    /* what is refused, and that nothing suffers from it */
Suite *test_server_determinism_suite(void);  /* one seed, one answer, however it is served */
Suite *test_server_drain_suite(void);        /* SIGTERM */
Suite *test_server_limits_suite(void);       /* connections, silence, the queue */
Suite *test_server_inference_suite(void);    /* what /v2 needs of the server: health, statistics, errors */
Suite *test_server_records_suite(void);      /* metrics and logs */
Suite *test_server_memory_suite(void);       /* what a request takes at once */

#endif
