/* The Open Inference Protocol: what is read and what is answered. */
#define _GNU_SOURCE /* asprintf */
#include "lib/infer.h"
#include "lib/suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUMBEL "/v2/models/gumbel_softmax/infer"
#define SOFTMAX "/v2/models/softmax/infer"
#define LOGITS "{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2,3],\"data\":[1,2,3,4,5,6]}"

/* ---- JSON ---- */

static void check_softmax(const struct inferred *inferred)
{
    static const double expected[] = {0.09003057, 0.24472848, 0.66524094, 0.090030566, 0.24472846, 0.66524094};
    ck_assert_msg(inferred->answer.status == 200, "%s", inferred->answer.text);
    const json_t *result = infer_output(inferred, 0), *data = json_object_get(result, "data");
    ck_assert_str_eq(infer_text(result, "name"), "probabilities");
    ck_assert_str_eq(infer_text(result, "datatype"), "FP32");
    ck_assert_uint_eq(json_array_size(data), 6);
    for (size_t i = 0; i < 6; i++)
        ck_assert_double_eq(json_number_value(json_array_get(data, i)), expected[i]);
}

START_TEST(data_is_flat_or_nested)
{
    struct inferred flat = infer_json(SOFTMAX, "{\"inputs\":[" LOGITS "]}");
    check_softmax(&flat);
    ck_assert_str_eq(flat.answer.text, "{\"model_name\":\"softmax\",\"model_version\":\"1\",\"outputs\":[{\"name\":"
                                       "\"probabilities\",\"datatype\":\"FP32\",\"shape\":[2,3],\"data\":[0.09003057,"
                                       "0.24472848,0.66524094,0.090030566,0.24472846,0.66524094]}]}");
    infer_free(&flat);
    struct inferred nested = infer_json(SOFTMAX,
                                        "{ \"inputs\" : [ { \"data\" : [ [1,2,3] , [4,5,6.0e0] ] , \"shape\":[2,3],"
                                        "\"datatype\":\"FP32\", \"name\":\"logits\" } ] }");
    check_softmax(&nested);
    infer_free(&nested);
}
END_TEST

START_TEST(an_id_is_echoed_and_what_is_unknown_ignored)
{
    struct inferred inferred = infer_json(
        "/v2/models/softmax/versions/1/infer",
        "{\"id\":\"a\\\"b\\u00e9\\n\",\"model_name\":\"x\",\"foo\":[1,{}],\"parameters\":{\"priority\":1,"
        "\"timeout\":5,\"sequence_id\":0,\"nope\":null},\"inputs\":[{\"extra\":1,\"name\":\"logits\","
        "\"datatype\":\"FP32\",\"shape\":[2,3],\"parameters\":{\"x\":1},\"data\":[1,2,3,4,5,6]}],"
        "\"outputs\":[{\"name\":\"probabilities\",\"y\":2,\"parameters\":{\"z\":3}}]}");
    check_softmax(&inferred);
    ck_assert_str_eq(ask_text(&inferred.answer, "id"), "a\"b\xc3\xa9\n");
    ck_assert_ptr_null(json_object_get(inferred.answer.json, "parameters"));
    infer_free(&inferred);
}
END_TEST

/* Clients that serialise what may be left out send null for it. */
START_TEST(null_is_left_out)
{
    struct inferred inferred = infer_json(
        SOFTMAX,
        "{\"id\":null,\"parameters\":{\"binary_data_output\":null},\"inputs\":[{\"name\":\"logits\",\"datatype\":"
        "\"FP32\",\"shape\":[2,3],\"parameters\":{\"binary_data_size\":null},\"data\":[1,2,3,4,5,6]}],"
        "\"outputs\":[{\"name\":\"probabilities\",\"parameters\":{\"binary_data\":null,\"classification\":null}}]}");
    check_softmax(&inferred);
    infer_free(&inferred);
    inferred = infer_json(SOFTMAX,
                          "{\"parameters\":null,\"outputs\":null,\"inputs\":[{\"name\":\"logits\",\"datatype\":"
                          "\"FP32\",\"shape\":[2,3],\"parameters\":null,\"data\":[1,2,3,4,5,6]}]}");
    check_softmax(&inferred);
    infer_free(&inferred);
}
END_TEST

