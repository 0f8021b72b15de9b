/* What a request takes: the most that is allocated for it at once, from the first byte of its body to its answer, over
 * what it must take: its body, its floats and its answer. Floats that are the bytes of the body or of the answer are
 * not counted again, nor is a result that takes the place of its logits. The body comes and the answer goes as in the
 * server, without a socket. With MEMORY_TABLE in the environment each case is printed. */
#include "api.h"
#include "encoding.h"
#include "lib/memory.h"
#include "lib/npy.h"
#include "lib/requests.h"
#include "lib/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS = 200000, TEXT_BYTES = 16 * 1024 * 1024, BATCHED = 3, PIECE = 32768, MOST_ARGUMENTS = 16 };

/* Each request is made of many rows, and of a single one. */
static const struct shape {
    size_t rows, classes;
} shapes[] = {{200, 1000}, {1, NUMBERS}};
enum { SHAPES = sizeof shapes / sizeof *shapes };
static struct shape shape;
#define BLOCK ((size_t)256 * 1024) /* of lines, which the server keeps for an answer that is streamed */

enum front { JSON, SHORT_JSON, NPY, INFER, INFER_BINARY, BATCH };
enum { MASK = 1, COTANGENT = 2, GZIP_IN = 4, GZIP_OUT = 8 };

/* A body of random logits in the front's form, and what is to be allocated for its floats. */
struct request {
    const char *name, *path;
    enum front front;
    int bits;         /* of a logit: 16 (.npy, binary), 32 or 64 */
    size_t samples;   /* in the shape of the cotangent; 0: it has none */
    unsigned with;    /* MASK, ... */
    const char *also; /* members of the JSON after a comma, or the query */
    const char *accept;
    double floats; /* bytes for each logit, in and out */
};

#define ALL_RESULTS ",\"seed\":1,\"return\":[\"samples\",\"indices\",\"soft\",\"noise\"]"
#define ALL_QUERY "seed=1&return=samples,indices,soft,noise"
#define LINES "application/x-ndjson"

