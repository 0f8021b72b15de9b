/* Bodies as large as a server takes, made to cost memory or time. */
#include "lib/suite.h"
#include "json/envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define MIB ((size_t)1 << 20)

/* Instrumented, memory is not measured, and everything takes longer. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define INSTRUMENTED true
#define LENGTH (4 * MIB)
#else
#define INSTRUMENTED false
#define LENGTH (64 * MIB)
#endif

/* `head`, then `piece` again and again, then `tail`: LENGTH bytes or a little less. */
static struct json_text repeated(const char *head, const char *piece, const char *tail)
{
    const size_t piece_length = strlen(piece), tail_length = strlen(tail);
    char *body = malloc(LENGTH + API_BODY_PADDING);
    size_t used = strlen(head);
    memcpy(body, head, used);
    const size_t first = used, pieces = (LENGTH - first - tail_length) / piece_length * piece_length;
    memcpy(body + first, piece, piece_length);
    for (size_t done = piece_length; done < pieces; done *= 2) /* what is there, once more */
        memcpy(body + first + done, body + first, done < pieces - done ? done : pieces - done);
    used += pieces;
    memcpy(body + used, tail, tail_length);
    memset(body + used + tail_length, 0, API_BODY_PADDING);
    return (struct json_text){.body = body, .length = used + tail_length};
}

static size_t resident_peak(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (size_t)usage.ru_maxrss * 1024;
}

/* Reads the logits of a large body as `element`, without touching more memory than `most` beside it. */
static struct json_named_array read_large(const struct json_text *text, enum api_dtype element, size_t most,
                                          int expected, struct api_problem *problem)
{
    struct json_named_array logits = {.name = "logits", .dtype = element, .minus_infinity = true};
    json_t *envelope = NULL;
    const size_t before = resident_peak();
    ck_assert_int_eq(json_envelope_read(text, &logits, 1, &envelope, problem), expected);
    if (!INSTRUMENTED)
        ck_assert_uint_le(resident_peak() - before, most);
    json_decref(envelope);
    free((char *)text->body);
    return logits;
}

static const struct {
    const char *head, *piece, *tail;
    enum api_problem_code code;
} refused[] = {
    {"{\"logits\":[", "[],", "[1]]}", API_RAGGED_ARRAY},
    {"{\"logits\":[", "{},", "{}]}", API_WRONG_TYPE},
    {"{\"logits\":[", "[", "", API_WRONG_TYPE},
    {"{\"logits\":[", "\"", "]}", API_WRONG_TYPE},
    {"{\"x\":[", "[],", "[]]}", API_ENVELOPE_TOO_LARGE},
    {"{\"x\":[", "{},", "{}]}", API_ENVELOPE_TOO_LARGE},
    {"{\"x\":", "1", "}", API_ENVELOPE_TOO_LARGE},
    {"{\"x\":\"", "a", "\"}", API_ENVELOPE_TOO_LARGE},
    {"", "[", "", API_MALFORMED_JSON}, /* too deep */
    {"{\"logits\":[", "1", "]}", API_OUT_OF_RANGE},
    {"{\"logits\":[1e", "1", "]}", API_OUT_OF_RANGE},
    {"{\"logits\":[", "[[[[[[[[", "]}", API_WRONG_TYPE},
};

START_TEST(refuses_a_large_body_in_little_memory)
{
    struct api_problem problem;
    const struct json_text text = repeated(refused[_i].head, refused[_i].piece, refused[_i].tail);
    read_large(&text, API_FLOAT32, 4 * MIB, -1, &problem);
    ck_assert_int_eq(problem.code, refused[_i].code);
}
END_TEST

/* Two bytes an element, the fewest: twice the body for float32, four times for float64. */
START_TEST(reads_the_densest_body_in_its_own_multiple)
{
    const size_t sizes[] = {[API_FLOAT32] = 2, [API_FLOAT64] = 4};
    struct json_text text = repeated("{\"logits\":[", "1,", "1]}");
    const size_t count = (text.length - 12) / 2;
    struct json_named_array logits = read_large(&text, (enum api_dtype)_i, sizes[_i] * LENGTH + 4 * MIB, 0, NULL);
    ck_assert_uint_eq(logits.array.count, count);
    free(logits.array.data);
}
END_TEST

START_TEST(reads_a_number_of_64_mib)
{
    struct json_text text = repeated("{\"logits\":[0.", "3", "]}");
    struct json_named_array logits = read_large(&text, API_FLOAT32, 4 * MIB, 0, NULL);
    ck_assert(*(float *)logits.array.data == 0.33333334f);
    free(logits.array.data);
}
END_TEST

/* Elements stop at their limit, whatever follows. */
START_TEST(stops_at_the_limit_of_elements)
{
    struct json_text text = repeated("{\"requests\":[", "{},", "{}]}");
    struct json_elements elements;
    struct api_problem problem;
    json_t *envelope;
    const size_t before = resident_peak();
    ck_assert_int_eq(json_elements_read(&text, "requests", 1000, &elements, &envelope, &problem), -1);
    ck_assert_int_eq(problem.code, API_OUT_OF_RANGE);
    ck_assert_uint_eq(problem.limit, 1000);
    ck_assert_str_eq(problem.pointer, "/requests/1000");
    if (!INSTRUMENTED)
        ck_assert_uint_le(resident_peak() - before, 4 * MIB);
    free((char *)text.body);
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: JSON limits");
    TCase *large = tcase_create("large bodies");
    tcase_set_timeout(large, 120);
    tcase_add_loop_test(large, refuses_a_large_body_in_little_memory, 0, sizeof refused / sizeof *refused);
    tcase_add_loop_test(large, reads_the_densest_body_in_its_own_multiple, API_FLOAT32, API_FLOAT64 + 1);
    tcase_add_test(large, reads_a_number_of_64_mib);
    tcase_add_test(large, stops_at_the_limit_of_elements);
    suite_add_tcase(suite, large);
    return suite;
}
