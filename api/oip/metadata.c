/* What the server and its models are, from the tables. */
#include "oip/oip.h"
#include "json/envelope.h"
#include "json/find.h"

#include <stdio.h>
#include <string.h>

void oip_answer_json(json_t *document, struct api_response *response)
{
    char *text = document != NULL ? json_dumps(document, JSON_COMPACT) : NULL;
    json_decref(document);
    if (text == NULL) {
        api_answer_problem("/v2", &(struct api_problem){.code = API_OUT_OF_MEMORY, .offset = API_NO_OFFSET}, response);
        return;
    }
    *response = (struct api_response){
        .status = 200,
        .media_type = "application/json",
        .body = text,
        .length = strlen(text),
        .owned = text,
    };
}

/* The protocol's platforms are "project_format". */
#define PROJECT "gumbeld"
#define PLATFORM PROJECT "_function"

/* ---- The server ---- */

void oip_document_server(const struct api_request *request, struct api_response *response)
{
    (void)request;
    oip_answer_json(json_pack("{ss ss s[sssss]}", "name", PROJECT, "version", GUMBELD_VERSION, "extensions",
                              "binary_tensor_data", "classification", "model_configuration", "parameters",
                              "statistics"),
                    response);
}

void oip_document_models(const struct api_request *request, struct api_response *response)
{
    json_t *names = json_array();
    (void)request;
    for (int i = 0; i < API_FUNCTION_COUNT; i++)
        json_array_append_new(names, json_string(api_functions[i].name));
    oip_answer_json(json_pack("{so}", "models", names), response);
}

/* The body may be empty, as Triton's client sends it, or an object. */
static int read_ready(const struct api_request *request, bool *ready, struct api_problem *problem)
{
    const struct json_text text = json_text_of(request, request->length);
    json_t *envelope = NULL;
    *ready = false;
    if (request->length == 0)
        return 0;
    if (json_envelope_read(&text, NULL, 0, &envelope, problem) != 0)
        return -1;
    const json_t *member = oip_member(envelope, "ready");
    const int result = member == NULL || json_is_boolean(member)
                           ? 0
                           : api_fail(problem, API_WRONG_TYPE, "/ready", API_NO_OFFSET, "must be true or false");
    *ready = json_is_true(member);
    json_find_place(&text, result != 0 ? problem : NULL);
    json_decref(envelope);
    return result;
}

static json_t *state(const struct api_function *function, bool ready)
{
    return json_pack("{ss ss ss ss}", "name", function->name, "version", OIP_MODEL_VERSION, "state",
                     ready ? "READY" : "UNAVAILABLE", "reason", ready ? "" : "the server is about to end");
}

void oip_document_index(const struct api_request *request, struct api_response *response)
{
    struct api_problem problem;
    bool only_ready;
    if (read_ready(request, &only_ready, &problem) != 0) {
        api_answer_problem("/v2", &problem, response);
        return;
    }
    json_t *models = json_array();
    for (int i = 0; i < API_FUNCTION_COUNT && !(only_ready && request->draining); i++)
        json_array_append_new(models, state(&api_functions[i], !request->draining));
    oip_answer_json(models, response);
}

/* ---- Tensors ---- */

/* How the protocol's two documents call the parts of a tensor. */
struct wording {
    const char *datatype, *datatype_prefix, *shape;
    bool says_optional;
};

static const struct wording metadata = {"datatype", "", "shape", false}, config = {"data_type", "TYPE_", "dims", true};

/* An array of rows, or one value for each row: as logits of shape [B, K] have it. The service takes any rank. */
static json_t *tensor(const struct wording *wording, const char *name, const char *datatype, int rank)
{
    char prefixed[32];
    snprintf(prefixed, sizeof prefixed, "%s%s", wording->datatype_prefix, datatype);
    json_t *shape = json_array();
    for (int axis = 0; axis < rank; axis++)
        json_array_append_new(shape, json_integer(-1));
    return json_pack("{ss ss so}", "name", name, wording->datatype, prefixed, wording->shape, shape);
}

