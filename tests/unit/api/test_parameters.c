/* What each parameter does, against the core's own results, bit for bit. */
#include "core.h"
#include "lib/ask.h"
#include "lib/suite.h"
#include "numbers.h"
#include "sampling.h"
#include "vjp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOFTMAX "/v1/softmax"
#define GUMBEL "/v1/gumbel_softmax"
#define CATEGORICAL "/v1/categorical"
#define VJP "/v1/vjp"

enum { ROWS = 2, CLASSES = 4, COUNT = 8, SCRATCH = 4096 };

#define LOGITS "\"logits\":[[0.5,2,1,-1],[3,2.5,0,1]]"
static const float logits[COUNT] = {0.5f, 2, 1, -1, 3, 2.5f, 0, 1};
static const double wide_logits[COUNT] = {0.5, 2, 1, -1, 3, 2.5, 0, 1};
static const uint64_t seed = 17;
static const double one = 1;
static _Alignas(8) char scratch[SCRATCH];
static size_t invalid_row;

/* ---- softmax ---- */

START_TEST(dtype_chooses_the_precision)
{
    double result[COUNT];
    float narrow[COUNT];
    const double temperature = 0.1;
    struct core_softmax_call call = {.dtype = CORE_FLOAT64,
                                     .logits = wide_logits,
                                     .classes = CLASSES,
                                     .temperature = {&temperature, 0},
                                     .result = result};
    ck_assert_int_eq(core_softmax(&call, 0, ROWS, &invalid_row), 0);
    struct answer answer = ask(SOFTMAX, "{" LOGITS ",\"temperature\":0.1,\"dtype\":\"float64\"}");
    assert_doubles(&answer, "probabilities", result, SHAPE(ROWS, CLASSES));
    ck_assert_str_eq(ask_text(&answer, "dtype"), "float64");
    ask_free(&answer);
    /* In whatever order and spelling. */
    answer = ask(SOFTMAX, "{\"dtype\":\"float\\u00364\"," LOGITS ",\"temperature\":0.1}");
    assert_doubles(&answer, "probabilities", result, SHAPE(ROWS, CLASSES));
    ask_free(&answer);
    call.dtype = CORE_FLOAT32;
    call.logits = logits;
    call.result = narrow;
    ck_assert_int_eq(core_softmax(&call, 0, ROWS, &invalid_row), 0);
    answer = ask(SOFTMAX, "{" LOGITS ",\"temperature\":0.1,\"dtype\":\"float32\"}");
    assert_floats(&answer, "probabilities", narrow, SHAPE(ROWS, CLASSES));
    ask_free(&answer);
}
END_TEST

/* Numbers beyond float32, and those that it would round. */
START_TEST(float64_logits_are_not_rounded)
{
    struct answer answer = ask("/v1/log_softmax", "{\"logits\":[1e300,0],\"dtype\":\"float64\"}");
    assert_doubles(&answer, "log_probabilities", (const double[]){0, -1e300}, SHAPE(2));
    ask_free(&answer);
    answer = ask("/v1/log_softmax", "{\"logits\":[1e300,0],\"dtype\":\"flo\\u0061t64\"}");
    assert_doubles(&answer, "log_probabilities", (const double[]){0, -1e300}, SHAPE(2));
    ask_free(&answer);
    assert_problem(SOFTMAX, "{\"logits\":[1e300,0]}", 400, "out_of_range", "/logits/0");
}
END_TEST

