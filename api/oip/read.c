/* An inference request into a call: its JSON, then its inputs, then its parameters by the table. */
#include "http/memory.h"
#include "oip/oip.h"
#include "json/envelope.h"
#include "json/find.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define PADDED(length) ((length) + API_BODY_PADDING)

/* ---- Where the JSON ends ---- */

/* Digits only, and no more than the body has bytes. */
static int read_json_length(struct oip_reader *reader, const char *field)
{
    size_t length = 0;
    const char *at = field;
    for (; *at >= '0' && *at <= '9' && length <= reader->request->length; at++)
        length = 10 * length + (size_t)(*at - '0');
    if (*field == '\0' || (*at != '\0' && (*at < '0' || *at > '9')))
        return api_fail(reader->problem, API_WRONG_TYPE, "", API_NO_OFFSET,
                        OIP_JSON_LENGTH " must be a number of bytes");
    if (length > reader->request->length)
        return api_fail(reader->problem, API_WRONG_LENGTH, "", API_NO_OFFSET,
                        OIP_JSON_LENGTH " is more than the body's %zu bytes", reader->request->length);
    reader->json_length = reader->taken = length;
    return 0;
}

/* ---- Outputs ---- */

/* A parameter of what the pointer names that is true or false; left out, *value stays. */
static int read_flag(const struct oip_reader *reader, const json_t *parameters, const char *name, const char *pointer,
                     bool *value)
{
    const json_t *json = oip_member(parameters, name);
    char below[64];
    if (json == NULL)
        return 0;
    snprintf(below, sizeof below, "/parameters/%s", name);
    if (!json_is_boolean(json))
        return oip_fail(reader->problem, API_WRONG_TYPE, pointer, below, "must be true or false");
    *value = json_is_true(json);
    return 0;
}

static int read_classification(const struct oip_reader *reader, const json_t *parameters, const char *pointer,
                               struct oip_output *output)
{
    const struct api_result_kind *kind = &reader->out->function->results[output->result];
    const json_t *json = oip_member(parameters, "classification");
    const double count = json_real_value(json);
    if (json == NULL || (json_is_real(json) && count == 0))
        return 0;
    if (!json_is_real(json) || count != floor(count) || count < 0 || count > API_MAX_INTEGER)
        return oip_fail(reader->problem, API_WRONG_TYPE, pointer, "/parameters/classification",
                        "must be a number of classes");
    if (!oip_has_classes(kind))
        return oip_fail(reader->problem, API_OUT_OF_RANGE, pointer, "/parameters/classification",
                        "%s has no value for each class", kind->name);
    output->classes = (size_t)count;
    return 0;
}

static int find_result(const struct oip_reader *reader, const json_t *json, const char *pointer, size_t *result)
{
    const struct oip_request *out = reader->out;
    const json_t *name = json_object_get(json, "name");
    if (!json_is_string(name))
        return oip_fail(reader->problem, name == NULL ? API_MISSING_MEMBER : API_WRONG_TYPE, pointer, "/name",
                        "an output has a name");
    const struct api_result_kind *kinds = out->function->results;
    for (*result = 0; *result < API_MAX_RESULTS && kinds[*result].name != NULL; ++*result)
        if (strcmp(kinds[*result].name, json_string_value(name)) == 0)
            break;
    if (*result == API_MAX_RESULTS || kinds[*result].name == NULL)
        return oip_fail(reader->problem, API_OUT_OF_RANGE, pointer, "/name", "%s has no such output",
                        out->function->name);
    for (size_t i = 0; i < out->output_count; i++)
        if (out->outputs[i].result == *result)
            return oip_fail(reader->problem, API_DUPLICATE_MEMBER, pointer, "/name", "%s is asked for twice",
                            kinds[*result].name);
    return 0;
}

