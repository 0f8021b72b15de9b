/* What the server counts, as /metrics tells it. */
#define _GNU_SOURCE
#include "api.h"
#include "lib/http.h"
#include "lib/process.h"
#include "lib/requests.h"
#include "lib/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SOFTMAX "/v1/softmax"
#define GUMBEL "/v1/gumbel_softmax"
#define LOGITS "{\"logits\":[[1,2,3],[4,5,6]]}"

static void ask(unsigned port, const char *method, const char *path, const char *body, int status)
{
    struct http_response response = http_ask(port, method, path, body);
    ck_assert_msg(response.status == status, "%s %s: %d %s", method, path, response.status, response.body);
    http_free(&response);
}

static void await_count(unsigned port, const char *route, int status, long long count)
{
    char name[128];
    snprintf(name, sizeof name, "gumbeld_requests_total{route=\"%s\",status=\"%d\"}", route, status);
    http_await_metric(port, name, count);
}

START_TEST(requests_are_counted_by_route_and_status)
{
    struct process process = process_start("--loops %d --inline-max-bytes 100 --max-body-bytes 1000000", _i);
    const unsigned port = process.port;
    const char many[] = "{\"logits\":[1,2],\"num_samples\":51}"; /* 102 numbers: by a worker too */
    char *large = requests_gumbel(10, 100, 3), *answer = requests_answer(GUMBEL, large);
    ask(port, "POST", GUMBEL, many, 200);
    for (int i = 0; i < 7; i++)
        ask(port, "POST", SOFTMAX, LOGITS, 200);
    for (int i = 0; i < 3; i++)
        ask(port, "POST", SOFTMAX, "{\"logits\":[[1,2],[3]]}", 400);
    for (int i = 0; i < 4; i++)
        ask(port, "POST", GUMBEL, large, 200);
    ask(port, "POST", "/v1/log_softmax", "{\"logits\":[null]}", 422);
    ask(port, "GET", SOFTMAX, NULL, 405);
    ask(port, "GET", "/v1/nothing", NULL, 404);
    ask(port, "GET", "/v1/nothing/else", NULL, 404);
    ask(port, "GET", "/livez", NULL, 200);
    await_count(port, SOFTMAX, 200, 7);
    await_count(port, SOFTMAX, 400, 3);
    await_count(port, SOFTMAX, 405, 1);
    await_count(port, GUMBEL, 200, 4 + 1);
    await_count(port, "/v1/log_softmax", 422, 1);
    await_count(port, "", 404, 2);
    await_count(port, "/livez", 200, 1);
    http_await_metric(port, "gumbeld_rows_total", 7 * 2 + 4 * 10 + 1);
    http_await_metric(port, "gumbeld_requests_inline_total", 7 + 3 + 1);
    http_await_metric(port, "gumbeld_request_body_bytes_total",
                      (long long)(7 * strlen(LOGITS) + 3 * 22 + 4 * strlen(large) + 17 + strlen(many)));
    http_await_metric(port, "gumbeld_connections", 1);
    http_await_metric(port, "gumbeld_requests_in_flight", 1);
    ck_assert_int_eq(http_metric(port, "gumbeld_requests_queued"), 0);
    ck_assert_int_eq(http_metric(port, "gumbeld_requests_aborted_total"), 0);
    ck_assert_int_eq(http_metric(port, "gumbeld_log_lines_dropped_total"), 0);
    free(answer);
    free(large);
    process_end(&process);
}
END_TEST

START_TEST(bytes_of_answers_are_counted)
{
    struct process process = process_start("--loops 1");
    char *answer = requests_answer(SOFTMAX, LOGITS);
    for (int i = 0; i < 5; i++)
        ask(process.port, "POST", SOFTMAX, LOGITS, 200);
    ask(process.port, "HEAD", "/openapi.json", NULL, 200);
    http_await_metric(process.port, "gumbeld_response_body_bytes_total", 5 * (long long)strlen(answer));
    free(answer);
    process_end(&process);
}
END_TEST

