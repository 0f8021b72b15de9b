#include "call/query.h"
#include "call/arrays.h"
#include "contract/suggest.h"
#include "json/pointer.h"
#include "json/tree.h"

#include <string.h>

int query_fail(struct api_problem *problem, enum api_problem_code code, const char *name, const char *detail)
{
    char pointer[256];
    json_pointer_write(pointer, sizeof pointer, name);
    return api_fail(problem, code, pointer, API_NO_OFFSET, "%s", detail);
}

/* ---- Values in JSON ---- */

/* A list begins with a bracket, a bare one with a number and a comma; of classes it may be one number. */
static bool is_bare_list(const struct api_parameter *parameter, const struct api_argument *argument)
{
    const char first = argument->value[strspn(argument->value, " \n\r\t")];
    if (parameter->type == API_CLASS_LIST)
        return first == '-' || (first >= '0' && first <= '9');
    return parameter->per_row && first != '[' && first != '{' && memchr(argument->value, ',', argument->length) != NULL;
}

/* Whether a digit is missing before the point at `at`: .5 is 0.5 there, which JSON does not have. */
static bool lacks_zero(const char *text, const char *at)
{
    return *at == '.' && (at == text || at[-1] < '0' || at[-1] > '9');
}

/* A copy of the value, followed by the padding of a body; a bare list gets its brackets. NULL if memory is short. */
static char *copy_value(const struct api_parameter *parameter, const struct api_argument *argument, size_t *length)
{
    const bool bare_list = is_bare_list(parameter, argument);
    bool in_string = false;
    char *text = api_calloc(1, 2 * argument->length + 2 + API_BODY_PADDING), *out = text;
    if (text == NULL)
        return NULL;
    if (bare_list)
        *out++ = '[';
    for (size_t i = 0; i < argument->length; i++) {
        in_string ^= argument->value[i] == '"';
        if (!in_string && lacks_zero(argument->value, argument->value + i))
            *out++ = '0';
        *out++ = argument->value[i];
    }
    if (bare_list)
        *out++ = ']';
    *length = (size_t)(out - text);
    return text;
}

static bool is_empty(const struct api_argument *argument)
{
    return strspn(argument->value, " \n\r\t") == argument->length;
}

/* What the reader of bodies reports, of the argument. */
static int fail_value(const struct api_parameter *parameter, const struct api_argument *argument,
                      const struct api_problem *own, struct api_problem *problem)
{
    char pointer[256];
    json_pointer_write(pointer, sizeof pointer, parameter->name);
    if (own->code != API_MALFORMED_JSON)
        return api_fail(problem, own->code, *own->pointer != '\0' ? own->pointer : pointer, API_NO_OFFSET, "%s",
                        own->detail);
    if (is_empty(argument))
        return api_fail(problem, API_WRONG_TYPE, pointer, API_NO_OFFSET, "has no value in the query");
    return api_fail(problem, API_WRONG_TYPE, pointer, API_NO_OFFSET,
                    "the value is not written as in JSON (%s), or its special characters are not percent-encoded",
                    own->detail);
}

/* A list of one value per row, or a tree. */
static int read_text(const struct json_text *text, const struct api_parameter *parameter,
                     struct json_named_array *array, json_t **tree, struct api_problem *problem)
{
    struct json_reader reader;
    json_reader_open(&reader, text);
    reader.next += strspn(reader.next, " \n\r\t");
    array->found = parameter->per_row && json_array_begins(array, reader.next);
    if (array->found) {
        const char *end = json_array_read(text, reader.next, array, problem);
        if (end == NULL)
            return -1;
        json_reader_pass_to(&reader, end);
    } else if (json_tree_read(&reader, tree, problem) != 0) {
        return -1;
    }
    return json_reader_end(&reader) ? 0 : json_reader_fail(&reader, problem);
}

static int read_json(struct query *query, const struct api_parameter *parameter, const struct api_argument *argument,
                     struct api_problem *problem)
{
    struct json_named_array array = call_array_of(parameter, API_FLOAT64);
    struct json_text text = {.length = 0};
    struct api_problem own;
    json_t *tree = NULL;
    char *body = copy_value(parameter, argument, &text.length);
    text.body = body;
    if (body == NULL)
        return query_fail(problem, API_OUT_OF_MEMORY, parameter->name, "no memory for the query");
    int result = read_text(&text, parameter, &array, &tree, &own);
    if (result != 0) {
        fail_value(parameter, argument, &own, problem);
        api_free(array.array.data);
    } else if (array.found) {
        query->lists[query->list_count++] = call_tensor_of(&array);
        tree = json_true(); /* it is there */
    }
    if (result == 0 && json_object_set_nocheck(query->members, parameter->name, tree) != 0)
        result = query_fail(problem, API_OUT_OF_MEMORY, parameter->name, "no memory for the query");
    json_decref(tree);
    api_free(body);
    return result;
}

/* ---- Words ---- */

static int keep_words(struct query *query, const struct api_parameter *parameter, json_t *words,
                      struct api_problem *problem)
{
    if (words == NULL || json_object_set_new(query->members, parameter->name, words) != 0)
        return query_fail(problem, API_WRONG_TYPE, parameter->name, "the value is not valid UTF-8");
    return 0;
}

/* Python's spelling as well, since that is what its clients make of a bool. */
static int read_boolean(struct query *query, const struct api_parameter *parameter, const struct api_argument *argument,
                        struct api_problem *problem)
{
    const bool truth = strcmp(argument->value, "True") == 0;
    if (!truth && strcmp(argument->value, "False") != 0)
        return read_json(query, parameter, argument, problem);
    return keep_words(query, parameter, json_boolean(truth), problem);
}

