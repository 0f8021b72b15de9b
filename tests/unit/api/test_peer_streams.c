/* What torch 2.13 and JAX 0.10 drew under known seeds and keys (tests/data/streams), asked for on every front; and what
 * is refused of `rng` and `key`. */
#include "lib/infer.h"
#include "lib/npy.h"
#include "lib/suite.h"
#include "numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GUMBEL "/v1/gumbel_softmax"
#define CATEGORICAL "/v1/categorical"

enum { MOST = 4096 };

/* ---- The cases ---- */

struct golden {
    const char *path;
    json_t *logits, *members; /* the request's, in two */
    const json_t *expected;   /* the library's record */
};

static json_t *load(const char *name)
{
    char path[64];
    json_error_t error;
    snprintf(path, sizeof path, "tests/data/streams/%s.json", name);
    json_t *all = json_load_file(path, 0, &error);
    ck_assert_msg(all != NULL, "%s: %s", path, error.text);
    return all;
}

static json_t *zeros_like(const json_t *list)
{
    json_t *zeros = json_array(), *one;
    size_t i;
    json_array_foreach (list, i, one)
        json_array_append_new(zeros, json_is_array(one) ? zeros_like(one) : json_real(0));
    return zeros;
}

static struct golden golden_open(const json_t *expected, const char *rng)
{
    static const char *const names[] = {"dim", "tau", "hard", "dtype", "num_samples", "replacement"};
    const char *kind = json_string_value(json_object_get(expected, "kind"));
    const bool gumbel = strncmp(kind, "gumbel", strlen("gumbel")) == 0;
    struct golden golden = {.path = gumbel ? GUMBEL : CATEGORICAL, .expected = expected};
    const json_t *logits = json_object_get(expected, "logits");
    golden.logits = logits != NULL ? json_deep_copy(logits) : zeros_like(json_object_get(expected, "gumbel"));
    golden.members = json_pack("{ss}", "rng", rng);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_object_get(expected, names[i]) != NULL)
            json_object_set(golden.members, names[i], json_object_get(expected, names[i]));
    if (strcmp(kind, "gumbel64") == 0)
        json_object_set_new(golden.members, "dtype", json_string("float64"));
    const char *key = strcmp(rng, "jax") == 0 ? "key" : "seed";
    json_object_set(golden.members, key, json_object_get(expected, key));
    json_object_set_new(golden.members, "return",
                        gumbel ? json_pack("[ss]", "samples", "noise") : json_pack("[s]", "indices"));
    return golden;
}

static void golden_close(struct golden *golden)
{
    json_decref(golden->logits);
    json_decref(golden->members);
}

static bool is_wide(const struct golden *golden)
{
    const char *dtype = json_string_value(json_object_get(golden->members, "dtype"));
    return dtype != NULL && strcmp(dtype, "float64") == 0;
}

static struct answer ask_as_json(const struct golden *golden)
{
    json_t *body = json_deep_copy(golden->members);
    json_object_set(body, "logits", golden->logits);
    struct answer answer = ask_json(golden->path, body);
    assert_answered(&answer);
    return answer;
}

/* ---- Against the library ---- */

struct numbers {
    double of[MOST];
    size_t count;
};

static void flatten(struct numbers *numbers, const json_t *list)
{
    numbers->count = numbers_flat(list, numbers->of, MOST);
}

/* What goes through log and exp differs by roundings. */
static void assert_near(const struct golden *golden, const json_t *ours, const json_t *theirs, double (*of)(double),
                        double absolute)
{
    static struct numbers a, b;
    const double unit = is_wide(golden) ? 0x1p-52 : 0x1p-23;
    flatten(&a, ours);
    flatten(&b, theirs);
    ck_assert_uint_ge(a.count, b.count); /* of E only the first are on record */
    for (size_t i = 0; i < b.count; i++) {
        const double expected = of != NULL ? of(b.of[i]) : b.of[i];
        ck_assert_double_eq_tol(a.of[i], expected, unit * (16 * fabs(expected) + absolute));
    }
}