static const struct request requests[] = {
    {"softmax, JSON", "/v1/softmax", JSON, 32, 0, 0, "", NULL, 4},
    {"softmax, JSON, float64", "/v1/softmax", JSON, 64, 0, 0, ",\"dtype\":\"float64\"", NULL, 8},
    {"softmax, JSON of one digit a number", "/v1/softmax", SHORT_JSON, 32, 0, 0, "", NULL, 4},
    {"softmax, JSON, mask", "/v1/softmax", JSON, 32, 0, MASK, "", NULL, 5},
    {"softmax, JSON, gzip in", "/v1/softmax", JSON, 32, 0, GZIP_IN, "", NULL, 4},
    {"softmax, JSON, gzip out", "/v1/softmax", JSON, 32, 0, GZIP_OUT, "", NULL, 4},
    {"softmax, JSON, gzip both", "/v1/softmax", JSON, 32, 0, GZIP_IN | GZIP_OUT, "", NULL, 4},
    {"log_softmax, JSON", "/v1/log_softmax", JSON, 32, 0, 0, "", NULL, 4},
    {"gumbel_softmax, JSON", "/v1/gumbel_softmax", JSON, 32, 0, 0, ",\"seed\":1", NULL, 4},
    {"gumbel_softmax, JSON, float64", "/v1/gumbel_softmax", JSON, 64, 0, 0, ",\"seed\":1,\"dtype\":\"float64\"", NULL,
     8},
    {"gumbel_softmax, JSON, hard", "/v1/gumbel_softmax", JSON, 32, 0, 0, ",\"seed\":1,\"hard\":true", NULL, 4},
    {"gumbel_softmax, JSON, 4 results", "/v1/gumbel_softmax", JSON, 32, 0, 0, ALL_RESULTS, NULL, 12},
    {"gumbel_softmax, JSON, 8 samples", "/v1/gumbel_softmax", JSON, 32, 0, 0, ",\"seed\":1,\"num_samples\":8", NULL,
     32},
    {"categorical, JSON", "/v1/categorical", JSON, 32, 0, 0, ",\"seed\":1,\"logprobs\":5", NULL, 4},
    {"categorical, JSON, 1000 draws", "/v1/categorical", JSON, 32, 0, 0, ",\"seed\":1,\"num_samples\":1000", NULL, 8},
    {"vjp of softmax, JSON", "/v1/vjp", JSON, 32, 0, COTANGENT, ",\"function\":\"softmax\"", NULL, 12},
    {"vjp of gumbel_softmax, JSON, 2 samples", "/v1/vjp", JSON, 32, 2, COTANGENT,
     ",\"seed\":1,\"function\":\"gumbel_softmax\",\"num_samples\":2", NULL, 16},
    {"batch of 3 softmax", "/v1/batch", BATCH, 32, 0, 0, "softmax", NULL, 4},
    {"batch of 3 gumbel_softmax", "/v1/batch", BATCH, 32, 0, 0, "gumbel_softmax", NULL, 4},
    {"softmax, JSON, lines", "/v1/softmax", JSON, 32, 0, 0, "", LINES, 4},
    {"gumbel_softmax, JSON, 4 results, lines", "/v1/gumbel_softmax", JSON, 32, 0, 0, ALL_RESULTS, LINES, 12},
    {"softmax, .npy", "/v1/softmax", NPY, 32, 0, 0, "", API_NPY, 0},
    {"softmax, .npy, float64", "/v1/softmax", NPY, 64, 0, 0, "", API_NPY, 0},
    {"softmax, .npy, float16", "/v1/softmax", NPY, 16, 0, 0, "", API_NPY, 4},
    {"softmax, .npy, mask", "/v1/softmax", NPY, 32, 0, MASK, "arrays=logits,mask", API_NPY, 0},
    {"softmax, .npy, gzip both", "/v1/softmax", NPY, 32, 0, GZIP_IN | GZIP_OUT, "", API_NPY, 4},
    {"softmax, JSON to .npy", "/v1/softmax", JSON, 32, 0, 0, "", API_NPY, 0},
    {"softmax, .npy to JSON", "/v1/softmax", NPY, 32, 0, 0, "", NULL, 0},
    {"softmax, .npy to lines", "/v1/softmax", NPY, 32, 0, 0, "", LINES, 0},
    {"gumbel_softmax, .npy", "/v1/gumbel_softmax", NPY, 32, 0, 0, "seed=1", API_NPY, 0},
    {"gumbel_softmax, .npy, 4 results", "/v1/gumbel_softmax", NPY, 32, 0, 0, ALL_QUERY, API_NPY, 0},
    {"gumbel_softmax, .npy, float64, 4 results", "/v1/gumbel_softmax", NPY, 64, 0, 0, ALL_QUERY, API_NPY, 0},
    {"gumbel_softmax, .npy, float16, 4 results", "/v1/gumbel_softmax", NPY, 16, 0, 0, ALL_QUERY, API_NPY, 4},
    {"gumbel_softmax, .npy, 4 results, gzip out", "/v1/gumbel_softmax", NPY, 32, 0, GZIP_OUT, ALL_QUERY, API_NPY, 12},
    {"gumbel_softmax, JSON to .npy, 4 results", "/v1/gumbel_softmax", JSON, 32, 0, 0, ALL_RESULTS, API_NPY, 0},
    {"gumbel_softmax, .npy to JSON, 4 results", "/v1/gumbel_softmax", NPY, 32, 0, 0, ALL_QUERY, NULL, 8},
    {"gumbel_softmax, .npy, 8 samples", "/v1/gumbel_softmax", NPY, 32, 0, 0, "seed=1&num_samples=8", API_NPY, 0},
    {"categorical, .npy", "/v1/categorical", NPY, 32, 0, 0, "seed=1&logprobs=5", API_NPY, 0},
    {"categorical, .npy, 1000 draws", "/v1/categorical", NPY, 32, 0, 0,
     "seed=1&num_samples=1000&return=indices,log_probabilities,scores", API_NPY, 0},
    {"vjp of softmax, .npy", "/v1/vjp", NPY, 32, 0, COTANGENT, "function=softmax&arrays=logits,cotangent", API_NPY, 0},
    {"vjp of gumbel_softmax, .npy, 2 samples", "/v1/vjp", NPY, 32, 2, COTANGENT,
     "seed=1&num_samples=2&function=gumbel_softmax&arrays=logits,cotangent", API_NPY, 0},
    {"softmax, inference, JSON", "/v2/models/softmax/infer", INFER, 32, 0, 0, "", NULL, 4},
    {"softmax, inference, JSON, float64", "/v2/models/softmax/infer", INFER, 64, 0, 0, "", NULL, 8},
    {"gumbel_softmax, inference, JSON, 4 results", "/v2/models/gumbel_softmax/infer", INFER, 32, 0, 0, ALL_RESULTS,
     NULL, 12},
    {"softmax, inference, binary", "/v2/models/softmax/infer", INFER_BINARY, 32, 0, 0, ",\"binary_data_output\":true",
     NULL, 0},
    {"softmax, inference, binary, float64", "/v2/models/softmax/infer", INFER_BINARY, 64, 0, 0,
     ",\"binary_data_output\":true", NULL, 0},
    {"softmax, inference, binary, float16", "/v2/models/softmax/infer", INFER_BINARY, 16, 0, 0,
     ",\"binary_data_output\":true", NULL, 4},
    {"softmax, inference, binary, mask", "/v2/models/softmax/infer", INFER_BINARY, 32, 0, MASK,
     ",\"binary_data_output\":true", NULL, 0},
    {"softmax, inference, binary to JSON", "/v2/models/softmax/infer", INFER_BINARY, 32, 0, 0, "", NULL, 0},
    {"softmax, inference, JSON to binary", "/v2/models/softmax/infer", INFER, 32, 0, 0, ",\"binary_data_output\":true",
     NULL, 0},
    {"gumbel_softmax, inference, binary, 4 results", "/v2/models/gumbel_softmax/infer", INFER_BINARY, 32, 0, 0,
     ",\"binary_data_output\":true" ALL_RESULTS, NULL, 0},
    {"vjp of softmax, inference, binary", "/v2/models/vjp/infer", INFER_BINARY, 32, 0, COTANGENT,
     ",\"binary_data_output\":true,\"function\":\"softmax\"", NULL, 0},
};

