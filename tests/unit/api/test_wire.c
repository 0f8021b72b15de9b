/* What clients write and read of values that JSON has no words for: -inf, what is left out, what is empty. */
#include "lib/infer.h"
#include "lib/npy.h"
#include "lib/suite.h"
#include "numbers.h"

#include <string.h>

#define SOFTMAX "/v1/softmax"
#define LOG_SOFTMAX "/v1/log_softmax"
#define GUMBEL "/v1/gumbel_softmax"
#define CATEGORICAL "/v1/categorical"
#define VJP "/v1/vjp"

static struct answer post(const char *path, const char *body)
{
    return strncmp(path, "/v2/", 4) == 0 ? infer_json(path, body).answer : ask(path, "%s", body);
}

/* Two bodies with the same answer, to the byte. */
struct same {
    const char *path, *one, *other;
};

static void assert_same_answer(const struct same *same)
{
    struct answer one = post(same->path, same->one), other = post(same->path, same->other);
    assert_answered(&one);
    ck_assert_str_eq(other.text, one.text);
    ask_free(&one);
    ask_free(&other);
}

/* ---- -inf ---- */

static const struct same infinities[] = {
    {LOG_SOFTMAX, "{\"logits\":[[1,\"-Infinity\"],[null,2]]}", "{\"logits\":[[1,-Infinity],[ -Infinity ,2]]}"},
    {LOG_SOFTMAX, "{\"logits\":[1,null],\"dtype\":\"float64\"}", "{\"logits\":[1,-Infinity],\"dtype\":\"float64\"}"},
    {CATEGORICAL, "{\"logits\":[1,2,3],\"seed\":1,\"logit_bias\":{\"2\":null,\"0\":1}}",
     "{\"logits\":[1,2,3],\"seed\":1,\"logit_bias\":{\"2\":-Infinity,\"0\":1}}"},
    {"/v1/batch", "{\"requests\":[{\"id\":\"-Infinity\",\"function\":\"softmax\",\"body\":{\"logits\":[1,null]}}]}",
     "{\"requests\":[{\"id\":\"-Infinity\",\"function\":\"softmax\",\"body\":{\"logits\":[1,-Infinity]}}]}"},
};

START_TEST(minus_infinity_is_read_in_each_spelling)
{
    assert_same_answer(&infinities[_i]);
}
END_TEST

/* Where it has no meaning it is a value of the wrong type; and nothing that only resembles it is read as it. */
static const char *const meaningless[][4] = {
    {SOFTMAX, "{\"logits\":[1],\"temperature\":-Infinity}", "wrong_type", "/temperature"},
    {SOFTMAX, "{\"logits\":[1],\"temperature\":[-Infinity]}", "wrong_type", "/temperature/0"},
    {GUMBEL, "{\"logits\":[1],\"seed\":-Infinity}", "wrong_type", "/seed"},
    {GUMBEL, "{\"logits\":[1],\"tau\":{\"schedule\":\"linear\",\"start\":-Infinity,\"min\":0,\"steps\":1,\"step\":1}}",
     "wrong_type", "/tau/start"},
    {CATEGORICAL, "{\"logits\":[1],\"top_k\":-Infinity}", "wrong_type", "/top_k"},
    {CATEGORICAL, "{\"logits\":[1,2],\"logit_bias\":{\"-Infinity\":\"\\\\\",\"1\":-Infinity,\"1\":0}}",
     "duplicate_member", "/logit_bias"},
    {VJP, "{\"function\":\"softmax\",\"logits\":[1],\"cotangent\":[-Infinity]}", "wrong_type", "/cotangent/0"},
    {SOFTMAX, "{\"logits\":[1,-Infinite]}", "malformed_json", "/logits/1"},
    {SOFTMAX, "{\"logits\":[1,- Infinity]}", "malformed_json", "/logits/1"},
    {SOFTMAX, "{\"logits\":[1,-Infinity2]}", "malformed_json", "/logits/1"},
    {SOFTMAX, "{-Infinity:[1]}", "malformed_json", ""},
};

START_TEST(minus_infinity_elsewhere_is_refused)
{
    assert_problem(meaningless[_i][0], meaningless[_i][1], 400, meaningless[_i][2], meaningless[_i][3]);
}
END_TEST

