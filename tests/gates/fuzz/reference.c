#include "gates/fuzz/reference.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Finding the text of what jansson took ---- */

static const char *skip_space(const char *text)
{
    return text + strspn(text, " \t\r\n");
}

static const char *skip_string(const char *text)
{
    for (text++; *text != '"'; text++)
        text += *text == '\\';
    return text + 1;
}

/* Behind one value of valid JSON. */
static const char *skip_value(const char *text)
{
    if (*text == '"')
        return skip_string(text);
    if (*text != '[' && *text != '{')
        return text + strcspn(text, " \t\r\n,]}");
    for (text = skip_space(text + 1); *text != ']' && *text != '}'; text = skip_space(text)) {
        if (*text == ',' || *text == ':')
            text++;
        else
            text = skip_value(text);
    }
    return text + 1;
}

static bool key_is(const char *key, const char *end, const char *name)
{
    json_t *string = json_loadb(key, (size_t)(end - key), JSON_DECODE_ANY, NULL);
    const bool same = strcmp(json_string_value(string), name) == 0;
    json_decref(string);
    return same;
}

/* The value of a member of a valid object, which has it. */
static const char *value_of(const char *text, const char *name)
{
    text = skip_space(text);
    for (;;) {
        const char *key = skip_space(text + 1), *end = skip_string(key);
        text = skip_space(skip_space(end) + 1);
        if (key_is(key, end, name))
            return text;
        text = skip_space(skip_value(text));
    }
}

size_t reference_elements(const char *text, const char *name, struct json_text *elements, size_t max)
{
    size_t count = 0;
    const char *next = skip_space(value_of(text, name) + 1);
    while (*next != ']') {
        const char *end = skip_value(next);
        if (count < max)
            elements[count] = (struct json_text){.body = next, .length = (size_t)(end - next)};
        count++;
        next = skip_space(end);
        next = *next == ',' ? skip_space(next + 1) : next;
    }
    return count;
}

/* ---- What is beyond JSON ---- */

static const char unquoted[] = "-Infinity";

/* Where a walk over a text is that may be no JSON. */
struct place {
    bool in_string;
    char before;    /* the last character outside of strings that is no white space */
    char *brackets; /* that are open */
    size_t depth;
};

static void pass(struct place *place, char character)
{
    place->in_string ^= character == '"';
    if (place->in_string || strchr(" \t\r\n", character) != NULL)
        return;
    if (character == '[' || character == '{')
        place->brackets[place->depth++] = character;
    else if ((character == ']' || character == '}') && place->depth > 0)
        place->depth--;
    place->before = character;
}

/* Whether it is a value that begins there: not the name of a member, and not the end of something else. */
static bool is_unquoted(const struct place *place, const char *at)
{
    const bool in_object = place->depth > 0 && place->brackets[place->depth - 1] == '{';
    return !place->in_string && strncmp(at, unquoted, strlen(unquoted)) == 0 &&
           (place->before == '\0' || strchr(in_object ? ":" : "[,", place->before) != NULL);
}

char *reference_quote(const char *text, size_t *length)
{
    char *copy = calloc(2, *length + 1), *out = copy; /* twice: it grows from 9 bytes to 11 */
    struct place place = {.brackets = malloc(*length + 1)};
    const char *const end = text + *length;
    bool any = false;
    for (const char *at = text; at < end;) {
        if (is_unquoted(&place, at)) {
            out += sprintf(out, "\"%s\"", unquoted);
            at += strlen(unquoted);
            place.before = '"';
            any = true;
            continue;
        }
        if (place.in_string && *at == '\\' && at + 1 < end)
            *out++ = *at++;
        else
            pass(&place, *at);
        *out++ = *at++;
    }
    *length = (size_t)(out - copy);
    free(place.brackets);
    if (any)
        return copy;
    free(copy);
    return NULL;
}

/* ---- Single values ---- */

/* The integer that a number's text spells, by writing all its digits out. */
static int exact_integer(const char *text, uint64_t *value)
{
    char digits[1024], whole[32];
    size_t count = 0;
    const bool negative = *text == '-';
    long exponent = 0;
    bool behind_point = false;
    for (text += negative; (*text >= '0' && *text <= '9') || *text == '.'; text++) {
        behind_point |= *text == '.';
        if (*text != '.' && count < sizeof digits) {
            digits[count++] = *text;
            exponent -= behind_point;
        }
    }
    if (*text == 'e' || *text == 'E') {
        const long written = strtol(text + 1, NULL, 10), most = 10 * (long)sizeof digits; /* beyond it all are alike */
        exponent += written > most ? most : written < -most ? -most : written;
    }
    size_t first = 0;
    while (first < count && digits[first] == '0')
        first++;
    while (count > first && digits[count - 1] == '0') {
        count--;
        exponent++;
    }
    *value = 0;
    if (first == count)
        return 0;
    if (exponent < 0 || negative || (long)(count - first) + exponent > 20)
        return -1;
    memcpy(whole, digits + first, count - first);
    memset(whole + count - first, '0', (size_t)exponent);
    whole[count - first + (size_t)exponent] = '\0';
    errno = 0;
    *value = strtoull(whole, NULL, 10);
    return errno == 0 ? 0 : -1;
}

