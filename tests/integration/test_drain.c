/* SIGTERM: /readyz fails first, what was begun is answered, then the program ends with status 0. */
#include "address.h"
#include "lib/http.h"
#include "lib/process.h"
#include "lib/requests.h"
#include "lib/suite.h"

#include "lib/assertions.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define GUMBEL "/v1/gumbel_softmax"
#define BODY "{\"logits\":[[0.5,-1,2.25],[3,1e-3,null]],\"tau\":0.5,\"seed\":11}"

static void check_ended(struct process *process)
{
    ck_assert_int_eq(process_wait(process), 0);
    process_close(process);
}

static int ask_status(unsigned port, const char *path)
{
    struct http_response response = http_ask(port, "GET", path, NULL);
    const int status = response.status;
    http_free(&response);
    return status;
}

/* ---- Nothing to wait for ---- */

START_TEST(an_idle_server_ends)
{
    static const int signals[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < 2; i++) {
        struct process process = process_start("--loops 2");
        kill(process.pid, signals[i]);
        check_ended(&process);
    }
}
END_TEST

/* Idle connections are closed, also those that have sent half of a request's head. */
START_TEST(idle_connections_do_not_hold_it_up)
{
    struct process process = process_start("--drain-timeout-ms 60000");
    struct http idle = http_open(process.port), used = http_open(process.port), half = http_open(process.port);
    http_post(&used, GUMBEL, BODY);
    struct http_response response = http_read(&used);
    http_free(&response);
    http_print(&half, "POST " GUMBEL " HTTP/1.1\r\nHost:");
    kill(process.pid, SIGTERM);
    ck_assert(http_ends(&idle));
    ck_assert(http_ends(&used));
    ck_assert(http_ends(&half));
    check_ended(&process);
    http_close(&idle);
    http_close(&used);
    http_close(&half);
}
END_TEST

START_TEST(a_second_signal_ends_it_at_once)
{
    struct process process = process_start("--lame-duck-ms 60000");
    kill(process.pid, SIGTERM);
    while (ask_status(process.port, "/readyz") != 503)
        process_sleep_ms(2);
    kill(process.pid, SIGTERM);
    ck_assert_int_eq(process_wait(&process), -SIGTERM);
    process_close(&process);
}
END_TEST

/* ---- The lame-duck time ---- */

static void check_says_close(struct http *http)
{
    http_post(http, GUMBEL, BODY);
    struct http_response response = http_read(http);
    ck_assert_int_eq(response.status, 200);
    ck_assert(http_says_close(&response));
    ck_assert(http_ends(http));
    http_free(&response);
}

START_TEST(ready_fails_first)
{
    struct process process = process_start("--lame-duck-ms 1000");
    struct http kept = http_open(process.port);
    http_post(&kept, GUMBEL, BODY);
    struct http_response response = http_read(&kept);
    ck_assert(!http_says_close(&response));
    http_free(&response);
    ck_assert_int_eq(ask_status(process.port, "/readyz"), 200);

    const double begun = process_now_ms();
    kill(process.pid, SIGTERM);
    while (ask_status(process.port, "/readyz") == 200)
        ck_assert(process_now_ms() - begun < 1000);
    ck_assert_int_eq(ask_status(process.port, "/readyz"), 503);
    ck_assert_int_eq(ask_status(process.port, "/livez"), 200);
    struct http later = http_open(process.port);
    check_says_close(&later);
    check_says_close(&kept);
    http_close(&later);
    http_close(&kept);
    check_ended(&process);
    ck_assert_double_ge(process_now_ms() - begun, 1000);
}
END_TEST

/* ---- What was begun ---- */

/* On a busy machine a client may take long to read. */
#define PATIENT "--drain-timeout-ms 60000 --max-wait-ms 0 "

static void await_at_least(unsigned port, const char *metric, long long value)
{
    const double begun = process_now_ms();
    while (http_metric(port, metric) < value) {
        ck_assert_msg(process_now_ms() - begun < HTTP_TIMEOUT_MS, "%s stays below %lld", metric, value);
        process_sleep_ms(1);
    }
}

