/* Calls through .npy bodies and the query: the same bits as through JSON, and what is refused. */
#include "lib/npy.h"
#include "lib/suite.h"
#include "numbers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOFTMAX "/v1/softmax"
#define GUMBEL "/v1/gumbel_softmax"
#define CATEGORICAL "/v1/categorical"
#define VJP "/v1/vjp"

enum { COUNT = 24, ROWS = 6, MOST = 512 };

/* ---- The same call through both ---- */

/* Of logits of shape 2, 3, 4. `arrays` are what the body of .npy holds beside them. */
static const struct call {
    const char *path, *members, *query, *arrays;
    bool wide;
    size_t samples; /* the cotangent's axis of them, 0 if it has none */
} calls[] = {
    {SOFTMAX, "{}", "", "", false, 0},
    {SOFTMAX, "{\"temperature\":0.7,\"dim\":1}", "temperature=0.7&dim=1", "", false, 0},
    {SOFTMAX, "{\"temperature\":[0,1,2,3,0.1,5]}", "temperature=[0,1,2,3,0.1,5]", "", false, 0},
    {SOFTMAX, "{\"temperature\":[0,1,2,3,0.1,5]}", "temperature=0,1,2,3,0.1,5", "", false, 0},
    {SOFTMAX, "{\"mask\":[true,true,false,true]}", "", "mask", false, 0},
    {"/v1/log_softmax", "{\"dtype\":\"float64\"}", "dtype=float64", "", true, 0},
    {"/v1/log_softmax", "{\"dtype\":\"float64\",\"dim\":0}", "dim=0", "", true, 0},
    {GUMBEL, "{\"seed\":3}", "seed=3", "", false, 0},
    {GUMBEL, "{\"seed\":9007199254740991,\"row_offset\":7}", "seed=9007199254740991&row_offset=7", "", false, 0},
    {CATEGORICAL, "{\"seed\":3,\"logprobs_for\":[1]}", "seed=3&logprobs_for=1", "", false, 0},
    {CATEGORICAL, "{\"seed\":3,\"logprobs_for\":[1,0]}", "seed=3&logprobs_for=[1,0]", "", false, 0},
    {CATEGORICAL, "{\"seed\":3,\"draw_offset\":[1,2,2,0,4,9]}", "seed=3&draw_offset=1,2,2,0,4,9", "", false, 0},
    {CATEGORICAL, "{\"seed\":3,\"draw_offset\":4294967295}", "seed=3&draw_offset=4294967295", "", false, 0},
    {GUMBEL, "{\"seed\":3,\"tau\":[0.1,0.2,0.3,0,1,2]}", "seed=3&tau=0.1,0.2,0.3,0,1,2", "", false, 0},
    {GUMBEL, "{\"seed\":[3,4,5,6,7,8],\"tau\":[0.1,0.2,0.3,0,1,2]}", "", "seed,tau", false, 0},
    {GUMBEL, "{\"seed\":3,\"hard\":true,\"noise_scale\":0.5}", "seed=3&hard=True&noise_scale=0.5", "", false, 0},
    {GUMBEL, "{\"seed\":3,\"tau\":{\"schedule\":\"exponential\",\"start\":1,\"rate\":3e-5,\"min\":0.5,\"step\":2}}",
     "seed=3&tau={\"schedule\":\"exponential\",\"start\":1,\"rate\":3e-5,\"min\":0.5,\"step\":2}", "", false, 0},
    {GUMBEL,
     "{\"seed\":3,\"tau\":0.5,\"return\":[\"samples\",\"indices\",\"soft\",\"noise\",\"log_density\",\"log_samples\","
     "\"perturbed\"],"
     "\"hard\":true,\"num_samples\":5}",
     "seed=3&tau=0.5&return=samples,indices,soft,noise,log_density,log_samples,perturbed&hard=true&num_samples=5", "",
     false, 0},
    {GUMBEL, "{\"seed\":3,\"dtype\":\"float64\",\"return\":[\"noise\",\"indices\"],\"num_samples\":2}",
     "seed=3&return=[\"noise\",\"indices\"]&num_samples=2", "", true, 0},
    {CATEGORICAL, "{\"seed\":3}", "seed=3", "", false, 0},
    {CATEGORICAL,
     "{\"seed\":3,\"prompt\":[0,2],\"output\":[[0],[1,1],[],[-1],[0,1,2],[2]],\"repetition_penalty\":2,"
     "\"frequency_penalty\":0.5}",
     "seed=3&prompt=[0,2]&output=[[0],[1,1],[],[-1],[0,1,2],[2]]&repetition_penalty=2&frequency_penalty=.5", "", false,
     0},
    {CATEGORICAL, "{\"seed\":3,\"top_k\":2,\"filter_order\":[\"top_k\",\"temperature\"]}",
     "seed=3&top_k=2&filter_order=top_k,temperature", "", false, 0},
    {CATEGORICAL, "{\"seed\":3,\"top_k\":2,\"filter_order\":[\"top_k\"]}", "seed=3&top_k=2&filter_order=[\"top_k\"]",
     "", false, 0},
    {CATEGORICAL, "{\"seed\":3,\"top_k\":2,\"filter_order\":\"joint\"}", "seed=3&top_k=2&filter_order=joint", "", false,
     0},
    {CATEGORICAL,
     "{\"seed\":3,\"num_samples\":5,\"logprobs\":2,\"logprobs_of\":\"filtered\",\"top_p\":0.9,\"top_k\":[3,3,4,4,0,2],"
     "\"min_p\":0.01,\"typical_p\":0.99,\"epsilon_cutoff\":0.001,\"min_keep\":2,\"filter_order\":\"temperature_last\","
     "\"temperature\":0.8,"
     "\"logit_bias\":{\"0\":-1.5,\"2\":null},\"return\":[\"indices\",\"log_probabilities\",\"scores\",\"counts\"]}",
     "seed=3&num_samples=5&logprobs=2&logprobs_of=filtered&top_p=0.9&top_k=3,3,4,4,0,2&min_p=0.01&typical_p=0.99&"
     "epsilon_cutoff=1e-3&min_keep=2&"
     "filter_order=\"temperature_last\"&temperature=0.8&logit_bias={\"0\":-1.5,\"2\":null}&"
     "return=indices,log_probabilities,scores,counts",
     "", false, 0},
    {CATEGORICAL, "{\"seed\":3,\"num_samples\":2,\"replacement\":false,\"dim\":0,\"on_invalid\":\"nan\"}",
     "seed=3&num_samples=2&replacement=False&dim=0&on_invalid=nan", "", true, 0},
    {CATEGORICAL,
     "{\"seed\":3,\"num_samples\":3,\"logprobs\":2,\"logprobs_of\":\"scaled\",\"logprobs_for\":[1,0],\"top_k\":2,"
     "\"temperature\":0.5,"
     "\"return\":["
     "\"indices\",\"log_probabilities\",\"scores\",\"filtered_log_probabilities\",\"ranks\",\"kept\",\"kept_mass\","
     "\"entropy\"]}",
     "seed=3&num_samples=3&logprobs=2&logprobs_of=scaled&logprobs_for=1,0&top_k=2&temperature=0.5&"
     "return=indices,log_probabilities,scores,filtered_log_probabilities,ranks,kept,kept_mass,entropy",
     "", false, 0},
    {CATEGORICAL, "{\"seed\":3,\"num_samples\":20,\"method\":\"inverse_cdf\",\"return\":[\"counts\",\"indices\"]}",
     "seed=3&num_samples=20&method=inverse_cdf&return=counts,indices", "", true, 0},
    {VJP, "{\"function\":\"softmax\"}", "function=softmax", "cotangent", false, 0},
    {VJP, "{\"function\":\"log_softmax\",\"temperature\":2}", "function=log_softmax&temperature=2", "cotangent", true,
     0},
    {VJP, "{\"function\":\"gumbel_softmax\",\"seed\":3,\"num_samples\":2,\"mask\":[true,true,false,true]}",
     "function=gumbel_softmax&seed=3&num_samples=2", "mask,cotangent", false, 2},
    {VJP,
     "{\"function\":\"gumbel_softmax\",\"seed\":3,\"hard\":true,\"estimator\":\"gumbel_rao\",\"conditional_samples\":"
     "7}",
     "function=gumbel_softmax&seed=3&hard=true&estimator=gumbel_rao&conditional_samples=7", "cotangent", false, 0},
};

