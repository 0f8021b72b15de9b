/* Routes, methods and media types as they look on the wire, and connections that carry several requests. */
#define _GNU_SOURCE
#include "api.h"
#include "lib/http.h"
#include "lib/process.h"
#include "lib/suite.h"

#include "lib/assertions.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct process server;

static void start(void)
{
    server = process_start("--loops 1");
}

static void stop(void)
{
    process_end(&server);
}

#define LOGITS "{\"logits\":[1,2,3]}"

/* ---- Each route ---- */

START_TEST(probes_answer)
{
    static const struct {
        const char *path, *body;
    } probes[] = {{"/livez", "live\n"}, {"/readyz", "ready\n"}};
    for (size_t i = 0; i < sizeof probes / sizeof *probes; i++) {
        struct http_response response = http_ask(server.port, "GET", probes[i].path, NULL);
        ck_assert_int_eq(response.status, 200);
        ck_assert_str_eq(response.body, probes[i].body);
        ck_assert(http_field_is(&response, "Content-Type", "text/plain"));
        http_free(&response);
    }
}
END_TEST

#define INPUT "{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[3],\"data\":[1,2,3]}"

/* A body that the route answers; NULL where it takes none. */
static const char *body_of(const struct api_route *route)
{
    if (route->kind == API_ROUTE_INFER)
        return "{\"inputs\":[" INPUT "]}";
    if (!api_route_is_post(route))
        return NULL;
    if (route->function == NULL)
        return "{\"requests\":[{\"function\":\"softmax\",\"body\":" LOGITS "}]}";
    if (api_function_takes(route->function, API_COTANGENT))
        return "{\"function\":\"softmax\",\"logits\":[1,2],\"cotangent\":[1,0]}";
    return LOGITS;
}

/* A path of the route, with a function's name for {model}, and `end` after it. */
static const char *path_of(const struct api_route *route, const char *end)
{
    static char path[128];
    const char *mark = strstr(route->path, "{model}");
    snprintf(path, sizeof path, "%.*s%s%s%s", mark != NULL ? (int)(mark - route->path) : 127, route->path,
             mark != NULL ? "softmax" : "", mark != NULL ? mark + strlen("{model}") : "", end);
    return path;
}

/* With a slash at its end too; that of "/" is not doubled. */
START_TEST(every_route_answers_with_its_media_type)
{
    for (size_t i = 0; i < 2 * api_route_count; i++) {
        const struct api_route *route = &api_routes[i / 2];
        const char *body = body_of(route), *end = i % 2 == 1 && route->path[1] != '\0' ? "/" : "";
        struct http_response response = http_ask(server.port, body != NULL ? "POST" : "GET", path_of(route, end), body);
        ck_assert_msg(response.status == 200, "%s: %d %s", route->path, response.status, response.body);
        ck_assert(http_field_is(&response, "Content-Type", route->media_type));
        ck_assert_uint_gt(response.length, 0);
        http_free(&response);
    }
}
END_TEST

START_TEST(version_names_the_instruction_set)
{
    struct http_response response = http_ask(server.port, "GET", "/version", NULL);
    json_t *document = json_loadb(response.body, response.length, 0, NULL);
    ck_assert_ptr_nonnull(document);
    ck_assert_str_eq(json_string_value(json_object_get(document, "name")), "gumbeld");
    ck_assert_str_eq(json_string_value(json_object_get(document, "rng")), "v1");
    ck_assert_uint_gt(json_string_length(json_object_get(document, "isa")), 0);
    json_decref(document);
    http_free(&response);
}
END_TEST

/* Nothing but this server is asked for anything, and nothing runs that is not in the page. */
START_TEST(pages_stand_alone)
{
    static const char *const pages[] = {"/", "/docs"};
    for (size_t i = 0; i < 2; i++) {
        struct http_response response = http_ask(server.port, "GET", pages[i], NULL);
        char *policy = http_field(&response, "Content-Security-Policy");
        ck_assert_ptr_nonnull(policy);
        ck_assert_ptr_nonnull(strstr(policy, "default-src 'none'; script-src 'sha256-"));
        ck_assert_ptr_nonnull(strstr(policy, "style-src 'sha256-"));
        ck_assert_ptr_nonnull(strstr(policy, "frame-ancestors 'none'"));
        ck_assert_ptr_null(strstr(policy, "unsafe"));
        ck_assert(http_field_is(&response, "X-Content-Type-Options", "nosniff"));
        ck_assert_ptr_null(strstr(response.body, "http://"));
        ck_assert_ptr_null(strstr(response.body, "https://"));
        ck_assert_ptr_null(strstr(response.body, "src="));
        ck_assert_ptr_null(strstr(response.body, "href=\"/")); /* a proxy may put a prefix before the path */
        ck_assert_ptr_null(strstr(response.body, "fetch('/"));
        ck_assert_ptr_null(strstr(response.body, "fetch(`/"));
        ck_assert_ptr_null(strstr(response.body, " style="));
        free(policy);
        http_free(&response);
    }
}
END_TEST

