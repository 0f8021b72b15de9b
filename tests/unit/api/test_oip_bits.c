/* The Open Inference Protocol answers each call with the bits of the JSON front. */
#include "lib/infer.h"
#include "lib/suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The parameters are the same in both fronts. */
static const struct {
    const char *function, *parameters;
    bool cotangent;
} calls[] = {
    {"softmax", "\"temperature\":0.75", false},
    {"softmax", "\"dim\":0", false},
    {"log_softmax", "\"temperature\":3", false},
    {"gumbel_softmax",
     "\"seed\":7,\"tau\":0.3,\"noise_scale\":0.5,\"row_offset\":3,\"draw_offset\":4,\"num_samples\":3,"
     "\"return\":[\"samples\",\"indices\",\"soft\",\"noise\",\"log_density\",\"log_samples\",\"perturbed\"]",
     false},
    {"gumbel_softmax", "\"seed\":9007199254740991,\"hard\":true,\"dim\":1", false},
    {"categorical",
     "\"seed\":5,\"num_samples\":4,\"top_k\":3,\"top_p\":0.9,\"temperature\":0.5,\"logprobs\":2,"
     "\"logit_bias\":{\"0\":1.5},\"return\":[\"indices\",\"log_probabilities\",\"scores\",\"counts\"]",
     false},
    {"categorical", "\"seed\":5,\"num_samples\":2,\"replacement\":false,\"dim\":1", false},
    {"categorical",
     "\"seed\":5,\"num_samples\":2,\"top_p\":0.8,\"logprobs_of\":\"raw\",\"logprobs_for\":[4,0,2],\"temperature\":0.5,"
     "\"return\":["
     "\"indices\",\"log_probabilities\",\"scores\",\"filtered_log_probabilities\",\"ranks\",\"kept\",\"kept_mass\","
     "\"entropy\"]",
     false},
    {"categorical", "\"seed\":5,\"num_samples\":20,\"method\":\"inverse_cdf\",\"return\":[\"indices\",\"counts\"]",
     false},
    {"vjp", "\"function\":\"softmax\",\"temperature\":0.5", true},
    {"vjp", "\"function\":\"log_softmax\"", true},
    {"vjp", "\"function\":\"gumbel_softmax\",\"seed\":11,\"tau\":0.4", true},
    {"vjp",
     "\"function\":\"gumbel_softmax\",\"seed\":11,\"hard\":true,\"estimator\":\"gumbel_rao\","
     "\"conditional_samples\":3",
     true},
};

enum { AXES = 3, ROWS = 2, INNER = 3, CLASSES = 5, ELEMENTS = ROWS * INNER * CLASSES };

struct numbers {
    double values[1024];
    size_t count;
};

static void flatten(const json_t *json, struct numbers *numbers)
{
    size_t i;
    const json_t *element;
    if (json_is_array(json)) {
        json_array_foreach (json, i, element)
            flatten(element, numbers);
        return;
    }
    numbers->values[numbers->count++] = json_is_string(json) ? -INFINITY : json_number_value(json);
}

static json_t *nested(const double *values)
{
    json_t *outer = json_array();
    for (size_t row = 0; row < ROWS; row++) {
        json_t *middle = json_array();
        for (size_t inner = 0; inner < INNER; inner++, values += CLASSES) {
            json_t *classes = json_array();
            for (size_t class = 0; class < CLASSES; class ++)
                json_array_append_new(classes, isfinite(values[class]) ? json_real(values[class]) : json_null());
            json_array_append_new(middle, classes);
        }
        json_array_append_new(outer, middle);
    }
    return outer;
}

/* Multiples of 1/8, which are the same in every datatype. */
static void fill(double *logits, double *cotangent)
{
    for (int i = 0; i < ELEMENTS; i++) {
        logits[i] = (i * 37 % 41 - 20) / 8.0;
        cotangent[i] = (i * 29 % 31 - 15) / 8.0;
    }
    logits[7] = -INFINITY;
}

static struct answer ask_native(size_t call, bool wide, const double *logits, const double *cotangent)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/v1/%s", calls[call].function);
    snprintf(text, sizeof text, "{%s}", calls[call].parameters);
    json_t *body = json_loads(text, 0, NULL);
    json_object_set_new(body, "logits", nested(logits));
    json_object_set_new(body, "dtype", json_string(wide ? "float64" : "float32"));
    if (calls[call].cotangent)
        json_object_set_new(body, "cotangent", nested(cotangent));
    return ask_json(path, body);
}

static size_t put_elements(char *out, bool wide, const double *values)
{
    for (size_t i = 0; i < ELEMENTS; i++) {
        const float narrow = (float)values[i];
        if (wide)
            memcpy(out + 8 * i, &values[i], 8);
        else
            memcpy(out + 4 * i, &narrow, 4);
    }
    return (wide ? 8 : 4) * ELEMENTS;
}

static json_t *input(const char *name, bool wide, bool binary, const double *values)
{
    json_t *input = json_pack("{ss ss s[iii]}", "name", name, "datatype", wide ? "FP64" : "FP32", "shape", ROWS, INNER,
                              CLASSES);
    if (binary)
        json_object_set_new(input, "parameters", json_pack("{si}", "binary_data_size", (wide ? 8 : 4) * ELEMENTS));
    else
        json_object_set_new(input, "data", nested(values));
    return input;
}

