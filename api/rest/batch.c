/* Several calls in one request: {"requests": [{"id", "function", "body"}]} is answered with {"responses": [{"id",
 * "status", "body"}]}, in the same order: each body as if the call had been sent by itself to its route, a problem
 * document too. */
#include "contract/suggest.h"
#include "rest/rest.h"
#include "json/envelope.h"
#include "json/find.h"
#include "json/put.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct batch {
    const struct api_request *request;
    struct json_elements items;
    size_t next;               /* item to be read; the one before is being answered */
    size_t rows, result_bytes; /* of the calls so far */
    json_t *envelope;          /* the item's */
    struct writer writer;      /* of the answer */
    size_t begin;              /* of the item's part of that */
    bool encoding;             /* the item's results are being written */
};
FRONT_STATE_FITS(struct batch);

/* ---- The answer's text ---- */

static int append(struct batch *batch, const char *text, size_t length, struct api_problem *problem)
{
    if (text_put(&batch->writer.text, text, length))
        return 0;
    return api_fail(problem, API_OUT_OF_MEMORY, "", API_NO_OFFSET, "no memory for the answer");
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
    api_free(text);
    return result;
}

/* What comes before the body of an answer. */
static int append_head(struct batch *batch, const json_t *id, int status, struct api_problem *problem)
{
    char text[48];
    snprintf(text, sizeof text, ",\"status\":%d,\"body\":", status);
    return append_text(batch, "{\"id\":", problem) != 0 || append_id(batch, id, problem) != 0
               ? -1
               : append_text(batch, text, problem);
}

