/* What a problem's text advises: the name that was meant, what to write instead, the flag that sets a limit. */
#include "contract/suggest.h"
#include "lib/npy.h"
#include "lib/suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOFTMAX "/v1/softmax"
#define GUMBEL "/v1/gumbel_softmax"
#define CATEGORICAL "/v1/categorical"
#define VJP "/v1/vjp"

static void assert_advice(const struct answer *answer, int status, const char *code, const char *pointer,
                          const char *text)
{
    ck_assert_msg(answer->status == status && strcmp(ask_text(answer, "code"), code) == 0 &&
                      strcmp(ask_text(answer, "pointer"), pointer) == 0 &&
                      strstr(ask_text(answer, "detail"), text) != NULL,
                  "%s where it should be %s at %s: %s", answer->text, code, pointer, text);
}

/* ---- Names ---- */

static const struct {
    const char *path, *name, *text;
} members[] = {
    {GUMBEL, "temperature",
     "gumbel_softmax takes tau, not temperature; its members are logits, dim, mask, dtype, on_invalid, tau, hard, "
     "rng, seed, key, row_offset, draw_offset, num_samples, noise_scale, return"},
    {SOFTMAX, "tau", "softmax takes temperature, not tau; its members are logits, dim, mask"},
    {SOFTMAX, "axis", "takes dim, not axis;"},
    {CATEGORICAL, "n", "takes num_samples, not n;"},
    {CATEGORICAL, "step", "takes draw_offset, not step;"},
    {CATEGORICAL, "topK", "takes top_k, not topK;"},
    {CATEGORICAL, "k", "takes top_k, not k;"},
    {CATEGORICAL, "random-seed", "takes seed, not random-seed;"},
    {SOFTMAX, "Logits", "takes logits, not Logits;"},
    {SOFTMAX, "inputs", "takes logits, not inputs;"},
    {SOFTMAX, "temprature", "takes temperature, not temprature;"},
    {SOFTMAX, "tempreature", "takes temperature, not tempreature;"},
    {SOFTMAX, "nope", "softmax has no such member; its members are logits, dim, mask, dtype, on_invalid, temperature"},
    {SOFTMAX, "seed", "softmax has no such member;"},
    {GUMBEL, "top_k", "gumbel_softmax has no such member;"},
    {CATEGORICAL, "", "logprobs, logprobs_of, logprobs_for, return"},
};

START_TEST(an_unknown_member_is_told_what_was_meant)
{
    char pointer[64];
    struct answer answer = ask(members[_i].path, "{\"logits\":[1,2],\"%s\":1}", members[_i].name);
    snprintf(pointer, sizeof pointer, "/%s", members[_i].name);
    assert_advice(&answer, 400, "unknown_member", pointer, members[_i].text);
    ask_free(&answer);
}
END_TEST

/* A name may be as long as the client likes, and of whatever bytes. */
START_TEST(a_long_name_is_cut_off)
{
    char name[2000];
    for (int control = 0; control < 2; control++) {
        size_t used = 0;
        while (used < 1900)
            used += (size_t)sprintf(name + used, "%s", control ? "\\u0001" : "__");
        strcpy(name + used, "logit");
        struct answer answer = ask(SOFTMAX, "{\"logits\":[1,2],\"%s\":1}", name);
        ck_assert_int_eq(answer.status, 400);
        ck_assert_msg(strstr(ask_text(&answer, "detail"), control ? "no such member" : "takes logits, not ____") !=
                          NULL,
                      "%s", answer.text);
        ck_assert_uint_lt(strlen(ask_text(&answer, "detail")), API_DETAIL_BYTES);
        ask_free(&answer);
    }
}
END_TEST

START_TEST(vjp_tells_of_the_function_that_it_differentiates)
{
    struct answer answer = ask(VJP, "{\"logits\":[1,2],\"cotangent\":[1,2],\"function\":\"softmax\",\"tau\":1}");
    assert_advice(&answer, 400, "unknown_member", "/tau", "vjp of softmax takes temperature, not tau; its members are");
    ask_free(&answer);
}
END_TEST