START_TEST(what_repeats_an_answer_is_among_its_parameters)
{
    struct inferred inferred = infer_json(GUMBEL, "{\"inputs\":[" LOGITS "],\"parameters\":{\"tau\":0.5}}");
    const json_t *parameters = json_object_get(inferred.answer.json, "parameters");
    ck_assert_int_eq(json_integer_value(json_object_get(parameters, "seed")), ASK_FRESH_SEED);
    ck_assert_str_eq(infer_text(parameters, "rng"), API_DEFAULT_RNG);
    ck_assert_double_eq(json_number_value(json_object_get(parameters, "tau")), 0.5);
    infer_free(&inferred);
    inferred = infer_json(GUMBEL,
                          "{\"inputs\":[" LOGITS ",{\"name\":\"seed\",\"datatype\":\"UINT64\",\"shape\":[2],\"data\":"
                          "[9007199254740991,6]},{\"name\":\"tau\",\"datatype\":\"FP64\",\"shape\":[2],\"data\":"
                          "[0.1,0.2]}]}");
    parameters = json_object_get(inferred.answer.json, "parameters");
    ck_assert_str_eq(infer_text(parameters, "seed"), "[9007199254740991,6]");
    ck_assert_str_eq(infer_text(parameters, "tau"), "[0.1,0.2]");
    infer_free(&inferred);
}
END_TEST

/* Of [rows, 1] in any form, and of [1] for all rows, as of [rows] and as a parameter. */
START_TEST(a_column_is_a_value_for_each_row)
{
    static const struct {
        const char *input, *same, *parameters;
    } cases[] = {
        {"\"shape\":[2,1],\"data\":[[0.5],[2]]", "\"shape\":[2],\"data\":[0.5,2]", ""},
        {"\"shape\":[2,1],\"data\":[0.5,2]", "\"shape\":[2],\"data\":[0.5,2]", ""},
        {"\"shape\":[1],\"data\":[0.5]", NULL, ",\"tau\":0.5"},
        {"\"shape\":[1,1],\"data\":[[0.5]]", NULL, ",\"tau\":0.5"},
        {"\"shape\":[],\"data\":[0.5]", NULL, ",\"tau\":0.5"},
    };
    static const char body[] = "{\"inputs\":[" LOGITS "%s%s%s],\"parameters\":{\"seed\":1%s}}",
                      tau[] = ",{\"name\":\"tau\",\"datatype\":\"FP32\",";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char one_text[512], other_text[512];
        snprintf(one_text, sizeof one_text, body, tau, cases[i].input, "}", "");
        snprintf(other_text, sizeof other_text, body, cases[i].same != NULL ? tau : "",
                 cases[i].same != NULL ? cases[i].same : "", cases[i].same != NULL ? "}" : "", cases[i].parameters);
        struct inferred one = infer_json(GUMBEL, one_text), other = infer_json(GUMBEL, other_text);
        ck_assert_msg(one.answer.status == 200, "%s: %s", one_text, one.answer.text);
        ck_assert_str_eq(one.answer.text, other.answer.text);
        infer_free(&one);
        infer_free(&other);
    }
}
END_TEST

/* A client that has no booleans of its own. */
START_TEST(booleans_may_be_digits)
{
    struct inferred one = infer_json(SOFTMAX,
                                     "{\"inputs\":[" LOGITS ",{\"name\":\"mask\",\"datatype\":\"BOOL\",\"shape\":"
                                     "[2,3],\"data\":[[1,0,true],[1.0,1e0,0]]}]}"),
                    other = infer_json(SOFTMAX, "{\"inputs\":[" LOGITS
                                                ",{\"name\":\"mask\",\"datatype\":\"BOOL\",\"shape\":[2,3],\"data\":"
                                                "[true,false,true,true,true,false]}]}");
    ck_assert_msg(one.answer.status == 200, "%s", one.answer.text);
    ck_assert_str_eq(one.answer.text, other.answer.text);
    infer_free(&one);
    infer_free(&other);
}
END_TEST

