#include "gates/fuzz/one.h"
#include "api.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed(void)
{
    return 42;
}

enum { MOST_LINE = 256, MOST_ARGUMENTS = 16, MOST_LINES_BYTES = 1 << 20 };

#define JSON_LENGTH "Inference-Header-Content-Length"

/* The first line, cut up. */
struct line {
    char text[MOST_LINE];
    const struct api_route *route;
    const char *media_type, *accept, *json_length;
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

/* What stands after the path. */
static void cut_rest(struct line *line, char *rest)
{
    const char mark = *rest;
    if (mark != '\0')
        *rest++ = '\0';
    if (mark == '?') {
        line->media_type = line->accept = API_NPY;
        cut_query(line, rest);
    }
    line->accept = mark == '>' ? API_NDJSON : line->accept;
    line->json_length = mark == '#' ? rest : NULL;
}

/* Bytes of the line with the route that the input begins with; the default route and 0 if there is none. */
static size_t cut_line(const char *input, size_t length, struct line *line)
{
    const char *feed = length > 0 ? memchr(input, '\n', length) : NULL;
    const size_t bytes = feed != NULL ? (size_t)(feed - input) + 1 : 0;
    if (bytes > 0 && bytes <= MOST_LINE) {
        memcpy(line->text, input, bytes);
        line->text[bytes - 1] = '\0';
        cut_rest(line, line->text + strcspn(line->text, "?>#"));
        if (api_route_find("POST", line->text, &line->route, NULL) == 0)
            return bytes;
    }
    *line = (struct line){.count = 0};
    api_route_find("POST", "/v1/gumbel_softmax", &line->route, NULL);
    return 0;
}

static const char *header(void *closure, const char *name)
{
    const struct line *line = closure;
    return strcmp(name, JSON_LENGTH) == 0 ? line->json_length : NULL;
}

/* ---- What is wrong with an answer; NULL: nothing ---- */

static const char *judge_json(const char *text, size_t length, bool array)
{
    json_t *answer = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    const bool right = array ? json_is_array(answer) : json_is_object(answer);
    json_decref(answer);
    return right ? NULL : array ? "the answer is no JSON array" : "the answer is no JSON object";
}

/* JSON, of the length that a field tells, and tensors. */
static const char *judge_binary(const struct api_response *response)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (strcmp(response->headers[i].name, JSON_LENGTH) == 0) {
            const size_t length = strtoul(response->headers[i].value, NULL, 10);
            return length <= response->length ? judge_json(response->body, length, false) : "too long a JSON part";
        }
    return "no length of the JSON part";
}

static const char *judge(const struct line *line, const struct api_response *response)
{
    if (response->status != 200 && (response->status < 400 || response->status >= 500))
        return "a status that no input may cause";
    if (strcmp(response->media_type, API_NPY) == 0)
        return memcmp(response->body, "\x93NUMPY\1", 7) == 0 ? NULL : "the answer is no .npy array";
    if (strcmp(response->media_type, "application/octet-stream") == 0)
        return judge_binary(response);
    if (strstr(response->media_type, "json") == NULL)
        return NULL;
    const bool array = response->status == 200 && strcmp(line->text, "/v2/repository/index") == 0;
    return judge_json(response->body, response->length, array);
}

/* Only the first MOST_LINES_BYTES are read, as by a client that leaves. */
static const char *judge_lines(const struct line *line, const struct api_request *request)
{
    struct api_stream *stream;
    struct api_problem problem;
    const char *what = NULL;
    if (api_stream_open(request, &stream, &problem) != 0) {
        struct api_response response = {0};
        api_answer_problem(NULL, &problem, &response);
        what = judge(line, &response);
        api_response_release(&response);
        return what;
    }
    free(*request->own_body); /* it is not needed any longer */
    *request->own_body = NULL;
    char *text = malloc(MOST_LINES_BYTES);
    size_t length = 0, more = 1;
    while (more > 0 && MOST_LINES_BYTES - length >= API_STREAM_LEAST)
        length += more = api_stream_next(stream, text + length, MOST_LINES_BYTES - length);
    api_stream_close(stream);
    const char *next = text, *feed;
    while (what == NULL && (feed = memchr(next, '\n', length - (size_t)(next - text))) != NULL) {
        what = judge_json(next, (size_t)(feed - next), false);
        next = feed + 1;
    }
    if (what == NULL && more == 0 && next != text + length)
        what = "the last line has no end";
    free(text);
    return what;
}

const char *fuzz_one(const uint8_t *input, size_t length)
{
    struct line line = {.count = 0};
    const size_t begin = cut_line((const char *)input, length, &line);
    char *body = calloc(1, length - begin + API_BODY_PADDING); /* a sanitizer sees what is read after it */
    if (length > begin)
        memcpy(body, input + begin, length - begin);
    struct api_request request = {.route = line.route,
                                  .model = api_route_model(line.route, line.text),
                                  .content_type = line.media_type,
                                  .accept = line.accept,
                                  .body = body,
                                  .length = length - begin,
                                  .own_body = &body,
                                  .fresh_seed = seed,
                                  .query = line.arguments,
                                  .query_count = line.count,
                                  .header = header,
                                  .header_closure = &line};
    const char *what;
    if (api_front_streams(api_front_of(&request))) {
        what = judge_lines(&line, &request);
    } else {
        struct api_response response = {0};
        api_answer(&request, &response);
        what = judge(&line, &response);
        api_response_release(&response);
    }
    free(body);
    return what;
}
