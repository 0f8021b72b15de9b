/* A JSON body into a call: one walk over the text, in which each member is matched to its parameter. Arrays are read
 * straight from the text, in the types that the table of parameters says; what is left becomes small trees. */
#include "call/arrays.h"
#include "rest/rest.h"
#include "json/envelope.h"
#include "json/find.h"
#include "json/string.h"

#include <string.h>

/* An array that has been read, and where from. */
struct read_array {
    enum api_parameter_id id;
    const char *at;
    struct json_named_array named;
};

struct body {
    const struct json_text *text;
    const struct api_function *function;
    struct api_problem *problem;
    struct json_reader reader;
    json_t *trees[API_PARAMETER_COUNT];
    struct read_array arrays[API_PARAMETER_COUNT];
    size_t array_count;
    char *unknown; /* the name of the first member that is no parameter of the function */
    const json_t *queried_dtype;
    bool wide; /* numbers are float64: `dtype` says so, as far as it is known */
};

/* ---- Arrays ---- */

/* Reads the array again from its first byte, if it was read in the other precision. */
static int read_anew(const struct body *body, struct read_array *array)
{
    const struct json_named_array as = call_array_of(&api_parameters[array->id],
                                                     body->wide ? API_FLOAT64 : API_FLOAT32);
    if (as.dtype == array->named.dtype)
        return 0;
    api_free(array->named.array.data);
    array->named = as;
    array->named.found = true;
    return json_array_read(body->text, array->at, &array->named, body->problem) != NULL ? 0 : -1;
}

/* Whether `dtype` is still to come, and says float64. */
static bool will_say_float64(const struct body *body)
{
    bool escaped;
    const char *dtype = body->trees[API_DTYPE] == NULL ? json_find(body->text, "/dtype") : NULL;
    const char *end = dtype != NULL && *dtype == '"' ? json_string_end(dtype + 1, &escaped) : NULL;
    return end != NULL && json_string_is(dtype + 1, (size_t)(end - dtype - 1), escaped, api_dtypes[API_FLOAT64].name);
}

/* The byte after the array, which becomes the next one that was read; NULL and a problem if it does not read. Numbers
 * are float32 until `dtype` has come, but where one of them is beyond that and `dtype` is going to say float64. */
static const char *read_array(struct body *body, enum api_parameter_id id)
{
    struct read_array *array = &body->arrays[body->array_count++];
    struct api_problem own;
    array->id = id;
    array->at = body->reader.next;
    for (;;) {
        array->named = call_array_of(&api_parameters[id], body->wide ? API_FLOAT64 : API_FLOAT32);
        array->named.found = true;
        const char *end = json_array_read(body->text, array->at, &array->named, &own);
        if (end != NULL)
            return end;
        if (array->named.dtype != API_FLOAT32 || own.code != API_OUT_OF_RANGE || !will_say_float64(body))
            break;
        body->wide = true;
    }
    if (body->problem != NULL)
        *body->problem = own;
    return NULL;
}

/* ---- Members ---- */

static const struct api_parameter *find_parameter(const struct api_function *function, const struct json_key *key)
{
    char decoded[64]; /* longer than any parameter's */
    if (!key->escaped)
        return api_parameter_find(function, key->at, key->length);
    return json_string_decode(key->at, key->length, decoded, sizeof decoded)
               ? api_parameter_find(function, decoded, strlen(decoded))
               : NULL;
}

static bool is_given(const struct body *body, enum api_parameter_id id)
{
    for (size_t i = 0; i < body->array_count; i++)
        if (body->arrays[i].id == id)
            return true;
    return body->trees[id] != NULL && (!json_is_null(body->trees[id]) || api_parameters[id].required);
}

/* Its name is kept for when the text turns out to be JSON. */
static int pass_unknown(struct body *body, const struct json_key *key)
{
    if (body->unknown == NULL) {
        body->unknown = api_malloc(key->length + 1);
        if (body->unknown == NULL)
            return api_fail(body->problem, API_OUT_OF_MEMORY, body->text->pointer, API_NO_OFFSET,
                            "no memory for a name");
        json_string_decode(key->at, key->length, body->unknown, key->length + 1);
    }
    return json_reader_pass(&body->reader) ? 0 : json_reader_fail(&body->reader, body->problem);
}

static bool says_float64(const struct body *body)
{
    const bool here = body->trees[API_DTYPE] != NULL && !json_is_null(body->trees[API_DTYPE]);
    const char *dtype = json_string_value(here ? body->trees[API_DTYPE] : body->queried_dtype);
    return dtype != NULL && strcmp(dtype, api_dtypes[API_FLOAT64].name) == 0;
}