static int read_output(struct oip_reader *reader, size_t i, const json_t *json)
{
    struct oip_request *out = reader->out;
    struct oip_output output = {.binary = out->binary};
    const json_t *parameters;
    char pointer[64];
    snprintf(pointer, sizeof pointer, "/outputs/%zu", i);
    if (find_result(reader, json, pointer, &output.result) != 0 ||
        oip_parameters(reader->problem, json, pointer, oip_output_parameters, &parameters) != 0 ||
        read_flag(reader, parameters, "binary_data", pointer, &output.binary) != 0 ||
        read_classification(reader, parameters, pointer, &output) != 0)
        return -1;
    out->outputs[out->output_count++] = output;
    return 0;
}

/* What is asked for is what `return` says. */
static void set_return(struct oip_request *out)
{
    json_t *names = json_array();
    for (size_t i = 0; i < out->output_count; i++) {
        const struct api_result_kind *kind = &out->function->results[out->outputs[i].result];
        if (kind->condition == API_ON_RETURN)
            json_array_append_new(names, json_string(kind->name));
    }
    if (json_array_size(names) > 0 && api_function_takes(out->function, API_RETURN))
        json_object_set(out->members, api_parameters[API_RETURN].name, names);
    json_decref(names);
}

static int read_outputs(struct oip_reader *reader)
{
    const json_t *outputs = json_object_get(reader->out->envelope, "outputs"), *output;
    size_t i;
    if (read_flag(reader, json_object_get(reader->out->envelope, "parameters"), "binary_data_output", "",
                  &reader->out->binary) != 0)
        return -1;
    if (outputs != NULL && !json_is_array(outputs) && !json_is_null(outputs))
        return api_fail(reader->problem, API_WRONG_TYPE, "/outputs", API_NO_OFFSET, "must be a list");
    json_array_foreach (outputs, i, output)
        if (read_output(reader, i, output) != 0)
            return -1;
    set_return(reader->out);
    return 0;
}

/* Strings take more than the numbers in them. */
static int check_strings(const struct oip_reader *reader, const struct api_call *call, const struct oip_output *output)
{
    const size_t *limits = reader->request->limits, limit = api_limit_of(limits, API_LIMIT_RESULT_BYTES);
    const size_t listed = output->classes < call->classes ? output->classes : call->classes;
    if (call->rows == 0 || listed <= limit / OIP_LONGEST_STRING / call->rows / call->draws)
        return 0;
    return api_fail_limit(reader->problem, limits, API_LIMIT_RESULT_BYTES, "/outputs");
}

/* Without a list of them: all that the call gives. With one: each must be given. */
static int check_outputs(struct oip_reader *reader, const struct api_call *call)
{
    struct oip_request *out = reader->out;
    for (size_t i = 0; i < out->output_count; i++) {
        char pointer[64];
        snprintf(pointer, sizeof pointer, "/outputs/%zu/name", i);
        if (call->data[out->outputs[i].result] == NULL)
            return api_fail(reader->problem, API_OUT_OF_RANGE, pointer, API_NO_OFFSET,
                            "%s does not give it with these parameters", out->function->name);
        if (check_strings(reader, call, &out->outputs[i]) != 0)
            return -1;
    }
    if (out->output_count > 0)
        return 0;
    for (size_t i = 0; i < call->wanted; i++)
        out->outputs[out->output_count++] = (struct oip_output){.result = call->order[i], .binary = out->binary};
    return 0;
}

/* ---- The JSON ---- */

static int check_id(const struct oip_reader *reader)
{
    const json_t *id = json_object_get(reader->out->envelope, "id");
    if (id == NULL || json_is_null(id) || json_is_string(id))
        return 0;
    return api_fail(reader->problem, API_WRONG_TYPE, "/id", API_NO_OFFSET, "must be a string");
}

