#include "documents.h"
#include "core.h"

#include <stdio.h>
#include <stdlib.h>

/* Embedded by openapi_data.S. */
extern const char openapi_json[], openapi_json_end[], openapi_yaml[], openapi_yaml_end[];

void document_openapi_json(struct api_response *response)
{
    response->body = openapi_json;
    response->length = (size_t)(openapi_json_end - openapi_json);
}

void document_openapi_yaml(struct api_response *response)
{
    response->body = openapi_yaml;
    response->length = (size_t)(openapi_yaml_end - openapi_yaml);
}

void document_version(struct api_response *response)
{
    const size_t size = 160;
    char *body = malloc(size);
    if (body == NULL) {
        api_answer_problem(&(struct api_problem){.code = API_INTERNAL, .offset = API_NO_OFFSET}, response);
        return;
    }
    response->length = (size_t)snprintf(body, size,
                                        "{\"name\":\"gumbeld\",\"version\":\"%s\",\"rng\":\"%s\",\"isa\":\"%s\"}",
                                        GUMBELD_VERSION, API_RNG, core_isa_name(core_selected()));
    response->body = response->owned = body;
}