/* The offset is that in the client's bytes, though jansson reads a text with quotation marks. */
START_TEST(a_problem_after_it_has_its_own_place)
{
    const char body[] = "{\"logits\":[1,2],\"logit_bias\":{\"0\":-Infinity,\"1\":-Infinity,\"0\":1}}";
    struct answer answer = ask(CATEGORICAL, "%s", body);
    const long long offset = json_integer_value(json_object_get(answer.json, "offset"));
    ck_assert_str_eq(ask_text(&answer, "code"), "duplicate_member");
    ck_assert_int_ge(offset, strstr(body, "\"0\":1") - body);
    ck_assert_int_le(offset, strstr(body, "\"0\":1") - body + 5);
    ask_free(&answer);
}
END_TEST

START_TEST(minus_infinity_is_text_in_each_answer)
{
    static const char *const answers[][3] = {
        {LOG_SOFTMAX, "{\"logits\":[[1,null]]}", "\"log_probabilities\":[[0.0,\"-Infinity\"]]"},
        {LOG_SOFTMAX, "{\"logits\":[[1,null]],\"dtype\":\"float64\"}", "\"log_probabilities\":[[0.0,\"-Infinity\"]]"},
        {CATEGORICAL, "{\"logits\":[1,2],\"seed\":1,\"top_k\":1,\"logprobs\":2,\"logprobs_of\":\"filtered\"}",
         "\"top_log_probabilities\":[0.0,\"-Infinity\"]"},
        {"/v1/batch", "{\"requests\":[{\"function\":\"log_softmax\",\"body\":{\"logits\":[1,null]}}]}",
         "\"log_probabilities\":[0.0,\"-Infinity\"]"},
        {"/v2/models/log_softmax/infer",
         "{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2],\"data\":[1,-Infinity]}]}",
         "\"data\":[0.0,\"-Infinity\"]"},
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct answer answer = post(answers[i][0], answers[i][1]);
        ck_assert_msg(strstr(answer.text, answers[i][2]) != NULL, "%s", answer.text);
        ask_free(&answer);
    }
}
END_TEST

/* ---- What is left out ---- */

static const struct same left_out[] = {
    {SOFTMAX, "{\"logits\":[1,2]}",
     "{\"logits\":[1,2],\"dim\":null,\"mask\":null,\"dtype\":null,\"on_invalid\":null,\"temperature\":null}"},
    {GUMBEL, "{\"logits\":[1,2],\"seed\":3}",
     "{\"logits\":[1,2],\"seed\":3,\"tau\":null,\"hard\":null,\"row_offset\":null,\"draw_offset\":null,\"num_samples\":"
     "null,"
     "\"noise_scale\":null,\"return\":null}"},
    {GUMBEL, "{\"logits\":[1,2]}", "{\"seed\":null,\"logits\":[1,2]}"},
    {CATEGORICAL, "{\"logits\":[1,2],\"seed\":3}",
     "{\"logits\":[1,2],\"seed\":3,\"top_k\":null,\"top_p\":null,\"min_p\":null,\"typical_p\":null,"
     "\"logit_bias\":null,\"filter_order\":null,\"logprobs\":null,\"logprobs_of\":null,\"logprobs_for\":null,"
     "\"replacement\":null}"},
    {CATEGORICAL, "{\"logits\":[[1,2],[3,4]],\"seed\":3,\"top_k\":0,\"num_samples\":9}",
     "{\"logits\":[[1,2],[3,4]],\"seed\":3,\"top_k\":-1,\"num_samples\":9}"},
    {CATEGORICAL, "{\"logits\":[[1,2],[3,4]],\"seed\":3,\"top_k\":[0,1],\"num_samples\":9}",
     "{\"logits\":[[1,2],[3,4]],\"seed\":3,\"top_k\":[-1.0,1e0],\"num_samples\":9}"},
    {SOFTMAX, "{\"logits\":[1,2]}", "\xef\xbb\xbf {\"logits\":[1,2]}"},
    {"/v1/batch", "{\"requests\":[{\"function\":\"softmax\",\"body\":{\"logits\":[1,2]}}]}",
     "\xef\xbb\xbf{\"requests\":[{\"id\":null,\"function\":\"softmax\",\"body\":{\"logits\":[1,2]}}]}"},
    {"/v2/models/softmax/infer",
     "{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2],\"data\":[1,2]}]}",
     "\xef\xbb\xbf{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2],\"data\":[1,2]}],"
     "\"parameters\":{\"temperature\":null,\"dim\":null}}"},
};

