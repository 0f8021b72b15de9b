/* gzip of answers: by whom it is asked for, and of what it is left out. */
#include "api.h"
#include "lib/http.h"
#include "lib/process.h"
#include "lib/requests.h"
#include "lib/suite.h"

#include "lib/assertions.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define PATH "/v1/gumbel_softmax"
#define BODY "{\"logits\":[[0.5,-1,2.25],[3,1e-3,null]],\"tau\":0.5,\"seed\":11}"

static char *gunzipped(const char *data, size_t length, size_t expected)
{
    z_stream stream = {.next_in = (Bytef *)data, .avail_in = (uInt)length};
    char *out = calloc(1, expected + 1);
    stream.next_out = (Bytef *)out;
    stream.avail_out = (uInt)expected + 1;
    ck_assert_int_eq(inflateInit2(&stream, 31), Z_OK);
    ck_assert_int_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
    ck_assert_uint_eq(stream.total_out, expected);
    ck_assert_uint_eq(stream.avail_in, 0);
    inflateEnd(&stream);
    return out;
}

static struct http_response ask(unsigned port, const char *fields, const char *body)
{
    struct http http = http_open(port);
    http_print(&http, "POST " PATH " HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n%s", fields,
               strlen(body), body);
    struct http_response response = http_read(&http);
    http_close(&http);
    return response;
}

