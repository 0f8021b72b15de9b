/* A computed call into a body. Its members have known names and no strings of the client's, so it is printed as text.
 */
#include "http/memory.h"
#include "rest/rest.h"
#include "json/put.h"

enum { HEAD_BYTES = 512 /* more than all that is not a tensor takes */ };

static enum writer_step put_shape(struct text *text, const struct api_call *call)
{
    char *out = text_room(text, HEAD_BYTES);
    if (out == NULL)
        return WRITER_FAILED;
    text_end(text, json_put_shape(json_put_text(out, "{\"shape\":"), call->results[0].shape, call->results[0].rank));
    return WRITER_TEXT;
}

static enum writer_step put_result(struct writer *writer, const struct api_call *call, size_t result)
{
    if (result == call->result_count)
        return writer_text(writer, "}");
    if (result > call->result_count)
        return WRITER_END;
    char *out = text_room(&writer->text, HEAD_BYTES);
    if (out == NULL)
        return WRITER_FAILED;
    writer->tensor = call->results[result];
    text_end(&writer->text, json_put_name(out, writer->tensor.name));
    return WRITER_ARRAY;
}

static enum writer_step put_item(struct writer *writer, size_t item, size_t *most)
{
    enum { SHAPE, REPEATED, RESULTS = REPEATED + CALL_REPEATED_COUNT };
    const struct api_call *call = writer->closure;
    (void)most;
    if (item == SHAPE)
        return put_shape(&writer->text, call);
    if (item < RESULTS)
        return writer_repeated(writer, call, (enum call_repeated)(item - REPEATED), ",", "");
    return put_result(writer, call, item - RESULTS);
}

void rest_write_open(struct writer *writer, struct api_call *call)
{
    writer_open(writer, put_item, call);
}

int rest_write_some(struct writer *writer, size_t most, struct api_problem *problem)
{
    const int result = writer_put(writer, most);
    return result >= 0 ? result : api_fail(problem, API_OUT_OF_MEMORY, "", API_NO_OFFSET, "no memory for the answer");
}

int api_encode(struct api_call *call, struct api_response *response, struct api_problem *problem)
{
    struct writer writer = {.text = {.bytes = NULL}};
    rest_write_open(&writer, call);
    if (call_finish(call, SIZE_MAX, problem) == 0 && rest_write_some(&writer, SIZE_MAX, problem) == 0) {
        writer_answer(&writer, "application/json", call->rows, response);
        return 0;
    }
    api_free(writer.text.bytes);
    return -1;
}

/* ---- The front ---- */

FRONT_STATE_FITS(struct writer);

static int read(struct api_job *job)
{
    const struct api_request *request = &job->request;
    const struct json_text text = json_text_of(request, request->length);
    struct query query = {.members = NULL};
    const bool queried = request->query_count > 0;
    int result = queried ? query_read(request, true, &query, &job->problem) : 0;
    if (result == 0 && query.arrays != NULL)
        result = query_fail(&job->problem, API_UNKNOWN_MEMBER, QUERY_ARRAYS, "names the arrays of a NumPy body");
    if (result == 0)
        result = rest_read(&text, request->route->function, request, queried ? &query : NULL, &job->call,
                           &job->problem);
    query_free(&query);
    if (result != 0)
        return FRONT_FAILED;
    memory_release_body(request);
    return FRONT_DONE;
}

static int write(struct api_job *job)
{
    struct writer *writer = (void *)&job->written;
    if (!job->writing) {
        writer->text = (struct text){.bytes = NULL};
        rest_write_open(writer, job->call);
    }
    const int result = rest_write_some(writer, job->printed, &job->problem);
    if (result == 0)
        writer_answer(writer, "application/json", job->call->rows, &job->response);
    return result;
}

static void close_write(struct api_job *job)
{
    struct writer *writer = (void *)&job->written;
    api_free(writer->text.bytes);
}

const struct api_front rest_json = {
    .route = API_ROUTE_CALL,
    .media_type = "application/json",
    .reads_query = true,
    .read = read,
    .write = write,
    .close_write = close_write,
};
const struct api_front rest_lines = {
    .route = API_ROUTE_CALL, .media_type = API_NDJSON, .streams = true, .write = write, .close_write = close_write};
