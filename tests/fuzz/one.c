#include "fuzz/one.h"
#include "api.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed(void)
{
    return 42;
}

enum { MOST_LINE = 256, MOST_ARGUMENTS = 16 };

/* The first line, cut up. */
struct line {
    char text[MOST_LINE];
    const struct api_route *route;
    bool npy;
    struct api_argument arguments[MOST_ARGUMENTS];
    size_t count;
};

static void cut_query(struct line *line, char *query)
{
    for (char *at = query, *next; at != NULL && line->count < MOST_ARGUMENTS; at = next) {
        next = strchr(at, '&');
        if (next != NULL)
            *next++ = '\0';
        char *value = strchr(at, '=');
        if (value != NULL)
            *value++ = '\0';
        line->arguments[line->count++] = (struct api_argument){
            .name = at, .value = value != NULL ? value : "", .length = value != NULL ? strlen(value) : 0};
    }
}

/* Bytes of the line with the route that the input begins with; the default route and 0 if there is none. */
static size_t cut_line(const char *input, size_t length, struct line *line)
{
    const char *feed = length > 0 ? memchr(input, '\n', length) : NULL;
    const size_t bytes = feed != NULL ? (size_t)(feed - input) + 1 : 0;
    if (bytes > 0 && bytes <= MOST_LINE) {
        memcpy(line->text, input, bytes);
        line->text[bytes - 1] = '\0';
        char *query = strchr(line->text, '?');
        if (query != NULL)
            *query++ = '\0';
        if (api_route_find("POST", line->text, &line->route, NULL) == 0) {
            line->npy = query != NULL;
            cut_query(line, query);
            return bytes;
        }
    }
    api_route_find("POST", "/v1/gumbel_softmax", &line->route, NULL);
    return 0;
}

static const char *judge(const struct api_response *response)
{
    if (response->status != 200 && (response->status < 400 || response->status >= 500))
        return "a status that no input may cause";
    if (strcmp(response->media_type, API_NPY) == 0)
        return memcmp(response->body, "\x93NUMPY\1", 7) == 0 ? NULL : "the answer is no .npy array";
    if (strstr(response->media_type, "json") == NULL)
        return NULL;
    json_t *answer = json_loadb(response->body, response->length, JSON_REJECT_DUPLICATES, NULL);
    const bool object = json_is_object(answer);
    json_decref(answer);
    return object ? NULL : "the answer is no JSON object";
}

const char *fuzz_one(const uint8_t *input, size_t length)
{
    struct line line = {.count = 0};
    const size_t begin = cut_line((const char *)input, length, &line);
    char *body = calloc(1, length - begin + API_BODY_PADDING); /* a sanitizer sees what is read behind it */
    if (length > begin)
        memcpy(body, input + begin, length - begin);
    struct api_request request = {.route = line.route,
                                  .content_type = line.npy ? API_NPY : NULL,
                                  .accept = line.npy ? API_NPY : NULL,
                                  .body = body,
                                  .length = length - begin,
                                  .own_body = &body,
                                  .fresh_seed = seed,
                                  .query = line.arguments,
                                  .query_count = line.count};
    struct api_response response = {0};
    api_answer(&request, &response);
    const char *what = judge(&response);
    api_response_release(&response);
    free(body);
    return what;
}
