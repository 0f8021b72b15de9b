/* A light scan over the outermost object finds the arrays; they are read strictly and cut out, and jansson
 * reads and checks all the rest. The scan itself checks nothing: where the text is no JSON it may stop or go
 * astray, but every byte that it passes over, jansson sees, and an array is replaced by another whole value,
 * so that the text is JSON with the array if and only if it is without. */
#include "json/envelope.h"
#include "json/break.h"
#include "json/memory.h"
#include "json/scan.h"
#include "json/string.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- What is wrong, in the client's terms ---- */

/* Finds the member of the outermost object in which the byte `at` lies. */
static bool find_member(const struct json_text *text, const char *at, struct json_scan_member *found)
{
    bool inside = false;
    struct json_scan_member member;
    for (const char *next = json_scan_first(text);
         next != NULL && json_scan_member(next, &member) && member.key <= at;) {
        *found = member;
        inside = true;
        next = json_scan_value(member.value);
        if (next != NULL && *next != ',') /* the object's end */
            return at <= next;
        next = next != NULL ? next + 1 : NULL;
    }
    return inside;
}

/* Appends that member's name to the pointer to the text; nothing where there is none. */
static void member_pointer(const struct json_text *text, size_t offset, char *pointer, size_t size)
{
    struct json_scan_member member;
    const size_t used = (size_t)snprintf(pointer, size, "%s", text->pointer);
    char *name = find_member(text, text->body + offset, &member) ? json_string_decode(member.key, member.key_length)
                                                                 : NULL;
    if (name != NULL)
        json_pointer_write(pointer + used, size - used, name);
    api_free(name);
}

static int fail_at(const struct json_text *text, size_t offset, enum api_problem_code code, const char *reason,
                   struct api_problem *problem)
{
    char pointer[sizeof problem->pointer];
    member_pointer(text, offset, pointer, sizeof pointer);
    return api_fail(problem, code, pointer, text->offset + offset, "%s", reason);
}

/* A problem that a break in the text has brought about, or may have: tells of the break in its place. Returns -1. */
static int tell_break(const struct json_text *text, struct api_problem *problem)
{
    struct json_break found;
    if (problem == NULL || problem->code != API_MALFORMED_JSON || !json_break_find(text, &found))
        return -1;
    return api_fail(problem, API_MALFORMED_JSON, found.pointer, text->offset + (size_t)(found.at - text->body), "%s",
                    found.reason);
}

/* ---- Cutting the arrays out ---- */

struct hole {
    const char *begin, *end;
};

/* The text with each hole replaced by null, handed to jansson piece by piece. */
struct rest {
    const struct json_text *text;
    struct hole holes[JSON_ENVELOPE_MAX_ARRAYS]; /* ascending */
    size_t hole_count;
    size_t piece; /* being handed over: even ones are text, odd ones are null */
    size_t done;  /* bytes of it */
};

static const char in_place_of_array[] = "null";
#define NULL_LENGTH (sizeof in_place_of_array - 1)

static const char *piece_begin(const struct rest *rest, size_t piece)
{
    if (piece % 2 == 1)
        return in_place_of_array;
    return piece == 0 ? rest->text->body : rest->holes[piece / 2 - 1].end;
}

static size_t piece_length(const struct rest *rest, size_t piece)
{
    if (piece % 2 == 1)
        return NULL_LENGTH;
    const char *end = piece / 2 == rest->hole_count ? rest->text->body + rest->text->length
                                                    : rest->holes[piece / 2].begin;
    return (size_t)(end - piece_begin(rest, piece));
}

static size_t rest_length(const struct rest *rest)
{
    size_t length = 0;
    for (size_t piece = 0; piece <= 2 * rest->hole_count; piece++)
        length += piece_length(rest, piece);
    return length;
}

static size_t give_rest(void *buffer, size_t size, void *argument)
{
    struct rest *rest = argument;
    while (rest->piece <= 2 * rest->hole_count) {
        size_t left = piece_length(rest, rest->piece) - rest->done;
        if (left == 0) {
            rest->piece++;
            rest->done = 0;
            continue;
        }
        size_t count = left < size ? left : size;
        memcpy(buffer, piece_begin(rest, rest->piece) + rest->done, count);
        rest->done += count;
        return count;
    }
    return 0;
}

/* The offset in the text of a position in the rest. */
static size_t body_offset(const struct rest *rest, size_t position)
{
    for (size_t i = 0; i < rest->hole_count; i++) {
        const struct hole *hole = &rest->holes[i];
        size_t begin = (size_t)(hole->begin - rest->text->body);
        if (position <= begin)
            break;
        position = position < begin + NULL_LENGTH ? begin : position - NULL_LENGTH + (size_t)(hole->end - hole->begin);
    }
    return position < rest->text->length ? position : rest->text->length;
}

static struct json_named_array *wanted(const struct json_scan_member *member, struct json_named_array *arrays,
                                       size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!arrays[i].found && json_array_begins(&arrays[i], *member->value) && json_scan_is(member, arrays[i].name))
            return &arrays[i];
    return NULL;
}

