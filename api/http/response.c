/* What a response holds beside its body. */
#include "api.h"

#include <assert.h>

void api_response_header(struct api_response *response, const char *name, const char *value, char *owned)
{
    assert(response->header_count < API_MOST_HEADERS);
    response->headers[response->header_count++] = (struct api_header){name, value, owned};
}

void api_response_release(struct api_response *response)
{
    api_free(response->owned);
    for (size_t i = 0; i < response->header_count; i++)
        api_free(response->headers[i].owned);
    response->owned = NULL;
    response->header_count = 0;
}