/* Values that are floats as well. */
static double logit(size_t i)
{
    return (double)(i * 7 % 11) / 4;
}

static json_t *nested(size_t *next, const size_t *shape)
{
    if (*shape == 0)
        return json_real(logit((*next)++));
    json_t *list = json_array();
    for (size_t i = 0; i < *shape; i++)
        json_array_append_new(list, nested(next, shape + 1));
    return list;
}

static struct answer ask_as_json(const struct call *call)
{
    json_t *body = json_loads(call->members, 0, NULL);
    size_t next = 0, cotangent = 0;
    json_object_set_new(body, "logits", nested(&next, SHAPE(2, 3, 4)));
    if (call->wide)
        json_object_set_new(body, "dtype", json_string("float64"));
    if (strcmp(call->path, VJP) == 0)
        json_object_set_new(body, "cotangent",
                            nested(&cotangent, call->samples > 0 ? SHAPE(call->samples, 2, 3, 4) : SHAPE(2, 3, 4)));
    struct answer answer = ask_json(call->path, body);
    assert_answered(&answer);
    return answer;
}

static void add_numbers(struct npy_bytes *body, bool wide, const size_t *shape)
{
    double doubles[2 * COUNT];
    float floats[2 * COUNT];
    for (size_t i = 0; i < 2 * COUNT; i++)
        floats[i] = (float)(doubles[i] = logit(i));
    npy_add(body, wide ? "<f8" : "<f4", shape, wide ? (void *)doubles : (void *)floats);
}