static void check_answer(struct http *http, const char *expected, bool *says_close)
{
    struct http_response response = http_read(http);
    ck_assert_int_eq(response.status, 200);
    ck_assert_msg(strcmp(response.body, expected) == 0, "a wrong answer");
    *says_close = http_says_close(&response);
    http_free(&response);
}

/* Ten megabytes each, more than one worker can compute before the signal comes. */
START_TEST(requests_with_the_workers_are_answered)
{
    enum { CLIENTS = 5 };
    struct process process = process_start("--loops %d " PATIENT REQUESTS_SLOW, _i);
    char *body = requests_gumbel(1250, 1000, 7), *expected = requests_answer(GUMBEL, body);
    struct http clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = http_open(process.port);
        http_post(&clients[i], GUMBEL, body);
    }
    await_at_least(process.port, "gumbeld_requests_queued", 2);
    kill(process.pid, SIGTERM);
    process_sleep_ms(50); /* it is seen before anything is read */
    int told = 0;
    for (int i = 0; i < CLIENTS; i++) {
        bool says_close;
        check_answer(&clients[i], expected, &says_close);
        told += says_close;
    }
    for (int i = 0; i < CLIENTS; i++) { /* also those whose answer was made before the signal */
        ck_assert(http_ends(&clients[i]));
        http_close(&clients[i]);
    }
    ck_assert_int_ge(told, 1);
    check_ended(&process);
    free(expected);
    free(body);
}
END_TEST

/* Whoever is in the middle of a request when the signal comes may finish it. */
START_TEST(a_body_that_is_being_sent_is_waited_for)
{
    struct process process = process_start("--loops %d " PATIENT, _i);
    struct http http = http_open(process.port);
    char *expected = requests_answer(GUMBEL, BODY);
    http_print(&http, "POST " GUMBEL " HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n%.9s", strlen(BODY),
               BODY);
    await_at_least(process.port, "gumbeld_requests_in_flight", 2);
    kill(process.pid, SIGTERM);
    process_sleep_ms(700);
    http_print(&http, "%s", &BODY[9]);
    bool says_close;
    check_answer(&http, expected, &says_close);
    ck_assert(says_close);
    http_close(&http);
    check_ended(&process);
    free(expected);
}
END_TEST

/* The server stands still while clients connect and send, so that the signal overtakes them: their
 * connections are established, and they cannot know. */
START_TEST(who_has_connected_is_answered)
{
    enum { CLIENTS = 200 };
    struct process process = process_start("--loops %d " PATIENT, _i);
    struct http clients[CLIENTS];
    char *expected = requests_answer(GUMBEL, BODY);
    kill(process.pid, SIGSTOP);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = http_open(process.port);
        http_post(&clients[i], GUMBEL, BODY);
    }
    kill(process.pid, SIGTERM);
    kill(process.pid, SIGCONT);
    for (int i = 0; i < CLIENTS; i++) {
        bool says_close;
        check_answer(&clients[i], expected, &says_close);
        http_close(&clients[i]);
    }
    check_ended(&process);
    free(expected);
}
END_TEST

/* Clients that go on asking on the connections they have, as those of a proxy do: each request is answered
 * until an answer says that the connection closes. */
START_TEST(connections_in_use_are_told)
{
    enum { CLIENTS = 40 };
    struct process process = process_start("--loops %d --inline-max-bytes %d --lame-duck-ms 300 " PATIENT, _i,
                                           _i % 2 * 4096);
    struct http clients[CLIENTS];
    char *expected = requests_answer(GUMBEL, BODY);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = http_open(process.port);
    for (int round = 0, open = CLIENTS; open > 0; round++) {
        if (round == 20)
            kill(process.pid, SIGTERM);
        for (int i = 0; i < CLIENTS; i++)
            if (clients[i].fd >= 0)
                http_post(&clients[i], GUMBEL, BODY);
        for (int i = 0; i < CLIENTS; i++) {
            bool says_close;
            if (clients[i].fd < 0)
                continue;
            check_answer(&clients[i], expected, &says_close);
            if (!says_close)
                continue;
            http_close(&clients[i]);
            open--;
        }
        ck_assert_msg(round >= 20 || open == CLIENTS, "told to close before the signal");
    }
    check_ended(&process);
    free(expected);
}
END_TEST