/* HEAD has the fields of GET and no body, so that the next answer begins right after it. */
START_TEST(head_is_get_without_the_body)
{
    static const char *const paths[] = {"/livez",        "/readyz", "/version", "/openapi.json",
                                        "/openapi.yaml", "/",       "/docs"};
    struct http http = http_open(server.port);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        http_print(&http, "HEAD %s HTTP/1.1\r\nHost: localhost\r\n\r\nGET %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
                   paths[i], paths[i]);
        struct http_response head = http_read_head(&http), get = http_read(&http);
        ck_assert_int_eq(head.status, 200);
        ck_assert_int_eq(get.status, 200);
        char length[24];
        snprintf(length, sizeof length, "%zu", get.length);
        ck_assert(http_field_is(&head, "Content-Length", length));
        char *type = http_field(&get, "Content-Type");
        ck_assert(http_field_is(&head, "Content-Type", type));
        free(type);
        http_free(&head);
        http_free(&get);
    }
    http_close(&http);
}
END_TEST

START_TEST(head_of_metrics)
{
    struct http http = http_open(server.port);
    http_print(&http,
               "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\nGET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    struct http_response head = http_read_head(&http), live = http_read(&http);
    ck_assert_int_eq(head.status, 200);
    ck_assert_str_eq(live.body, "live\n");
    http_free(&head);
    http_free(&live);
    http_close(&http);
}
END_TEST

/* ---- Refusals ---- */

static void check_problem(const char *request, int status, const char *code, const char *allow)
{
    struct http http = http_open(server.port);
    http_send(&http, request, strlen(request));
    struct http_response response = http_read(&http);
    json_decref(http_problem(&response, status, code));
    char *found = http_field(&response, "Allow");
    ck_assert_msg((allow == NULL) == (found == NULL), "Allow: %s", found);
    ck_assert(allow == NULL || strcmp(allow, found) == 0);
    free(found);
    http_free(&response);
    http_print(&http, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"); /* the connection goes on */
    response = http_read(&http);
    ck_assert_int_eq(response.status, 200);
    http_free(&response);
    http_close(&http);
}

static void check_request_problem(const char *method, const char *path, const char *fields, int status,
                                  const char *code, const char *allow)
{
    char *request;
    const bool with_body = strcmp(method, "GET") != 0;
    ck_assert_int_gt(asprintf(&request, "%s %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n%s", method,
                              path, fields, with_body ? (int)strlen(LOGITS) : 0, with_body ? LOGITS : ""),
                     0);
    check_problem(request, status, code, allow);
    free(request);
}

START_TEST(unknown_routes_are_404)
{
    static const char *const paths[] = {
        "/index.html",    "/v1",          "/v1/softmax//",   "/v1/Softmax", "/v2/softmax",    "//v1/softmax", "/livez2",
        "/v1/soft%20max", "/v1/../livez", "/v2/models/nope", "/livez%00",   "/v1/softmax%00x"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        check_request_problem("GET", paths[i], "", 404, "not_found", NULL);
        check_request_problem("POST", paths[i], "", 404, "not_found", NULL);
    }
}
END_TEST

START_TEST(other_methods_are_405_with_allow)
{
    static const char *const methods[] = {"PUT", "PATCH", "DELETE", "BREW"};
    for (size_t i = 0; i < api_route_count; i++) {
        const char *allow = api_route_methods(&api_routes[i]), *path = path_of(&api_routes[i], "");
        const char *other = api_route_is_post(&api_routes[i]) ? "GET" : "POST";
        check_request_problem(other, path, "", 405, "method_not_allowed", allow);
        for (size_t j = 0; j < sizeof methods / sizeof *methods; j++)
            check_request_problem(methods[j], path, "", 405, "method_not_allowed", allow);
    }
}
END_TEST

static void check_options(struct http *http, const char *target, const char *allow)
{
    http_print(http, "OPTIONS %s HTTP/1.1\r\nHost: localhost\r\n\r\n", target);
    struct http_response response = http_read_head(http);
    ck_assert_msg(response.status == 204, "%s: %d", target, response.status);
    ck_assert_msg(http_field_is(&response, "Allow", allow), "%s", response.head);
    ck_assert_ptr_null(http_field(&response, "Content-Type"));
    ck_assert_ptr_null(http_field(&response, "Access-Control-Allow-Origin"));
    http_free(&response);
}

START_TEST(options_are_the_methods)
{
    struct http http = http_open(server.port);
    for (size_t i = 0; i < api_route_count; i++)
        check_options(&http, path_of(&api_routes[i], ""), api_route_methods(&api_routes[i]));
    check_options(&http, "*", "GET, HEAD, POST, OPTIONS");
    http_close(&http);
    check_request_problem("OPTIONS", "/nowhere", "", 404, "not_found", NULL);
}
END_TEST

START_TEST(other_media_types_are_415)
{
    static const char *const types[] = {"text/plain",
                                        "application/x-www-form-urlencoded",
                                        "application/jsonx",
                                        "application",
                                        "",
                                        "application/problem+json",
                                        "application/json, text/plain",
                                        "application/json\r\nContent-Type: text/plain"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char fields[128];
        snprintf(fields, sizeof fields, "Content-Type: %s\r\n", types[i]);
        check_request_problem("POST", "/v1/softmax", fields, 415, "unsupported_media_type", NULL);
    }
}
END_TEST

START_TEST(answers_that_nobody_accepts_are_406)
{
    static const char *const ranges[] = {"text/html", "image/*", "application/json;q=0", "application/xml, text/*",
                                         "*/*;q=0.000"};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        char fields[128];
        snprintf(fields, sizeof fields, "Accept: %s\r\n", ranges[i]);
        check_request_problem("POST", "/v1/softmax", fields, 406, "not_acceptable", NULL);
    }
}
END_TEST

START_TEST(the_usual_media_types_are_taken)
{
    static const char *const fields[] = {
        "Content-Type: application/json; charset=utf-8\r\n",
        "content-type: Application/JSON\r\n",
        "Accept: */*\r\n",
        "Accept: application/json\r\n",
        "Accept: text/html, application/*;q=0.5\r\n",
        "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n",
        "Accept:\r\n",
    };
    struct http http = http_open(server.port);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        http_print(&http, "POST /v1/softmax HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n%s", fields[i],
                   strlen(LOGITS), LOGITS);
        struct http_response response = http_read(&http);
        ck_assert_msg(response.status == 200, "%s%s", fields[i], response.body);
        http_free(&response);
    }
    http_close(&http);
}
END_TEST