/* Each family has its HELP and TYPE once, before its samples; each sample is a name, labels and a number. */
START_TEST(the_text_is_what_prometheus_reads)
{
    struct process process = process_start("--loops 1");
    ask(process.port, "POST", SOFTMAX, LOGITS, 200);
    ask(process.port, "GET", "/%22%0a%5c", NULL, 404);
    struct http_response response = http_ask(process.port, "GET", "/metrics", NULL);
    ck_assert_int_eq(response.body[response.length - 1], '\n');
    char family[128] = "", kind[32];
    int samples = 0;
    for (char *line = strtok(response.body, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        double value;
        char name[256];
        if (strncmp(line, "# HELP ", 7) == 0)
            continue;
        if (sscanf(line, "# TYPE %127s %31s", family, kind) == 2)
            continue;
        ck_assert_msg(strncmp(line, family, strlen(family)) == 0, "%s is not of %s", line, family);
        ck_assert_msg(sscanf(line, "%255[a-zA-Z_]%*[{]%*[^}]%*[}] %lf", name, &value) == 2 ||
                          sscanf(line, "%255[a-zA-Z_] %lf", name, &value) == 2,
                      "no sample: %s", line);
        samples++;
    }
    ck_assert_int_gt(samples, 20);
    http_free(&response);
    process_end(&process);
}
END_TEST

static struct http_response ask_metrics(unsigned port, const char *accept)
{
    struct http http = http_open(port);
    http_print(&http, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: %s\r\n\r\n", accept);
    struct http_response response = http_read(&http);
    http_close(&http);
    return response;
}

/* Its families have no "_total", its bounds a point, and it says where it ends. */
START_TEST(openmetrics_is_for_those_who_prefer_it)
{
    static const char scraper[] = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3";
    static const char *const others[] = {"*/*", "text/plain", "application/openmetrics-text;q=0",
                                         "application/openmetrics-text;q=0.2,text/plain;q=0.3"};
    struct process process = process_start("--loops 1");
    ask(process.port, "POST", SOFTMAX, LOGITS, 200);
    struct http_response response = ask_metrics(process.port, scraper);
    ck_assert(http_field_is(&response, "Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8"));
    ck_assert_ptr_nonnull(strstr(response.body, "\n# TYPE gumbeld_requests counter\ngumbeld_requests_total{route="));
    ck_assert_ptr_nonnull(strstr(response.body, "{le=\"0.5\"}"));
    ck_assert_ptr_nonnull(strstr(response.body, "{le=\"1.0\"}"));
    ck_assert_ptr_null(strstr(response.body, "_total counter\n"));
    ck_assert_str_eq(response.body + response.length - 7, "\n# EOF\n");
    http_free(&response);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        response = ask_metrics(process.port, others[i]);
        ck_assert(http_field_is(&response, "Content-Type", "text/plain; version=0.0.4; charset=utf-8"));
        ck_assert_ptr_null(strstr(response.body, "# EOF"));
        http_free(&response);
    }
    process_end(&process);
}
END_TEST

static long long of_route(unsigned port, const char *what, const char *labels)
{
    char name[160];
    snprintf(name, sizeof name, "gumbeld_request_duration_seconds_%s{%s}", what, labels);
    return http_metric(port, name);
}

#define OF_GUMBEL "route=\"" GUMBEL "\""

/* A probe that is asked often would hide how long calls take. */
START_TEST(durations_are_a_histogram_of_each_calls_route)
{
    struct process process = process_start(REQUESTS_SLOW);
    const unsigned port = process.port;
    char *body = requests_gumbel(1250, 1000, 3);
    ask(port, "POST", GUMBEL, body, 200);
    ask(port, "POST", GUMBEL, LOGITS, 200);
    ask(port, "POST", SOFTMAX, "{", 400);
    http_await_metric(port, "gumbeld_request_duration_seconds_count{route=\"" SOFTMAX "\"}", 1);
    ck_assert_int_eq(of_route(port, "count", OF_GUMBEL), 2);
    ck_assert_int_eq(of_route(port, "bucket", OF_GUMBEL ",le=\"0.01\""), 1); /* the large one took longer */
    ck_assert_int_eq(of_route(port, "bucket", OF_GUMBEL ",le=\"+Inf\""), 2);
    struct http_response response = http_ask(port, "GET", "/metrics", NULL);
    ck_assert_ptr_null(strstr(response.body, "seconds_count{route=\"/metrics\"}"));
    http_free(&response);
    free(body);
    process_end(&process);
}
END_TEST

START_TEST(durations_of_the_inference_protocol_are_by_model)
{
    static const char path[] = "/v2/models/softmax/infer";
    static const char body[] =
        "{\"inputs\":[{\"name\":\"logits\",\"shape\":[1,2],\"datatype\":\"FP32\",\"data\":[1,2]}]}";
    struct process process = process_start("--loops 1");
    ask(process.port, "POST", path, body, 200);
    ask(process.port, "POST", path, body, 200);
    ask(process.port, "POST", "/v2/models/categorical/infer", "{}", 400);
    http_await_metric(process.port, "gumbeld_requests_in_flight", 1);
    ck_assert_int_eq(of_route(process.port, "count", "route=\"/v2/models/{model}/infer\",model=\"softmax\""), 2);
    ck_assert_int_eq(of_route(process.port, "count", "route=\"/v2/models/{model}/infer\",model=\"categorical\""), 1);
    process_end(&process);
}
END_TEST

/* A small call only computes; a large one has waited for a worker too. */
START_TEST(waiting_and_computing_are_histograms)
{
    struct process process = process_start("--loops 1");
    char *body = requests_gumbel(100, 100, 3);
    ask(process.port, "POST", SOFTMAX, LOGITS, 200);
    http_await_metric(process.port, "gumbeld_compute_seconds_count", 1);
    ck_assert_int_eq(http_metric(process.port, "gumbeld_worker_wait_seconds_count"), 0);
    ask(process.port, "POST", GUMBEL, body, 200);
    http_await_metric(process.port, "gumbeld_compute_seconds_count", 2);
    ck_assert_int_eq(http_metric(process.port, "gumbeld_worker_wait_seconds_count"), 1);
    free(body);
    process_end(&process);
}
END_TEST

START_TEST(refusals_are_counted_by_their_code)
{
    struct process process = process_start("--loops 1 --max-body-bytes 100");
    const unsigned port = process.port;
    char *large = requests_gumbel(10, 100, 3);
    ask(port, "POST", SOFTMAX, "{", 400);
    ask(port, "POST", SOFTMAX, "{\"logits\":[1],\"temperature\":[]}", 400);
    ask(port, "POST", SOFTMAX, "{\"logits\":[1],\"temperature\":[]}", 400);
    ask(port, "POST", GUMBEL, large, 413);
    ask(port, "GET", "/nothing", NULL, 404);
    ask(port, "POST", SOFTMAX, LOGITS, 200);
    http_await_metric(port, "gumbeld_refusals_total{reason=\"not_found\"}", 1);
    ck_assert_int_eq(http_metric(port, "gumbeld_refusals_total{reason=\"malformed_json\"}"), 1);
    ck_assert_int_eq(http_metric(port, "gumbeld_refusals_total{reason=\"empty_array\"}"), 2);
    ck_assert_int_eq(http_metric(port, "gumbeld_refusals_total{reason=\"body_too_large\"}"), 1);
    free(large);
    process_end(&process);
}
END_TEST

/* The names that every client library of Prometheus gives. */
START_TEST(the_process_tells_what_it_takes)
{
    struct process process = process_start("--loops 1");
    const unsigned port = process.port;
    const long long now = time(NULL);
    ck_assert_int_gt(http_metric(port, "process_resident_memory_bytes"), 1 << 20);
    ck_assert_int_gt(http_metric(port, "process_virtual_memory_bytes"),
                     http_metric(port, "process_resident_memory_bytes"));
    ck_assert_int_gt(http_metric(port, "process_max_fds"), http_metric(port, "process_open_fds"));
    ck_assert_int_le(llabs(http_metric(port, "process_start_time_seconds") - now), 30);
    const long long before = http_metric(port, "process_open_fds");
    struct http held = http_open(port);
    http_await_metric(port, "process_open_fds", before + 1);
    http_close(&held);
    process_end(&process);
}
END_TEST

TEST_SUITE("server")
{
    Suite *suite = suite_create("server metrics");

    TCase *counts = tcase_create("counts");
    tcase_set_timeout(counts, 60);
    tcase_add_loop_test(counts, requests_are_counted_by_route_and_status, 1, 3);
    tcase_add_test(counts, bytes_of_answers_are_counted);
    tcase_add_test(counts, refusals_are_counted_by_their_code);
    tcase_add_test(counts, the_process_tells_what_it_takes);
    suite_add_tcase(suite, counts);

    TCase *texts = tcase_create("texts");
    tcase_set_timeout(texts, 60);
    tcase_add_test(texts, the_text_is_what_prometheus_reads);
    tcase_add_test(texts, openmetrics_is_for_those_who_prefer_it);
    suite_add_tcase(suite, texts);

    TCase *times = tcase_create("times");
    tcase_set_timeout(times, 60);
    tcase_add_test(times, durations_are_a_histogram_of_each_calls_route);
    tcase_add_test(times, durations_of_the_inference_protocol_are_by_model);
    tcase_add_test(times, waiting_and_computing_are_histograms);
    suite_add_tcase(suite, times);
    return suite;
}
