/* What the server says about itself: metrics and log lines. */
#define _GNU_SOURCE
#include "api.h"
#include "http.h"
#include "log.h"
#include "process.h"
#include "requests.h"
#include "suites.h"

#include "assertions.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SOFTMAX "/v1/softmax"
#define GUMBEL "/v1/gumbel_softmax"
#define LOGITS "{\"logits\":[[1,2,3],[4,5,6]]}"

static void stop(struct process *process)
{
    ck_assert_int_eq(process_stop(process), 0);
}

static void ask(unsigned port, const char *method, const char *path, const char *body, int status)
{
    struct http_response response = http_ask(port, method, path, body);
    ck_assert_msg(response.status == status, "%s %s: %d %s", method, path, response.status, response.body);
    http_free(&response);
}

/* ---- Metrics ---- */

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
    stop(&process);
    process_close(&process);
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
    stop(&process);
    process_close(&process);
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
    stop(&process);
    process_close(&process);
}
END_TEST

static struct http_response ask_metrics(unsigned port, const char *accept)
{
    struct http http = http_open(port);
    http_print(&http, "GET /metrics HTTP/1.1\r\nHost: t\r\nAccept: %s\r\n\r\n", accept);
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
    stop(&process);
    process_close(&process);
}
END_TEST

static long long buckets_below(unsigned port, const char *bound)
{
    char name[96];
    snprintf(name, sizeof name, "gumbeld_request_duration_seconds_bucket{le=\"%s\"}", bound);
    return http_metric(port, name);
}

START_TEST(durations_are_a_histogram)
{
    struct process process = process_start(REQUESTS_SLOW);
    char *body = requests_gumbel(1250, 1000, 3);
    ask(process.port, "POST", GUMBEL, body, 200);
    http_await_metric(process.port, "gumbeld_requests_in_flight", 1);
    const long long fast = buckets_below(process.port, "0.01"), all = buckets_below(process.port, "30");
    ck_assert_int_gt(fast, 0);
    ck_assert_int_gt(all, fast); /* the large one took longer */
    ck_assert_int_ge(buckets_below(process.port, "+Inf"), all);
    free(body);
    stop(&process);
    process_close(&process);
}
END_TEST

/* ---- The log ---- */

/* All lines but the announcement, as an array; each has to be an object with the common members. */
static json_t *log_lines(const struct process *process)
{
    json_t *lines = json_array();
    char *text = process_errors(process), *rest = text;
    ck_assert(*text == '\0' || text[strlen(text) - 1] == '\n');
    for (char *line = strsep(&rest, "\n"); line != NULL && *line != '\0'; line = strsep(&rest, "\n")) {
        if (strncmp(line, "gumbeld: listening on ", 22) == 0)
            continue;
        json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        ck_assert_msg(json_is_object(object), "no JSON: %s", line);
        ck_assert_uint_eq(json_string_length(json_object_get(object, "time")), strlen("2026-01-31T12:00:00.123Z"));
        ck_assert_uint_gt(json_string_length(json_object_get(object, "level")), 0);
        json_array_append_new(lines, object);
    }
    ck_assert_ptr_null(rest == NULL ? NULL : strchr(rest, '\n'));
    free(text);
    return lines;
}

/* The lines about requests alone. */
static json_t *request_lines(const struct process *process)
{
    json_t *all = log_lines(process), *lines = json_array();
    for (size_t i = 0; i < json_array_size(all); i++)
        if (json_object_get(json_array_get(all, i), "method") != NULL)
            json_array_append(lines, json_array_get(all, i));
    json_decref(all);
    return lines;
}

static void check_line(const json_t *line, const char *method, const char *path, int status, size_t bytes_in)
{
    ck_assert_str_eq(json_string_value(json_object_get(line, "method")), method);
    ck_assert_str_eq(json_string_value(json_object_get(line, "path")), path);
    ck_assert_int_eq(json_integer_value(json_object_get(line, "status")), status);
    ck_assert(json_is_true(json_object_get(line, "completed")));
    ck_assert_uint_eq((size_t)json_integer_value(json_object_get(line, "bytes_in")), bytes_in);
    ck_assert(json_is_integer(json_object_get(line, "rows")));
    ck_assert_int_gt(json_integer_value(json_object_get(line, "bytes_out")), 0);
    ck_assert_int_ge(json_integer_value(json_object_get(line, "duration_us")), 0);
}

