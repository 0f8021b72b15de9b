#define _GNU_SOURCE /* strndup */
#include "lib/infer.h"

#include "lib/assertions.h"
#include "lib/parts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *header(void *closure, const char *name)
{
    return strcmp(name, "Inference-Header-Content-Length") == 0 ? closure : NULL;
}

static const char *field_of(const struct api_response *response, const char *name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (strcmp(response->headers[i].name, name) == 0)
            return response->headers[i].value;
    return NULL;
}

struct api_request infer_request(const char *method, const char *path)
{
    struct api_request request = {.fresh_seed = ask_fresh_seed, .header = header};
    ck_assert_msg(api_route_find(method, path, &request.route, NULL) == 0, "%s", path);
    request.model = api_route_model(request.route, path);
    return request;
}

/* The answer is the same where the body may be taken, as the server lets it. */
static void check_owned(struct api_request *request, char *body, const struct api_response *lent)
{
    struct api_response owned;
    request->own_body = &body;
    api_answer(request, &owned);
    free(body);
    ck_assert_int_eq(owned.status, lent->status);
    ck_assert_uint_eq(owned.length, lent->length);
    ck_assert_mem_eq(owned.body, lent->body, lent->length);
    api_response_release(&owned);
}

/* `field` is the header's value, or NULL. */
struct inferred infer_post(const char *path, const char *field, const char *body, size_t length)
{
    struct api_request request = infer_request("POST", path);
    struct inferred inferred = {.binary_length = 0};
    struct answer *answer = &inferred.answer;
    char *padded = ask_padded(body, length);
    request.header_closure = (void *)field;
    request.body = padded;
    request.length = length;
    api_answer(&request, &answer->response);
    parts_check(&request, &answer->response);
    check_owned(&request, padded, &answer->response);
    const char *json_length = field_of(&answer->response, "Inference-Header-Content-Length");
    const size_t text_length = json_length != NULL ? strtoul(json_length, NULL, 10) : answer->response.length;
    ck_assert_uint_le(text_length, answer->response.length);
    ck_assert_str_eq(answer->response.media_type,
                     json_length != NULL ? "application/octet-stream" : "application/json");
    answer->status = answer->response.status;
    answer->text = strndup(answer->response.body, text_length);
    answer->json = json_loads(answer->text, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(answer->json != NULL, "%s", answer->text);
    inferred.binary = answer->response.body + text_length;
    inferred.binary_length = answer->response.length - text_length;
    return inferred;
}

struct inferred infer_json(const char *path, const char *json)
{
    return infer_post(path, NULL, json, strlen(json));
}

struct inferred infer_binary(const char *path, const char *json, const void *binary, size_t length)
{
    char field[24];
    snprintf(field, sizeof field, "%zu", strlen(json));
    char *body = malloc(strlen(json) + length + 1);
    memcpy(body, json, strlen(json));
    if (length > 0)
        memcpy(body + strlen(json), binary, length);
    struct inferred inferred = infer_post(path, field, body, strlen(json) + length);
    free(body);
    return inferred;
}

void infer_free(struct inferred *inferred)
{
    struct api_response response = inferred->answer.response;
    inferred->answer.response.owned = NULL;
    ask_free(&inferred->answer);
    api_response_release(&response);
}

const json_t *infer_output(const struct inferred *inferred, size_t i)
{
    return json_array_get(json_object_get(inferred->answer.json, "outputs"), i);
}

const char *infer_text(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text != NULL ? text : "";
}

json_t *infer_get(const char *path)
{
    const struct api_request request = infer_request("GET", path);
    struct api_response response;
    api_answer(&request, &response);
    ck_assert_int_eq(response.status, 200);
    ck_assert_str_eq(response.media_type, "application/json");
    json_t *document = json_loadb(response.body, response.length, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(document);
    api_response_release(&response);
    return document;
}
