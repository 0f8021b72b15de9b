/* What the log says. */
#define _GNU_SOURCE
#include "api.h"
#include "lib/http.h"
#include "lib/process.h"
#include "lib/requests.h"
#include "lib/suite.h"
#include "log.h"

#include "lib/assertions.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
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

/* ---- Lines ---- */

static bool is_announcement(const json_t *line)
{
    const char *message = json_string_value(json_object_get(line, "message"));
    return message != NULL && strncmp(message, "listening on http://", 20) == 0;
}

/* All lines but the announcement, as an array; each has to be an object with the common members. */
static json_t *log_lines(const struct process *process)
{
    json_t *lines = json_array();
    char *text = process_errors(process), *rest = text;
    ck_assert(*text == '\0' || text[strlen(text) - 1] == '\n');
    for (char *line = strsep(&rest, "\n"); line != NULL && *line != '\0'; line = strsep(&rest, "\n")) {
        json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        ck_assert_msg(json_is_object(object), "no JSON: %s", line);
        ck_assert_uint_eq(json_string_length(json_object_get(object, "time")), strlen("2026-01-31T12:00:00.123Z"));
        ck_assert_uint_gt(json_string_length(json_object_get(object, "level")), 0);
        if (is_announcement(object))
            json_decref(object);
        else
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
    ck_assert_int_eq(strncmp(json_string_value(json_object_get(line, "client")), "127.0.0.1:", 10), 0);
    ck_assert_str_eq(json_string_value(json_object_get(line, "method")), method);
    ck_assert_str_eq(json_string_value(json_object_get(line, "path")), path);
    ck_assert_int_eq(json_integer_value(json_object_get(line, "status")), status);
    ck_assert(json_is_true(json_object_get(line, "completed")));
    ck_assert_uint_eq((size_t)json_integer_value(json_object_get(line, "bytes_in")), bytes_in);
    ck_assert(json_is_integer(json_object_get(line, "rows")));
    ck_assert_int_gt(json_integer_value(json_object_get(line, "bytes_out")), 0);
    ck_assert_int_ge(json_integer_value(json_object_get(line, "duration_us")), 0);
    ck_assert_int_ge(json_integer_value(json_object_get(line, "wait_us")), 0);
    ck_assert_int_ge(json_integer_value(json_object_get(line, "duration_us")),
                     json_integer_value(json_object_get(line, "compute_us")));
}

START_TEST(a_request_has_one_line)
{
    struct process process = process_start("--loops 1");
    struct http http = http_open(process.port);
    http_post(&http, SOFTMAX, LOGITS);
    http_post(&http, GUMBEL, "{");
    http_print(&http, "GET /no/such/path?x=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    http_print(&http, "BREW /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
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
                http_print(&clients[i], "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
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
START_TEST(a_client_on_a_unix_socket_is_its_user)
{
    char address[64], expected[32];
    snprintf(address, sizeof address, "unix:/tmp/gumbeld-records-%d.sock", (int)getpid());
    snprintf(expected, sizeof expected, "unix:uid=%u", (unsigned)geteuid());
    struct process process = process_start("--listen %s", address);
    struct http http = http_open_at(address, NULL);
    http_post(&http, SOFTMAX, LOGITS);
    struct http_response response = http_read(&http);
    ck_assert_int_eq(response.status, 200);
    http_free(&response);
    http_close(&http);
    stop(&process);
    json_t *lines = request_lines(&process);
    ck_assert_uint_eq(json_array_size(lines), 1);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(lines, 0), "client")), expected);
    json_decref(lines);
    process_close(&process);
}
END_TEST

/* What collects the log reads it from its first byte. */
START_TEST(the_first_line_says_where_it_listens)
{
    struct process process = process_start("--log-level error");
    char *text = process_errors(&process), expected[96];
    json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    snprintf(expected, sizeof expected, "listening on http://127.0.0.1:%u", process.port);
    ck_assert_msg(line != NULL, "%s", text);
    ck_assert_str_eq(json_string_value(json_object_get(line, "message")), expected);
    json_decref(line);
    free(text);
    stop(&process);
    process_close(&process);
}
END_TEST

/* A refusal says of which kind it is and of what; a client's member is escaped like all its text. */
START_TEST(a_refusal_says_why)
{
    struct process process = process_start("--loops 1");
    ask(process.port, "POST", SOFTMAX, "{\"logits\":[[1,2],[3]]}", 400);
    ask(process.port, "POST", SOFTMAX, "{\"logits\":[1],\"\\\"\\\\\\n\xc3\xa9\":1}", 400);
    ask(process.port, "GET", "/nothing", NULL, 404);
    ask(process.port, "POST", SOFTMAX, LOGITS, 200);
    stop(&process);
    static const char *const expected[][2] = {
        {"ragged_array", "/logits/1"}, {"unknown_member", "/\"\\?\?\?"}, {"not_found", ""}, {"", ""}};
    json_t *lines = request_lines(&process);
    ck_assert_uint_eq(json_array_size(lines), 4);
    for (size_t i = 0; i < 4; i++) {
        const json_t *line = json_array_get(lines, i);
        const char *problem = json_string_value(json_object_get(line, "problem"));
        const char *pointer = json_string_value(json_object_get(line, "pointer"));
        ck_assert_str_eq(problem != NULL ? problem : "", expected[i][0]);
        ck_assert_str_eq(pointer != NULL ? pointer : "", expected[i][1]);
    }
    json_decref(lines);
    process_close(&process);
}
END_TEST

START_TEST(a_request_that_broke_off_has_one_line)
{
    struct process process = process_start("--loops 1");
    struct http http = http_open(process.port);
    http_print(&http, "POST " SOFTMAX " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"log");
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

/* The kernel has taken some of an answer that nobody reads to its end: what it has got rid of counts. */
START_TEST(an_answer_that_broke_off_says_how_much_went_out)
{
    enum { READ = 300000 };
    char *body = requests_gumbel(1, 1000, 3), *bytes = malloc(READ), *longer;
    ck_assert_int_ge(asprintf(&longer, "{\"num_samples\":2000,%s", body + 1), 0);
    struct process process = process_start("--loops 1");
    struct http http = http_open(process.port);
    for (int i = 0; i < 2; i++) { /* the first answer of a connection does not count for the second */
        http_post(&http, GUMBEL, i == 0 ? body : longer);
        if (i == 0) {
            struct http_response response = http_read(&http);
            http_free(&response);
        }
    }
    ck_assert_int_eq(recv(http.fd, bytes, READ, MSG_WAITALL), READ);
    http_reset(&http);
    http_await_metric(process.port, "gumbeld_requests_aborted_total", 1);
    stop(&process);
    json_t *lines = request_lines(&process);
    const json_t *line = json_array_get(lines, 1);
    const json_int_t sent = json_integer_value(json_object_get(line, "bytes_out"));
    ck_assert(json_is_false(json_object_get(line, "completed")));
    ck_assert_int_ge(sent, READ - 1000);
    ck_assert_int_lt(sent, 15000000); /* of 20 MB */
    json_decref(lines);
    process_close(&process);
    free(body);
    free(longer);
    free(bytes);
}
END_TEST

/* ---- X-Request-Id ---- */

/* What a request with this line in its head is called in its answer, to be freed. */
static char *id_for(struct http *http, const char *line)
{
    http_print(http, "GET /livez HTTP/1.1\r\nHost: localhost\r\n%s\r\n", line);
    struct http_response response = http_read(http);
    char *id = http_field(&response, "X-Request-Id");
    ck_assert_ptr_nonnull(id);
    http_free(&response);
    return id;
}

static void check_in_log(const struct process *process, char *const *ids, size_t count)
{
    json_t *lines = request_lines(process);
    ck_assert_uint_eq(json_array_size(lines), count);
    for (size_t i = 0; i < count; i++)
        ck_assert_str_eq(json_string_value(json_object_get(json_array_get(lines, i), "request_id")), ids[i]);
    json_decref(lines);
}

START_TEST(a_requests_id_is_taken_up_or_made)
{
    char longest[160] = "X-Request-Id: ", too_long[160];
    memset(longest + strlen(longest), 'a', 128);
    snprintf(too_long, sizeof too_long, "%sb\r\n", longest);
    strcat(longest, "\r\n");
    const char *const taken[] = {"X-Request-Id: 7\r\n", "x-request-id: aZ-._~:+/=@9\r\n", longest};
    const char *const refused[] = {"",
                                   "X-Request-Id:\r\n",
                                   "X-Request-Id: a b\r\n",
                                   "X-Request-Id: a\"b\r\n",
                                   "X-Request-Id: \xc3\xa9\r\n",
                                   "X-Request-Id: a\r\nX-Request-Id: a\r\n",
                                   too_long};
    enum { TAKEN = sizeof taken / sizeof *taken, REFUSED = sizeof refused / sizeof *refused };
    struct process process = process_start("--loops 1");
    struct http http = http_open(process.port);
    char *ids[TAKEN + REFUSED];
    for (size_t i = 0; i < TAKEN; i++) {
        ids[i] = id_for(&http, taken[i]);
        ck_assert_int_eq(strncmp(ids[i], strchr(taken[i], ' ') + 1, strlen(ids[i])), 0);
        ck_assert_uint_eq(strlen(ids[i]), strlen(taken[i]) - strlen("X-Request-Id: \r\n"));
    }
    for (size_t i = TAKEN; i < TAKEN + REFUSED; i++) {
        ids[i] = id_for(&http, refused[i - TAKEN]);
        ck_assert_msg(strspn(ids[i], "0123456789abcdef") == 16 && ids[i][16] == '\0', "%s", ids[i]);
        for (size_t j = TAKEN; j < i; j++)
            ck_assert_str_ne(ids[i], ids[j]);
    }
    http_close(&http);
    stop(&process);
    check_in_log(&process, ids, TAKEN + REFUSED);
    for (size_t i = 0; i < TAKEN + REFUSED; i++)
        free(ids[i]);
    process_close(&process);
}
END_TEST

/* ---- What may not break a line ---- */

/* Whatever stands in a request, at every level of the log: all lines stay whole. */
START_TEST(nothing_that_a_client_sends_breaks_a_line)
{
    static const char *const requests[] = {
        "GET /\"},{\" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /%0a%0d%22%5c%00%ff{\"level\":\"error\"} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /\x01\x02\x1b[31m\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "G\"E\\T /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /livez\"\\ HTTP/1.1\"\\\r\nHost: localhost\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: \"\\\n\r\nUser-Agent: \"\\\x01\xff\r\nX\"\\: \"\r\n\r\n",
        "POST " SOFTMAX " HTTP/1.1\r\nHost: localhost\r\nContent-Type: \"\\\r\nContent-Length: 2\r\n\r\n\"\\",
        "POST " SOFTMAX " HTTP/1.1\r\nHost: localhost\r\nContent-Length: \"\\\r\n\r\n",
        "POST " SOFTMAX " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\"\\\r\n",
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
        json_t *lines = request_lines(&process);
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
    enum { LINES = 20000 };
    int ends[2], original;
    ck_assert_int_eq(pipe(ends), 0);
    struct log *log = open_log_on(ends[1], &original);
    const double begun = process_now_ms();
    for (int i = 0; i < LINES; i++)
        log_request(log, &(struct record){.method = "GET", .route = &api_routes[0], .status = 200});
    ck_assert_uint_gt(log_dropped(log), 0);
    log_close(log);
    ck_assert_double_lt(process_now_ms() - begun, 5000);
    restore_standard_error(original);
}
END_TEST

TEST_SUITE("server")
{
    Suite *suite = suite_create("server records");

    TCase *log = tcase_create("log");
    tcase_set_timeout(log, 60);
    tcase_add_test(log, a_request_has_one_line);
    tcase_add_test(log, no_line_is_lost_among_thousands);
    tcase_add_test(log, a_client_on_a_unix_socket_is_its_user);
    tcase_add_test(log, the_first_line_says_where_it_listens);
    tcase_add_test(log, a_refusal_says_why);
    tcase_add_test(log, a_request_that_broke_off_has_one_line);
    tcase_add_test(log, an_answer_that_broke_off_says_how_much_went_out);
    tcase_add_test(log, a_requests_id_is_taken_up_or_made);
    tcase_add_test(log, nothing_that_a_client_sends_breaks_a_line);
    tcase_add_test(log, levels_choose_lines);
    suite_add_tcase(suite, log);

    TCase *log_alone = tcase_create("log alone");
    tcase_set_timeout(log_alone, 60);
    tcase_add_test(log_alone, any_text_is_made_a_line);
    tcase_add_test(log_alone, nobody_waits_for_a_log_that_is_not_read);
    suite_add_tcase(suite, log_alone);
    return suite;
}