START_TEST(a_request_has_one_line)
{
    struct process process = process_start("--loops 1");
    struct http http = http_open(process.port);
    http_post(&http, SOFTMAX, LOGITS);
    http_post(&http, GUMBEL, "{");
    http_print(&http, "GET /no/such/path?x=1 HTTP/1.1\r\nHost: t\r\n\r\n");
    http_print(&http, "BREW /livez HTTP/1.1\r\nHost: t\r\n\r\n");
    for (int i = 0; i < 4; i++) {
        struct http_response response = http_read(&http);
        http_free(&response);
    }
    http_close(&http);
    stop(&process);
    json_t *lines = request_lines(&process);
    ck_assert_uint_eq(json_array_size(lines), 4);
    check_line(json_array_get(lines, 0), "POST", SOFTMAX, 200, strlen(LOGITS));
    check_line(json_array_get(lines, 1), "POST", GUMBEL, 400, 1);
    check_line(json_array_get(lines, 2), "GET", "", 404, 0);
    check_line(json_array_get(lines, 3), "other", "/livez", 405, 0);
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(lines, 0), "rows")), 2);
    json_decref(lines);
    process_close(&process);
}
END_TEST

START_TEST(no_line_is_lost_among_thousands)
{
    enum { BATCHES = 50, BATCH = 100 };
    struct process process = process_start("--loops 2");
    struct http clients[2] = {http_open(process.port), http_open(process.port)};
    for (int batch = 0; batch < BATCHES; batch++)
        for (int i = 0; i < 2; i++) {
            for (int j = 0; j < BATCH; j++)
                http_print(&clients[i], "GET /livez HTTP/1.1\r\nHost: t\r\n\r\n");
            for (int j = 0; j < BATCH; j++) {
                struct http_response response = http_read(&clients[i]);
                http_free(&response);
            }
        }
    http_close(&clients[0]);
    http_close(&clients[1]);
    stop(&process);
    json_t *lines = request_lines(&process);
    ck_assert_uint_eq(json_array_size(lines), 2 * BATCHES * BATCH);
    json_decref(lines);
    process_close(&process);
}
END_TEST

/* A client that goes away is in the log too, with what it was owed. */
START_TEST(a_request_that_broke_off_has_one_line)
{
    struct process process = process_start("--loops 1");
    struct http http = http_open(process.port);
    http_print(&http, "POST " SOFTMAX " HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\n{\"log");
    http_await_metric(process.port, "gumbeld_requests_in_flight", 2);
    http_reset(&http);
    http_await_metric(process.port, "gumbeld_requests_in_flight", 1);
    ck_assert_int_eq(http_metric(process.port, "gumbeld_requests_aborted_total"), 1);
    stop(&process);
    json_t *lines = request_lines(&process);
    int broken = 0;
    for (size_t i = 0; i < json_array_size(lines); i++)
        broken += json_is_false(json_object_get(json_array_get(lines, i), "completed"));
    ck_assert_int_eq(broken, 1);
    json_decref(lines);
    process_close(&process);
}
END_TEST

/* Whatever stands in a request, at every level of the log: all lines stay whole. */
START_TEST(nothing_that_a_client_sends_breaks_a_line)
{
    static const char *const requests[] = {
        "GET /\"},{\" HTTP/1.1\r\nHost: t\r\n\r\n",
        "GET /%0a%0d%22%5c%00%ff{\"level\":\"error\"} HTTP/1.1\r\nHost: t\r\n\r\n",
        "GET /\x01\x02\x1b[31m\xff\xfe HTTP/1.1\r\nHost: t\r\n\r\n",
        "G\"E\\T /livez HTTP/1.1\r\nHost: t\r\n\r\n",
        "GET /livez\"\\ HTTP/1.1\"\\\r\nHost: t\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: \"\\\n\r\nUser-Agent: \"\\\x01\xff\r\nX\"\\: \"\r\n\r\n",
        "POST " SOFTMAX " HTTP/1.1\r\nHost: t\r\nContent-Type: \"\\\r\nContent-Length: 2\r\n\r\n\"\\",
        "POST " SOFTMAX " HTTP/1.1\r\nHost: t\r\nContent-Length: \"\\\r\n\r\n",
        "POST " SOFTMAX " HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n\"\\\r\n",
        "\"\\\n\n\"{}\r\n\r\n",
    };
    struct process process = process_start("--loops 1 --idle-timeout-s 1 --log-level debug");
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct http http = http_open(process.port);
        http_send(&http, requests[i], strlen(requests[i]));
        http_finish(&http);
        http_readable(&http, 50);
        http_close(&http);
    }
    http_await_metric(process.port, "gumbeld_connections", 1);
    stop(&process);
    json_t *lines = log_lines(&process);
    ck_assert_uint_gt(json_array_size(lines), 0);
    json_decref(lines);
    process_close(&process);
}
END_TEST

