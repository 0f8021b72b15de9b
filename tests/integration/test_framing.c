/* Where a request ends and whom it is for: raw requests, each answered once or not at all, and nothing after a refused
 * one taken for a request. FRAMING_TABLE=1 prints what came. */
#define _GNU_SOURCE
#include "host.h"
#include "lib/http.h"
#include "lib/process.h"
#include "lib/raw.h"
#include "lib/suite.h"
#include "origin.h"
#include "target.h"

#include "lib/assertions.h"
#include <dirent.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CASES "tests/integration/framing.txt"
#define CORPUS "tests/integration/http-corpus"

static struct process server;

static void start(void)
{
    server = process_start("--max-body-bytes 2048");
}

static void stop(void)
{
    process_end(&server);
}

static void check(const struct raw_case *raw, size_t step)
{
    char seen[256];
    char *wrong = raw_replay(server.port, raw, step, seen, sizeof seen);
    ck_assert_msg(wrong == NULL, "%s, %zu bytes at a time: %s, not %s: %.300s", raw->name, step, seen, raw->expected,
                  wrong);
    if (step == 0 && getenv("FRAMING_TABLE") != NULL)
        printf("%-28s %s\n", raw->name, seen);
}

/* In one piece, and in small ones: a head of many is cut where the daemon reads it. */
START_TEST(each_case_is_answered_once)
{
    static const size_t steps[] = {0, 7};
    struct raw_case *cases = raw_read(CASES);
    size_t count = 0;
    if (getenv("FRAMING_TABLE") != NULL)
        printf("# libmicrohttpd %s\n", MHD_get_version());
    for (const struct raw_case *raw = cases; raw->name != NULL; raw++, count++)
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
            if (steps[i] == 0 || raw->length < 1000)
                check(raw, steps[i]);
    ck_assert_uint_ge(count, 130);
    raw_free(cases);
}
END_TEST

/* What `make fuzz-http` has found: answered or closed in time, and every answer is one. */
static void check_file(const char *name)
{
    char path[512], bytes[65536], seen[1024];
    snprintf(path, sizeof path, CORPUS "/%s", name);
    FILE *in = fopen(path, "r");
    ck_assert_msg(in != NULL, "%s: %m", path);
    const size_t length = fread(bytes, 1, sizeof bytes, in);
    fclose(in);
    for (size_t step = 0; step < 32; step += 7) {
        raw_send(server.port, bytes, length, step, seen, sizeof seen);
        ck_assert_msg(strstr(seen, "junk") == NULL && strstr(seen, "cut") == NULL && strchr(seen, '?') == NULL,
                      "%s, %zu bytes at a time: %s", name, step, seen);
    }
}

START_TEST(what_was_found_is_answered)
{
    DIR *corpus = opendir(CORPUS);
    size_t count = 0;
    ck_assert_msg(corpus != NULL, CORPUS ": %m");
    for (struct dirent *entry; (entry = readdir(corpus)) != NULL;)
        if (entry->d_name[0] != '.') {
            check_file(entry->d_name);
            count++;
        }
    closedir(corpus);
    ck_assert_uint_ge(count, 1);
}
END_TEST

/* ---- Refusals beside one another ---- */

/* What libmicrohttpd refuses by itself, before the head is whole and after; with 0.9.75 the latter is answered in its
 * place, and must not be answered to the former. */
START_TEST(each_refusal_goes_to_its_connection)
{
    static const char *const heads[] = {"GET /version HTTP/1.1\r\nHost: localhost\r\nX\r\n\r\n",
                                        "GET /version HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n"};
    enum { PAIRS = 20, FIRST = 40 };
    for (int round = 0; round < 20; round++) {
        struct http https[2 * PAIRS];
        for (size_t i = 0; i < 2 * PAIRS; i++)
            https[i] = http_open(server.port);
        for (size_t i = 0; i < 2 * PAIRS; i++)
            http_send(&https[i], heads[i % 2], FIRST);
        process_sleep_ms(20);
        kill(server.pid, SIGSTOP); /* so that all ends come at once */
        for (size_t i = 0; i < 2 * PAIRS; i++)
            http_send(&https[i], heads[i % 2] + FIRST, strlen(heads[i % 2]) - FIRST);
        kill(server.pid, SIGCONT);
        for (size_t i = 0; i < 2 * PAIRS; i++) {
            struct http_response response = http_read(&https[i]);
            ck_assert_int_eq(response.status, 400);
            http_free(&response);
            ck_assert_msg(http_ends(&https[i]), "%s", https[i].bytes);
            http_close(&https[i]);
        }
    }
}
END_TEST

