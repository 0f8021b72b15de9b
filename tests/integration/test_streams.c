/* Answers as lines of JSON that are sent while they are made. */
#define _GNU_SOURCE
#include "api.h"
#include "lib/http.h"
#include "lib/process.h"
#include "lib/requests.h"
#include "lib/suite.h"

#include "lib/assertions.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define GUMBEL "/v1/gumbel_softmax"
#define LINES "Accept: application/x-ndjson\r\n"
#define BLOCKS "gumbeld_stream_blocks_total"
#define STREAMS "gumbeld_streams"

enum { BLOCK_BYTES = 256 * 1024 };

static void post(struct http *http, const char *path, const char *fields, const char *body)
{
    http_print(http, "POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n", path, fields,
               strlen(body));
    http_send(http, body, strlen(body));
}

static struct http_response ask(unsigned port, const char *path, const char *fields, const char *body)
{
    struct http http = http_open(port);
    post(&http, path, fields, body);
    struct http_response response = http_read(&http);
    http_close(&http);
    return response;
}

/* ---- The lines ---- */

/* The lines as an array; each has to be an object. */
static json_t *lines_of(const char *text, size_t length)
{
    json_t *lines = json_array();
    ck_assert_uint_gt(length, 0);
    ck_assert_int_eq(text[length - 1], '\n');
    for (const char *line = text; line < text + length;) {
        const char *end = strchr(line, '\n');
        json_t *object = json_loadb(line, (size_t)(end - line), JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
        ck_assert_msg(json_is_object(object), "no object: %.80s", line);
        json_array_append_new(lines, object);
        line = end + 1;
    }
    return lines;
}

static const json_t *value_for_row(const json_t *document, const char *name, size_t row)
{
    const json_t *value = json_object_get(document, name);
    return json_is_array(value) ? json_array_get(value, row) : value;
}

static void check_row(const json_t *line, const json_t *document, const char *result, size_t row)
{
    const json_t *rows = json_object_get(document, result), *expected = json_array_get(rows, row);
    if (!json_is_array(expected))
        expected = rows;
    ck_assert_uint_eq((size_t)json_integer_value(json_object_get(line, "row")), row);
    ck_assert(json_equal(json_object_get(line, result), expected));
    if (json_object_get(line, "seed") != NULL)
        ck_assert(json_equal(json_object_get(line, "seed"), value_for_row(document, "seed", row)));
    if (json_object_get(line, "tau") != NULL)
        ck_assert(json_equal(json_object_get(line, "tau"), value_for_row(document, "tau", row)));
}

/* What stands in the first line or in each row's. */
static void check_placed(const json_t *first, const json_t *row, const json_t *document, const char *name)
{
    const json_t *value = json_object_get(document, name);
    const bool per_row = json_is_array(value);
    ck_assert_ptr_eq(json_object_get(per_row ? first : row, name), NULL);
    ck_assert(value == NULL || json_object_get(per_row ? row : first, name) != NULL);
    ck_assert(per_row || value == NULL || json_equal(json_object_get(first, name), value));
}

/* That the lines say what the answer as one document says. */
static void check_lines(const char *text, size_t length, const char *answer, const char *result)
{
    json_t *lines = lines_of(text, length), *document = json_loads(answer, 0, NULL);
    const json_t *first = json_array_get(lines, 0), *shape = json_object_get(document, "shape");
    const size_t rows = json_array_size(shape) == 1 ? 1 : (size_t)json_integer_value(json_array_get(shape, 0));
    ck_assert(json_equal(json_object_get(first, "shape"), shape));
    ck_assert_str_eq(json_string_value(json_object_get(first, "dtype")), "float32");
    ck_assert(json_equal(json_object_get(first, "rng"), json_object_get(document, "rng")) ||
              json_object_get(document, "rng") == NULL);
    ck_assert_uint_eq(json_array_size(lines), rows + 2);
    check_placed(first, json_array_get(lines, 1), document, "seed");
    check_placed(first, json_array_get(lines, 1), document, "tau");
    for (size_t row = 0; row < rows; row++)
        check_row(json_array_get(lines, row + 1), document, result, row);
    json_t *last = json_pack("{sIsb}", "rows", (json_int_t)rows, "complete", 1);
    ck_assert(json_equal(json_array_get(lines, rows + 1), last));
    json_decref(last);
    json_decref(document);
    json_decref(lines);
}

START_TEST(the_lines_say_what_the_document_says)
{
    static const struct {
        const char *path, *result, *body;
    } cases[] = {
        {"/v1/softmax", "probabilities", "{\"logits\":[1,2,3]}"},
        {"/v1/softmax", "probabilities", "{\"logits\":[[1],[2]],\"temperature\":[1,0]}"},
        {"/v1/log_softmax", "log_probabilities", "{\"logits\":[[1,null,3],[4,5,6]]}"},
        {GUMBEL, "samples", "{\"logits\":[[1,2,3],[4,5,6]],\"seed\":7,\"tau\":0.25}"},
        {GUMBEL, "samples", "{\"logits\":[[1,2,3],[4,5,6]],\"seed\":[7,9007199254740991],\"tau\":[0.25,1e-8]}"},
        {GUMBEL, "samples", "{\"logits\":[[1,2,3],[4,5,6]],\"seed\":[7,8],\"hard\":true}"},
    };
    struct process process = process_start("--loops 1 --inline-max-bytes %d", _i * 4096);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *expected = requests_answer(cases[i].path, cases[i].body);
        struct http_response response = ask(process.port, cases[i].path, LINES, cases[i].body);
        ck_assert_int_eq(response.status, 200);
        ck_assert(http_field_is(&response, "Content-Type", "application/x-ndjson"));
        check_lines(response.body, response.length, expected, cases[i].result);
        http_free(&response);
        free(expected);
    }
    process_end(&process);
}
END_TEST

