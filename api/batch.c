#include "batch.h"
#include "decode.h"
#include "encode.h"
#include "json_envelope.h"
#include "json_put.h"
#include "json_scan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct batch {
    const struct api_request *request;
    struct json_elements items;
    size_t rows, result_bytes; /* of the calls so far */
    struct text text;          /* of the answer so far */
};

static size_t limit_of(const struct batch *batch, enum api_limit_id limit)
{
    return batch->request->limits != NULL ? batch->request->limits[limit] : api_limits[limit].fallback;
}

static int fail_limit(const struct batch *batch, enum api_limit_id limit, const char *pointer,
                      struct api_problem *problem)
{
    const size_t value = limit_of(batch, limit);
    api_fail(problem, API_LIMIT_EXCEEDED, pointer, API_NO_OFFSET, "the limit is %zu %s", value, api_limits[limit].doc);
    problem->limit = value;
    return -1;
}

/* ---- The answer's text ---- */

static int append(struct batch *batch, const char *text, size_t length, struct api_problem *problem)
{
    if (text_put(&batch->text, text, length))
        return 0;
    return api_fail(problem, API_INTERNAL, "", API_NO_OFFSET, "no memory for the answer");
}

static int append_text(struct batch *batch, const char *text, struct api_problem *problem)
{
    return append(batch, text, strlen(text), problem);
}

/* A string or an integer as it was sent, or null. */
static int append_id(struct batch *batch, const json_t *id, struct api_problem *problem)
{
    if (json_is_real(id)) {
        char text[JSON_PUT_SPACE];
        return append(batch, text, (size_t)(json_put_whole(text, (uint64_t)json_real_value(id)) - text), problem);
    }
    char *text = json_is_string(id) ? json_dumps(id, JSON_ENCODE_ANY) : NULL;
    const int result = append_text(batch, text != NULL ? text : "null", problem);
    free(text);
    return result;
}

/* What stands before the body of an answer. */
static int append_head(struct batch *batch, const json_t *id, int status, struct api_problem *problem)
{
    char text[48];
    snprintf(text, sizeof text, ",\"status\":%d,\"body\":", status);
    return append_text(batch, "{\"id\":", problem) != 0 || append_id(batch, id, problem) != 0
               ? -1
               : append_text(batch, text, problem);
}

/* In place of what has been appended since `begin`. */
static int append_problem(struct batch *batch, size_t begin, const json_t *id, const struct api_problem *own,
                          struct api_problem *problem)
{
    struct api_response response;
    api_answer_problem(own, &response);
    batch->text.length = begin;
    int result = append_head(batch, id, response.status, problem);
    if (result == 0)
        result = append(batch, response.body, response.length, problem);
    api_response_release(&response);
    return result;
}

/* ---- One call ---- */

static int fail_item(const struct json_text *item, enum api_problem_code code, const char *name, const char *detail,
                     struct api_problem *problem)
{
    char member[96], pointer[192];
    json_pointer_write(member, sizeof member, name);
    snprintf(pointer, sizeof pointer, "%s%s", item->pointer, member);
    return api_fail(problem, code, pointer, API_NO_OFFSET, "%s", detail);
}

static int check_members(const struct json_text *item, const json_t *envelope, struct api_problem *problem)
{
    static const char *const members[] = {"id", "function", "body", NULL};
    for (void *at = json_object_iter((json_t *)envelope); at != NULL;
         at = json_object_iter_next((json_t *)envelope, at))
        if (members[call_find_name(members, json_object_iter_key(at))] == NULL)
            return fail_item(item, API_UNKNOWN_MEMBER, json_object_iter_key(at),
                             "a call of a batch has id, function and body", problem);
    return 0;
}

/* Integers come as reals. */
static bool is_integer(const struct json_text *item, const json_t *id)
{
    const double number = json_real_value(id);
    return json_is_real(id) && number == floor(number) && number >= 0 && number <= API_MAX_INTEGER &&
           json_scan_is_whole(item, "/id", number);
}

/* What can come back, or NULL. */
static const json_t *find_id(const struct json_text *item, const json_t *envelope)
{
    const json_t *id = json_object_get(envelope, "id");
    return json_is_string(id) || is_integer(item, id) ? id : NULL;
}

static int check_id(const struct json_text *item, const json_t *envelope, struct api_problem *problem)
{
    const json_t *id = json_object_get(envelope, "id");
    if (id == NULL || json_is_null(id) || find_id(item, envelope) != NULL)
        return 0;
    return fail_item(item, API_WRONG_TYPE, "id", "must be a string or an integer from 0 to 9007199254740991", problem);
}

static int find_function(const struct json_text *item, const json_t *envelope, const struct api_function **function,
                         struct api_problem *problem)
{
    const json_t *name = json_object_get(envelope, "function");
    if (name == NULL)
        return fail_item(item, API_MISSING_MEMBER, "function", "function is required", problem);
    if (!json_is_string(name))
        return fail_item(item, API_WRONG_TYPE, "function", "must be a string", problem);
    for (size_t i = 0; i < API_FUNCTION_COUNT; i++)
        if (strcmp(api_functions[i].name, json_string_value(name)) == 0) {
            *function = &api_functions[i];
            return 0;
        }
    return fail_item(item, API_OUT_OF_RANGE, "function", "there is no such function", problem);
}

