/* What the Open Inference Protocol needs of the server: health while it drains, statistics, errors in their form,
 * bodies of JSON and bytes, by a worker too. */
#define _GNU_SOURCE
#include "contract.h"
#include "encoding.h"
#include "lib/http.h"
#include "lib/process.h"
#include "lib/requests.h"
#include "lib/suite.h"

#include "lib/assertions.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INFER "/v2/models/softmax/infer"
#define BODY "{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2],\"data\":[0,0]}]}"

static struct process server;

static void start(void)
{
    server = process_start("--loops 1");
}

static void stop(void)
{
    process_end(&server);
}

static json_t *json_of(const struct http_response *response)
{
    json_t *document = json_loadb(response->body, response->length, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(document != NULL, "%s", response->body);
    return document;
}

/* ---- Health ---- */

static int ask_health(unsigned port, const char *path, const char *name, bool ready)
{
    char body[64];
    struct http_response response = http_ask(port, "GET", path, NULL);
    const int status = response.status;
    if (name != NULL)
        snprintf(body, sizeof body, "{\"name\":\"%s\",\"ready\":%s}", name, ready ? "true" : "false");
    else
        snprintf(body, sizeof body, "{\"live\":true,\"ready\":%s}", ready ? "true" : "false");
    ck_assert_str_eq(response.body, body);
    ck_assert(http_field_is(&response, "Content-Type", "application/json"));
    http_free(&response);
    return status;
}

/* By a body that the server has to have read. */
static size_t count_ready_models(unsigned port)
{
    struct http http = http_open(port);
    http_post(&http, "/v2/repository/index", "{\"ready\":true}");
    struct http_response response = http_read(&http);
    json_t *index = json_of(&response);
    const size_t count = json_array_size(index);
    ck_assert_int_eq(response.status, 200);
    json_decref(index);
    http_free(&response);
    http_close(&http);
    return count;
}

START_TEST(health_is_told_while_it_drains)
{
    static const struct {
        const char *path, *name;
    } ready[] = {{"/v2/health/ready", NULL},
                 {"/v2/models/softmax/ready", "softmax"},
                 {"/v2/models/vjp/versions/1/ready", "vjp"}};
    struct process process = process_start("--lame-duck-ms 60000");
    ck_assert_int_eq(ask_health(process.port, "/v2/health/live", NULL, true), 200);
    for (size_t i = 0; i < sizeof ready / sizeof *ready; i++)
        ck_assert_int_eq(ask_health(process.port, ready[i].path, ready[i].name, true), 200);
    ck_assert_uint_eq(count_ready_models(process.port), API_FUNCTION_COUNT);
    kill(process.pid, SIGTERM);
    for (int status = 200; status != 503;) {
        struct http_response response = http_ask(process.port, "GET", "/readyz", NULL);
        status = response.status;
        http_free(&response);
    }
    ck_assert_int_eq(ask_health(process.port, "/v2/health/live", NULL, false), 200);
    for (size_t i = 0; i < sizeof ready / sizeof *ready; i++)
        ck_assert_int_eq(ask_health(process.port, ready[i].path, ready[i].name, false), 503);
    ck_assert_uint_eq(count_ready_models(process.port), 0);
    kill(process.pid, SIGKILL);
    process_wait(&process);
    process_close(&process);
}
END_TEST

/* ---- Statistics ---- */

struct counts {
    json_int_t successes, failures, success_ns, rows, last;
};

static json_int_t count(const json_t *statistics, const char *kind, const char *member)
{
    const json_t *durations = json_object_get(statistics, "inference_stats");
    return json_integer_value(json_object_get(json_object_get(durations, kind), member));
}

static struct counts counts_of(const char *path)
{
    struct http_response response = http_ask(server.port, "GET", path, NULL);
    json_t *document = json_of(&response);
    const json_t *one = json_array_get(json_object_get(document, "model_stats"), 0);
    const struct counts counts = {
        .successes = count(one, "success", "count"),
        .failures = count(one, "fail", "count"),
        .success_ns = count(one, "success", "ns"),
        .rows = json_integer_value(json_object_get(one, "rows")),
        .last = json_integer_value(json_object_get(one, "last_inference")),
    };
    ck_assert_int_eq(count(one, "compute_infer", "count"), counts.successes);
    ck_assert_int_le(count(one, "compute_infer", "ns"), counts.success_ns);
    json_decref(document);
    http_free(&response);
    return counts;
}

static void ask_infer(const char *body, int status)
{
    struct http http = http_open(server.port);
    http_post(&http, INFER, body);
    struct http_response response = http_read(&http);
    ck_assert_msg(response.status == status, "%s", response.body);
    http_free(&response);
    http_close(&http);
}

/* A request is counted when its answer has been sent, which may be after it was read. */
START_TEST(statistics_are_of_real_requests)
{
    const struct counts none = counts_of("/v2/models/softmax/stats");
    ck_assert_int_eq(none.successes + none.failures + none.success_ns + none.rows + none.last, 0);
    for (int i = 0; i < 3; i++)
        ask_infer(BODY, 200);
    ask_infer("{}", 400);
    struct http_response get = http_ask(server.port, "GET", INFER, NULL); /* asks for no inference */
    ck_assert_int_eq(get.status, 405);
    http_free(&get);
    http_await_metric(server.port, "gumbeld_requests_in_flight", 1); /* that is the question itself */
    const struct counts counts = counts_of("/v2/models/softmax/versions/1/stats");
    ck_assert_int_eq(counts.successes, 3);
    ck_assert_int_eq(counts.failures, 1);
    ck_assert_int_eq(counts.rows, 3);
    ck_assert_int_gt(counts.success_ns, 0);
    ck_assert_int_gt(counts.last, 1600000000000);
    ck_assert_int_eq(counts_of("/v2/models/vjp/stats").successes, 0);
}
END_TEST

/* ---- Errors ---- */

START_TEST(errors_have_the_protocols_form)
{
    static const struct {
        const char *method, *path, *body, *code;
        int status;
    } cases[] = {
        {"GET", "/v2/nope", NULL, "not_found", 404},
        {"POST", "/v2/models/nope/infer", BODY, "not_found", 404},
        {"GET", INFER, NULL, "method_not_allowed", 405},
        {"POST", "/v2", BODY, "method_not_allowed", 405},
        {"POST", INFER, "{\"inputs\":", "malformed_json", 400},
        {"POST", INFER "?temperature=2", BODY, "unknown_member", 400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_response response = http_ask(server.port, cases[i].method, cases[i].path, cases[i].body);
        json_t *document = http_problem(&response, cases[i].status, cases[i].code);
        ck_assert(http_field_is(&response, "Content-Type", "application/json"));
        ck_assert(json_is_string(json_object_get(document, "error")));
        json_decref(document);
        http_free(&response);
    }
    struct http_response response = http_ask(server.port, "GET", "/v1/nope", NULL);
    ck_assert(http_field_is(&response, "Content-Type", "application/problem+json"));
    http_free(&response);
}
END_TEST

/* What the server refuses by itself. */
START_TEST(refusals_have_it_too)
{
    struct process process = process_start("--max-body-bytes 1000");
    char *body = requests_gumbel(10, 100, 1);
    struct http_response response = http_ask(process.port, "POST", INFER, body);
    json_decref(http_problem(&response, 413, "body_too_large"));
    ck_assert(http_field_is(&response, "Content-Type", "application/json"));
    http_free(&response);
    struct http http = http_open(process.port);
    http_print(&http,
               "POST " INFER " HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx");
    response = http_read(&http);
    json_decref(http_problem(&response, 415, "unsupported_encoding"));
    ck_assert(http_field_is(&response, "Content-Type", "application/json"));
    http_free(&response);
    http_close(&http);
    free(body);
    process_end(&process);
}
END_TEST

/* ---- Tensors ---- */

/* JSON, and `rows` of 1000 zeros after it. */
static char *binary_body(size_t rows, size_t *json_length, size_t *length)
{
    char *body = calloc(1, 256 + rows * 4000);
    *json_length = (size_t)sprintf(body,
                                   "{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[%zu,1000],"
                                   "\"parameters\":{\"binary_data_size\":%zu}}],"
                                   "\"parameters\":{\"binary_data_output\":true}}",
                                   rows, rows * 4000);
    *length = *json_length + rows * 4000;
    return body;
}

/* Without a Content-Type, as Triton's client sends it. */
static struct http_response send_binary(const char *body, size_t length, size_t json_length, const char *fields)
{
    struct http http = http_open(server.port);
    http_print(&http,
               "POST " INFER " HTTP/1.1\r\nHost: localhost\r\n%sInference-Header-Content-Length: %zu\r\n"
               "Content-Length: %zu\r\n\r\n",
               fields, json_length, length);
    http_send(&http, body, length);
    struct http_response response = http_read(&http);
    http_close(&http);
    return response;
}

static void check_binary(const struct http_response *response, size_t rows)
{
    char *field = http_field(response, "Inference-Header-Content-Length");
    ck_assert_msg(response->status == 200, "%s", response->body);
    ck_assert(http_field_is(response, "Content-Type", "application/octet-stream"));
    ck_assert_ptr_nonnull(field);
    ck_assert_uint_eq(response->length, strtoul(field, NULL, 10) + rows * 4000);
    for (size_t i = 0; i < rows * 1000; i++) {
        float value;
        memcpy(&value, response->body + response->length - rows * 4000 + i * 4, 4);
        ck_assert_float_eq(value, 0.001f);
    }
    free(field);
}

START_TEST(tensors_are_bytes_behind_the_json)
{
    static const size_t rows[] = {1, 200}; /* at once, and by a worker */
    for (size_t i = 0; i < 2; i++) {
        size_t json_length, length;
        char *body = binary_body(rows[i], &json_length, &length);
        struct http_response response = send_binary(body, length, json_length, "");
        check_binary(&response, rows[i]);
        http_free(&response);
        free(body);
    }
}
END_TEST

/* The length of the JSON is that before compression. */
START_TEST(compressed_tensors)
{
    size_t json_length, length, gzip_length;
    char *body = binary_body(64, &json_length, &length), *gzip = requests_gzip(body, length, &gzip_length);
    ck_assert_ptr_nonnull(gzip);
    struct http_response response = send_binary(gzip, gzip_length, json_length, "Content-Encoding: gzip\r\n");
    check_binary(&response, 64);
    http_free(&response);
    response = send_binary(gzip, gzip_length, json_length,
                           "Content-Encoding: gzip\r\nAccept-Encoding: gzip, identity;q=0\r\n");
    ck_assert(http_field_is(&response, "Content-Encoding", "gzip"));
    ck_assert_uint_lt(response.length, length / 10);
    http_free(&response);
    free(gzip);
    free(body);
}
END_TEST

TEST_SUITE("server")
{
    Suite *suite = suite_create("server inference");
    TCase *health = tcase_create("health"), *one = tcase_create("one server");
    tcase_set_timeout(health, 60);
    tcase_set_timeout(one, 60);
    tcase_add_test(health, health_is_told_while_it_drains);
    tcase_add_test(health, refusals_have_it_too);
    tcase_add_checked_fixture(one, start, stop);
    tcase_add_test(one, statistics_are_of_real_requests);
    tcase_add_test(one, errors_have_the_protocols_form);
    tcase_add_test(one, tensors_are_bytes_behind_the_json);
    tcase_add_test(one, compressed_tensors);
    suite_add_tcase(suite, health);
    suite_add_tcase(suite, one);
    return suite;
}