static double gumbel_of(double e)
{
    return -log(e);
}

/* JAX has the draws first, and we have them in the place of the classes. */
static void assert_indices(const struct golden *golden, const json_t *ours)
{
    static struct numbers a, b;
    flatten(&a, ours);
    flatten(&b, json_object_get(golden->expected, "indices"));
    const json_t *draws = json_object_get(golden->members, "num_samples");
    const bool first = json_object_get(golden->members, "key") != NULL && draws != NULL;
    const size_t count = first ? (size_t)json_integer_value(draws) : 1, rows = b.count / count;
    ck_assert_uint_eq(a.count, b.count);
    for (size_t row = 0; row < rows; row++)
        for (size_t draw = 0; draw < count; draw++)
            ck_assert_double_eq(a.of[row * count + draw], b.of[draw * rows + row]);
}

static void assert_golden(const struct golden *golden, const json_t *answer)
{
    const json_t *samples = json_object_get(golden->expected, "samples"), *noise = json_object_get(answer, "noise"),
                 *e = json_object_get(golden->expected, "exponential"),
                 *g = json_object_get(golden->expected, "gumbel");
    if (strcmp(golden->path, CATEGORICAL) == 0)
        assert_indices(golden, json_object_get(answer, "indices"));
    if (samples != NULL)
        assert_near(golden, json_object_get(answer, "samples"), samples, NULL, 0);
    if (e != NULL)
        assert_near(golden, noise, e, gumbel_of, 2);
    if (g != NULL && noise != NULL)
        assert_near(golden, noise, g, NULL, 2);
}

/* ---- On the other fronts ---- */

static void put_value(char *query, size_t size, const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    size_t length = strlen(query);
    for (const char *c = text; *c != '\0' && length + 1 < size; c++)
        if (strchr("\"[]", *c) == NULL)
            query[length++] = *c;
    query[length] = '\0';
    free(text);
}

static size_t shape_of(const json_t *list, size_t *shape)
{
    size_t rank = 0;
    for (; json_is_array(list); list = json_array_get(list, 0))
        shape[rank++] = json_array_size(list);
    shape[rank] = 0;
    return rank;
}

static void assert_npy(const struct golden *golden, const json_t *answer)
{
    static struct numbers logits, expected;
    static float floats[MOST];
    char query[512] = "";
    const char *name;
    json_t *value;
    size_t shape[API_MAX_RANK + 1], at = 0, i;
    struct npy_bytes body = {0};
    json_object_foreach (golden->members, name, value) {
        snprintf(query + strlen(query), sizeof query - strlen(query), "%s%s=", query[0] != '\0' ? "&" : "", name);
        put_value(query, sizeof query, value);
    }
    flatten(&logits, golden->logits);
    shape_of(golden->logits, shape);
    for (i = 0; i < logits.count; i++)
        floats[i] = (float)logits.of[i];
    npy_add(&body, is_wide(golden) ? "<f8" : "<f4", shape, is_wide(golden) ? (void *)logits.of : (void *)floats);
    struct answer npy = npy_ask(
        &(struct npy_request){
            .path = golden->path, .query = query, .content_type = "application/x-npy", .accept = "application/x-npy"},
        &body);
    ck_assert_msg(npy.status == 200, "%s: %s", query, npy.text);
    json_array_foreach (json_object_get(golden->members, "return"), i, value) {
        const struct api_tensor tensor = npy_next(&npy, &at);
        flatten(&expected, json_object_get(answer, json_string_value(value)));
        ck_assert_uint_eq(tensor.count, expected.count);
        for (size_t j = 0; j < tensor.count; j++)
            if (tensor.dtype == API_INT32)
                ck_assert_int_eq(((const int32_t *)tensor.data)[j], (int32_t)expected.of[j]);
            else if (tensor.dtype == API_FLOAT64)
                ck_assert_double_eq(((const double *)tensor.data)[j], expected.of[j]);
            else
                ck_assert_float_eq(((const float *)tensor.data)[j], (float)expected.of[j]);
    }
    const json_t *key = json_object_get(golden->members, "key");
    ck_assert_str_eq(npy_header(&npy, "X-Gumbeld-Rng"), json_string_value(json_object_get(answer, "rng")));
    ck_assert(key == NULL || npy_header(&npy, "X-Gumbeld-Seed") == NULL);
    npy_answer_free(&npy);
    npy_free(&body);
}