/* What `dtype` says holds for all numbers, wherever it is in the body and whatever came before it. */
START_TEST(dtype_may_come_at_any_place)
{
    static const char *const wide[] = {
        "{\"dtype\":\"float64\",\"logits\":[[1e300,0.1],[16777217,0]],\"mask\":[[true,true],[true,true]]}",
        "{\"logits\":[[1e300,0.1],[16777217,0]],\"dtype\":\"float64\",\"mask\":[[true,true],[true,true]]}",
        "{\"mask\":[[true,true],[true,true]],\"logits\":[[1e300,0.1],[16777217,0]],\"dtype\":\"flo\\u0061t64\"}"};
    struct answer first = ask("/v1/log_softmax", "%s", wide[0]);
    assert_answered(&first);
    assert_doubles(&first, "log_probabilities", (const double[]){0, -1e300, 0, -16777217}, SHAPE(2, 2));
    for (size_t i = 1; i < sizeof wide / sizeof *wide; i++) {
        struct answer other = ask("/v1/log_softmax", "%s", wide[i]);
        ck_assert_str_eq(other.text, first.text);
        ask_free(&other);
    }
    ask_free(&first);
    struct answer gradient = ask("/v1/vjp", "{\"function\":\"softmax\",\"cotangent\":[0.1,1e300],\"logits\":[0.3,0.1],"
                                            "\"dtype\":\"float64\"}"),
                  same = ask("/v1/vjp", "{\"dtype\":\"float64\",\"function\":\"softmax\",\"cotangent\":[0.1,1e300],"
                                        "\"logits\":[0.3,0.1]}");
    assert_answered(&gradient);
    ck_assert_str_eq(gradient.text, same.text);
    ask_free(&gradient);
    ask_free(&same);
    assert_problem("/v1/softmax", "{\"logits\":[[1,1e39]],\"dtype\":\"float32\"}", 400, "out_of_range", "/logits/0/1");
    assert_problem("/v1/softmax", "{\"dtype\":\"float32\",\"logits\":[[1,1e39]]}", 400, "out_of_range", "/logits/0/1");
    assert_problem("/v1/softmax", "{\"logits\":[[1,1e39]],\"temperature\":1}", 400, "out_of_range", "/logits/0/1");
    assert_problem("/v1/softmax", "{\"logits\":[[1,1e309]],\"dtype\":\"float64\"}", 400, "out_of_range", "/logits/0/1");
    assert_problem("/v1/softmax", "{\"logits\":[1e39,2,1e400]}", 400, "out_of_range", "/logits/0");
    assert_problem("/v1/softmax", "{\"logits\":[1e39,2,1e400],\"dtype\":\"float64\"}", 400, "out_of_range",
                   "/logits/2");
    assert_problem("/v1/vjp", "{\"function\":\"softmax\",\"logits\":[1e39],\"cotangent\":[1e400]}", 400, "out_of_range",
                   "/logits/0");
    struct answer answer = ask("/v1/softmax", "{\"logits\":[1e400]}");
    ck_assert_str_eq(ask_text(&answer, "detail"), "is beyond the range of float32");
    ask_free(&answer);
}
END_TEST

/* Further below the maximum than the type reaches, and possible all the same; noise that would make it infinite. */
START_TEST(the_ends_of_the_range_are_taken)
{
    struct answer answer = ask("/v1/categorical", "{\"logits\":[-3e38,-3e38,3e38],\"seed\":1,\"num_samples\":3,"
                                                  "\"replacement\":false,\"return\":[\"scores\"]}");
    ck_assert_msg(answer.status == 200, "%s", answer.text);
    ck_assert_uint_eq(json_array_size(json_object_get(answer.json, "scores")), 3);
    ask_free(&answer);
    answer = ask(GUMBEL, "{\"logits\":[1,2],\"seed\":1,\"noise_scale\":1e36}");
    ck_assert_msg(answer.status == 200, "%s", answer.text);
    ask_free(&answer);
    assert_problem(GUMBEL, "{\"logits\":[1,2],\"seed\":1,\"noise_scale\":1.1e36}", 400, "out_of_range", "/noise_scale");
}
END_TEST

