/* A computed call into an inference response: JSON, and behind it the binary tensors in its order. */
#include "json_put.h"
#include "oip.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A wanted result as it is answered. */
struct part {
    const struct oip_output *output;
    struct api_tensor tensor;   /* its data is the call's */
    struct oip_strings strings; /* in place of the data, if output->classes is not 0 */
    size_t binary_size;
};

struct answer {
    struct api_call *call;
    const struct oip_request *request;
    char *id; /* as JSON, or NULL */
    struct part parts[API_MAX_RESULTS];
    size_t part_count;
    bool binary; /* one of the parts is */
};

/* ---- What is answered ---- */

static const struct api_tensor *find_result(const struct api_call *call, const char *name)
{
    size_t i = 0;
    while (strcmp(call->results[i].name, name) != 0)
        i++;
    return &call->results[i];
}

static int gather_part(struct answer *answer, const struct oip_output *output, struct api_problem *problem)
{
    const struct api_result_kind *kind = &answer->call->function->results[output->result];
    struct part *part = &answer->parts[answer->part_count++];
    *part = (struct part){.output = output, .tensor = *find_result(answer->call, kind->name)};
    if (output->classes > 0 &&
        oip_classify(answer->call, kind, output->classes, &part->tensor, &part->strings, problem) != 0)
        return -1;
    part->binary_size = output->classes > 0 ? part->strings.size
                                            : part->tensor.count * api_dtypes[part->tensor.dtype].size;
    answer->binary |= output->binary;
    return 0;
}

static int gather(struct answer *answer, struct api_problem *problem)
{
    const json_t *id = json_object_get(answer->request->envelope, "id");
    for (size_t i = 0; i < answer->request->output_count; i++)
        if (gather_part(answer, &answer->request->outputs[i], problem) != 0)
            return -1;
    if (!json_is_string(id))
        return 0;
    answer->id = json_dumps(id, JSON_ENCODE_ANY);
    return answer->id != NULL ? 0 : api_fail(problem, API_INTERNAL, "", API_NO_OFFSET, "no memory for the id");
}

static void release(struct answer *answer)
{
    for (size_t i = 0; i < answer->part_count; i++)
        free(answer->parts[i].strings.bytes);
    free(answer->id);
}

/* ---- JSON ---- */

enum { HEAD_BYTES = 512 /* more than what stands between two tensors takes */ };

static bool put_text(struct text *text, const char *bytes)
{
    return text_put(text, bytes, strlen(bytes));
}

static char *put_string(char *out, const char *text)
{
    *out++ = '"';
    out = json_put_text(out, text);
    *out++ = '"';
    return out;
}

/* Parameters have no lists in this protocol: one of a value per row is a string of JSON. */
static bool put_parameter(struct text *text, const struct api_call *call, enum api_parameter_id id)
{
    const struct api_value *value = &call->values[id];
    const bool integers = api_parameters[id].type == API_INTEGER;
    const struct api_tensor list = {.dtype = integers ? API_UINT64 : API_FLOAT64,
                                    .data = value->list,
                                    .rank = 1,
                                    .shape = {call->rows},
                                    .count = call->rows};
    char *out = text_room(text, HEAD_BYTES);
    if (out == NULL)
        return false;
    out = json_put_name(out, api_parameters[id].name);
    if (value->list == NULL)
        out = integers ? json_put_whole(out, (uint64_t)value->one.integer) : json_put_double(out, value->one.number);
    text_end(text, out);
    return value->list == NULL || (put_text(text, "\"") && text_put_tensor(text, &list) && put_text(text, "\""));
}

/* What repeats the answer. */
static bool put_parameters(struct text *text, const struct api_call *call)
{
    const bool draws = call->of->draws_noise, has_tau = api_function_takes(call->of, API_TAU);
    if (!draws && !has_tau)
        return true;
    if (!put_text(text, ",\"parameters\":"))
        return false;
    const size_t begin = text->length;
    if ((draws && (!put_text(text, ",\"rng\":\"" API_RNG "\"") || !put_parameter(text, call, API_SEED))) ||
        (has_tau && !put_parameter(text, call, API_TAU)))
        return false;
    text->bytes[begin] = '{'; /* in place of the first comma */
    return put_text(text, "}");
}

static char *put_shape(char *out, const struct api_tensor *tensor)
{
    *out++ = '[';
    for (size_t axis = 0; axis < tensor->rank; axis++) {
        if (axis > 0)
            *out++ = ',';
        out = json_put_whole(out, tensor->shape[axis]);
    }
    *out++ = ']';
    return out;
}

/* A string has its quotation marks and comma in place of its length. */
static bool put_strings(struct text *text, const struct oip_strings *strings)
{
    const char *at = strings->bytes;
    char *out = text_room(text, strings->size + HEAD_BYTES);
    if (out == NULL)
        return false;
    *out++ = '[';
    for (size_t i = 0; i < strings->count; i++) {
        const size_t length = (uint8_t)*at; /* none is longer than a byte says */
        *out++ = '"';
        memcpy(out, at + 4, length);
        out = json_put_text(out + length, "\",");
        at += 4 + length;
    }
    out[-1] = ']';
    text_end(text, out);
    return true;
}