/* Puts a hole in place of a value. What follows it is checked here, lest jansson tell of the null. */
static int cut(struct rest *rest, const char *begin, const char *end, struct api_problem *problem)
{
    const char *behind = json_scan_space(end);
    if (strchr(",}", *behind) == NULL) /* or the end of the text */
        return fail_at(rest->text, (size_t)(behind - rest->text->body), API_MALFORMED_JSON,
                       "expected ',' or '}' behind a value", problem);
    rest->holes[rest->hole_count++] = (struct hole){begin, end};
    return 0;
}

static int cut_arrays(struct rest *rest, struct json_named_array *arrays, size_t array_count,
                      struct api_problem *problem)
{
    const char *next = json_scan_first(rest->text);
    struct json_scan_member member;
    while (next != NULL && json_scan_member(next, &member)) {
        next = member.value;
        struct json_named_array *array = wanted(&member, arrays, array_count);
        if (array != NULL) {
            next = json_array_read(rest->text, member.value, array, problem);
            if (next == NULL)
                return -1;
            array->found = true;
            if (cut(rest, member.value, next, problem) != 0)
                return -1;
        }
        next = json_scan_value(next);
        next = next != NULL && *next == ',' ? next + 1 : NULL;
    }
    return 0;
}

/* ---- What jansson says is wrong ---- */

static int fail_as_jansson(const struct rest *rest, const json_error_t *error, struct api_problem *problem)
{
    const size_t position = error->position < 0 ? 0 : (size_t)error->position;
    enum api_problem_code code = API_MALFORMED_JSON;
    switch (json_error_code(error)) {
    case json_error_duplicate_key:
        code = API_DUPLICATE_MEMBER;
        break;
    case json_error_numeric_overflow:
        code = API_OUT_OF_RANGE;
        break;
    default:
        break;
    }
    fail_at(rest->text, body_offset(rest, position), code, error->text, problem);
    return tell_break(rest->text, problem);
}

/* ---- The whole object ---- */

static int refuse_nul(const struct json_text *text, struct api_problem *problem)
{
    const char *nul = text->length > 0 ? memchr(text->body, '\0', text->length) : NULL;
    if (nul == NULL)
        return 0;
    return fail_at(text, (size_t)(nul - text->body), API_MALFORMED_JSON, "a NUL byte is no part of JSON", problem);
}

static size_t rest_bound(const struct rest *rest)
{
    size_t bytes = 0;
    for (size_t piece = 0; piece <= 2 * rest->hole_count; piece++)
        bytes += json_memory_bound(piece_begin(rest, piece), piece_length(rest, piece));
    return bytes;
}

/* What is left in place of the holes, as jansson reads it. */
static int read_rest(struct rest *rest, json_t **envelope, struct api_problem *problem)
{
    const char *pointer = rest->text->pointer;
    if (rest_length(rest) > JSON_ENVELOPE_MAX_BYTES) {
        api_fail(problem, API_ENVELOPE_TOO_LARGE, pointer, API_NO_OFFSET, "without its arrays it may have %u bytes",
                 JSON_ENVELOPE_MAX_BYTES);
        if (problem != NULL)
            problem->limit = JSON_ENVELOPE_MAX_BYTES;
        return -1;
    }
    json_error_t error;
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL | JSON_DECODE_ANY;
    if (!json_memory_open(rest_bound(rest)))
        return api_fail(problem, API_OUT_OF_MEMORY, pointer, API_NO_OFFSET, "no memory for the JSON");
    json_t *root = json_load_callback(give_rest, rest, flags, &error);
    json_memory_close();
    if (root == NULL)
        return fail_as_jansson(rest, &error, problem);
    if (json_is_object(root)) {
        *envelope = root;
        return 0;
    }
    json_decref(root);
    return api_fail(problem, API_WRONG_TYPE, pointer, *pointer != '\0' ? rest->text->offset : API_NO_OFFSET, "%s",
                    *pointer != '\0' ? "must be an object" : "the body must be a JSON object");
}

int json_envelope_read(const struct json_text *text, struct json_named_array *arrays, size_t array_count,
                       json_t **envelope, struct api_problem *problem)
{
    struct rest rest = {.text = text};
    assert(array_count <= JSON_ENVELOPE_MAX_ARRAYS);
    if (refuse_nul(text, problem) != 0)
        return -1;
    if (cut_arrays(&rest, arrays, array_count, problem) != 0)
        return tell_break(text, problem);
    return read_rest(&rest, envelope, problem);
}

/* ---- The elements of one array ---- */

/* The array that is the value of member `name`, or NULL. */
static const char *find_value(const struct json_text *text, const char *name, char first)
{
    const char *next = json_scan_first(text);
    struct json_scan_member member;
    while (next != NULL && json_scan_member(next, &member)) {
        if (*member.value == first && json_scan_is(&member, name))
            return member.value;
        next = json_scan_value(member.value);
        next = next != NULL && *next == ',' ? next + 1 : NULL;
    }
    return NULL;
}

