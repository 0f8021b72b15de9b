/* An answer line by line (NDJSON), as its rows are computed: a line about all, one for each row, and one that says
 * that these were all, or in its place a problem document.
 *
 * The text is made in pieces of at most PIECE_BYTES, so that a line may end in another buffer than it began in. What
 * a line says of the call is printed by put_head and put_row_head. */
#include "call/plan.h"
#include "json/put.h"

#include <stdio.h>
#include <string.h>

enum {
    PIECE_BYTES = 4096,    /* holds a problem document, the longest piece */
    BLOCK_NUMBERS = 32768, /* computed at a time, but a row at least */
    ROW_GROUP = 16,        /* short rows are computed side by side in groups of this many */
};
_Static_assert(API_STREAM_LEAST >= PIECE_BYTES, "the least buffer holds a piece");

struct api_stream;

/* Writes one piece and sets the next; returns the byte after it. `end` bounds what consists of many numbers. */
typedef char *piece(struct api_stream *stream, char *out, const char *end);

struct api_stream {
    struct api_call *call;
    piece *next;                        /* NULL after the last line */
    size_t row, result, sample, column; /* to be written next; `result` counts in the order of the call */
    struct call_row place;              /* of the row in that result */
    struct call_samples samples;        /* of that result */
    size_t computed;                    /* rows */
    size_t numbers;                     /* computed since api_stream_next was called */
    bool computing;                     /* the block of rows after these, by the plan: */
    struct call_plan plan;
    size_t part, parts; /* of its stage */
    bool failed;        /* with the problem of the row `computed` or one after it */
    struct api_problem problem;
};

/* ---- Computing ---- */

static size_t block_rows(const struct api_call *call)
{
    const size_t rows = BLOCK_NUMBERS / (call->work / call->rows);
    if (rows >= ROW_GROUP)
        return rows / ROW_GROUP * ROW_GROUP;
    return rows > 0 ? rows : 1;
}

static void begin_block(struct api_stream *stream)
{
    const struct api_call *call = stream->call;
    const size_t left = call->rows - stream->computed, block = block_rows(call);
    call_plan_open(&stream->plan, call, stream->computed, left < block ? left : block, API_PART_NUMBERS);
    stream->computing = true;
    stream->part = stream->parts = 0;
}

static void end_block(struct api_stream *stream)
{
    if (!stream->failed)
        stream->computed += stream->plan.count;
    stream->numbers += stream->plan.count * (stream->call->work / stream->call->rows);
    stream->computing = false;
    call_plan_close(&stream->plan);
}

/* Whether nothing more can be written before another block has been computed. */
static bool is_waiting(const struct api_stream *stream)
{
    return !stream->failed && stream->row == stream->computed && stream->row < stream->call->rows;
}

static void compute_part(struct api_stream *stream)
{
    if (!stream->computing)
        begin_block(stream);
    if (stream->part == stream->parts) {
        stream->parts = call_plan_next(&stream->plan, &stream->failed, &stream->problem);
        stream->part = 0;
    }
    if (stream->parts == 0)
        end_block(stream);
    else
        call_plan_part(&stream->plan, stream->part++);
}

/* ---- Pieces ---- */

/* What the answer repeats: what holds for all rows, or, of `lists`, the row's own. */
static char *put_repeated(char *out, const struct api_call *call, bool lists, size_t row)
{
    for (enum call_repeated item = 0; item < CALL_REPEATED_COUNT; item++)
        if (call_repeats(call, item) && call_repeats_list(call, item) == lists)
            out = call_put_repeated(json_put_name(out, call_repeated_kinds[item].name), call, item, row);
    return out;
}

static char *put_head(char *out, const struct api_call *call)
{
    out = json_put_shape(json_put_text(out, "{\"shape\":"), call->shape, call->rank);
    return json_put_text(put_repeated(out, call, false, 0), "}\n");
}

static char *put_row_head(char *out, const struct api_call *call, size_t row)
{
    return put_repeated(json_put_whole(json_put_text(out, "{\"row\":"), row), call, true, row);
}

static char *problem_line(struct api_stream *stream, char *out, const char *end)
{
    struct api_response response;
    (void)end;
    api_answer_problem(NULL, &stream->problem, &response);
    memcpy(out, response.body, response.length);
    out += response.length;
    api_free(response.owned);
    stream->next = NULL;
    return json_put_text(out, "\n");
}

