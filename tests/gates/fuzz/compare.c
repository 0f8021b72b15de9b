#include "gates/fuzz/compare.h"
#include "gates/fuzz/reference.h"
#include "json/envelope.h"

#include <stdlib.h>
#include <string.h>

#define COMPARE_MEMBERS 7

/* What a body's members are read as, by both. */
static const struct json_named_array compare_members[COMPARE_MEMBERS] = {
    {.name = "logits", .minus_infinity = true},
    {.name = "tau", .scalar = true, .minimum = 0, .maximum = 3.4028235e38},
    {.name = "bare", .scalar = true},
    {.name = "wide", .dtype = API_FLOAT64, .minus_infinity = true},
    {.name = "seed", .dtype = API_UINT64, .scalar = true, .minimum = 0, .maximum = 9007199254740991},
    {.name = "mask", .dtype = API_BOOL, .scalar = true},
    {.name = "top", .dtype = API_FLOAT64, .scalar = true, .whole = true, .minimum = -1, .maximum = 2147483647},
};

/* What was read of one object. */
struct reading {
    int result;
    struct json_named_array members[COMPARE_MEMBERS];
    json_t *envelope;
};

static void start(struct reading *reading)
{
    memcpy(reading->members, compare_members, sizeof reading->members);
    reading->envelope = NULL;
}

static void release(struct reading *reading)
{
    for (size_t i = 0; i < COMPARE_MEMBERS; i++)
        free(reading->members[i].array.data);
    json_decref(reading->envelope);
}

static bool same_array(const struct json_named_array *a, const struct json_named_array *b)
{
    if (a->found != b->found)
        return false;
    return !a->found ||
           (a->array.dtype == b->array.dtype && a->array.count == b->array.count && a->array.rank == b->array.rank &&
            memcmp(a->array.shape, b->array.shape, sizeof a->array.shape) == 0 &&
            memcmp(a->array.data, b->array.data, a->array.count * api_dtypes[a->dtype].size) == 0);
}

static const char *difference(const struct reading *ours, const struct reading *plain)
{
    if (ours->result != plain->result)
        return ours->result == 0 ? "taken, and refused by the plain reading"
                                 : "refused, and taken by the plain reading";
    if (ours->result != 0)
        return NULL;
    for (size_t i = 0; i < COMPARE_MEMBERS; i++)
        if (!same_array(&ours->members[i], &plain->members[i]))
            return compare_members[i].name;
    return json_equal(ours->envelope, plain->envelope) ? NULL : "the rest differs";
}

/* A problem's place lies within the text. */
static const char *misplaced(const struct api_problem *problem, const struct json_text *text)
{
    const size_t first = text->offset, last = first + text->length;
    if (problem->offset != API_NO_OFFSET && (problem->offset < first || problem->offset > last))
        return "the offset lies outside of the text";
    if (strncmp(problem->pointer, text->pointer, strlen(text->pointer)) != 0)
        return "the pointer points elsewhere";
    return NULL;
}

static const char *compare_object(const struct json_text *text, const char *plain_text, size_t plain_length)
{
    struct reading ours, plain;
    struct api_problem problem = {0};
    start(&ours);
    start(&plain);
    ours.result = json_envelope_read(text, ours.members, COMPARE_MEMBERS, &ours.envelope, &problem);
    plain.result = reference_read(plain_text, plain_length, plain.members, COMPARE_MEMBERS, &plain.envelope);
    const char *what = difference(&ours, &plain);
    if (what == NULL && ours.result != 0)
        what = misplaced(&problem, text);
    release(&ours);
    release(&plain);
    return what;
}

/* Whether jansson's reading stopped at what no JSON has there. */
static bool is_broken(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_duplicate_key:
    case json_error_numeric_overflow:
    case json_error_stack_overflow:
        return false;
    default:
        return true;
    }
}