static struct inferred ask_inference(size_t call, bool wide, bool binary, const double *logits, const double *cotangent)
{
    char path[64], text[512], tensors[2 * 8 * ELEMENTS];
    size_t length = binary ? put_elements(tensors, wide, logits) : 0;
    snprintf(path, sizeof path, "/v2/models/%s/infer", calls[call].function);
    snprintf(text, sizeof text, "{%s}", calls[call].parameters);
    json_t *parameters = json_loads(text, 0, NULL), *inputs = json_array();
    json_object_set_new(parameters, "binary_data_output", json_boolean(binary));
    json_array_append_new(inputs, input("logits", wide, binary, logits));
    if (calls[call].cotangent)
        json_array_append_new(inputs, input("cotangent", wide, binary, cotangent));
    if (calls[call].cotangent && binary)
        length += put_elements(tensors + length, wide, cotangent);
    json_t *body = json_pack("{so so}", "parameters", parameters, "inputs", inputs);
    char *json = json_dumps(body, JSON_REAL_PRECISION(17));
    struct inferred inferred = infer_binary(path, json, tensors, length);
    free(json);
    json_decref(body);
    return inferred;
}

/* The values of output i, of which binary ones begin at *at. */
static void read_output(const struct inferred *inferred, size_t i, const char **at, struct numbers *numbers)
{
    const json_t *result = infer_output(inferred, i), *data = json_object_get(result, "data");
    const char *datatype = infer_text(result, "datatype");
    numbers->count = 0;
    if (data != NULL) {
        flatten(data, numbers);
        return;
    }
    const size_t size = (size_t)json_integer_value(
                     json_object_get(json_object_get(result, "parameters"), "binary_data_size")),
                 width = strcmp(datatype, "FP64") == 0 ? 8 : 4;
    for (const char *end = *at + size; *at < end; *at += width) {
        float narrow;
        double wide;
        int32_t integer;
        memcpy(&narrow, *at, 4);
        memcpy(&integer, *at, 4);
        if (width == 8)
            memcpy(&wide, *at, 8);
        else
            wide = strcmp(datatype, "INT32") == 0 ? (double)integer : (double)narrow;
        numbers->values[numbers->count++] = wide;
    }
}

static void check_same(const struct answer *native, const struct inferred *inferred, bool wide)
{
    const char *at = inferred->binary;
    const json_t *outputs = json_object_get(inferred->answer.json, "outputs");
    ck_assert_msg(native->status == 200, "%s", native->text);
    ck_assert_msg(inferred->answer.status == 200, "%s", inferred->answer.text);
    ck_assert_uint_ge(json_array_size(outputs), 1);
    for (size_t i = 0; i < json_array_size(outputs); i++) {
        const char *name = infer_text(infer_output(inferred, i), "name");
        struct numbers expected = {.count = 0}, got;
        flatten(json_object_get(native->json, name), &expected);
        read_output(inferred, i, &at, &got);
        ck_assert_uint_eq(got.count, expected.count);
        for (size_t j = 0; j < got.count; j++) {
            const double value = wide ? expected.values[j] : (double)(float)expected.values[j];
            const double other = wide ? got.values[j] : (double)(float)got.values[j];
            ck_assert_msg(memcmp(&other, &value, sizeof value) == 0, "%s[%zu]: %a %a", name, j, other, value);
        }
    }
    ck_assert_ptr_eq(at, inferred->binary + inferred->binary_length);
}

START_TEST(the_bits_are_those_of_the_json_front)
{
    double logits[ELEMENTS], cotangent[ELEMENTS];
    fill(logits, cotangent);
    for (int wide = 0; wide < 2; wide++) {
        struct answer native = ask_native((size_t)_i, wide, logits, cotangent);
        for (int binary = 0; binary < 2; binary++) {
            struct inferred inferred = ask_inference((size_t)_i, wide, binary, logits, cotangent);
            check_same(&native, &inferred, wide);
            infer_free(&inferred);
        }
        ask_free(&native);
    }
}
END_TEST

/* A tensor is used where it lies in the body, or moved to where its elements are aligned, or copied where that would be
 * over another: three of them after a JSON of any length, each of which leaves the next unaligned. */
START_TEST(tensors_may_lie_anywhere)
{
    const float logits[] = {1, 2, 3};
    const double temperature = 0.5;
    const char mask[] = {1, 7, 0};
    char binary[sizeof logits + sizeof mask + sizeof temperature], json[512];
    memcpy(binary, mask, sizeof mask);
    memcpy(binary + sizeof mask, logits, sizeof logits);
    memcpy(binary + sizeof mask + sizeof logits, &temperature, sizeof temperature);
    snprintf(json, sizeof json,
             "{\"inputs\":[{\"name\":\"mask\",\"datatype\":\"BOOL\",\"shape\":[1,3],\"parameters\":"
             "{\"binary_data_size\":3}},{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[1,3],\"parameters\":"
             "{\"binary_data_size\":12}},{\"name\":\"temperature\",\"datatype\":\"FP64\",\"shape\":[1],\"parameters\":"
             "{\"binary_data_size\":8}}]%*s}",
             _i, "");
    struct inferred inferred = infer_binary("/v2/models/softmax/infer", json, binary, sizeof binary);
    ck_assert_int_eq(inferred.answer.status, 200);
    const json_t *data = json_object_get(infer_output(&inferred, 0), "data");
    ck_assert_double_eq_tol(json_number_value(json_array_get(data, 0)), 1 / (1 + exp(2)), 1e-6);
    ck_assert_double_eq_tol(json_number_value(json_array_get(data, 1)), 1 / (1 + exp(-2)), 1e-6);
    ck_assert_double_eq(json_number_value(json_array_get(data, 2)), 0);
    infer_free(&inferred);
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: oip bits");
    TCase *bits = tcase_create("bits");
    tcase_add_loop_test(bits, the_bits_are_those_of_the_json_front, 0, sizeof calls / sizeof *calls);
    tcase_add_loop_test(bits, tensors_may_lie_anywhere, 0, 16);
    suite_add_tcase(suite, bits);
    return suite;
}
