/* The limits: connections, silence, requests that wait, and what one may ask for. Whoever meets one is told, and the
 * others are served. */
#define _GNU_SOURCE
#include "lib/http.h"
#include "lib/process.h"
#include "lib/requests.h"
#include "lib/suite.h"

#include "lib/assertions.h"
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define GUMBEL "/v1/gumbel_softmax"
#define BODY "{\"logits\":[[0.5,-1,2.25],[3,1e-3,null]],\"tau\":0.5,\"seed\":11}"

static void check_body_is_answered(struct http *http)
{
    http_post(http, GUMBEL, BODY);
    struct http_response response = http_read(http);
    ck_assert_int_eq(response.status, 200);
    http_free(&response);
}

static void check_live(const struct process *process)
{
    struct http_response response = http_ask(process->port, "GET", "/livez", NULL);
    ck_assert_int_eq(response.status, 200);
    http_free(&response);
}

/* ---- Connections ---- */

static void begin_body(struct http *http)
{
    http_print(http, "POST " GUMBEL " HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n%.9s", strlen(BODY),
               BODY);
}

static void end_body(struct http *http)
{
    http_print(http, "%s", &BODY[9]);
    struct http_response response = http_read(http);
    ck_assert_int_eq(response.status, 200);
    http_free(&response);
}

/* Everybody who is in is in the middle of a request. */
START_TEST(clients_beyond_the_limit_are_served_later)
{
    enum { LIMIT = 4, CLIENTS = 8 };
    struct process process = process_start("--max-connections %d --max-client-connections %d", LIMIT, CLIENTS);
    struct http clients[CLIENTS];
    for (int i = 0; i < LIMIT; i++) {
        clients[i] = http_open(process.port);
        begin_body(&clients[i]);
    }
    for (int i = LIMIT; i < CLIENTS; i++) {
        clients[i] = http_open(process.port);
        http_post(&clients[i], GUMBEL, BODY);
    }
    ck_assert(!http_readable(&clients[LIMIT], 400));
    for (int i = 0; i < LIMIT; i++) {
        end_body(&clients[i]); /* who is in goes on */
        http_close(&clients[i]);
    }
    for (int i = LIMIT; i < CLIENTS; i++) {
        const double begun = process_now_ms();
        struct http_response response = http_read(&clients[i]);
        ck_assert_int_eq(response.status, 200);
        ck_assert_double_lt(process_now_ms() - begun, 3000);
        http_free(&response);
        http_close(&clients[i]);
    }
    process_end(&process);
}
END_TEST

/* One place, and clients that come one after the other for it. */
START_TEST(the_limit_is_passed_many_times)
{
    struct process process = process_start("--max-connections 1");
    for (int i = 0; i < 6; i++) {
        struct http http = http_open(process.port);
        check_body_is_answered(&http);
        http_close(&http);
    }
    process_end(&process);
}
END_TEST

static unsigned open_files(const struct process *process)
{
    char path[64];
    unsigned count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)process->pid);
    DIR *files = opendir(path);
    ck_assert_ptr_nonnull(files);
    while (readdir(files) != NULL)
        count++;
    closedir(files);
    return count - 2; /* "." and ".." */
}

/* A server that may open only a few more files than it has. */
static struct process start_short_of_files(unsigned more)
{
    struct process process = process_start("--drain-timeout-ms 1000");
    check_live(&process); /* all threads have what they need */
    const unsigned most = open_files(&process) + more;
    const struct rlimit few = {most, most};
    ck_assert_int_eq(prlimit(process.pid, RLIMIT_NOFILE, &few, NULL), 0);
    return process;
}

START_TEST(clients_beyond_the_limit_of_files_are_served_later)
{
    enum { MORE = 5, CLIENTS = 12 };
    struct process process = start_short_of_files(MORE);
    struct http clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = http_open(process.port);
        http_post(&clients[i], GUMBEL, BODY);
    }
    for (int i = 0; i < CLIENTS; i++) {
        struct http_response response = http_read(&clients[i]);
        ck_assert_int_eq(response.status, 200);
        http_free(&response);
        http_close(&clients[i]);
    }
    process_end(&process);
}
END_TEST