/* Where elements are found: the array's name and limit, and what is known of it so far. */
struct finder {
    const struct json_text *text;
    const char *name;
    size_t max, capacity;
    struct json_elements *elements;
    struct api_problem *problem;
};

static int fail_element(const struct finder *finder, const char *at, enum api_problem_code code, const char *detail)
{
    char pointer[sizeof finder->text->pointer];
    snprintf(pointer, sizeof pointer, "%.20s/%.16s/%zu", finder->text->pointer, finder->name, finder->elements->count);
    return api_fail(finder->problem, code, pointer, finder->text->offset + (size_t)(at - finder->text->body), "%s",
                    detail);
}

static int refuse_more(const struct finder *finder, const char *at)
{
    char detail[64];
    snprintf(detail, sizeof detail, "there may be %zu at the most", finder->max);
    fail_element(finder, at, API_OUT_OF_RANGE, detail);
    if (finder->problem != NULL)
        finder->problem->limit = finder->max;
    return -1;
}

/* Nothing stands where an element was expected. */
static void refuse_gap(const struct finder *finder, const char *at)
{
    if (*at != ']' || finder->elements->count > 0)
        fail_element(finder, at, API_MALFORMED_JSON, "expected a value");
    else
        fail_at(finder->text, (size_t)(at - finder->text->body), API_EMPTY_ARRAY, "there must be at least one",
                finder->problem);
}

static int append_element(struct finder *finder, const char *begin, const char *end)
{
    struct json_elements *elements = finder->elements;
    if (elements->count == finder->max)
        return refuse_more(finder, begin);
    if (elements->count == finder->capacity) {
        finder->capacity = finder->capacity == 0 ? 16 : 2 * finder->capacity;
        struct json_text *more = api_realloc(elements->texts, finder->capacity * sizeof *more);
        if (more == NULL)
            return fail_element(finder, begin, API_OUT_OF_MEMORY, "no memory for the elements");
        elements->texts = more;
    }
    struct json_text *element = &elements->texts[elements->count];
    *element = (struct json_text){
        .body = begin,
        .length = (size_t)(end - begin),
        .offset = finder->text->offset + (size_t)(begin - finder->text->body),
    };
    snprintf(element->pointer, sizeof element->pointer, "%.20s/%.16s/%zu", finder->text->pointer, finder->name,
             elements->count++);
    return 0;
}

/* Behind a '[': every element up to its ']'. Returns the byte behind that, or NULL. */
static const char *find_elements(struct finder *finder, const char *next)
{
    for (;; next++) {
        const char *begin = json_scan_space(next);
        next = json_scan_value(begin);
        if (next == NULL || *next == '}') {
            fail_element(finder, begin, API_MALFORMED_JSON, "expected ',' or ']' behind an element");
            return NULL;
        }
        if (next == begin) {
            refuse_gap(finder, begin);
            return NULL;
        }
        if (append_element(finder, begin, next) != 0)
            return NULL;
        if (*next == ']')
            return next + 1;
    }
}

static int cut_elements(struct rest *rest, struct finder *finder)
{
    const char *begin = find_value(finder->text, finder->name, '[');
    if (begin == NULL)
        return 0;
    const char *end = find_elements(finder, begin + 1);
    if (end == NULL)
        return -1;
    finder->elements->found = true;
    return cut(rest, begin, end, finder->problem);
}

int json_elements_read(const struct json_text *text, const char *name, size_t max, struct json_elements *elements,
                       json_t **envelope, struct api_problem *problem)
{
    struct rest rest = {.text = text};
    struct json_elements found = {0};
    struct finder finder = {.text = text, .name = name, .max = max, .elements = &found, .problem = problem};
    int result = refuse_nul(text, problem);
    if (result == 0 && cut_elements(&rest, &finder) != 0)
        result = tell_break(text, problem);
    else if (result == 0)
        result = read_rest(&rest, envelope, problem);
    if (result == 0)
        *elements = found;
    else
        api_free(found.texts);
    return result;
}

int json_member_read(const struct json_text *text, const char *name, char first, struct json_text *member,
                     json_t **envelope, struct api_problem *problem)
{
    struct rest rest = {.text = text};
    const char *begin = find_value(text, name, first), *end = begin != NULL ? json_scan_value(begin) : NULL;
    *member = (struct json_text){0};
    if (end != NULL) {
        rest.holes[rest.hole_count++] = (struct hole){begin, end};
        *member = (struct json_text){.body = begin, .length = (size_t)(end - begin)};
    }
    return refuse_nul(text, problem) != 0 ? -1 : read_rest(&rest, envelope, problem);
}

int json_object_read(const struct json_text *text, const char *name, struct json_text *object, json_t **envelope,
                     struct api_problem *problem)
{
    return json_member_read(text, name, '{', object, envelope, problem);
}