static json_t *input_of(const char *name, const char *datatype, const json_t *list)
{
    size_t shape[API_MAX_RANK + 1], rank = shape_of(list, shape);
    json_t *axes = json_array();
    for (size_t i = 0; i < rank; i++)
        json_array_append_new(axes, json_integer((json_int_t)shape[i]));
    return json_pack("{ss ss so sO}", "name", name, "datatype", datatype, "shape", axes, "data", list);
}

static void assert_infer(const struct golden *golden, const json_t *answer)
{
    json_t *parameters = json_deep_copy(golden->members), *inputs = json_array(), *outputs = json_array(), *name;
    const json_t *key = json_object_get(golden->members, "key");
    char path[64];
    size_t i;
    json_array_append_new(inputs, input_of("logits", is_wide(golden) ? "FP64" : "FP32", golden->logits));
    if (key != NULL)
        json_array_append_new(inputs, input_of("key", "UINT32", key));
    json_array_foreach (json_object_get(golden->members, "return"), i, name)
        json_array_append_new(outputs, json_pack("{sO}", "name", name));
    json_object_del(parameters, "key");
    json_object_del(parameters, "return");
    json_t *body = json_pack("{so so so}", "inputs", inputs, "parameters", parameters, "outputs", outputs);
    char *text = json_dumps(body, 0);
    snprintf(path, sizeof path, "/v2/models/%s/infer", golden->path + strlen("/v1/"));
    struct inferred inferred = infer_json(path, text);
    assert_answered(&inferred.answer);
    json_array_foreach (json_object_get(golden->members, "return"), i, name) {
        static struct numbers ours, expected;
        flatten(&ours, json_object_get(infer_output(&inferred, i), "data"));
        flatten(&expected, json_object_get(answer, json_string_value(name)));
        ck_assert_uint_eq(ours.count, expected.count);
        ck_assert_mem_eq(ours.of, expected.of, ours.count * sizeof *ours.of);
    }
    infer_free(&inferred);
    free(text);
    json_decref(body);
}

static void check_library(const char *rng, size_t cases)
{
    json_t *all = load(rng), *one;
    size_t i;
    ck_assert_uint_eq(json_array_size(json_object_get(all, "cases")), cases);
    json_array_foreach (json_object_get(all, "cases"), i, one) {
        struct golden golden = golden_open(one, rng);
        struct answer answer = ask_as_json(&golden);
        assert_golden(&golden, answer.json);
        assert_npy(&golden, answer.json);
        assert_infer(&golden, answer.json);
        ask_free(&answer);
        golden_close(&golden);
    }
    json_decref(all);
}

START_TEST(torch_drew_the_same)
{
    check_library("torch", 6);
}
END_TEST

START_TEST(jax_drew_the_same)
{
    check_library("jax", 6);
}
END_TEST

/* ---- Rows and draws by themselves ---- */

static void assert_rows(const struct answer *part, const char *member, const struct answer *whole, size_t first)
{
    const json_t *rows = json_object_get(part->json, member), *all = json_object_get(whole->json, member);
    for (size_t i = 0; i < json_array_size(rows); i++)
        ck_assert(json_equal(json_array_get(rows, i), json_array_get(all, first + i)));
}

static const char *const both[] = {"torch", "jax"};