static struct http_response get(unsigned port, const char *method, const char *path, const char *fields)
{
    struct http http = http_open(port);
    http_print(&http, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", method, path, fields);
    struct http_response response = strcmp(method, "HEAD") == 0 ? http_read_head(&http) : http_read(&http);
    http_close(&http);
    return response;
}

static void check_gzip(const struct http_response *response, const char *expected)
{
    ck_assert_int_eq(response->status, 200);
    ck_assert(http_field_is(response, "Content-Encoding", "gzip"));
    ck_assert(http_field_is(response, "Vary", "Accept-Encoding"));
    ck_assert_uint_lt(response->length, strlen(expected));
    char *text = gunzipped(response->body, response->length, strlen(expected));
    ck_assert_str_eq(text, expected);
    free(text);
}

/* The request small or large, and so is its answer; the work is the loop's or a worker's. */
START_TEST(a_large_answer_is_compressed_where_that_is_accepted)
{
    static const int inline_max[] = {0, 4096, 1000000};
    struct process process = process_start("--gzip json --inline-max-bytes %d", inline_max[_i]);
    for (size_t rows = 4; rows <= 1000; rows *= 250) {
        char *body = requests_gumbel(rows, 100, 5), *expected = requests_answer(PATH, body);
        struct http_response response = ask(process.port, "Accept-Encoding: gzip, br\r\n", body);
        check_gzip(&response, expected);
        http_free(&response);
        response = ask(process.port, "", body);
        ck_assert_str_eq(response.body, expected);
        ck_assert(http_field_is(&response, "Vary", "Accept-Encoding"));
        ck_assert_ptr_null(http_field(&response, "Content-Encoding"));
        http_free(&response);
        free(expected);
        free(body);
    }
    process_end(&process);
}
END_TEST

START_TEST(a_small_answer_is_compressed_only_on_demand)
{
    struct process process = process_start("--gzip json");
    char *expected = requests_answer(PATH, BODY);
    struct http_response response = ask(process.port, "Accept-Encoding: gzip\r\n", BODY);
    ck_assert_str_eq(response.body, expected);
    ck_assert_ptr_null(http_field(&response, "Content-Encoding"));
    http_free(&response);
    response = ask(process.port, "Accept-Encoding: gzip, identity;q=0\r\n", BODY);
    check_gzip(&response, expected);
    http_free(&response);
    free(expected);
    process_end(&process);
}
END_TEST

/* Many clients accept gzip without being asked, and become slower by it. */
START_TEST(it_is_off_but_for_a_client_that_takes_nothing_else)
{
    struct process process = process_start("--loops 1");
    char *body = requests_gumbel(100, 100, 5), *expected = requests_answer(PATH, body);
    struct http_response response = ask(process.port, "Accept-Encoding: gzip, deflate\r\n", body);
    ck_assert_str_eq(response.body, expected);
    ck_assert_ptr_null(http_field(&response, "Content-Encoding"));
    ck_assert_ptr_null(http_field(&response, "Vary"));
    http_free(&response);
    response = ask(process.port, "Accept-Encoding: gzip, identity;q=0\r\n", body);
    check_gzip(&response, expected);
    http_free(&response);
    free(expected);
    free(body);
    process_end(&process);
}
END_TEST

/* On the loop and on a worker. */
START_TEST(arrays_in_binary_are_not_compressed)
{
    static const int inline_max[] = {0, 1000000};
    struct process process = process_start("--gzip json --inline-max-bytes %d", inline_max[_i]);
    char *body = requests_gumbel(100, 100, 5);
    const char *fields[] = {"Accept: application/x-npy\r\nAccept-Encoding: gzip\r\n",
                            "Accept: application/x-npy\r\nAccept-Encoding: gzip, identity;q=0\r\n"};
    struct http_response response = ask(process.port, fields[0], body);
    ck_assert_int_eq(response.status, 200);
    ck_assert(http_field_is(&response, "Content-Type", API_NPY));
    ck_assert_ptr_null(http_field(&response, "Content-Encoding"));
    ck_assert_ptr_null(http_field(&response, "Vary"));
    http_free(&response);
    response = ask(process.port, fields[1], body);
    ck_assert(http_field_is(&response, "Content-Encoding", "gzip"));
    http_free(&response);
    free(body);
    process_end(&process);
}
END_TEST

START_TEST(what_does_not_become_shorter_is_not_compressed)
{
    static const char body[] = "{\"logits\":[1]}";
    struct process process = process_start("--gzip json --gzip-min-bytes 0");
    struct http_response response = ask(process.port, "Accept-Encoding: gzip, identity;q=0\r\n", body);
    ck_assert_int_eq(response.status, 200);
    ck_assert_ptr_null(http_field(&response, "Content-Encoding"));
    http_free(&response);
    process_end(&process);
}
END_TEST

START_TEST(documents_are_compressed_and_probes_are_not)
{
    struct process process = process_start("--gzip json");
    struct http_response plain = get(process.port, "GET", "/openapi.json", ""),
                         gzip = get(process.port, "GET", "/openapi.json", "Accept-Encoding: gzip\r\n"),
                         head = get(process.port, "HEAD", "/openapi.json", "Accept-Encoding: gzip\r\n"),
                         metrics = get(process.port, "GET", "/metrics", "Accept-Encoding: gzip\r\n");
    check_gzip(&gzip, plain.body);
    char length[24];
    snprintf(length, sizeof length, "%zu", gzip.length);
    ck_assert(http_field_is(&head, "Content-Length", length));
    ck_assert(http_field_is(&head, "Content-Encoding", "gzip"));
    ck_assert_ptr_null(http_field(&metrics, "Content-Encoding"));
    http_free(&plain);
    http_free(&gzip);
    http_free(&head);
    http_free(&metrics);
    process_end(&process);
}
END_TEST

TEST_SUITE("server")
{
    Suite *suite = suite_create("server compression");
    TCase *answers = tcase_create("answers");
    tcase_set_timeout(answers, 60);
    tcase_add_test(answers, a_small_answer_is_compressed_only_on_demand);
    tcase_add_test(answers, it_is_off_but_for_a_client_that_takes_nothing_else);
    tcase_add_loop_test(answers, arrays_in_binary_are_not_compressed, 0, 2);
    tcase_add_test(answers, what_does_not_become_shorter_is_not_compressed);
    tcase_add_test(answers, documents_are_compressed_and_probes_are_not);
    tcase_add_loop_test(answers, a_large_answer_is_compressed_where_that_is_accepted, 0, 3);
    suite_add_tcase(suite, answers);
    return suite;
}