START_TEST(clients_beyond_the_limit_of_files_do_not_hold_the_end_up)
{
    enum { MORE = 5, CLIENTS = 12 };
    struct process process = start_short_of_files(MORE);
    struct http clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = http_open(process.port);
    check_body_is_answered(&clients[0]);
    const double begun = process_now_ms();
    kill(process.pid, SIGTERM);
    ck_assert_int_eq(process_wait(&process), 0);
    ck_assert_double_lt(process_now_ms() - begun, 6000);
    for (int i = 0; i < CLIENTS; i++)
        http_close(&clients[i]);
    process_close(&process);
}
END_TEST

/* ---- Silence ---- */

START_TEST(a_silent_connection_is_closed)
{
    struct process process = process_start("--idle-timeout-s 1");
    struct http silent = http_open(process.port), used = http_open(process.port);
    const double begun = process_now_ms();
    check_body_is_answered(&silent);
    for (int i = 0; i < 8; i++) {
        process_sleep_ms(150);
        check_body_is_answered(&used);
    }
    ck_assert(http_ends(&silent));
    ck_assert_double_ge(process_now_ms() - begun, 900);
    http_close(&silent);
    http_close(&used);
    process_end(&process);
}
END_TEST

/* A request that is cut short anywhere and a FIN right after it, which the library may overlook. */
START_TEST(half_requests_are_not_kept)
{
    static const char *const halves[] = {
        "",
        "P",
        "POST /v1/soft",
        "POST " GUMBEL " HTTP/1.1\r\n",
        "POST " GUMBEL " HTTP/1.1\r\nHost: localhost\r\nConte",
        "POST " GUMBEL " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n",
        "POST " GUMBEL " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"logits\":[1,",
        "POST " GUMBEL " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n6",
        "POST " GUMBEL " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{\"logits\":[1,",
        "POST " GUMBEL " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"};
    enum { HALVES = sizeof halves / sizeof *halves, TIMES = 5 };
    struct process process = process_start("--head-timeout-s 1 --min-rate-grace-s 1 --loops %d", _i);
    struct http clients[HALVES][TIMES];
    for (int i = 0; i < HALVES; i++)
        for (int j = 0; j < TIMES; j++) {
            clients[i][j] = http_open(process.port);
            http_print(&clients[i][j], "%s", halves[i]);
            http_finish(&clients[i][j]);
        }
    http_await_metric(process.port, "gumbeld_connections", 1);
    http_await_metric(process.port, "gumbeld_requests_in_flight", 1);
    for (int i = 0; i < HALVES; i++)
        for (int j = 0; j < TIMES; j++)
            http_close(&clients[i][j]);
    process_end(&process);
}
END_TEST

/* The client is silent while it waits for its answer, and longer than the timeout. Little is sent either way, and each
 * connection asks once, so that there is no other silence. */
START_TEST(waiting_for_an_answer_is_no_silence)
{
    struct process process = process_start("--idle-timeout-s 1 " REQUESTS_SLOW);
    double seconds = 0;
    for (int samples = 100000; seconds < 2 && samples <= 1000000; samples += samples) {
        char body[8192];
        size_t length = (size_t)sprintf(
            body, "{\"seed\": 7, \"return\": [\"indices\"], \"num_samples\": %d, \"logits\": [0", samples);
        for (int j = 1; j < 1000; j++)
            length += (size_t)sprintf(body + length, ",%d", j % 10);
        strcpy(body + length, "]}");
        char *expected = requests_answer(GUMBEL, body);
        const double start = process_now_ms();
        struct http client = http_open(process.port);
        http_post(&client, GUMBEL, body);
        struct http_response response = http_read(&client);
        seconds = (process_now_ms() - start) / 1e3;
        ck_assert_int_eq(response.status, 200);
        ck_assert_str_eq(response.body, expected);
        http_free(&response);
        http_close(&client);
        free(expected);
    }
    ck_assert_msg(seconds > 1, "no request took longer than the timeout");
    process_end(&process);
}
END_TEST

/* ---- The queue ---- */