/* ---- Who comes in the meantime ---- */

static bool is_answered(int fd)
{
    static const char request[] = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    static const char expected[] = "HTTP/1.1 200 ";
    char answer[sizeof expected - 1];
    return send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == (ssize_t)sizeof request - 1 &&
           recv(fd, answer, sizeof answer, MSG_WAITALL) == (ssize_t)sizeof answer &&
           memcmp(answer, expected, sizeof answer) == 0;
}

/* Connects and asks until nobody listens any more. The status to exit with: 0 if each connection was answered. */
static int keep_coming(const struct address *address)
{
    for (bool answered = true; answered;) {
        int fd = socket(address->storage.ss_family, SOCK_STREAM, 0);
        if (connect(fd, (const struct sockaddr *)&address->storage, address->length) != 0)
            return errno == ECONNREFUSED || errno == ENOENT ? 0 : 2;
        answered = is_answered(fd);
        close(fd);
    }
    return 1;
}

static pid_t start_coming(const char *text)
{
    struct address address;
    ck_assert(address_parse(text, &address));
    const pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(keep_coming(&address));
    return pid;
}

/* A connection that has been made is answered, whatever the moment. */
START_TEST(nobody_who_comes_is_lost)
{
    enum { ROUNDS = 6, CLIENTS = 4 };
    char socket_flag[64];
    const char *const flags[] = {"--loops 1", "--loops 2", socket_flag};
    snprintf(socket_flag, sizeof socket_flag, "--listen unix:/tmp/gumbeld-test-drain-%d", (int)getpid());
    pid_t clients[CLIENTS];
    for (int round = 0; round < ROUNDS; round++) {
        struct process process = process_start("%s --log-level error " PATIENT, flags[_i]);
        char *address = process_await_address(&process, "listening", _i == 2 ? 2 : 1);
        for (int i = 0; i < CLIENTS; i++)
            clients[i] = start_coming(address);
        process_sleep_ms(100 + 17 * (unsigned)round);
        kill(process.pid, SIGTERM);
        check_ended(&process);
        for (int i = 0; i < CLIENTS; i++) {
            int status;
            ck_assert_int_eq(waitpid(clients[i], &status, 0), clients[i]);
            ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "lost in round %d: %d", round, status);
        }
        free(address);
    }
}
END_TEST

/* ---- What is stuck ---- */

static void stick_in_body(struct http *http)
{
    http_print(http, "POST " GUMBEL " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"logits\":");
}

static void stick_in_chunk(struct http *http)
{
    http_print(http,
               "POST " GUMBEL " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{\"logits\":");
}

/* Does not read its answer, which is far larger than what the sockets hold. */
static void stick_in_answer(struct http *http)
{
    char *body = requests_gumbel(1250, 1000, 7);
    http_post(http, GUMBEL, body);
    free(body);
}

static void (*const ways_to_stick[])(struct http *) = {stick_in_body, stick_in_chunk, stick_in_answer};
enum { WAYS_TO_STICK = sizeof ways_to_stick / sizeof *ways_to_stick };