START_TEST(null_is_left_out)
{
    assert_same_answer(&left_out[_i]);
}
END_TEST

static const char *const required[][4] = {
    {SOFTMAX, "{\"logits\":null}", "wrong_type", "/logits"},
    {VJP, "{\"logits\":[1],\"cotangent\":[1],\"function\":null}", "wrong_type", "/function"},
    {VJP, "{\"logits\":[1],\"cotangent\":null,\"function\":\"softmax\"}", "wrong_type", "/cotangent"},
    {SOFTMAX, "{\"logits\":[1],\"dim\":null,\"dim\":null}", "duplicate_member", "/dim"},
    {SOFTMAX, "{\"logits\":[1],\"tau\":null}", "unknown_member", "/tau"},
    {CATEGORICAL, "{\"logits\":[1],\"top_k\":-2}", "out_of_range", "/top_k"},
    {CATEGORICAL, "{\"logits\":[1],\"top_k\":--1}", "malformed_json", "/top_k"},
    {CATEGORICAL, "{\"logits\":[1],\"top_k\":[-1.5]}", "wrong_type", "/top_k/0"},
    {CATEGORICAL, "{\"logits\":[1],\"top_k\":[1.00000000000000000001]}", "wrong_type", "/top_k/0"},
    {SOFTMAX, "\xef\xbb\xbf{\"logits\":[1,x]}", "malformed_json", "/logits/1"},
    {VJP, "{\"logits\":[1,2],\"cotangent\":[1,2],\"function\":\"gumbel_softmax\"}", "missing_member", "/seed"},
    {VJP, "{\"logits\":[1,2],\"cotangent\":[1,2],\"function\":\"gumbel_softmax\",\"seed\":null}", "missing_member",
     "/seed"},
    {VJP, "{\"logits\":[1,2],\"cotangent\":[[1,2]],\"function\":\"gumbel_softmax\",\"num_samples\":1}",
     "missing_member", "/seed"},
};

START_TEST(what_is_required_is_refused)
{
    assert_problem(required[_i][0], required[_i][1], 400, required[_i][2], required[_i][3]);
}
END_TEST

START_TEST(offsets_count_the_byte_order_mark)
{
    struct answer answer = ask(SOFTMAX, "\xef\xbb\xbf{\"logits\":[1,x]}");
    ck_assert_int_eq(json_integer_value(json_object_get(answer.json, "offset")), 16);
    ask_free(&answer);
}
END_TEST

/* ---- In the query ---- */

static struct answer query(const char *path, const char *arguments, const char *body)
{
    const struct npy_request request = {path, arguments, "application/json", NULL, true};
    struct npy_bytes bytes = {0};
    npy_append(&bytes, body, strlen(body));
    struct answer answer = npy_ask(&request, &bytes);
    npy_free(&bytes);
    return answer;
}

/* What the query says is as if the body had it; the precision of the body's numbers too. */
static const struct {
    const char *path, *arguments, *body, *whole;
} queried[] = {
    {LOG_SOFTMAX, "dtype=float64", "{\"logits\":[0.1,0.7]}", "{\"logits\":[0.1,0.7],\"dtype\":\"float64\"}"},
    {LOG_SOFTMAX, "dtype=float64", "{\"logits\":[1e300,0.7],\"dtype\":null}",
     "{\"dtype\":\"float64\",\"logits\":[1e300,0.7]}"},
    {LOG_SOFTMAX, "dtype=null&on_invalid=null&dim=null", "{\"logits\":[0.1,0.7],\"dtype\":\"float64\"}",
     "{\"logits\":[0.1,0.7],\"dtype\":\"float64\"}"},
    {VJP, "dtype=float64&seed=3", "{\"logits\":[0.1,0.7],\"cotangent\":[0.3,0.1],\"function\":\"gumbel_softmax\"}",
     "{\"logits\":[0.1,0.7],\"cotangent\":[0.3,0.1],\"dtype\":\"float64\",\"seed\":3,\"function\":\"gumbel_softmax\"}"},
    {GUMBEL, "return=null&tau=.5&seed=3", "{\"logits\":[0.1,0.7]}", "{\"logits\":[0.1,0.7],\"seed\":3,\"tau\":0.5}"},
    {CATEGORICAL, "top_k=-1,1&seed=3&filter_order=null&logprobs_of=null&logit_bias={\"0\":-Infinity,\"1\":.5}",
     "{\"logits\":[[0.1,0.7],[1,2]]}",
     "{\"logits\":[[0.1,0.7],[1,2]],\"top_k\":[-1,1],\"seed\":3,\"logit_bias\":{\"0\":null,\"1\":0.5}}"},
};

