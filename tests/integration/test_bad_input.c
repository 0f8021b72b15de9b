/* What is refused: each with a status of 4xx and a problem document, by a server that goes on and stays
 * right. */
#include "lib/http.h"
#include "lib/process.h"
#include "lib/suite.h"

#include "lib/assertions.h"
#include <string.h>

static struct process server;

static void start(void)
{
    server = process_start("--max-body-bytes 2000");
}

/* The same with every call answered by a worker. */
static void start_with_workers(void)
{
    server = process_start("--max-body-bytes 2000 --inline-max-bytes 0 --workers 2");
}

static void stop(void)
{
    process_end(&server);
}

#define SOFTMAX "/v1/softmax"
#define GUMBEL "/v1/gumbel_softmax"

struct bad_body {
    const char *path, *body;
    int status;
    const char *code, *pointer; /* NULL where no single member is meant */
};

static const struct bad_body bad_bodies[] = {
    /* not JSON */
    {SOFTMAX, "logits", 400, "malformed_json", NULL},
    {SOFTMAX, "", 400, "malformed_json", NULL},
    {SOFTMAX, "{\"logits\":[1,2]", 400, "malformed_json", "/logits"},
    {SOFTMAX, "{\"logits\":[1,2]}]", 400, "malformed_json", NULL},
    {SOFTMAX, "{\"logits\":[1,2}", 400, "malformed_json", "/logits/1"},
    {SOFTMAX, "{\"logits\":[1,]}", 400, "malformed_json", "/logits/1"},
    {SOFTMAX, "{\"logits\":[01]}", 400, "malformed_json", "/logits/0"},
    {SOFTMAX, "{\"logits\":[1,2],\"temperature\":tru}", 400, "malformed_json", "/temperature"},
    {SOFTMAX, "\xef\xbb\xbf\xef\xbb\xbf{\"logits\":[1,2]}", 400, "malformed_json", NULL},
    {SOFTMAX, "[[1,2],[3,4]]", 400, "wrong_type", NULL},
    {SOFTMAX, "null", 400, "wrong_type", NULL},
    /* the array */
    {SOFTMAX, "{\"logits\":[[1,2],[3]]}", 400, "ragged_array", "/logits/1"},
    {SOFTMAX, "{\"logits\":[[1,2],3]}", 400, "ragged_array", "/logits/1"},
    {SOFTMAX, "{\"logits\":[1,[2]]}", 400, "ragged_array", "/logits/1"},
    {SOFTMAX, "{\"logits\":[[]]}", 422, "invalid_row", "/logits"},
    {SOFTMAX, "{\"logits\":[[1],[]]}", 400, "ragged_array", "/logits/1"},
    {SOFTMAX, "{\"logits\":[[1]],\"temperature\":[]}", 400, "empty_array", "/temperature"},
    {SOFTMAX, "{\"logits\":[[[[[[[[[1]]]]]]]]]}", 400, "wrong_type", "/logits"},
    {SOFTMAX, "{\"logits\":[[1,2],[3,\"4\"]]}", 400, "wrong_type", "/logits/1/1"},
    {SOFTMAX, "{\"logits\":[1,true]}", 400, "wrong_type", "/logits/1"},
    {SOFTMAX, "{\"logits\":[1,{}]}", 400, "wrong_type", "/logits/1"},
    {SOFTMAX, "{\"logits\":7}", 400, "wrong_type", "/logits"},
    {SOFTMAX, "{\"logits\":null}", 400, "wrong_type", "/logits"},
    {SOFTMAX, "{\"logits\":[1,NaN]}", 400, "malformed_json", "/logits/1"},
    {SOFTMAX, "{\"logits\":[1,Infinity]}", 400, "malformed_json", "/logits/1"},
    {SOFTMAX, "{\"logits\":[1,-Infinite]}", 400, "malformed_json", "/logits/1"},
    {SOFTMAX, "{\"logits\":[1,2],\"temperature\":-Infinity}", 400, "wrong_type", "/temperature"},
    {SOFTMAX, "{\"logits\":[1,\"Infinity\"]}", 400, "wrong_type", "/logits/1"},
    {SOFTMAX, "{\"logits\":[1,1e400]}", 400, "out_of_range", "/logits/1"},
    {SOFTMAX, "{\"logits\":[1,-1e39]}", 400, "out_of_range", "/logits/1"},
    {SOFTMAX, "{\"logits\":[[1,2],[null,null]]}", 422, "invalid_row", "/logits/1"},
    {SOFTMAX, "{\"logits\":[null]}", 422, "invalid_row", "/logits"},
    /* the other members */
    {SOFTMAX, "{}", 400, "missing_member", "/logits"},
    {SOFTMAX, "{\"temperature\":2}", 400, "missing_member", "/logits"},
    {SOFTMAX, "{\"logits\":[1,2],\"temperature\":-1}", 400, "out_of_range", "/temperature"},
    {SOFTMAX, "{\"logits\":[1,2],\"temperature\":1e400}", 400, "out_of_range", "/temperature"},
    {SOFTMAX, "{\"logits\":[1,2],\"temperature\":\"hot\"}", 400, "wrong_type", "/temperature"},
    {SOFTMAX, "{\"logits\":[1,2],\"temperature\":NaN}", 400, "malformed_json", "/temperature"},
    {SOFTMAX, "{\"logits\":[1,2],\"temperature\":[1,2]}", 400, "wrong_length", "/temperature"},
    {SOFTMAX, "{\"logits\":[1,2],\"seed\":7}", 400, "unknown_member", "/seed"},
    {SOFTMAX, "{\"logits\":[1,2],\"logits\":[1,2]}", 400, "duplicate_member", "/logits"},
    {SOFTMAX, "{\"logits\":[1,2],\"log\\u0069ts\":[1,2]}", 400, "duplicate_member", "/logits"},
    {SOFTMAX, "{\"logits\":[1,2],\"temperature\":1,\"temperature\":2}", 400, "duplicate_member", "/temperature"},
    {SOFTMAX, "{\"logits\":[1,2],\"Temperature\":1}", 400, "unknown_member", "/Temperature"},
    {SOFTMAX, "{\"logits\":[1,2],\"a/b~c\":1}", 400, "unknown_member", "/a~1b~0c"},
    {GUMBEL, "{\"logits\":[1,2],\"tau\":-1}", 400, "out_of_range", "/tau"},
    {GUMBEL, "{\"logits\":[[1,2],[3,4]],\"tau\":[1,-1]}", 400, "out_of_range", "/tau/1"},
    {GUMBEL, "{\"logits\":[1,2],\"seed\":9007199254740992}", 400, "out_of_range", "/seed"},
    {GUMBEL, "{\"logits\":[1,2],\"seed\":9007199254740993}", 400, "out_of_range", "/seed"},
    {GUMBEL, "{\"logits\":[1,2],\"seed\":18446744073709551616}", 400, "out_of_range", "/seed"},
    {GUMBEL, "{\"logits\":[1,2],\"seed\":-1}", 400, "out_of_range", "/seed"},
    {GUMBEL, "{\"logits\":[1,2],\"seed\":1.5}", 400, "wrong_type", "/seed"},
    {GUMBEL, "{\"logits\":[1,2],\"seed\":\"7\"}", 400, "wrong_type", "/seed"},
    {GUMBEL, "{\"logits\":[1,2],\"seed\":[1,2]}", 400, "wrong_length", "/seed"},
    {GUMBEL, "{\"logits\":[1,2],\"hard\":1}", 400, "wrong_type", "/hard"},
    {GUMBEL, "{\"logits\":[1,2],\"row_offset\":4294967296}", 400, "out_of_range", "/row_offset"},
    {GUMBEL, "{\"logits\":[1,2],\"temperature\":1}", 400, "unknown_member", "/temperature"},
};
enum { BAD_BODIES = sizeof bad_bodies / sizeof *bad_bodies };

