/* Arrays of each element type, single values, and arrays within the elements of an array. */
#include "lib/ask.h"
#include "lib/suite.h"
#include "json/envelope.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct json_text padded(const char *body)
{
    return (struct json_text){.body = ask_padded(body, strlen(body)), .length = strlen(body)};
}

static int read_one(const char *body, struct json_named_array *named, struct api_problem *problem)
{
    struct json_text text = padded(body);
    json_t *envelope = NULL;
    const int result = json_envelope_read(&text, named, 1, &envelope, problem);
    if (result == 0 && named->found)
        ck_assert(json_is_null(json_object_get(envelope, named->name)));
    json_decref(envelope);
    free((char *)text.body);
    return result;
}

/* Reads {"x": value} as `named` says, which must succeed. */
static struct api_tensor read_x(const char *value, struct json_named_array named)
{
    char body[512];
    struct api_problem problem = {0};
    snprintf(body, sizeof body, "{\"x\":%s}", value);
    named.name = "x";
    ck_assert_msg(read_one(body, &named, &problem) == 0, "%s: %s", body, problem.detail);
    ck_assert_msg(named.found, "%s", body);
    ck_assert_int_eq(named.array.dtype, named.dtype);
    return named.array;
}

START_TEST(reads_float64_to_the_nearest)
{
    struct api_tensor array = read_x("[[0.1,-2.5e-3,12345678901234567890],[1e308,4.9e-324,16777217]]",
                                     (struct json_named_array){.dtype = API_FLOAT64});
    static const double expected[] = {0.1, -2.5e-3, 12345678901234567890.0, 1e308, 4.9e-324, 16777217};
    ck_assert_uint_eq(array.rank, 2);
    ck_assert_uint_eq(array.shape[0], 2);
    ck_assert_uint_eq(array.shape[1], 3);
    ck_assert_mem_eq(array.data, expected, sizeof expected);
    free(array.data);
}
END_TEST

START_TEST(reads_integers_exactly)
{
    static const struct {
        const char *text;
        uint64_t value;
    } cases[] = {
        {"0", 0},
        {"-0", 0},
        {"0e99999999999999999999", 0},
        {"7.0", 7},
        {"1e3", 1000},
        {"70e-1", 7},
        {"0.5e1", 5},
        {"1.50E+2", 150},
        {"9007199254740993", 9007199254740993},
        {"9007199254740993.000000000000000000000", 9007199254740993},
        {"9223372036854775808", 9223372036854775808u},
        {"18446744073709551615", UINT64_MAX},
        {"1844674407370955161500000e-5", UINT64_MAX},
        {"0.00000000000000000018446744073709551615e38", UINT64_MAX},
        {"1e19", 10000000000000000000u},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct api_tensor array = read_x(cases[i].text, (struct json_named_array){.dtype = API_UINT64, .scalar = 1});
        ck_assert_uint_eq(array.rank, 0);
        ck_assert_uint_eq(array.count, 1);
        ck_assert_msg(*(uint64_t *)array.data == cases[i].value, "%s", cases[i].text);
        free(array.data);
    }
}
END_TEST

START_TEST(reads_booleans_as_bytes)
{
    struct api_tensor array = read_x("[[true,false] , [ false,true ]]", (struct json_named_array){.dtype = API_BOOL});
    ck_assert_uint_eq(array.count, 4);
    ck_assert_mem_eq(array.data, "\1\0\0\1", 4);
    free(array.data);
}
END_TEST

START_TEST(reads_a_single_value)
{
    struct api_tensor one = read_x(" -2.5 ", (struct json_named_array){.scalar = true});
    ck_assert_uint_eq(one.rank, 0);
    ck_assert(*(float *)one.data == -2.5f);
    free(one.data);
    struct api_tensor yes = read_x("true", (struct json_named_array){.dtype = API_BOOL, .scalar = true});
    ck_assert_uint_eq(*(uint8_t *)yes.data, 1);
    free(yes.data);
    struct api_tensor list = read_x("[1e-3]", (struct json_named_array){.scalar = true, .minimum = 0, .maximum = 1});
    ck_assert_uint_eq(list.rank, 1);
    ck_assert(*(float *)list.data == 1e-3f);
    free(list.data);
}
END_TEST