START_TEST(the_query_is_as_if_in_the_body)
{
    struct answer one = query(queried[_i].path, queried[_i].arguments, queried[_i].body),
                  other = ask(queried[_i].path, "%s", queried[_i].whole);
    assert_answered(&other);
    ck_assert_str_eq(one.text, other.text);
    npy_answer_free(&one);
    ask_free(&other);
}
END_TEST

/* What would be passed over, and looks like a parameter, is refused; wherever a front has none in the query too. */
static const char *const slips[][3] = {
    {GUMBEL, "seed_value=7", "/seed_value"},    {GUMBEL, "rng_seed=7", "/rng_seed"},
    {GUMBEL, "temprature=2", "/temprature"},    {GUMBEL, "topK=5", "/topK"},
    {SOFTMAX, "num_sampels=5", "/num_sampels"}, {"/v1/batch", "seed=7", "/seed"},
    {"/v1/batch", "user=1&tau=7", "/tau"},      {"/v1/batch", "seeds=1", "/seeds"},
};

START_TEST(a_slip_in_the_query_is_refused)
{
    struct answer answer = query(slips[_i][0], slips[_i][1], "{\"logits\":[1,2]}");
    ck_assert_msg(answer.status == 400 && strcmp(ask_text(&answer, "code"), "unknown_member") == 0 &&
                      strcmp(ask_text(&answer, "pointer"), slips[_i][2]) == 0,
                  "%s?%s: %s", slips[_i][0], slips[_i][1], answer.text);
    npy_answer_free(&answer);
}
END_TEST

/* ---- Integers with a sign ---- */

#define TWO_ROWS "{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2,3],\"data\":[1,2,3,4,5,6]}"

START_TEST(minus_one_is_off_in_tensors_too)
{
    static const char *const datatypes[] = {"INT64", "INT32"};
    const int64_t wide[] = {-1, 1};
    const int32_t narrow[] = {-1, 1};
    struct answer json = ask(CATEGORICAL,
                             "{\"logits\":[[1,2,3],[4,5,6]],\"seed\":5,\"num_samples\":8,\"top_k\":[-1,1]}");
    assert_answered(&json);
    for (size_t i = 0; i < 2; i++) {
        char listed[512], binary[512];
        const char *end = "],\"parameters\":{\"seed\":5,\"num_samples\":8}}";
        snprintf(listed, sizeof listed,
                 "{\"inputs\":[" TWO_ROWS ",{\"name\":\"top_k\",\"datatype\":\"%s\",\"shape\":[2],\"data\":[-1,1]}%s",
                 datatypes[i], end);
        snprintf(binary, sizeof binary,
                 "{\"inputs\":[" TWO_ROWS ",{\"name\":\"top_k\",\"datatype\":\"%s\",\"shape\":[2],\"parameters\":"
                 "{\"binary_data_size\":%d}}%s",
                 datatypes[i], i == 0 ? 16 : 8, end);
        struct inferred one = infer_json("/v2/models/categorical/infer", listed),
                        other = infer_binary("/v2/models/categorical/infer", binary,
                                             i == 0 ? (const void *)wide : narrow, i == 0 ? 16 : 8);
        double drawn[16], expected[16];
        ck_assert_msg(one.answer.status == 200, "%s", one.answer.text);
        ck_assert_str_eq(one.answer.text, other.answer.text);
        ck_assert_uint_eq(numbers_flat(json_object_get(infer_output(&one, 0), "data"), drawn, 16), 16);
        ck_assert_uint_eq(numbers_flat(json_object_get(json.json, "indices"), expected, 16), 16);
        ck_assert_mem_eq(drawn, expected, sizeof drawn);
        infer_free(&one);
        infer_free(&other);
    }
    ask_free(&json);
}
END_TEST

