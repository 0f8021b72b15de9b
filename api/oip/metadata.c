/* What the server and its models are, from the tables. */
#include "oip/oip.h"

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

/* ---- The server ---- */

void oip_document_server(const struct api_request *request, struct api_response *response)
{
    (void)request;
    oip_answer_json(json_pack("{ss ss s[sssss]}", "name", "gumbeld", "version", GUMBELD_VERSION, "extensions",
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

void oip_document_index(const struct api_request *request, struct api_response *response)
{
    json_t *models = json_array();
    (void)request;
    for (int i = 0; i < API_FUNCTION_COUNT; i++)
        json_array_append_new(models, json_pack("{ss ss ss ss}", "name", api_functions[i].name, "version",
                                                OIP_MODEL_VERSION, "state", "READY", "reason", ""));
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

static json_t *outputs(const struct wording *wording, const struct api_function *function)
{
    json_t *list = json_array();
    for (size_t i = 0; i < API_MAX_RESULTS && function->results[i].name != NULL; i++) {
        const struct api_result_kind *kind = &function->results[i];
        const bool one_a_row = kind->extent == API_OF_WINNERS || kind->extent == API_OF_ROWS;
        const char *datatype = api_dtypes[kind->content == API_CLASSES ? API_INT32 : API_FLOAT32].datatype;
        json_array_append_new(list, tensor(wording, kind->name, datatype, one_a_row ? 1 : 2));
    }
    return list;
}

/* ---- A model ---- */

void oip_document_metadata(const struct api_request *request, struct api_response *response)
{
    const struct api_function *function = request->model;
    oip_answer_json(json_pack("{ss s[s] ss so so}", "name", function->name, "versions", OIP_MODEL_VERSION, "platform",
                              "gumbeld", "inputs", inputs(&metadata, function), "outputs",
                              outputs(&metadata, function)),
                    response);
}

/* The parameters that are no inputs, each with what the table says of it. */
static json_t *parameters(const struct api_function *function)
{
    json_t *object = json_object();
    for (int id = 0; id < API_PARAMETER_COUNT; id++) {
        const struct api_parameter *parameter = &api_parameters[id];
        if (api_function_takes(function, (enum api_parameter_id)id) && parameter->type != API_NUMBERS &&
            parameter->type != API_BOOLEANS)
            json_object_set_new(object, parameter->name, json_pack("{ss}", "string_value", parameter->doc));
    }
    return object;
}

void oip_document_config(const struct api_request *request, struct api_response *response)
{
    const struct api_function *function = request->model;
    oip_answer_json(json_pack("{ss ss ss s{s{s[i]}} si so so so}", "name", function->name, "platform", "gumbeld",
                              "backend", "gumbeld", "version_policy", "specific", "versions", 1, "max_batch_size", 0,
                              "input", inputs(&config, function), "output", outputs(&config, function), "parameters",
                              parameters(function)),
                    response);
}
