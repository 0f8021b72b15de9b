#include "json/envelope.h"
#include "json/string.h"

#include <stdio.h>
#include <string.h>

/* Reads a member's value where the reader is, and passes it: 1 if it did, 0 if the value is to become a tree, -1 and a
 * problem. */
typedef int taker(void *closure, struct json_reader *reader, const struct json_key *key, struct api_problem *problem);

/* ---- Members ---- */

/* The member of that name in the tree, from now on null; -1 and *problem if there is one already, or memory is short.
 */
static int add_name(const struct json_reader *reader, const struct json_key *key, json_t *envelope, char **name,
                    struct api_problem *problem)
{
    *name = api_malloc(key->length + 1);
    if (*name == NULL)
        return api_fail(problem, API_OUT_OF_MEMORY, reader->text->pointer, API_NO_OFFSET, "no memory for the JSON");
    json_string_decode(key->at, key->length, *name, key->length + 1);
    if (json_object_get(envelope, *name) != NULL)
        return json_reader_fail_member(reader, key->at + key->length + 1, API_DUPLICATE_MEMBER,
                                       "a member is duplicated", problem);
    return 0;
}

static int read_member(struct json_reader *reader, const struct json_key *key, json_t *envelope, taker *take,
                       void *closure, struct api_problem *problem)
{
    char *name;
    json_t *tree = NULL;
    if (json_reader_is_too_large(reader))
        return json_reader_fail(reader, problem);
    int result = add_name(reader, key, envelope, &name, problem);
    if (result == 0)
        result = take(closure, reader, key, problem);
    if (result == 0)
        result = json_tree_read(reader, &tree, problem);
    else if (result > 0)
        tree = json_null();
    if (result >= 0 && json_object_set_new_nocheck(envelope, name, tree) != 0)
        result = api_fail(problem, API_OUT_OF_MEMORY, reader->text->pointer, API_NO_OFFSET, "no memory for the JSON");
    api_free(name);
    return result < 0 ? -1 : 0;
}

int json_envelope_refuse(struct json_reader *reader, struct api_problem *problem)
{
    const struct json_text *text = reader->text;
    if (!json_reader_pass(reader) || !json_reader_end(reader))
        return json_reader_fail(reader, problem);
    return api_fail(problem, API_WRONG_TYPE, text->pointer, *text->pointer != '\0' ? text->offset : API_NO_OFFSET, "%s",
                    *text->pointer != '\0' ? "must be an object" : "the body must be a JSON object");
}

static int read_members(struct json_reader *reader, json_t *envelope, taker *take, void *closure,
                        struct api_problem *problem)
{
    struct json_key key;
    int more;
    if (!json_reader_enter(reader, '{'))
        return json_envelope_refuse(reader, problem);
    while ((more = json_reader_member(reader, &key)) > 0)
        if (read_member(reader, &key, envelope, take, closure, problem) != 0)
            return -1;
    return more == 0 && json_reader_end(reader) ? 0 : json_reader_fail(reader, problem);
}

static int read_object(const struct json_text *text, json_t **envelope, taker *take, void *closure,
                       struct api_problem *problem)
{
    struct json_reader reader;
    json_t *tree = json_object();
    if (tree == NULL)
        return api_fail(problem, API_OUT_OF_MEMORY, text->pointer, API_NO_OFFSET, "no memory for the JSON");
    json_reader_open(&reader, text);
    if (read_members(&reader, tree, take, closure, problem) != 0) {
        json_decref(tree);
        return -1;
    }
    *envelope = tree;
    return 0;
}

/* ---- Arrays ---- */

struct arrays {
    struct json_named_array *named;
    size_t count;
};

static int take_array(void *closure, struct json_reader *reader, const struct json_key *key,
                      struct api_problem *problem)
{
    const struct arrays *arrays = closure;
    for (size_t i = 0; i < arrays->count; i++) {
        struct json_named_array *named = &arrays->named[i];
        if (!json_array_begins(named, reader->next) || !json_key_is(key, named->name))
            continue;
        const char *end = json_array_read(reader->text, reader->next, named, problem);
        if (end == NULL)
            return -1;
        named->found = true;
        json_reader_pass_to(reader, end);
        return 1;
    }
    return 0;
}