START_TEST(a_masked_class_is_one_of_minus_infinity)
{
    static const char *const masked[][2] = {
        {"\"mask\":[[true,false,true,true],[true,true,true,false]]", "[[0.5,null,1,-1],[3,2.5,0,null]]"},
        {"\"mask\":[true,false,true,false]", "[[0.5,null,1,null],[3,null,0,null]]"},
        {"\"mask\":[[true],[true],[false],[true]],\"dim\":0", NULL},
    };
    static const char *const functions[][2] = {
        {SOFTMAX, "\"temperature\":2"},
        {"/v1/log_softmax", "\"temperature\":2"},
        {GUMBEL, "\"seed\":3,\"return\":[\"samples\",\"indices\",\"log_density\"]"},
        {CATEGORICAL, "\"seed\":3,\"num_samples\":7,\"return\":[\"indices\",\"scores\",\"log_probabilities\"]"},
        {VJP, "\"function\":\"softmax\",\"cotangent\":[[1,2,3,4],[5,6,7,8]]"},
        {VJP, "\"function\":\"gumbel_softmax\",\"seed\":3,\"cotangent\":[[1,2,3,4],[5,6,7,8]]"},
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        for (size_t j = 0; j < 2; j++) {
            struct answer mask = ask(functions[i][0], "{" LOGITS ",%s,%s}", masked[j][0], functions[i][1]);
            struct answer nulls = ask(functions[i][0], "{\"logits\":%s,%s}", masked[j][1], functions[i][1]);
            assert_answered(&mask);
            ck_assert_str_eq(mask.text, nulls.text);
            ask_free(&mask);
            ask_free(&nulls);
        }
    struct answer answer = ask(SOFTMAX, "{\"logits\":[[1],[2],[5],[1]],%s}", masked[2][0]);
    assert_answered(&answer);
    ck_assert(json_number_value(json_array_get(json_array_get(json_object_get(answer.json, "probabilities"), 2), 0)) ==
              0);
    ask_free(&answer);
}
END_TEST

/* A client's rounding leaves -0 as well as 0: the limit is the same, and is answered in the same words. */
START_TEST(minus_zero_is_zero)
{
    static const char *const calls[][3] = {
        {SOFTMAX, "\"temperature\":%s", ""},
        {SOFTMAX, "\"temperature\":[1,%s]", ""},
        {"/v1/log_softmax", "\"temperature\":%s", ",\"dtype\":\"float64\""},
        {GUMBEL, "\"seed\":3,\"tau\":%s", ",\"return\":[\"samples\",\"soft\",\"log_density\"]"},
        {GUMBEL, "\"seed\":3,\"tau\":[%s,1]", ",\"num_samples\":2"},
        {GUMBEL, "\"seed\":3,\"tau\":{\"schedule\":\"linear\",\"start\":%s,\"steps\":1,\"min\":0,\"step\":0}", ""},
        {GUMBEL, "\"seed\":3,\"noise_scale\":%s", ",\"return\":[\"samples\",\"indices\"]"},
        {CATEGORICAL, "\"seed\":3,\"temperature\":%s", ",\"return\":[\"scores\",\"log_probabilities\"]"},
        {VJP, "\"function\":\"softmax\",\"temperature\":%s", ",\"cotangent\":[[1,2,3,4],[5,6,7,8]]"},
    };
    static const char *const zeros[] = {"0", "-0.0", "-0", "-1e-400"};
    struct answer answers[4];
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        for (size_t zero = 0; zero < 4; zero++) {
            char parameter[160];
            const char *at = strstr(calls[i][1], "%s");
            snprintf(parameter, sizeof parameter, "%.*s%s%s", (int)(at - calls[i][1]), calls[i][1], zeros[zero],
                     at + 2);
            answers[zero] = ask(calls[i][0], "{" LOGITS ",%s%s}", parameter, calls[i][2]);
            assert_answered(&answers[zero]);
            ck_assert_str_eq(answers[zero].text, answers[0].text);
        }
        for (size_t zero = 0; zero < 4; zero++)
            ask_free(&answers[zero]);
    }
}
END_TEST

/* ---- gumbel_softmax ---- */

/* The results of draw after draw. */
struct gumbel {
    float samples[3 * COUNT], soft[3 * COUNT], noise[3 * COUNT], log_density[3 * ROWS];
    float log_samples[3 * COUNT], perturbed[3 * COUNT];
    int32_t indices[3 * ROWS];
};

static void run_gumbel(struct core_gumbel_softmax_call *call, struct gumbel *results, uint32_t draws)
{
    for (uint32_t draw = 0; draw < draws; draw++) {
        call->noise.draw = draw;
        call->samples = results->samples + draw * COUNT;
        call->soft = results->soft + draw * COUNT;
        call->gumbel = results->noise + draw * COUNT;
        call->log_density = results->log_density + draw * ROWS;
        call->log_soft = results->log_samples + draw * COUNT;
        call->perturbed = results->perturbed + draw * COUNT;
        call->indices = results->indices + draw * ROWS;
        call->scratch = scratch;
        ck_assert_uint_le(core_gumbel_softmax_scratch(call), SCRATCH);
        ck_assert_int_eq(core_gumbel_softmax(call, 0, ROWS, &invalid_row), 0);
    }
}

#define ALL_RESULTS                                                                                                    \
    "\"return\":[\"log_density\",\"perturbed\",\"log_samples\",\"noise\",\"soft\",\"indices\",\"samples\"]"

