/* One seed, one answer: whatever serves a request, the bytes are the same. And they are the right ones: the
 * logits of a classifier of handwritten digits have a reference, computed in double precision elsewhere. */
#include "core.h"
#include "lib/http.h"
#include "lib/process.h"
#include "lib/suite.h"

#include "lib/assertions.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 64, CLASSES = 10 };

/* ---- The digits ---- */

static json_t *load(const char *path, const char *member)
{
    json_error_t error;
    json_t *document = json_load_file(path, 0, &error);
    ck_assert_msg(document != NULL, "%s: %s", path, error.text);
    json_t *value = json_incref(json_object_get(document, member));
    ck_assert_msg(json_array_size(value) == ROWS, "%s: no %s for each row", path, member);
    json_decref(document);
    return value;
}

/* A body with `count` rows of the digits from `first` on; `others` are further members, each with its comma.
 */
static char *digits_body(size_t first, size_t count, const char *others)
{
    json_t *logits = load("tests/data/digits-logits.json", "logits"), *part = json_array();
    for (size_t i = first; i < first + count; i++)
        json_array_append(part, json_array_get(logits, i));
    char *text = json_dumps(part, JSON_COMPACT), *body = malloc(strlen(text) + strlen(others) + 32);
    ck_assert_ptr_nonnull(body);
    sprintf(body, "{%s\"logits\":%s}", others, text);
    free(text);
    json_decref(part);
    json_decref(logits);
    return body;
}

/* The body of the answer, to be freed. */
static char *answer(unsigned port, const char *path, const char *body)
{
    struct http_response response = http_ask(port, "POST", path, body);
    ck_assert_msg(response.status == 200, "%s", response.body);
    ck_assert(http_field_is(&response, "Content-Type", "application/json"));
    char *text = response.body;
    response.body = NULL;
    http_free(&response);
    return text;
}

static char *digits_answer(unsigned port, const char *path, const char *others)
{
    char *body = digits_body(0, ROWS, others), *text = answer(port, path, body);
    free(body);
    return text;
}

/* ---- The same bytes ---- */

static const struct {
    const char *path, *others;
} calls[] = {
    {"/v1/softmax", ""},
    {"/v1/log_softmax", "\"temperature\":0.7,"},
    {"/v1/gumbel_softmax", "\"seed\":7,"},
    {"/v1/gumbel_softmax", "\"seed\":9007199254740991,\"tau\":0.1,"},
    {"/v1/gumbel_softmax", "\"seed\":7,\"hard\":true,"},
    {"/v1/gumbel_softmax", "\"seed\":7,\"row_offset\":4294967232,"},
    {"/v1/gumbel_softmax", "\"seed\":7,\"draw_offset\":4294967295,"},
};
enum { CALLS = sizeof calls / sizeof *calls };

static const char *const ways[] = {
    "--workers 1",
    "--workers 4",
    "--loops 3",
    "--inline-max-bytes 0",
    "--workers 4 --loops 3 --inline-max-bytes 0",
    "--inline-max-bytes 100000000",
};
enum { WAYS = sizeof ways / sizeof *ways };

static void record_answers(unsigned port, char **answers)
{
    for (size_t i = 0; i < CALLS; i++)
        answers[i] = digits_answer(port, calls[i].path, calls[i].others);
}

static void check_way(const char *flags, char **expected)
{
    char *answers[CALLS];
    struct process process = process_start("%s", flags);
    for (int twice = 0; twice < 2; twice++) {
        record_answers(process.port, answers);
        for (size_t i = 0; i < CALLS; i++) {
            ck_assert_msg(strcmp(answers[i], expected[i]) == 0, "%s: %s {%s} differs", flags, calls[i].path,
                          calls[i].others);
            free(answers[i]);
        }
    }
    process_end(&process);
}

START_TEST(the_same_bytes_whatever_serves)
{
    char *expected[CALLS];
    struct process process = process_start("--log-level error");
    record_answers(process.port, expected);
    process_end(&process);
    for (size_t i = 0; i < WAYS; i++)
        check_way(ways[i], expected);
    for (int isa = 0; isa < CORE_ISA_COUNT; isa++) {
        char flags[32];
        snprintf(flags, sizeof flags, "--isa %s", core_isa_name((enum core_isa)isa));
        if (core_isa_supported((enum core_isa)isa))
            check_way(flags, expected);
    }
    for (size_t i = 0; i < CALLS; i++)
        free(expected[i]);
}
END_TEST

static struct process server;

static void start(void)
{
    server = process_start("--loops 2");
}

static void stop(void)
{
    process_end(&server);
}