/* ---- Bodies ---- */

/* The first text gets all the memory that the longest needs. */
static void add_text(struct npy_bytes *body, const char *text)
{
    const size_t length = strlen(text);
    if (body->bytes == NULL)
        body->bytes = malloc(TEXT_BYTES);
    ck_assert_uint_le(body->length + length, TEXT_BYTES);
    memcpy(body->bytes + body->length, text, length);
    body->length += length;
}

static double next_logit(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return ((double)*state / 4294967296.0 - 0.5) * 16;
}

static void add_number(struct npy_bytes *text, const struct request *request, bool boolean, uint32_t *state)
{
    char number[40];
    const double value = next_logit(state);
    if (boolean)
        snprintf(number, sizeof number, "%s,", value > 0 ? "true" : "false");
    else if (request->front == SHORT_JSON)
        snprintf(number, sizeof number, "%d,", value > 0);
    else
        snprintf(number, sizeof number, "%.*g,", request->bits == 64 ? 17 : 9,
                 request->bits == 64 ? value : (float)value);
    add_text(text, number);
}

/* `count` numbers in rows, `samples` times if that is not 0, or flat. */
static void add_list(struct npy_bytes *text, const struct request *request, bool flat, size_t samples, bool boolean)
{
    uint32_t state = 1;
    add_text(text, samples > 0 ? "[[" : "[");
    for (size_t sample = 0; sample < (samples > 0 ? samples : 1); sample++) {
        for (size_t row = 0; row < shape.rows; row++) {
            add_text(text, flat ? "" : "[");
            for (size_t class = 0; class < shape.classes; class ++)
                add_number(text, request, boolean, &state);
            text->length -= !flat;
            add_text(text, flat ? "" : "],");
        }
        text->length--;
        add_text(text, samples > 0 ? "],[" : "");
    }
    text->length -= samples > 0 ? 2 : 0;
    add_text(text, "]");
}

static void add_members(struct npy_bytes *text, const struct request *request)
{
    add_text(text, "{\"logits\":");
    add_list(text, request, false, 0, false);
    if (request->with & MASK) {
        add_text(text, ",\"mask\":");
        add_list(text, request, false, 0, true);
    }
    if (request->with & COTANGENT) {
        add_text(text, ",\"cotangent\":");
        add_list(text, request, false, request->samples, false);
    }
    add_text(text, request->front == BATCH ? "" : request->also);
    add_text(text, "}");
}

static void add_batch(struct npy_bytes *text, const struct request *request)
{
    char head[80];
    add_text(text, "{\"requests\":[");
    for (int i = 0; i < BATCHED; i++) {
        snprintf(head, sizeof head, "%s{\"id\":%d,\"function\":\"%s\",\"body\":", i > 0 ? "," : "", i, request->also);
        add_text(text, head);
        add_members(text, request);
        add_text(text, "}");
    }
    add_text(text, "]}");
}

