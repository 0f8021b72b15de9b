/* The budget of bytes: what does not fit now is refused before it is taken, what never fits is told so, and small
 * requests find room beside both. */
#include "lib/http.h"
#include "lib/process.h"
#include "lib/suite.h"

#include "lib/assertions.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB ((size_t)1 << 20)
enum { BUDGET_MIB = 128 };

static struct process start(const char *more)
{
    return process_start("--gzip json --max-memory-bytes %zu --max-body-bytes %zu --max-connections 250 %s",
                         BUDGET_MIB * MIB, 512 * MIB, more);
}

/* 16 million numbers from a few bytes. */
static void ask_for_much(struct http *http, const char *fields)
{
    static const char body[] = "{\"logits\":[[1,2,3,4,5,6,7,8,9,10]],\"seed\":1,\"num_samples\":400000}";
    http_print(http, "POST /v1/gumbel_softmax HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n%s", fields,
               strlen(body), body);
}

static void check_small(unsigned port)
{
    struct http_response response = http_ask(port, "POST", "/v1/softmax", "{\"logits\":[[1,2,3]]}");
    ck_assert_int_eq(response.status, 200);
    http_free(&response);
}

static long long used(unsigned port)
{
    return http_metric(port, "gumbeld_memory_bytes");
}

static long resident_kib(const struct process *process, const char *which)
{
    char path[64], line[128];
    long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)process->pid);
    FILE *status = fopen(path, "r");
    ck_assert_ptr_nonnull(status);
    while (fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, which, strlen(which)) == 0)
            kib = atol(line + strlen(which));
    fclose(status);
    return kib;
}

/* Answers of 45 MB that nobody reads stay within the budget; what comes then is refused with the reason, but small
 * requests are answered; and all of it comes back. */
START_TEST(answers_that_nobody_reads_are_counted)
{
    enum { CLIENTS = 12 };
    static const char *const forms[] = {"", "Accept: application/x-npy\r\n", "Accept-Encoding: gzip\r\n"};
    struct process process = start("--workers 2 --max-wait-ms 20000");
    struct http clients[CLIENTS];
    const long long before = used(process.port);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = http_open(process.port);
        ask_for_much(&clients[i], forms[_i]);
    }
    int refused = 0;
    for (int i = 0; i < CLIENTS; i++) {
        ck_assert(http_readable(&clients[i], HTTP_TIMEOUT_MS));
        check_small(process.port);
    }
    ck_assert_int_le(used(process.port), BUDGET_MIB * MIB);
    for (int i = CLIENTS - 1; i >= 0; i--) {
        struct http_response response = http_read_head(&clients[i]);
        refused += response.status == 503;
        ck_assert_msg(response.status == 200 || response.status == 503, "%s", response.head);
        http_free(&response);
        http_close(&clients[i]);
    }
    ck_assert_int_ge(refused, 3);
    ck_assert_int_lt(refused, CLIENTS);
    ck_assert_int_le(resident_kib(&process, "VmHWM:"), BUDGET_MIB * 1024 * 11 / 10);
    http_await_metric(process.port, "gumbeld_requests_in_flight", 1);
    ck_assert_int_le(used(process.port), before + (1 << 20));
    process_end(&process);
}
END_TEST

/* What is announced takes nothing before it comes, in the budget or in addresses. */
START_TEST(an_announcement_takes_nothing)
{
    enum { CLIENTS = 150 };
    struct process process = start("");
    struct http clients[CLIENTS];
    const long before = resident_kib(&process, "VmSize:");
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = http_open(process.port);
        http_print(&clients[i], "POST /v1/softmax HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n[",
                   64 * MIB);
    }
    check_small(process.port);
    ck_assert_int_lt(resident_kib(&process, "VmSize:") - before, CLIENTS * 600);
    ck_assert_int_le(used(process.port), BUDGET_MIB * MIB);
    for (int i = 0; i < CLIENTS; i++)
        http_close(&clients[i]);
    process_end(&process);
}
END_TEST

/* Told at once to a client that asks before it sends. */
static void check_refused(unsigned port, size_t bytes, int status, const char *code)
{
    struct http http = http_open(port);
    http_print(&http,
               "POST /v1/softmax HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %zu\r\n\r\n",
               bytes);
    struct http_response response = http_read(&http);
    json_t *problem = http_problem(&response, status, code);
    ck_assert_int_eq(json_object_get(problem, "limit") != NULL, status == 413);
    ck_assert_int_eq(http_field_is(&response, "Retry-After", "1"), status == 503);
    json_decref(problem);
    http_free(&response);
    http_close(&http);
}

START_TEST(what_never_fits_is_too_large_and_what_does_not_fit_now_may_come_again)
{
    struct process process = start("");
    check_refused(process.port, 500 * MIB, 413, "body_too_large");
    struct http big = http_open(process.port);
    char *spaces = malloc(50 * MIB);
    memset(spaces, ' ', 50 * MIB);
    http_print(&big, "POST /v1/softmax HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n", 60 * MIB);
    http_send(&big, spaces, 50 * MIB);
    while (used(process.port) < (long long)(50 * MIB))
        process_sleep_ms(10);
    check_refused(process.port, 60 * MIB, 503, "out_of_memory");
    check_small(process.port);
    http_reset(&big);
    http_await_metric(process.port, "gumbeld_requests_in_flight", 1);
    struct http again = http_open(process.port);
    http_print(&again, "POST /v1/softmax HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n", 60 * MIB);
    http_send(&again, spaces, 50 * MIB);
    http_send(&again, spaces, 10 * MIB);
    struct http_response response = http_read(&again);
    json_decref(http_problem(&response, 413, "envelope_too_large"));
    http_free(&response);
    http_close(&again);
    free(spaces);
    process_end(&process);
}
END_TEST