START_TEST(a_null_parameter_may_be_beside_an_input)
{
    struct inferred inferred = infer_json("/v2/models/gumbel_softmax/infer",
                                          "{\"parameters\":{\"logits\":null,\"seed\":null},\"inputs\":[" TWO_ROWS
                                          ",{\"name\":\"seed\",\"datatype\":\"INT64\",\"shape\":[2],\"data\":[3,4]}]}");
    ck_assert_msg(inferred.answer.status == 200, "%s", inferred.answer.text);
    ck_assert_ptr_nonnull(strstr(inferred.answer.text, "[3,4]"));
    infer_free(&inferred);
}
END_TEST

/* ---- What is empty ---- */

static const char *const empty[][3] = {
    {SOFTMAX, "{\"logits\":[]}", "{\"shape\":[0,0],\"dtype\":\"float32\",\"probabilities\":[]}"},
    {SOFTMAX, "{\"logits\":[],\"mask\":[],\"temperature\":[],\"dim\":0}",
     "{\"shape\":[0,0],\"dtype\":\"float32\",\"probabilities\":[]}"},
    {LOG_SOFTMAX, "{\"logits\":[ ],\"dtype\":\"float64\",\"on_invalid\":\"zero\"}",
     "{\"shape\":[0,0],\"dtype\":\"float64\",\"log_probabilities\":[]}"},
    {GUMBEL,
     "{\"logits\":[],\"seed\":[],\"tau\":[],\"num_samples\":2,\"return\":[\"soft\",\"indices\",\"log_density\"]}",
     "{\"shape\":[2,0,0],\"dtype\":\"float32\",\"rng\":\"v1\",\"seed\":[],\"tau\":[],\"soft\":[[],[]],\"indices\":[[],["
     "]],"
     "\"log_density\":[[],[]]}"},
    {CATEGORICAL,
     "{\"logits\":[],\"seed\":1,\"num_samples\":3,\"replacement\":false,\"logprobs\":2,\"return\":[\"scores\"],"
     "\"top_p\":[]}",
     "{\"shape\":[0,3],\"dtype\":\"float32\",\"rng\":\"v1\",\"seed\":1,\"scores\":[],\"top_indices\":[],"
     "\"top_log_probabilities\":[]}"},
    {CATEGORICAL, "{\"logits\":[],\"seed\":1,\"num_samples\":2,\"dim\":0}",
     "{\"shape\":[2,0],\"dtype\":\"float32\",\"rng\":\"v1\",\"seed\":1,\"indices\":[[],[]]}"},
    {VJP, "{\"function\":\"gumbel_softmax\",\"seed\":1,\"num_samples\":2,\"logits\":[],\"cotangent\":[[],[]]}",
     "{\"shape\":[0,0],\"dtype\":\"float32\",\"rng\":\"v1\",\"seed\":1,\"tau\":1.0,\"grad_logits\":[],\"grad_tau\":[]"
     "}"},
    {"/v1/batch", "{\"requests\":[{\"function\":\"softmax\",\"body\":{\"logits\":[]}}]}",
     "{\"responses\":[{\"id\":null,\"status\":200,\"body\":{\"shape\":[0,0],\"dtype\":\"float32\",\"probabilities\":[]}"
     "}]}"},
    {"/v2/models/softmax/infer",
     "{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2,0,3],\"data\":[]}]}",
     "{\"model_name\":\"softmax\",\"model_version\":\"1\",\"outputs\":[{\"name\":\"probabilities\",\"datatype\":"
     "\"FP32\","
     "\"shape\":[2,0,3],\"data\":[]}]}"},
    {"/v2/models/softmax/infer",
     "{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[0,3],\"data\":[]}],\"outputs\":[{\"name\":"
     "\"probabilities\",\"parameters\":{\"classification\":2}}]}",
     "{\"model_name\":\"softmax\",\"model_version\":\"1\",\"outputs\":[{\"name\":\"probabilities\",\"datatype\":"
     "\"BYTES\","
     "\"shape\":[0,2],\"data\":[]}]}"},
    {SOFTMAX, "{\"logits\":[[],[]],\"dim\":0}", "{\"shape\":[2,0],\"dtype\":\"float32\",\"probabilities\":[[],[]]}"},
    {SOFTMAX, "{\"logits\":[[[],[]],[[],[]]],\"dim\":1}",
     "{\"shape\":[2,2,0],\"dtype\":\"float32\",\"probabilities\":[[[],[]],[[],[]]]}"},
};