/* Random elements of `size` bytes, 1 being a boolean's. */
static void *elements(size_t count, size_t size)
{
    static const uint16_t halves[] = {0x3c00, 0xbc00, 0x4000, 0x3800}; /* 1, -1, 2, 0.5 */
    uint32_t state = 1;
    char *bytes = malloc(count * size);
    for (size_t i = 0; i < count; i++) {
        const double value = next_logit(&state);
        if (size == 8)
            memcpy(bytes + i * size, &value, size);
        else if (size == 4)
            memcpy(bytes + i * size, &(float){(float)value}, size);
        else if (size == 2)
            memcpy(bytes + i * size, &halves[state >> 30], size);
        else
            bytes[i] = value > 0;
    }
    return bytes;
}

static void add_npy(struct npy_bytes *body, size_t size, size_t samples)
{
    static const char *const descrs[] = {[1] = "|b1", [2] = "<f2", [4] = "<f4", [8] = "<f8"};
    const size_t axes[] = {samples, shape.rows, shape.classes, 0};
    void *data = elements((samples > 0 ? samples : 1) * NUMBERS, size);
    npy_add(body, descrs[size], samples > 0 ? axes : axes + 1, data);
    free(data);
}

/* An input: its data in the JSON, or appended to `binary`. */
static void add_input(struct npy_bytes *text, struct npy_bytes *binary, const struct request *request, const char *name,
                      const char *datatype, size_t size)
{
    char head[160];
    snprintf(head, sizeof head, "{\"name\":\"%s\",\"datatype\":\"%s\",\"shape\":[%zu,%zu],", name, datatype, shape.rows,
             shape.classes);
    add_text(text, head);
    if (request->front == INFER) {
        add_text(text, "\"data\":");
        add_list(text, request, true, 0, size == 1);
    } else {
        snprintf(head, sizeof head, "\"parameters\":{\"binary_data_size\":%zu}", NUMBERS * size);
        add_text(text, head);
        void *data = elements(NUMBERS, size);
        npy_append(binary, data, NUMBERS * size);
        free(data);
    }
    add_text(text, "},");
}

/* Returns the length of the JSON. */
static size_t add_inference(struct npy_bytes *body, const struct request *request)
{
    const size_t size = (size_t)request->bits / 8;
    const char *datatype = size == 8 ? "FP64" : size == 4 ? "FP32" : "FP16";
    struct npy_bytes binary = {0};
    add_text(body, "{\"inputs\":[");
    add_input(body, &binary, request, "logits", datatype, size);
    if (request->with & MASK)
        add_input(body, &binary, request, "mask", "BOOL", 1);
    if (request->with & COTANGENT)
        add_input(body, &binary, request, "cotangent", datatype, size);
    body->length--;
    add_text(body, "],\"parameters\":{\"ours\":true");
    add_text(body, request->also);
    add_text(body, "}}");
    const size_t json_length = body->length;
    if (binary.length > 0)
        npy_append(body, binary.bytes, binary.length);
    npy_free(&binary);
    return json_length;
}

static struct npy_bytes body_of(const struct request *request, size_t *json_length)
{
    struct npy_bytes body = {0};
    const size_t size = (size_t)request->bits / 8;
    *json_length = 0;
    switch (request->front) {
    case BATCH:
        add_batch(&body, request);
        break;
    case NPY:
        add_npy(&body, size, 0);
        if (request->with & MASK)
            add_npy(&body, 1, 0);
        if (request->with & COTANGENT)
            add_npy(&body, size, request->samples);
        break;
    case INFER:
    case INFER_BINARY:
        *json_length = add_inference(&body, request);
        break;
    default:
        add_members(&body, request);
    }
    return body;
}

/* ---- Asking ---- */

static const char *header(void *closure, const char *name)
{
    const char *text = closure;
    return text[0] != '\0' && strcmp(name, "Inference-Header-Content-Length") == 0 ? text : NULL;
}

struct taken {
    size_t body, answer, peak;
};

/* The body as it comes from a socket. */
static void receive(struct body *body, const char *bytes, size_t length, enum encoding encoding)
{
    struct inflating inflating;
    body->announced = length;
    for (size_t at = 0; at < length; at += PIECE)
        ck_assert_int_eq(body_add(body, bytes + at, length - at < PIECE ? length - at : PIECE), BODY_OK);
    if (encoding == ENCODING_IDENTITY)
        return;
    ck_assert(inflating_begin(&inflating, body, encoding));
    enum inflating_result result;
    while ((result = inflating_step(&inflating)) == INFLATING_MORE)
        ;
    ck_assert_int_eq(result, INFLATING_DONE);
    inflating_end(&inflating);
}

