#include "call/query.h"
#include "call/arrays.h"
#include "json/envelope.h"
#include "json/put.h"

#include <string.h>

static int fail(struct api_problem *problem, enum api_problem_code code, const char *name, const char *detail)
{
    char pointer[256];
    json_pointer_write(pointer, sizeof pointer, name);
    return api_fail(problem, code, pointer, API_NO_OFFSET, "%s", detail);
}

/* ---- Values in JSON ---- */

/* {"name":value}, or [value] in its place; followed by the padding of a body. NULL if memory is short. */
static char *as_object(const struct api_argument *argument, bool bare_list, size_t *length)
{
    const size_t name = strlen(argument->name);
    char *text = api_calloc(1, name + argument->length + 8 + API_BODY_PADDING), *end = text;
    if (text == NULL)
        return NULL;
    end = json_put_text(json_put_text(end, "{\""), argument->name);
    end = json_put_text(end, bare_list ? "\":[" : "\":");
    end = (char *)memcpy(end, argument->value, argument->length) + argument->length;
    end = json_put_text(end, bare_list ? "]}" : "}");
    *length = (size_t)(end - text);
    return text;
}

/* What a list begins with, a bracket apart: one number and a comma. */
static bool is_bare_list(const struct api_parameter *parameter, const struct api_argument *argument)
{
    const char first = argument->length > 0 ? *argument->value : '\0';
    return parameter->per_row && first != '[' && first != '{' && memchr(argument->value, ',', argument->length) != NULL;
}

/* What the reader of bodies says of the object, said of the argument. */
static int fail_value(const struct api_parameter *parameter, const struct api_problem *own, struct api_problem *problem)
{
    if (own->code == API_MALFORMED_JSON)
        return fail(problem, API_WRONG_TYPE, parameter->name,
                    "the value is not written as in JSON, or its special characters are not percent-encoded");
    return api_fail(problem, own->code, own->pointer, API_NO_OFFSET, "%s", own->detail);
}

/* The object holds that one member, if the value is a value and not text that goes on behind one. */
static int keep(struct query *query, const struct api_parameter *parameter, struct json_named_array *array,
                json_t *object, struct api_problem *problem)
{
    if (json_object_size(object) != 1)
        return fail(problem, API_WRONG_TYPE, parameter->name, "one value should stand here");
    if (array->found)
        query->lists[query->list_count++] = call_tensor_of(array);
    json_object_update(query->members, object);
    return 0;
}

static int read_json(struct query *query, const struct api_parameter *parameter, const struct api_argument *argument,
                     struct api_problem *problem)
{
    struct json_named_array array = call_array_of(parameter, JSON_FLOAT64);
    struct json_text text = {.length = 0};
    struct api_problem own;
    json_t *object = NULL;
    char *body = as_object(argument, is_bare_list(parameter, argument), &text.length);
    text.body = body;
    if (body == NULL)
        return fail(problem, API_OUT_OF_MEMORY, parameter->name, "no memory for the query");
    int result = json_envelope_read(&text, &array, parameter->per_row, &object, &own);
    if (result == 0)
        result = keep(query, parameter, &array, object, problem);
    else
        fail_value(parameter, &own, problem);
    if (result != 0)
        api_free(array.array.data);
    json_decref(object);
    api_free(body);
    return result;
}

/* ---- Words ---- */

/* Python's spelling as well, since that is what its clients make of a bool. */
static int read_boolean(struct query *query, const struct api_parameter *parameter, const struct api_argument *argument,
                        struct api_problem *problem)
{
    const bool truth = strcmp(argument->value, "True") == 0;
    if (!truth && strcmp(argument->value, "False") != 0)
        return read_json(query, parameter, argument, problem);
    json_object_set_new(query->members, parameter->name, json_boolean(truth));
    return 0;
}

static int keep_words(struct query *query, const struct api_parameter *parameter, json_t *words,
                      struct api_problem *problem)
{
    if (words == NULL || json_object_set_new(query->members, parameter->name, words) != 0)
        return fail(problem, API_WRONG_TYPE, parameter->name, "the value is not valid UTF-8");
    return 0;
}

static int read_word(struct query *query, const struct api_parameter *parameter, const struct api_argument *argument,
                     struct api_problem *problem)
{
    if (argument->length > 0 && *argument->value == '"')
        return read_json(query, parameter, argument, problem);
    return keep_words(query, parameter, json_stringn(argument->value, argument->length), problem);
}

static int read_words(struct query *query, const struct api_parameter *parameter, const struct api_argument *argument,
                      struct api_problem *problem)
{
    const char *word = argument->value, *const end = word + argument->length;
    if (argument->length > 0 && *word == '[')
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

/* ---- Arguments ---- */

typedef int reader(struct query *query, const struct api_parameter *parameter, const struct api_argument *argument,
                   struct api_problem *problem);

static reader *const readers[] = {
    [API_NUMBER] = read_json, [API_INTEGER] = read_json, [API_BOOLEAN] = read_boolean,
    [API_CHOICE] = read_word, [API_NAMES] = read_words,  [API_BIAS] = read_json,
};

static int take_arrays(struct query *query, const struct api_argument *argument, struct api_problem *problem)
{
    if (query->arrays != NULL)
        return fail(problem, API_DUPLICATE_MEMBER, argument->name, "stands twice in the query");
    query->arrays = argument;
    return 0;
}

/* The function's parameter of that name, or NULL. */
static const struct api_parameter *find_parameter(const struct api_function *function, const char *name)
{
    for (int id = 0; id < API_PARAMETER_COUNT; id++)
        if (api_function_takes(function, (enum api_parameter_id)id) && strcmp(api_parameters[id].name, name) == 0)
            return &api_parameters[id];
    return NULL;
}

static int read_argument(struct query *query, const struct api_function *function, const struct api_argument *argument,
                         struct api_problem *problem)
{
    const struct api_parameter *parameter = find_parameter(function, argument->name);
    if (strcmp(argument->name, QUERY_ARRAYS) == 0)
        return take_arrays(query, argument, problem);
    if (parameter == NULL)
        return fail(problem, API_UNKNOWN_MEMBER, argument->name, "the function takes no such parameter in the query");
    if (parameter->type == API_NUMBERS || parameter->type == API_BOOLEANS)
        return fail(problem, API_WRONG_TYPE, argument->name, "stands in the body: name it in the query's `arrays`");
    if (json_object_get(query->members, argument->name) != NULL)
        return fail(problem, API_DUPLICATE_MEMBER, argument->name, "stands twice in the query");
    return readers[parameter->type](query, parameter, argument, problem);
}

int query_read(const struct api_request *request, struct query *query, struct api_problem *problem)
{
    *query = (struct query){.members = json_object()};
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
        if (find_parameter(request->route->function, request->query[i].name) != NULL)
            return fail(problem, API_UNKNOWN_MEMBER, request->query[i].name,
                        "stands in the query, and is a member of a body of JSON");
    return 0;
}

void query_free(struct query *query)
{
    for (size_t i = 0; i < query->list_count; i++)
        api_free(query->lists[i].data);
    json_decref(query->members);
    *query = (struct query){.members = NULL};
}