static void add_array(struct npy_bytes *body, const struct call *call, const char *name)
{
    if (strcmp(name, "mask") == 0)
        npy_add(body, "|b1", SHAPE(4), (uint8_t[]){1, 1, 0, 1});
    else if (strcmp(name, "cotangent") == 0)
        add_numbers(body, call->wide, call->samples > 0 ? SHAPE(call->samples, 2, 3, 4) : SHAPE(2, 3, 4));
    else if (strcmp(name, "seed") == 0)
        npy_add(body, "<i8", SHAPE(ROWS), (int64_t[]){3, 4, 5, 6, 7, 8});
    else
        npy_add(body, "<f8", SHAPE(ROWS), (double[]){0.1, 0.2, 0.3, 0, 1, 2});
}

static struct npy_bytes npy_body(const struct call *call)
{
    struct npy_bytes body = {0};
    char *names = strdup(call->arrays);
    add_numbers(&body, call->wide, SHAPE(2, 3, 4));
    for (const char *name = strtok(names, ","); name != NULL; name = strtok(NULL, ","))
        add_array(&body, call, name);
    free(names);
    return body;
}

static struct answer ask_as_npy(const struct call *call, const char *accept, bool owned)
{
    char query[1024];
    snprintf(query, sizeof query, "%s&arrays=logits%s%s", call->query, *call->arrays != '\0' ? "," : "", call->arrays);
    struct npy_bytes body = npy_body(call);
    const struct npy_request request = {call->path, query, API_NPY, accept, owned};
    struct answer answer = npy_ask(&request, &body);
    npy_free(&body);
    return answer;
}

static double number(const struct api_tensor *tensor, size_t i)
{
    if (tensor->dtype == API_INT32)
        return ((const int32_t *)tensor->data)[i];
    return tensor->dtype == API_FLOAT64 ? ((const double *)tensor->data)[i] : (double)((const float *)tensor->data)[i];
}