static int read_inputs(struct oip_reader *reader, const struct json_elements *inputs)
{
    const json_t *json = json_object_get(reader->out->envelope, "inputs");
    if (!inputs->found)
        return api_fail(reader->problem, json == NULL ? API_MISSING_MEMBER : API_WRONG_TYPE, "/inputs", API_NO_OFFSET,
                        "must be a list of inputs");
    for (size_t i = 0; i < inputs->count; i++)
        if (oip_read_input(reader, &inputs->texts[i]) != 0)
            return -1;
    if (reader->taken == reader->request->length)
        return 0;
    return api_fail(reader->problem, API_WRONG_LENGTH, "", reader->taken, "the body has %zu bytes that no input takes",
                    reader->request->length - reader->taken);
}

static int read_json(struct oip_reader *reader, const struct json_text *text)
{
    struct json_elements inputs = {0};
    if (json_elements_read(text, "inputs", OIP_MAX_INPUTS, &inputs, &reader->out->envelope, reader->problem) != 0)
        return -1;
    int result = check_id(reader);
    if (result == 0 &&
        (oip_read_parameters(reader) != 0 || read_outputs(reader) != 0 || read_inputs(reader, &inputs) != 0))
        result = -1;
    api_free(inputs.texts);
    return result;
}

/* The readers of JSON need it to end as a body does. */
static int read_body(struct oip_reader *reader)
{
    const struct api_request *request = reader->request;
    struct json_text *text = &reader->text;
    *text = json_text_of(request, reader->json_length);
    if (text->length < request->length) {
        reader->copy = api_malloc(PADDED(text->length));
        if (reader->copy == NULL)
            return api_fail(reader->problem, API_OUT_OF_MEMORY, "", API_NO_OFFSET, "no memory for the JSON");
        memcpy(reader->copy, text->body, text->length);
        memset(reader->copy + text->length, 0, API_BODY_PADDING);
        text->body = reader->copy;
    }
    return read_json(reader, text);
}

/* ---- Tensors in the body ---- */

/* The JSON has been copied by then: what comes before the first tensor may be overwritten, and what an alignment has
 * left free after another. */
void *oip_lend(struct oip_reader *reader, size_t bytes, size_t size)
{
    const struct api_request *request = reader->request;
    if (request->own_body == NULL)
        return NULL;
    char *from = *request->own_body + reader->taken;
    const size_t over = (uintptr_t)from % size;
    if (over > reader->taken - reader->lent)
        return NULL;
    reader->lent = reader->taken - over + bytes;
    return over > 0 ? memmove(from - over, from, bytes) : from;
}

/* ---- A body without JSON ---- */

/* One row of logits, answered in the same way. */
static int read_raw(struct oip_reader *reader)
{
    const struct api_request *request = reader->request;
    struct oip_request *out = reader->out;
    const size_t count = request->length / sizeof(float);
    if (count == 0)
        return api_fail(reader->problem, API_EMPTY_ARRAY, "", API_NO_OFFSET, "there must be at least one logit");
    if (request->length % sizeof(float) != 0)
        return api_fail(reader->problem, API_WRONG_LENGTH, "", API_NO_OFFSET, "a body without JSON is one row of FP32");
    struct api_tensor *tensor = &out->tensors[out->tensor_count++];
    *tensor = (struct api_tensor){
        .name = api_parameters[API_LOGITS].name, .dtype = API_FLOAT32, .count = count, .rank = 1, .shape = {count}};
    reader->taken = 0;
    tensor->data = oip_lend(reader, request->length, sizeof(float));
    tensor->borrowed = tensor->data != NULL;
    if (!tensor->borrowed) {
        tensor->data = api_malloc(request->length);
        if (tensor->data == NULL)
            return api_fail(reader->problem, API_OUT_OF_MEMORY, "", API_NO_OFFSET, "no memory for the logits");
        memcpy(tensor->data, request->body, request->length);
    }
    out->binary = true;
    return 0;
}

/* ---- The call ---- */