START_TEST(levels_choose_lines)
{
    static const char *const levels[] = {"error", "warning", "info"};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        struct process process = process_start("--log-level %s", levels[i]);
        ask(process.port, "GET", "/livez", NULL, 200);
        stop(&process);
        json_t *lines = log_lines(&process);
        ck_assert_int_eq(json_array_size(lines) > 0, strcmp(levels[i], "info") == 0);
        json_decref(lines);
        process_close(&process);
    }
}
END_TEST

/* ---- The log alone ---- */

/* Opens a log that writes to `file`; *original is what standard error was. */
static struct log *open_log_on(int file, int *original)
{
    *original = dup(STDERR_FILENO);
    ck_assert_int_ge(dup2(file, STDERR_FILENO), 0);
    struct log *log = log_open(LOG_DEBUG);
    ck_assert_ptr_nonnull(log);
    return log;
}

static void restore_standard_error(int original)
{
    dup2(original, STDERR_FILENO);
    close(original);
}

START_TEST(any_text_is_made_a_line)
{
    char every_byte[256], endless[5000];
    for (int i = 0; i < 255; i++)
        every_byte[i] = (char)(i + 1);
    every_byte[255] = '\0';
    memset(endless, '"', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    const char *const texts[] = {"", "plain", "\"},{\"level\":\"error", "\\", "a\nb", every_byte, endless};
    enum { TEXTS = sizeof texts / sizeof *texts };

    const struct process written = {.err = memfd_create("log", MFD_CLOEXEC)};
    int original;
    struct log *log = open_log_on(written.err, &original);
    for (size_t i = 0; i < TEXTS; i++)
        log_message(log, LOG_WARNING, "%s", texts[i]);
    log_close(log);
    restore_standard_error(original);
    json_t *lines = log_lines(&written);
    ck_assert_uint_eq(json_array_size(lines), TEXTS);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(lines, 2), "message")), texts[2]);
    json_decref(lines);
    close(written.err);
}
END_TEST

/* A pipe that has come to a standstill behind the server: lines are dropped and counted, and nobody waits, neither
 * who logs nor who ends. */
START_TEST(nobody_waits_for_a_log_that_is_not_read)
{
    enum { LINES = 100000 };
    int ends[2], original;
    ck_assert_int_eq(pipe(ends), 0);
    struct log *log = open_log_on(ends[1], &original);
    const double begun = process_now_ms();
    for (int i = 0; i < LINES; i++)
        log_request(log, &(struct log_request){.method = "GET", .path = "/livez", .status = 200});
    ck_assert_uint_gt(log_dropped(log), 0);
    log_close(log);
    ck_assert_double_lt(process_now_ms() - begun, 5000);
    restore_standard_error(original);
}
END_TEST

Suite *test_server_records_suite(void)
{
    Suite *suite = suite_create("server records");

    TCase *metrics = tcase_create("metrics");
    tcase_set_timeout(metrics, 60);
    tcase_add_loop_test(metrics, requests_are_counted_by_route_and_status, 1, 3);
    tcase_add_test(metrics, bytes_of_answers_are_counted);
    tcase_add_test(metrics, the_text_is_what_prometheus_reads);
    tcase_add_test(metrics, openmetrics_is_for_those_who_prefer_it);
    tcase_add_test(metrics, durations_are_a_histogram);
    suite_add_tcase(suite, metrics);

    TCase *log = tcase_create("log");
    tcase_set_timeout(log, 60);
    tcase_add_test(log, a_request_has_one_line);
    tcase_add_test(log, no_line_is_lost_among_thousands);
    tcase_add_test(log, a_request_that_broke_off_has_one_line);
    tcase_add_test(log, nothing_that_a_client_sends_breaks_a_line);
    tcase_add_test(log, levels_choose_lines);
    suite_add_tcase(suite, log);

    TCase *log_alone = tcase_create("log alone");
    tcase_set_timeout(log_alone, 15);
    tcase_add_test(log_alone, any_text_is_made_a_line);
    tcase_add_test(log_alone, nobody_waits_for_a_log_that_is_not_read);
    suite_add_tcase(suite, log_alone);
    return suite;
}