/* The numbers of the JSON answer read as doubles: their bits as the array's type are compared. */
static void assert_same_numbers(const json_t *value, const struct api_tensor *tensor, const char *name)
{
    double numbers[MOST];
    const size_t count = numbers_flat(value, numbers, MOST);
    ck_assert_msg(count == tensor->count, "%s: %zu numbers for %zu", name, tensor->count, count);
    for (size_t i = 0; i < count; i++) {
        const double one = number(tensor, i),
                     other = tensor->dtype == API_FLOAT32 ? (double)(float)numbers[i] : numbers[i];
        ck_assert_msg(memcmp(&one, &other, sizeof one) == 0, "%s, %zu: %a for %a", name, i, one, other);
    }
    for (size_t axis = 0; axis < tensor->rank; axis++, value = json_array_get(value, 0))
        ck_assert_uint_eq(json_array_size(value), tensor->shape[axis]);
    ck_assert(!json_is_array(value));
}

/* The results stand in the order in which the header names them, and nothing after them. */
static void assert_same(const struct answer *json, const struct answer *npy)
{
    const char *header = npy_header(npy, "X-Gumbeld-Results");
    size_t at = 0;
    assert_answered(npy);
    ck_assert_ptr_nonnull(header);
    ck_assert_str_eq(npy->response.media_type, API_NPY);
    char *names = strdup(header);
    for (const char *name = strtok(names, ","); name != NULL; name = strtok(NULL, ",")) {
        const struct api_tensor tensor = npy_next(npy, &at);
        ck_assert_msg(json_object_get(json->json, name) != NULL, "%s is not in %s", name, json->text);
        assert_same_numbers(json_object_get(json->json, name), &tensor, name);
    }
    ck_assert_uint_eq(at, npy->response.length);
    free(names);
}

START_TEST(a_call_has_the_bits_it_has_in_json)
{
    const struct call *call = &calls[_i];
    struct answer json = ask_as_json(call);
    for (int owned = 0; owned <= 1; owned++) {
        struct answer text = ask_as_npy(call, "application/json", owned), npy = ask_as_npy(call, API_NPY, owned);
        ck_assert_str_eq(text.text, json.text);
        ck_assert_uint_eq(npy.response.rows, json.response.rows);
        assert_same(&json, &npy);
        npy_answer_free(&text);
        npy_answer_free(&npy);
    }
    ask_free(&json);
}
END_TEST

/* A JSON body and an answer in .npy, of each call that JSON can say. */
START_TEST(a_json_body_may_be_answered_in_npy)
{
    struct answer json = ask(GUMBEL, "{\"logits\":[[1,2],[3,4]],\"seed\":5,\"return\":[\"noise\",\"samples\"]}");
    struct npy_bytes body = {0};
    const char text[] = "{\"logits\":[[1,2],[3,4]],\"seed\":5,\"return\":[\"noise\",\"samples\"]}";
    npy_append(&body, text, strlen(text));
    const struct npy_request request = {GUMBEL, NULL, "application/json", API_NPY, true};
    struct answer npy = npy_ask(&request, &body);
    assert_same(&json, &npy);
    ck_assert_str_eq(npy_header(&npy, "X-Gumbeld-Results"), "noise,samples");
    npy_answer_free(&npy);
    npy_free(&body);
    ask_free(&json);
}
END_TEST

/* ---- Problems ---- */

