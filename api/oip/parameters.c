/* Parameters of a request, an input and an output. The protocol has clients and proxies put there what they like: what
 * is not known is passed over, unless it looks like a slip of what is. */
#include "contract/suggest.h"
#include "oip/oip.h"
#include "json/pointer.h"
#include "json/tree.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const oip_input_parameters[] = {"binary_data_size", NULL};
const char *const oip_output_parameters[] = {"binary_data", "classification", NULL};
static const char *const request_parameters[] = {"binary_data_output", "timeout"};
enum { REQUEST_PARAMETERS = sizeof request_parameters / sizeof *request_parameters };

/* ---- Any of them ---- */

const json_t *oip_member(const json_t *object, const char *name)
{
    const json_t *member = json_object_get(object, name);
    return json_is_null(member) ? NULL : member;
}

/* Names of any function's parameters are checked with the function. */
static bool is_known(const char *const *names, const char *name)
{
    while (*names != NULL && strcmp(*names, name) != 0)
        names++;
    return *names != NULL || api_parameter_find(NULL, name, strlen(name)) != NULL;
}

static int refuse_slips(struct api_problem *problem, const json_t *parameters, const char *pointer,
                        const char *const *names)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)parameters, name, value) {
        char below[128] = "/parameters";
        const char *meant = is_known(names, name) ? NULL : suggest_name(names, name);
        const size_t used = strlen(below);
        if (meant == NULL)
            continue;
        json_pointer_write(below + used, sizeof below - used, name);
        return oip_fail(problem, API_UNKNOWN_MEMBER, pointer, below, "the parameter is called %s, not %.80s", meant,
                        name);
    }
    return 0;
}

int oip_parameters(struct api_problem *problem, const json_t *object, const char *pointer, const char *const *names,
                   const json_t **parameters)
{
    *parameters = oip_member(object, "parameters");
    if (*parameters != NULL && !json_is_object(*parameters))
        return oip_fail(problem, API_WRONG_TYPE, pointer, "/parameters", "must be an object");
    return refuse_slips(problem, *parameters, pointer, names);
}

/* ---- A request's ---- */

/* What a string holds as JSON; NULL where it does not, or memory is short. */
static json_t *read_string(const json_t *string)
{
    const struct json_text text = {.body = json_string_value(string), .length = json_string_length(string)};
    struct json_reader reader;
    json_t *value;
    json_reader_open(&reader, &text);
    if (json_tree_read(&reader, &value, NULL) != 0)
        return NULL;
    if (json_reader_end(&reader) && (json_is_object(value) || json_is_array(value)))
        return value;
    json_decref(value);
    return NULL;
}

/* Clients that have no lists or objects among parameters send them as a string. */
static json_t *unwrap(const struct api_parameter *parameter, json_t *value)
{
    const bool wrapped = parameter->type == API_NAMES || parameter->type == API_STEPS || parameter->type == API_BIAS ||
                         parameter->type == API_CLASS_LIST || parameter->type == API_CLASS_LISTS || parameter->schedule;
    json_t *inner = wrapped && json_is_string(value) ? read_string(value) : NULL;
    return inner != NULL ? inner : json_incref(value);
}

/* How long the client waits, in microseconds: Triton's. */
static int read_timeout(struct oip_reader *reader, const json_t *parameters)
{
    const json_t *json = oip_member(parameters, "timeout");
    const double timeout = json_real_value(json);
    if (json == NULL)
        return 0;
    if (!json_is_real(json))
        return oip_fail(reader->problem, API_WRONG_TYPE, "", "/parameters/timeout", "must be a number of microseconds");
    if (timeout < 0 || timeout > API_MAX_INTEGER || timeout != floor(timeout))
        return oip_fail(reader->problem, API_OUT_OF_RANGE, "", "/parameters/timeout",
                        "must be an integer from 0 to 9007199254740991, of microseconds");
    *reader->timeout_us = (uint64_t)timeout;
    return 0;
}

/* What the request's parameters may be called, up to NULL: those that are not inputs only, and the protocol's own. */
static void list_names(const struct api_function *function,
                       const char *names[API_PARAMETER_COUNT + REQUEST_PARAMETERS + 1])
{
    for (int id = 0; id < API_PARAMETER_COUNT; id++) {
        const struct api_parameter *parameter = &api_parameters[id];
        if (api_function_takes(function, (enum api_parameter_id)id) && parameter->type != API_NUMBERS &&
            parameter->type != API_BOOLEANS)
            *names++ = parameter->name;
    }
    for (size_t i = 0; i < REQUEST_PARAMETERS; i++)
        *names++ = request_parameters[i];
    *names = NULL;
}

int oip_read_parameters(struct oip_reader *reader)
{
    struct oip_request *out = reader->out;
    const char *names[API_PARAMETER_COUNT + REQUEST_PARAMETERS + 1];
    const json_t *parameters;
    out->members = json_object();
    if (out->members == NULL)
        return api_fail(reader->problem, API_OUT_OF_MEMORY, "", API_NO_OFFSET, "no memory for the parameters");
    list_names(out->function, names);
    if (oip_parameters(reader->problem, out->envelope, "", names, &parameters) != 0)
        return -1;
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)parameters, name, value) {
        const struct api_parameter *parameter = api_parameter_find(NULL, name, strlen(name));
        if (parameter != NULL)
            json_object_set_new(out->members, parameter->name, unwrap(parameter, value));
    }
    return read_timeout(reader, parameters);
}