static size_t answer_lines(const struct api_request *request, struct body *body)
{
    struct api_stream *stream;
    char *block = malloc(BLOCK);
    ck_assert_int_eq(api_stream_open(request, &stream, NULL), 0);
    body_drop(body);
    while (api_stream_next(stream, block, BLOCK) > 0)
        ;
    api_stream_close(stream);
    free(block);
    return BLOCK;
}

static size_t answer_whole(const struct api_request *request, bool gzip)
{
    struct api_response response;
    api_answer(request, &response);
    ck_assert_msg(response.status == 200, "%.*s", (int)response.length, response.body);
    size_t length = response.length;
    if (gzip) {
        char *compressed = requests_gzip(response.body, response.length, &length);
        ck_assert_ptr_nonnull(compressed);
        free(compressed);
    }
    api_response_release(&response);
    return length;
}

/* "name=value&...", which is cut. */
static size_t arguments_of(char *query, struct api_argument *arguments)
{
    size_t count = 0;
    for (char *at = strtok(query, "&"); at != NULL; at = strtok(NULL, "&")) {
        char *value = strchr(at, '=');
        *value = '\0';
        arguments[count++] = (struct api_argument){.name = at, .value = value + 1, .length = strlen(value + 1)};
    }
    return count;
}

static struct taken ask_for(const struct request *how, const char *sent, size_t length, const char *json_length)
{
    struct api_argument arguments[MOST_ARGUMENTS];
    char query[160];
    struct body body = {.limit = (size_t)1 << 30};
    struct taken taken;
    struct api_request request = {.content_type = how->front == NPY ? API_NPY : NULL,
                                  .accept = how->accept,
                                  .own_body = &body.bytes,
                                  .fresh_seed = ask_fresh_seed,
                                  .header = header,
                                  .header_closure = (void *)json_length,
                                  .query = arguments};
    snprintf(query, sizeof query, "%s", how->front == NPY ? how->also : "");
    request.query_count = arguments_of(query, arguments);
    ck_assert_int_eq(api_route_find("POST", how->path, &request.route, NULL), 0);
    request.model = api_route_model(request.route, how->path);
    memory_start();
    receive(&body, sent, length, how->with & GZIP_IN ? ENCODING_GZIP : ENCODING_IDENTITY);
    request.body = body.bytes;
    request.length = taken.body = body.length;
    taken.answer = api_front_streams(api_front_of(&request)) ? answer_lines(&request, &body)
                                                             : answer_whole(&request, how->with & GZIP_OUT);
    body_drop(&body);
    taken.peak = memory_stop();
    return taken;
}

/* ---- The cases ---- */

#define MOST 1.1

/* What the core works with on one row: its scaled logits, their masses and the filters' candidates; a row's noise. */
static double workspace(const struct request *how)
{
    const double real = how->bits == 64 ? 8 : 4;
    if (strstr(how->path, "categorical") != NULL)
        return 5 * real * (double)shape.classes;
    return strstr(how->path, "vjp") != NULL ? real * (double)shape.classes : 0;
}

START_TEST(takes_its_body_its_floats_and_its_answer)
{
    const struct request *how = &requests[_i / SHAPES];
    size_t json_length, length;
    shape = shapes[_i % SHAPES];
    struct npy_bytes body = body_of(how, &json_length);
    char field[24] = "", *sent = body.bytes;
    length = body.length;
    if (how->front == INFER_BINARY)
        snprintf(field, sizeof field, "%zu", json_length);
    if (how->with & GZIP_IN)
        sent = requests_gzip(body.bytes, body.length, &length);
    ck_assert_ptr_nonnull(sent);
    const struct taken taken = ask_for(how, sent, length, field);
    const double floats = how->floats * NUMBERS,
                 needed = (double)taken.body + floats + (double)taken.answer + workspace(how);
    if (getenv("MEMORY_TABLE") != NULL)
        printf("| %s, %zu row%s | %zu | %.0f | %zu | %zu | %+.1f %% |\n", how->name, shape.rows,
               shape.rows > 1 ? "s" : "", taken.body, floats, taken.answer, taken.peak,
               ((double)taken.peak / needed - 1) * 100);
    fflush(stdout);
    ck_assert_msg((double)taken.peak <= MOST * needed, "%s: %zu bytes at once where %.0f are needed: %.2f times",
                  how->name, taken.peak, needed, (double)taken.peak / needed);
    if (sent != body.bytes)
        free(sent);
    npy_free(&body);
}
END_TEST