/* Of logits of shape 2, 2; the bodies of `arrays` are those of `add_array`, but few enough. */
static const struct {
    const char *path, *query, *code, *pointer;
    int status;
} problems[] = {
    {GUMBEL, "temperature=1", "unknown_member", "/temperature", 400},
    {GUMBEL, "Tau=1", "unknown_member", "/Tau", 400},
    {GUMBEL, "a/b~=1", "unknown_member", "/a~1b~0", 400},
    {GUMBEL, "=1", "unknown_member", "/", 400},
    {GUMBEL, "tau=1&tau=1", "duplicate_member", "/tau", 400},
    {GUMBEL, "seed=1,2&tau=1&seed=3", "duplicate_member", "/seed", 400},
    {GUMBEL, "arrays=logits&arrays=logits", "duplicate_member", "/arrays", 400},
    {GUMBEL, "logits=[[1,2],[3,4]]", "wrong_type", "/logits", 400},
    {GUMBEL, "mask=[true,false]", "wrong_type", "/mask", 400},
    {GUMBEL, "seed=9007199254740991.4", "wrong_type", "/seed", 400},
    {GUMBEL, "tau=", "wrong_type", "/tau", 400},
    {GUMBEL, "tau", "wrong_type", "/tau", 400},
    {GUMBEL, "tau=half", "wrong_type", "/tau", 400},
    {GUMBEL, "tau=NaN", "wrong_type", "/tau", 400},
    {GUMBEL, "tau=inf", "wrong_type", "/tau", 400},
    {GUMBEL, "tau=\"1\"", "wrong_type", "/tau", 400},
    {GUMBEL, "tau=-1", "out_of_range", "/tau", 400},
    {GUMBEL, "tau=1e400", "out_of_range", "/tau", 400},
    {GUMBEL, "tau=1,", "wrong_type", "/tau", 400},
    {GUMBEL, "tau=1,2,3", "wrong_length", "/tau", 400},
    {GUMBEL, "tau=1,-2", "out_of_range", "/tau/1", 400},
    {GUMBEL, "tau=1}", "wrong_type", "/tau", 400},
    {GUMBEL, "tau={\"schedule\":\"linear\"}", "missing_member", "/tau/start", 400},
    {GUMBEL, "tau=1,\"hard\":true", "wrong_type", "/tau/1", 400},
    {GUMBEL, "tau=[1,2],\"hard\":true", "wrong_type", "/tau", 400},
    {GUMBEL, "num_samples=1,\"hard\":true", "wrong_type", "/num_samples", 400},
    {GUMBEL, "num_samples=1,2", "wrong_type", "/num_samples", 400},
    {GUMBEL, "hard=true,\"seed\":1", "wrong_type", "/hard", 400},
    {GUMBEL, "hard=1", "wrong_type", "/hard", 400},
    {GUMBEL, "hard=yes", "wrong_type", "/hard", 400},
    {GUMBEL, "seed=9007199254740992", "out_of_range", "/seed", 400},
    {GUMBEL, "seed=9007199254740993", "out_of_range", "/seed", 400},
    {GUMBEL, "seed=1.5", "wrong_type", "/seed", 400},
    {GUMBEL, "seed=1,1.5", "wrong_type", "/seed/1", 400},
    {GUMBEL, "return=", "out_of_range", "/return/0", 400},
    {GUMBEL, "return=samples,sample", "out_of_range", "/return/1", 400},
    {GUMBEL, "return=samples,\xff", "wrong_type", "/return", 400},
    {GUMBEL, "return=[]", "wrong_type", "/return", 400},
    {GUMBEL, "return=[", "wrong_type", "/return", 400},
    {GUMBEL, "dtype=float16", "out_of_range", "/dtype", 400},
    {GUMBEL, "dtype=\xff", "wrong_type", "/dtype", 400},
    {GUMBEL, "dtype=\"float32\",\"hard\":true", "wrong_type", "/dtype", 400},
    {GUMBEL, "arrays=", "unknown_member", "/arrays", 400},
    {GUMBEL, "arrays=logits,", "unknown_member", "/arrays", 400},
    {GUMBEL, "arrays=logits,cotangent", "unknown_member", "/arrays", 400},
    {GUMBEL, "arrays=logits,hard", "wrong_type", "/arrays", 400},
    {GUMBEL, "arrays=logits,logits", "duplicate_member", "/arrays", 400},
    {GUMBEL, "arrays=logits,tau&tau=1", "duplicate_member", "/tau", 400},
    {GUMBEL, "arrays=logits,mask", "malformed_npy", "/mask", 400},
    {GUMBEL, "arrays=mask", "wrong_type", "/mask", 400},
    {GUMBEL, "arrays=tau", "missing_member", "/logits", 400},
    {CATEGORICAL, "logit_bias={\"7\":1}", "out_of_range", "/logit_bias/7", 400},
    {CATEGORICAL, "logit_bias={\"0\":1,\"0\":2}", "duplicate_member", "/logit_bias", 400},
    {CATEGORICAL, "logit_bias={\"0\":1},\"seed\":{}", "wrong_type", "/logit_bias", 400},
    {VJP, "", "missing_member", "/function", 400},
    {VJP, "function=softmax", "missing_member", "/cotangent", 400},
    {VJP, "function=softmax&tau=1", "unknown_member", "/tau", 400},
};