/* A known request gets its known answer: softmax of two equal logits. */
static void check_right(struct http *http)
{
    http_post(http, SOFTMAX, "{\"logits\":[[0,0],[5,5]]}");
    struct http_response response = http_read(http);
    ck_assert_int_eq(response.status, 200);
    ck_assert_str_eq(response.body, "{\"shape\":[2,2],\"dtype\":\"float32\",\"probabilities\":[[0.5,0.5],[0.5,0.5]]}");
    http_free(&response);
}

static void check_problem(struct http *http, const struct bad_body *bad)
{
    struct http_response response = http_read(http);
    json_t *document = http_problem(&response, bad->status, bad->code);
    const char *pointer = json_string_value(json_object_get(document, "pointer"));
    ck_assert_msg((pointer == NULL) == (bad->pointer == NULL) &&
                      (pointer == NULL || strcmp(pointer, bad->pointer) == 0),
                  "%s: pointer is %s, not %s", bad->body, pointer, bad->pointer);
    json_decref(document);
    http_free(&response);
}

START_TEST(bad_bodies_are_refused)
{
    struct http http = http_open(server.port);
    for (size_t i = 0; i < BAD_BODIES; i++) {
        http_post(&http, bad_bodies[i].path, bad_bodies[i].body);
        check_problem(&http, &bad_bodies[i]);
        check_right(&http);
    }
    http_close(&http);
}
END_TEST

