/* An answer line by line (NDJSON), as its rows are computed: a line about all, one for each row, and one that says
 * that these were all, or in its place a problem document.
 *
 * The text is made in pieces of at most PIECE_BYTES, so that a line may end in another buffer than it began in. What
 * a line says of the call is said by put_head and put_row_head alone. */
#include "accept.h"
#include "call.h"
#include "number_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PIECE_BYTES = 4096,    /* holds a problem document, the longest piece */
    BLOCK_NUMBERS = 32768, /* computed at a time */
    ROW_GROUP = 16,        /* short rows are computed side by side in groups of this many */
};
_Static_assert(API_STREAM_LEAST >= PIECE_BYTES, "the least buffer holds a piece");

struct api_stream;

/* Writes one piece and sets the next; returns the byte behind it. `end` bounds what consists of many numbers. */
typedef char *piece(struct api_stream *stream, char *out, const char *end);

struct api_stream {
    struct api_call *call;
    piece *next;                /* NULL behind the last line */
    size_t row, column;         /* to be written next */
    size_t computed;            /* rows */
    struct api_problem problem; /* of the row `computed` or one behind it, if compute failed */
};

/* ---- Computing ---- */

static size_t block_rows(const struct api_call *call)
{
    const size_t rows = BLOCK_NUMBERS / call->classes;
    if (rows >= ROW_GROUP)
        return rows / ROW_GROUP * ROW_GROUP;
    return rows > 0 ? rows : 1;
}

static int compute_block(struct api_stream *stream)
{
    const size_t left = stream->call->rows - stream->computed, block = block_rows(stream->call);
    const size_t count = left < block ? left : block;
    if (api_compute(stream->call, stream->computed, count, &stream->problem) != 0)
        return -1;
    stream->computed += count;
    return 0;
}

/* ---- Pieces ---- */

static char *put_text(char *out, const char *text)
{
    const size_t length = strlen(text);
    memcpy(out, text, length);
    return out + length;
}

static char *put_whole(char *out, const char *name, uint64_t value)
{
    return number_write_integer(put_text(out, name), value);
}

static char *put_number(char *out, const char *name, float value)
{
    return number_write(put_text(out, name), value);
}

static char *put_shape(char *out, const struct json_array *array)
{
    out = put_text(out, "{\"shape\":[");
    for (size_t i = 0; i < array->rank; i++)
        out = put_whole(out, i > 0 ? "," : "", array->shape[i]);
    return put_text(out, "]");
}

/* What holds for all rows; a seed or tau for each row stands in that row's line. */
static char *put_head(char *out, const struct api_call *call)
{
    const struct api_value *seed = &call->values[API_SEED], *tau = &call->values[API_TAU];
    out = put_text(put_shape(out, &call->array), ",\"dtype\":\"float32\"");
    if (call->function->draws_noise) {
        out = put_text(out, ",\"rng\":\"" API_RNG "\"");
        if (seed->list == NULL)
            out = put_whole(out, ",\"seed\":", seed->one.integer);
        if (tau->list == NULL)
            out = put_number(out, ",\"tau\":", tau->one.number);
    }
    return put_text(out, "}\n");
}

static char *put_row_head(char *out, const struct api_call *call, size_t row)
{
    const struct api_value *seed = &call->values[API_SEED], *tau = &call->values[API_TAU];
    out = put_whole(out, "{\"row\":", row);
    if (seed->list != NULL)
        out = put_whole(out, ",\"seed\":", ((const uint64_t *)seed->list)[row]);
    if (tau->list != NULL)
        out = put_number(out, ",\"tau\":", ((const float *)tau->list)[row]);
    out = put_text(put_text(out, ",\""), call->function->result);
    return put_text(out, "\":[");
}

static char *problem_line(struct api_stream *stream, char *out, const char *end)
{
    struct api_response response;
    (void)end;
    api_answer_problem(&stream->problem, &response);
    memcpy(out, response.body, response.length);
    out += response.length;
    free(response.owned);
    stream->next = NULL;
    return put_text(out, "\n");
}

static char *last_line(struct api_stream *stream, char *out, const char *end)
{
    (void)end;
    stream->next = NULL;
    return put_text(put_whole(out, "{\"rows\":", stream->call->rows), ",\"complete\":true}\n");
}

static piece row_begin;

static char *row_numbers(struct api_stream *stream, char *out, const char *end)
{
    const struct api_call *call = stream->call;
    const float *numbers = call->array.data + stream->row * call->classes;
    for (; stream->column < call->classes && end - out >= PIECE_BYTES; stream->column++) {
        out = number_write(out, numbers[stream->column]);
        *out++ = ',';
    }
    if (stream->column < call->classes)
        return out;
    stream->row++;
    stream->next = row_begin;
    return put_text(out - 1, "]}\n");
}

static char *row_begin(struct api_stream *stream, char *out, const char *end)
{
    (void)end;
    stream->column = 0;
    if (stream->row == stream->call->rows)
        stream->next = last_line;
    else if (stream->row == stream->computed && compute_block(stream) != 0)
        stream->next = problem_line;
    else {
        stream->next = row_numbers;
        return put_row_head(out, stream->call, stream->row);
    }
    return out;
}

static char *first_line(struct api_stream *stream, char *out, const char *end)
{
    (void)end;
    stream->next = row_begin;
    return put_head(out, stream->call);
}

/* ---- The stream ---- */

int api_stream_open(const struct api_request *request, struct api_stream **stream, struct api_problem *problem)
{
    struct api_stream *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return api_fail(problem, API_INTERNAL, "", API_NO_OFFSET, "no memory for the stream");
    opened->next = first_line;
    int result = accept_negotiate(request, &opened->problem);
    if (result == 0)
        result = api_decode(request, &opened->call, &opened->problem);
    if (result == 0)
        result = compute_block(opened);
    if (result == 0) {
        *stream = opened;
        return 0;
    }
    if (problem != NULL)
        *problem = opened->problem;
    api_stream_close(opened);
    return -1;
}

size_t api_stream_next(struct api_stream *stream, char *buffer, size_t size)
{
    char *out = buffer;
    const char *end = buffer + size;
    while (stream->next != NULL && end - out >= PIECE_BYTES)
        out = stream->next(stream, out, end);
    return (size_t)(out - buffer);
}

size_t api_stream_rows(const struct api_stream *stream)
{
    return stream->row;
}

void api_stream_close(struct api_stream *stream)
{
    if (stream == NULL)
        return;
    api_call_free(stream->call);
    free(stream);
}