START_TEST(a_problem_names_the_argument)
{
    struct npy_bytes body = {0};
    const struct npy_request request = {problems[_i].path, problems[_i].query, API_NPY, API_NPY, _i % 2};
    npy_add(&body, "<f4", SHAPE(2, 2), (float[]){1, 2, 3, 4});
    struct answer answer = npy_ask(&request, &body);
    ck_assert_msg(answer.status == problems[_i].status && strcmp(ask_text(&answer, "code"), problems[_i].code) == 0 &&
                      strcmp(ask_text(&answer, "pointer"), problems[_i].pointer) == 0,
                  "%s: %s", problems[_i].query, answer.text);
    ck_assert_str_eq(answer.response.media_type, "application/problem+json");
    ck_assert_str_ne(ask_text(&answer, "detail"), "");
    npy_answer_free(&answer);
    npy_free(&body);
}
END_TEST

/* What the body lacks may be in the query; what is like no parameter may be a proxy's. */
START_TEST(a_query_adds_to_a_body_of_json)
{
    static const struct {
        const char *query, *pointer;
    } cases[] = {{"", ""},
                 {"user=1&tau=.5", ""},
                 {"tau=5e-1&return=samples", ""},
                 {"token=1&hard=null&seed=null", ""},
                 {"tau=.5,0.5", ""},
                 {"seed=7", "/seed"},
                 {"logits=1", "/logits"},
                 {"temperature=2", "/temperature"},
                 {"user=1&taus=0.5", "/taus"},
                 {"tau=.", "/tau"},
                 {"arrays=logits", "/arrays"},
                 {"tau=1&tau=1", "/tau"}};
    static const char json[] = "{\"logits\":[[1,2],[3,4]],\"seed\":7}";
    struct npy_bytes body = {0};
    npy_append(&body, json, strlen(json));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer answer = npy_ask(&(struct npy_request){GUMBEL, cases[i].query, "application/json", NULL, i % 2},
                                       &body);
        ck_assert_msg(answer.status == (cases[i].pointer[0] != '\0' ? 400 : 200), "%s: %s", cases[i].query,
                      answer.text);
        ck_assert_str_eq(ask_text(&answer, "pointer"), cases[i].pointer);
        npy_answer_free(&answer);
    }
    npy_free(&body);
}
END_TEST

/* Eight are the logits' most; samples have one before them. */
START_TEST(a_cotangent_may_have_nine_axes)
{
    for (size_t axes = 8; axes <= 9; axes++) {
        const size_t eight[] = {1, 1, 1, 1, 1, 1, 1, 2, 0}, nine[] = {2, 1, 1, 1, 1, 1, 1, 1, 2, 0};
        const double data[] = {1, 2, 3, 4};
        struct npy_bytes body = {0};
        const struct npy_request request = {VJP, "function=gumbel_softmax&num_samples=2&seed=7&arrays=logits,cotangent",
                                            API_NPY, NULL, true};
        npy_add(&body, "<f8", axes == 8 ? eight : nine, data);
        npy_add(&body, "<f8", nine, data);
        struct answer answer = npy_ask(&request, &body);
        ck_assert_msg(answer.status == (axes == 8 ? 200 : 400), "%s", answer.text);
        ck_assert_str_eq(ask_text(&answer, "pointer"), axes == 8 ? "" : "/logits");
        npy_answer_free(&answer);
        npy_free(&body);
    }
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: npy calls");
    TCase *same = tcase_create("the same as JSON"), *refusals = tcase_create("problems");
    tcase_add_loop_test(same, a_call_has_the_bits_it_has_in_json, 0, sizeof calls / sizeof *calls);
    tcase_add_test(same, a_json_body_may_be_answered_in_npy);
    tcase_add_test(same, a_cotangent_may_have_nine_axes);
    tcase_add_loop_test(refusals, a_problem_names_the_argument, 0, sizeof problems / sizeof *problems);
    tcase_add_test(refusals, a_query_adds_to_a_body_of_json);
    suite_add_tcase(suite, same);
    suite_add_tcase(suite, refusals);
    return suite;
}
