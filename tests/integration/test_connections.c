/* Who holds a connection without making progress is cut off, and counted; who is slow but not too slow is not. Where
 * places are short, idle connections make room. */
#define _GNU_SOURCE
#include "lib/http.h"
#include "lib/process.h"
#include "lib/requests.h"
#include "lib/suite.h"

#include "lib/assertions.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GUMBEL "/v1/gumbel_softmax"
#define BODY "{\"logits\":[[0.5,-1,2.25],[3,1e-3,null]],\"tau\":0.5,\"seed\":11}"
#define HEAD "POST " GUMBEL " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
#define CLOSED(reason) "gumbeld_connections_closed_total{reason=\"" reason "\"}"
#define HASTY "--head-timeout-s 1 --min-rate-grace-s 1 "

static void check_answered(struct http *http)
{
    http_post(http, GUMBEL, BODY);
    struct http_response response = http_read(http);
    ck_assert_int_eq(response.status, 200);
    http_free(&response);
}

/* Whether it was sent whole, a byte each `step_ms`, before the server had anything to say. */
static bool drip(struct http *http, const char *text, unsigned step_ms)
{
    for (; *text != '\0'; text++)
        if (!http_try_send(http, text, 1) || http_readable(http, (int)step_ms))
            return false;
    return true;
}

static void check_too_late(struct http *http)
{
    struct http_response response = http_read(http);
    json_decref(http_problem(&response, 408, "too_slow"));
    ck_assert(http_says_close(&response));
    ck_assert(http_ends(http));
    http_free(&response);
}

/* It is counted, and logged with the client. */
static void check_cut_off(const struct process *process, const char *metric, const char *reason)
{
    char line[64];
    const double begun = process_now_ms();
    http_await_metric(process->port, metric, 1);
    snprintf(line, sizeof line, ": %s\"", reason);
    for (bool found = false; !found; process_sleep_ms(5)) {
        char *err = process_errors(process);
        const char *closed = strstr(err, "closed the connection of 127.0.0.1:");
        found = closed != NULL && strstr(closed, line) != NULL;
        ck_assert_msg(process_now_ms() - begun < HTTP_TIMEOUT_MS, "%s is not logged", reason);
        free(err);
    }
}

/* ---- Heads ---- */

#define LONG_HEAD HEAD "X-Long: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n\r\n"

START_TEST(a_head_that_drips_is_cut_off)
{
    struct process process = process_start(HASTY);
    struct http http = http_open(process.port);
    if (_i == 1) /* not the first one of its connection */
        check_answered(&http);
    process_sleep_ms(100);
    const double begun = process_now_ms();
    ck_assert(!drip(&http, LONG_HEAD, 100));
    const double lasted = process_now_ms() - begun;
    ck_assert_double_ge(lasted, 900);
    ck_assert_double_lt(lasted, 5000);
    check_too_late(&http);
    check_cut_off(&process, CLOSED("head_timeout"), "head_timeout");
    http_close(&http);
    process_end(&process);
}
END_TEST

/* A part of a head, and then nothing. */
START_TEST(a_head_that_stops_is_cut_off)
{
    struct process process = process_start(HASTY);
    struct http http = http_open(process.port);
    http_print(&http, "POST /v1/soft");
    check_too_late(&http);
    check_cut_off(&process, CLOSED("head_timeout"), "head_timeout");
    http_close(&http);
    process_end(&process);
}
END_TEST

START_TEST(a_large_head_that_is_not_whole_is_cut_off)
{
    char head[20000];
    memset(head, 'a', sizeof head);
    memcpy(head, "GET /livez HTTP/1.1\r\nX: ", 24);
    struct process process = process_start("--head-timeout-s 8");
    struct http large = http_open(process.port), small = http_open(process.port);
    http_send(&large, head, sizeof head);
    http_send(&small, head, sizeof head - 5000);
    struct http_response response = http_read(&large);
    ck_assert_int_eq(response.status, 431);
    http_free(&response);
    ck_assert(http_ends(&large));
    ck_assert(!http_readable(&small, 0));
    check_cut_off(&process, CLOSED("head_too_large"), "head_too_large");
    http_close(&large);
    http_close(&small);
    process_end(&process);
}
END_TEST

