/* How the body of a request may arrive, and what happens to one that is too large. */
#define _GNU_SOURCE
#include "lib/http.h"
#include "lib/process.h"
#include "lib/suite.h"

#include "lib/assertions.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT = 10000 };

static struct process server;

static void start(void)
{
    server = process_start("--max-body-bytes %d", LIMIT);
}

static void stop(void)
{
    process_end(&server);
}

#define PATH "/v1/gumbel_softmax"
#define BODY "{\"logits\":[[0.5,-1,2.25],[3,1e-3,null]],\"tau\":0.5,\"seed\":11}"

/* What BODY is answered however it comes. */
static char *expected_answer(void)
{
    struct http_response response = http_ask(server.port, "POST", PATH, BODY);
    ck_assert_int_eq(response.status, 200);
    char *body = strdup(response.body);
    http_free(&response);
    return body;
}

static void check_answer(struct http *http)
{
    char *expected = expected_answer();
    struct http_response response = http_read(http);
    ck_assert_int_eq(response.status, 200);
    ck_assert_str_eq(response.body, expected);
    http_free(&response);
    free(expected);
}

/* A body of exactly `length` bytes that is answered with 200. */
static char *body_of(size_t length)
{
    char *body = malloc(length + 1);
    ck_assert_ptr_nonnull(body);
    memset(body, ' ', length);
    body[length] = '\0';
    memcpy(body, "{\"logits\":[1,2]}", 16);
    return body;
}

/* ---- Arrival ---- */

START_TEST(chunks_of_any_size)
{
    struct http http = http_open(server.port);
    for (size_t chunk = 1; chunk <= sizeof BODY; chunk += 5) {
        http_post_chunked(&http, PATH, BODY, chunk);
        check_answer(&http);
    }
    http_close(&http);
}
END_TEST

START_TEST(chunks_with_trailers)
{
    struct http http = http_open(server.port);
    http_print(&http,
               "POST " PATH " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n");
    http_print(&http, "%zX\r\n%s\r\n0\r\nX-Sum: 1\r\n\r\n", strlen(BODY), BODY);
    check_answer(&http);
    http_post(&http, PATH, BODY);
    check_answer(&http);
    http_close(&http);
}
END_TEST

static void check_answer_or_400(struct http *http)
{
    char *expected = expected_answer();
    struct http_response response = http_read(http);
    if (response.status != 400)
        ck_assert_str_eq(response.body, expected);
    http_free(&response);
    free(expected);
}

