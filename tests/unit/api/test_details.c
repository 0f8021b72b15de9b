/* What a problem's text and place are where the client's own bytes are part of it, and that nobody has to ask for them.
 */
#include "lib/ask.h"
#include "lib/infer.h"
#include "lib/suite.h"
#include "json/find.h"

#include <stdlib.h>
#include <string.h>

#define SOFTMAX "/v1/softmax"
#define GUMBEL "/v1/gumbel_softmax"

/* ---- Names of the client's ---- */

/* The body, its problem's pointer, and the byte where that is. */
static const struct {
    const char *body, *pointer;
    int offset;
} names[] = {
    {"{\"logits\":[1],\"\\ud83d\\ude00\":1}", "/\xf0\x9f\x98\x80", 29},
    {"{\"logits\":[1],\"\\u20ac\\u00e9\\/\\n\":1}", "/\xe2\x82\xac\xc3\xa9~1\n", 33},
    {"{\"logits\":[1],\"tau\":{\"schedule\":\"linear\",\"~/\":1}}", "/tau/~0~1", 46},
    {"{\"logits\":[[1,2],[3,1e39]]}", "/logits/1/1", 20},
    {"{\"logits\":[1,2],\"seed\":[0.5,1]}", "/seed/0", 24},
};

START_TEST(a_name_with_escapes_is_pointed_at)
{
    struct answer answer = ask(GUMBEL, "%s", names[_i].body);
    ck_assert_int_eq(answer.status, 400);
    ck_assert_str_eq(ask_text(&answer, "pointer"), names[_i].pointer);
    ck_assert_msg(json_integer_value(json_object_get(answer.json, "offset")) == names[_i].offset, "%s", answer.text);
    ask_free(&answer);
}
END_TEST

/* An argument of a query may hold any bytes; the answer is JSON all the same. */
START_TEST(bytes_that_are_no_text_are_told_as_such)
{
    static const struct {
        const char *name, *pointer;
    } cases[] = {
        {"a\x01\x1f\t", "/a\x01\x1f\t"},
        {"a\xffz", "/a\xef\xbf\xbdz"},
        {"\xe2\x82", "/"},
        {"\xc3(\xed\xa0\x80z", "/\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz"},
        {"\"\\", "/\"\\"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct api_argument argument = {.name = cases[i].name, .value = "1", .length = 1};
        struct api_request request = {.content_type = API_NPY, .query = &argument, .query_count = 1};
        struct api_response response;
        request.body = "";
        ck_assert_int_eq(api_route_find("POST", SOFTMAX, &request.route, NULL), 0);
        api_answer(&request, &response);
        ck_assert_int_eq(response.status, 400);
        json_t *problem = json_loadb(response.body, response.length, 0, NULL);
        ck_assert_msg(problem != NULL, "no JSON: %.*s", (int)response.length, response.body);
        ck_assert_str_eq(json_string_value(json_object_get(problem, "code")), "unknown_member");
        ck_assert_str_eq(json_string_value(json_object_get(problem, "pointer")), cases[i].pointer);
        json_decref(problem);
        api_response_release(&response);
    }
}
END_TEST

/* ---- Places ---- */

START_TEST(a_pointer_finds_its_value_or_nothing)
{
    static const char body[] = "{\"a\":[1,[2,{\"b/~\":3}]],\"c\":\"x\",\"c\":4,\"d\":[5";
    static const struct {
        const char *pointer, *at; /* NULL: nothing */
    } cases[] = {
        {"", NULL},
        {"/a", "[1,["},
        {"/a/0", "1,[2"},
        {"/a/1/0", "2,{"},
        {"/a/1/1/b~1~0", "3}]"},
        {"/a/1/1/b", NULL},
        {"/a/2", NULL},
        {"/a/x", NULL},
        {"/a/-1", NULL},
        {"/a/99999999999999999999", NULL},
        {"/a/0/0", NULL},
        {"/c", "\"x\",\"c\""},
        {"/c/0", NULL},
        {"/d/0", "5"},
        {"/d/1", NULL},
        {"/e", NULL},
        {"/a~2", NULL},
    };
    char *padded = ask_padded(body, sizeof body - 1);
    const struct json_text text = {.body = padded, .length = sizeof body - 1};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *at = json_find(&text, cases[i].pointer);
        ck_assert_msg((at == NULL) == (cases[i].at == NULL), "%s: %s", cases[i].pointer, at != NULL ? at : "nothing");
        ck_assert_msg(at == NULL || strncmp(at, cases[i].at, strlen(cases[i].at)) == 0, "%s: %s", cases[i].pointer, at);
    }
    free(padded);
}
END_TEST