int json_envelope_read(const struct json_text *text, struct json_named_array *arrays, size_t array_count,
                       json_t **envelope, struct api_problem *problem)
{
    return read_object(text, envelope, take_array, &(struct arrays){arrays, array_count}, problem);
}

/* ---- Values that are found by their brackets ---- */

static const char *skip_space(const char *next)
{
    return next + strspn(next, " \n\r\t");
}

/* ---- The elements of one array ---- */

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
    snprintf(detail, sizeof detail, "there may be %zu at most", finder->max);
    fail_element(finder, at, API_OUT_OF_RANGE, detail);
    if (finder->problem != NULL)
        finder->problem->limit = finder->max;
    return -1;
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

/* After a '[': every element up to its ']'. Returns the byte after that, or NULL. */
static const char *find_elements(struct finder *finder, const char *next)
{
    for (;; next++) {
        const char *begin = skip_space(next);
        next = json_value_end(begin);
        if (next == NULL || *next == '}' || (next == begin && (*next != ']' || finder->elements->count > 0))) {
            fail_element(finder, begin, API_MALFORMED_JSON, "expected a value");
            return NULL;
        }
        if (next != begin && append_element(finder, begin, next) != 0)
            return NULL;
        if (*next == ']')
            return next + 1;
    }
}

static int take_elements(void *closure, struct json_reader *reader, const struct json_key *key,
                         struct api_problem *problem)
{
    struct finder *finder = closure;
    const char *begin = reader->next;
    if (*begin != '[' || !json_key_is(key, finder->name))
        return 0;
    const char *end = find_elements(finder, begin + 1);
    if (end == NULL)
        return -1;
    if (finder->elements->count == 0)
        return json_reader_fail_member(reader, end - 1, API_EMPTY_ARRAY, "there must be at least one", problem);
    finder->elements->found = true;
    json_reader_pass_to(reader, end);
    return 1;
}

/* What is found by its brackets has not been read, so it is from here that a break in it is reported. */
static int report_break(const struct json_text *text, struct api_problem *problem)
{
    struct json_reader reader;
    if (problem == NULL || problem->code != API_MALFORMED_JSON)
        return -1;
    json_reader_open(&reader, text);
    return json_reader_pass(&reader) && json_reader_end(&reader) ? -1 : json_reader_fail(&reader, problem);
}

int json_elements_read(const struct json_text *text, const char *name, size_t max, struct json_elements *elements,
                       json_t **envelope, struct api_problem *problem)
{
    struct json_elements found = {0};
    struct finder finder = {.text = text, .name = name, .max = max, .elements = &found, .problem = problem};
    if (read_object(text, envelope, take_elements, &finder, problem) == 0) {
        *elements = found;
        return 0;
    }
    api_free(found.texts);
    return report_break(text, problem);
}

/* ---- One member ---- */

struct wanted {
    const char *name;
    char first;
    struct json_text *member;
};

static int take_member(void *closure, struct json_reader *reader, const struct json_key *key,
                       struct api_problem *problem)
{
    const struct wanted *wanted = closure;
    const char *begin = reader->next;
    (void)problem;
    if (*begin != wanted->first || !json_key_is(key, wanted->name))
        return 0;
    const char *end = json_value_end(begin);
    if (end == NULL)
        return 0;
    const struct json_text *text = reader->text;
    *wanted->member = (struct json_text){.body = begin, .length = (size_t)(end - begin)};
    json_reader_pass_to(reader, text->body + text->length < end ? text->body + text->length : end);
    return 1;
}

int json_member_read(const struct json_text *text, const char *name, char first, struct json_text *member,
                     json_t **envelope, struct api_problem *problem)
{
    *member = (struct json_text){0};
    if (read_object(text, envelope, take_member, &(struct wanted){name, first, member}, problem) == 0)
        return 0;
    return report_break(text, problem);
}