static bool in_range(const struct json_named_array *member, double value)
{
    return !(member->minimum < member->maximum) || (value >= member->minimum && value <= member->maximum);
}

static int read_real(const struct json_named_array *member, const json_t *node, double *value)
{
    *value = -INFINITY;
    if (json_is_null(node) || json_is_string(node))
        return member->minus_infinity && (json_is_null(node) || strcmp(json_string_value(node), "-Infinity") == 0) ? 0
                                                                                                                   : -1;
    *value = json_real_value(node);
    return json_is_real(node) && in_range(member, *value) ? 0 : -1;
}

static int read_value(struct json_named_array *member, const json_t *node, const char *text)
{
    struct api_tensor *array = &member->array;
    double real;
    uint64_t integer;
    switch (member->dtype) {
    case API_FLOAT32:
        if (read_real(member, node, &real) != 0 || (isinf((float)real) && !isinf(real)))
            return -1;
        ((float *)array->data)[array->count++] = (float)real;
        return 0;
    case API_FLOAT64:
        if (read_real(member, node, &real) != 0 ||
            (member->whole && exact_integer(text + (*text == '-'), &integer) != 0))
            return -1;
        ((double *)array->data)[array->count++] = real;
        return 0;
    case API_UINT64:
        if (!json_is_real(node) || exact_integer(text, &integer) != 0 ||
            (member->minimum < member->maximum && (integer > (uint64_t)member->maximum)))
            return -1;
        ((uint64_t *)array->data)[array->count++] = integer;
        return 0;
    default:
        if (!json_is_boolean(node))
            return -1;
        ((uint8_t *)array->data)[array->count++] = json_is_true(node);
        return 0;
    }
}

/* ---- Arrays ---- */

/* Bit i of *known: the length of the arrays that are i deep has been seen. */
static int walk(struct json_named_array *member, const json_t *node, const char *text, size_t depth, unsigned *known)
{
    struct api_tensor *array = &member->array;
    if (!json_is_array(node)) {
        if (array->rank != 0 && depth != array->rank)
            return -1;
        array->rank = depth;
        return read_value(member, node, text);
    }
    const size_t length = json_array_size(node);
    if (depth == API_TENSOR_MAX_RANK || (*known >> depth & 1 && array->shape[depth] != length) ||
        (length == 0 && array->rank != 0 && array->rank != depth + 1))
        return -1;
    array->shape[depth] = length;
    *known |= 1u << depth;
    if (length == 0)
        array->rank = depth + 1;
    text = skip_space(text + 1);
    for (size_t i = 0; i < length; i++) {
        if (walk(member, json_array_get(node, i), text, depth + 1, known) != 0)
            return -1;
        text = skip_space(skip_space(skip_value(text)) + 1);
    }
    return 0;
}

static bool is_taken(const struct json_named_array *member, const json_t *node)
{
    if (json_is_array(node) || !member->scalar)
        return json_is_array(node);
    return member->dtype == API_BOOL ? json_is_boolean(node) : json_is_real(node);
}

static int read_members(const char *text, size_t length, struct json_named_array *members, size_t count, json_t *root)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *node = json_object_get(root, members[i].name);
        if (!is_taken(&members[i], node))
            continue;
        members[i].found = true;
        members[i].array = (struct api_tensor){.dtype = members[i].dtype, .data = calloc(length, 8)};
        if (walk(&members[i], node, value_of(text, members[i].name), 0, &(unsigned){0}) != 0)
            return -1;
        json_object_set_new(root, members[i].name, json_null());
    }
    return 0;
}

/* jansson passes over some NUL bytes; the contract refuses them all. */
int reference_read(const char *text, size_t length, struct json_named_array *members, size_t count, json_t **envelope)
{
    if (memchr(text, '\0', length) != NULL)
        return -1;
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
    if (json_is_object(root) && read_members(text, length, members, count, root) == 0) {
        *envelope = root;
        return 0;
    }
    json_decref(root);
    return -1;
}
