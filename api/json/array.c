/* A strict reader without recursion: one counter for each open bracket. */
#include "json/array.h"
#include "number/read.h"
#include "json/reader.h"
#include "json/string.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct reader {
    const struct json_text *text;
    const struct json_named_array *named;
    const char *start, *next; /* the value's first byte, and the one to read */
    struct api_tensor *array;
    size_t capacity;                       /* elements that array->data has room for */
    size_t depth;                          /* open brackets */
    size_t index[API_TENSOR_MAX_RANK];     /* of the element being read, for each open bracket */
    bool shape_known[API_TENSOR_MAX_RANK]; /* set when the first bracket of that depth closes */
    struct api_problem *problem;
};

bool json_array_begins(const struct json_named_array *named, const char *value)
{
    const char first = *value;
    if (first == '[' || !named->scalar)
        return first == '[';
    if (named->dtype == API_BOOL)
        return first == 't' || first == 'f';
    return (first == '-' && value[1] != JSON_MINUS_INFINITY[1]) || (first >= '0' && first <= '9');
}

static inline bool is_ranged(const struct json_named_array *named)
{
    return named->minimum < named->maximum;
}

/* The pointer to the element that is being read, or to the array whose bracket just opened or closes. */
static int fail(const struct reader *reader, size_t depth, enum api_problem_code code, const char *detail)
{
    const struct json_text *text = reader->text;
    char pointer[sizeof reader->problem->pointer];
    int used = snprintf(pointer, sizeof pointer, "%s/%.60s", text->pointer, reader->named->name);
    for (size_t i = 0; i < depth && (size_t)used < sizeof pointer; i++)
        used += snprintf(pointer + used, sizeof pointer - (size_t)used, "/%zu", reader->index[i]);
    const size_t offset = text->offset + (size_t)(reader->next - text->body);
    return api_fail(reader->problem, code, pointer, offset, "%s", detail);
}

static inline void skip_space(struct reader *reader)
{
    while (*reader->next == ' ' || *reader->next == '\n' || *reader->next == '\r' || *reader->next == '\t')
        reader->next++;
}

/* ---- Brackets ---- */

static int open_bracket(struct reader *reader)
{
    struct api_tensor *array = reader->array;
    if (reader->depth == API_TENSOR_MAX_RANK)
        return fail(reader, reader->depth, API_WRONG_TYPE, "arrays may nest at most 9 deep");
    if (array->rank != 0 && reader->depth == array->rank)
        return fail(reader, reader->depth, API_RAGGED_ARRAY, "an array where others have a single value");
    reader->index[reader->depth++] = 0;
    reader->next++;
    return 0;
}

/* Closes a bracket around so many elements. */
static int close_bracket(struct reader *reader, size_t length)
{
    const size_t level = reader->depth - 1;
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
            return fail(reader, reader->depth, API_MALFORMED_JSON, "expected ',' or ']' after an element");
        if (close_bracket(reader, reader->index[reader->depth - 1] + 1) != 0)
            return -1;
    }
    return 0;
}

/* ---- What is no number ---- */