/* All of them at once, so that the answers have to find their requests. */
START_TEST(bad_bodies_are_refused_in_order)
{
    struct http http = http_open(server.port);
    for (size_t i = 0; i < BAD_BODIES; i++)
        http_post(&http, bad_bodies[i].path, bad_bodies[i].body);
    for (size_t i = 0; i < BAD_BODIES; i++)
        check_problem(&http, &bad_bodies[i]);
    check_right(&http);
    http_close(&http);
}
END_TEST

static void check_bytes(const char *bytes, size_t length, const char *pointer)
{
    struct http http = http_open(server.port);
    http_print(&http, "POST " SOFTMAX " HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n", length);
    http_send(&http, bytes, length);
    check_problem(&http, &(struct bad_body){SOFTMAX, "bytes", 400, "malformed_json", pointer});
    check_right(&http);
    http_close(&http);
}

START_TEST(nul_bytes_are_refused)
{
    static const char before[] = "\0{\"logits\":[1,2]}", in_array[] = "{\"logits\":[1,\0002]}",
                      in_string[] = "{\"a\0\":1,\"logits\":[1,2]}", after[] = "{\"logits\":[1,2]}\0";
    check_bytes(before, sizeof before - 1, NULL);
    check_bytes(in_array, sizeof in_array - 1, "/logits/1");
    check_bytes(in_string, sizeof in_string - 1, NULL);
    check_bytes(after, sizeof after - 1, NULL);
}
END_TEST

START_TEST(bytes_that_are_no_utf_8_are_refused)
{
    static const char key[] = "{\"logits\":[1,2],\"\xff\":1}", value[] = "{\"logits\":[1,2],\"temperature\":\"\xc3\"}";
    check_bytes(key, sizeof key - 1, NULL);
    check_bytes(value, sizeof value - 1, "/temperature");
}
END_TEST

START_TEST(depth_and_length_bombs_are_refused)
{
    char bomb[1900];
    memset(bomb, '[', sizeof bomb);
    check_bytes(bomb, sizeof bomb, NULL);
    memset(bomb, '1', sizeof bomb);
    memcpy(bomb, "{\"logits\":[", 11);
    struct http http = http_open(server.port);
    http_print(&http, "POST " SOFTMAX " HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n", sizeof bomb);
    http_send(&http, bomb, sizeof bomb);
    check_problem(&http, &(struct bad_body){SOFTMAX, "bomb", 400, "out_of_range", "/logits/0"});
    check_right(&http);
    http_close(&http);
}
END_TEST

