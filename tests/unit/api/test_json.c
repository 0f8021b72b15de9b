/* The envelope and array readers against jansson's own tree: a document is taken by both or by neither, and
 * the floats are the same bits. */
#include "gates/fuzz/reference.h"
#include "lib/ask.h"
#include "lib/suite.h"
#include "json/envelope.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 0 if `logits` was read, 1 if the document is an object without it or with something else, -1 if it is refused. */
static int read_plainly(const char *body, size_t length, struct api_tensor *array)
{
    struct json_named_array logits = {.name = "logits", .minus_infinity = true};
    json_t *envelope = NULL;
    char *copy = calloc(1, length + 1);
    memcpy(copy, body, length);
    char *quoted = reference_quote(copy, &length);
    const int result = reference_read(quoted != NULL ? quoted : copy, length, &logits, 1, &envelope);
    free(quoted);
    free(copy);
    json_decref(envelope);
    *array = logits.array;
    return result == 0 && !logits.found ? 1 : result;
}

/* The same with the readers under test. */
static int read_fast(const char *body, size_t length, struct api_tensor *array, struct api_problem *problem)
{
    char *padded = ask_padded(body, length);
    struct json_named_array logits = {.name = "logits", .minus_infinity = true};
    json_t *envelope = NULL;
    const struct json_text text = {.body = padded, .length = length};
    int result = json_envelope_read(&text, &logits, 1, &envelope, problem);
    if (result == 0 && logits.found)
        ck_assert(json_is_null(json_object_get(envelope, "logits")));
    else if (result == 0)
        result = 1;
    json_decref(envelope);
    free(padded);
    *array = logits.array;
    return result;
}

static void assert_same(const char *body, size_t length)
{
    struct api_tensor plain, fast;
    struct api_problem problem;
    const int expected = read_plainly(body, length, &plain), result = read_fast(body, length, &fast, &problem);
    ck_assert_msg(result == expected, "%d instead of %d for %.*s (%s)", result, expected, (int)length, body,
                  result < 0 ? problem.detail : "");
    if (result == 0) {
        ck_assert_uint_eq(fast.count, plain.count);
        ck_assert_uint_eq(fast.rank, plain.rank);
        ck_assert_mem_eq(fast.shape, plain.shape, sizeof fast.shape);
        ck_assert_mem_eq(fast.data, plain.data, fast.count * sizeof(float));
    }
    free(plain.data);
    free(fast.data);
}

#define CASE(text)                                                                                                     \
    {                                                                                                                  \
        text, sizeof text - 1                                                                                          \
    }