/* ---- Bodies that are made to take much ---- */

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { HOSTILE_BYTES = 4 * 1024 * 1024 }; /* the same multiple, sooner */
#else
enum { HOSTILE_BYTES = 64 * 1024 * 1024 };
#endif

/* `part` again and again after `head`. Floats take twice the bytes of "1,", float64 four times, and the body is there
 * too: five times. What jansson reads is cut at 1 MiB, of which it makes at most 77. */
static const struct {
    const char *head, *part;
} hostile[] = {
    {"{\"logits\":", "["},
    {"{\"logits\":[", "[],"},
    {"{\"logits\":[", "{},"},
    {"{\"logits\":[", "9"},
    {"{\"logits\":[", "1,"},
    {"{\"logits\":[", "[1],"},
    {"{\"logits\":[", "null,"},
    {"{\"logits\":[", "\"\","},
    {"{\"dtype\":\"float64\",\"logits\":[", "1,"},
    {"{\"temperature\":[", "1,"},
    {"{\"mask\":[", "true,"},
    {"{\"requests\":[", "[],"},
    {"{\"requests\":[", "{},"},
    {"{\"requests\":[", "9"},
    {"{\"inputs\":[", "{},"},
    {"{\"inputs\":[", "[],"},
    {"{\"x\":[", "[],"},
    {"{\"x\":[", "{},"},
    {"{\"x\":", "9"},
    {"{", "\"x\":1,"},
    {"", "[],"},
    {"", "{},"},
    {"", "9"},
};
static const char *const routes[] = {"/v1/softmax", "/v1/batch", "/v2/models/softmax/infer"};
enum { HOSTILE = sizeof hostile / sizeof *hostile };

static char *hostile_body(size_t which)
{
    const size_t head = strlen(hostile[which].head), part = strlen(hostile[which].part);
    char *body = calloc(1, HOSTILE_BYTES + API_BODY_PADDING);
    memcpy(body, hostile[which].head, head);
    for (size_t i = head; i < HOSTILE_BYTES; i++)
        body[i] = hostile[which].part[(i - head) % part];
    return body;
}

/* Nested ones and digits nothing but the body. A refusal comes before any answer. */
static size_t most_beside(const char *part)
{
    const bool numbers = strchr("1nt", part[0]) != NULL || strcmp(part, "[1],") == 0;
    return (numbers ? 4 * (size_t)HOSTILE_BYTES : 0) + (2 << 20);
}

START_TEST(takes_no_more_than_five_times_a_hostile_body)
{
    const char *route = routes[(size_t)_i % 3];
    struct api_request request = {.length = HOSTILE_BYTES, .fresh_seed = ask_fresh_seed};
    struct api_response response;
    char *body = hostile_body((size_t)_i / 3);
    ck_assert_int_eq(api_route_find("POST", route, &request.route, NULL), 0);
    request.model = api_route_model(request.route, route);
    request.body = body;
    memory_start();
    api_answer(&request, &response);
    api_response_release(&response);
    const size_t peak = memory_stop();
    if (getenv("MEMORY_TABLE") != NULL) {
        printf("%s %s%s...: %d, %.2f times\n", route, hostile[_i / 3].head, hostile[_i / 3].part, response.status,
               1 + (double)peak / HOSTILE_BYTES);
        fflush(stdout);
    }
    ck_assert_int_ge(response.status, 400);
    ck_assert_uint_le(peak, most_beside(hostile[_i / 3].part));
    free(body);
}
END_TEST

TEST_SUITE("memory")
{
    Suite *suite = suite_create("server: memory");
    TCase *requests_case = tcase_create("requests"), *hostile_case = tcase_create("hostile bodies");
    tcase_set_timeout(requests_case, 60);
    tcase_add_loop_test(requests_case, takes_its_body_its_floats_and_its_answer, 0,
                        SHAPES * sizeof requests / sizeof *requests);
    suite_add_tcase(suite, requests_case);
    tcase_set_timeout(hostile_case, 60);
    tcase_add_loop_test(hostile_case, takes_no_more_than_five_times_a_hostile_body, 0, 3 * HOSTILE);
    suite_add_tcase(suite, hostile_case);
    return suite;
}