/* ---- Without anybody who asks ---- */

START_TEST(a_problem_need_not_be_asked_for)
{
    static const struct {
        const char *path, *type, *accept, *body;
    } cases[] = {
        {SOFTMAX, NULL, NULL, "{\"logits\":[1,2"},
        {SOFTMAX, NULL, NULL, "{\"logits\":[1,2],\"nope\":1}"},
        {SOFTMAX, NULL, NULL, "{\"logits\":[1,\"x\"]}"},
        {SOFTMAX, NULL, NULL, "{\"logits\":[1,2],\"dim\":4}"},
        {SOFTMAX, NULL, NULL, "[1,2"},
        {SOFTMAX, NULL, NULL, "{}"},
        {SOFTMAX, API_NPY, NULL, "\x93NUMPY"},
        {SOFTMAX, "text/plain", NULL, "{}"},
        {SOFTMAX, NULL, "text/plain", "{\"logits\":[1,2]}"},
        {SOFTMAX, NULL, NULL, ""},
        {"/v2/models/softmax/infer", NULL, NULL, "{\"inputs\":[{\"name\":1}]}"},
        {"/v2/models/softmax/infer", NULL, NULL, "{\"inputs\":[}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct api_request request = {.content_type = cases[i].type, .accept = cases[i].accept};
        struct api_problem problem;
        struct api_call *call;
        struct api_stream *stream;
        char *body = ask_padded(cases[i].body, strlen(cases[i].body));
        request.body = body;
        request.length = strlen(cases[i].body);
        ck_assert_int_eq(api_route_find("POST", cases[i].path, &request.route, NULL), 0);
        request.model = api_route_model(request.route, cases[i].path);
        ck_assert_int_eq(api_decode(&request, &call, &problem), -1);
        ck_assert_int_eq(api_decode(&request, &call, NULL), -1);
        ck_assert_int_eq(api_stream_open(&request, &stream, NULL), -1);
        free(body);
    }
    const struct api_route *route;
    ck_assert_int_eq(api_route_find("POST", "/nowhere", &route, NULL), -1);
    ck_assert_int_eq(api_route_find("GET", SOFTMAX, &route, NULL), -1);
}
END_TEST

/* ---- The greatest classes ---- */

static void check_classes(const char *data, const char *more, const char *expected)
{
    char body[512];
    snprintf(body, sizeof body,
             "{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[1,3],\"data\":%s}],\"parameters\":"
             "{\"on_invalid\":\"nan\"%s},\"outputs\":[{\"parameters\":{\"classification\":3},\"name\":\"%s\"}]}",
             data, more, strstr(more, "seed") != NULL ? "noise" : "log_probabilities");
    struct inferred inferred = infer_json(
        strstr(more, "seed") != NULL ? "/v2/models/gumbel_softmax/infer" : "/v2/models/log_softmax/infer", body);
    ck_assert_msg(inferred.answer.status == 200, "%s", inferred.answer.text);
    char *text = json_dumps(json_object_get(infer_output(&inferred, 0), "data"), JSON_COMPACT);
    ck_assert_str_eq(text, expected);
    free(text);
    infer_free(&inferred);
}

START_TEST(classes_are_ranked_whatever_their_values)
{
    check_classes("[1,1,1]", "", "[\"-1.0986123:0\",\"-1.0986123:1\",\"-1.0986123:2\"]");
    check_classes("[null,2,null]", "", "[\"0.0:1\",\"-inf:0\",\"-inf:2\"]");
    check_classes("[null,null,null]", "", "[\"nan:0\",\"nan:1\",\"nan:2\"]");
    check_classes("[1,2,null]", "", "[\"-0.31326166:1\",\"-1.3132616:0\",\"-inf:2\"]");
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: details");
    TCase *details = tcase_create("details");
    tcase_add_checked_fixture(details, api_init, NULL);
    tcase_add_loop_test(details, a_name_with_escapes_is_pointed_at, 0, sizeof names / sizeof *names);
    tcase_add_test(details, bytes_that_are_no_text_are_told_as_such);
    tcase_add_test(details, a_pointer_finds_its_value_or_nothing);
    tcase_add_test(details, a_problem_need_not_be_asked_for);
    tcase_add_test(details, classes_are_ranked_whatever_their_values);
    suite_add_tcase(suite, details);
    return suite;
}