START_TEST(minus_infinity_is_a_string)
{
    struct inferred inferred = infer_json("/v2/models/log_softmax/infer",
                                          "{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"FP64\",\"shape\":[3],"
                                          "\"data\":[0,null,\"-Infinity\"]}]}");
    ck_assert_msg(strstr(inferred.answer.text, "\"FP64\",\"shape\":[3],\"data\":[0.0,\"-Infinity\",\"-Infinity\"]") !=
                      NULL,
                  "%s", inferred.answer.text);
    infer_free(&inferred);
}
END_TEST

/* Schedules, biases and lists of names as objects and as strings of JSON. */
START_TEST(parameters_may_be_wrapped)
{
    static const char schedule[] = "{\"inputs\":[" LOGITS "],\"parameters\":{\"seed\":1,\"return\":%s,\"tau\":%s}}";
    char *plain, *wrapped;
    ck_assert_int_gt(asprintf(&plain, schedule, "[\"indices\",\"soft\"]",
                              "{\"schedule\":\"exponential\",\"start\":1,\"rate\":0.1,\"min\":0.5,\"step\":3}"),
                     0);
    ck_assert_int_gt(asprintf(&wrapped, schedule, "\"[\\\"indices\\\",\\\"soft\\\"]\"",
                              "\"{\\\"schedule\\\":\\\"exponential\\\",\\\"start\\\":1,\\\"rate\\\":0.1,"
                              "\\\"min\\\":0.5,\\\"step\\\":3}\""),
                     0);
    struct inferred one = infer_json(GUMBEL, plain), other = infer_json(GUMBEL, wrapped);
    ck_assert_msg(one.answer.status == 200, "%s", one.answer.text);
    ck_assert_str_eq(one.answer.text, other.answer.text);
    ck_assert_str_eq(infer_text(infer_output(&one, 1), "name"), "soft");
    infer_free(&one);
    infer_free(&other);
    free(plain);
    free(wrapped);
    one = infer_json("/v2/models/categorical/infer",
                     "{\"inputs\":[" LOGITS
                     "],\"parameters\":{\"seed\":1,\"logit_bias\":\"{\\\"0\\\":null,\\\"1\\\":null}\"}}");
    ck_assert_msg(strstr(one.answer.text, "\"INT32\",\"shape\":[2,1],\"data\":[2,2]") != NULL, "%s", one.answer.text);
    infer_free(&one);
}
END_TEST

START_TEST(outputs_are_those_asked_for)
{
    struct inferred inferred = infer_json(GUMBEL, "{\"inputs\":[" LOGITS "],\"parameters\":{\"seed\":1,\"hard\":true},"
                                                  "\"outputs\":[{\"name\":\"noise\"},{\"name\":\"indices\"}]}");
    ck_assert_uint_eq(json_array_size(json_object_get(inferred.answer.json, "outputs")), 2);
    ck_assert_str_eq(infer_text(infer_output(&inferred, 0), "name"), "noise");
    ck_assert_str_eq(infer_text(infer_output(&inferred, 1), "name"), "indices");
    ck_assert_str_eq(infer_text(infer_output(&inferred, 1), "datatype"), "INT32");
    ck_assert_uint_eq(json_array_size(json_object_get(infer_output(&inferred, 1), "shape")), 1);
    infer_free(&inferred);
    inferred = infer_json("/v2/models/categorical/infer", "{\"inputs\":[" LOGITS "],\"parameters\":{\"logprobs\":2},"
                                                          "\"outputs\":[{\"name\":\"top_indices\"}]}");
    ck_assert_msg(strstr(inferred.answer.text, "\"shape\":[2,2],\"data\":[2,1,2,1]}]") != NULL, "%s",
                  inferred.answer.text);
    infer_free(&inferred);
}
END_TEST

/* ---- Binary tensors ---- */

