/* A strict reader without recursion: one counter for each open bracket. */
#include "json_array.h"
#include "json_string.h"
#include "number_read.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const struct json_text *text;
    const char *name;
    const char *next; /* the byte to read */
    struct json_array *array;
    size_t depth;                          /* open brackets */
    size_t index[JSON_ARRAY_MAX_RANK];     /* of the element being read, for each open bracket */
    bool shape_known[JSON_ARRAY_MAX_RANK]; /* set when the first bracket of that depth closes */
    struct api_problem *problem;
};

/* The pointer to the element that is being read, or to the array whose bracket just opened or closes. */
static int fail(const struct reader *reader, size_t depth, enum api_problem_code code, const char *detail)
{
    char pointer[sizeof reader->problem->pointer];
    int used = snprintf(pointer, sizeof pointer, "/%s", reader->name);
    for (size_t i = 0; i < depth; i++)
        used += snprintf(pointer + used, sizeof pointer - (size_t)used, "/%zu", reader->index[i]);
    return api_fail(reader->problem, code, pointer, (size_t)(reader->next - reader->text->body), "%s", detail);
}

static inline void skip_space(struct reader *reader)
{
    while (*reader->next == ' ' || *reader->next == '\n' || *reader->next == '\r' || *reader->next == '\t')
        reader->next++;
}

static int open_bracket(struct reader *reader)
{
    struct json_array *array = reader->array;
    if (reader->depth == JSON_ARRAY_MAX_RANK)
        return fail(reader, reader->depth, API_WRONG_TYPE, "arrays may nest 8 deep at the most");
    if (array->rank != 0 && reader->depth == array->rank)
        return fail(reader, reader->depth, API_RAGGED_ARRAY, "an array where others have a number");
    reader->index[reader->depth++] = 0;
    reader->next++;
    return 0;
}

/* Closes a bracket behind its last element, whose index still stands in index[]. */
static int close_bracket(struct reader *reader)
{
    const size_t level = reader->depth - 1, length = reader->index[level] + 1;
    size_t *shape = &reader->array->shape[level];
    if (!reader->shape_known[level]) {
        reader->shape_known[level] = true;
        *shape = length;
    } else if (length != *shape) {
        char detail[96];
        snprintf(detail, sizeof detail, "has length %zu where the arrays before it have %zu", length, *shape);
        return fail(reader, level, API_RAGGED_ARRAY, detail);
    }
    reader->depth--;
    reader->next++;
    return 0;
}

/* The byte behind "-Infinity" and its quotation marks, however it is escaped; NULL where that does not stand.
 */
static const char *read_minus_infinity(const char *text)
{
    bool escaped;
    if (*text != '"')
        return NULL;
    const char *end = json_string_end(text + 1, &escaped);
    if (end == NULL || !json_string_is(text + 1, (size_t)(end - text - 1), escaped, "-Infinity"))
        return NULL;
    return end + 1;
}

/* What stands in place of a number: -inf in one of its two spellings, or an error with its reason. */
static int read_word(struct reader *reader, float *value)
{
    const char *text = reader->next, *end = strncmp(text, "null", 4) == 0 ? text + 4 : read_minus_infinity(text);
    if (end != NULL) {
        reader->next = end;
        *value = -INFINITY;
        return 0;
    }
    if (*text == '"' || *text == '{' || strncmp(text, "true", 4) == 0 || strncmp(text, "false", 5) == 0)
        return fail(reader, reader->depth, API_WRONG_TYPE, "must be a number, null or \"-Infinity\"");
    return fail(reader, reader->depth, API_MALFORMED_JSON, "expected a number");
}

static int read_number(struct reader *reader)
{
    float *value = &reader->array->data[reader->array->count];
    enum number_fault fault;
    const char *end = number_read(reader->next, value, &fault);
    if (end != NULL)
        reader->next = end;
    else if (fault == NUMBER_RANGE)
        return fail(reader, reader->depth, API_OUT_OF_RANGE, "is beyond the range of float32");
    else if (read_word(reader, value) != 0)
        return -1;
    if (reader->array->rank == 0)
        reader->array->rank = reader->depth;
    else if (reader->depth != reader->array->rank)
        return fail(reader, reader->depth, API_RAGGED_ARRAY, "a number where others have an array");
    reader->array->count++;
    return 0;
}

/* Behind an element: closes what ends here. Leaves the reader before the next element, or at depth 0. */
static int read_separators(struct reader *reader)
{
    while (reader->depth > 0) {
        skip_space(reader);
        if (*reader->next == ',') {
            reader->next++;
            reader->index[reader->depth - 1]++;
            return 0;
        }
        if (*reader->next != ']')
            return fail(reader, reader->depth, API_MALFORMED_JSON, "expected ',' or ']' behind an element");
        if (close_bracket(reader) != 0)
            return -1;
    }
    return 0;
}

static int read_elements(struct reader *reader)
{
    do {
        skip_space(reader);
        while (*reader->next == '[') {
            if (open_bracket(reader) != 0)
                return -1;
            skip_space(reader);
            if (*reader->next == ']')
                return fail(reader, reader->depth - 1, API_EMPTY_ARRAY, "must not be empty");
        }
        if (read_number(reader) != 0 || read_separators(reader) != 0)
            return -1;
    } while (reader->depth > 0);
    return 0;
}

static size_t count_commas(const char *start, const char *end)
{
    size_t commas = 0;
    for (; start < end; start++)
        commas += *start == ',';
    return commas;
}

const char *json_array_read(const struct json_text *text, const char *start, const char *name, struct json_array *array,
                            struct api_problem *problem)
{
    *array = (struct json_array){0};
    struct reader reader = {.text = text, .name = name, .next = start, .array = array, .problem = problem};
    /* There is at most one number more than there are commas. */
    array->data = malloc((count_commas(start, text->body + text->length) + 1) * sizeof *array->data);
    if (array->data == NULL) {
        api_fail(problem, API_INTERNAL, "", API_NO_OFFSET, "no memory for %s", name);
        return NULL;
    }
    if (read_elements(&reader) == 0)
        return reader.next;
    free(array->data);
    *array = (struct json_array){0};
    return NULL;
}
