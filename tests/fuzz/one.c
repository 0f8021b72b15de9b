#include "fuzz/one.h"
#include "api.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed(void)
{
    return 42;
}

/* The route whose path the input begins with, and the bytes of that line; the default and 0 if there is none. */
static const struct api_route *find_route(const char *input, size_t length, size_t *line)
{
    const struct api_route *route = NULL;
    const char *feed = length > 0 ? memchr(input, '\n', length) : NULL;
    char path[64];
    *line = feed != NULL ? (size_t)(feed - input) + 1 : 0;
    if (*line > 0 && *line <= sizeof path) {
        memcpy(path, input, *line);
        path[*line - 1] = '\0';
        if (api_route_find("POST", path, &route, NULL) == 0)
            return route;
    }
    *line = 0;
    api_route_find("POST", "/v1/gumbel_softmax", &route, NULL);
    return route;
}

static const char *judge(const struct api_response *response)
{
    if (response->status != 200 && (response->status < 400 || response->status >= 500))
        return "a status that no input may cause";
    if (strstr(response->media_type, "json") == NULL)
        return NULL;
    json_t *answer = json_loadb(response->body, response->length, JSON_REJECT_DUPLICATES, NULL);
    const bool object = json_is_object(answer);
    json_decref(answer);
    return object ? NULL : "the answer is no JSON object";
}

const char *fuzz_one(const uint8_t *input, size_t length)
{
    size_t line;
    struct api_request request = {.fresh_seed = seed};
    struct api_response response = {0};
    request.route = find_route((const char *)input, length, &line);
    request.length = length - line;
    char *body = calloc(1, request.length + API_BODY_PADDING); /* a sanitizer sees what is read behind it */
    if (request.length > 0)
        memcpy(body, input + line, request.length);
    request.body = body;
    api_answer(&request, &response);
    const char *what = judge(&response);
    free(response.owned);
    free(body);
    return what;
}