START_TEST(return_and_num_samples_give_every_result_of_every_draw)
{
    struct gumbel results;
    const double tau = 0.5, noise_scale[] = {0.5, 2};
    struct core_gumbel_softmax_call call = {.logits = logits,
                                            .classes = CLASSES,
                                            .tau = {&tau, 0},
                                            .hard = true,
                                            .noise = {.seed = &seed},
                                            .noise_scale = {noise_scale, 1}};
    run_gumbel(&call, &results, 3);
    struct answer answer = ask(GUMBEL, "{" LOGITS ",\"seed\":17,\"tau\":0.5,\"hard\":true,\"noise_scale\":[0.5,2],"
                                       "\"num_samples\":3," ALL_RESULTS "}");
    assert_floats(&answer, "samples", results.samples, SHAPE(3, ROWS, CLASSES));
    assert_floats(&answer, "soft", results.soft, SHAPE(3, ROWS, CLASSES));
    assert_floats(&answer, "noise", results.noise, SHAPE(3, ROWS, CLASSES));
    assert_classes(&answer, "indices", results.indices, SHAPE(3, ROWS));
    assert_floats(&answer, "log_density", results.log_density, SHAPE(3, ROWS));
    assert_floats(&answer, "log_samples", results.log_samples, SHAPE(3, ROWS, CLASSES));
    assert_floats(&answer, "perturbed", results.perturbed, SHAPE(3, ROWS, CLASSES));
    ask_free(&answer);
    answer = ask(GUMBEL, "{" LOGITS ",\"seed\":17,\"tau\":0.5,\"hard\":true,\"noise_scale\":[0.5,2]," ALL_RESULTS "}");
    assert_floats(&answer, "samples", results.samples, SHAPE(ROWS, CLASSES));
    assert_classes(&answer, "indices", results.indices, SHAPE(ROWS));
    ask_free(&answer);
}
END_TEST

/* Each result alone, whether or not the samples are wanted; and no other. */
START_TEST(each_result_comes_alone)
{
    const struct api_result_kind *kinds = api_functions[API_GUMBEL_SOFTMAX].results;
    struct answer all = ask(GUMBEL, "{" LOGITS ",\"seed\":17,\"num_samples\":3," ALL_RESULTS "}");
    for (size_t i = 0; i < API_MAX_RESULTS && kinds[i].name != NULL; i++) {
        struct answer alone = ask(GUMBEL, "{" LOGITS ",\"seed\":17,\"num_samples\":3,\"return\":[\"%s\",\"%s\"]}",
                                  kinds[i].name, kinds[i].name);
        assert_answered(&alone);
        assert_same_member(&alone, &all, kinds[i].name);
        ck_assert_uint_eq(json_object_size(alone.json), 6);
        ask_free(&alone);
    }
    ask_free(&all);
}
END_TEST

START_TEST(noise_scale_0_is_the_softmax)
{
    struct answer sample = ask(GUMBEL, "{" LOGITS ",\"tau\":0.7,\"noise_scale\":0}");
    struct answer softmax = ask(SOFTMAX, "{" LOGITS ",\"temperature\":0.7}");
    double samples[COUNT], probabilities[COUNT];
    ck_assert_uint_eq(numbers_flat(json_object_get(sample.json, "samples"), samples, COUNT), COUNT);
    ck_assert_uint_eq(numbers_flat(json_object_get(softmax.json, "probabilities"), probabilities, COUNT), COUNT);
    for (size_t i = 0; i < COUNT; i++)
        ck_assert_double_eq_tol(samples[i], probabilities[i], 1e-6 * probabilities[i]);
    ask_free(&sample);
    ask_free(&softmax);
}
END_TEST

START_TEST(a_schedule_is_the_tau_that_it_comes_to)
{
    static const struct {
        const char *text;
        struct core_schedule schedule;
    } cases[] = {
        {"{\"schedule\":\"exponential\",\"start\":1,\"rate\":3e-5,\"min\":0.5,\"step\":1000}",
         {CORE_SCHEDULE_EXPONENTIAL, .start = 1, .rate = 3e-5, .min = 0.5, .step = 1000}},
        {"{\"schedule\":\"linear\",\"start\":2,\"steps\":100,\"min\":0.5,\"step\":33}",
         {CORE_SCHEDULE_LINEAR, .start = 2, .steps = 100, .min = 0.5, .step = 33}},
        {"{\"step\":33,\"steps\":100,\"start\":2,\"min\":0.5,\"schedule\":\"cosine\"}",
         {CORE_SCHEDULE_COSINE, .start = 2, .steps = 100, .min = 0.5, .step = 33}},
    };
    const double tau = core_schedule(&cases[_i].schedule);
    struct answer scheduled = ask(GUMBEL, "{" LOGITS ",\"seed\":17,\"tau\":%s}", cases[_i].text);
    struct answer plain = ask(GUMBEL, "{" LOGITS ",\"seed\":17,\"tau\":%.17g}", tau);
    assert_doubles(&scheduled, "tau", &tau, SHAPE());
    ck_assert_str_eq(scheduled.text, plain.text);
    ask_free(&scheduled);
    ask_free(&plain);
}
END_TEST