#define BINARY_LOGITS                                                                                                  \
    "{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2,3],\"parameters\":{\"binary_data_size\":24}}"

START_TEST(binary_chunks_follow_the_order_of_the_inputs)
{
    static const char json[] =
        "{\"inputs\":[{\"name\":\"mask\",\"datatype\":\"BOOL\",\"shape\":[3],\"parameters\":{"
        "\"binary_data_size\":3}}," BINARY_LOGITS ",{\"name\":\"temperature\",\"datatype\":"
        "\"FP32\",\"shape\":[2],\"data\":[1,0.5]}],\"parameters\":{\"binary_data_output\":true}}";
    struct {
        uint8_t mask[3];
        float logits[6];
    } __attribute__((packed)) binary = {{255, 0, 1}, {1, 99, 3, 4, -INFINITY, 6}};
    struct inferred inferred = infer_binary(SOFTMAX, json, &binary, sizeof binary);
    float values[6];
    ck_assert_msg(inferred.answer.status == 200, "%s", inferred.answer.text);
    ck_assert_uint_eq(inferred.binary_length, sizeof values);
    const json_t *parameters = json_object_get(infer_output(&inferred, 0), "parameters");
    ck_assert_int_eq(json_integer_value(json_object_get(parameters, "binary_data_size")), sizeof values);
    ck_assert_ptr_null(json_object_get(infer_output(&inferred, 0), "data"));
    memcpy(values, inferred.binary, sizeof values);
    ck_assert_float_eq(values[1], 0);
    ck_assert_float_eq_tol(values[0], 0.11920292f, 1e-7);
    ck_assert_float_eq_tol(values[3], 0.01798621f, 1e-7);
    infer_free(&inferred);
}
END_TEST

/* Each output as it says, the others as binary_data_output says. */
START_TEST(each_output_is_binary_or_not)
{
    const float logits[6] = {1, 2, 3, 4, 5, 6};
    struct inferred inferred = infer_binary(
        GUMBEL,
        "{\"inputs\":[" BINARY_LOGITS
        "],\"parameters\":{\"seed\":1,\"binary_data_output\":true},\"outputs\":[{\"name\":"
        "\"indices\"},{\"name\":\"samples\",\"parameters\":{\"binary_data\":false}},{\"name\":\"log_density\"}]}",
        logits, sizeof logits);
    ck_assert_uint_eq(inferred.binary_length, 2 * sizeof(int32_t) + 2 * sizeof(float));
    ck_assert_uint_eq(json_array_size(json_object_get(infer_output(&inferred, 1), "data")), 6);
    int32_t indices[2];
    memcpy(indices, inferred.binary, sizeof indices);
    ck_assert(indices[0] >= 0 && indices[0] < 3 && indices[1] >= 0 && indices[1] < 3);
    infer_free(&inferred);
    inferred = infer_json(SOFTMAX, "{\"inputs\":[" LOGITS "],\"outputs\":[{\"name\":\"probabilities\",\"parameters\":{"
                                   "\"binary_data\":true}}]}");
    ck_assert_uint_eq(inferred.binary_length, 24);
    infer_free(&inferred);
}
END_TEST