static void check_overloaded(const struct http_response *response)
{
    json_decref(http_problem(response, 503, "overloaded"));
    char *seconds = http_field(response, "Retry-After");
    ck_assert_msg(seconds != NULL && strtol(seconds, NULL, 10) > 0, "Retry-After: %s", seconds);
    free(seconds);
}

START_TEST(requests_beyond_the_queue_are_refused)
{
    enum { CLIENTS = 8 };
    struct process process = process_start("--max-queued 1 " REQUESTS_SLOW);
    char *body = requests_gumbel(1250, 1000, 7), *expected = requests_answer(GUMBEL, body);
    struct http clients[CLIENTS];
    int refused = 0;
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = http_open(process.port);
        http_post(&clients[i], GUMBEL, body);
    }
    for (int i = 0; i < CLIENTS; i++) {
        struct http_response response = http_read(&clients[i]);
        if (response.status == 503) {
            check_overloaded(&response);
            refused++;
        } else {
            ck_assert_int_eq(response.status, 200);
            ck_assert_msg(strcmp(response.body, expected) == 0, "a wrong answer");
        }
        http_free(&response);
        check_body_is_answered(&clients[i]); /* a small one does not need the queue */
        http_close(&clients[i]);
    }
    ck_assert_int_gt(refused, 0);
    ck_assert_int_lt(refused, CLIENTS);
    ck_assert_int_eq(http_metric(process.port, "gumbeld_requests_queued"), 0);
    ck_assert_int_eq(http_metric(process.port, "gumbeld_requests_total{route=\"" GUMBEL "\",status=\"503\"}"), refused);
    free(expected);
    free(body);
    process_end(&process);
}
END_TEST

/* Small requests are answered while the workers have much to do. */
START_TEST(small_requests_pass_large_ones)
{
    enum { LARGE = 3 };
    struct process process = process_start(REQUESTS_SLOW);
    char *body = requests_gumbel(1250, 1000, 7);
    struct http large[LARGE], small = http_open(process.port);
    for (int i = 0; i < LARGE; i++) {
        large[i] = http_open(process.port);
        http_post(&large[i], GUMBEL, body);
    }
    int passed = 0;
    while (!http_readable(&large[LARGE - 1], 0)) {
        check_body_is_answered(&small);
        passed++;
    }
    ck_assert_int_gt(passed, 10);
    for (int i = 0; i < LARGE; i++)
        http_close(&large[i]);
    http_close(&small);
    free(body);
    process_end(&process);
}
END_TEST

/* ---- What a request may ask for ---- */

/* The body is taken with the limit, and refused with one less. */
static const struct {
    const char *flag, *path, *body;
    unsigned limit;
} asked[] = {
    {"--max-rows", GUMBEL, BODY, 2},
    {"--max-classes", GUMBEL, BODY, 3},
    {"--max-draws", GUMBEL, "{\"logits\":[1,2],\"num_samples\":5}", 5},
    {"--max-work", GUMBEL, "{\"logits\":[1,2],\"num_samples\":5}", 10},
    {"--max-result-bytes", GUMBEL, BODY, 24},
    {"--max-batch-requests", "/v1/batch",
     "{\"requests\":[{\"function\":\"softmax\",\"body\":{\"logits\":[1]}},"
     "{\"function\":\"softmax\",\"body\":{\"logits\":[2]}}]}",
     2},
};
enum { ASKED = sizeof asked / sizeof *asked };

/* By the loop's thread and by a worker. */
START_TEST(a_limit_is_the_most_that_may_be_asked_for)
{
    const unsigned limit = asked[_i / 2].limit;
    const char *threads = _i % 2 == 0 ? "" : "--inline-max-bytes 0";
    struct process wide = process_start("%s %u %s", asked[_i / 2].flag, limit, threads);
    struct http_response response = http_ask(wide.port, "POST", asked[_i / 2].path, asked[_i / 2].body);
    ck_assert_msg(response.status == 200, "%s", response.body);
    http_free(&response);
    process_end(&wide);
    struct process narrow = process_start("%s %u %s", asked[_i / 2].flag, limit - 1, threads);
    response = http_ask(narrow.port, "POST", asked[_i / 2].path, asked[_i / 2].body);
    json_t *problem = http_problem(&response, 413, "limit_exceeded");
    ck_assert_int_eq(json_integer_value(json_object_get(problem, "limit")), limit - 1);
    json_decref(problem);
    http_free(&response);
    process_end(&narrow);
}
END_TEST