/* Many rows, one row longer than several buffers, and what lies between; several on one connection. */
START_TEST(large_answers_are_streamed_whole)
{
    static const size_t shapes[][2] = {{50000, 3}, {300, 1000}, {3, 70000}, {1, 200000}, {33, 993}};
    struct process process = process_start("--loops %d", _i);
    struct http http = http_open(process.port);
    long long rows = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char *body = requests_gumbel(shapes[i][0], shapes[i][1], 5), *expected = requests_answer(GUMBEL, body);
        post(&http, GUMBEL, LINES, body);
        struct http_response response = http_read(&http);
        check_lines(response.body, response.length, expected, "samples");
        http_free(&response);
        free(expected);
        free(body);
        rows += (long long)shapes[i][0];
    }
    http_await_metric(process.port, STREAMS, 0);
    http_await_metric(process.port, "gumbeld_rows_total", rows);
    ck_assert_int_eq(http_metric(process.port, "gumbeld_requests_aborted_total"), 0);
    ck_assert_int_eq(http_metric(process.port, "gumbeld_requests_queued"), 0);
    http_close(&http);
    process_end(&process);
}
END_TEST

/* The text does not depend on where the buffers end. */
START_TEST(any_buffer_gives_the_same_text)
{
    char *body = requests_gumbel(40, 700, 5), *texts[3];
    static const size_t sizes[] = {API_STREAM_LEAST, API_STREAM_LEAST + 1, 1000000};
    struct api_request request = {.length = strlen(body), .accept = API_NDJSON};
    char *padded = calloc(1, request.length + API_BODY_PADDING);
    memcpy(padded, body, request.length);
    request.body = padded;
    ck_assert_int_eq(api_route_find("POST", GUMBEL, &request.route, NULL), 0);
    for (size_t i = 0; i < 3; i++) {
        struct api_stream *stream;
        char *buffer = malloc(sizes[i]);
        size_t length = 0, more;
        texts[i] = calloc(1, 1000000);
        ck_assert_int_eq(api_stream_open(&request, &stream, NULL), 0);
        while ((more = api_stream_next(stream, buffer, sizes[i])) > 0) {
            ck_assert_uint_le(more, sizes[i]);
            memcpy(texts[i] + length, buffer, more);
            length += more;
        }
        ck_assert_uint_eq(api_stream_rows(stream), 40);
        ck_assert_uint_eq(api_stream_next(stream, buffer, sizes[i]), 0);
        api_stream_close(stream);
        free(buffer);
        ck_assert_str_eq(texts[i], texts[0]);
    }
    for (size_t i = 0; i < 3; i++)
        free(texts[i]);
    free(padded);
    free(body);
}
END_TEST