START_TEST(what_the_library_refuses_is_counted)
{
    static const char metric[] = "gumbeld_library_refusals_total{status=\"400\"}",
                      line[] = "libmicrohttpd refused a request by itself, with status 400";
    server = process_start(" ");
    struct http http = http_open(server.port);
    http_print(&http, "GET /version HTTP/1.1\r\nHost: localhost\r\nX\r\n\r\n");
    struct http_response response = http_read(&http);
    ck_assert_int_eq(response.status, 400);
    http_free(&response);
    http_close(&http);
    http_await_metric(server.port, metric, 1);
    ck_assert_int_eq(process_stop(&server), 0);
    char *log = process_errors(&server);
    ck_assert_ptr_nonnull(strstr(log, line));
    free(log);
    process_close(&server);
}
END_TEST

/* Before there is a route, too: what is refused here, and what libmicrohttpd 0.9 refuses; 1.0 has an answer of its own
 * to the latter. */
START_TEST(a_refusal_has_the_form_of_its_path)
{
    static const char *const lines[] = {"Host: localhost", "Content-Length: x"};
    const size_t line_count = MHD_get_version()[0] == '0' ? 2 : 1;
    static const struct {
        const char *path, *form;
    } cases[] = {{"/v2", "application/json"},
                 {"/v2?x=1", "application/json"},
                 {"/v1/softmax", "application/problem+json"},
                 {"/v20", "application/problem+json"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t j = 0; j < line_count; j++) {
            struct http http = http_open(server.port);
            http_print(&http, "POST %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n", cases[i].path, lines[j]);
            struct http_response response = http_read(&http);
            ck_assert_int_eq(response.status, 400);
            char *form = http_field(&response, "Content-Type");
            ck_assert_str_eq(form, cases[i].form);
            free(form);
            ck_assert((strstr(response.body, "\"error\":") != NULL) == (i < 2));
            http_free(&response);
            http_close(&http);
        }
}
END_TEST

START_TEST(what_is_refused_here_is_counted)
{
    struct http http = http_open(server.port);
    http_print(&http, "GET /version HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n");
    struct http_response response = http_read(&http);
    json_decref(http_problem(&response, 400, "malformed_request"));
    ck_assert(http_says_close(&response));
    http_free(&response);
    http_close(&http);
    http_await_metric(server.port, "gumbeld_refusals_total{reason=\"malformed_request\"}", 1);
    http_await_metric(server.port, "gumbeld_connections_closed_total{reason=\"malformed\"}", 1);
}
END_TEST

/* ---- Hosts ---- */

START_TEST(hosts_are_read)
{
    static const struct {
        const char *text;
        int kind; /* -1: none */
        unsigned port;
    } cases[] = {
        {"", HOST_NONE, 0},
        {"localhost", HOST_NAME, 0},
        {"localhost:8080", HOST_NAME, 8080},
        {"a.b:", HOST_NAME, 0},
        {"127.0.0.1:1", HOST_ADDRESS, 1},
        {"[::1]", HOST_ADDRESS, 0},
        {"[::1]:65535", HOST_ADDRESS, 65535},
        {"127.1", HOST_NAME, 0},
        {"a%41", HOST_NAME, 0},
        {"256.0.0.1", HOST_NAME, 0},
        {":80", -1, 0},
        {"a:b", -1, 0},
        {"a:65536", -1, 0},
        {"a:1:2", -1, 0},
        {"a b", -1, 0},
        {"a/b", -1, 0},
        {"u@a", -1, 0},
        {"[::1", -1, 0},
        {"[::1]x", -1, 0},
        {"[1]", -1, 0},
        {"::1", -1, 0},
        {"a%4", -1, 0},
        {"a%zz", -1, 0},
        {"a\x80", -1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct host host;
        const bool valid = host_read(cases[i].text, &host);
        ck_assert_msg(valid == (cases[i].kind >= 0), "%s", cases[i].text);
        ck_assert_msg(!valid || ((int)host.kind == cases[i].kind && host.port == cases[i].port), "%s", cases[i].text);
    }
}
END_TEST

START_TEST(hosts_are_found_in_lists)
{
    static const struct {
        const char *host, *list;
        bool found;
    } cases[] = {
        {"localhost", "", true},
        {"LOCALHOST.:80", "", true},
        {"127.0.0.1", "", true},
        {"[::1]:80", "", true},
        {"", "", true},
        {"a.example", "", false},
        {"a.example", "a.example", true},
        {"A.example.", "b,a.EXAMPLE", true},
        {"a.example:1", "b, a.example", true},
        {"x.a.example", "a.example", false},
        {"x.a.example", ".a.example", true},
        {"x.a.example", "*.a.example", true},
        {"a.example", "*.a.example", false},
        {"xa.example", ".a.example", false},
        {"any.thing", "*", true},
        {"localhost.example", "", false},
        {"notlocalhost", "", false},
        {"*", "a", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct host host;
        ck_assert(host_read(cases[i].host, &host));
        ck_assert_msg(host_is_listed(&host, cases[i].list) == cases[i].found, "%s in %s", cases[i].host, cases[i].list);
    }
    static const char *const valid[] = {"", "*", "a,b", "*.a.example", ".a", "a_b"}, *const invalid[] = {
                                                                                         "*a",   "a:80", "http://a",
                                                                                         "a.*",  ".",    "*.",
                                                                                         "a b/", "[::1]"};
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++)
        ck_assert_msg(host_list_is_valid(valid[i]), "%s", valid[i]);
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++)
        ck_assert_msg(!host_list_is_valid(invalid[i]), "%s", invalid[i]);
}
END_TEST

static int ask_as(const char *method, const char *path, const char *fields)
{
    struct http http = http_open(server.port);
    http_print(&http, "%s %s HTTP/1.1\r\n%sContent-Length: 16\r\n\r\n{\"logits\":[1,2]}", method, path, fields);
    struct http_response response = http_read(&http);
    const int status = response.status;
    http_free(&response);
    http_close(&http);
    return status;
}

START_TEST(a_loopback_is_not_for_other_hosts)
{
    ck_assert_int_eq(ask_as("POST", "/v1/softmax", "Host: a.example\r\n"), 421);
    ck_assert_int_eq(ask_as("POST", "/v1/softmax", "Host: a.example:80\r\n"), 421);
    ck_assert_int_eq(ask_as("GET", "/metrics", "Host: a.example\r\n"), 421);
    ck_assert_int_eq(ask_as("GET", "/livez", "Host: a.example\r\n"), 200);
    ck_assert_int_eq(ask_as("GET", "/v2/health/ready", "Host: a.example\r\n"), 200);
    ck_assert_int_eq(ask_as("POST", "/v1/softmax", "Host: 192.0.2.1\r\n"), 200);
}
END_TEST

START_TEST(allowed_hosts_are_served)
{
    server = process_start("--allowed-hosts a.example,*.b.example");
    ck_assert_int_eq(ask_as("POST", "/v1/softmax", "Host: a.example:80\r\n"), 200);
    ck_assert_int_eq(ask_as("POST", "/v1/softmax", "Host: x.b.example\r\n"), 200);
    ck_assert_int_eq(ask_as("POST", "/v1/softmax", "Host: localhost\r\n"), 200);
    ck_assert_int_eq(ask_as("POST", "/v1/softmax", "Host: c.example\r\n"), 421);
    process_end(&server);
}
END_TEST

/* After a name, anybody may have given it; unless that is said. */
START_TEST(other_addresses_serve_all_hosts)
{
    static const struct {
        const char *flags;
        int status;
    } cases[] = {{"", 200}, {"--allowed-hosts a.example", 421}, {"--allowed-hosts *", 200}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        server = process_spawn("--listen 0.0.0.0:0 --lame-duck-ms 0 %s", cases[i].flags);
        process_await_listening(&server);
        ck_assert_int_eq(ask_as("POST", "/v1/softmax", "Host: b.example\r\n"), cases[i].status);
        ck_assert_int_eq(ask_as("POST", "/v1/softmax", "Host: localhost\r\n"), 200);
        process_end(&server);
    }
}
END_TEST

/* ---- Web pages ---- */

START_TEST(pages_of_other_origins_may_not_ask)
{
    static const struct {
        const char *fields;
        int status;
    } cases[] = {
        {"Host: localhost\r\n", 200},
        {"Host: localhost:80\r\nOrigin: http://localhost\r\n", 200},
        {"Host: localhost\r\nOrigin: https://localhost:443\r\n", 200},
        {"Host: localhost:8080\r\nOrigin: http://localhost:8080\r\nSec-Fetch-Site: same-origin\r\n", 200},
        {"Host: localhost\r\nSec-Fetch-Site: none\r\n", 200},
        {"Host: localhost\r\nOrigin: http://changed.by.a.proxy\r\nSec-Fetch-Site: same-origin\r\n", 200},
        {"Host: localhost\r\nSec-Fetch-Site: cross-site\r\n", 403},
        {"Host: localhost\r\nSec-Fetch-Site: same-site\r\n", 403},
        {"Host: localhost\r\nOrigin: http://localhost\r\nSec-Fetch-Site: cross-site\r\n", 403},
        {"Host: localhost\r\nOrigin: http://a.example\r\n", 403},
        {"Host: localhost:8080\r\nOrigin: http://localhost:9090\r\n", 403},
        {"Host: localhost\r\nOrigin: null\r\n", 403},
        {"Host: localhost\r\nOrigin:\r\n", 403},
        {"Host: localhost\r\nOrigin: http://localhost\r\nOrigin: http://localhost\r\n", 403},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int status = ask_as("POST", "/v1/softmax", cases[i].fields);
        ck_assert_msg(status == cases[i].status, "%s: %d", cases[i].fields, status);
        ck_assert_int_eq(ask_as("GET", "/version", cases[i].fields), 200);
    }
}
END_TEST

static void check_field(const struct http_response *response, const char *name, const char *value)
{
    char *found = http_field(response, name);
    ck_assert_msg((found == NULL) == (value == NULL) && (found == NULL || strcmp(found, value) == 0),
                  "%s is %s, not %s", name, found, value);
    free(found);
}

static void check_cors(const char *method, const char *path, const char *fields, int status, const char *origin)
{
    struct http http = http_open(server.port);
    http_print(&http, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", method, path, fields);
    struct http_response response = strcmp(method, "OPTIONS") == 0 ? http_read_head(&http) : http_read(&http);
    ck_assert_msg(response.status == status, "%s: %d", fields, response.status);
    check_field(&response, "Access-Control-Allow-Origin", origin);
    const bool preflight = origin != NULL && strcmp(method, "OPTIONS") == 0;
    check_field(&response, "Access-Control-Allow-Methods", preflight ? "POST, OPTIONS" : NULL);
    check_field(&response, "Access-Control-Allow-Headers", preflight ? "content-type,x-request-id" : NULL);
    check_field(&response, "Access-Control-Max-Age", preflight ? "7200" : NULL);
    check_field(&response, "Access-Control-Allow-Private-Network", preflight ? "true" : NULL);
    char *exposed = http_field(&response, "Access-Control-Expose-Headers");
    ck_assert((exposed != NULL) == (origin != NULL && !preflight));
    ck_assert(exposed == NULL || (strstr(exposed, "X-Gumbeld-Seed") != NULL && strstr(exposed, "Retry-After") != NULL));
    free(exposed);
    http_free(&response);
    http_close(&http);
}

#define PREFLIGHT                                                                                                      \
    "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type,x-request-id\r\n"             \
    "Access-Control-Request-Private-Network: true\r\n"

START_TEST(pages_of_allowed_origins_may_ask)
{
    server = process_start("--cors-allow-origins https://a.example,http://b.example:3000");
    check_cors("OPTIONS", "/v1/softmax", "Origin: https://a.example\r\n" PREFLIGHT, 204, "https://a.example");
    check_cors("OPTIONS", "/v1/softmax", "Origin: http://b.example:3000\r\n" PREFLIGHT, 204, "http://b.example:3000");
    check_cors("OPTIONS", "/v1/softmax", "Origin: https://c.example\r\n" PREFLIGHT, 204, NULL);
    check_cors("OPTIONS", "/v1/softmax", "Origin: null\r\n" PREFLIGHT, 204, NULL);
    check_cors("GET", "/version", "Origin: https://a.example\r\n", 200, "https://a.example");
    check_cors("GET", "/version", "Origin: https://c.example\r\n", 200, NULL);
    check_cors("GET", "/nowhere", "Origin: https://a.example\r\n", 404, "https://a.example");
    check_cors("POST", "/v1/softmax", "Origin: https://a.example\r\nSec-Fetch-Site: cross-site\r\n", 400,
               "https://a.example"); /* for want of a body */
    check_cors("POST", "/v1/softmax", "Origin: https://c.example\r\n", 403, NULL);
    process_end(&server);
    server = process_start("--cors-allow-origins *");
    check_cors("OPTIONS", "/v1/softmax", "Origin: null\r\n" PREFLIGHT, 204, "null");
    check_cors("POST", "/v1/softmax", "Origin: https://c.example\r\n", 400, "https://c.example");
    check_cors("GET", "/version", "Origin: a\tb\r\n", 200, NULL);
    process_end(&server);
}
END_TEST

START_TEST(lists_of_origins_are_checked)
{
    static const char *const valid[] = {"", "*", "null", "http://a", "https://a.example:8443, http://[::1]:3000"},
                             *const invalid[] = {"a.example", "http://", "http://a/", "ftp://a", "http://a:b", "**"};
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++)
        ck_assert_msg(origin_list_is_valid(valid[i]), "%s", valid[i]);
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++)
        ck_assert_msg(!origin_list_is_valid(invalid[i]), "%s", invalid[i]);
}
END_TEST

