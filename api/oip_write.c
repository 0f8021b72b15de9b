/* A computed call into an inference response: JSON, and behind it the binary tensors in its order. */
#include "json_put.h"
#include "oip.h"

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
    const struct api_call *call;
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

static char *put_string(char *out, const char *text)
{
    *out++ = '"';
    out = json_put_text(out, text);
    *out++ = '"';
    return out;
}

/* Parameters have no lists in this protocol: one of a value per row is a string of JSON. */
static char *put_parameter(char *out, const struct api_call *call, enum api_parameter_id id)
{
    const struct api_value *value = &call->values[id];
    const bool integers = api_parameters[id].type == API_INTEGER;
    const struct api_tensor list = {.dtype = integers ? API_UINT64 : API_FLOAT64,
                                    .data = value->list,
                                    .rank = 1,
                                    .shape = {call->rows},
                                    .count = call->rows};
    out = json_put_name(out, api_parameters[id].name);
    if (value->list == NULL)
        return integers ? json_put_whole(out, (uint64_t)value->one.integer) : json_put_double(out, value->one.number);
    *out++ = '"';
    out = json_put_tensor(out, &list);
    *out++ = '"';
    return out;
}

/* What repeats the answer. */
static char *put_parameters(char *out, const struct api_call *call)
{
    const bool draws = call->of->draws_noise, has_tau = api_function_takes(call->of, API_TAU);
    char *begin;
    if (!draws && !has_tau)
        return out;
    begin = out = json_put_name(out, "parameters");
    if (draws)
        out = put_parameter(json_put_text(out, ",\"rng\":\"" API_RNG "\""), call, API_SEED);
    if (has_tau)
        out = put_parameter(out, call, API_TAU);
    *begin = '{'; /* in place of the first comma */
    *out++ = '}';
    return out;
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

static char *put_strings(char *out, const struct oip_strings *strings)
{
    const char *at = strings->bytes;
    *out++ = '[';
    for (size_t i = 0; i < strings->count; i++) {
        const size_t length = (uint8_t)*at; /* none is longer than a byte says */
        *out++ = '"';
        memcpy(out, at + 4, length);
        out = json_put_text(out + length, "\",");
        at += 4 + length;
    }
    out[-1] = ']';
    return out;
}

static char *put_data(char *out, const struct part *part)
{
    const struct api_tensor flat = {.dtype = part->tensor.dtype,
                                    .data = part->tensor.data,
                                    .rank = 1,
                                    .shape = {part->tensor.count},
                                    .count = part->tensor.count};
    out = json_put_name(out, "data");
    return part->output->classes > 0 ? put_strings(out, &part->strings) : json_put_tensor(out, &flat);
}

static char *put_part(char *out, const struct part *part)
{
    const char *datatype = part->output->classes > 0 ? "BYTES" : oip_datatype_of_result(part->tensor.dtype);
    out = put_string(json_put_text(out, "{\"name\":"), part->tensor.name);
    out = put_string(json_put_name(out, "datatype"), datatype);
    out = put_shape(json_put_name(out, "shape"), &part->tensor);
    if (part->output->binary)
        out = json_put_text(
            json_put_whole(json_put_text(out, ",\"parameters\":{\"binary_data_size\":"), part->binary_size), "}");
    else
        out = put_data(out, part);
    return json_put_text(out, "},");
}

static char *put_json(char *out, const struct answer *answer)
{
    out = put_string(json_put_text(out, "{\"model_name\":"), answer->request->function->name);
    out = json_put_text(out, ",\"model_version\":\"" OIP_MODEL_VERSION "\"");
    if (answer->id != NULL)
        out = json_put_text(json_put_name(out, "id"), answer->id);
    out = put_parameters(out, answer->call);
    out = json_put_text(out, ",\"outputs\":[");
    for (size_t i = 0; i < answer->part_count; i++)
        out = put_part(out, &answer->parts[i]);
    out[-1] = ']'; /* in place of the last comma: there is one output at least */
    *out++ = '}';
    return out;
}

/* ---- The body ---- */

static char *put_binary(char *out, const struct answer *answer)
{
    for (size_t i = 0; i < answer->part_count; i++) {
        const struct part *part = &answer->parts[i];
        if (!part->output->binary)
            continue;
        memcpy(out, part->output->classes > 0 ? part->strings.bytes : part->tensor.data, part->binary_size);
        out += part->binary_size;
    }
    return out;
}

/* Bytes that the body cannot exceed. A string has its quotation marks and comma in place of its length. */
static size_t space(const struct answer *answer)
{
    size_t bytes = 1024 + (answer->id != NULL ? strlen(answer->id) : 0) + JSON_PUT_SPACE;
    for (size_t i = 0; i < answer->part_count; i++) {
        const struct part *part = &answer->parts[i];
        const bool is_text = !part->output->binary && part->output->classes == 0;
        bytes += 512 + (is_text ? json_put_tensor_space(&part->tensor) : part->binary_size);
    }
    for (int id = API_TAU; id <= API_SEED; id++)
        if (answer->call->values[id].list != NULL)
            bytes += answer->call->rows * JSON_PUT_LONGEST;
    return bytes;
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

static int put_body(const struct answer *answer, struct api_response *response, struct api_problem *problem)
{
    char *body = malloc(space(answer));
    if (body == NULL)
        return api_fail(problem, API_INTERNAL, "", API_NO_OFFSET, "no memory for the answer");
    char *json_end = put_json(body, answer), *end = put_binary(json_end, answer);
    *response = (struct api_response){
        .status = 200,
        .media_type = "application/json",
        .body = body,
        .length = (size_t)(end - body),
        .owned = body,
        .rows = answer->call->rows,
    };
    if (answer->binary && add_json_length(response, (size_t)(json_end - body), problem) != 0) {
        free(body);
        return -1;
    }
    char *fitted = realloc(body, response->length);
    if (fitted != NULL)
        response->body = response->owned = fitted;
    return 0;
}

int oip_write(struct api_call *call, const struct oip_request *request, struct api_response *response,
              struct api_problem *problem)
{
    struct answer answer = {.call = call, .request = request};
    if (call_finish(call, problem) != 0)
        return -1;
    int result = gather(&answer, problem);
    if (result == 0)
        result = put_body(&answer, response, problem);
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
    int result = oip_read(request, &read, &call, problem);
    if (result == 0)
        result = call_cost(call) <= most ? compute(call, &read, problem) : OIP_TOO_MUCH;
    if (result == 0)
        result = oip_write(call, &read, response, problem);
    api_call_free(call);
    oip_request_free(&read);
    return result;
}