START_TEST(an_old_client_gets_lines_until_the_connection_ends)
{
    struct process process = process_start("--loops 1");
    struct http http = http_open(process.port);
    const char *body = "{\"logits\":[[1,2],[3,4]]}";
    http_print(&http, "POST /v1/softmax HTTP/1.0\r\n" LINES "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
    struct http_response response = http_read_to_end(&http);
    ck_assert_int_eq(response.status, 200);
    char *expected = requests_answer("/v1/softmax", body);
    check_lines(response.body, response.length, expected, "probabilities");
    http_free(&response);
    free(expected);
    http_close(&http);
    process_end(&process);
}
END_TEST

/* ---- Which form ---- */

START_TEST(accept_chooses_the_form)
{
    static const struct {
        const char *fields;
        int status;
        const char *type;
    } cases[] = {
        {"", 200, "application/json"},
        {"Accept: */*\r\n", 200, "application/json"},
        {"Accept: application/*\r\n", 200, "application/json"},
        {"Accept: application/json, application/x-ndjson\r\n", 200, "application/json"},
        {"Accept: application/x-ndjson, application/json\r\n", 200, "application/json"},
        {"Accept: application/x-ndjson, application/json;q=0.9\r\n", 200, API_NDJSON},
        {"Accept: application/x-ndjson, */*;q=0.1\r\n", 200, API_NDJSON},
        {"Accept: Application/X-NDJSON ; q=0.2, text/html\r\n", 200, API_NDJSON},
        {"Accept: application/json;q=0, */*\r\n", 200, API_NDJSON},
        {"Accept: application/*;q=0.3, application/json;q=0.2\r\n", 200, API_NDJSON},
        {"Accept: application/x-ndjson;q=0, */*\r\n", 200, "application/json"},
        {"Accept: application/x-ndjson;q=0\r\n", 406, "application/problem+json"},
        {"Accept: text/*\r\n", 406, "application/problem+json"},
        {"Accept: */*;q=0\r\n", 406, "application/problem+json"},
        {LINES "Content-Type: text/plain\r\n", 415, "application/problem+json"},
    };
    struct process process = process_start("--loops 1");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_response response = ask(process.port, "/v1/softmax", cases[i].fields, "{\"logits\":[1,2]}");
        ck_assert_msg(response.status == cases[i].status, "%s%d", cases[i].fields, response.status);
        ck_assert_msg(http_field_is(&response, "Content-Type", cases[i].type), "%s%s", cases[i].fields, response.head);
        http_free(&response);
    }
    process_end(&process);
}
END_TEST

/* ---- Problems ---- */

START_TEST(a_problem_before_the_first_line_is_the_answer)
{
    struct process process = process_start("--loops 1");
    struct http http = http_open(process.port);
    for (int i = 0; i < 3; i++) {
        post(&http, "/v1/softmax", LINES, i == 0 ? "{\"logits\":[[1,2],[null,null]]}" : "{\"logits\":[");
        struct http_response response = http_read(&http);
        json_decref(http_problem(&response, i == 0 ? 422 : 400, i == 0 ? "invalid_row" : "malformed_json"));
        http_free(&response);
    }
    http_await_metric(process.port, STREAMS, 0);
    http_close(&http);
    process_end(&process);
}
END_TEST

/* A row without an answer far behind: the rows before its block have come, and the last line is the problem. */
START_TEST(a_problem_further_on_is_the_last_line)
{
    enum { ROWS = 40000 };
    char *body = malloc(ROWS * 8 + 64), *out = body + sprintf(body, "{\"logits\":[");
    for (int row = 0; row < ROWS; row++)
        out += sprintf(out, "[1,2],");
    sprintf(out, "[null,null],[1,2]]}");
    struct process process = process_start("--loops 1");
    struct http_response response = ask(process.port, "/v1/softmax", LINES, body);
    ck_assert_int_eq(response.status, 200);
    json_t *lines = lines_of(response.body, response.length);
    const size_t count = json_array_size(lines);
    const json_t *last = json_array_get(lines, count - 1), *row = json_array_get(lines, count - 2);
    ck_assert_str_eq(json_string_value(json_object_get(last, "code")), "invalid_row");
    ck_assert_str_eq(json_string_value(json_object_get(last, "pointer")), "/logits/40000");
    ck_assert_int_eq(json_integer_value(json_object_get(row, "row")), (json_int_t)count - 3);
    ck_assert_uint_gt(count, 1000);
    json_decref(lines);
    http_free(&response);
    free(body);
    process_end(&process);
}
END_TEST

/* ---- Clients ---- */

/* The value of the metric once it has not changed for a while. */
static long long settled(unsigned port, const char *name)
{
    long long value = -1, next = http_metric(port, name);
    for (int same = 0; same < 10; same = next == value ? same + 1 : 0) {
        value = next;
        process_sleep_ms(50);
        next = http_metric(port, name);
    }
    return value;
}

/* 15 MB of lines. */
static char *long_request(void)
{
    return requests_gumbel(1200, 1000, 7);
}
enum { LONG_BLOCKS = 50 }; /* at least */