static const struct {
    const char *text;
    size_t length;
} cases[] = {
    CASE("{\"logits\":[[1,2],[3,4]],\"tau\":1}"),
    CASE("{\"logits\":[1,2]}"),
    CASE("{\"logits\":[[[1],[2]],[[3],[4]]]}"),
    CASE("{\"logits\":[[[[[[[[1,2]]]]]]]]}"),
    CASE("{\"logits\":[[[[[[[[[1]]]]]]]]]}"),
    CASE("{\"log\\u0069ts\":[[1.5]]}"),
    CASE("{\"\\u006c\\u006f\\u0067\\u0069\\u0074\\u0073\":[[1.5]]}"),
    CASE("{\"logits\":[[1]],\"log\\u0069ts\":[[2]]}"),
    CASE("{\"log\\u0069ts\":[[1]],\"logits\":[[2]]}"),
    CASE("{\"logits\":[[1]],\"logits\":[[2]]}"),
    CASE("{\"logits\":[[1]],\"logits\":null}"),
    CASE("{\"logits\":null,\"logits\":[[1]]}"),
    CASE("{\"logits\":[[1]],\"tau\":1,\"tau\":2}"),
    CASE("{\"x\":{\"logits\":[[9]]},\"logits\":[[1]]}"),
    CASE("{\"x\":{\"logits\":[[9]]}}"),
    CASE("{\"x\":\"logits\",\"logits\":[[1]]}"),
    CASE("{\"x\":\"\\\"logits\\\":[[7]]\",\"logits\":[[1]]}"),
    CASE("{\"x\":\"\\\\\",\"logits\":[[1]]}"),
    CASE("{\"x\":\"\\\\\\\"\",\"logits\":[[1]]}"),
    CASE("[\"logits\",[[1]]]"),
    CASE("[{\"logits\":[[1]]}]"),
    CASE("{\"a\":[{\"logits\":[[5]]}],\"logits\":[[1]]}"),
    CASE("{\"logits\":[[1,2],[3]]}"),
    CASE("{\"logits\":[[1],[2,3]]}"),
    CASE("{\"logits\":[[1],2]}"),
    CASE("{\"logits\":[1,[2]]}"),
    CASE("{\"logits\":[[[1]],[2]]}"),
    CASE("{\"logits\":[]}"),
    CASE("{\"logits\":[[]]}"),
    CASE("{\"logits\":[[],[]]}"),
    CASE("{\"logits\":[[1],[]]}"),
    CASE("{\"logits\":null}"),
    CASE("{\"logits\":0}"),
    CASE("{\"logits\":\"[[1]]\"}"),
    CASE("{\"logits\":{}}"),
    CASE("{\"logits\":[[null]]}"),
    CASE("{\"logits\":[null,1,\"-Infinity\"]}"),
    CASE("{\"logits\":[\"\\u002dInfinity\"]}"),
    CASE("{\"logits\":[\"-Infinity\\u0000\"]}"),
    CASE("{\"logits\":[\"Infinity\"]}"),
    CASE("{\"logits\":[\"NaN\"]}"),
    CASE("{\"logits\":[nullx]}"),
    CASE("{\"logits\":[NaN]}"),
    CASE("{\"logits\":[nan]}"),
    CASE("{\"logits\":[Infinity]}"),
    CASE("{\"logits\":[-Infinity]}"),
    CASE("{\"logits\":[1e400]}"),
    CASE("{\"logits\":[-1e400]}"),
    CASE("{\"logits\":[1e39]}"),
    CASE("{\"logits\":[-0]}"),
    CASE("{\"logits\":[1e-400]}"),
    CASE("{\"logits\":[-1e-400]}"),
    CASE("{\"logits\":[1e-45,7e-46,1.1754942e-38]}"),
    CASE("{\"logits\":[16777217]}"),
    CASE("{\"logits\":[9223372036854775808]}"),
    CASE("{\"logits\":[123456789012345678901234567890]}"),
    CASE("{\"logits\":[01]}"),
    CASE("{\"logits\":[1.]}"),
    CASE("{\"logits\":[.5]}"),
    CASE("{\"logits\":[+1]}"),
    CASE("{\"logits\":[1e]}"),
    CASE("{\"logits\":[1e+]}"),
    CASE("{\"logits\":[--1]}"),
    CASE("{\"logits\":[0x10]}"),
    CASE("{\"logits\":[1_0]}"),
    CASE("{\"logits\":[1,]}"),
    CASE("{\"logits\":[[1],]}"),
    CASE("{\"logits\":[,1]}"),
    CASE("{\"logits\":[1,,2]}"),
    CASE("{\"logits\":[1 2]}"),
    CASE("{\"logits\":[[1][2]]}"),
    CASE("{\"logits\":[[1]]"),
    CASE("{\"logits\":[[1]"),
    CASE("{\"logits\":["),
    CASE("{\"logits\":"),
    CASE("{\"logits\""),
    CASE("{\"logits"),
    CASE("{\"logits\\"),
    CASE("{"),
    CASE(""),
    CASE(" "),
    CASE("{}"),
    CASE("null"),
    CASE("{\"logits\":[[1]]}x"),
    CASE("{\"logits\":[[1]]} "),
    CASE("{\"logits\":[[1]]}{}"),
    CASE("\n{\"logits\" :\t[\n[ 1 , 2 ] , \r[3,4] ] }\n"),
    CASE("{\"logits\":[[\"1\"]]}"),
    CASE("{\"logits\":[[true]]}"),
    CASE("{\"logits\":[[1]]\"tau\":1}"),
    CASE("{\"logits\":1[[1]]2}"),
    CASE("{\"logits\":[[1]]2}"),
    CASE("{\"logits\":[[1]]\"\"}"),
    CASE("{\"logits\":[[1]]null}"),
    CASE("{\"logits\":[[1]]e5}"),
    CASE("{[[1]]:2}"),
    CASE("{\"logits\":[[1]]:2}"),
    CASE("{\"logits\"[[1]]}"),
    CASE("{,\"logits\":[[1]]}"),
    CASE("{\"logits\":[[1]],}"),
    CASE("{\"tau\":1]},\"logits\":[[1]]}"),
    CASE("{\"tau\":1],\"logits\":[[1]]}"),
    CASE("{\"tau\":[},\"logits\":[[1]]}"),
    CASE("[]}{\"logits\":[[1]]}"),
    CASE("{\"a\":\"\xff\",\"logits\":[[1]]}"),
    CASE("{\"a\":\"\\ud800\",\"logits\":[[1]]}"),
    CASE("{\"a\":\"\x01\",\"logits\":[[1]]}"),
    CASE("{\"logits\":[[1\x0c]]}"),
    CASE("\xef\xbb\xbf{\"logits\":[[1]]}"),
    CASE("{\"logits\":[[1]],\"a\":\"x\\u0000y\"}"),
    CASE("{\"logits\":[[1]],\"a\":\"x\0y\"}"),
    CASE("{\"logits\":[[1]\0]}"),
    CASE("{\"logits\":[[1]]}\0"),
    CASE("{\"a\":\"q\0\",\"logits\":[[1]]}"),
};