/* libmicrohttpd 1.0.1 refuses them, 0.9.75 passes over them. */
START_TEST(chunk_extensions_are_read_or_refused)
{
    struct http http = http_open(server.port);
    http_print(&http, "POST " PATH " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    http_print(&http, "%zX;name=value\r\n%s\r\n0\r\n\r\n", strlen(BODY), BODY);
    check_answer_or_400(&http);
    http_close(&http);
}
END_TEST

/* Chunks override a length, whatever that says; or both together are refused. */
START_TEST(a_length_beside_chunks_does_not_count)
{
    static const char *const lengths[] = {"1", "99999999"};
    for (int i = 0; i < 2; i++) {
        struct http http = http_open(server.port);
        http_print(&http,
                   "POST " PATH
                   " HTTP/1.1\r\nHost: localhost\r\nContent-Length: %s\r\nTransfer-Encoding: chunked\r\n\r\n",
                   lengths[i]);
        http_print(&http, "%zX\r\n%s\r\n0\r\n\r\n", strlen(BODY), BODY);
        check_answer_or_400(&http);
        http_close(&http);
    }
}
END_TEST

START_TEST(single_bytes_with_pauses)
{
    char *request;
    struct http http = http_open(server.port);
    const int length = asprintf(&request, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n%s", PATH,
                                strlen(BODY), BODY);
    for (int i = 0; i < length; i++) {
        http_send(&http, request + i, 1);
        process_sleep_ms(1);
    }
    check_answer(&http);
    free(request);
    http_close(&http);
}
END_TEST

START_TEST(single_bytes_of_chunks_with_pauses)
{
    char *request;
    struct http http = http_open(server.port);
    const int length = asprintf(&request,
                                "POST %s HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                                "5\r\n%.5s\r\n%zx\r\n%s\r\n0\r\n\r\n",
                                PATH, BODY, strlen(BODY) - 5, &BODY[5]);
    for (int i = 0; i < length; i++) {
        http_send(&http, request + i, 1);
        process_sleep_ms(1);
    }
    check_answer(&http);
    free(request);
    http_close(&http);
}
END_TEST

START_TEST(no_body_is_a_problem_of_the_body)
{
    struct http http = http_open(server.port);
    http_print(&http, "POST " PATH " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    struct http_response response = http_read(&http);
    json_decref(http_problem(&response, 400, "malformed_json"));
    http_free(&response);
    http_post(&http, PATH, BODY);
    check_answer(&http);
    http_close(&http);
}
END_TEST

/* ---- Expect: 100-continue ---- */

static void announce(struct http *http, const char *path, size_t length)
{
    http_print(http, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\nExpect: 100-continue\r\n\r\n", path,
               length);
}

START_TEST(who_waits_is_told_to_go_on)
{
    struct http http = http_open(server.port);
    announce(&http, PATH, strlen(BODY));
    struct http_response response = http_read(&http);
    ck_assert_int_eq(response.status, 100);
    ck_assert(!http_readable(&http, 50));
    http_free(&response);
    http_print(&http, "%s", BODY);
    check_answer(&http);
    http_close(&http);
}
END_TEST

/* The refusal comes at once, and nobody waits for the body. */
static void check_refused_without_100(const char *path, size_t length, int status, const char *code)
{
    struct http http = http_open(server.port);
    announce(&http, path, length);
    struct http_response response = http_read(&http);
    json_decref(http_problem(&response, status, code));
    http_free(&response);
    ck_assert(http_ends(&http));
    http_close(&http);
}

START_TEST(who_waits_is_refused_before_the_body)
{
    check_refused_without_100(PATH, LIMIT + 1, 413, "body_too_large");
    check_refused_without_100(PATH, (size_t)1 << 60, 413, "body_too_large");
    check_refused_without_100("/v1/nothing", 100, 404, "not_found");
    check_refused_without_100("/livez", 100, 405, "method_not_allowed");
}
END_TEST

/* ---- Too large ---- */

static void check_limit(struct http *http, size_t limit)
{
    struct http_response response = http_read(http);
    json_t *document = http_problem(&response, 413, "body_too_large");
    ck_assert_int_eq(json_integer_value(json_object_get(document, "limit")), (json_int_t)limit);
    json_decref(document);
    http_free(&response);
}

START_TEST(the_limit_is_exact)
{
    struct http http = http_open(server.port);
    char *fits = body_of(LIMIT), *exceeds = body_of(LIMIT + 1);
    for (int chunked = 0; chunked < 2; chunked++) {
        chunked ? http_post_chunked(&http, "/v1/softmax", fits, 3000) : http_post(&http, "/v1/softmax", fits);
        struct http_response response = http_read(&http);
        ck_assert_msg(response.status == 200, "%s", response.body);
        http_free(&response);
        chunked ? http_post_chunked(&http, "/v1/softmax", exceeds, 3000) : http_post(&http, "/v1/softmax", exceeds);
        check_limit(&http, LIMIT);
    }
    free(fits);
    free(exceeds);
    http_close(&http);
}
END_TEST

/* Up to four times the limit is read and dropped, so that the client can read the refusal and go on. */
START_TEST(the_connection_goes_on_where_the_body_was_read)
{
    struct http http = http_open(server.port);
    char *body = body_of(4 * LIMIT);
    for (int i = 0; i < 6; i++) {
        i % 2 ? http_post_chunked(&http, PATH, body, 7777) : http_post(&http, PATH, body);
        check_limit(&http, LIMIT);
        http_post(&http, PATH, BODY);
        check_answer(&http);
    }
    free(body);
    http_close(&http);
}
END_TEST

/* Two bytes of the body are sent, and the answer does not wait for the others. */
START_TEST(a_huge_announced_length_is_refused_at_once)
{
    static const char *const lengths[] = {"40001", "1099511627776", "9223372036854775807", "18446744073709551614"};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct http http = http_open(server.port);
        http_print(&http, "POST " PATH " HTTP/1.1\r\nHost: localhost\r\nContent-Length: %s\r\n\r\n{}", lengths[i]);
        check_limit(&http, LIMIT);
        ck_assert(http_ends(&http));
        http_close(&http);
    }
}
END_TEST

/* Chunks that never end are cut off, and others are served meanwhile. */
START_TEST(endless_chunks_are_cut_off)
{
    struct http http = http_open(server.port);
    char *body = body_of(1000);
    http_print(&http, "POST " PATH " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    char chunk[1100];
    const int length = snprintf(chunk, sizeof chunk, "3e8\r\n%s\r\n", body);
    size_t sent = 0;
    while (sent < 100000000 && !http_readable(&http, 0) && http_try_send(&http, chunk, (size_t)length))
        sent += 1000;
    ck_assert_uint_lt(sent, 100000000);
    free(body);
    http_close(&http);
    free(expected_answer());
}
END_TEST

/* A client that is no longer there when the rest of its body is awaited. */
START_TEST(a_body_that_breaks_off_does_no_harm)
{
    char *body = body_of(LIMIT / 2);
    for (int i = 0; i < 20; i++) {
        struct http http = http_open(server.port);
        http_print(&http, "POST " PATH " HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", LIMIT, body);
        http_reset(&http);
    }
    free(body);
    free(expected_answer());
    http_await_metric(server.port, "gumbeld_requests_in_flight", 1);
}
END_TEST

/* {"logits":[1,1,...,1]} of exactly `length` bytes, an even number. */
static char *ones_of(size_t length)
{
    char *body = body_of(length);
    for (size_t i = 0; i < length; i++)
        body[i] = i % 2 ? '1' : ',';
    memcpy(body, "{\"logits\":[", 11);
    memcpy(body + length - 2, "]}", 2);
    return body;
}

START_TEST(the_default_limit_is_16_mebibytes)
{
    enum { DEFAULT = 16 << 20 };
    struct process large = process_start("--workers 2");
    struct http http = http_open(large.port);
    char *fits = ones_of(DEFAULT), *exceeds = ones_of(DEFAULT + 2);
    http_post(&http, "/v1/softmax", fits);
    struct http_response response = http_read(&http);
    ck_assert_msg(response.status == 200, "%s", response.body);
    http_free(&response);
    http_post(&http, "/v1/softmax", exceeds);
    check_limit(&http, DEFAULT);
    free(fits);
    free(exceeds);
    http_close(&http);
    process_end(&large);
}
END_TEST

/* jansson's tree is far larger than the text: what goes there has a limit of its own. */
START_TEST(what_is_beside_the_logits_is_limited_too)
{
    struct process large = process_start("--workers 2");
    struct http http = http_open(large.port);
    char *body = body_of(2 << 20);
    http_post(&http, "/v1/softmax", body);
    struct http_response response = http_read(&http);
    json_t *document = http_problem(&response, 413, "envelope_too_large");
    ck_assert_int_eq(json_integer_value(json_object_get(document, "limit")), 1 << 20);
    json_decref(document);
    http_free(&response);
    free(body);
    http_close(&http);
    process_end(&large);
}
END_TEST

TEST_SUITE("server")
{
    Suite *suite = suite_create("server bodies");

    TCase *arrival = tcase_create("arrival");
    tcase_set_timeout(arrival, 60);
    tcase_add_checked_fixture(arrival, start, stop);
    tcase_add_test(arrival, chunks_of_any_size);
    tcase_add_test(arrival, chunks_with_trailers);
    tcase_add_test(arrival, chunk_extensions_are_read_or_refused);
    tcase_add_test(arrival, a_length_beside_chunks_does_not_count);
    tcase_add_test(arrival, single_bytes_with_pauses);
    tcase_add_test(arrival, single_bytes_of_chunks_with_pauses);
    tcase_add_test(arrival, no_body_is_a_problem_of_the_body);
    tcase_add_test(arrival, who_waits_is_told_to_go_on);
    tcase_add_test(arrival, who_waits_is_refused_before_the_body);
    suite_add_tcase(suite, arrival);

    TCase *size = tcase_create("size");
    tcase_set_timeout(size, 60);
    tcase_add_checked_fixture(size, start, stop);
    tcase_add_test(size, the_limit_is_exact);
    tcase_add_test(size, the_connection_goes_on_where_the_body_was_read);
    tcase_add_test(size, a_huge_announced_length_is_refused_at_once);
    tcase_add_test(size, endless_chunks_are_cut_off);
    tcase_add_test(size, a_body_that_breaks_off_does_no_harm);
    tcase_add_test(size, the_default_limit_is_16_mebibytes);
    tcase_add_test(size, what_is_beside_the_logits_is_limited_too);
    suite_add_tcase(suite, size);
    return suite;
}