static bool put_data(struct text *text, const struct part *part)
{
    const struct api_tensor flat = {.dtype = part->tensor.dtype,
                                    .data = part->tensor.data,
                                    .rank = 1,
                                    .shape = {part->tensor.count},
                                    .count = part->tensor.count};
    return put_text(text, ",\"data\":") &&
           (part->output->classes > 0 ? put_strings(text, &part->strings) : text_put_tensor(text, &flat));
}

static bool put_part(struct text *text, const struct part *part)
{
    const char *datatype = part->output->classes > 0 ? "BYTES" : oip_datatype_of_result(part->tensor.dtype);
    char *out = text_room(text, HEAD_BYTES);
    if (out == NULL)
        return false;
    out = put_string(json_put_text(out, "{\"name\":"), part->tensor.name);
    out = put_string(json_put_name(out, "datatype"), datatype);
    out = put_shape(json_put_name(out, "shape"), &part->tensor);
    if (part->output->binary)
        out = json_put_text(
            json_put_whole(json_put_text(out, ",\"parameters\":{\"binary_data_size\":"), part->binary_size), "}");
    text_end(text, out);
    return (part->output->binary || put_data(text, part)) && put_text(text, "},");
}

static bool put_json(struct text *text, const struct answer *answer)
{
    bool put = put_text(text, "{\"model_name\":\"") && put_text(text, answer->request->function->name) &&
               put_text(text, "\",\"model_version\":\"" OIP_MODEL_VERSION "\"");
    if (answer->id != NULL)
        put = put && put_text(text, ",\"id\":") && put_text(text, answer->id);
    put = put && put_parameters(text, answer->call) && put_text(text, ",\"outputs\":[");
    for (size_t i = 0; i < answer->part_count && put; i++)
        put = put_part(text, &answer->parts[i]);
    if (put)
        text->bytes[text->length - 1] = ']'; /* in place of the last comma: there is one output at least */
    return put && put_text(text, "}");
}

/* ---- The body ---- */

/* Each result's memory is given back when it has been copied. */
static bool put_binary(struct text *text, const struct answer *answer)
{
    for (size_t i = 0; i < answer->part_count; i++) {
        const struct part *part = &answer->parts[i];
        if (!part->output->binary)
            continue;
        if (!text_put(text, part->output->classes > 0 ? part->strings.bytes : part->tensor.data, part->binary_size))
            return false;
        call_release_result(answer->call, &part->tensor);
    }
    return true;
}

static int add_json_length(struct api_response *response, size_t length, struct api_problem *problem)
{
    char *text = malloc(24);
    if (text == NULL)
        return api_fail(problem, API_INTERNAL, "", API_NO_OFFSET, "no memory for the answer");
    snprintf(text, 24, "%zu", length);
    response->media_type = "application/octet-stream";
    api_response_header(response, OIP_JSON_LENGTH, text, text);
    return 0;
}

static int put_body(const struct answer *answer, struct text *text, struct api_response *response,
                    struct api_problem *problem)
{
    const bool put = put_json(text, answer);
    const size_t json_length = text->length;
    if (!put || !put_binary(text, answer))
        return api_fail(problem, API_INTERNAL, "", API_NO_OFFSET, "no memory for the answer");
    *response = (struct api_response){.status = 200, .media_type = "application/json", .rows = answer->call->rows};
    if (answer->binary && add_json_length(response, json_length, problem) != 0)
        return -1;
    text_fit(text);
    response->body = response->owned = text->bytes;
    response->length = text->length;
    return 0;
}

int oip_write(struct api_call *call, const struct oip_request *request, struct api_response *response,
              struct api_problem *problem)
{
    struct answer answer = {.call = call, .request = request};
    struct text text = {.bytes = NULL};
    if (call_finish(call, problem) != 0)
        return -1;
    int result = gather(&answer, problem);
    if (result == 0)
        result = put_body(&answer, &text, response, problem);
    if (result != 0)
        free(text.bytes);
    release(&answer);
    return result;
}

/* A row of the logits is told by its number alone: their data may be flat, or no JSON. */
static int compute(const struct api_call *call, const struct oip_request *request, struct api_problem *problem)
{
    const char *logits = api_parameters[API_LOGITS].name;
    size_t i = 0;
    if (api_compute(call, 0, api_call_rows(call), problem) == 0)
        return 0;
    while (i < request->tensor_count && strcmp(request->tensors[i].name, logits) != 0)
        i++;
    if (problem->pointer[0] != '\0')
        snprintf(problem->pointer, sizeof problem->pointer, "/inputs/%zu/data", i);
    return -1;
}

int oip_answer(const struct api_request *request, size_t most, struct api_response *response,
               struct api_problem *problem)
{
    struct oip_request read;
    struct api_call *call = NULL;
    struct api_request lent = *request;
    lent.own_body = most < SIZE_MAX ? NULL : request->own_body;
    int result = oip_read(&lent, &read, &call, problem);
    if (result == 0)
        result = call_cost(call) <= most ? compute(call, &read, problem) : OIP_TOO_MUCH;
    if (result == 0)
        result = oip_write(call, &read, response, problem);
    api_call_free(call);
    oip_request_free(&read);
    return result;
}
