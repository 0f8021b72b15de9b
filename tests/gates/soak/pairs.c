#include "pairs.h"
#include "api.h"
#include "lib/random.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Text ---- */

struct text {
    char *bytes;
    size_t length, capacity;
};

static void reserve(struct text *text, size_t length)
{
    if (text->length + length < text->capacity)
        return;
    text->capacity = 2 * (text->length + length) + 256;
    text->bytes = realloc(text->bytes, text->capacity);
    if (text->bytes == NULL)
        abort();
}

static void put_bytes(struct text *text, const char *bytes, size_t length)
{
    reserve(text, length);
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

__attribute__((format(printf, 2, 3))) static void put(struct text *text, const char *format, ...)
{
    char piece[512];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(piece, sizeof piece, format, arguments);
    va_end(arguments);
    put_bytes(text, piece, (size_t)length);
}

/* ---- What goes over the wire ---- */

static struct wire make_plain(const char *method, const char *path, const struct text *body)
{
    struct text wire = {0};
    put(&wire, "%s %s HTTP/1.1\r\nHost: localhost\r\n", method, path);
    if (body->length > 0)
        put(&wire, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body->length);
    put(&wire, "\r\n");
    const size_t head = wire.length;
    if (body->length > 0)
        put_bytes(&wire, body->bytes, body->length);
    return (struct wire){wire.bytes, wire.length, head};
}

static struct wire make_chunked(const char *method, const char *path, const struct text *body, struct random *random)
{
    struct text wire = {0};
    if (body->length == 0)
        return make_plain(method, path, body);
    put(&wire, "%s %s HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", method, path);
    const size_t head = wire.length;
    for (size_t done = 0; done < body->length;) {
        const size_t left = body->length - done, largest = 1 + left / (1 + random_below(random, 8));
        const size_t chunk = 1 + random_below(random, largest < left ? largest : left);
        put(&wire, "%zx\r\n", chunk);
        put_bytes(&wire, body->bytes + done, chunk);
        put(&wire, "\r\n");
        done += chunk;
    }
    put(&wire, "0\r\n\r\n");
    return (struct wire){wire.bytes, wire.length, head};
}

/* The server draws a seed where none is given, and such answers cannot be foretold. */
static uint64_t no_fresh_seed(void)
{
    abort();
}

static struct api_response compute_answer(const char *method, const char *path, struct text *body)
{
    struct api_problem problem;
    struct api_response response;
    struct api_request request = {.length = body->length, .fresh_seed = no_fresh_seed};
    if (api_route_find(method, path, &request.route, &problem) != 0) {
        api_answer_problem(NULL, &problem, &response);
        return response;
    }
    reserve(body, API_BODY_PADDING);
    memset(body->bytes + body->length, 0, API_BODY_PADDING);
    request.body = body->bytes;
    api_answer(&request, &response);
    return response;
}

static void add(struct pairs *pairs, struct random *random, const char *method, const char *path, struct text *body)
{
    const struct api_response response = compute_answer(method, path, body);
    pairs->list = realloc(pairs->list, (pairs->count + 1) * sizeof *pairs->list);
    if (pairs->list == NULL)
        abort();
    struct text copy = {0};
    put_bytes(&copy, response.body, response.length);
    pairs->list[pairs->count++] = (struct pair){
        .plain = make_plain(method, path, body),
        .chunked = make_chunked(method, path, body, random),
        .status = response.status,
        .media_type = response.media_type,
        .body = copy.bytes,
        .length = copy.length,
    };
    free(response.owned);
    free(body->bytes);
    *body = (struct text){0};
}

/* ---- Calls ---- */

static void put_logit(struct text *body, struct random *random)
{
    const double logit = (double)(int64_t)random_next(random) * 0x1p-60; /* -8 to 8 */
    switch (random_below(random, 16)) {
    case 0:
        put(body, "%d", (int)logit);
        break;
    case 1:
        put(body, "%.9e", logit);
        break;
    case 2:
        put(body, "%s", random_once_in(random, 8) ? "null" : "0.5");
        break;
    default:
        put(body, "%.5f", logit);
        break;
    }
}

static void put_logits(struct text *body, struct random *random, size_t rows, size_t classes)
{
    put(body, "\"logits\":[");
    for (size_t row = 0; row < rows; row++) {
        put(body, row > 0 ? ",[1.25" : "[1.25"); /* never a row of null alone */
        for (size_t i = 1; i < classes; i++) {
            put(body, ",");
            put_logit(body, random);
        }
        put(body, "]");
    }
    put(body, "]");
}

/* A number, or a list of one per row. */
static void put_scale(struct text *body, struct random *random, const char *name, size_t rows)
{
    if (!random_once_in(random, 3)) {
        put(body, "\"%s\":%.3f,", name, 0.1 + 0.001 * (double)random_below(random, 3000));
        return;
    }
    put(body, "\"%s\":", name);
    for (size_t row = 0; row < rows; row++)
        put(body, "%c%.3f", row > 0 ? ',' : '[', 0.1 + 0.001 * (double)random_below(random, 3000));
    put(body, "],");
}

static void put_seed(struct text *body, struct random *random, size_t rows)
{
    if (!random_once_in(random, 4)) {
        put(body, "\"seed\":%llu,", (unsigned long long)(random_next(random) >> 11));
        if (random_once_in(random, 2))
            put(body, "\"row_offset\":%zu,", random_below(random, 1000000));
        if (random_once_in(random, 3))
            put(body, "\"draw_offset\":%zu,", random_below(random, 1000000));
        return;
    }
    put(body, "\"seed\":");
    for (size_t row = 0; row < rows; row++)
        put(body, "%c%llu", row > 0 ? ',' : '[', (unsigned long long)(random_next(random) >> 11));
    put(body, "],");
}

static void add_call(struct pairs *pairs, struct random *random, size_t rows, size_t classes)
{
    struct text body = {0};
    const struct api_function *function = &api_functions[random_below(random, API_VJP)];
    char path[64];
    snprintf(path, sizeof path, "/v1/%s", function->name);
    put(&body, "{");
    if (function->draws_noise)
        put_seed(&body, random, rows);
    if (api_function_takes(function, API_HARD))
        put(&body, "\"hard\":%s,", random_once_in(random, 2) ? "true" : "false");
    put_scale(&body, random, api_function_takes(function, API_TAU) ? "tau" : "temperature", rows);
    put_logits(&body, random, rows, classes);
    put(&body, "}");
    add(pairs, random, "POST", path, &body);
}

/* ---- What is refused, and documents ---- */

static void add_refused(struct pairs *pairs, struct random *random)
{
    static const char *const bodies[] = {
        "{\"logits\":[[1,2],[3,4]],\"member_%u\":1}",
        "{\"member_%u\":[1,2],\"seed\":7}",
        "{\"logits\":[[1,2],[3]],\"temperature\":%u}",
        "{\"logits\":[1,2,3],\"temperature\":-%u}",
        "{\"logits\":[null,null],\"temperature\":%u}",
        "{\"logits\":[%u",
        "%u",
        "{\"logits\":[%u,NaN]}",
        "{\"logits\":[1e%u999]}",
        "{\"logits\":[\"%u\"]}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        for (size_t function = 0; function < API_CATEGORICAL; function++) {
            struct text body = {0};
            char path[64];
            snprintf(path, sizeof path, "/v1/%s", api_functions[function].name);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            put(&body, bodies[i], (unsigned)random_below(random, 1000000));
#pragma GCC diagnostic pop
            add(pairs, random, "POST", path, &body);
        }
}

/* Refused only after half a megabyte has been read. */
static void add_refused_late(struct pairs *pairs, struct random *random)
{
    struct text body = {0};
    put(&body, "{");
    put_logits(&body, random, 64, 1000);
    put(&body, ",\"member_%u\":0}", (unsigned)random_below(random, 1000000));
    add(pairs, random, "POST", "/v1/softmax", &body);
}

static void add_others(struct pairs *pairs, struct random *random)
{
    static const char *const requests[][2] = {{"GET", "/version"},      {"GET", "/openapi.json"},
                                              {"GET", "/openapi.yaml"}, {"GET", "/v1/softmax"},
                                              {"DELETE", "/version"},   {"GET", "/v1/nothing"}};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct text body = {0};
        add(pairs, random, requests[i][0], requests[i][1], &body);
    }
}

struct pairs pairs_new(uint64_t seed)
{
    static const struct {
        size_t rows, classes, count;
    } sizes[] = {{1, 10, 200}, {4, 10, 80},  {64, 10, 40}, {1, 100, 40},  {1, 1000, 40},
                 {16, 63, 30}, {8, 129, 30}, {3, 999, 30}, {16, 256, 20}, {64, 1000, 12}};
    struct random random = {seed};
    struct pairs pairs = {0};
    api_init();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t j = 0; j < sizes[i].count; j++)
            add_call(&pairs, &random, sizes[i].rows, sizes[i].classes);
    add_refused(&pairs, &random);
    add_refused_late(&pairs, &random);
    add_others(&pairs, &random);
    return pairs;
}

void pairs_free(struct pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        free(pairs->list[i].plain.bytes);
        free(pairs->list[i].chunked.bytes);
        free(pairs->list[i].body);
    }
    free(pairs->list);
}