START_TEST(a_body_without_json_is_a_row_of_logits)
{
    const float logits[3] = {1, 2, 3};
    float values[3];
    struct inferred inferred = infer_post(SOFTMAX, "0", (const char *)logits, sizeof logits);
    ck_assert_msg(inferred.answer.status == 200, "%s", inferred.answer.text);
    ck_assert_uint_eq(inferred.binary_length, sizeof values);
    memcpy(values, inferred.binary, sizeof values);
    ck_assert_float_eq(values[2], 0.66524094f);
    infer_free(&inferred);
    static const struct {
        size_t length;
        const char *path, *code;
    } wrong[] = {
        {0, SOFTMAX, "empty_array"}, {7, SOFTMAX, "wrong_length"}, {12, "/v2/models/vjp/infer", "missing_member"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        inferred = infer_post(wrong[i].path, "0", (const char *)logits, wrong[i].length);
        ck_assert_int_eq(inferred.answer.status, 400);
        ck_assert_str_eq(ask_text(&inferred.answer, "code"), wrong[i].code);
        infer_free(&inferred);
    }
}
END_TEST

/* Every integer that a seed may be, in every datatype; halves as the floats that they are. */
START_TEST(datatypes_are_converted)
{
    static const struct {
        const char *datatype;
        size_t size;
        uint64_t seed;
    } integers[] = {{"UINT64", 8, 9007199254740991},
                    {"INT64", 8, 9007199254740991},
                    {"UINT32", 4, 4294967295},
                    {"INT32", 4, 2147483647}};
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        char *json, expected[64];
        ck_assert_int_gt(asprintf(&json,
                                  "{\"inputs\":[" LOGITS ",{\"name\":\"seed\",\"datatype\":\"%s\",\"shape\":[2],"
                                  "\"parameters\":{\"binary_data_size\":%zu}}]}",
                                  integers[i].datatype, 2 * integers[i].size),
                         0);
        char binary[16];
        memcpy(binary, &integers[i].seed, 8);
        memcpy(binary + integers[i].size, &integers[i].seed, 8);
        struct inferred inferred = infer_binary(GUMBEL, json, binary, 2 * integers[i].size);
        snprintf(expected, sizeof expected, "[%llu,%llu]", (unsigned long long)integers[i].seed,
                 (unsigned long long)integers[i].seed);
        ck_assert_str_eq(infer_text(json_object_get(inferred.answer.json, "parameters"), "seed"), expected);
        infer_free(&inferred);
        free(json);
    }
    const uint16_t halves[6] = {0x3c00, 0x4000, 0x4200, 0x0001, 0xfc00, 0x8000}; /* 1, 2, 3, 2^-24, -inf, -0 */
    struct inferred inferred = infer_binary(
        "/v2/models/gumbel_softmax/infer",
        "{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"FP16\",\"shape\":[2,3],\"parameters\":{"
        "\"binary_data_size\":12}}],\"parameters\":{\"seed\":3,\"noise_scale\":0}}",
        halves, sizeof halves);
    struct inferred same = infer_json(GUMBEL,
                                      "{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2,3],"
                                      "\"data\":[1,2,3,5.9604644775390625e-8,null,-0.0]}],\"parameters\":{\"seed\":3,"
                                      "\"noise_scale\":0}}");
    ck_assert_str_eq(inferred.answer.text, same.answer.text);
    infer_free(&inferred);
    infer_free(&same);
}
END_TEST

/* 1, -2.5 and 0.375 as bfloat16, which have no other datatype in JSON; the temperature is one of them too. */
START_TEST(bfloats_are_taken_and_widened)
{
    static const char json[] =
        "{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"BF16\",\"shape\":[1,3],\"parameters\":{\"binary_data_size\":"
        "6}},"
        "{\"name\":\"temperature\",\"datatype\":\"BF16\",\"shape\":[1],\"parameters\":{\"binary_data_size\":2}}]%s}";
    static const char same_json[] =
        "{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"%s\",\"shape\":[1,3],\"data\":[1,-2.5,0.375]},"
        "{\"name\":\"temperature\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[0.75]}]}";
    const uint16_t bfloats[4] = {0x3f80, 0xc020, 0x3ec0, 0x3f40};
    for (int wide = 0; wide <= 1; wide++) {
        char text[512], same_text[512];
        snprintf(text, sizeof text, json, wide ? ",\"parameters\":{\"dtype\":\"float64\"}" : "");
        snprintf(same_text, sizeof same_text, same_json, wide ? "FP64" : "FP32");
        struct inferred inferred = infer_binary(SOFTMAX, text, bfloats, sizeof bfloats),
                        same = infer_json(SOFTMAX, same_text);
        ck_assert_msg(inferred.answer.status == 200, "%s", inferred.answer.text);
        ck_assert_str_eq(inferred.answer.text, same.answer.text);
        infer_free(&inferred);
        infer_free(&same);
    }
}
END_TEST

/* ---- Classification ---- */