static void read_whole(struct http *http)
{
    struct http_response response = http_read(http);
    http_free(&response);
}

/* One that does not read is sent what the sockets hold, and one buffer waits; then it reads on. */
START_TEST(a_client_that_stops_reading_stops_the_work)
{
    struct process process = process_start("--loops 1");
    char *body = long_request(), *expected = requests_answer(GUMBEL, body);
    struct http http = http_open(process.port);
    post(&http, GUMBEL, LINES, body);
    ck_assert(http_readable(&http, HTTP_TIMEOUT_MS));
    const long long blocks = settled(process.port, BLOCKS);
    ck_assert_int_gt(blocks, 0);
    ck_assert_int_lt(blocks, LONG_BLOCKS);
    ck_assert_int_eq(http_metric(process.port, "gumbeld_requests_queued"), 0);
    struct http_response response = http_read(&http);
    check_lines(response.body, response.length, expected, "samples");
    http_await_metric(process.port, STREAMS, 0);
    ck_assert_int_ge(http_metric(process.port, BLOCKS), LONG_BLOCKS);
    http_free(&response);
    http_close(&http);
    free(expected);
    free(body);
    process_end(&process);
}
END_TEST

START_TEST(a_client_that_leaves_ends_the_work)
{
    struct process process = process_start("--loops 1");
    char *body = long_request();
    long long before = 0;
    for (int i = 0; i < 6; i++) {
        struct http http = http_open(process.port);
        post(&http, GUMBEL, LINES, body);
        if (i % 2 == 0)
            http_readable(&http, HTTP_TIMEOUT_MS);
        if (i < 3)
            http_reset(&http);
        else
            http_close(&http);
        http_await_metric(process.port, STREAMS, 0);
        http_await_metric(process.port, "gumbeld_requests_in_flight", 1);
        const long long blocks = settled(process.port, BLOCKS);
        ck_assert_int_lt(blocks - before, LONG_BLOCKS);
        before = blocks;
    }
    free(body);
    process_end(&process);
}
END_TEST

/* Silent for longer than is allowed in the middle of an answer. */
START_TEST(a_client_that_never_reads_is_silent)
{
    struct process process = process_start("--idle-timeout-s 1");
    char *body = long_request();
    struct http http = http_open(process.port);
    post(&http, GUMBEL, LINES, body);
    http_await_metric(process.port, STREAMS, 1);
    http_await_metric(process.port, STREAMS, 0);
    http_close(&http);
    free(body);
    process_end(&process);
}
END_TEST

START_TEST(streams_beyond_the_limit_are_refused)
{
    struct process process = process_start("--max-streams 2");
    char *body = long_request();
    struct http streams[2] = {http_open(process.port), http_open(process.port)};
    for (int i = 0; i < 2; i++)
        post(&streams[i], GUMBEL, LINES, body);
    http_await_metric(process.port, STREAMS, 2);
    struct http_response response = ask(process.port, GUMBEL, LINES, "{\"logits\":[1]}");
    json_decref(http_problem(&response, 503, "overloaded"));
    ck_assert(http_field_is(&response, "Retry-After", "1"));
    http_free(&response);
    response = ask(process.port, GUMBEL, "", body); /* as one document it does not count */
    ck_assert_int_eq(response.status, 200);
    http_free(&response);
    for (int i = 0; i < 2; i++) {
        read_whole(&streams[i]);
        http_close(&streams[i]);
    }
    http_await_metric(process.port, STREAMS, 0);
    response = ask(process.port, GUMBEL, LINES, "{\"logits\":[1]}");
    ck_assert_int_eq(response.status, 200);
    http_free(&response);
    free(body);
    process_end(&process);
}
END_TEST

/* Eight streams that are read as fast as they come, one worker: other requests for that worker come between. One that
 * had to wait for the streams would find none of them left. */
START_TEST(streams_do_not_starve_other_requests)
{
    enum { CLIENTS = 8 };
    struct process process = process_start("--workers 1 --inline-max-bytes 0");
    char *body = long_request();
    pid_t readers[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        readers[i] = fork();
        if (readers[i] == 0) {
            struct http http = http_open(process.port);
            post(&http, GUMBEL, LINES, body);
            read_whole(&http);
            _exit(0);
        }
    }
    while (http_metric(process.port, STREAMS) < CLIENTS)
        process_sleep_ms(1);
    int between = 0;
    for (long long left = CLIENTS; left == CLIENTS;) {
        struct http_response response = ask(process.port, "/v1/softmax", "", "{\"logits\":[1,2]}");
        ck_assert_int_eq(response.status, 200);
        http_free(&response);
        left = http_metric(process.port, STREAMS);
        between += left > 0;
    }
    ck_assert_int_gt(between, 0);
    for (int i = 0; i < CLIENTS; i++)
        ck_assert_int_eq(waitpid(readers[i], NULL, 0), readers[i]);
    free(body);
    process_end(&process);
}
END_TEST

