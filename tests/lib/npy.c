#include "lib/npy.h"
#include "npy/header.h"

#include "lib/assertions.h"
#include "lib/parts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Bodies ---- */

void npy_append(struct npy_bytes *body, const void *bytes, size_t length)
{
    body->bytes = realloc(body->bytes, body->length + length + API_BODY_PADDING);
    memcpy(body->bytes + body->length, bytes, length);
    body->length += length;
    memset(body->bytes + body->length, 0, API_BODY_PADDING);
}

void npy_add_header(struct npy_bytes *body, int major, const char *dict)
{
    const size_t length = strlen(dict);
    const char version[] = {(char)major, 0};
    npy_append(body, "\x93NUMPY", 6);
    npy_append(body, version, 2);
    for (int i = 0; i < (major == 1 ? 2 : 4); i++) {
        const char byte = (char)(length >> 8 * i);
        npy_append(body, &byte, 1);
    }
    npy_append(body, dict, length);
}

void npy_add(struct npy_bytes *body, const char *descr, const size_t *shape, const void *data)
{
    char dict[256], sizes[128] = "";
    size_t bytes = strcmp(descr, "|b1") == 0 ? 1 : (size_t)(descr[2] - '0'), used = 0;
    for (; *shape != 0; shape++) {
        used += (size_t)snprintf(sizes + used, sizeof sizes - used, "%zu, ", *shape);
        bytes *= *shape;
    }
    snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, sizes);
    memset(dict + strlen(dict), ' ', sizeof dict - strlen(dict));
    strcpy(dict + 117, "\n");
    npy_add_header(body, 1, dict);
    npy_append(body, data, bytes);
}

void npy_free(struct npy_bytes *body)
{
    free(body->bytes);
    *body = (struct npy_bytes){0};
}

/* ---- Requests ---- */

enum { MOST_ARGUMENTS = 32 };

/* The arguments of a query, whose text is cut into them. */
static size_t cut(char *query, struct api_argument *arguments)
{
    size_t count = 0;
    for (char *at = strtok(query, "&"); at != NULL; at = strtok(NULL, "&")) {
        char *value = strchr(at, '=');
        ck_assert_uint_lt(count, MOST_ARGUMENTS);
        arguments[count] = (struct api_argument){.name = at, .value = ""};
        if (value != NULL) {
            *value = '\0';
            arguments[count].value = value + 1;
            arguments[count].length = strlen(value + 1);
        }
        count++;
    }
    return count;
}

/* The body is copied into memory of its own, in which a sanitizer sees its ends. */
struct answer npy_ask(const struct npy_request *how, const struct npy_bytes *body)
{
    struct api_argument arguments[MOST_ARGUMENTS];
    char *query = strdup(how->query != NULL ? how->query : ""), *bytes = NULL;
    struct answer answer = {0};
    struct api_request request = {.content_type = how->content_type,
                                  .accept = how->accept,
                                  .length = body->length,
                                  .fresh_seed = ask_fresh_seed,
                                  .own_body = how->owned ? &bytes : NULL,
                                  .query = arguments,
                                  .query_count = cut(query, arguments)};
    ck_assert_int_eq(api_route_find("POST", how->path, &request.route, NULL), 0);
    if (body->length > 0) {
        bytes = malloc(body->length + API_BODY_PADDING);
        memcpy(bytes, body->bytes, body->length + API_BODY_PADDING);
    }
    request.body = bytes;
    api_answer(&request, &answer.response);
    if (request.own_body == NULL)
        parts_check(&request, &answer.response);
    free(bytes);
    free(query);
    answer.status = answer.response.status;
    answer.text = strndup(answer.response.body, answer.response.length);
    answer.json = json_loads(answer.text, JSON_REJECT_DUPLICATES, NULL);
    return answer;
}

void npy_answer_free(struct answer *answer)
{
    json_decref(answer->json);
    free(answer->text);
    api_response_release(&answer->response);
    *answer = (struct answer){0};
}

/* ---- Answers ---- */

const char *npy_header(const struct answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->response.header_count; i++)
        if (strcmp(answer->response.headers[i].name, name) == 0)
            return answer->response.headers[i].value;
    return NULL;
}

struct api_tensor npy_next(const struct answer *answer, size_t *at)
{
    static const struct {
        const char *descr;
        enum api_dtype dtype;
    } kinds[] = {{"<f4", API_FLOAT32}, {"<f8", API_FLOAT64}, {"<i4", API_INT32}};
    struct npy_header header;
    struct api_tensor tensor = {.count = 1};
    size_t offset, kind = 0;
    ck_assert_msg(answer->status == 200, "%s", answer->text);
    const char *wrong = npy_header_read(answer->response.body + *at, answer->response.length - *at, &header, &offset);
    ck_assert_msg(wrong == NULL, "%zu: %s", *at + offset, wrong);
    ck_assert_uint_eq(header.length % 64, 0);
    ck_assert(!header.fortran_order);
    while (strcmp(kinds[kind].descr, header.descr) != 0)
        ck_assert_uint_lt(++kind, 3);
    tensor.dtype = kinds[kind].dtype;
    tensor.rank = header.rank;
    for (size_t i = 0; i < header.rank; i++)
        tensor.count *= tensor.shape[i] = header.shape[i];
    tensor.data = (char *)answer->response.body + *at + header.length;
    *at += header.length + tensor.count * api_dtypes[tensor.dtype].size;
    ck_assert_uint_le(*at, answer->response.length);
    return tensor;
}