static int check_item(const struct json_text *item, const struct json_text *body, const json_t *envelope,
                      const struct api_function **function, struct api_problem *problem)
{
    if (check_members(item, envelope, problem) != 0 || check_id(item, envelope, problem) != 0 ||
        find_function(item, envelope, function, problem) != 0)
        return -1;
    if (body->body != NULL)
        return 0;
    if (json_object_get(envelope, "body") == NULL)
        return fail_item(item, API_MISSING_MEMBER, "body", "body is required", problem);
    return fail_item(item, API_WRONG_TYPE, "body", "must be an object", problem);
}

/* As api_answer does, and counts what the call takes. */
static int append_answer(struct batch *batch, const struct json_text *body, const struct api_function *function,
                         const json_t *id, struct api_problem *problem)
{
    struct api_call *call;
    if (decode_call(body, function, batch->request, &call, problem) != 0)
        return -1;
    batch->result_bytes += call_result_bytes(call);
    int result = batch->result_bytes > limit_of(batch, API_LIMIT_RESULT_BYTES)
                     ? fail_limit(batch, API_LIMIT_RESULT_BYTES, "", problem)
                     : api_compute(call, 0, api_call_rows(call), problem);
    if (result == 0) {
        batch->rows += api_call_rows(call);
        result = append_head(batch, id, 200, problem);
    }
    if (result == 0)
        result = encode_call(call, &batch->text, problem);
    api_call_free(call);
    return result;
}

static int answer_item(struct batch *batch, const struct json_text *item, struct api_problem *problem)
{
    struct api_problem own; /* of this call alone */
    struct json_text body;
    const struct api_function *function = NULL;
    const size_t begin = batch->text.length;
    json_t *envelope = NULL;
    int result = json_object_read(item, "body", &body, &envelope, &own);
    const json_t *id = find_id(item, envelope);
    if (result == 0)
        result = check_item(item, &body, envelope, &function, &own);
    if (result != 0)
        json_scan_place(item, &own);
    else
        result = append_answer(batch, &body, function, id, &own);
    if (batch->result_bytes > limit_of(batch, API_LIMIT_RESULT_BYTES))
        result = fail_limit(batch, API_LIMIT_RESULT_BYTES, item->pointer, problem);
    else if (result != 0)
        result = append_problem(batch, begin, id, &own, problem);
    if (result == 0)
        result = append_text(batch, "},", problem);
    json_decref(envelope);
    return result;
}

/* ---- All of them ---- */

static int find_items(struct batch *batch, const json_t *envelope, struct api_problem *problem)
{
    for (void *at = json_object_iter((json_t *)envelope); at != NULL;
         at = json_object_iter_next((json_t *)envelope, at)) {
        char pointer[256];
        json_pointer_write(pointer, sizeof pointer, json_object_iter_key(at));
        if (strcmp(json_object_iter_key(at), "requests") != 0)
            return api_fail(problem, API_UNKNOWN_MEMBER, pointer, API_NO_OFFSET, "a batch has requests alone");
    }
    if (batch->items.found)
        return 0;
    if (json_object_get(envelope, "requests") == NULL)
        return api_fail(problem, API_MISSING_MEMBER, "/requests", API_NO_OFFSET, "requests is required");
    return api_fail(problem, API_WRONG_TYPE, "/requests", API_NO_OFFSET, "must be a list of calls");
}

static int read_items(struct batch *batch, struct api_problem *problem)
{
    static const char empty[API_BODY_PADDING] = "";
    const struct api_request *request = batch->request;
    const struct json_text text = {.body = request->body != NULL ? request->body : empty, .length = request->length};
    const size_t most = limit_of(batch, API_LIMIT_BATCH_REQUESTS);
    json_t *envelope = NULL;
    int result = json_elements_read(&text, "requests", most, &batch->items, &envelope, problem);
    if (result == 0)
        result = find_items(batch, envelope, problem);
    else if (problem->code == API_OUT_OF_RANGE && problem->limit != 0)
        fail_limit(batch, API_LIMIT_BATCH_REQUESTS, "/requests", problem);
    if (result != 0)
        json_scan_place(&text, problem);
    json_decref(envelope);
    return result;
}

static int answer_items(struct batch *batch, struct api_problem *problem)
{
    if (append_text(batch, "{\"responses\":[", problem) != 0)
        return -1;
    for (size_t i = 0; i < batch->items.count; i++)
        if (answer_item(batch, &batch->items.texts[i], problem) != 0)
            return -1;
    batch->text.bytes[batch->text.length - 1] = ']';
    return append_text(batch, "}", problem);
}

int batch_answer(const struct api_request *request, struct api_response *response, struct api_problem *problem)
{
    struct batch batch = {.request = request};
    int result = read_items(&batch, problem);
    if (result == 0)
        result = answer_items(&batch, problem);
    free(batch.items.texts);
    if (result != 0) {
        free(batch.text.bytes);
        return -1;
    }
    text_fit(&batch.text);
    *response = (struct api_response){
        .status = 200,
        .media_type = "application/json",
        .body = batch.text.bytes,
        .length = batch.text.length,
        .owned = batch.text.bytes,
        .rows = batch.rows,
    };
    return 0;
}