/* ---- Connections ---- */

/* softmax([0, -i]) differs for each i, so that an answer shows which request it belongs to. */
static void send_numbered(struct http *http, int number)
{
    char body[64];
    snprintf(body, sizeof body, "{\"logits\":[0,-%d]}", number);
    http_post(http, "/v1/log_softmax", body);
}

static void check_numbered(struct http *http, int number)
{
    struct http_response response = http_read(http);
    ck_assert_msg(response.status == 200, "%s", response.body);
    json_t *document = json_loadb(response.body, response.length, 0, NULL);
    const json_t *values = json_object_get(document, "log_probabilities");
    const double difference = json_number_value(json_array_get(values, 0)) -
                              json_number_value(json_array_get(values, 1));
    ck_assert_double_eq_tol(difference, number, 1e-4);
    json_decref(document);
    http_free(&response);
}

START_TEST(a_connection_is_kept)
{
    struct http http = http_open(server.port);
    for (int i = 0; i < 50; i++) {
        send_numbered(&http, i);
        check_numbered(&http, i);
    }
    http_close(&http);
}
END_TEST

/* In pieces of any size, requests with and without the workers among them. */
START_TEST(pipelined_answers_keep_their_order)
{
    struct http http = http_open(server.port);
    for (int i = 0; i < 40; i++) {
        send_numbered(&http, i);
        if (i % 5 == 0)
            http_print(&http, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    for (int i = 0; i < 40; i++) {
        check_numbered(&http, i);
        if (i % 5 == 0) {
            struct http_response response = http_read(&http);
            ck_assert_str_eq(response.body, "live\n");
            http_free(&response);
        }
    }
    http_close(&http);
}
END_TEST

START_TEST(pipelined_answers_of_workers_keep_their_order)
{
    struct process pooled = process_start("--inline-max-bytes 0 --workers 4");
    struct http http = http_open(pooled.port);
    for (int i = 0; i < 40; i++)
        send_numbered(&http, i);
    for (int i = 0; i < 40; i++)
        check_numbered(&http, i);
    http_close(&http);
    process_end(&pooled);
}
END_TEST

START_TEST(a_client_may_ask_to_close)
{
    static const char *const requests[] = {"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                                           "GET /livez HTTP/1.0\r\n\r\n"};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct http http = http_open(server.port);
        http_send(&http, requests[i], strlen(requests[i]));
        struct http_response response = http_read(&http);
        ck_assert_str_eq(response.body, "live\n");
        ck_assert(http_ends(&http));
        http_free(&response);
        http_close(&http);
    }
}
END_TEST

/* A client that has sent all it wants to may close its side before the answer comes. The library may overlook
 * a FIN that comes together with bytes; the connection then ends as a silent one. */
START_TEST(a_half_closed_connection_is_answered)
{
    struct process impatient = process_start("--idle-timeout-s 1");
    struct http http = http_open(impatient.port);
    send_numbered(&http, 3);
    http_finish(&http);
    check_numbered(&http, 3);
    ck_assert(http_ends(&http));
    http_close(&http);
    process_end(&impatient);
}
END_TEST

/* What is no HTTP is refused by the library below, in its own words or by closing. */
START_TEST(what_is_no_http_does_no_harm)
{
    static const char *const garbage[] = {
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        "GET /livez HTTP/9.9\r\nHost: localhost\r\n\r\n",
        "POST /v1/softmax HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST /v1/softmax HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18446744073709551616\r\n\r\n",
        "POST /v1/softmax HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        "POST /v1/softmax HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"};
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        struct http http = http_open(server.port);
        http_send(&http, garbage[i], strlen(garbage[i]));
        http_finish(&http);
        http_readable(&http, 100);
        http_close(&http);
        http = http_open(server.port);
        send_numbered(&http, 5);
        check_numbered(&http, 5);
        http_close(&http);
    }
}
END_TEST

/* Fields beyond the memory of a connection are refused. */
START_TEST(endless_fields_are_refused)
{
    struct http http = http_open(server.port);
    bool open = http_try_send(&http, "GET /livez HTTP/1.1\r\nX: ", 24);
    char fill[4096];
    memset(fill, 'x', sizeof fill);
    for (int i = 0; i < 4096 && open && !http_readable(&http, 0); i++)
        open = http_try_send(&http, fill, sizeof fill);
    ck_assert(http_readable(&http, HTTP_TIMEOUT_MS));
    struct http_response response = http_try_read(&http, false);
    ck_assert(response.head == NULL || response.status / 100 == 4);
    http_free(&response);
    http_close(&http);
}
END_TEST

TEST_SUITE("server")
{
    Suite *suite = suite_create("server routes");

    TCase *routes = tcase_create("routes");
    tcase_set_timeout(routes, 60);
    tcase_add_checked_fixture(routes, start, stop);
    tcase_add_test(routes, probes_answer);
    tcase_add_test(routes, every_route_answers_with_its_media_type);
    tcase_add_test(routes, version_names_the_instruction_set);
    tcase_add_test(routes, pages_stand_alone);
    tcase_add_test(routes, head_is_get_without_the_body);
    tcase_add_test(routes, head_of_metrics);
    tcase_add_test(routes, unknown_routes_are_404);
    tcase_add_test(routes, other_methods_are_405_with_allow);
    tcase_add_test(routes, options_are_the_methods);
    tcase_add_test(routes, other_media_types_are_415);
    tcase_add_test(routes, answers_that_nobody_accepts_are_406);
    tcase_add_test(routes, the_usual_media_types_are_taken);
    suite_add_tcase(suite, routes);

    TCase *connections = tcase_create("connections");
    tcase_set_timeout(connections, 60);
    tcase_add_checked_fixture(connections, start, stop);
    tcase_add_test(connections, a_connection_is_kept);
    tcase_add_test(connections, pipelined_answers_keep_their_order);
    tcase_add_test(connections, pipelined_answers_of_workers_keep_their_order);
    tcase_add_test(connections, a_client_may_ask_to_close);
    tcase_add_test(connections, a_half_closed_connection_is_answered);
    tcase_add_test(connections, what_is_no_http_does_no_harm);
    tcase_add_test(connections, endless_fields_are_refused);
    suite_add_tcase(suite, connections);
    return suite;
}