/* A text breaks if jansson finds no JSON in it, and no later than jansson has read; so a problem says. */
static const char *compare_breaks(const struct json_text *text, const json_t *root, const json_error_t *error)
{
    struct json_reader reader;
    struct json_elements elements = {0};
    struct api_problem problem = {0};
    json_t *envelope = NULL;
    if (root == NULL && !is_broken(error))
        return NULL;
    json_reader_open(&reader, text);
    if ((json_reader_pass(&reader) && json_reader_end(&reader)) == (root == NULL))
        return root == NULL ? "no break in what is no JSON" : "a break in what is JSON";
    if (root != NULL)
        return NULL;
    const size_t first = (size_t)(reader.broke - text->body);
    const char *what = first > (size_t)error->position ? "a break where jansson has not come to" : NULL;
    if (json_elements_read(text, "requests", COMPARE_MAX_ELEMENTS, &elements, &envelope, &problem) != 0 &&
        problem.code == API_MALFORMED_JSON && problem.offset != first)
        what = "the offset is not where the text breaks";
    json_decref(envelope);
    free(elements.texts);
    return what;
}

/* Elements found in a text that is valid as a whole, or taken one by one in one that is not. */
static const char *compare_elements(const struct json_text *text, json_t *root)
{
    struct json_elements elements = {0};
    struct json_text expected[COMPARE_MAX_ELEMENTS];
    struct api_problem problem = {0};
    json_t *envelope = NULL;
    const char *what = NULL;
    const bool wanted = json_is_array(json_object_get(root, "requests"));
    const size_t count = wanted ? reference_elements(text->body, "requests", expected, COMPARE_MAX_ELEMENTS) : 0;
    const int result = json_elements_read(text, "requests", COMPARE_MAX_ELEMENTS, &elements, &envelope, &problem);
    bool taken = result == 0;
    if (root != NULL && json_is_object(root) &&
        (result == 0) != (!wanted || (count > 0 && count <= COMPARE_MAX_ELEMENTS)))
        what = "elements are refused in a text that is right, or taken in one that is not";
    else if (root != NULL && result == 0 && elements.count != count)
        what = "another number of elements";
    for (size_t i = 0; what == NULL && i < elements.count; i++) {
        json_t *value = json_loadb(elements.texts[i].body, elements.texts[i].length,
                                   JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL | JSON_DECODE_ANY, NULL);
        taken = taken && value != NULL;
        json_decref(value);
        char *copy = strndup(elements.texts[i].body, elements.texts[i].length);
        what = compare_object(&elements.texts[i], copy, elements.texts[i].length);
        free(copy);
    }
    if (what == NULL && root == NULL && taken)
        what = "each element and the rest are JSON, and the whole is not";
    json_decref(envelope);
    free(elements.texts);
    return what;
}

/* Both copies end where their memory does, so that a sanitizer sees what is read after them. */
static const char *compare_json(const char *body, size_t length)
{
    char *padded = calloc(1, length + API_BODY_PADDING), *plain = calloc(1, length + 1);
    memcpy(padded, body, length);
    memcpy(plain, body, length);
    const struct json_text text = {.body = padded, .length = length};
    const char *what = compare_object(&text, plain, length);
    if (what == NULL) {
        const bool nul = memchr(body, '\0', length) != NULL;
        const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL | JSON_DECODE_ANY;
        json_error_t error;
        json_t *root = nul ? NULL : json_loadb(plain, length, flags, &error);
        what = compare_elements(&text, root);
        if (what == NULL && !nul)
            what = compare_breaks(&text, root, &error);
        json_decref(root);
    }
    free(padded);
    free(plain);
    return what;
}

const char *compare_readers(const char *body, size_t length)
{
    size_t quoted_length = length;
    char *text = calloc(1, length + 1);
    memcpy(text, body, length);
    char *quoted = reference_quote(text, &quoted_length);
    free(text);
    if (quoted == NULL)
        return compare_json(body, length);
    char *padded = calloc(1, length + API_BODY_PADDING);
    memcpy(padded, body, length);
    const char *what = compare_object(&(struct json_text){.body = padded, .length = length}, quoted, quoted_length);
    if (what == NULL)
        what = compare_json(quoted, quoted_length);
    free(padded);
    free(quoted);
    return what;
}