/* ---- Refusals while the body still comes ---- */

static void send_spaces(struct http *http, size_t bytes)
{
    static char spaces[1 << 16];
    memset(spaces, ' ', sizeof spaces);
    for (size_t sent = 0; sent < bytes; sent += sizeof spaces)
        http_send(http, spaces, sizeof spaces);
}

enum { REFUSED_BYTES = 12 << 20 };
#define REFUSES_MUCH "--max-body-bytes 10000000 --loops 1"

static void announce_much(struct http *http)
{
    http_print(http, "POST " GUMBEL " HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", REFUSED_BYTES);
}

static void check_refused(struct http *http)
{
    struct http_response response = http_read(http);
    json_decref(http_problem(&response, 413, "body_too_large"));
    ck_assert(http_says_close(&response));
    http_free(&response);
}

static void send_much(struct http *http)
{
    announce_much(http);
    send_spaces(http, REFUSED_BYTES);
    check_refused(http);
    ck_assert(http_ends(http));
}

/* The answer arrives whole although the client goes on sending, and is not reset for it. */
START_TEST(who_sends_on_is_told_why_it_was_refused)
{
    enum { CLIENTS = 8 };
    char path[64], listen[80];
    snprintf(path, sizeof path, "/tmp/gumbeld-limits-%d.sock", (int)getpid());
    snprintf(listen, sizeof listen, "unix:%s", path);
    struct process process = process_start("--listen %s " REFUSES_MUCH, listen);
    const long long before = http_metric(process.port, "process_open_fds");
    for (int i = 0; i < CLIENTS; i++) {
        struct http http = http_open_at(_i == 0 ? process.address : listen, NULL);
        send_much(&http);
        http_close(&http);
    }
    http_await_metric(process.port, "process_open_fds", before);
    check_live(&process);
    process_end(&process);
}
END_TEST

START_TEST(who_is_refused_and_resets_costs_nothing)
{
    struct process process = process_start(REFUSES_MUCH);
    const long long before = http_metric(process.port, "process_open_fds");
    struct http http = http_open(process.port);
    announce_much(&http);
    check_refused(&http);
    http_reset(&http);
    http_await_metric(process.port, "process_open_fds", before);
    check_live(&process);
    process_end(&process);
}
END_TEST

/* To let a client finish takes a file. Without one, its body is read before it is told, and its connection goes on. */
START_TEST(who_sends_on_is_told_without_a_file_left)
{
    struct process process = process_start(REFUSES_MUCH);
    struct http http = http_open(process.port);
    check_body_is_answered(&http);
    struct rlimit before;
    ck_assert_int_eq(prlimit(process.pid, RLIMIT_NOFILE, NULL, &before), 0);
    const struct rlimit none = {STDERR_FILENO + 1, before.rlim_max};
    ck_assert_int_eq(prlimit(process.pid, RLIMIT_NOFILE, &none, NULL), 0);
    announce_much(&http);
    send_spaces(&http, REFUSED_BYTES);
    struct http_response response = http_read(&http);
    json_decref(http_problem(&response, 413, "body_too_large"));
    http_free(&response);
    check_body_is_answered(&http);
    http_close(&http);
    ck_assert_int_eq(prlimit(process.pid, RLIMIT_NOFILE, &before, NULL), 0);
    check_live(&process);
    process_end(&process);
}
END_TEST

/* Nor is the last answer's, where more follows its request than the daemon reads. */
START_TEST(who_sends_on_after_the_last_request_is_not_reset)
{
    static const char head[] = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    enum { RESET_MS = 300 /* after the end */ };
    char sent[60000]; /* one packet of the loopback, so that all is there when the server looks */
    memset(sent, ' ', sizeof sent);
    memcpy(sent, head, sizeof head - 1);
    struct process process = process_start("--loops 1");
    for (int i = 0; i < 3; i++) {
        struct http http = http_open(process.port);
        http_send(&http, sent, sizeof sent);
        struct http_response response = http_read(&http);
        ck_assert_int_eq(response.status, 200);
        ck_assert(http_ends(&http));
        struct pollfd reset = {.fd = http.fd};
        ck_assert_int_eq(poll(&reset, 1, RESET_MS), 0);
        http_free(&response);
        http_close(&http);
    }
    process_end(&process);
}
END_TEST