/* A value that does not begin like one of the element's stays in the envelope, for its reader to refuse. */
START_TEST(leaves_other_values_to_the_envelope)
{
    static const char *const bodies[] = {"{\"x\":\"1\"}", "{\"x\":null}", "{\"x\":{}}", "{\"x\":true}", "{\"y\":[1]}"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct json_named_array named = {.name = "x", .scalar = true, .minus_infinity = true};
        ck_assert_int_eq(read_one(bodies[i], &named, NULL), 0);
        ck_assert(!named.found);
    }
    struct json_named_array array_only = {.name = "x"};
    ck_assert_int_eq(read_one("{\"x\":1}", &array_only, NULL), 0);
    ck_assert(!array_only.found);
}
END_TEST

#define SEEDS .dtype = API_UINT64, .scalar = true, .minimum = 0, .maximum = 9007199254740991
#define TAUS .scalar = true, .minimum = 0, .maximum = 3.4028235e38

static const struct {
    const char *body;
    struct json_named_array named;
    const char *pointer, *detail;
    size_t offset;
    enum api_problem_code code;
} errors[] = {
    {"{\"s\":9007199254740991.4}", {"s", SEEDS}, "/s", "must be an integer", 5, API_WRONG_TYPE},
    {"{\"s\":9007199254740993}", {"s", SEEDS}, "/s", "must be from 0 to 9007199254740991", 5, API_OUT_OF_RANGE},
    {"{\"s\":[1,9007199254740992]}", {"s", SEEDS}, "/s/1", "must be from 0 to 9007199254740991", 8, API_OUT_OF_RANGE},
    {"{\"s\":[1,-1]}", {"s", SEEDS}, "/s/1", "must be from 0 to 9007199254740991", 8, API_OUT_OF_RANGE},
    {"{\"s\":[1,99999999999999999999]}", {"s", SEEDS}, "/s/1", NULL, 8, API_OUT_OF_RANGE},
    {"{\"s\":[1,1e400]}", {"s", SEEDS}, "/s/1", NULL, 8, API_OUT_OF_RANGE},
    {"{\"s\":[1,1e-400]}", {"s", SEEDS}, "/s/1", "must be an integer", 8, API_WRONG_TYPE},
    {"{\"s\":[1,null]}", {"s", SEEDS}, "/s/1", "must be an integer", 8, API_WRONG_TYPE},
    {"{\"s\":[1,01]}", {"s", SEEDS}, "/s/1", "expected a number", 8, API_MALFORMED_JSON},
    {"{\"s\":1.}", {"s", SEEDS}, "/s", "expected a number", 5, API_MALFORMED_JSON},
    {"{\"s\":18446744073709551616}",
     {"s", .dtype = API_UINT64, .scalar = true},
     "/s",
     "must be from 0 to 18446744073709551615",
     5,
     API_OUT_OF_RANGE},
    {"{\"tau\":[1,1,1,-1e-50]}", {"tau", TAUS}, "/tau/3", "must be from 0 to 3.4028235e+38", 14, API_OUT_OF_RANGE},
    {"{\"tau\":[1,null]}", {"tau", TAUS}, "/tau/1", "must be a number", 10, API_WRONG_TYPE},
    {"{\"tau\":[\"-Infinity\"]}", {"tau", TAUS}, "/tau/0", "must be a number", 8, API_WRONG_TYPE},
    {"{\"tau\":[1e39]}", {"tau", TAUS}, "/tau/0", NULL, 8, API_OUT_OF_RANGE},
    {"{\"tau\":1e400}", {"tau", TAUS}, "/tau", NULL, 7, API_OUT_OF_RANGE},
    {"{\"d\":[1e309]}", {"d", .dtype = API_FLOAT64}, "/d/0", "is beyond the range of float64", 6, API_OUT_OF_RANGE},
    {"{\"m\":[[true,1]]}", {"m", .dtype = API_BOOL}, "/m/0/1", "must be true or false", 12, API_WRONG_TYPE},
    {"{\"m\":[[true,tru]]}", {"m", .dtype = API_BOOL}, "/m/0/1", "expected a value", 12, API_MALFORMED_JSON},
    {"{\"m\":[truefalse]}", {"m", .dtype = API_BOOL}, "/m/0", NULL, 10, API_MALFORMED_JSON},
    {"{\"tau\":1.5.2}", {"tau", TAUS}, "/tau", "expected ',' or '}' after a value", 10, API_MALFORMED_JSON},
    {"{\"t\":1.5,2.5,\"x\":\"                                                  \"}",
     {"t", .scalar = true},
     "/t",
     NULL,
     9,
     API_MALFORMED_JSON},
    {"{\"tau\":1,\"tau\":2}", {"tau", TAUS}, "/tau", NULL, 14, API_DUPLICATE_MEMBER},
};