/* An input's data, a parameter, or where one of them is missing. `outputs` may have said what `return` says. */
static void locate(const struct call_source *source, const char *name, char *pointer, size_t size)
{
    const struct api_parameter *parameter = api_parameter_find(NULL, name, strlen(name));
    if (parameter == &api_parameters[API_RETURN] && json_find(source->text, "/parameters/return") == NULL) {
        snprintf(pointer, size, "/outputs");
        return;
    }
    for (size_t i = 0; i < source->tensor_count; i++)
        if (strcmp(source->tensors[i].name, name) == 0) {
            snprintf(pointer, size, "/inputs/%zu/data", i);
            return;
        }
    const size_t used = (size_t)snprintf(pointer, size, "%s", "/parameters");
    if (parameter != NULL && parameter->type == API_NUMBERS && source->given[parameter - api_parameters] == NULL)
        snprintf(pointer, size, "%s", "/inputs");
    else
        json_pointer_write(pointer + used, size - used, name);
}

static int read_call(struct oip_reader *reader, struct api_call **call)
{
    const struct api_request *request = reader->request;
    struct oip_request *out = reader->out;
    const char *field = request->header != NULL ? request->header(request->header_closure, OIP_JSON_LENGTH) : NULL;
    *out = (struct oip_request){.function = request->model};
    if (field != NULL && read_json_length(reader, field) != 0)
        return -1;
    const bool raw = field != NULL && reader->json_length == 0;
    if ((raw ? read_raw(reader) : read_body(reader)) != 0)
        return -1;
    struct call_source source = {
        .function = out->function,
        .text = &reader->text,
        .tensors = out->tensors,
        .tensor_count = out->tensor_count,
        .locate = locate,
        .lists = "an input of that name",
        .fresh_seed = request->fresh_seed,
        .limits = request->limits,
    };
    call_give(&source, out->members);
    if (reader->lent > 0) {
        source.blocks[0] = *request->own_body;
        *request->own_body = NULL;
    }
    if (call_build(&source, call, reader->problem) != 0)
        return -1;
    return check_outputs(reader, *call);
}

/* ---- The front's ---- */

FRONT_STATE_FITS(struct oip_request);

int oip_read(struct api_job *job)
{
    const struct api_request *request = &job->request;
    struct oip_reader reader = {.request = request,
                                .out = (void *)&job->read,
                                .timeout_us = &job->timeout_us,
                                .json_length = request->length,
                                .taken = request->length,
                                .text = json_text_of(&(struct api_request){.body = NULL}, 0),
                                .problem = &job->problem};
    const int result = read_call(&reader, &job->call);
    if (result != 0)
        json_find_place(&reader.text, &job->problem);
    else
        memory_release_body(request);
    api_free(reader.copy);
    return result;
}

/* A row's problem points at a member of our own JSON: here at an input as a whole, or below the parameters. */
int oip_refuse(struct api_job *job)
{
    const struct oip_request *request = (void *)&job->read;
    struct api_problem *problem = &job->problem;
    const char *member = problem->pointer;
    const size_t length = *member != '\0' ? 1 + strcspn(member + 1, "/") : 0;
    for (size_t i = 0; i < request->tensor_count && length > 0; i++)
        if (strlen(request->tensors[i].name) == length - 1 &&
            memcmp(request->tensors[i].name, member + 1, length - 1) == 0) {
            snprintf(problem->pointer, sizeof problem->pointer, "/inputs/%zu/data", i);
            return FRONT_FAILED;
        }
    if (length > 0) {
        char place[sizeof problem->pointer];
        snprintf(place, sizeof place, "/parameters%.200s", member);
        memcpy(problem->pointer, place, sizeof place);
    }
    return FRONT_FAILED;
}

void oip_close_read(struct api_job *job)
{
    struct oip_request *request = (void *)&job->read;
    for (size_t i = 0; i < request->tensor_count; i++)
        if (!request->tensors[i].borrowed)
            api_free(request->tensors[i].data);
    json_decref(request->members);
    json_decref(request->envelope);
}
