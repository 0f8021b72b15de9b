#include "numbers.h"

#include "lib/assertions.h"
#include <math.h>
#include <stdlib.h>

enum { MOST = 4096 };

static double number_of(const json_t *value)
{
    if (!json_is_string(value))
        return json_number_value(value);
    return strtod(json_string_value(value), NULL);
}

size_t numbers_flat(const json_t *value, double *numbers, size_t most)
{
    size_t count = 0, i;
    const json_t *element;
    if (!json_is_array(value)) {
        ck_assert_uint_gt(most, 0);
        *numbers = number_of(value);
        return 1;
    }
    json_array_foreach (value, i, element)
        count += numbers_flat(element, numbers + count, most - count);
    return count;
}

static void assert_shape(const json_t *value, const size_t *shape)
{
    size_t i;
    const json_t *element;
    if (*shape == 0) {
        ck_assert(!json_is_array(value));
        return;
    }
    ck_assert_uint_eq(json_array_size(value), *shape);
    json_array_foreach (value, i, element)
        assert_shape(element, shape + 1);
}

static size_t read_member(const struct answer *answer, const char *member, double *numbers, const size_t *shape)
{
    const json_t *value = json_object_get(answer->json, member);
    assert_answered(answer);
    ck_assert_msg(value != NULL, "no %s: %s", member, answer->text);
    assert_shape(value, shape);
    return numbers_flat(value, numbers, MOST);
}

void assert_floats(const struct answer *answer, const char *member, const float *expected, const size_t *shape)
{
    double numbers[MOST];
    const size_t count = read_member(answer, member, numbers, shape);
    for (size_t i = 0; i < count; i++) {
        const float actual = (float)numbers[i];
        ck_assert_msg(memcmp(&actual, &expected[i], sizeof actual) == 0 || (isnan(actual) && isnan(expected[i])),
                      "%s, %zu: %.9g instead of %.9g", member, i, (double)actual, (double)expected[i]);
    }
}

void assert_doubles(const struct answer *answer, const char *member, const double *expected, const size_t *shape)
{
    double numbers[MOST];
    const size_t count = read_member(answer, member, numbers, shape);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(memcmp(&numbers[i], &expected[i], sizeof *numbers) == 0, "%s, %zu: %.17g instead of %.17g",
                      member, i, numbers[i], expected[i]);
}

void assert_classes(const struct answer *answer, const char *member, const int32_t *expected, const size_t *shape)
{
    double numbers[MOST];
    const size_t count = read_member(answer, member, numbers, shape);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(numbers[i] == expected[i], "%s, %zu: %g instead of %d", member, i, numbers[i], expected[i]);
}

void assert_same_member(const struct answer *one, const struct answer *other, const char *member)
{
    const json_t *value = json_object_get(one->json, member);
    ck_assert_msg(value != NULL && json_equal(value, json_object_get(other->json, member)), "%s:\n%s\n%s", member,
                  one->text, other->text);
}

void assert_answered(const struct answer *answer)
{
    ck_assert_msg(answer->status == 200, "%s", answer->text);
}

void assert_problem(const char *path, const char *body, int status, const char *code, const char *pointer)
{
    struct answer answer = ask(path, "%s", body);
    ck_assert_msg(answer.status == status && strcmp(ask_text(&answer, "code"), code) == 0 &&
                      strcmp(ask_text(&answer, "pointer"), pointer) == 0,
                  "%s: %s", body, answer.text);
    ask_free(&answer);
}