/* ---- categorical ---- */

enum { DRAWS = 3, TOP = 2 };

static const struct {
    const char *members;
    struct core_categorical_call call;
} draws[] = {
    {"\"temperature\":0.7", {.temperature = {(const double[]){0.7}, 0}}},
    {"\"temperature\":[0,2]", {.temperature = {(const double[]){0, 2}, 1}}},
    {"\"replacement\":false", {.replacement = false}},
    {"\"top_k\":2", {.filters = {.values = {[CORE_TOP_K] = {(const double[]){2}, 0}}}}},
    {"\"top_k\":[1,3]", {.filters = {.values = {[CORE_TOP_K] = {(const double[]){1, 3}, 1}}}}},
    {"\"top_p\":0.6", {.filters = {.values = {[CORE_TOP_P] = {(const double[]){0.6}, 0}}}}},
    {"\"min_p\":[0.5,0.1]", {.filters = {.values = {[CORE_MIN_P] = {(const double[]){0.5, 0.1}, 1}}}}},
    {"\"top_n_sigma\":[1.5,0.5]", {.filters = {.values = {[CORE_TOP_N_SIGMA] = {(const double[]){1.5, 0.5}, 1}}}}},
    {"\"epsilon_cutoff\":0.2", {.filters = {.values = {[CORE_EPSILON_CUTOFF] = {(const double[]){0.2}, 0}}}}},
    {"\"eta_cutoff\":[0.2,0.3]", {.filters = {.values = {[CORE_ETA_CUTOFF] = {(const double[]){0.2, 0.3}, 1}}}}},
    {"\"top_k\":1,\"min_keep\":[2,3]",
     {.filters = {.values = {[CORE_TOP_K] = {(const double[]){1}, 0}}, .min_keep = {(const double[]){2, 3}, 1}}}},
    {"\"typical_p\":0.5", {.filters = {.values = {[CORE_TYPICAL_P] = {(const double[]){0.5}, 0}}}}},
    {"\"logit_bias\":{\"3\":4,\"0\":null}", {.bias = {(const uint32_t[]){3, 0}, (const double[]){4, -INFINITY}, 2}}},
    {"\"filter_order\":\"temperature_last\",\"temperature\":3,\"top_p\":0.6",
     {.temperature = {(const double[]){3}, 0},
      .filters = {.order = &core_orders[CORE_TEMPERATURE_LAST],
                  .values = {[CORE_TOP_P] = {(const double[]){0.6}, 0}}}}},
    {"\"logprobs_of\":\"filtered\",\"top_k\":2",
     {.distribution = CORE_FILTERED, .filters = {.values = {[CORE_TOP_K] = {(const double[]){2}, 0}}}}},
    {"\"logprobs_of\":\"raw\",\"temperature\":2", {.temperature = {(const double[]){2}, 0}}},
    {"\"logprobs_of\":\"scaled\",\"temperature\":2",
     {.distribution = CORE_SCALED, .temperature = {(const double[]){2}, 0}}},
    {"\"prompt\":[[3,-1,3],[2]],\"repetition_penalty\":[2,3]",
     {.penalties = {.prompt = {(const struct core_class_count[]){{3, 2}, {2, 1}}, (const size_t[]){0, 1, 2}, 1},
                    .repetition = {(const double[]){2, 3}, 1}}}},
    {"\"output\":[3,0,3],\"presence_penalty\":2,\"frequency_penalty\":[0.5,-0.5]",
     {.penalties = {.output = {(const struct core_class_count[]){{0, 1}, {3, 2}}, (const size_t[]){0, 2}, 0},
                    .presence = {(const double[]){2}, 0},
                    .frequency = {(const double[]){0.5, -0.5}, 1}}}},
    {"\"row_offset\":7", {.noise = {.row_offset = 7}}},
    {"\"draw_offset\":4294967293", {.noise = {.draw = 4294967293}}},
    {"\"method\":\"gumbel_max\"", {.method = CORE_GUMBEL_MAX}},
    {"\"draw_offset\":5,\"replacement\":false", {.noise = {.draw = 5}}},
};