/* Ten million numbers: the answer alone is larger than all memory. */
START_TEST(an_answer_that_never_fits_is_told_so)
{
    static const char body[] = "{\"logits\":[[1,2,3,4,5,6,7,8,9,10]],\"seed\":1,\"num_samples\":1000000}";
    struct process process = process_start("--max-memory-bytes %zu --max-connections 50", 48 * MIB);
    struct http_response response = http_ask(process.port, "POST", "/v1/gumbel_softmax", body);
    json_t *problem = http_problem(&response, 413, "limit_exceeded");
    ck_assert_ptr_nonnull(strstr(response.body, "--max-memory-bytes"));
    ck_assert_int_gt(json_integer_value(json_object_get(problem, "limit")), 16 * MIB);
    json_decref(problem);
    http_free(&response);
    check_small(process.port);
    process_end(&process);
}
END_TEST

/* The memory of connections is set aside: of a small budget they are fewer, and all of them together with bodies that
 * are not whole stay within it. */
START_TEST(connections_have_a_part_of_their_own)
{
    enum { CLIENTS = 600, LITTLE_MIB = 48 };
    static char head[31000];
    struct process process = process_start("--max-memory-bytes %zu --max-connections 4096", LITTLE_MIB * MIB);
    struct http clients[CLIENTS];
    memset(head, 'a', sizeof head);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = http_open(process.port);
        http_print(&clients[i], "GET /livez HTTP/1.1\r\nX: ");
        http_try_send(&clients[i], head, sizeof head);
    }
    check_small(process.port);
    ck_assert_int_le(http_metric(process.port, "gumbeld_connections"), LITTLE_MIB * 1024 / 4 / 40);
    ck_assert_int_le(used(process.port), LITTLE_MIB * MIB);
    ck_assert_int_le(resident_kib(&process, "VmHWM:"), LITTLE_MIB * 1024 * 11 / 10);
    for (int i = 0; i < CLIENTS; i++)
        http_close(&clients[i]);
    process_end(&process);
}
END_TEST

/* What is set aside for connections never serves a body: one that would need it is refused for good. */
START_TEST(a_body_that_never_fits_beside_the_connections_is_too_large)
{
    struct process process = process_start("--max-memory-bytes %zu --max-body-bytes %zu --max-connections 4096",
                                           48 * MIB, 512 * MIB);
    struct http http = http_open(process.port);
    http_print(&http,
               "POST /v1/softmax HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %zu\r\n\r\n",
               20 * MIB);
    struct http_response response = http_read_head(&http);
    ck_assert_int_eq(response.status, 413);
    http_free(&response);
    http_close(&http);
    process_end(&process);
}
END_TEST

/* Small bodies have what large ones may not: where nothing is left for these, one of 64 KiB is still read. */
START_TEST(a_small_body_fits_where_no_large_one_does)
{
    enum { BODY_BYTES = 64 * 1024 };
    static char body[BODY_BYTES + 1];
    struct process process = process_start("--max-memory-bytes %zu", 12 * MIB);
    memset(body, ' ', BODY_BYTES);
    memcpy(body, "{\"logits\":[1,2]}", 16);
    struct http_response response = http_ask(process.port, "POST", "/v1/softmax", body);
    ck_assert_msg(response.status == 200, "%d %s", response.status, response.body);
    http_free(&response);
    process_end(&process);
}
END_TEST

/* There is no memory for a stream: it is refused, and does not stay counted as waiting. */
START_TEST(a_stream_without_memory_leaves_the_queue)
{
    enum { CLIENTS = 30, LITTLE_MIB = 8 };
    struct process process = process_start("--max-memory-bytes %zu", LITTLE_MIB * MIB);
    struct http clients[CLIENTS];
    int refused = 0;
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = http_open(process.port);
        ask_for_much(&clients[i], "Accept: application/x-ndjson\r\n");
        struct http_response response = http_read_head(&clients[i]);
        refused += response.status == 503 || response.status == 413;
        http_free(&response);
    }
    ck_assert_int_gt(refused, 0);
    for (int i = 0; i < CLIENTS; i++)
        http_close(&clients[i]);
    http_await_metric(process.port, "gumbeld_requests_in_flight", 1);
    ck_assert_int_eq(http_metric(process.port, "gumbeld_requests_queued"), 0);
    process_end(&process);
}
END_TEST

TEST_SUITE("server")
{
    Suite *suite = suite_create("server: budget");
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__ /* which take more memory than all of it */
    TCase *budget = tcase_create("budget");
    tcase_set_timeout(budget, 120);
    tcase_add_loop_test(budget, answers_that_nobody_reads_are_counted, 0, 3);
    tcase_add_test(budget, an_announcement_takes_nothing);
    tcase_add_test(budget, what_never_fits_is_too_large_and_what_does_not_fit_now_may_come_again);
    tcase_add_test(budget, an_answer_that_never_fits_is_told_so);
    tcase_add_test(budget, connections_have_a_part_of_their_own);
    tcase_add_test(budget, a_body_that_never_fits_beside_the_connections_is_too_large);
    tcase_add_test(budget, a_small_body_fits_where_no_large_one_does);
    tcase_add_test(budget, a_stream_without_memory_leaves_the_queue);
    suite_add_tcase(suite, budget);
#else
    (void)answers_that_nobody_reads_are_counted;
    (void)an_announcement_takes_nothing;
    (void)what_never_fits_is_too_large_and_what_does_not_fit_now_may_come_again;
    (void)an_answer_that_never_fits_is_told_so;
    (void)connections_have_a_part_of_their_own;
    (void)a_body_that_never_fits_beside_the_connections_is_too_large;
    (void)a_stream_without_memory_leaves_the_queue;
#endif
    return suite;
}