START_TEST(no_rows_have_no_results)
{
    struct answer answer = post(empty[_i][0], empty[_i][1]);
    ck_assert_str_eq(answer.text, empty[_i][2]);
    ask_free(&answer);
}
END_TEST

static const struct {
    const char *body, *code, *pointer;
    int status;
} not_empty[] = {
    {"{\"logits\":[[]]}", "invalid_row", "/logits", 422},
    {"{\"logits\":[[],[]],\"on_invalid\":\"zero\"}", "invalid_row", "/logits", 422},
    {"{\"logits\":[[1],[]]}", "ragged_array", "/logits/1", 400},
    {"{\"logits\":[[[]],[]]}", "ragged_array", "/logits/1", 400},
    {"{\"logits\":[[],[[]]]}", "ragged_array", "/logits/1/0", 400},
    {"{\"logits\":[[],1]}", "ragged_array", "/logits/1", 400},
    {"{\"logits\":[[1]],\"temperature\":[]}", "empty_array", "/temperature", 400},
    {"{\"logits\":[[1]],\"mask\":[]}", "wrong_length", "/mask", 400},
    {"{\"logits\":[],\"temperature\":[1]}", "wrong_length", "/temperature", 400},
    {"{\"logits\":[],\"mask\":[true]}", "wrong_length", "/mask", 400},
};

START_TEST(no_class_can_be_biased_where_there_is_none)
{
    assert_problem(CATEGORICAL, "{\"logits\":[],\"logit_bias\":{\"0\":1}}", 400, "out_of_range", "/logit_bias/0");
}
END_TEST

START_TEST(a_row_without_classes_is_refused)
{
    assert_problem(SOFTMAX, not_empty[_i].body, not_empty[_i].status, not_empty[_i].code, not_empty[_i].pointer);
}
END_TEST

/* Shapes that JSON cannot say; the product of the other axes may be more than any memory. */
START_TEST(an_array_of_any_shape_may_be_empty)
{
    static const struct {
        size_t shape[3];
        const char *query;
        int status;
    } cases[] = {
        {{3, 0, 5}, "", 200},
        {{3, 0, 5}, "dim=0&num_samples=2&return=indices,samples,log_density,noise", 200},
        {{3, 0, 5}, "dim=1", 422},
        {{2, 0, (size_t)1 << 62}, "dim=0", 413},
        {{2, 0, 1 << 28}, "dim=0", 200},
        {{2, (size_t)1 << 62, 0}, "dim=0", 413},
        {{(size_t)1 << 40, (size_t)1 << 40, 0}, "dim=2", 413},
        {{(size_t)1 << 40, 0, 5}, "", 413},
        {{(size_t)1 << 20, 0, 5}, "num_samples=1000", 413},
        {{1, 0, 5}, "num_samples=1000000&return=soft,samples,noise", 413},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int json = 0; json < 2; json++) {
            struct npy_bytes body = {0};
            char header[256];
            snprintf(header, sizeof header, "{'descr': '<f4', 'fortran_order': False, 'shape': (%zu, %zu, %zu), }\n",
                     cases[i].shape[0], cases[i].shape[1], cases[i].shape[2]);
            npy_add_header(&body, 1, header);
            const struct npy_request request = {GUMBEL, cases[i].query, API_NPY, json ? "application/json" : API_NPY,
                                                true};
            struct answer answer = npy_ask(&request, &body);
            ck_assert_msg(answer.status == cases[i].status, "%zu: %d", i, answer.status);
            npy_answer_free(&answer);
            npy_free(&body);
        }
}
END_TEST

