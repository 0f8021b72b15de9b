/* Where the server listens: several addresses, IPv6, UNIX sockets, and an address for probes alone. */
#include "lib/http.h"
#include "lib/process.h"
#include "lib/suite.h"

#include "lib/assertions.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define GUMBEL "/v1/gumbel_softmax"
#define BODY "{\"logits\":[[0.5,-1,2.25],[3,1e-3,null]],\"tau\":0.5,\"seed\":11}"

static int ask_at(const char *address, const char *path)
{
    struct http http = http_open_at(address, NULL);
    http_print(&http, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    struct http_response response = http_read(&http);
    const int status = response.status;
    http_free(&response);
    http_close(&http);
    return status;
}

static int call_at(const char *address)
{
    struct http http = http_open_at(address, NULL);
    http_post(&http, GUMBEL, BODY);
    struct http_response response = http_read(&http);
    const int status = response.status;
    http_free(&response);
    http_close(&http);
    return status;
}

static void check_address(const struct process *process, const char *what, int count)
{
    char *address = process_await_address(process, what, count);
    ck_assert_int_eq(call_at(address), 200);
    free(address);
}

/* A path of this test's own, in a folder that is removed with it. */
struct place {
    char folder[32], path[48];
};

static struct place make_place(void)
{
    struct place place = {.folder = "/tmp/gumbeld-test-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(place.folder));
    snprintf(place.path, sizeof place.path, "%s/socket", place.folder);
    return place;
}

static void remove_place(const struct place *place)
{
    ck_assert_msg(rmdir(place->folder) == 0, "%s is not left empty", place->folder);
}

/* ---- Several ---- */

START_TEST(all_addresses_are_served)
{
    const struct place place = make_place();
    struct process process = process_start("--listen [::1]:0 --listen 127.0.0.2:0,unix:%s --loops %d", place.path, _i);
    for (int i = 1; i <= 4; i++)
        check_address(&process, "listening", i);
    process_end(&process);
    remove_place(&place);
}
END_TEST

START_TEST(a_variable_lists_several_and_flags_replace_them)
{
    struct process process = process_spawn("GUMBELD_LISTEN=127.0.0.1:0,127.0.0.2:0");
    check_address(&process, "listening", 1);
    check_address(&process, "listening", 2);
    process_end(&process);
    process = process_spawn("GUMBELD_LISTEN=127.0.0.1:0,127.0.0.2:0 --listen [::1]:0");
    char *address = process_await_address(&process, "listening", 1);
    ck_assert_ptr_nonnull(strstr(address, "[::1]"));
    process_end(&process);
    free(address);
}
END_TEST

/* One port, for IPv4 and IPv6 apart. */
START_TEST(both_families_share_a_port)
{
    struct process first = process_start("--loops 1");
    const unsigned port = first.port;
    process_end(&first);
    struct process process = process_spawn("--listen 0.0.0.0:%u --listen [::]:%u", port, port);
    process_await_listening(&process);
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    ck_assert_int_eq(call_at(address), 200);
    snprintf(address, sizeof address, "[::1]:%u", port);
    ck_assert_int_eq(call_at(address), 200);
    process_end(&process);
}
END_TEST

static const char *const no_addresses[] = {
    "127.0.0.1:0,", ",127.0.0.1:0", "unix:", "none", "127.0.0.1:0 127.0.0.1", "127.0.0.1:0,,[::1]:0"};
enum { NO_ADDRESSES = sizeof no_addresses / sizeof *no_addresses };

static void check_no_list(const char *list)
{
    struct process process = process_spawn("--listen=%s", list);
    const int status = process_wait(&process);
    char *err = process_errors(&process);
    ck_assert_msg(status == 2 && strncmp(err, "gumbeld: ", 9) == 0, "%s: %d: %s", list, status, err);
    free(err);
    process_close(&process);
}

START_TEST(what_is_no_list_of_addresses_is_refused)
{
    check_no_list(no_addresses[_i]);
}
END_TEST

/* A path that no socket can have, a host that no name can be, and one address more than there may be. */
START_TEST(addresses_that_are_too_long_or_too_many_are_refused)
{
    enum { LONG = 300, MOST = 16 };
    char text[LONG + 16], many[(MOST + 1) * sizeof "127.0.0.1:0,"] = "";
    snprintf(text, sizeof text, "unix:/%0110d", 0);
    check_no_list(text);
    snprintf(text, sizeof text, "%0*d:80", LONG, 0);
    check_no_list(text);
    for (int i = 0; i <= MOST; i++)
        strcat(many, i < MOST ? "127.0.0.1:0," : "127.0.0.1:0");
    check_no_list(many);
}
END_TEST

START_TEST(an_address_for_probes_that_is_in_use_ends_the_start)
{
    struct process first = process_start("--admin-listen none");
    struct process second = process_spawn("--listen 127.0.0.1:0 --admin-listen %s", first.address);
    ck_assert_int_eq(process_wait(&second), 1);
    char *err = process_errors(&second);
    ck_assert_msg(strstr(err, "gumbeld: --admin-listen: http://127.0.0.1:") == err &&
                      strstr(err, "Address already in use (another process listens there: give --admin-listen another "
                                  "port, or 0 for a free one)\n") != NULL,
                  "%s", err);
    free(err);
    process_close(&second);
    process_end(&first);
}
END_TEST

START_TEST(a_socket_in_a_folder_that_is_not_there_ends_the_start)
{
    struct process process = process_spawn("--listen unix:/nowhere/gumbeld.sock");
    ck_assert_int_eq(process_wait(&process), 1);
    char *err = process_errors(&process);
    ck_assert_str_eq(err, "gumbeld: --listen: unix:/nowhere/gumbeld.sock: No such file or directory\n");
    free(err);
    process_close(&process);
}
END_TEST

/* ---- UNIX sockets ---- */

static mode_t permissions(const char *path)
{
    struct stat file;
    ck_assert_int_eq(stat(path, &file), 0);
    return file.st_mode & 0777;
}

START_TEST(a_unix_socket_has_its_mode_and_is_removed)
{
    static const struct {
        const char *flag;
        mode_t mode;
    } modes[] = {{"", 0660}, {"--unix-mode 0600", 0600}, {"--unix-mode 777", 0777}};
    const struct place place = make_place();
    struct process process = process_spawn("--listen unix:%s %s", place.path, modes[_i].flag);
    check_address(&process, "listening", 1);
    ck_assert_uint_eq(permissions(place.path), modes[_i].mode);
    process_end(&process);
    remove_place(&place);
}
END_TEST

START_TEST(a_socket_that_is_left_is_replaced_and_one_in_use_is_not)
{
    const struct place place = make_place();
    struct process left = process_spawn("--listen unix:%s", place.path);
    check_address(&left, "listening", 1);
    struct process second = process_spawn("--listen unix:%s", place.path);
    ck_assert_int_eq(process_wait(&second), 1);
    char *err = process_errors(&second);
    ck_assert_msg(strstr(err, place.path) != NULL &&
                      strstr(err, "in use (another process listens there: give --listen another path)\n") != NULL,
                  "%s", err);
    free(err);
    process_close(&second);
    check_address(&left, "listening", 1);

    kill(left.pid, SIGKILL);
    process_wait(&left);
    process_close(&left);
    struct process process = process_spawn("--listen unix:%s", place.path);
    check_address(&process, "listening", 1);
    process_end(&process);
    remove_place(&place);
}
END_TEST

START_TEST(another_file_is_not_replaced)
{
    const struct place place = make_place();
    FILE *file = fopen(place.path, "w");
    fputs("mine", file);
    fclose(file);
    struct process process = process_spawn("--listen unix:%s", place.path);
    ck_assert_int_eq(process_wait(&process), 1);
    process_close(&process);
    struct stat status;
    ck_assert_int_eq(stat(place.path, &status), 0);
    ck_assert_int_eq(status.st_size, 4);
    unlink(place.path);
    remove_place(&place);
}
END_TEST

START_TEST(a_unix_socket_is_asked_whether_it_is_live)
{
    const struct place place = make_place();
    struct process process = process_spawn("--listen unix:%s", place.path);
    check_address(&process, "listening", 1);
    struct process check = process_spawn("--healthcheck --listen unix:%s", place.path);
    ck_assert_int_eq(process_wait(&check), 0);
    process_close(&check);
    process_end(&process);
    check = process_spawn("--healthcheck --listen unix:%s", place.path);
    ck_assert_int_eq(process_wait(&check), 1);
    process_close(&check);
    remove_place(&place);
}
END_TEST

/* ---- Probes ---- */

START_TEST(the_address_for_probes_has_them_alone)
{
    static const struct {
        const char *path;
        int status;
    } paths[] = {{"/livez", 200},           {"/readyz", 200},          {"/metrics", 200},  {"/version", 200},
                 {"/v2/models/stats", 200}, {"/v2/health/live", 200},  {"/", 404},         {"/docs", 404},
                 {"/openapi.json", 404},    {"/v2/health/ready", 200}, {"/v2/models", 404}};
    struct process process = process_start("--admin-listen 127.0.0.1:0");
    char *address = process_await_address(&process, "admin", 1);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        ck_assert_msg(ask_at(address, paths[i].path) == paths[i].status, "%s", paths[i].path);
    ck_assert_int_eq(call_at(address), 404);
    ck_assert_int_eq(ask_at(process.address, "/livez"), 200);
    process_end(&process);
    free(address);
}
END_TEST

/* All places are taken by clients in the middle of a request, who have as many as they may. */
START_TEST(probes_are_answered_at_the_limit)
{
    enum { LIMIT = 8 };
    struct http clients[LIMIT];
    struct process process = process_start(
        "--max-connections %d --max-client-connections %d --admin-listen 127.0.0.1:0", LIMIT, LIMIT);
    char *address = process_await_address(&process, "admin", 1);
    for (int i = 0; i < LIMIT; i++) {
        clients[i] = http_open(process.port);
        http_print(&clients[i], "POST " GUMBEL " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{");
    }
    struct http late = http_open(process.port);
    http_post(&late, GUMBEL, BODY);
    ck_assert(!http_readable(&late, 300));
    struct http probe = http_open_at(address, NULL); /* which stays, and takes nothing from its client's share */
    ck_assert_int_eq(ask_at(address, "/readyz"), 200);
    ck_assert_int_eq(ask_at(address, "/metrics"), 200);
    for (int i = 0; i < LIMIT; i++)
        http_close(&clients[i]);
    struct http_response response = http_read(&late);
    ck_assert_msg(response.status == 200, "%s%s", response.head, response.body);
    http_free(&response);
    http_close(&late);
    http_close(&probe);
    process_end(&process);
    free(address);
}
END_TEST

/* They see the drain from its beginning to its end. */
START_TEST(probes_are_answered_while_the_server_drains)
{
    struct process process = process_start("--admin-listen 127.0.0.1:0 --drain-timeout-ms 60000");
    char *address = process_await_address(&process, "admin", 1);
    struct http stuck = http_open(process.port);
    http_print(&stuck, "POST " GUMBEL " HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n", strlen(BODY));
    http_await_metric(process.port, "gumbeld_requests_in_flight", 2);
    kill(process.pid, SIGTERM);
    while (ask_at(address, "/readyz") == 200)
        process_sleep_ms(10);
    ck_assert_int_eq(ask_at(address, "/livez"), 200);
    ck_assert_int_eq(ask_at(address, "/readyz"), 503);
    http_print(&stuck, "%s", BODY);
    struct http_response response = http_read(&stuck);
    ck_assert_int_eq(response.status, 200);
    http_free(&response);
    http_close(&stuck);
    ck_assert_int_eq(process_wait(&process), 0);
    process_close(&process);
    free(address);
}
END_TEST

TEST_SUITE("server")
{
    Suite *suite = suite_create("server listening");

    TCase *several = tcase_create("several");
    tcase_set_timeout(several, 60);
    tcase_add_loop_test(several, all_addresses_are_served, 1, 3);
    tcase_add_test(several, a_variable_lists_several_and_flags_replace_them);
    tcase_add_test(several, both_families_share_a_port);
    tcase_add_loop_test(several, what_is_no_list_of_addresses_is_refused, 0, NO_ADDRESSES);
    tcase_add_test(several, addresses_that_are_too_long_or_too_many_are_refused);
    tcase_add_test(several, an_address_for_probes_that_is_in_use_ends_the_start);
    tcase_add_test(several, a_socket_in_a_folder_that_is_not_there_ends_the_start);
    suite_add_tcase(suite, several);

    TCase *sockets = tcase_create("unix");
    tcase_set_timeout(sockets, 60);
    tcase_add_loop_test(sockets, a_unix_socket_has_its_mode_and_is_removed, 0, 3);
    tcase_add_test(sockets, a_socket_that_is_left_is_replaced_and_one_in_use_is_not);
    tcase_add_test(sockets, another_file_is_not_replaced);
    tcase_add_test(sockets, a_unix_socket_is_asked_whether_it_is_live);
    suite_add_tcase(suite, sockets);

    TCase *probes = tcase_create("probes");
    tcase_set_timeout(probes, 60);
    tcase_add_test(probes, the_address_for_probes_has_them_alone);
    tcase_add_test(probes, probes_are_answered_at_the_limit);
    tcase_add_test(probes, probes_are_answered_while_the_server_drains);
    suite_add_tcase(suite, probes);
    return suite;
}