START_TEST(names_the_element)
{
    struct json_named_array named = errors[_i].named;
    struct api_problem problem = {0};
    ck_assert_int_eq(read_one(errors[_i].body, &named, &problem), -1);
    free(named.array.data);
    ck_assert_str_eq(problem.pointer, errors[_i].pointer);
    ck_assert_int_eq(problem.code, errors[_i].code);
    ck_assert_uint_eq(problem.offset, errors[_i].offset);
    if (errors[_i].detail != NULL)
        ck_assert_str_eq(problem.detail, errors[_i].detail);
}
END_TEST

START_TEST(reads_sixteen_members)
{
    enum { SIXTEEN = 16 };
    char body[512];
    struct json_named_array arrays[SIXTEEN] = {0};
    char names[SIXTEEN][4];
    size_t used = 0;
    for (int i = 0; i < SIXTEEN; i++) {
        snprintf(names[i], sizeof names[i], "n%d", i);
        arrays[i].name = names[i];
        used += (size_t)snprintf(body + used, sizeof body - used, "%c\"n%d\":[%d]", i == 0 ? '{' : ',', i, i);
    }
    strcpy(body + used, "}");
    struct json_text text = padded(body);
    json_t *envelope;
    ck_assert_int_eq(json_envelope_read(&text, arrays, SIXTEEN, &envelope, NULL), 0);
    for (int i = 0; i < SIXTEEN; i++) {
        ck_assert(arrays[i].found && *(float *)arrays[i].array.data == (float)i);
        free(arrays[i].array.data);
    }
    json_decref(envelope);
    free((char *)text.body);
}
END_TEST

/* ---- Elements that are objects with arrays of their own ---- */

/* Reads every element of `requests` for its logits. Returns how many there were, or -1 and *problem. */
static int read_requests(const char *body, size_t max, float *first_values, struct api_problem *problem)
{
    struct json_text text = padded(body);
    struct json_elements elements = {0};
    json_t *envelope = NULL;
    int result = json_elements_read(&text, "requests", max, &elements, &envelope, problem);
    json_decref(envelope);
    for (size_t i = 0; result >= 0 && i < elements.count; i++) {
        struct json_named_array logits = {.name = "logits", .minus_infinity = true};
        json_t *request = NULL;
        const int read = json_envelope_read(&elements.texts[i], &logits, 1, &request, problem);
        if (read == 0 && first_values != NULL)
            first_values[i] = logits.found ? *(float *)logits.array.data : NAN;
        result = read < 0 ? -1 : result + 1;
        json_decref(request);
        free(logits.array.data);
    }
    free(elements.texts);
    free((char *)text.body);
    return result;
}