/* Results of no elements count all the same, in a call and in all of a batch: each empty array is text. */
START_TEST(empty_results_have_limits)
{
    char *batch = malloc(200 * 128), *out = batch + sprintf(batch, "{\"requests\":[");
    assert_problem(CATEGORICAL, "{\"logits\":[[]],\"dim\":0,\"logprobs\":20000000}", 413, "limit_exceeded",
                   "/logprobs");
    for (int i = 0; i < 200; i++)
        out += sprintf(out,
                       "%s{\"function\":\"gumbel_softmax\",\"body\":{\"logits\":[[]],\"dim\":0,\"num_samples\":60000}}",
                       i > 0 ? "," : "");
    strcpy(out, "]}");
    struct answer answer = ask("/v1/batch", "%s", batch);
    ck_assert_uint_lt(strlen(answer.text), 20000000);
    ck_assert_ptr_nonnull(strstr(answer.text, "limit_exceeded"));
    ask_free(&answer);
    free(batch);
}
END_TEST

/* ---- The order of results ---- */

START_TEST(results_come_in_the_order_asked_for)
{
    static const char *const cases[][3] = {
        {GUMBEL, "[\"noise\",\"indices\",\"samples\"]", "\"shape\":[1,2]|\"noise\":|\"indices\":|\"samples\":"},
        {GUMBEL, "[\"indices\",\"noise\",\"indices\"]", "\"shape\":[1]|\"indices\":|\"noise\":|}"},
        {CATEGORICAL, "[\"scores\",\"indices\"]", "\"shape\":[1,1]|\"scores\":|\"indices\":|}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer answer = ask(cases[i][0], "{\"logits\":[[1,2]],\"seed\":1,\"return\":%s}", cases[i][1]);
        char *wanted = strdup(cases[i][2]);
        const char *at = answer.text;
        assert_answered(&answer);
        for (const char *part = strtok(wanted, "|"); part != NULL; part = strtok(NULL, "|")) {
            const char *found = strstr(at, part);
            ck_assert_msg(found != NULL, "%s is not in its place: %s", part, answer.text);
            at = found + strlen(part);
        }
        free(wanted);
        ask_free(&answer);
    }
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: values on the wire");
    TCase *infinity = tcase_create("-inf"), *absent = tcase_create("left out"), *none = tcase_create("empty"),
          *order = tcase_create("order"), *asked = tcase_create("query"), *whole = tcase_create("integers");
    tcase_add_loop_test(infinity, minus_infinity_is_read_in_each_spelling, 0, sizeof infinities / sizeof *infinities);
    tcase_add_loop_test(infinity, minus_infinity_elsewhere_is_refused, 0, sizeof meaningless / sizeof *meaningless);
    tcase_add_test(infinity, a_problem_after_it_has_its_own_place);
    tcase_add_test(infinity, minus_infinity_is_text_in_each_answer);
    tcase_add_loop_test(absent, null_is_left_out, 0, sizeof left_out / sizeof *left_out);
    tcase_add_loop_test(absent, what_is_required_is_refused, 0, sizeof required / sizeof *required);
    tcase_add_test(absent, offsets_count_the_byte_order_mark);
    tcase_add_loop_test(asked, the_query_is_as_if_in_the_body, 0, sizeof queried / sizeof *queried);
    tcase_add_loop_test(asked, a_slip_in_the_query_is_refused, 0, sizeof slips / sizeof *slips);
    tcase_add_test(whole, minus_one_is_off_in_tensors_too);
    tcase_add_test(whole, a_null_parameter_may_be_beside_an_input);
    tcase_add_test(none, no_class_can_be_biased_where_there_is_none);
    tcase_add_loop_test(none, no_rows_have_no_results, 0, sizeof empty / sizeof *empty);
    tcase_add_loop_test(none, a_row_without_classes_is_refused, 0, sizeof not_empty / sizeof *not_empty);
    tcase_add_test(none, an_array_of_any_shape_may_be_empty);
    tcase_add_test(none, empty_results_have_limits);
    tcase_add_test(order, results_come_in_the_order_asked_for);
    suite_add_tcase(suite, infinity);
    suite_add_tcase(suite, absent);
    suite_add_tcase(suite, none);
    suite_add_tcase(suite, order);
    suite_add_tcase(suite, asked);
    suite_add_tcase(suite, whole);
    return suite;
}