/* Who comes in the moment before the port closes tries again a second later. */
START_TEST(a_stuck_client_holds_the_end_up_only_so_long)
{
    struct process process = process_start("--drain-timeout-ms 2500");
    struct http http = http_open(process.port);
    ways_to_stick[_i](&http);
    await_at_least(process.port, "gumbeld_requests_in_flight", 2);
    const double begun = process_now_ms();
    kill(process.pid, SIGTERM);
    while (true) {
        struct http late;
        if (!http_try_open(&late, process.port))
            break;
        http_close(&late);
        ck_assert_msg(process_now_ms() - begun < 2000, "new connections are still taken");
        process_sleep_ms(5);
    }
    ck_assert_msg(process_runs(&process), "ended before the timeout");
    ck_assert_int_eq(process_wait(&process), 0);
    const double lasted = process_now_ms() - begun;
    ck_assert_double_ge(lasted, 2500);
    ck_assert_double_lt(lasted, 8000);
    char *err = process_errors(&process);
    ck_assert_msg(strstr(err, "closing with 1 unfinished requests") != NULL, "%s", err);
    free(err);
    process_close(&process);
    http_close(&http);
}
END_TEST

static size_t put_list(char *out, const char *name, size_t count)
{
    size_t used = (size_t)sprintf(out, "\"%s\":[", name);
    for (size_t i = 0; i < count; i++)
        used += (size_t)sprintf(out + used, "%zu,", i % 10);
    return used + (size_t)sprintf(out + used - 1, "],") - 1;
}

/* A thousand million numbers of work. */
static char *work_of_seconds(void)
{
    enum { CLASSES = 16384 };
    char *body = malloc(2 * (2 * CLASSES + 100) + 300);
    size_t used = (size_t)sprintf(body, "{");
    used += put_list(body + used, "logits", CLASSES);
    used += put_list(body + used, "cotangent", CLASSES);
    sprintf(body + used, "\"function\":\"gumbel_softmax\",\"hard\":true,\"estimator\":\"gumbel_rao\","
                         "\"conditional_samples\":65536,\"seed\":1}");
    return body;
}

/* Calls of many seconds are broken off when the time to finish is over, and their clients are told. */
START_TEST(long_calls_hold_the_end_up_only_so_long)
{
    enum { CLIENTS = 6 };
    struct process process = process_start("--workers 1 --drain-timeout-ms 300");
    struct http clients[CLIENTS];
    char *body = work_of_seconds();
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = http_open(process.port);
        http_post(&clients[i], "/v1/vjp", body);
    }
    http_await_metric(process.port, "gumbeld_requests_queued", CLIENTS);
    const double begun = process_now_ms();
    kill(process.pid, SIGTERM);
    for (int i = 0; i < CLIENTS; i++) {
        struct http_response response = http_read(&clients[i]);
        json_decref(http_problem(&response, 503, "overloaded"));
        http_free(&response);
        http_close(&clients[i]);
    }
    check_ended(&process);
    ck_assert_double_lt(process_now_ms() - begun, 4000);
    free(body);
}
END_TEST

TEST_SUITE("server-time")
{
    Suite *suite = suite_create("server drain");

    TCase *idle = tcase_create("idle");
    tcase_set_timeout(idle, 60);
    tcase_add_test(idle, an_idle_server_ends);
    tcase_add_test(idle, idle_connections_do_not_hold_it_up);
    tcase_add_test(idle, a_second_signal_ends_it_at_once);
    tcase_add_test(idle, ready_fails_first);
    tcase_add_test(idle, long_calls_hold_the_end_up_only_so_long);
    suite_add_tcase(suite, idle);

    /* with one loop and with two */
    TCase *begun = tcase_create("begun");
    tcase_set_timeout(begun, 120);
    tcase_add_loop_test(begun, requests_with_the_workers_are_answered, 1, 3);
    tcase_add_loop_test(begun, a_body_that_is_being_sent_is_waited_for, 1, 3);
    tcase_add_loop_test(begun, who_has_connected_is_answered, 1, 3);
    tcase_add_loop_test(begun, connections_in_use_are_told, 1, 3);
    tcase_add_loop_test(begun, nobody_who_comes_is_lost, 0, 3);
    suite_add_tcase(suite, begun);

    TCase *stuck = tcase_create("stuck");
    tcase_set_timeout(stuck, 60);
    tcase_add_loop_test(stuck, a_stuck_client_holds_the_end_up_only_so_long, 0, WAYS_TO_STICK);
    suite_add_tcase(suite, stuck);
    return suite;
}