/* Whether it is written as in JSON: text in quotation marks, a list, null. */
static bool is_json(const struct api_argument *argument)
{
    return (argument->length > 0 && strchr("\"[", *argument->value) != NULL) || strcmp(argument->value, "null") == 0;
}

static int read_word(struct query *query, const struct api_parameter *parameter, const struct api_argument *argument,
                     struct api_problem *problem)
{
    if (is_json(argument))
        return read_json(query, parameter, argument, problem);
    return keep_words(query, parameter, json_stringn(argument->value, argument->length), problem);
}

static int read_words(struct query *query, const struct api_parameter *parameter, const struct api_argument *argument,
                      struct api_problem *problem)
{
    const char *word = argument->value, *const end = word + argument->length;
    if (is_json(argument))
        return read_json(query, parameter, argument, problem);
    json_t *words = json_array();
    for (const char *comma = word; comma != NULL; word = comma + 1) {
        comma = memchr(word, ',', (size_t)(end - word));
        const size_t length = (size_t)((comma != NULL ? comma : end) - word);
        if (json_array_append_new(words, json_stringn(word, length)) != 0) {
            json_decref(words);
            return keep_words(query, parameter, NULL, problem);
        }
        if (comma == NULL)
            break;
    }
    return keep_words(query, parameter, words, problem);
}

/* Several words are a list. */
static int read_steps(struct query *query, const struct api_parameter *parameter, const struct api_argument *argument,
                      struct api_problem *problem)
{
    const bool several = memchr(argument->value, ',', argument->length) != NULL;
    return (several ? read_words : read_word)(query, parameter, argument, problem);
}

/* ---- Arguments ---- */

typedef int reader(struct query *query, const struct api_parameter *parameter, const struct api_argument *argument,
                   struct api_problem *problem);

static reader *const readers[] = {
    [API_NUMBER] = read_json, [API_INTEGER] = read_json,    [API_BOOLEAN] = read_boolean,
    [API_CHOICE] = read_word, [API_NAMES] = read_words,     [API_STEPS] = read_steps,
    [API_BIAS] = read_json,   [API_CLASS_LIST] = read_json, [API_CLASS_LISTS] = read_json,
};

/* What clients make of a list: Python's requests one argument for each of its elements. */
static int fail_duplicate(const struct api_argument *argument, const char *list, struct api_problem *problem)
{
    char pointer[256];
    json_pointer_write(pointer, sizeof pointer, argument->name);
    if (list == NULL)
        return api_fail(problem, API_DUPLICATE_MEMBER, pointer, API_NO_OFFSET,
                        "is in the query more than once, and takes one value");
    return api_fail(problem, API_DUPLICATE_MEMBER, pointer, API_NO_OFFSET,
                    "is in the query more than once; a list is one argument with commas: %s=%s", argument->name, list);
}

static int take_arrays(struct query *query, const struct api_argument *argument, struct api_problem *problem)
{
    if (query->arrays != NULL)
        return fail_duplicate(argument, "logits,mask", problem);
    query->arrays = argument;
    return 0;
}

static int fail_unknown(const struct api_function *function, const char *name, struct api_problem *problem)
{
    char detail[API_DETAIL_BYTES];
    suggest_members(function->name, function->parameters, name, detail, sizeof detail);
    return query_fail(problem, API_UNKNOWN_MEMBER, name, detail);
}

/* Of any function, or a slip or another library's word for one. */
static bool is_like_a_parameter(const char *name)
{
    return api_parameter_find(NULL, name, strlen(name)) != NULL ||
           suggest_parameter(~(api_parameter_set)0, name) != NULL;
}

static int read_argument(struct query *query, const struct api_function *function, const struct api_argument *argument,
                         struct api_problem *problem)
{
    const struct api_parameter *parameter = api_parameter_find(function, argument->name, strlen(argument->name));
    if (strcmp(argument->name, QUERY_ARRAYS) == 0)
        return take_arrays(query, argument, problem);
    if (parameter == NULL && query->beside_json && !is_like_a_parameter(argument->name))
        return 0; /* a proxy's */
    if (parameter == NULL)
        return fail_unknown(function, argument->name, problem);
    if (parameter->type == API_NUMBERS || parameter->type == API_BOOLEANS)
        return query_fail(problem, API_WRONG_TYPE, argument->name,
                          query->beside_json ? "belongs in the body"
                                             : "belongs in the body: name it in the query's `arrays`");
    if (json_object_get(query->members, argument->name) != NULL)
        return fail_duplicate(argument,
                              parameter->type == API_NAMES || parameter->type == API_STEPS ? "a,b"
                              : parameter->per_row                                         ? "1,2"
                                                                                           : NULL,
                              problem);
    return readers[parameter->type](query, parameter, argument, problem);
}

int query_read(const struct api_request *request, bool beside_json, struct query *query, struct api_problem *problem)
{
    *query = (struct query){.members = json_object(), .beside_json = beside_json};
    if (query->members == NULL)
        return api_fail(problem, API_OUT_OF_MEMORY, "", API_NO_OFFSET, "no memory for the query");
    for (size_t i = 0; i < request->query_count; i++)
        if (read_argument(query, request->route->function, &request->query[i], problem) != 0)
            return -1;
    return 0;
}

int query_refuse(const struct api_request *request, struct api_problem *problem)
{
    for (size_t i = 0; i < request->query_count; i++)
        if (is_like_a_parameter(request->query[i].name))
            return query_fail(problem, API_UNKNOWN_MEMBER, request->query[i].name,
                              "is in the query, where this route takes no parameters: it goes into the body");
    return 0;
}

void query_free(struct query *query)
{
    for (size_t i = 0; i < query->list_count; i++)
        api_free(query->lists[i].data);
    json_decref(query->members);
    *query = (struct query){.members = NULL};
}
