#define _GNU_SOURCE /* open_memstream */
#include "lib/record.h"
#include "api.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t fnv1a(const char *bytes, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3;
    return hash;
}

static FILE *create(uint64_t name, const char *end)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%016" PRIx64 ".%s", getenv("TEST_RECORD"), name, end);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        perror(path);
        abort();
    }
    return file;
}

void record(const char *request, size_t length, int status, const char *answer, size_t answer_length)
{
    if (getenv("TEST_RECORD") == NULL || length == 0 || length > RECORD_MOST)
        return;
    const uint64_t name = fnv1a(request, length);
    FILE *file = create(name, "request");
    fwrite(request, 1, length, file);
    fclose(file);
    if (answer == NULL)
        return;
    file = create(name, "answer");
    fprintf(file, "%d\n", status);
    fwrite(answer, 1, answer_length, file);
    fclose(file);
}

/* ---- The requests of this process ---- */

static void put_encoded(FILE *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        fprintf(out, isalnum((unsigned char)text[i]) ? "%c" : "%%%02X", (unsigned char)text[i]);
}

/* A path that names a model which there is not has lost that name. */
static void put_target(FILE *out, const struct api_request *request)
{
    const char *path = request->route->path, *model = strstr(path, "{model}");
    if (model == NULL)
        fputs(path, out);
    else
        fprintf(out, "%.*s%s%s", (int)(model - path), path, request->model != NULL ? request->model->name : "nonesuch",
                model + strlen("{model}"));
    for (size_t i = 0; i < request->query_count; i++) {
        const struct api_argument *argument = &request->query[i];
        putc(i == 0 ? '?' : '&', out);
        put_encoded(out, argument->name, strlen(argument->name));
        putc('=', out);
        put_encoded(out, argument->value, argument->length);
    }
}

static void put_field(FILE *out, const char *name, const char *value)
{
    if (value != NULL)
        fprintf(out, "%s: %s\r\n", name, value);
}

static void put_request(FILE *out, const struct api_request *request)
{
    static const char json_length[] = "Inference-Header-Content-Length";
    fputs(api_route_is_post(request->route) ? "POST " : "GET ", out);
    put_target(out, request);
    fputs(" HTTP/1.1\r\n", out);
    put_field(out, "Content-Type", request->content_type);
    put_field(out, "Accept", request->accept);
    put_field(out, json_length, request->header != NULL ? request->header(request->header_closure, json_length) : NULL);
    fprintf(out, "Content-Length: %zu\r\n\r\n", request->length);
    if (request->length > 0)
        fwrite(request->body, 1, request->length, out);
}

/* The linker (--wrap) has each call of api_answer come here. */
void __wrap_api_answer(const struct api_request *request, struct api_response *response);
void __real_api_answer(const struct api_request *request, struct api_response *response);

void __wrap_api_answer(const struct api_request *request, struct api_response *response)
{
    char *text = NULL;
    size_t length = 0;
    if (getenv("TEST_RECORD") != NULL && request->length <= RECORD_MOST) {
        FILE *out = open_memstream(&text, &length);
        put_request(out, request);
        fclose(out);
    }
    __real_api_answer(request, response);
    if (text != NULL)
        record(text, length, response->status, request->limits == NULL ? response->body : NULL, response->length);
    free(text);
}