START_TEST(takes_what_jansson_takes)
{
    assert_same(cases[_i].text, cases[_i].length);
}
END_TEST

/* Changes bytes, repeats and removes stretches, and splices in pieces that mean something. */
static size_t mutate(char *text, size_t length, size_t capacity, unsigned *state)
{
    static const char *const pieces[] = {"[",    "]",           "{",     "}",       ",",  ":",
                                         "\"",   "\\",          "0",     "1.5",     "e5", "-",
                                         "null", "\"logits\":", "[[1]]", "\\u0069", " ",  "\"-Infinity\"",
                                         ".",    "1e39",        "00",    "\t",      "9"};
    for (int count = 1 + rand_r(state) % 3; count > 0 && length > 0; count--) {
        const size_t at = (size_t)rand_r(state) % length;
        const char *piece = pieces[(size_t)rand_r(state) % (sizeof pieces / sizeof *pieces)];
        const size_t piece_length = strlen(piece), span = 1 + (size_t)rand_r(state) % 4;
        switch (rand_r(state) % 4) {
        case 0:
            text[at] = (char)rand_r(state);
            break;
        case 1:
            if (at + span <= length) {
                memmove(text + at, text + at + span, length - at - span);
                length -= span;
            }
            break;
        default:
            if (length + piece_length < capacity) {
                memmove(text + at + piece_length, text + at, length - at);
                memcpy(text + at, piece, piece_length);
                length += piece_length;
            }
            break;
        }
    }
    return length;
}

START_TEST(takes_what_jansson_takes_of_mutated_documents)
{
    unsigned state = (unsigned)_i + 1;
    for (int i = 0; i < 20000; i++) {
        char text[512];
        const size_t which = (size_t)rand_r(&state) % (sizeof cases / sizeof *cases);
        size_t length = cases[which].length;
        memcpy(text, cases[which].text, length);
        length = mutate(text, length, sizeof text, &state);
        assert_same(text, length);
    }
}
END_TEST