static bool begins_with(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

/* The byte after null, -Infinity or "-Infinity", however that is escaped; NULL where none of them is there. */
static const char *read_minus_infinity(const char *text)
{
    static const char *const words[] = {"null", JSON_MINUS_INFINITY};
    bool escaped;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (begins_with(text, words[i]))
            return text + strlen(words[i]);
    if (*text != '"')
        return NULL;
    const char *end = json_string_end(text + 1, &escaped);
    if (end == NULL || !json_string_is(text + 1, (size_t)(end - text - 1), escaped, JSON_MINUS_INFINITY))
        return NULL;
    return end + 1;
}

static const char *expected(const struct json_named_array *named)
{
    if (named->dtype == API_BOOL)
        return named->digits ? "must be true, false, 1 or 0" : "must be true or false";
    if (named->dtype == API_UINT64 || named->whole)
        return "must be an integer";
    return named->minus_infinity ? "must be a number, null or \"-Infinity\"" : "must be a number";
}

/* A value of another type, or no value at all. */
static int refuse_value(struct reader *reader)
{
    const char *text = reader->next, *reason;
    if (*text == '"' || *text == '{' || !json_token_breaks(reader->text, text, &reader->next, &reason))
        return fail(reader, reader->depth, API_WRONG_TYPE, expected(reader->named));
    return fail(reader, reader->depth, API_MALFORMED_JSON, reason);
}

static int refuse_range(const struct reader *reader)
{
    const struct json_named_array *named = reader->named;
    char detail[96];
    if (is_ranged(named))
        snprintf(detail, sizeof detail, "must be from %.16g to %.16g", named->minimum, named->maximum);
    else if (named->dtype == API_UINT64)
        snprintf(detail, sizeof detail, "must be from 0 to %llu", (unsigned long long)UINT64_MAX);
    else
        snprintf(detail, sizeof detail, "is beyond the range of %s", api_dtypes[named->dtype].name);
    return fail(reader, reader->depth, API_OUT_OF_RANGE, detail);
}

static int refuse(struct reader *reader, enum number_fault fault)
{
    switch (fault) {
    case NUMBER_RANGE:
        return refuse_range(reader);
    case NUMBER_FRACTION:
        return fail(reader, reader->depth, API_WRONG_TYPE, "must be an integer");
    case NUMBER_SYNTAX:
        break;
    }
    return refuse_value(reader);
}

/* ---- Elements ---- */

/* What stands for -inf where a number was expected. */
static int take_minus_infinity(struct reader *reader, enum number_fault fault)
{
    const char *text = reader->next, *end = NULL;
    if (fault == NUMBER_SYNTAX && reader->named->minus_infinity)
        end = read_minus_infinity(text);
    if (end == NULL)
        return refuse(reader, fault);
    reader->next = end;
    return 0;
}

/* An integer, which a float64 holds if it is in the range. */
static int read_whole(struct reader *reader, double *value)
{
    const struct json_named_array *named = reader->named;
    const bool negative = *reader->next == '-';
    uint64_t magnitude;
    enum number_fault fault;
    const char *digits = reader->next + negative, *end = number_read_uint64(digits, &magnitude, &fault);
    if (end == NULL || *digits == '-')
        return refuse(reader, *digits == '-' ? NUMBER_SYNTAX : fault);
    *value = negative ? -(double)magnitude : (double)magnitude;
    if (!(*value >= named->minimum && *value <= named->maximum))
        return refuse_range(reader);
    reader->next = end;
    return 0;
}

static int read_float64(struct reader *reader, double *value)
{
    const struct json_named_array *named = reader->named;
    if (named->whole)
        return read_whole(reader, value);
    enum number_fault fault;
    const char *end = number_read_double(reader->next, value, &fault);
    if (end == NULL) {
        *value = -INFINITY;
        return take_minus_infinity(reader, fault);
    }
    if (is_ranged(named) && !(*value >= named->minimum && *value <= named->maximum))
        return refuse_range(reader);
    reader->next = end;
    return 0;
}

static int read_float32(struct reader *reader, float *value)
{
    enum number_fault fault;
    const char *end;
    if (is_ranged(reader->named)) { /* of the double, before the second rounding */
        double wide;
        const char *start = reader->next;
        if (read_float64(reader, &wide) != 0)
            return -1;
        *value = (float)wide;
        if (!isinf(*value) || isinf(wide))
            return 0;
        reader->next = start;
        return refuse_range(reader);
    }
    end = number_read(reader->next, value, &fault);
    if (end == NULL) {
        *value = -INFINITY;
        return take_minus_infinity(reader, fault);
    }
    reader->next = end;
    return 0;
}

/* Whether low <= value <= high, without rounding the value. */
static bool lies_within(uint64_t value, double low, double high)
{
    const bool above = low <= 0 || (low <= 0x1.fffffffffffffp63 && value >= (uint64_t)ceil(low));
    return above && high >= 0 && (high >= 0x1p64 || value <= (uint64_t)high);
}

static int read_uint64(struct reader *reader, uint64_t *value)
{
    const struct json_named_array *named = reader->named;
    enum number_fault fault;
    const char *end = number_read_uint64(reader->next, value, &fault);
    if (end == NULL)
        return refuse(reader, fault);
    if (is_ranged(named) && !lies_within(*value, named->minimum, named->maximum))
        return refuse_range(reader);
    reader->next = end;
    return 0;
}

static const char *read_digit(const struct reader *reader, uint8_t *value)
{
    uint64_t digit;
    enum number_fault fault;
    const char *end = reader->named->digits ? number_read_uint64(reader->next, &digit, &fault) : NULL;
    if (end == NULL || digit > 1)
        return NULL;
    *value = digit != 0;
    return end;
}

static int read_bool(struct reader *reader, uint8_t *value)
{
    const char *end = read_digit(reader, value);
    if (end == NULL) {
        *value = begins_with(reader->next, "true");
        if (!*value && !begins_with(reader->next, "false"))
            return refuse_value(reader);
        end = reader->next + (*value ? 4 : 5);
    }
    reader->next = end;
    return 0;
}

static int read_value(struct reader *reader)
{
    struct api_tensor *array = reader->array;
    const size_t at = array->count;
    switch (array->dtype) {
    case API_FLOAT32:
        return read_float32(reader, (float *)array->data + at);
    case API_FLOAT64:
        return read_float64(reader, (double *)array->data + at);
    case API_UINT64:
        return read_uint64(reader, (uint64_t *)array->data + at);
    case API_BOOL:
        return read_bool(reader, (uint8_t *)array->data + at);
    default:
        assert(false);
        return -1;
    }
}

/* That all values, or brackets without any, are as deep; `level` is where a problem is. */
static int check_depth(struct reader *reader, size_t level, const char *detail)
{
    struct api_tensor *array = reader->array;
    if (array->rank == 0)
        array->rank = reader->depth;
    return array->rank == reader->depth ? 0 : fail(reader, level, API_RAGGED_ARRAY, detail);
}

static int read_element(struct reader *reader)
{
    if (read_value(reader) != 0 || check_depth(reader, reader->depth, "a single value where others have an array") != 0)
        return -1;
    reader->array->count++;
    return 0;
}

/* ---- The whole array ---- */

#define FIRST_CAPACITY 1024

/* Room for more elements: as many as the text will have if it goes on as it began, within four times what there
 * are and the fewest bytes that an element takes. So an array ends up with little more than it needs, and no
 * pass over the text counts them beforehand. */
static int grow(struct reader *reader)
{
    struct api_tensor *array = reader->array;
    const char *end = reader->text->body + reader->text->length;
    const size_t count = array->count, left = (size_t)(end - reader->next);
    const size_t length = (size_t)(reader->next - reader->start);
    size_t more = count == 0 ? FIRST_CAPACITY : (size_t)((double)left / (double)length * (double)count * 1.02) + 64;
    more = more > 3 * count && count > 0 ? 3 * count : more;
    more = more < count / 8 ? count / 8 : more;
    more = more > left / 2 + 1 ? left / 2 + 1 : more;
    void *data = api_realloc(array->data, (count + more) * api_dtypes[array->dtype].size);
    if (data == NULL)
        return fail(reader, 0, API_OUT_OF_MEMORY, "no memory for the array");
    array->data = data;
    reader->capacity = count + more;
    return 0;
}

/* The usual numbers of a row at once; none where the general way is needed. */
static size_t read_row(struct reader *reader)
{
    struct api_tensor *array = reader->array;
    const char *end = reader->text->body + reader->text->length;
    size_t count;
    if (array->dtype != API_FLOAT32 || is_ranged(reader->named) || reader->depth == 0 ||
        (array->rank != 0 && reader->depth != array->rank))
        return 0;
    reader->next = number_read_row(reader->next, end, (float *)array->data + array->count,
                                   reader->capacity - array->count, &count);
    if (count == 0)
        return 0;
    array->rank = reader->depth;
    array->count += count;
    reader->index[reader->depth - 1] += count - 1;
    return count;
}

/* Opens what begins here. *empty: it is closed again, with nothing in it. */
static int open_brackets(struct reader *reader, bool *empty)
{
    *empty = false;
    skip_space(reader);
    while (*reader->next == '[') {
        if (open_bracket(reader) != 0)
            return -1;
        skip_space(reader);
        *empty = *reader->next == ']';
    }
    if (!*empty)
        return 0;
    if (check_depth(reader, reader->depth - 1, "an array without elements where others have some") != 0)
        return -1;
    return close_bracket(reader, 0);
}

static int read_elements(struct reader *reader)
{
    bool empty;
    do {
        if (open_brackets(reader, &empty) != 0 || (reader->array->count == reader->capacity && grow(reader) != 0))
            return -1;
        if (!empty && read_row(reader) == 0 && read_element(reader) != 0)
            return -1;
        if (read_separators(reader) != 0)
            return -1;
    } while (reader->depth > 0);
    return 0;
}

/* Gives back what was not needed. */
static void *fitted(const struct reader *reader)
{
    const struct api_tensor *array = reader->array;
    void *data = array->count > 0 && array->count < reader->capacity
                     ? api_realloc(array->data, array->count * api_dtypes[array->dtype].size)
                     : NULL;
    return data != NULL ? data : array->data;
}

const char *json_array_read(const struct json_text *text, const char *start, struct json_named_array *named,
                            struct api_problem *problem)
{
    struct api_tensor array = {.dtype = named->dtype};
    struct reader reader = {
        .text = text, .named = named, .start = start, .next = start, .array = &array, .problem = problem};
    named->array = array;
    if (read_elements(&reader) != 0) {
        api_free(array.data);
        return NULL;
    }
    named->array = array;
    named->array.data = fitted(&reader);
    return reader.next;
}