START_TEST(rows_are_had_by_their_offset)
{
    struct answer whole = ask(GUMBEL, "{\"logits\":[[1,2,3],[0,1,2],[3,1,2],[1,1,1]],\"seed\":5,\"rng\":\"%s\"}",
                              both[_i]);
    struct answer part = ask(GUMBEL, "{\"logits\":[[3,1,2],[1,1,1]],\"seed\":5,\"row_offset\":2,\"rng\":\"%s\"}",
                             both[_i]);
    assert_answered(&whole);
    assert_answered(&part);
    assert_rows(&part, "samples", &whole, 2);
    ask_free(&whole);
    ask_free(&part);
}
END_TEST

START_TEST(samples_are_had_by_their_offset)
{
    struct answer whole = ask(GUMBEL, "{\"logits\":[[1,2,3],[0,1,2]],\"seed\":5,\"num_samples\":5,\"rng\":\"%s\"}",
                              both[_i]);
    struct answer part = ask(
        GUMBEL, "{\"logits\":[[1,2,3],[0,1,2]],\"seed\":5,\"num_samples\":2,\"draw_offset\":3,\"rng\":\"%s\"}",
        both[_i]);
    assert_answered(&whole);
    assert_answered(&part);
    assert_rows(&part, "samples", &whole, 3);
    ask_free(&whole);
    ask_free(&part);
}
END_TEST

START_TEST(a_row_of_its_own_seed_is_drawn_alone)
{
    struct answer list = ask(
        CATEGORICAL, "{\"logits\":[[1,2,3],[0,1,2],[3,1,2]],\"seed\":[5,6,5],\"num_samples\":40,\"rng\":\"%s\"}",
        both[_i]);
    assert_answered(&list);
    for (size_t row = 0; row < 2; row++) {
        struct answer alone = ask(CATEGORICAL, "{\"logits\":[%s],\"seed\":%zu,\"num_samples\":40,\"rng\":\"%s\"}",
                                  row == 0 ? "[1,2,3]" : "[0,1,2]", 5 + row, both[_i]);
        assert_answered(&alone);
        ck_assert(json_equal(json_array_get(json_object_get(alone.json, "indices"), 0),
                             json_array_get(json_object_get(list.json, "indices"), row)));
        ask_free(&alone);
    }
    ask_free(&list);
}
END_TEST

/* A draw is the first maximum of the logits and the noise that gumbel_softmax has of the same element. */
START_TEST(draws_are_the_winners_of_the_same_noise)
{
    static const char request[] =
        "\"logits\":[[[1,2,3],[0,1,2]],[[3,1,2],[1,1,1]]],\"dim\":1,\"num_samples\":6,\"seed\":5,\"rng\":";
    static struct numbers winners, draws;
    struct answer gumbel = ask(GUMBEL, "{%s\"%s\",\"return\":[\"indices\"]}", request, both[_i]);
    struct answer categorical = ask(CATEGORICAL, "{%s\"%s\"}", request, both[_i]);
    assert_answered(&gumbel);
    assert_answered(&categorical);
    flatten(&winners, json_object_get(gumbel.json, "indices"));    /* [6][2][3] */
    flatten(&draws, json_object_get(categorical.json, "indices")); /* [2][6][3] */
    ck_assert_uint_eq(draws.count, winners.count);
    for (size_t outer = 0; outer < 2; outer++)
        for (size_t draw = 0; draw < 6; draw++)
            for (size_t inner = 0; inner < 3; inner++)
                ck_assert_double_eq(draws.of[(outer * 6 + draw) * 3 + inner],
                                    winners.of[(draw * 2 + outer) * 3 + inner]);
    ask_free(&gumbel);
    ask_free(&categorical);
}
END_TEST

