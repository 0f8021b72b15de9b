#include "npy/header.h"
#include "npy/npy.h"
#include "json/put.h"

#include <string.h>

/* An answer on its way. */
struct writer {
    struct api_call *call;
    char *body; /* the owner's to free */
    size_t length;
    size_t result; /* being put */
    size_t moved;  /* bytes of its data */
    size_t from;   /* where in the body the first one's data were */
};

/* A list that is longer stays out: clients and proxies bound what they take of headers. */
enum { MOST_LIST_BYTES = 4096 };

static int fail(struct api_problem *problem)
{
    return api_fail(problem, API_OUT_OF_MEMORY, "", API_NO_OFFSET, "no memory for the answer");
}

/* ---- Headers ---- */

/* Those of all rows with commas between them. */
static int add_repeated(const struct api_call *call, enum call_repeated item, struct api_response *response,
                        struct api_problem *problem)
{
    const struct call_repeated_kind *kind = &call_repeated_kinds[item];
    const size_t count = call_repeats_list(call, item) ? call->rows : 1;
    if (kind->text != NULL) {
        api_response_header(response, kind->header, kind->text(call), NULL);
        return 0;
    }
    char *text = api_malloc(MOST_LIST_BYTES + JSON_PUT_SPACE), *out = text;
    if (text == NULL)
        return fail(problem);
    for (size_t row = 0; row < count && out <= text + MOST_LIST_BYTES; row++) {
        out = call_put_repeated(out, call, item, row);
        *out++ = ',';
    }
    if (out > text + MOST_LIST_BYTES) {
        api_free(text);
        return 0;
    }
    out[-1] = '\0';
    api_response_header(response, kind->header, text, text);
    return 0;
}

static int add_names(const struct api_call *call, struct api_response *response, struct api_problem *problem)
{
    size_t length = 1;
    for (size_t i = 0; i < call->result_count; i++)
        length += strlen(call->results[i].name) + 1;
    char *text = api_malloc(length), *out = text;
    if (text == NULL)
        return fail(problem);
    for (size_t i = 0; i < call->result_count; i++)
        out = json_put_text(json_put_text(out, i > 0 ? "," : ""), call->results[i].name);
    *out = '\0';
    api_response_header(response, "X-Gumbeld-Results", text, text);
    return 0;
}

static int add_headers(const struct api_call *call, struct api_response *response, struct api_problem *problem)
{
    int result = add_names(call, response, problem);
    for (enum call_repeated item = 0; item < CALL_REPEATED_COUNT && result == 0; item++)
        if (call_repeats(call, item))
            result = add_repeated(call, item, response, problem);
    return result;
}

/* ---- Arrays ---- */

static size_t bytes_of(const struct api_tensor *result)
{
    return result->count * api_dtypes[result->dtype].size;
}

static bool grow(struct writer *writer, size_t length)
{
    char *grown = api_realloc(writer->body, length);
    if (grown != NULL)
        writer->body = grown;
    return grown != NULL;
}

/* Takes the memory of the first result for the body. False if there is none for the header. */
static bool take_first(struct writer *writer)
{
    const struct api_tensor *result = &writer->call->results[0];
    size_t bytes = bytes_of(result), offset;
    writer->body = call_disown(writer->call, result, &offset);
    writer->length = NPY_HEADER_BYTES + bytes;
    writer->from = offset;
    return offset >= NPY_HEADER_BYTES ||
           grow(writer, writer->length > offset + bytes ? writer->length : offset + bytes);
}

/* Brings some of the first result's data to where they are after the header: the last ones first, if they go up. */
static void move_some(struct writer *writer, size_t bytes, size_t most)
{
    const size_t left = bytes - writer->moved, count = left < most ? left : most;
    if (writer->from == NPY_HEADER_BYTES) {
        writer->moved = bytes;
        return;
    }
    const size_t at = writer->from < NPY_HEADER_BYTES ? left - count : writer->moved;
    memmove(writer->body + NPY_HEADER_BYTES + at, writer->body + writer->from + at, count);
    writer->moved += count;
}

static void copy_some(struct writer *writer, const struct api_tensor *result, size_t bytes, size_t most)
{
    const size_t left = bytes - writer->moved, count = left < most ? left : most;
    memcpy(writer->body + writer->length - left, (const char *)result->data + writer->moved, count);
    writer->moved += count;
}

static bool begin_result(struct writer *writer)
{
    const struct api_tensor *result = &writer->call->results[writer->result];
    const size_t header = writer->length;
    if (writer->result == 0)
        return take_first(writer);
    writer->length += NPY_HEADER_BYTES + bytes_of(result);
    if (!grow(writer, writer->length))
        return false;
    npy_header_write(writer->body + header, result);
    return true;
}

/* Each result's memory is given back when it has been copied. */
static void end_result(struct writer *writer)
{
    const struct api_tensor *result = &writer->call->results[writer->result];
    if (writer->result == 0)
        npy_header_write(writer->body, result);
    else
        call_release(writer->call, result->data);
    writer->result++;
    writer->moved = 0;
}

/* Some of one result; false if memory is short. */
static bool put_some(struct writer *writer, size_t most)
{
    const struct api_tensor *result = &writer->call->results[writer->result];
    const size_t bytes = bytes_of(result);
    if (writer->moved == 0 && !begin_result(writer))
        return false;
    if (writer->result == 0)
        move_some(writer, bytes, most);
    else
        copy_some(writer, result, bytes, most);
    if (writer->moved == bytes)
        end_result(writer);
    return true;
}

static void complete(struct writer *writer, struct api_response *response)
{
    char *fitted = api_realloc(writer->body, writer->length);
    response->body = response->owned = fitted != NULL ? fitted : writer->body;
    response->length = writer->length;
    writer->body = NULL;
}

/* ---- The front ---- */

FRONT_STATE_FITS(struct writer);

/* The first result stays in its memory, which becomes the body: the call is only to be freed afterwards. */
static int write(struct api_job *job)
{
    enum { BYTES = 64 }; /* are copied in the time in which a number is printed */
    struct writer *writer = (void *)&job->written;
    if (!job->writing) {
        *writer = (struct writer){.call = job->call};
        job->response = (struct api_response){.status = 200, .media_type = API_NPY, .rows = job->call->rows};
        if (add_headers(job->call, &job->response, &job->problem) != 0)
            return FRONT_FAILED;
    }
    if (!put_some(writer, BYTES * job->printed))
        return fail(&job->problem);
    if (writer->result < job->call->result_count)
        return FRONT_MORE;
    complete(writer, &job->response);
    return FRONT_DONE;
}

static void close_write(struct api_job *job)
{
    struct writer *writer = (void *)&job->written;
    api_free(writer->body);
}

const struct api_front npy_front = {
    .route = API_ROUTE_CALL,
    .media_type = API_NPY,
    .reads_query = true,
    .read = npy_read,
    .write = write,
    .close_write = close_write,
};