START_TEST(names_the_place_of_an_error)
{
    static const struct {
        const char *text, *pointer;
        size_t offset;
        enum api_problem_code code;
    } errors[] = {
        {"{\"logits\":[[1,2],[3]]}", "/logits/1", 19, API_RAGGED_ARRAY},
        {"{\"logits\":[[1,2],[3,x]]}", "/logits/1/1", 20, API_MALFORMED_JSON},
        {"{\"logits\":[1e39]}", "/logits/0", 11, API_OUT_OF_RANGE},
        {"{\"logits\":[1,\"a\"]}", "/logits/1", 13, API_WRONG_TYPE},
        {"{\"logits\":[[],[1]]}", "/logits/1", 16, API_RAGGED_ARRAY},
        {"{\"logits\":[[1],[[]]]}", "/logits/1/0", 16, API_RAGGED_ARRAY},
        {"{\"logits\":[[1],2]}", "/logits/1", 16, API_RAGGED_ARRAY},
        {"{\"logits\":[1,2],\"tau\":1e400}", "/tau", 27, API_OUT_OF_RANGE},
        {"{\"logits\":[1,2,3,4,5,6,7],\"tau\":nope}", "/tau", 32, API_MALFORMED_JSON},
        {"{\"a/b~c\":nope}", "/a~1b~0c", 9, API_MALFORMED_JSON},
        {"{\"logits\":[1],\"tau\":1,\"tau\":2}", "/tau", 27, API_DUPLICATE_MEMBER},
        {"{\"logits\":[1]}x", "", 14, API_MALFORMED_JSON},
        {"{\"x\":nope,\"logits\":[1,]}", "/x", 5, API_MALFORMED_JSON},
        {"", "", 0, API_MALFORMED_JSON},
        {"[1]", "", API_NO_OFFSET, API_WRONG_TYPE},
    };
    struct api_tensor array;
    struct api_problem problem;
    ck_assert_int_eq(read_fast(errors[_i].text, strlen(errors[_i].text), &array, &problem), -1);
    free(array.data);
    ck_assert_str_eq(problem.pointer, errors[_i].pointer);
    ck_assert_uint_eq(problem.offset, errors[_i].offset);
    ck_assert_int_eq(problem.code, errors[_i].code);
}
END_TEST

START_TEST(limits_what_reaches_jansson)
{
    const size_t length = JSON_MAX_BYTES + 100;
    char *text = malloc(length);
    struct api_tensor array;
    struct api_problem problem;
    memset(text, '7', length);
    memcpy(text, "{\"x\":[", 6);
    memcpy(text + length - 2, "]}", 2);
    ck_assert_int_eq(read_fast(text, length, &array, &problem), -1);
    ck_assert_int_eq(problem.code, API_ENVELOPE_TOO_LARGE);
    ck_assert_uint_eq(problem.limit, JSON_MAX_BYTES);
    memcpy(text + JSON_MAX_BYTES - 2, "]}", 2);
    ck_assert_int_eq(read_fast(text, JSON_MAX_BYTES, &array, &problem), -1);
    ck_assert_int_eq(problem.code, API_OUT_OF_RANGE);
    free(text);
}
END_TEST

/* The array itself may be as long as the body. */
START_TEST(reads_an_array_beyond_that_limit)
{
    const size_t count = 600000;
    char *text = malloc(2 * count + 16);
    struct api_tensor array;
    struct api_problem problem;
    size_t used = (size_t)sprintf(text, "{\"logits\":[");
    for (size_t i = 0; i < count; i++) {
        text[used++] = (char)('0' + i % 10);
        text[used++] = i + 1 < count ? ',' : ']';
    }
    text[used++] = '}';
    ck_assert_int_eq(read_fast(text, used, &array, &problem), 0);
    ck_assert_uint_eq(array.count, count);
    for (size_t i = 0; i < count; i++)
        ck_assert(((float *)array.data)[i] == (float)(i % 10));
    free(array.data);
    free(text);
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: JSON");
    TCase *same = tcase_create("like jansson"), *errors = tcase_create("errors"), *limits = tcase_create("limits");
    tcase_set_timeout(same, 60);
    tcase_add_loop_test(same, takes_what_jansson_takes, 0, sizeof cases / sizeof *cases);
    tcase_add_loop_test(same, takes_what_jansson_takes_of_mutated_documents, 0, 8);
    tcase_add_loop_test(errors, names_the_place_of_an_error, 0, 14);
    tcase_add_test(limits, limits_what_reaches_jansson);
    tcase_add_test(limits, reads_an_array_beyond_that_limit);
    suite_add_tcase(suite, same);
    suite_add_tcase(suite, errors);
    suite_add_tcase(suite, limits);
    return suite;
}