/* ---- Targets ---- */

START_TEST(targets_are_read)
{
    static const struct {
        const char *text, *path, *authority;
        int arguments; /* -1: malformed, -2: too many */
    } cases[] = {
        {"/", "/", NULL, 0},
        {"*", "*", NULL, 0},
        {"/a?b=1&c", "/a", NULL, 2},
        {"/a?&&b=1&&", "/a", NULL, 1},
        {"/a?", "/a", NULL, 0},
        {"/%61%2f%2F%00%zz%4", "/a%2f%2F%00%zz%4", NULL, 0},
        {"http://h:1/p?q", "/p", "h:1", 1},
        {"HTTPS://h", "/", "h", 0},
        {"http://h?q", "/", "h", 1},
        {"", NULL, NULL, -1},
        {"a", NULL, NULL, -1},
        {"%2Fa", NULL, NULL, -1},
        {"**", NULL, NULL, -1},
        {"http:///p", NULL, NULL, -1},
        {"/a b", NULL, NULL, -1},
        {"/a#b", NULL, NULL, -1},
        {"/\x7f", NULL, NULL, -1},
        {"/\xc3", NULL, NULL, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct target target;
        const enum target_result result = target_read(&target, strdup(cases[i].text));
        const enum target_result expected = cases[i].arguments < 0 ? TARGET_MALFORMED : TARGET_OK;
        ck_assert_msg(result == expected, "%s", cases[i].text);
        if (result == TARGET_OK) {
            ck_assert_str_eq(target.path, cases[i].path);
            ck_assert_uint_eq(target.query_count, (size_t)cases[i].arguments);
            ck_assert((target.authority == NULL) == (cases[i].authority == NULL));
            ck_assert(target.authority == NULL || strcmp(target.authority, cases[i].authority) == 0);
        }
        target_free(&target);
    }
}
END_TEST

START_TEST(a_query_has_so_many_arguments)
{
    for (size_t count = TARGET_MAX_ARGUMENTS; count <= TARGET_MAX_ARGUMENTS + 1; count++) {
        char text[8 * TARGET_MAX_ARGUMENTS] = "/a?";
        struct target target;
        for (size_t i = 0; i < count; i++)
            strcat(text, "&a=1&");
        const enum target_result result = target_read(&target, strdup(text));
        ck_assert(result == (count > TARGET_MAX_ARGUMENTS ? TARGET_TOO_MANY : TARGET_OK));
        target_free(&target);
    }
}
END_TEST

TEST_SUITE("server")
{
    Suite *suite = suite_create("server framing");
    TCase *cases = tcase_create("cases");
    tcase_set_timeout(cases, 120);
    tcase_add_checked_fixture(cases, start, stop);
    tcase_add_test(cases, each_case_is_answered_once);
    tcase_add_test(cases, what_was_found_is_answered);
    tcase_add_test(cases, each_refusal_goes_to_its_connection);
    tcase_add_test(cases, a_refusal_has_the_form_of_its_path);
    tcase_add_test(cases, what_is_refused_here_is_counted);
    tcase_add_test(cases, a_loopback_is_not_for_other_hosts);
    tcase_add_test(cases, pages_of_other_origins_may_not_ask);
    suite_add_tcase(suite, cases);

    TCase *flags = tcase_create("flags");
    tcase_set_timeout(flags, 60);
    tcase_add_test(flags, what_the_library_refuses_is_counted);
    tcase_add_test(flags, allowed_hosts_are_served);
    tcase_add_test(flags, other_addresses_serve_all_hosts);
    tcase_add_test(flags, pages_of_allowed_origins_may_ask);
    suite_add_tcase(suite, flags);

    TCase *texts = tcase_create("texts");
    tcase_add_test(texts, hosts_are_read);
    tcase_add_test(texts, hosts_are_found_in_lists);
    tcase_add_test(texts, lists_of_origins_are_checked);
    tcase_add_test(texts, targets_are_read);
    tcase_add_test(texts, a_query_has_so_many_arguments);
    suite_add_tcase(suite, texts);
    return suite;
}