START_TEST(other_requests_are_refused)
{
    static const struct {
        const char *method;
        struct bad_body bad;
    } requests[] = {
        {"POST", {"/v1/sample", "{\"logits\":[1,2]}", 404, "not_found", NULL}},
        {"GET", {SOFTMAX, NULL, 405, "method_not_allowed", NULL}},
        {"DELETE", {"/readyz", NULL, 405, "method_not_allowed", NULL}},
    };
    char large[3000];
    memset(large, ' ', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    struct http http = http_open(server.port);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        http_print(&http, "%s %s HTTP/1.1\r\nHost: localhost\r\n\r\n", requests[i].method, requests[i].bad.path);
        check_problem(&http, &requests[i].bad);
        check_right(&http);
    }
    http_post(&http, SOFTMAX, large);
    check_problem(&http, &(struct bad_body){SOFTMAX, large, 413, "body_too_large", NULL});
    check_right(&http);
    http_close(&http);
}
END_TEST

/* What the server itself refuses, by the requests' bytes. */
START_TEST(a_refusal_says_what_to_do)
{
    static const struct {
        const char *line, *field, *code, *text;
        size_t filling; /* spaces after the field's name, or in the body where there is no field */
        int status;
    } cases[] = {
        {"GET /softmax", NULL, "not_found", "did you mean /v1/softmax? /openapi.json lists them all", 0, 404},
        {"POST /v1/softmax", NULL, "malformed_json", "the body is empty: send a JSON object", 0, 400},
        {"POST /v1/softmax", NULL, "body_too_large", "a body may have up to 2000 bytes (--max-body-bytes)", 2001, 413},
        {"POST /v1/softmax", "X: 1", "head_too_large", "up to 16384 bytes; no flag sets this", 17000, 431},
    };
    static const char spaces[20000] = {[0 ... sizeof spaces - 2] = ' '};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http http = http_open(server.port);
        const int filling = (int)cases[i].filling;
        if (cases[i].field != NULL)
            http_print(&http, "%s HTTP/1.1\r\nHost: localhost\r\n%s%.*s\r\n\r\n", cases[i].line, cases[i].field,
                       filling, spaces);
        else
            http_print(&http, "%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%.*s", cases[i].line,
                       filling, filling, spaces);
        struct http_response response = http_read(&http);
        json_t *problem = http_problem(&response, cases[i].status, cases[i].code);
        ck_assert_msg(strstr(json_string_value(json_object_get(problem, "detail")), cases[i].text) != NULL, "%s",
                      response.body);
        json_decref(problem);
        http_free(&response);
        http_close(&http);
    }
}
END_TEST

TEST_SUITE("server")
{
    static const struct {
        const char *name;
        void (*start)(void);
    } ways[] = {{"on the loop", start}, {"by workers", start_with_workers}};
    Suite *suite = suite_create("server bad input");
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        TCase *tcase = tcase_create(ways[i].name);
        tcase_set_timeout(tcase, 60);
        tcase_add_checked_fixture(tcase, ways[i].start, stop);
        tcase_add_test(tcase, bad_bodies_are_refused);
        tcase_add_test(tcase, bad_bodies_are_refused_in_order);
        tcase_add_test(tcase, nul_bytes_are_refused);
        tcase_add_test(tcase, bytes_that_are_no_utf_8_are_refused);
        tcase_add_test(tcase, depth_and_length_bombs_are_refused);
        tcase_add_test(tcase, other_requests_are_refused);
        tcase_add_test(tcase, a_refusal_says_what_to_do);
        suite_add_tcase(suite, tcase);
    }
    return suite;
}