/* ---- Memory ---- */

static rlim_t address_space(const struct process *process)
{
    char path[64];
    unsigned long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)process->pid);
    FILE *statm = fopen(path, "r");
    ck_assert_ptr_nonnull(statm);
    ck_assert_int_eq(fscanf(statm, "%lu", &pages), 1);
    fclose(statm);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* A body for which the system gives no memory: that request is refused, the others are served. */
START_TEST(a_body_without_memory_is_refused)
{
    enum { BODY_BYTES = 64 << 20 };
    static const char *const paths[] = {"/v2/models/softmax/infer", GUMBEL};
    struct process process = process_start("--max-body-bytes 2000000000 --loops 1 --workers 1");
    check_live(&process);
    const struct rlimit little = {address_space(&process) + (32 << 20), RLIM_INFINITY};
    ck_assert_int_eq(prlimit(process.pid, RLIMIT_AS, &little, NULL), 0);
    for (int i = 0; i < 2; i++) {
        struct http http = http_open(process.port);
        http_print(&http, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", paths[i], BODY_BYTES);
        send_spaces(&http, BODY_BYTES);
        struct http_response response = http_read(&http);
        json_decref(http_problem(&response, 503, "out_of_memory"));
        ck_assert(http_field_is(&response, "Retry-After", "1"));
        http_free(&response);
        http_close(&http);
    }
    http_await_metric(process.port, "gumbeld_requests_in_flight", 1);
    check_live(&process);
    process_end(&process);
}
END_TEST

TEST_SUITE("server-time")
{
    Suite *suite = suite_create("server limits");

    TCase *connections = tcase_create("connections");
    tcase_set_timeout(connections, 60);
    tcase_add_test(connections, clients_beyond_the_limit_are_served_later);
    tcase_add_test(connections, the_limit_is_passed_many_times);
    tcase_add_test(connections, clients_beyond_the_limit_of_files_are_served_later);
    tcase_add_test(connections, clients_beyond_the_limit_of_files_do_not_hold_the_end_up);
    suite_add_tcase(suite, connections);

    TCase *silence = tcase_create("silence");
    tcase_set_timeout(silence, 120);
    tcase_add_test(silence, a_silent_connection_is_closed);
    tcase_add_loop_test(silence, half_requests_are_not_kept, 1, 3);
    tcase_add_test(silence, waiting_for_an_answer_is_no_silence);
    suite_add_tcase(suite, silence);

    TCase *queue = tcase_create("queue");
    tcase_set_timeout(queue, 120);
    tcase_add_test(queue, requests_beyond_the_queue_are_refused);
    tcase_add_test(queue, small_requests_pass_large_ones);
    suite_add_tcase(suite, queue);

    TCase *asking = tcase_create("asking");
    tcase_set_timeout(asking, 60);
    tcase_add_loop_test(asking, a_limit_is_the_most_that_may_be_asked_for, 0, 2 * ASKED);
    suite_add_tcase(suite, asking);

    TCase *ends = tcase_create("ends");
    tcase_set_timeout(ends, 60);
    tcase_add_loop_test(ends, who_sends_on_is_told_why_it_was_refused, 0, 2);
    tcase_add_test(ends, who_is_refused_and_resets_costs_nothing);
    tcase_add_test(ends, who_sends_on_is_told_without_a_file_left);
    tcase_add_test(ends, who_sends_on_after_the_last_request_is_not_reset);
    suite_add_tcase(suite, ends);

#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__ /* which take more address space than that */
    TCase *memory = tcase_create("memory");
    tcase_add_test(memory, a_body_without_memory_is_refused);
    suite_add_tcase(suite, memory);
#else
    (void)a_body_without_memory_is_refused;
#endif
    return suite;
}
