#include "streaming.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 256 * 1024, DAEMON_BYTES = 16 * 1024 };

struct streaming {
    struct loop *loop;
    struct MHD_Connection *connection;
    struct api_stream *stream;
    uv_work_t work;
    bool with_worker;
    size_t filled, taken; /* of the buffer */
    size_t bytes;         /* given to the daemon */
    char buffer[BLOCK_BYTES];
};

static void fill(struct streaming *streaming)
{
    streaming->taken = 0;
    streaming->filled = api_stream_next(streaming->stream, streaming->buffer, BLOCK_BYTES);
    if (streaming->filled > 0)
        metrics_add(streaming->loop->server->metrics, METRIC_STREAM_BLOCKS, 1);
}

int streaming_open(struct loop *loop, struct MHD_Connection *connection, const struct api_request *request,
                   struct streaming **streaming, struct api_problem *problem)
{
    struct streaming *opened = malloc(sizeof *opened);
    if (opened == NULL)
        return api_fail(problem, API_INTERNAL, "", API_NO_OFFSET, "no memory for the stream");
    opened->loop = loop;
    opened->connection = connection;
    opened->with_worker = false;
    opened->bytes = 0;
    if (api_stream_open(request, &opened->stream, problem) != 0) {
        free(opened);
        return -1;
    }
    fill(opened);
    *streaming = opened;
    return 0;
}

/* ---- Between the daemon and the workers ---- */

static void work(uv_work_t *item)
{
    fill(item->data);
}

static void after_work(uv_work_t *item, int status)
{
    struct streaming *streaming = item->data;
    (void)status;
    streaming->with_worker = false;
    loop_resume(streaming->loop, streaming->connection);
}

static void refill(struct streaming *streaming)
{
    streaming->with_worker = true;
    loop_suspend(streaming->loop, streaming->connection);
    streaming->work.data = streaming;
    uv_queue_work(&streaming->loop->uv, &streaming->work, work, after_work);
}

/* MHD_ContentReaderCallback: 0 where the connection has been suspended. A buffer that came back empty is the end. */
static ssize_t read_stream(void *closure, uint64_t position, char *out, size_t room)
{
    struct streaming *streaming = closure;
    (void)position;
    if (streaming->filled == 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    const size_t left = streaming->filled - streaming->taken;
    if (left == 0) {
        if (loop_is_ending(streaming->loop))
            return MHD_CONTENT_READER_END_WITH_ERROR;
        refill(streaming);
        return 0;
    }
    const size_t length = left < room ? left : room;
    memcpy(out, streaming->buffer + streaming->taken, length);
    streaming->taken += length;
    streaming->bytes += length;
    return (ssize_t)length;
}

struct MHD_Response *streaming_response(struct streaming *streaming)
{
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, DAEMON_BYTES, read_stream, streaming, NULL);
}

size_t streaming_bytes(const struct streaming *streaming)
{
    return streaming->bytes;
}

size_t streaming_rows(const struct streaming *streaming)
{
    return api_stream_rows(streaming->stream);
}

void streaming_close(struct streaming *streaming)
{
    if (streaming == NULL)
        return;
    assert(!streaming->with_worker);
    api_stream_close(streaming->stream);
    free(streaming);
}