static int append_problem(struct batch *batch, const json_t *id, const struct api_problem *own,
                          struct api_problem *problem)
{
    struct api_response response;
    api_answer_problem(batch->request->route->path, own, &response);
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

static int fail_member(const struct json_text *item, const char *name, const char *const *members,
                       struct api_problem *problem)
{
    char detail[160] = "a call of a batch has id, function and body";
    const char *meant = suggest_name(members, name);
    if (meant != NULL)
        snprintf(detail, sizeof detail, "a call of a batch has id, function and body: %s was probably meant", meant);
    else if (api_parameter_find(NULL, name, strlen(name)) != NULL)
        snprintf(detail, sizeof detail, "a call of a batch has id, function and body: %s belongs in the body", name);
    return fail_item(item, API_UNKNOWN_MEMBER, name, detail, problem);
}

static int check_members(const struct json_text *item, const json_t *envelope, struct api_problem *problem)
{
    static const char *const members[] = {"id", "function", "body", NULL};
    for (void *at = json_object_iter((json_t *)envelope); at != NULL;
         at = json_object_iter_next((json_t *)envelope, at))
        if (members[call_find_name(members, json_object_iter_key(at))] == NULL)
            return fail_member(item, json_object_iter_key(at), members, problem);
    return 0;
}

/* Integers come as reals. */
static bool is_integer(const struct json_text *item, const json_t *id)
{
    const double number = json_real_value(id);
    return json_is_real(id) && number == floor(number) && number >= 0 && number <= API_MAX_INTEGER &&
           json_find_is_whole(item, "/id", number);
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

static int fail_function(const struct json_text *item, const char *name, struct api_problem *problem)
{
    const char *names[API_FUNCTION_COUNT + 1] = {NULL};
    char detail[160] = "must be";
    for (size_t i = 0; i < API_FUNCTION_COUNT; i++) {
        const size_t used = strlen(detail);
        names[i] = api_functions[i].name;
        snprintf(detail + used, sizeof detail - used, "%s %s",
                 i == 0                        ? ""
                 : i + 1 == API_FUNCTION_COUNT ? " or"
                                               : ",",
                 names[i]);
    }
    const char *meant = suggest_name(names, name);
    const size_t used = strlen(detail);
    if (meant != NULL)
        snprintf(detail + used, sizeof detail - used, ": %s was probably meant", meant);
    return fail_item(item, API_OUT_OF_RANGE, "function", detail, problem);
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
    return fail_function(item, json_string_value(name), problem);
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

static const struct json_text *item_of(const struct batch *batch)
{
    return &batch->items.texts[batch->next - 1];
}

static const json_t *id_of(const struct batch *batch)
{
    return find_id(item_of(batch), batch->envelope);
}

static int end_item(struct batch *batch, struct api_problem *problem)
{
    json_decref(batch->envelope);
    batch->envelope = NULL;
    return append_text(batch, "},", problem);
}

/* The item's problem `own`, in place of what has been written of its answer. */
static int refuse_item(struct batch *batch, const struct api_problem *own, struct api_problem *problem)
{
    batch->writer.text.length = batch->begin;
    batch->encoding = false;
    return append_problem(batch, id_of(batch), own, problem) == 0 ? end_item(batch, problem) : -1;
}

/* The item as a call, or its own problem. */
static int read_item(struct batch *batch, struct api_call **call, struct api_problem *own)
{
    const struct json_text *item = item_of(batch);
    const struct api_function *function = NULL;
    struct json_text body;
    int result = json_member_read(item, "body", '{', &body, &batch->envelope, own);
    if (result == 0)
        result = check_item(item, &body, batch->envelope, &function, own);
    if (result != 0) {
        json_find_place(item, own);
        return -1;
    }
    return rest_read(&body, function, batch->request, NULL, call, own);
}

/* Counts what the call takes; the limit is that of all together. */
static int count_results(struct batch *batch, const struct api_call *call, struct api_problem *problem)
{
    batch->result_bytes += call_result_bytes(call);
    const size_t *limits = batch->request->limits;
    return batch->result_bytes > api_limit_of(limits, API_LIMIT_RESULT_BYTES)
               ? api_fail_limit(problem, limits, API_LIMIT_RESULT_BYTES, item_of(batch)->pointer)
               : 0;
}

/* Writes about `numbers` numbers of the answer of the item's call: 1 if there is more. */
static int write_item(struct batch *batch, struct api_call *call, size_t numbers, struct api_problem *problem)
{
    if (!batch->encoding) {
        batch->rows += call->rows;
        batch->encoding = true;
        if (append_head(batch, id_of(batch), 200, problem) != 0)
            return -1;
        rest_write_open(&batch->writer, call);
    }
    const int result = rest_write_some(&batch->writer, numbers, problem);
    if (result != 0)
        return result;
    batch->encoding = false;
    return end_item(batch, problem);
}

/* A call that is a part by itself. */
static int answer_small(struct batch *batch, struct api_call *call, struct api_problem *problem)
{
    struct api_problem own;
    struct call_plan plan;
    call_plan_open(&plan, call, 0, call->rows, SIZE_MAX);
    int result = call_plan_run(&plan, &own);
    call_plan_close(&plan);
    if (result != 0)
        return refuse_item(batch, &own, problem);
    return call_finish(call, SIZE_MAX, problem) == 0 ? write_item(batch, call, SIZE_MAX, problem) : -1;
}

/* Reads the next item, and answers it if it has a problem, or *left numbers are enough: then *call stays NULL. */
static int answer_item(struct batch *batch, size_t *left, struct api_call **call, struct api_problem *problem)
{
    struct api_problem own; /* of this call only */
    batch->begin = batch->writer.text.length;
    batch->next++;
    if (read_item(batch, call, &own) != 0)
        return refuse_item(batch, &own, problem);
    const size_t cost = call_cost(*call);
    if (count_results(batch, *call, problem) != 0)
        return -1;
    if (cost > *left)
        return 0;
    const int result = answer_small(batch, *call, problem);
    *left -= cost;
    api_call_free(*call);
    *call = NULL;
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
            return api_fail(problem, API_UNKNOWN_MEMBER, pointer, API_NO_OFFSET,
                            "a batch has only the member requests");
    }
    if (batch->items.found)
        return 0;
    if (json_object_get(envelope, "requests") == NULL)
        return api_fail(problem, API_MISSING_MEMBER, "/requests", API_NO_OFFSET, "requests is required");
    return api_fail(problem, API_WRONG_TYPE, "/requests", API_NO_OFFSET, "must be a list of calls");
}

static int read_items(struct batch *batch, struct api_problem *problem)
{
    const size_t *limits = batch->request->limits;
    const struct json_text text = json_text_of(batch->request, batch->request->length);
    const size_t most = api_limit_of(limits, API_LIMIT_BATCH_REQUESTS);
    json_t *envelope = NULL;
    int result = json_elements_read(&text, "requests", most, &batch->items, &envelope, problem);
    if (result == 0)
        result = find_items(batch, envelope, problem);
    else if (problem->code == API_OUT_OF_RANGE && problem->limit != 0)
        api_fail_limit(problem, limits, API_LIMIT_BATCH_REQUESTS, "/requests");
    if (result != 0)
        json_find_place(&text, problem);
    json_decref(envelope);
    return result;
}

static int begin(struct batch *batch, const struct api_request *request, struct api_problem *problem)
{
    *batch = (struct batch){.request = request};
    return read_items(batch, problem) == 0 ? append_text(batch, "{\"responses\":[", problem) : FRONT_FAILED;
}

/* ---- The front ---- */

enum { ITEM_NUMBERS = 1024 /* what an item takes beside its numbers */ };

/* Answers calls until one is to be computed in parts, which is left in job->call. */
static int read(struct api_job *job)
{
    struct batch *batch = (void *)&job->read;
    if (!job->reading && begin(batch, &job->request, &job->problem) != 0)
        return FRONT_FAILED;
    for (size_t left = job->printed; batch->next < batch->items.count;) {
        if (answer_item(batch, &left, &job->call, &job->problem) != 0)
            return FRONT_FAILED;
        if (job->call != NULL)
            return FRONT_DONE;
        if (left <= ITEM_NUMBERS && batch->next < batch->items.count)
            return FRONT_MORE;
        left = left > ITEM_NUMBERS ? left - ITEM_NUMBERS : 0;
    }
    struct text *text = &batch->writer.text;
    text->bytes[text->length - 1] = ']';
    if (append_text(batch, "}", &job->problem) != 0)
        return FRONT_FAILED;
    writer_answer(&batch->writer, "application/json", batch->rows, &job->response);
    return FRONT_DONE;
}

static void drop_call(struct api_job *job)
{
    api_call_free(job->call);
    job->call = NULL;
}

static int write(struct api_job *job)
{
    struct batch *batch = (void *)&job->read;
    const int result = write_item(batch, job->call, job->printed, &job->problem);
    if (result != FRONT_DONE)
        return result;
    drop_call(job);
    return FRONT_NEXT;
}

static int refuse(struct api_job *job)
{
    struct batch *batch = (void *)&job->read;
    const struct api_problem own = job->problem;
    drop_call(job);
    return refuse_item(batch, &own, &job->problem);
}

static void close_read(struct api_job *job)
{
    struct batch *batch = (void *)&job->read;
    api_free(batch->items.texts);
    api_free(batch->writer.text.bytes);
    json_decref(batch->envelope);
}

const struct api_front rest_batch = {
    .route = API_ROUTE_BATCH,
    .media_type = "application/json",
    .read = read,
    .write = write,
    .refuse = refuse,
    .close_read = close_read,
};