START_TEST(categorical_takes_its_parameters_to_the_core)
{
    int32_t indices[ROWS * DRAWS], top_indices[ROWS * TOP];
    float scores[ROWS * DRAWS], log_probabilities[ROWS * DRAWS], top[ROWS * TOP];
    struct core_categorical_call call = draws[_i].call;
    call.logits = logits;
    call.classes = CLASSES;
    call.noise.seed = &seed;
    call.draws = DRAWS;
    call.replacement = strstr(draws[_i].members, "replacement") == NULL;
    call.indices = indices;
    call.scores = scores;
    call.log_probabilities = log_probabilities;
    call.top = TOP;
    call.top_indices = top_indices;
    call.top_log_probabilities = top;
    ck_assert_uint_le(core_categorical_scratch(&call), SCRATCH);
    ck_assert_int_eq(core_categorical(&call, 0, ROWS, scratch, &invalid_row), 0);
    struct answer answer = ask(CATEGORICAL,
                               "{" LOGITS ",\"seed\":17,\"num_samples\":3,\"logprobs\":2,"
                               "\"return\":[\"indices\",\"scores\",\"log_probabilities\"],%s}",
                               draws[_i].members);
    assert_classes(&answer, "indices", indices, SHAPE(ROWS, DRAWS));
    assert_floats(&answer, "scores", scores, SHAPE(ROWS, DRAWS));
    assert_floats(&answer, "log_probabilities", log_probabilities, SHAPE(ROWS, DRAWS));
    assert_classes(&answer, "top_indices", top_indices, SHAPE(ROWS, TOP));
    assert_floats(&answer, "top_log_probabilities", top, SHAPE(ROWS, TOP));
    ask_free(&answer);
}
END_TEST

static double number_in(const struct answer *answer, const char *member, size_t row, size_t column)
{
    return json_number_value(json_array_get(json_array_get(json_object_get(answer->json, member), row), column));
}

/* The scores of rows that differ by a number do so too: logit / temperature + the noise that gumbel_softmax tells. */
START_TEST(scores_are_perturbed_logits)
{
    static const double rows[3][2] = {{101, 102}, {1, 2}, {-301, -300}};
    static const char body[] = "{\"logits\":[[101,102],[1,2],[-301,-300]],\"seed\":1,\"dtype\":\"float64\",%s}";
    static const char *const orders[] = {"temperature_first", "temperature_last"};
    struct answer noise = ask(GUMBEL, body, "\"return\":[\"noise\"]");
    for (size_t order = 0; order < 2; order++) {
        char members[120];
        snprintf(members, sizeof members,
                 "\"temperature\":0.5,\"filter_order\":\"%s\",\"return\":[\"indices\",\"scores\"]", orders[order]);
        struct answer answer = ask(CATEGORICAL, body, members);
        assert_answered(&answer);
        for (size_t r = 0; r < 3; r++) {
            size_t class = (size_t)number_in(&answer, "indices", r, 0);
            double score = number_in(&answer, "scores", r, 0), g = number_in(&noise, "noise", r, class);
            ck_assert_double_eq_tol(score, rows[r][class] / 0.5 + g, 1e-12);
        }
        ask_free(&answer);
    }
    ask_free(&noise);
}
END_TEST

/* Of logits with probabilities 1/2, 1/4, 1/4: raw, the logits as they came, whatever bias, temperature and filters do.
 */