/* A gradient is of the sample that the same seed draws: that of the softmax of logits + noise. */
START_TEST(gradients_are_of_the_same_noise)
{
    static struct numbers ours, expected;
    struct answer gumbel = ask(
        GUMBEL,
        "{\"logits\":[[1,2,3,0],[0,1,2,5]],\"seed\":5,\"dtype\":\"float64\",\"rng\":\"%s\",\"return\":[\"perturbed\"]}",
        both[_i]);
    assert_answered(&gumbel);
    char *logits = json_dumps(json_object_get(gumbel.json, "perturbed"), JSON_REAL_PRECISION(17));
    struct answer plain = ask(
        "/v1/vjp", "{\"function\":\"softmax\",\"dtype\":\"float64\",\"logits\":%s,\"cotangent\":[[1,0,2,1],[0,1,0,3]]}",
        logits);
    struct answer vjp = ask("/v1/vjp",
                            "{\"function\":\"gumbel_softmax\",\"dtype\":\"float64\",\"logits\":[[1,2,3,0],[0,1,2,5]],"
                            "\"seed\":5,\"rng\":\"%s\",\"cotangent\":[[1,0,2,1],[0,1,0,3]]}",
                            both[_i]);
    assert_answered(&plain);
    assert_answered(&vjp);
    flatten(&ours, json_object_get(vjp.json, "grad_logits"));
    flatten(&expected, json_object_get(plain.json, "grad_logits"));
    for (size_t i = 0; i < 8; i++)
        ck_assert_double_eq_tol(ours.of[i], expected.of[i], 1e-14);
    free(logits);
    ask_free(&gumbel);
    ask_free(&plain);
    ask_free(&vjp);
}
END_TEST

START_TEST(no_rows_have_no_keys)
{
    struct answer answer = ask(GUMBEL, "{\"logits\":[],\"key\":[],\"rng\":\"jax\"}");
    assert_answered(&answer);
    ck_assert_uint_eq(json_array_size(json_object_get(answer.json, "samples")), 0);
    ck_assert(json_is_array(json_object_get(answer.json, "key")));
    ck_assert_uint_eq(json_array_size(json_object_get(answer.json, "key")), 0);
    ask_free(&answer);
}
END_TEST

/* ---- What is refused ---- */

/* In /v2 a key is an input. */
START_TEST(a_key_among_the_parameters_is_told_where_it_goes)
{
    struct inferred inferred = infer_json(
        "/v2/models/gumbel_softmax/infer",
        "{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[1,2],\"data\":[1,2]}],\"parameters\":"
        "{\"rng\":\"jax\",\"key\":[1,2]}}");
    ck_assert_int_eq(inferred.answer.status, 400);
    ck_assert_msg(strstr(ask_text(&inferred.answer, "detail"), "input") != NULL, "%s", inferred.answer.text);
    infer_free(&inferred);
}
END_TEST