/* ---- The end ---- */

START_TEST(a_stream_is_waited_for)
{
    struct process process = process_start("--loops %d --drain-timeout-ms 60000", _i);
    char *body = long_request(), *expected = requests_answer(GUMBEL, body);
    struct http http = http_open(process.port);
    post(&http, GUMBEL, LINES, body);
    http_await_metric(process.port, STREAMS, 1);
    kill(process.pid, SIGTERM);
    process_sleep_ms(500);
    ck_assert(process_runs(&process));
    struct http_response response = http_read(&http);
    check_lines(response.body, response.length, expected, "samples");
    http_free(&response);
    http_close(&http);
    ck_assert_int_eq(process_wait(&process), 0);
    process_close(&process);
    free(expected);
    free(body);
}
END_TEST

/* Takes what the sockets hold every few milliseconds, far too slowly. Whether the last line came. */
static bool read_slowly(struct http *http)
{
    char bytes[32768];
    ssize_t length;
    bool complete = false;
    while ((length = recv(http->fd, bytes, sizeof bytes - 1, 0)) > 0) {
        bytes[length] = '\0';
        complete |= strstr(bytes, "complete") != NULL;
        process_sleep_ms(10);
    }
    return complete;
}

/* Clients that read slowly and some that do not read at all are cut off when the time is over. */
START_TEST(a_stream_is_cut_off_when_the_time_is_over)
{
    enum { CLIENTS = 6, READERS = 3 };
    struct process process = process_start("--workers 1 --drain-timeout-ms 400");
    char *body = long_request();
    struct http clients[CLIENTS];
    pid_t readers[READERS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = http_open(process.port);
        post(&clients[i], GUMBEL, LINES, body);
        if (i < READERS && (readers[i] = fork()) == 0)
            _exit(read_slowly(&clients[i]));
    }
    http_await_metric(process.port, STREAMS, CLIENTS);
    const double begun = process_now_ms();
    kill(process.pid, SIGTERM);
    ck_assert_int_eq(process_wait(&process), 0);
    ck_assert_double_ge(process_now_ms() - begun, 400);
    ck_assert_double_lt(process_now_ms() - begun, 6000);
    for (int i = 0; i < CLIENTS; i++)
        http_close(&clients[i]);
    for (int i = 0; i < READERS; i++) {
        int status;
        ck_assert_int_eq(waitpid(readers[i], &status, 0), readers[i]);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the whole stream came");
    }
    process_close(&process);
    free(body);
}
END_TEST

TEST_SUITE("server-time")
{
    Suite *suite = suite_create("server streams");

    TCase *lines = tcase_create("lines");
    tcase_set_timeout(lines, 120);
    tcase_add_loop_test(lines, the_lines_say_what_the_document_says, 0, 2);
    tcase_add_loop_test(lines, large_answers_are_streamed_whole, 1, 3);
    tcase_add_test(lines, any_buffer_gives_the_same_text);
    tcase_add_test(lines, an_old_client_gets_lines_until_the_connection_ends);
    tcase_add_test(lines, accept_chooses_the_form);
    tcase_add_test(lines, a_problem_before_the_first_line_is_the_answer);
    tcase_add_test(lines, a_problem_further_on_is_the_last_line);
    suite_add_tcase(suite, lines);

    TCase *clients = tcase_create("clients");
    tcase_set_timeout(clients, 120);
    tcase_add_test(clients, a_client_that_stops_reading_stops_the_work);
    tcase_add_test(clients, a_client_that_leaves_ends_the_work);
    tcase_add_test(clients, a_client_that_never_reads_is_silent);
    tcase_add_test(clients, streams_beyond_the_limit_are_refused);
    tcase_add_test(clients, streams_do_not_starve_other_requests);
    suite_add_tcase(suite, clients);

    TCase *end = tcase_create("end");
    tcase_set_timeout(end, 120);
    tcase_add_loop_test(end, a_stream_is_waited_for, 1, 3);
    tcase_add_test(end, a_stream_is_cut_off_when_the_time_is_over);
    suite_add_tcase(suite, end);
    return suite;
}