static int read_member(struct body *body, const struct json_key *key)
{
    struct json_reader *reader = &body->reader;
    if (json_reader_is_too_large(reader))
        return json_reader_fail(reader, body->problem);
    const struct api_parameter *parameter = find_parameter(body->function, key);
    if (parameter == NULL)
        return pass_unknown(body, key);
    const enum api_parameter_id id = (enum api_parameter_id)(parameter - api_parameters);
    if (is_given(body, id) || body->trees[id] != NULL)
        return json_reader_fail_member(reader, key->at + key->length + 1, API_DUPLICATE_MEMBER,
                                       "a member is duplicated", body->problem);
    const struct json_named_array named = call_array_of(parameter, API_FLOAT32);
    if (api_parameter_is_array(parameter) && json_array_begins(&named, reader->next)) {
        const char *end = read_array(body, id);
        if (end != NULL)
            json_reader_pass_to(reader, end);
        return end != NULL ? 0 : -1;
    }
    if (json_tree_read(reader, &body->trees[id], body->problem) != 0)
        return -1;
    if (id == API_DTYPE)
        body->wide = says_float64(body);
    return 0;
}

static int read_text(struct body *body)
{
    struct json_reader *reader = &body->reader;
    struct json_key key;
    int more;
    json_reader_open(reader, body->text);
    if (!json_reader_enter(reader, '{'))
        return json_envelope_refuse(reader, body->problem);
    while ((more = json_reader_member(reader, &key)) > 0)
        if (read_member(body, &key) != 0)
            return -1;
    if (more < 0 || !json_reader_end(reader))
        return json_reader_fail(reader, body->problem);
    body->wide = says_float64(body);
    for (size_t i = 0; i < body->array_count; i++)
        if (read_anew(body, &body->arrays[i]) != 0)
            return -1;
    return 0;
}

/* ---- The call ---- */

/* Adds what only the query has: its trees to `given`, its lists to the tensors. */
static int add_query(const struct body *body, const struct query *query, struct call_source *source)
{
    for (int id = 0; id < API_PARAMETER_COUNT; id++) {
        const char *name = api_parameters[id].name;
        const json_t *member = json_object_get(query->members, name);
        const json_t *argument = json_is_null(member) ? NULL : member;
        if (argument != NULL && is_given(body, (enum api_parameter_id)id))
            return query_fail(body->problem, API_DUPLICATE_MEMBER, name, "is both in the query and in the body");
        if (argument != NULL)
            source->given[id] = argument;
    }
    for (size_t i = 0; i < query->list_count; i++)
        source->tensors[source->tensor_count++] = query->lists[i];
    return 0;
}

static int build(struct body *body, const struct api_request *request, struct query *query, struct api_call **call)
{
    struct api_tensor tensors[API_PARAMETER_COUNT];
    struct call_source source = {.function = body->function,
                                 .unknown = body->unknown,
                                 .text = body->text,
                                 .tensors = tensors,
                                 .tensor_count = body->array_count,
                                 .fresh_seed = request->fresh_seed,
                                 .limits = request->limits};
    memcpy(source.given, body->trees, sizeof body->trees);
    for (size_t i = 0; i < body->array_count; i++) {
        tensors[i] = call_tensor_of(&body->arrays[i].named);
        if (tensors[i].count == 0 && body->arrays[i].id == API_LOGITS && tensors[i].rank == 1)
            tensors[i].rank = 2; /* [] is no rows, not a row of no classes */
    }
    int result = query != NULL ? add_query(body, query, &source) : 0;
    if (result == 0)
        result = call_build(&source, call, body->problem);
    for (size_t i = 0; i < body->array_count; i++)
        api_free(tensors[i].data);
    for (size_t i = body->array_count; i < source.tensor_count; i++)
        query->lists[i - body->array_count].data = tensors[i].data;
    return result;
}

int rest_read(const struct json_text *text, const struct api_function *function, const struct api_request *request,
              struct query *query, struct api_call **call, struct api_problem *problem)
{
    struct body body;
    body.text = text;
    body.function = function;
    body.problem = problem;
    memset(body.trees, 0, sizeof body.trees);
    body.array_count = 0;
    body.unknown = NULL;
    body.queried_dtype = query != NULL ? json_object_get(query->members, api_parameters[API_DTYPE].name) : NULL;
    body.wide = says_float64(&body);
    int result = read_text(&body);
    if (result == 0)
        result = build(&body, request, query, call);
    if (result != 0)
        json_find_place(text, problem);
    for (size_t i = 0; i < body.array_count; i++)
        api_free(body.arrays[i].named.array.data);
    for (int id = 0; id < API_PARAMETER_COUNT; id++)
        json_decref(body.trees[id]);
    api_free(body.unknown);
    return result;
}