START_TEST(log_probabilities_are_of_the_distribution_that_is_named)
{
    static const char body[] =
        "{\"logits\":[0.6931471805599453,0,0,5],\"mask\":[true,true,true,false],\"temperature\":%s,"
        "\"logit_bias\":{\"2\":3},\"top_k\":1,\"logprobs\":3,\"logprobs_for\":[3,1],\"logprobs_of\":\"%s\","
        "\"dtype\":\"float64\",\"return\":[\"indices\",\"log_probabilities\","
        "\"filtered_log_probabilities\",\"ranks\",\"kept\",\"kept_mass\",\"entropy\"]}";
    const double weights[] = {4, 1, exp(6)}, sum = weights[0] + weights[1] + weights[2];
    static const char *const temperatures[] = {"0.5", "0"}, *const names[] = {"raw", "scaled", "filtered"};
    for (int t = 0; t < 2; t++)
        for (int of = 0; of < 3; of++) {
            const double expected = of == 0 ? log(0.25) : of == 1 && t == 0 ? log(weights[2] / sum) : 0;
            struct answer answer = ask(CATEGORICAL, body, temperatures[t], names[of]);
            assert_classes(&answer, "indices", (const int32_t[]){2}, SHAPE(1));
            assert_classes(&answer, "ranks", (const int32_t[]){of == 0 ? 3 : 1}, SHAPE(1));
            assert_classes(&answer, "kept", (const int32_t[]){t == 0 ? 1 : 3}, SHAPE());
            assert_doubles(&answer, "filtered_log_probabilities", (const double[]){0}, SHAPE(1));
            const json_t *log_p = json_object_get(answer.json, "log_probabilities");
            ck_assert_double_eq_tol(json_number_value(json_array_get(log_p, 0)), expected, 1e-14);
            ck_assert_double_eq_tol(json_number_value(json_object_get(answer.json, "kept_mass")),
                                    t == 0 ? weights[2] / sum : 1, 1e-14);
            ck_assert_double_eq_tol(json_number_value(json_object_get(answer.json, "entropy")),
                                    t == 0 ? log(sum) - (4 * log(4) + 6 * weights[2]) / sum : 0, 1e-14);
            const json_t *named = json_object_get(answer.json, "class_log_probabilities");
            ck_assert_uint_eq(json_array_size(named), 2);
            ck_assert_str_eq(json_string_value(json_array_get(named, 0)), "-Infinity"); /* masked */
            if (of == 0 || (of == 1 && t == 0))
                ck_assert_double_eq_tol(json_number_value(json_array_get(named, 1)),
                                        of == 0 ? log(0.25) : log(weights[1] / sum), 1e-14);
            else
                ck_assert_str_eq(json_string_value(json_array_get(named, 1)), "-Infinity");
            if (of == 0)
                assert_classes(&answer, "top_indices", (const int32_t[]){0, 1, 2}, SHAPE(3));
            ask_free(&answer);
        }
}
END_TEST

START_TEST(a_filter_comes_before_or_after_the_temperature)
{
    static const char body[] = "{\"logits\":[3,2,1],\"top_p\":0.8,\"temperature\":0.5,\"logprobs\":3,"
                               "\"logprobs_of\":\"filtered\",\"filter_order\":\"%s\"}";
    struct answer first = ask(CATEGORICAL, body, "temperature_first"),
                  last = ask(CATEGORICAL, body, "temperature_last");
    assert_classes(&first, "top_indices", (const int32_t[]){0, -1, -1}, SHAPE(3));
    assert_classes(&last, "top_indices", (const int32_t[]){0, 1, -1}, SHAPE(3));
    ask_free(&first);
    ask_free(&last);
}
END_TEST

/* ---- vjp ---- */

#define COTANGENT "\"cotangent\":[[1,-1,2,0],[0.5,0,0,3]]"
static const float cotangent[COUNT] = {1, -1, 2, 0, 0.5f, 0, 0, 3};

START_TEST(vjp_of_softmax_is_the_cores)
{
    float grad_logits[COUNT], grad_temperature[ROWS];
    const double temperature[] = {0.5, 2};
    const struct core_softmax_vjp_call call = {.logits = logits,
                                               .cotangent = cotangent,
                                               .classes = CLASSES,
                                               .temperature = {temperature, 1},
                                               .grad_logits = grad_logits,
                                               .grad_temperature = grad_temperature};
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq((i == 0 ? core_softmax_vjp : core_log_softmax_vjp)(&call, 0, ROWS, scratch, &invalid_row), 0);
        struct answer answer = ask(VJP, "{" LOGITS "," COTANGENT ",\"temperature\":[0.5,2],\"function\":\"%s\"}",
                                   i == 0 ? "softmax" : "log_softmax");
        assert_floats(&answer, "grad_logits", grad_logits, SHAPE(ROWS, CLASSES));
        assert_floats(&answer, "grad_temperature", grad_temperature, SHAPE(ROWS));
        ck_assert_ptr_null(json_object_get(answer.json, "seed"));
        ask_free(&answer);
    }
}
END_TEST

