#include "documents/documents.h"
#include "core.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

/* Embedded by openapi_data.S. */
extern const char openapi_json[], openapi_json_end[], openapi_yaml[], openapi_yaml_end[];

void document_openapi_json(const struct api_request *request, struct api_response *response)
{
    (void)request;
    response->body = openapi_json;
    response->length = (size_t)(openapi_json_end - openapi_json);
}

void document_openapi_yaml(const struct api_request *request, struct api_response *response)
{
    (void)request;
    response->body = openapi_yaml;
    response->length = (size_t)(openapi_yaml_end - openapi_yaml);
}

static char *put(char *out, const char *end, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(out, (size_t)(end - out), format, arguments);
    va_end(arguments);
    assert(length >= 0 && length < end - out);
    return out + length;
}

void document_version(const struct api_request *request, struct api_response *response)
{
    (void)request;
    const size_t size = 128 + API_FUNCTION_COUNT * 32;
    char *body = api_malloc(size), *out = body;
    if (body == NULL) {
        api_answer_problem(NULL, &(struct api_problem){.code = API_OUT_OF_MEMORY, .offset = API_NO_OFFSET}, response);
        return;
    }
    const char *end = body + size;
    out = put(out, end, "{\"name\":\"gumbeld\",\"version\":\"%s\",\"rng\":\"%s\",\"isa\":\"%s\",\"functions\":[",
              GUMBELD_VERSION, API_DEFAULT_RNG, core_isa_name(core_selected()));
    for (int i = 0; i < API_FUNCTION_COUNT; i++)
        out = put(out, end, "%s\"%s\"", i > 0 ? "," : "", api_functions[i].name);
    out = put(out, end, "]}");
    response->body = response->owned = body;
    response->length = (size_t)(out - body);
}