static const struct {
    const char *path, *body;
    int status;
    const char *code, *pointer;
} refused[] = {
    {GUMBEL, "{\"logits\":[1],\"rng\":\"numpy\"}", 400, "out_of_range", "/rng"},
    {GUMBEL, "{\"logits\":[1],\"rng\":1}", 400, "wrong_type", "/rng"},
    {CATEGORICAL, "{\"logits\":[1],\"rng\":\"jax\",\"method\":\"inverse_cdf\"}", 400, "out_of_range", "/method"},
    {"/v1/softmax", "{\"logits\":[1],\"rng\":\"jax\"}", 400, "unknown_member", "/rng"},
    {GUMBEL, "{\"logits\":[1],\"key\":[0,7]}", 400, "out_of_range", "/key"},
    {GUMBEL, "{\"logits\":[1],\"key\":[0,7],\"rng\":\"torch\"}", 400, "out_of_range", "/key"},
    {GUMBEL, "{\"logits\":[1],\"key\":[0,7],\"seed\":7,\"rng\":\"jax\"}", 400, "out_of_range", "/key"},
    {GUMBEL, "{\"logits\":[1],\"key\":7,\"rng\":\"jax\"}", 400, "wrong_type", "/key"},
    {GUMBEL, "{\"logits\":[1],\"key\":\"a\",\"rng\":\"jax\"}", 400, "wrong_type", "/key"},
    {GUMBEL, "{\"logits\":[1],\"key\":[7],\"rng\":\"jax\"}", 400, "wrong_type", "/key"},
    {GUMBEL, "{\"logits\":[1],\"key\":[1,2,3],\"rng\":\"jax\"}", 400, "wrong_type", "/key"},
    {GUMBEL, "{\"logits\":[1],\"key\":[1,-2],\"rng\":\"jax\"}", 400, "out_of_range", "/key/1"},
    {GUMBEL, "{\"logits\":[1],\"key\":[1,4294967296],\"rng\":\"jax\"}", 400, "out_of_range", "/key/1"},
    {GUMBEL, "{\"logits\":[[1],[2]],\"key\":[[1,2],[1,2.5]],\"rng\":\"jax\"}", 400, "wrong_type", "/key/1/1"},
    {GUMBEL, "{\"logits\":[[1],[2]],\"key\":[[1,2]],\"rng\":\"jax\"}", 400, "wrong_length", "/key"},
    {GUMBEL, "{\"logits\":[[1],[2]],\"key\":[[1,2],[3,4]],\"row_offset\":1,\"rng\":\"jax\"}", 400, "out_of_range",
     "/row_offset"},
    {GUMBEL, "{\"logits\":[1,2,3],\"seed\":7,\"row_offset\":4294967295,\"rng\":\"torch\"}", 413, "limit_exceeded",
     "/row_offset"},
    {GUMBEL, "{\"logits\":[1,2,3],\"seed\":7,\"draw_offset\":4294967295,\"rng\":\"torch\"}", 413, "limit_exceeded",
     "/draw_offset"},
    {CATEGORICAL, "{\"logits\":[[1,2],[3,4]],\"seed\":[7,8],\"draw_offset\":1073741824,\"rng\":\"torch\"}", 413,
     "limit_exceeded", "/draw_offset"},
    {CATEGORICAL,
     "{\"logits\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20],\"num_samples\":1048576,\"return\":[\"counts\"],"
     "\"rng\":\"torch\"}",
     413, "limit_exceeded", "/rng"},
    {"/v1/vjp", "{\"function\":\"gumbel_softmax\",\"logits\":[1],\"cotangent\":[1],\"rng\":\"jax\"}", 400,
     "missing_member", "/seed"},
};

START_TEST(what_has_no_meaning_is_refused)
{
    assert_problem(refused[_i].path, refused[_i].body, refused[_i].status, refused[_i].code, refused[_i].pointer);
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: streams of torch and JAX");
    TCase *golden = tcase_create("golden");
    tcase_set_timeout(golden, 60);
    tcase_add_test(golden, torch_drew_the_same);
    tcase_add_test(golden, jax_drew_the_same);
    suite_add_tcase(suite, golden);

    TCase *places = tcase_create("places");
    tcase_add_loop_test(places, rows_are_had_by_their_offset, 0, 2);
    tcase_add_loop_test(places, samples_are_had_by_their_offset, 0, 2);
    tcase_add_loop_test(places, a_row_of_its_own_seed_is_drawn_alone, 0, 2);
    tcase_add_loop_test(places, draws_are_the_winners_of_the_same_noise, 0, 2);
    tcase_add_test(places, no_rows_have_no_keys);
    tcase_add_loop_test(places, gradients_are_of_the_same_noise, 0, 2);
    suite_add_tcase(suite, places);

    TCase *problems = tcase_create("problems");
    tcase_add_test(problems, a_key_among_the_parameters_is_told_where_it_goes);
    tcase_add_loop_test(problems, what_has_no_meaning_is_refused, 0, sizeof refused / sizeof *refused);
    suite_add_tcase(suite, problems);
    return suite;
}