static char *last_line(struct api_stream *stream, char *out, const char *end)
{
    (void)end;
    stream->next = NULL;
    return json_put_text(json_put_whole(json_put_text(out, "{\"rows\":"), stream->call->rows), ",\"complete\":true}\n");
}

static piece row_begin, result_begin;

/* After the numbers of a sample: the next sample of the row, or its next result. */
static char *sample_end(struct api_stream *stream, char *out)
{
    const bool more = ++stream->sample < stream->samples.count;
    out = json_put_text(out - 1, stream->place.bare ? "" : "]");
    stream->column = 0;
    if (more)
        return json_put_text(out, stream->place.bare ? "," : ",[");
    stream->result++;
    stream->next = result_begin;
    return json_put_text(out, stream->samples.axis ? "]" : "");
}

static char *numbers(struct api_stream *stream, char *out, const char *end)
{
    const struct api_call *call = stream->call;
    const size_t result = call->order[stream->result];
    const enum api_dtype dtype = call_result_dtype(call, &call->function->results[result]);
    const size_t room = (size_t)(end - out - JSON_PUT_SPACE) / JSON_PUT_LONGEST;
    const size_t left = stream->place.length - stream->column;
    struct call_row part = stream->place;
    part.start += stream->sample * stream->samples.distance + stream->column * part.step;
    part.length = left < room ? left : room;
    out = json_put_row(out, dtype, call->data[result], part.start, part.step, part.length);
    stream->column += part.length;
    return part.length < left ? out : sample_end(stream, out);
}

/* The row's part of a result, or the line's end. */
static char *result_begin(struct api_stream *stream, char *out, const char *end)
{
    const struct api_call *call = stream->call;
    (void)end;
    if (stream->result == call->wanted) {
        stream->row++;
        stream->next = row_begin;
        return json_put_text(out, "}\n");
    }
    const struct api_result_kind *kind = &call->function->results[call->order[stream->result]];
    stream->place = call_row_of_result(call, kind, stream->row);
    stream->samples = call_samples_of_result(call, kind);
    stream->column = stream->sample = 0;
    stream->next = numbers;
    out = json_put_text(json_put_name(out, kind->name), stream->samples.axis ? "[" : "");
    return json_put_text(out, stream->place.bare ? "" : "[");
}

static char *row_begin(struct api_stream *stream, char *out, const char *end)
{
    (void)end;
    stream->result = 0;
    if (stream->row == stream->call->rows)
        stream->next = last_line;
    else {
        while (is_waiting(stream))
            compute_part(stream);
        if (stream->row == stream->computed) {
            stream->next = problem_line;
            return out;
        }
        stream->next = result_begin;
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

int api_stream_begin(const struct api_request *request, struct api_stream **stream, struct api_problem *problem)
{
    struct api_stream *opened = api_calloc(1, sizeof *opened);
    if (opened == NULL)
        return api_fail(problem, API_OUT_OF_MEMORY, "", API_NO_OFFSET, "no memory for the stream");
    opened->next = first_line;
    if (api_decode(request, &opened->call, &opened->problem) == 0) {
        *stream = opened;
        return 0;
    }
    if (problem != NULL)
        *problem = opened->problem;
    api_stream_close(opened);
    return -1;
}

int api_stream_compute(struct api_stream *stream, struct api_problem *problem)
{
    if (is_waiting(stream))
        compute_part(stream);
    if (stream->failed && stream->computed == 0) {
        if (problem != NULL)
            *problem = stream->problem;
        return -1;
    }
    return is_waiting(stream);
}

int api_stream_open(const struct api_request *request, struct api_stream **stream, struct api_problem *problem)
{
    struct api_stream *opened;
    int result = api_stream_begin(request, &opened, problem);
    if (result != 0)
        return result;
    while ((result = api_stream_compute(opened, problem)) > 0)
        ;
    if (result == 0)
        *stream = opened;
    else
        api_stream_close(opened);
    return result;
}

size_t api_stream_next(struct api_stream *stream, char *buffer, size_t size)
{
    char *out = buffer;
    const char *end = buffer + size;
    stream->numbers = 0;
    while (stream->next != NULL && end - out >= PIECE_BYTES && (out == buffer || stream->numbers < API_PART_NUMBERS))
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
    if (stream->computing)
        call_plan_close(&stream->plan);
    api_call_free(stream->call);
    api_free(stream);
}