/* The text of rows first .. first+count-1 of the samples, with the commas between them; to be freed. */
static char *rows_of(const char *text, size_t first, size_t count)
{
    const char *at = strstr(text, "\"samples\":[");
    ck_assert_ptr_nonnull(at);
    at += strlen("\"samples\":[");
    for (size_t row = 0; row < first; row++)
        at = strchr(at, ']') + 2;
    const char *end = at;
    for (size_t row = 0; row < count; row++)
        end = strchr(end, ']') + 1 + (row + 1 < count);
    return strndup(at, (size_t)(end - at));
}

START_TEST(a_part_gets_what_it_had_in_the_whole)
{
    char *whole = digits_answer(server.port, "/v1/gumbel_softmax", "\"seed\":7,");
    for (size_t first = 0; first < ROWS; first += 9) {
        const size_t count = first + 10 < ROWS ? 10 : ROWS - first;
        char others[64];
        snprintf(others, sizeof others, "\"seed\":7,\"row_offset\":%zu,", first);
        char *body = digits_body(first, count, others), *part = answer(server.port, "/v1/gumbel_softmax", body);
        char *expected = rows_of(whole, first, count), *found = rows_of(part, 0, count);
        ck_assert_str_eq(found, expected);
        free(found);
        free(expected);
        free(part);
        free(body);
    }
    free(whole);
}
END_TEST

/* ---- Without a seed ---- */

START_TEST(a_drawn_seed_repeats_its_answer)
{
    char *first = digits_answer(server.port, "/v1/gumbel_softmax", "\"tau\":0.5,"),
         *second = digits_answer(server.port, "/v1/gumbel_softmax", "\"tau\":0.5,");
    ck_assert_str_ne(first, second);
    const char *answers[] = {first, second};
    for (size_t i = 0; i < 2; i++) {
        json_t *document = json_loads(answers[i], 0, NULL);
        const json_int_t seed = json_integer_value(json_object_get(document, "seed"));
        ck_assert_int_ge(seed, 0);
        ck_assert_int_le(seed, 9007199254740991);
        char others[64];
        snprintf(others, sizeof others, "\"seed\":%lld,\"tau\":0.5,", (long long)seed);
        char *again = digits_answer(server.port, "/v1/gumbel_softmax", others);
        ck_assert_str_eq(again, answers[i]);
        free(again);
        json_decref(document);
    }
    free(first);
    free(second);
}
END_TEST

/* ---- The right bytes ---- */

/* The reference is that of the logits as they are written. Those of up to 18 are rounded by up to half of 2^-19
 * when they are read as float32, and so is the largest of their row; exp makes a relative error of it. */
static const double tolerance = 2e-6;

static void check_row(const json_t *found, const json_t *expected)
{
    ck_assert_uint_eq(json_array_size(found), CLASSES);
    for (size_t i = 0; i < CLASSES; i++) {
        const double want = json_number_value(json_array_get(expected, i)),
                     got = json_number_value(json_array_get(found, i));
        ck_assert_msg(fabs(got - want) <= tolerance * want, "%.9g is not %.9g", got, want);
    }
}

static size_t argmax(const json_t *row)
{
    size_t best = 0;
    for (size_t i = 1; i < CLASSES; i++)
        if (json_number_value(json_array_get(row, i)) > json_number_value(json_array_get(row, best)))
            best = i;
    return best;
}

START_TEST(softmax_of_the_digits_is_the_reference)
{
    char *text = digits_answer(server.port, "/v1/softmax", "");
    json_t *document = json_loads(text, 0, NULL), *labels = load("tests/data/digits-logits.json", "labels"),
           *reference = load("tests/data/digits-softmax.json", "softmax_float64");
    const json_t *rows = json_object_get(document, "probabilities");
    ck_assert_uint_eq(json_array_size(rows), ROWS);
    unsigned recognized = 0;
    for (size_t row = 0; row < ROWS; row++) {
        check_row(json_array_get(rows, row), json_array_get(reference, row));
        recognized += argmax(json_array_get(rows, row)) == (size_t)json_integer_value(json_array_get(labels, row));
    }
    ck_assert_uint_ge(recognized, 55);
    json_decref(reference);
    json_decref(labels);
    json_decref(document);
    free(text);
}
END_TEST

TEST_SUITE("server")
{
    Suite *suite = suite_create("server determinism");
    TCase *ways_case = tcase_create("ways");
    tcase_set_timeout(ways_case, 120);
    tcase_add_test(ways_case, the_same_bytes_whatever_serves);
    suite_add_tcase(suite, ways_case);

    TCase *digits = tcase_create("digits");
    tcase_set_timeout(digits, 60);
    tcase_add_checked_fixture(digits, start, stop);
    tcase_add_test(digits, a_part_gets_what_it_had_in_the_whole);
    tcase_add_test(digits, a_drawn_seed_repeats_its_answer);
    tcase_add_test(digits, softmax_of_the_digits_is_the_reference);
    suite_add_tcase(suite, digits);
    return suite;
}