START_TEST(who_sends_no_head_at_all_is_left_alone)
{
    struct process process = process_start(HASTY);
    struct http fresh = http_open(process.port), kept = http_open(process.port), slow = http_open(process.port);
    check_answered(&kept);
    ck_assert(drip(&slow, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r", 15));
    ck_assert(!http_readable(&fresh, 3000));
    ck_assert(!http_readable(&kept, 0));
    check_answered(&fresh);
    check_answered(&kept);
    http_close(&fresh);
    http_close(&kept);
    http_close(&slow);
    process_end(&process);
}
END_TEST

/* Of a UNIX socket it is not known when a byte came, only that the connection is neither silent nor asks anything. */
START_TEST(a_head_that_drips_from_a_unix_socket_is_cut_off)
{
    char folder[] = "/tmp/gumbeld-test-XXXXXX", address[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(address, sizeof address, "unix:%s/socket", folder);
    struct process process = process_start(HASTY "--idle-timeout-s 1 --listen %s", address);
    free(process_await_address(&process, "listening", 2));
    struct http http = http_open_at(address, NULL);
    const double begun = process_now_ms();
    ck_assert(!drip(&http, LONG_HEAD, 100));
    ck_assert_double_lt(process_now_ms() - begun, 6000);
    check_too_late(&http);
    http_close(&http);
    process_end(&process);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* ---- Bodies ---- */

static const char *const slow_bodies[] = {HEAD "Content-Length: 400\r\n\r\n",
                                          HEAD "Transfer-Encoding: chunked\r\n\r\n190\r\n"};

START_TEST(a_body_that_drips_is_cut_off)
{
    char blanks[201];
    struct process process = process_start(HASTY);
    struct http http = http_open(process.port);
    memset(blanks, ' ', sizeof blanks);
    blanks[sizeof blanks - 1] = '\0';
    http_print(&http, "%s", slow_bodies[_i]);
    const double begun = process_now_ms();
    ck_assert(!drip(&http, blanks, 50));
    const double lasted = process_now_ms() - begun;
    ck_assert_double_ge(lasted, 900);
    ck_assert_double_lt(lasted, 5000);
    check_too_late(&http);
    check_cut_off(&process, CLOSED("slow_body"), "slow_body");
    http_await_metric(process.port, "gumbeld_requests_in_flight", 1);
    http_close(&http);
    process_end(&process);
}
END_TEST

/* Three times the rate, over several times the time of grace. */
START_TEST(a_body_at_the_rate_is_taken)
{
    char blanks[301];
    struct process process = process_start(HASTY "--min-rate-bytes-per-s 1000");
    struct http http = http_open(process.port);
    memset(blanks, ' ', sizeof blanks);
    http_print(&http, HEAD "Content-Length: %zu\r\n\r\n", 40 * (sizeof blanks - 1) + strlen(BODY));
    for (int i = 0; i < 40; i++) {
        http_print(&http, "%.*s", (int)sizeof blanks - 1, blanks);
        process_sleep_ms(100);
    }
    http_print(&http, BODY);
    struct http_response response = http_read(&http);
    ck_assert_int_eq(response.status, 200);
    http_free(&response);
    http_close(&http);
    process_end(&process);
}
END_TEST

START_TEST(a_rate_of_zero_is_none)
{
    struct process process = process_start(HASTY "--min-rate-bytes-per-s 0");
    struct http http = http_open(process.port);
    http_print(&http, HEAD "Content-Length: %zu\r\n\r\n", strlen(BODY));
    ck_assert(!http_readable(&http, 3500));
    http_print(&http, BODY);
    struct http_response response = http_read(&http);
    ck_assert_int_eq(response.status, 200);
    http_free(&response);
    http_close(&http);
    process_end(&process);
}
END_TEST

/* ---- Readers ---- */

/* Ten megabytes, or a stream of as much; more than the sockets hold. */
static void ask_for_much(struct http *http, bool streams)
{
    char *body = requests_gumbel(1250, 1000, 7);
    const int little = 16384;
    setsockopt(http->fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    http_print(http, HEAD "%sContent-Length: %zu\r\n\r\n%s", streams ? "Accept: application/x-ndjson\r\n" : "",
               strlen(body), body);
    free(body);
}

/* Reads up to `length` bytes each 50 ms for some time, or to the end of the connection. */
static size_t read_slowly(struct http *http, size_t length, unsigned milliseconds)
{
    static char buffer[1 << 20];
    const double begun = process_now_ms();
    size_t total = 0;
    while (process_now_ms() - begun < milliseconds) {
        const ssize_t got = recv(http->fd, buffer, length, MSG_DONTWAIT);
        total += got > 0 ? (size_t)got : 0;
        process_sleep_ms(50);
    }
    return total;
}

/* Nothing read at all; and a hundred bytes a second. */
START_TEST(a_reader_that_does_not_read_is_cut_off)
{
    struct process process = process_start(HASTY "--min-rate-bytes-per-s 20000");
    struct http http = http_open(process.port);
    ask_for_much(&http, _i & 1);
    ck_assert(http_readable(&http, HTTP_TIMEOUT_MS));
    if (_i & 2)
        read_slowly(&http, 5, 4000);
    check_cut_off(&process, CLOSED("slow_reader"), "slow_reader");
    http_await_metric(process.port, "gumbeld_requests_in_flight", 1);
    http_close(&http);
    process_end(&process);
}
END_TEST

START_TEST(a_reader_at_the_rate_is_left_alone)
{
    struct process process = process_start(HASTY "--min-rate-bytes-per-s 20000");
    struct http http = http_open(process.port);
    ask_for_much(&http, _i);
    ck_assert(http_readable(&http, HTTP_TIMEOUT_MS));
    ck_assert_uint_gt(read_slowly(&http, 8192, 5000), 300000);
    ck_assert_int_eq(http_metric(process.port, CLOSED("slow_reader")), 0);
    ck_assert_int_eq(http_metric(process.port, "gumbeld_requests_in_flight"), 2);
    http_close(&http);
    process_end(&process);
}
END_TEST

START_TEST(a_reader_of_a_unix_socket_that_does_not_read_is_cut_off)
{
    char folder[] = "/tmp/gumbeld-test-XXXXXX", address[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(address, sizeof address, "unix:%s/socket", folder);
    struct process process = process_start(HASTY "--min-rate-bytes-per-s 1000000 --listen %s", address);
    free(process_await_address(&process, "listening", 2));
    struct http http = http_open_at(address, NULL);
    ask_for_much(&http, false);
    http_await_metric(process.port, CLOSED("slow_reader"), 1);
    http_close(&http);
    process_end(&process);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* ---- Places ---- */

static struct http open_from(const struct process *process, const char *source)
{
    return http_open_at(process->address, source);
}

/* So that all are idle in the order in which they have come. */
static void open_idle(const struct process *process, struct http *clients, int count, const char *source)
{
    for (int i = 0; i < count; i++) {
        clients[i] = open_from(process, source);
        check_answered(&clients[i]);
    }
}

/* Connections of one address, idle, half of a head, or nothing sent: somebody else comes in, and somebody from there.
 */
START_TEST(idle_connections_make_room)
{
    enum { LIMIT = 6 };
    static const char *const sent[] = {"", "POST /v1/so", "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"};
    static const char *const sources[] = {"127.0.0.2:0", "127.0.0.3:0"};
    struct process process = process_start("--max-connections %d --max-client-connections %d", LIMIT, LIMIT);
    struct http crowd[LIMIT];
    for (int i = 0; i < LIMIT; i++) {
        crowd[i] = open_from(&process, "127.0.0.2:0");
        http_print(&crowd[i], "%s", sent[_i / 2]);
    }
    process_sleep_ms(300);
    struct http good = open_from(&process, sources[_i % 2]);
    const double begun = process_now_ms();
    for (int i = 0; i < 5; i++)
        check_answered(&good);
    ck_assert_double_lt(process_now_ms() - begun, 2000);
    http_close(&good);
    for (int i = 0; i < LIMIT; i++)
        http_close(&crowd[i]);
    http_await_metric(process.port, CLOSED("evicted"), 1);
    process_end(&process);
}
END_TEST

/* Not the one that has been idle longest of all, which is somebody else's only one. */
START_TEST(who_has_the_most_connections_gives_one_up)
{
    struct process process = process_start("--max-connections 6 --max-client-connections 6");
    struct http small[2], large[4];
    open_idle(&process, small, 2, "127.0.0.2:0");
    open_idle(&process, large, 4, "127.0.0.3:0");
    process_sleep_ms(300);
    struct http good = open_from(&process, "127.0.0.4:0");
    check_answered(&good);
    ck_assert(http_ends(&large[0]));
    for (int i = 1; i < 4; i++) {
        check_answered(&large[i]);
        http_close(&large[i]);
    }
    check_answered(&small[0]);
    check_answered(&small[1]);
    http_close(&small[0]);
    http_close(&small[1]);
    http_close(&large[0]);
    http_close(&good);
    process_end(&process);
}
END_TEST

/* ---- A client's share ---- */

static void begin_body(struct http *http)
{
    http_print(http, HEAD "Content-Length: %zu\r\n\r\n", strlen(BODY));
}

START_TEST(a_client_has_only_so_many_connections)
{
    enum { SHARE = 3 };
    struct process process = process_start("--max-client-connections %d --loops %d", SHARE, _i);
    struct http busy[SHARE];
    for (int i = 0; i < SHARE; i++) {
        busy[i] = open_from(&process, "127.0.0.2:0");
        begin_body(&busy[i]);
    }
    process_sleep_ms(100);
    struct http refused = open_from(&process, "127.0.0.2:0"), other = open_from(&process, "127.0.0.3:0");
    struct http_response response = http_read(&refused);
    ck_assert_int_eq(response.status, 503);
    ck_assert(http_field_is(&response, "Retry-After", "1"));
    ck_assert(http_ends(&refused));
    http_free(&response);
    check_answered(&other);
    for (int i = 0; i < SHARE; i++) {
        http_print(&busy[i], BODY);
        response = http_read(&busy[i]);
        ck_assert_int_eq(response.status, 200);
        http_free(&response);
        http_close(&busy[i]);
    }
    http_await_metric(process.port, "gumbeld_connections", 2);
    http_close(&refused);
    refused = open_from(&process, "127.0.0.2:0");
    check_answered(&refused);
    http_close(&refused);
    http_close(&other);
    process_end(&process);
}
END_TEST

/* By default a quarter of the places is left to others, however busy a client is. */
START_TEST(a_client_cannot_have_all_places)
{
    enum { PLACES = 8, SHARE = 6 };
    struct process process = process_start("--max-connections %d", PLACES);
    struct http busy[PLACES];
    for (int i = 0; i < PLACES; i++) {
        busy[i] = open_from(&process, "127.0.0.2:0");
        begin_body(&busy[i]);
        if (i < SHARE)
            http_await_metric(process.port, "gumbeld_requests_in_flight", i + 2);
    }
    for (int i = SHARE; i < PLACES; i++)
        ck_assert(http_readable(&busy[i], HTTP_TIMEOUT_MS));
    struct http other = open_from(&process, "127.0.0.3:0");
    check_answered(&other);
    http_close(&other);
    for (int i = 0; i < PLACES; i++)
        http_close(&busy[i]);
    process_end(&process);
}
END_TEST

START_TEST(a_client_gives_up_an_idle_connection_for_a_new_one)
{
    enum { SHARE = 3 };
    struct process process = process_start("--max-client-connections %d", SHARE);
    struct http idle[SHARE];
    open_idle(&process, idle, SHARE, "127.0.0.2:0");
    process_sleep_ms(300);
    struct http next = open_from(&process, "127.0.0.2:0");
    check_answered(&next);
    ck_assert(http_ends(&idle[0]));
    check_answered(&idle[1]);
    check_answered(&idle[2]);
    for (int i = 0; i < SHARE; i++)
        http_close(&idle[i]);
    http_close(&next);
    process_end(&process);
}
END_TEST

/* ---- Turns ---- */

/* All are ready when the server looks, and every other one is suspended in the middle of the same turn. */
START_TEST(who_is_ready_is_not_skipped_where_others_are_suspended)
{
    enum { CLIENTS = 120 };
    struct process process = process_start("--loops %d", _i);
    struct http clients[CLIENTS];
    char *large = requests_gumbel(20, 100, 7), *expected = requests_answer(GUMBEL, large);
    for (int round = 0; round < 5; round++) {
        kill(process.pid, SIGSTOP);
        for (int i = 0; i < CLIENTS; i++) {
            if (round == 0)
                clients[i] = http_open(process.port);
            http_post(&clients[i], GUMBEL, i % 2 == 0 ? large : BODY);
        }
        kill(process.pid, SIGCONT);
        for (int i = 0; i < CLIENTS; i++) {
            struct http_response response = http_read(&clients[i]);
            ck_assert_int_eq(response.status, 200);
            ck_assert(i % 2 == 1 || strcmp(response.body, expected) == 0);
            http_free(&response);
        }
    }
    for (int i = 0; i < CLIENTS; i++)
        http_close(&clients[i]);
    free(expected);
    free(large);
    process_end(&process);
}
END_TEST

TEST_SUITE("server-time")
{
    Suite *suite = suite_create("server connections");

    TCase *heads = tcase_create("heads");
    tcase_set_timeout(heads, 60);
    tcase_add_loop_test(heads, a_head_that_drips_is_cut_off, 0, 2);
    tcase_add_test(heads, a_head_that_stops_is_cut_off);
    tcase_add_test(heads, who_sends_no_head_at_all_is_left_alone);
    tcase_add_test(heads, a_large_head_that_is_not_whole_is_cut_off);
    tcase_add_test(heads, a_head_that_drips_from_a_unix_socket_is_cut_off);
    suite_add_tcase(suite, heads);

    TCase *bodies = tcase_create("bodies");
    tcase_set_timeout(bodies, 60);
    tcase_add_loop_test(bodies, a_body_that_drips_is_cut_off, 0, 2);
    tcase_add_test(bodies, a_body_at_the_rate_is_taken);
    tcase_add_test(bodies, a_rate_of_zero_is_none);
    suite_add_tcase(suite, bodies);

    TCase *readers = tcase_create("readers");
    tcase_set_timeout(readers, 60);
    tcase_add_loop_test(readers, a_reader_that_does_not_read_is_cut_off, 0, 4);
    tcase_add_loop_test(readers, a_reader_at_the_rate_is_left_alone, 0, 2);
    tcase_add_test(readers, a_reader_of_a_unix_socket_that_does_not_read_is_cut_off);
    suite_add_tcase(suite, readers);

    TCase *places = tcase_create("places");
    tcase_set_timeout(places, 60);
    tcase_add_loop_test(places, idle_connections_make_room, 0, 6);
    tcase_add_test(places, who_has_the_most_connections_gives_one_up);
    suite_add_tcase(suite, places);

    TCase *shares = tcase_create("shares");
    tcase_set_timeout(shares, 60);
    tcase_add_loop_test(shares, a_client_has_only_so_many_connections, 1, 3);
    tcase_add_test(shares, a_client_cannot_have_all_places);
    tcase_add_test(shares, a_client_gives_up_an_idle_connection_for_a_new_one);
    suite_add_tcase(suite, shares);

    TCase *turns = tcase_create("turns");
    tcase_set_timeout(turns, 120);
    tcase_add_loop_test(turns, who_is_ready_is_not_skipped_where_others_are_suspended, 1, 3);
    suite_add_tcase(suite, turns);
    return suite;
}