START_TEST(a_distance_counts_edits_of_letters)
{
    static const struct {
        const char *name, *known;
        unsigned distance;
    } cases[] = {
        {"logits", "logits", 0},
        {"Log_Its", "logits", 0},
        {"lgoits", "logits", 1},
        {"logit", "logits", 1},
        {"logitss", "logits", 1},
        {"lagits", "logits", 1},
        {"lgotis", "logits", 2},
        {"lo", "logits", 3},
        {"logitsabc", "logits", 3},
        {"abc", "dim", 3},
        {"tua", "tau", 1},
        {"tx", "tau", 3},
        {"", "dim", 3},
        {"", "k", 3},
        {"top-k", "top_k", 0},
        {"ca", "abc", 3},
        {"xlogitsy", "logits", 2},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "logits", 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(suggest_distance(cases[i].name, cases[i].known) == cases[i].distance, "%s, %s: %u", cases[i].name,
                      cases[i].known, suggest_distance(cases[i].name, cases[i].known));
}
END_TEST

START_TEST(a_member_of_a_schedule_is_told_what_was_meant)
{
    struct answer answer = ask(GUMBEL, "{\"logits\":[1],\"tau\":{\"schedule\":\"linear\",\"Steps\":1}}");
    assert_advice(&answer, 400, "unknown_member", "/tau/Steps",
                  "the schedule linear takes steps, not Steps; its members are schedule, start, min, steps, step");
    ask_free(&answer);
    answer = ask(GUMBEL, "{\"logits\":[1],\"tau\":{\"schedule\":\"exponential\",\"other\":1}}");
    assert_advice(&answer, 400, "unknown_member", "/tau/other",
                  "the schedule exponential has no such member; its members are schedule, start, min, rate, step");
    ask_free(&answer);
}
END_TEST

START_TEST(a_call_of_a_batch_is_told_what_was_meant)
{
    static const struct {
        const char *call, *text;
    } cases[] = {
        {"{\"function\":\"gumbel-softmax\",\"body\":{}}",
         "must be softmax, log_softmax, gumbel_softmax, categorical or vjp: gumbel_softmax was probably meant\""},
        {"{\"function\":\"batch\",\"body\":{}}", "gumbel_softmax, categorical or vjp\""},
        {"{\"Function\":\"softmax\",\"body\":{}}", "has id, function and body: function was probably meant\""},
        {"{\"function\":\"softmax\",\"logits\":[1]}", "has id, function and body: logits belongs in the body\""},
        {"{\"function\":\"softmax\",\"other\":[1]}", "has id, function and body\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer answer = ask("/v1/batch", "{\"requests\":[%s]}", cases[i].call);
        ck_assert_msg(strstr(answer.text, cases[i].text) != NULL, "%s", answer.text);
        ask_free(&answer);
    }
}
END_TEST

/* ---- Words of other languages ---- */

static const struct {
    const char *body, *pointer, *text;
    int offset;
} texts[] = {
    {"", "", "the body is empty: send a JSON object", 0},
    {" \n", "", "the body is empty: send a JSON object", 2},
    {"{\"logits\":[1,NaN]}", "/logits/1", "NaN is not JSON, and no number may be NaN;", 13},
    {"{\"logits\":[1,nan]}", "/logits/1", "nan is not JSON", 13},
    {"{\"logits\":[[1,-nan]]}", "/logits/0/1", "-nan is not JSON", 14},
    {"{\"logits\":[1,Infinity]}", "/logits/1", "no number may be +inf; a class that is impossible has the logit null",
     13},
    {"{\"logits\":[1,inf]}", "/logits/1", "inf is not JSON", 13},
    {"{\"logits\":[1,-inf]}", "/logits/1", "-inf is not JSON: write null or \"-Infinity\"", 13},
    {"{\"logits\":NaN}", "/logits", "NaN is not JSON", 10},
    {"{\"logits\":[1,2],\"mask\":[True,False]}", "/mask/0", "True is not JSON: write true", 24},
    {"{\"logits\":[1,2],\"mask\":[true,False]}", "/mask/1", "False is not JSON: write false", 29},
    {"{\"logits\":[1,2],\"mask\":None}", "/mask", "None is not JSON: write null", 23},
    {"{\"logits\":[1,2],\"temperature\":NaN}", "/temperature", "NaN is not JSON", 30},
    {"{\"logits\":[1,2],\"temperature\":[1,Infinity]}", "/temperature/1", "Infinity is not JSON", 33},
    {"{\"logits\":[1,2],\"dim\":undefined}", "/dim", "undefined is not JSON: leave the member out", 22},
    {"{\"logits\":[1,2],\"other\":[{\"a\":TRUE}]}", "/other/0/a", "TRUE is not JSON: write true", 30},
    {"{'logits':[1,2]}", "", "JSON has double quotation marks", 1},
    {"{\"logits\":[1,2],\"dtype\":'float64'}", "/dtype", "JSON has double quotation marks", 24},
    {"{\"logits\":[1,nancy]}", "/logits/1", "expected a value", 13},
    {"{\"logits\":[1,Na", "/logits/1", "expected a value", 13},
    {"\x93NUMPY\x01", "", "send it as Content-Type: application/x-npy", 0},
    {"{logits:[1]}", "", "expected a member's name in double quotation marks", 1},
};

START_TEST(a_word_that_json_has_not_is_told_what_to_write)
{
    struct answer answer = ask(SOFTMAX, "%s", texts[_i].body);
    assert_advice(&answer, 400, "malformed_json", texts[_i].pointer, texts[_i].text);
    ck_assert_msg(json_integer_value(json_object_get(answer.json, "offset")) == texts[_i].offset, "%s", answer.text);
    ask_free(&answer);
}
END_TEST

/* ---- The query ---- */

static const struct {
    const char *path, *query, *code, *pointer, *text;
} queries[] = {
    {SOFTMAX, "temperature=NaN", "wrong_type", "/temperature", "(NaN is not JSON, and no number may be NaN"},
    {SOFTMAX, "temperature=1,None", "wrong_type", "/temperature", "(None is not JSON: write null)"},
    {SOFTMAX, "temperature=%20", "wrong_type", "/temperature", "special characters are not percent-encoded"},
    {SOFTMAX, "temperature=", "wrong_type", "/temperature", "has no value in the query"},
    {SOFTMAX, "temperature= ", "wrong_type", "/temperature", "has no value in the query"},
    {SOFTMAX, "tau=1", "unknown_member", "/tau", "softmax takes temperature, not tau; its members are"},
    {SOFTMAX, "other=1", "unknown_member", "/other", "softmax has no such member; its members are logits"},
    {SOFTMAX, "arrays=inputs", "unknown_member", "/arrays", "softmax takes logits, not inputs;"},
    {SOFTMAX, "arrays=logits,maks", "unknown_member", "/arrays", "softmax takes mask, not maks;"},
    {SOFTMAX, "arrays=1234567890123456789012345678901234567890123456789012345678901234567890", "unknown_member",
     "/arrays", "softmax has no such member;"},
    {SOFTMAX, "arrays=logits&arrays=mask", "duplicate_member", "/arrays", "with commas: arrays=logits,mask"},
    {CATEGORICAL, "top_k=1&top_k=2", "duplicate_member", "/top_k",
     "is in the query more than once; a list is one argument with commas: top_k=1,2"},
    {GUMBEL, "return=soft&return=noise", "duplicate_member", "/return", "with commas: return=a,b"},
    {GUMBEL, "hard=true&hard=true", "duplicate_member", "/hard", "is in the query more than once, and takes one value"},
};

START_TEST(an_argument_of_a_proxy_is_no_parameter)
{
    static const char json[] = "{\"logits\":[1,2]}";
    struct npy_bytes body = {0};
    npy_append(&body, json, strlen(json));
    struct answer answer = npy_ask(&(struct npy_request){.path = GUMBEL, .query = "token=abc&t=17&_=17"}, &body);
    ck_assert_int_eq(answer.status, 200);
    npy_answer_free(&answer);
    answer = npy_ask(&(struct npy_request){.path = GUMBEL, .query = "axis=0"}, &body);
    assert_advice(&answer, 400, "unknown_member", "/axis", "gumbel_softmax takes dim, not axis;");
    npy_answer_free(&answer);
    npy_free(&body);
}
END_TEST

START_TEST(a_body_that_is_no_array_is_told_what_to_send)
{
    static const struct {
        const char *body, *text;
    } cases[] = {
        {"", "the body ends where an array should begin: send what numpy.save writes"},
        {"{\"logits\":[1,2]}", "send what numpy.save writes, or JSON as application/json"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct npy_bytes body = {0};
        npy_append(&body, cases[i].body, strlen(cases[i].body));
        struct answer answer = npy_ask(&(struct npy_request){.path = SOFTMAX, .content_type = API_NPY}, &body);
        assert_advice(&answer, 400, "malformed_npy", "/logits", cases[i].text);
        npy_answer_free(&answer);
        npy_free(&body);
    }
}
END_TEST

START_TEST(an_argument_is_told_what_to_write)
{
    static const float logits[] = {1, 2};
    struct npy_bytes body = {0};
    npy_add(&body, "<f4", (const size_t[]){2, 0}, logits);
    struct answer answer = npy_ask(
        &(struct npy_request){.path = queries[_i].path, .query = queries[_i].query, .content_type = API_NPY}, &body);
    assert_advice(&answer, 400, queries[_i].code, queries[_i].pointer, queries[_i].text);
    npy_answer_free(&answer);
    npy_free(&body);
}
END_TEST

/* ---- Limits ---- */

static const struct {
    enum api_limit_id id;
    const char *path, *body, *pointer, *text;
} limited[] = {
    {API_LIMIT_ROWS, SOFTMAX, "{\"logits\":[[1],[2]]}", "/logits", "the limit is 1 rows of a call (--max-rows)"},
    {API_LIMIT_CLASSES, SOFTMAX, "{\"logits\":[1,2]}", "/logits", "classes of a row (--max-classes)"},
    {API_LIMIT_DRAWS, GUMBEL, "{\"logits\":[1],\"num_samples\":2}", "/num_samples", "(--max-draws)"},
    {API_LIMIT_WORK, SOFTMAX, "{\"logits\":[1,2]}", "/logits", "(--max-work)"},
    {API_LIMIT_RESULT_BYTES, SOFTMAX, "{\"logits\":[1,2]}", "/logits", "(--max-result-bytes)"},
    {API_LIMIT_BATCH_REQUESTS, "/v1/batch", "{\"requests\":[{},{}]}", "/requests", "(--max-batch-requests)"},
};

START_TEST(a_limit_names_its_flag)
{
    size_t limits[API_LIMIT_COUNT];
    for (int id = 0; id < API_LIMIT_COUNT; id++)
        limits[id] = api_limits[id].fallback;
    limits[limited[_i].id] = 1;
    struct api_request request = {.length = strlen(limited[_i].body), .limits = limits, .fresh_seed = ask_fresh_seed};
    char *body = ask_padded(limited[_i].body, request.length);
    request.body = body;
    struct answer answer = ask_request(limited[_i].path, &request);
    assert_advice(&answer, 413, "limit_exceeded", limited[_i].pointer, limited[_i].text);
    ask_free(&answer);
    free(body);
}
END_TEST

START_TEST(a_limit_without_a_flag_says_so)
{
    char *body = calloc(1, (2 << 20) + API_BODY_PADDING);
    memset(body, ' ', 2 << 20);
    memcpy(body, "{", 1);
    body[(2 << 20) - 1] = '}';
    struct answer answer = ask_bytes(SOFTMAX, body, 2 << 20);
    assert_advice(&answer, 413, "envelope_too_large", "", "may have 1048576 bytes; no flag sets this");
    ask_free(&answer);
    free(body);
}
END_TEST

/* ---- Rows without an answer ---- */

#define AT_ALL "; on_invalid gives such rows an answer"

static const struct {
    const char *path, *body, *pointer, *text;
} rows[] = {
    {SOFTMAX, "{\"logits\":[[1,2],[null,null]]}", "/logits/1", "row 1 holds nothing but -inf" AT_ALL},
    {SOFTMAX, "{\"logits\":[null,null],\"mask\":[true,true]}", "/logits", "row 0 holds nothing but -inf" AT_ALL},
    {SOFTMAX, "{\"logits\":[1,2],\"mask\":[false,false]}", "/mask", "row 0: mask leaves no class" AT_ALL},
    {SOFTMAX, "{\"logits\":[[1,2]],\"mask\":[false,false]}", "/mask", "row 0: mask leaves no class" AT_ALL},
    {SOFTMAX, "{\"logits\":[[1,2]],\"mask\":[[false,false]]}", "/mask/0", "row 0: mask leaves no class" AT_ALL},
    {GUMBEL, "{\"logits\":[[1,2],[1,2]],\"mask\":[[true,false],[false,false]]}", "/mask/1",
     "row 1: mask leaves no class" AT_ALL},
    {GUMBEL, "{\"logits\":[[1,2],[1,null]],\"mask\":[false,true],\"num_samples\":3}", "/mask",
     "row 1: mask leaves no class whose logit is above -inf" AT_ALL},
    {SOFTMAX, "{\"logits\":[[[1,2],[1,2]]],\"dim\":1,\"mask\":[[[true,false],[true,false]]]}", "/mask/0",
     "row 1: mask leaves no class" AT_ALL},
    {CATEGORICAL, "{\"logits\":[[1,2]],\"logit_bias\":{\"0\":null,\"1\":null}}", "/logit_bias",
     "row 0: logit_bias leaves no class" AT_ALL},
    {CATEGORICAL, "{\"logits\":[[1,null]],\"logit_bias\":{\"0\":null}}", "/logit_bias",
     "row 0: logit_bias leaves no class whose logit is above -inf" AT_ALL},
    {CATEGORICAL, "{\"logits\":[[1,2]],\"logit_bias\":{\"0\":null},\"mask\":[true,false]}", "/mask",
     "row 0: mask and logit_bias leave no class" AT_ALL},
    {CATEGORICAL, "{\"logits\":[[1,2],[1,3e38]],\"logit_bias\":{\"0\":1,\"1\":3e38}}", "/logit_bias/1",
     "row 1: the logit of class 1 and its bias are together beyond the range of float32"},
    {CATEGORICAL, "{\"logits\":[-3e38,null],\"logit_bias\":{\"1\":1,\"0\":-3e38}}", "/logit_bias/0",
     "row 0: the logit of class 0 and its bias are together beyond the range of float32"},
    {"/v2/models/softmax/infer",
     "{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2],\"data\":[1,2]},"
     "{\"name\":\"mask\",\"datatype\":\"BOOL\",\"shape\":[2],\"data\":[false,false]}]}",
     "/inputs/1/data", "row 0: mask leaves no class"},
    {"/v2/models/categorical/infer",
     "{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2],\"data\":[1,3e38]}],"
     "\"parameters\":{\"logit_bias\":\"{\\\"1\\\":3e38}\"}}",
     "/parameters/logit_bias/1", "the logit of class 1 and its bias"},
};

START_TEST(a_row_without_an_answer_is_told_why)
{
    const char *path = rows[_i].path, *body = rows[_i].body;
    struct api_request request = {.length = strlen(body), .fresh_seed = ask_fresh_seed};
    char *padded = ask_padded(body, request.length);
    request.body = padded;
    ck_assert_int_eq(api_route_find("POST", path, &request.route, NULL), 0);
    request.model = api_route_model(request.route, path);
    struct answer answer = ask_request(path, &request);
    assert_advice(&answer, 422, "invalid_row", rows[_i].pointer, rows[_i].text);
    ask_free(&answer);
    free(padded);
}
END_TEST

/* Results take the place of logits: what is said of a row is read from what is left of it. */
enum { ROW_COUNT = 40, MOST_CLASSES = 600 };

static const struct {
    const char *path, *query;
    bool cotangent;
} calls[] = {
    {SOFTMAX, "", false},
    {"/v1/log_softmax", "temperature=0", false},
    {GUMBEL, "seed=1&num_samples=2&return=samples,indices,soft,noise,log_density,log_samples,perturbed", false},
    {CATEGORICAL, "seed=1&logprobs=2&return=indices,log_probabilities", false},
    {VJP, "function=softmax", true},
    {VJP, "function=log_softmax", true},
    {VJP, "function=gumbel_softmax&seed=1", true},
    {VJP, "function=gumbel_softmax&seed=1&hard=true&estimator=gumbel_rao", true},
};

/* The row at fault, of ROW_COUNT, holds the value and is masked all over, at its last class and nowhere, or not. */
static void check_row(size_t call, size_t classes, bool strided, bool masked, float value, const char *pointer,
                      const char *text)
{
    static float logits[ROW_COUNT * MOST_CLASSES], cotangent[ROW_COUNT * MOST_CLASSES];
    static uint8_t mask[ROW_COUNT * MOST_CLASSES];
    const size_t row = ROW_COUNT - 3, shape[] = {strided ? classes : ROW_COUNT, strided ? ROW_COUNT : classes, 0};
    struct npy_bytes body = {0};
    char query[200];
    for (size_t r = 0; r < ROW_COUNT; r++)
        for (size_t class = 0; class < classes; class ++) {
            const size_t at = strided ? class * ROW_COUNT + r : r * classes + class;
            logits[at] = r == row && class + 1 == classes ? value : (float)class / 16;
            mask[at] = !(masked && r == row);
        }
    npy_add(&body, "<f4", shape, logits);
    npy_add(&body, "|b1", shape, mask);
    npy_add(&body, "<f4", shape, cotangent);
    if (!calls[call].cotangent)
        body.length -= 128 + 4 * ROW_COUNT * classes;
    snprintf(query, sizeof query, "arrays=logits,mask%s&dim=%d&%s", calls[call].cotangent ? ",cotangent" : "",
             strided ? 0 : 1, calls[call].query);
    struct answer answer = npy_ask(
        &(struct npy_request){.path = calls[call].path, .query = query, .content_type = API_NPY}, &body);
    assert_advice(&answer, 422, "invalid_row", pointer, text);
    npy_answer_free(&answer);
    npy_free(&body);
}

START_TEST(what_is_left_of_a_row_says_why)
{
    static const size_t classes[] = {3, 40, MOST_CLASSES};
    char text[64];
    for (int strided = 0; strided < 2; strided++)
        for (size_t i = 0; i < 3; i++) {
            const char *logits = strided ? "/logits" : "/logits/37", *mask = strided ? "/mask" : "/mask/37";
            snprintf(text, sizeof text, "row 37 holds NaN, as the logit of class %zu", classes[i] - 1);
            check_row((size_t)_i, classes[i], strided, false, NAN, logits, text);
            snprintf(text, sizeof text, "row 37 holds +inf, as the logit of class %zu", classes[i] - 1);
            check_row((size_t)_i, classes[i], strided, false, INFINITY, logits, text);
            check_row((size_t)_i, classes[i], strided, true, NAN, mask, "row 37: mask leaves no class;");
        }
}
END_TEST

/* ---- Paths ---- */

static const struct {
    const char *path, *meant; /* NULL: nothing known */
} paths[] = {
    {"/softmax", "/v1/softmax"},
    {"/v1/gumbel-softmax", "/v1/gumbel_softmax"},
    {"/gumbelSoftmax", "/v1/gumbel_softmax"},
    {"/V1/Softmax", "/v1/softmax"},
    {"/v1/sotfmax/", "/v1/softmax"},
    {"/v1/models", "/v2/models"},
    {"/health", "/livez"},
    {"/api/healthz", "/livez"},
    {"/ready", "/readyz"},
    {"/swagger.json", "/openapi.json"},
    {"/v2/model/softmax/infer", "/v2/models/softmax/infer"},
    {"/v2/models/gumbel-softmax/infer", "/v2/models/gumbel_softmax/infer"},
    {"/v2/models/softmax/versions/2/infer", "/v2/models/softmax/versions/1/infer"},
    {"/v2/health", NULL},
    {"/v1/predict", NULL},
    {"", NULL},
    {"/x", NULL},
    {"/v1/softmax/softmax/softmax/softmax/softmax/softmax/softmax/softmax/softmax/softmax", NULL},
};

START_TEST(a_path_is_told_which_was_meant)
{
    const struct api_route *route;
    struct api_problem problem;
    char expected[128] = "; /openapi.json";
    ck_assert_int_eq(api_route_find("POST", paths[_i].path, &route, &problem), -1);
    ck_assert_int_eq(problem.code, API_NOT_FOUND);
    if (paths[_i].meant != NULL)
        snprintf(expected, sizeof expected, "did you mean %s? /openapi.json", paths[_i].meant);
    ck_assert_msg(strstr(problem.detail, expected) != NULL, "%s: %s", paths[_i].path, problem.detail);
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: advice");
    TCase *names = tcase_create("names");
    tcase_add_loop_test(names, an_unknown_member_is_told_what_was_meant, 0, sizeof members / sizeof *members);
    tcase_add_test(names, a_long_name_is_cut_off);
    tcase_add_test(names, vjp_tells_of_the_function_that_it_differentiates);
    tcase_add_test(names, a_member_of_a_schedule_is_told_what_was_meant);
    tcase_add_test(names, a_call_of_a_batch_is_told_what_was_meant);
    tcase_add_test(names, a_distance_counts_edits_of_letters);
    suite_add_tcase(suite, names);
    TCase *json = tcase_create("json");
    tcase_add_loop_test(json, a_word_that_json_has_not_is_told_what_to_write, 0, sizeof texts / sizeof *texts);
    suite_add_tcase(suite, json);
    TCase *npy = tcase_create("npy");
    tcase_add_loop_test(npy, an_argument_is_told_what_to_write, 0, sizeof queries / sizeof *queries);
    tcase_add_test(npy, an_argument_of_a_proxy_is_no_parameter);
    tcase_add_test(npy, a_body_that_is_no_array_is_told_what_to_send);
    suite_add_tcase(suite, npy);
    TCase *limits = tcase_create("limits");
    tcase_add_loop_test(limits, a_limit_names_its_flag, 0, sizeof limited / sizeof *limited);
    tcase_add_test(limits, a_limit_without_a_flag_says_so);
    suite_add_tcase(suite, limits);
    TCase *invalid = tcase_create("rows");
    tcase_add_loop_test(invalid, a_row_without_an_answer_is_told_why, 0, sizeof rows / sizeof *rows);
    tcase_add_loop_test(invalid, what_is_left_of_a_row_says_why, 0, sizeof calls / sizeof *calls);
    suite_add_tcase(suite, invalid);
    TCase *routes = tcase_create("routes");
    tcase_add_loop_test(routes, a_path_is_told_which_was_meant, 0, sizeof paths / sizeof *paths);
    suite_add_tcase(suite, routes);
    return suite;
}