START_TEST(reads_nested_objects)
{
    float values[3];
    ck_assert_int_eq(read_requests("{ \"x\":{\"requests\":[]}, \"req\\u0075ests\" : [ {\"logits\":[[1.5,2]]} ,\n"
                                   "{\"id\":\"],}\\\"\",\"logits\" : [3]},{\"logits\":[[null]],\"k\":[{}]}] ,\"y\":1}",
                                   3, values, NULL),
                     3);
    ck_assert(values[0] == 1.5f && values[1] == 3.0f && values[2] == -INFINITY);
    ck_assert_int_eq(read_requests("{\"y\":[{}]}", 3, values, NULL), 0);
    ck_assert_int_eq(read_requests("{\"requests\":7}", 3, values, NULL), 0);
}
END_TEST

static const struct {
    const char *body, *pointer;
    size_t offset;
    enum api_problem_code code;
} nested_errors[] = {
    {"{\"requests\":[{\"logits\":[[1,x]]}]}", "/requests/0/logits/0/1", 27, API_MALFORMED_JSON},
    {"{\"requests\":[{},{\"logits\":[[1],[2,3]]}]}", "/requests/1/logits/1", 35, API_RAGGED_ARRAY},
    {"{\"requests\":[{},{\"logits\":[1],\"a\":nope}]}", "/requests/1/a", 34, API_MALFORMED_JSON},
    {"{\"requests\":[{},{\"a\":1,\"a\":2}]}", "/requests/1/a", 26, API_DUPLICATE_MEMBER},
    {"{\"requests\":[{},7]}", "/requests/1", 16, API_WRONG_TYPE},
    {"{\"requests\":[{},[1]]}", "/requests/1", 16, API_WRONG_TYPE},
    {"{\"requests\":[{} {}]}", "/requests/0", 16, API_MALFORMED_JSON},
    {"{\"requests\":[{}]x}", "/requests", 16, API_MALFORMED_JSON},
    {"{\"requests\":[]}", "/requests", 13, API_EMPTY_ARRAY},
    {"{\"requests\":[{},]}", "/requests/1", 16, API_MALFORMED_JSON},
    {"{\"requests\":[,{}]}", "/requests/0", 13, API_MALFORMED_JSON},
    {"{\"requests\":[{}}", "/requests/0", 15, API_MALFORMED_JSON},
    {"{\"requests\":[{}", "/requests/0", 15, API_MALFORMED_JSON},
    {"{\"requests\":[{},{},{},{}]}", "/requests/3", 22, API_OUT_OF_RANGE},
    {"{\"requests\":[{}],\"requests\":[{}]}", "/requests", 27, API_DUPLICATE_MEMBER},
    {"{\"requests\":[{}]},{}", "", 17, API_MALFORMED_JSON},
};

START_TEST(names_the_place_within_an_element)
{
    struct api_problem problem = {0};
    ck_assert_int_eq(read_requests(nested_errors[_i].body, 3, NULL, &problem), -1);
    ck_assert_str_eq(problem.pointer, nested_errors[_i].pointer);
    ck_assert_int_eq(problem.code, nested_errors[_i].code);
    ck_assert_msg(problem.offset == nested_errors[_i].offset, "%s: %zu, %s", nested_errors[_i].body, problem.offset,
                  problem.detail);
    if (problem.code == API_OUT_OF_RANGE)
        ck_assert_uint_eq(problem.limit, 3);
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: JSON elements");
    TCase *types = tcase_create("types"), *nested = tcase_create("nested");
    tcase_add_test(types, reads_float64_to_the_nearest);
    tcase_add_test(types, reads_integers_exactly);
    tcase_add_test(types, reads_booleans_as_bytes);
    tcase_add_test(types, reads_a_single_value);
    tcase_add_test(types, leaves_other_values_to_the_envelope);
    tcase_add_loop_test(types, names_the_element, 0, sizeof errors / sizeof *errors);
    tcase_add_test(types, reads_sixteen_members);
    tcase_add_test(nested, reads_nested_objects);
    tcase_add_loop_test(nested, names_the_place_within_an_element, 0, sizeof nested_errors / sizeof *nested_errors);
    suite_add_tcase(suite, types);
    suite_add_tcase(suite, nested);
    return suite;
}