static json_t *inputs(const struct wording *wording, const struct api_function *function)
{
    json_t *list = json_array();
    for (int id = 0; id < API_PARAMETER_COUNT; id++) {
        const struct api_parameter *parameter = &api_parameters[id];
        if (!api_function_takes(function, (enum api_parameter_id)id) || !api_parameter_is_array(parameter))
            continue;
        json_t *input = tensor(wording, parameter->name, oip_datatype_in_metadata(parameter->type),
                               parameter->per_row ? 1 : 2);
        if (wording->says_optional && !parameter->required)
            json_object_set_new(input, "optional", json_true());
        json_array_append_new(list, input);
    }
    return list;
}

/* When a result comes that a request without `outputs` does not always have; NULL where it does. */
static const char *condition(const struct api_function *function, size_t result)
{
    static const char *const texts[] = {
        [API_ON_RETURN] = "Comes if the request's `outputs` or `return` name it.",
        [API_WITH_LOGPROBS] = "Comes if `logprobs` is not 0.",
        [API_WITH_NAMED] = "Comes if `logprobs_for` is given.",
        [API_OF_TEMPERATURE] = "Comes if the differentiated function takes a temperature.",
        [API_OF_TAU] = "Comes if the differentiated function takes a tau.",
    };
    const enum api_condition of = function->results[result].condition;
    return of == API_ON_RETURN && result == 0 ? NULL : texts[of];
}

static json_t *outputs(const struct wording *wording, const struct api_function *function)
{
    json_t *list = json_array();
    for (size_t i = 0; i < API_MAX_RESULTS && function->results[i].name != NULL; i++) {
        const struct api_result_kind *kind = &function->results[i];
        const bool one_a_row = kind->extent == API_OF_WINNERS || kind->extent == API_OF_ROWS;
        const char *datatype = api_dtypes[api_content_is_integer(kind->content) ? API_INT32 : API_FLOAT32].datatype;
        if (condition(function, i) == NULL)
            json_array_append_new(list, tensor(wording, kind->name, datatype, one_a_row ? 1 : 2));
    }
    return list;
}

/* ---- A model ---- */

void oip_document_metadata(const struct api_request *request, struct api_response *response)
{
    const struct api_function *function = request->model;
    oip_answer_json(json_pack("{ss s[s] ss so so}", "name", function->name, "versions", OIP_MODEL_VERSION, "platform",
                              PLATFORM, "inputs", inputs(&metadata, function), "outputs", outputs(&metadata, function)),
                    response);
}

static void set_text(json_t *object, const char *name, const char *text)
{
    json_object_set_new(object, name, json_pack("{ss}", "string_value", text));
}

/* The parameters that are no inputs, each with what the table says of it; and the outputs that only come on demand. */
static json_t *parameters(const struct api_function *function)
{
    json_t *object = json_object();
    for (int id = 0; id < API_PARAMETER_COUNT; id++) {
        const struct api_parameter *parameter = &api_parameters[id];
        if (api_function_takes(function, (enum api_parameter_id)id) && parameter->type != API_NUMBERS &&
            parameter->type != API_BOOLEANS)
            set_text(object, parameter->name, parameter->doc);
    }
    for (size_t i = 0; i < API_MAX_RESULTS && function->results[i].name != NULL; i++) {
        char name[64];
        snprintf(name, sizeof name, "outputs.%s", function->results[i].name);
        if (condition(function, i) != NULL)
            set_text(object, name, condition(function, i));
    }
    return object;
}

void oip_document_config(const struct api_request *request, struct api_response *response)
{
    const struct api_function *function = request->model;
    oip_answer_json(json_pack("{ss ss ss s{s{s[i]}} si so so so}", "name", function->name, "platform", PLATFORM,
                              "backend", PROJECT, "version_policy", "specific", "versions", 1, "max_batch_size", 0,
                              "input", inputs(&config, function), "output", outputs(&config, function), "parameters",
                              parameters(function)),
                    response);
}