START_TEST(classes_are_told_from_the_greatest)
{
    static const char json[] =
        "{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2,3],\"data\":[1,3,2,"
        "0,0,0]}],\"outputs\":[{\"name\":\"probabilities\",\"parameters\":{\"classification\":2%s}}]}";
    char text[512];
    snprintf(text, sizeof text, json, "");
    struct inferred inferred = infer_json(SOFTMAX, text);
    ck_assert_msg(strstr(inferred.answer.text, "\"datatype\":\"BYTES\",\"shape\":[2,2],\"data\":[\"0.66524094:1\","
                                               "\"0.24472848:2\",\"0.33333334:0\",\"0.33333334:1\"]") != NULL,
                  "%s", inferred.answer.text);
    infer_free(&inferred);
    snprintf(text, sizeof text, json, ",\"binary_data\":true");
    inferred = infer_json(SOFTMAX, text);
    ck_assert_uint_eq(inferred.binary_length, 4 * (4 + 12));
    ck_assert_mem_eq(inferred.binary,
                     "\x0c\0\0\0"
                     "0.66524094:1"
                     "\x0c\0\0\0"
                     "0.24472848:2",
                     32);
    infer_free(&inferred);
}
END_TEST

/* Along the class axis, wherever it is, and of every sample; no more than there are classes. */
START_TEST(classes_are_those_of_the_axis)
{
    struct inferred inferred = infer_json(
        "/v2/models/log_softmax/infer",
        "{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[2,3],\"data\":[0,1,null,0,0,0]}],"
        "\"parameters\":{\"dim\":0},\"outputs\":[{\"name\":\"log_probabilities\",\"parameters\":{"
        "\"classification\":9}}]}");
    ck_assert_msg(strstr(inferred.answer.text, "\"shape\":[2,3],\"data\":[\"-0.6931472:0\",\"-0.31326175:0\",\"0.0:1\","
                                               "\"-0.6931472:1\",\"-1.3132617:1\",\"-inf:0\"]") != NULL,
                  "%s", inferred.answer.text);
    infer_free(&inferred);
    inferred = infer_json(GUMBEL, "{\"inputs\":[" LOGITS "],\"parameters\":{\"num_samples\":4,\"hard\":true},"
                                  "\"outputs\":[{\"name\":\"samples\",\"parameters\":{\"classification\":1}}]}");
    const json_t *shape = json_object_get(infer_output(&inferred, 0), "shape");
    ck_assert_uint_eq(json_array_size(json_object_get(infer_output(&inferred, 0), "data")), 8);
    ck_assert_int_eq(json_integer_value(json_array_get(shape, 0)), 4);
    ck_assert_int_eq(json_integer_value(json_array_get(shape, 2)), 1);
    infer_free(&inferred);
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: oip");
    TCase *json = tcase_create("json"), *binary = tcase_create("binary");
    tcase_add_test(json, data_is_flat_or_nested);
    tcase_add_test(json, an_id_is_echoed_and_what_is_unknown_ignored);
    tcase_add_test(json, null_is_left_out);
    tcase_add_test(json, what_repeats_an_answer_is_among_its_parameters);
    tcase_add_test(json, a_column_is_a_value_for_each_row);
    tcase_add_test(json, booleans_may_be_digits);
    tcase_add_test(json, minus_infinity_is_a_string);
    tcase_add_test(json, parameters_may_be_wrapped);
    tcase_add_test(json, outputs_are_those_asked_for);
    tcase_add_test(json, classes_are_told_from_the_greatest);
    tcase_add_test(json, classes_are_those_of_the_axis);
    tcase_add_test(binary, binary_chunks_follow_the_order_of_the_inputs);
    tcase_add_test(binary, each_output_is_binary_or_not);
    tcase_add_test(binary, a_body_without_json_is_a_row_of_logits);
    tcase_add_test(binary, datatypes_are_converted);
    tcase_add_test(binary, bfloats_are_taken_and_widened);
    suite_add_tcase(suite, json);
    suite_add_tcase(suite, binary);
    return suite;
}