START_TEST(vjp_of_gumbel_softmax_is_the_cores)
{
    float grad_logits[COUNT], grad_tau[ROWS];
    const double tau = 0.5, noise_scale = 2;
    struct core_gumbel_softmax_vjp_call call = {.logits = logits,
                                                .cotangent = cotangent,
                                                .classes = CLASSES,
                                                .tau = {&tau, 0},
                                                .noise = {.seed = &seed},
                                                .noise_scale = {&noise_scale, 0},
                                                .grad_logits = grad_logits,
                                                .grad_tau = grad_tau};
    ck_assert_int_eq(core_gumbel_softmax_vjp(&call, 0, ROWS, scratch, &invalid_row), 0);
    struct answer answer = ask(VJP, "{" LOGITS "," COTANGENT ",\"seed\":17,\"tau\":0.5,\"noise_scale\":2,\"hard\":true,"
                                    "\"function\":\"gumbel_softmax\"}");
    assert_floats(&answer, "grad_logits", grad_logits, SHAPE(ROWS, CLASSES));
    assert_floats(&answer, "grad_tau", grad_tau, SHAPE(ROWS));
    ck_assert_int_eq(json_integer_value(json_object_get(answer.json, "seed")), 17);
    ask_free(&answer);
    call.conditional_samples = 20;
    call.noise.draw = 6;
    ck_assert_int_eq(core_gumbel_rao_vjp(&call, 0, ROWS, scratch, &invalid_row), 0);
    answer = ask(VJP, "{" LOGITS "," COTANGENT
                      ",\"seed\":17,\"tau\":0.5,\"hard\":true,\"noise_scale\":2,\"conditional_samples\":20,"
                      "\"draw_offset\":6,\"estimator\":\"gumbel_rao\",\"function\":\"gumbel_softmax\"}");
    assert_floats(&answer, "grad_logits", grad_logits, SHAPE(ROWS, CLASSES));
    assert_floats(&answer, "grad_tau", grad_tau, SHAPE(ROWS));
    ask_free(&answer);
}
END_TEST

START_TEST(gradients_of_several_samples_are_summed)
{
    double sum[COUNT] = {0}, grad_logits[COUNT], grad_tau[ROWS], tau_sum[ROWS] = {0}, wide[2 * COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        wide[i] = (double)cotangent[i];
        wide[COUNT + i] = -2 * (double)cotangent[i];
    }
    struct core_gumbel_softmax_vjp_call call = {.dtype = CORE_FLOAT64,
                                                .logits = wide_logits,
                                                .classes = CLASSES,
                                                .tau = {&one, 0},
                                                .noise = {.seed = &seed},
                                                .grad_logits = grad_logits,
                                                .grad_tau = grad_tau};
    for (uint32_t draw = 0; draw < 2; draw++) {
        call.noise.draw = 9 + draw;
        call.cotangent = wide + draw * COUNT;
        ck_assert_int_eq(core_gumbel_softmax_vjp(&call, 0, ROWS, scratch, &invalid_row), 0);
        for (size_t i = 0; i < COUNT; i++)
            sum[i] += grad_logits[i];
        for (size_t row = 0; row < ROWS; row++)
            tau_sum[row] += grad_tau[row];
    }
    struct answer answer = ask(VJP, "{" LOGITS ",\"cotangent\":[[[1,-1,2,0],[0.5,0,0,3]],[[-2,2,-4,0],[-1,0,0,-6]]],"
                                    "\"seed\":17,\"draw_offset\":9,\"num_samples\":2,\"dtype\":\"float64\","
                                    "\"function\":\"gumbel_softmax\"}");
    assert_doubles(&answer, "grad_logits", sum, SHAPE(ROWS, CLASSES));
    assert_doubles(&answer, "grad_tau", tau_sum, SHAPE(ROWS));
    ask_free(&answer);
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: parameters");
    TCase *effects = tcase_create("effects");
    tcase_add_test(effects, dtype_chooses_the_precision);
    tcase_add_test(effects, float64_logits_are_not_rounded);
    tcase_add_test(effects, dtype_may_come_at_any_place);
    tcase_add_test(effects, the_ends_of_the_range_are_taken);
    tcase_add_test(effects, a_masked_class_is_one_of_minus_infinity);
    tcase_add_test(effects, minus_zero_is_zero);
    tcase_add_test(effects, return_and_num_samples_give_every_result_of_every_draw);
    tcase_add_test(effects, each_result_comes_alone);
    tcase_add_test(effects, noise_scale_0_is_the_softmax);
    tcase_add_loop_test(effects, a_schedule_is_the_tau_that_it_comes_to, 0, 3);
    tcase_add_loop_test(effects, categorical_takes_its_parameters_to_the_core, 0, sizeof draws / sizeof *draws);
    tcase_add_test(effects, scores_are_perturbed_logits);
    tcase_add_test(effects, log_probabilities_are_of_the_distribution_that_is_named);
    tcase_add_test(effects, a_filter_comes_before_or_after_the_temperature);
    tcase_add_test(effects, vjp_of_softmax_is_the_cores);
    tcase_add_test(effects, vjp_of_gumbel_softmax_is_the_cores);
    tcase_add_test(effects, gradients_of_several_samples_are_summed);
    suite_add_tcase(suite, effects);
    return suite;
}
