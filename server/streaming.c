#include "streaming.h"
#include "connection.h"

#include <assert.h>
#include <string.h>

enum { BLOCK_BYTES = 256 * 1024, DAEMON_BYTES = 16 * 1024 };

struct streaming {
    struct task task; /* the first member */
    struct loop *loop;
    struct MHD_Connection *connection;
    struct reservation *reservation;
    struct scheduler_queue *queue;
    struct api_stream *stream; /* NULL before it is opened, and where it could not be */
    bool wanted;               /* a block that no worker has filled */
    bool with_worker;
    bool ended;           /* before its end */
    size_t filled, taken; /* of the buffer */
    size_t bytes;         /* given to the daemon */
    char buffer[BLOCK_BYTES];
};

/* ---- On a worker ---- */

static void fill(struct streaming *streaming)
{
    streaming->taken = 0;
    streaming->filled = api_stream_next(streaming->stream, streaming->buffer, BLOCK_BYTES);
    if (streaming->filled > 0)
        metrics_add(streaming->loop->server->metrics, METRIC_STREAM_BLOCKS, 1);
}

int streaming_open(struct streaming *streaming, const struct api_request *request, struct api_problem *problem)
{
    if (streaming->stream == NULL)
        return api_stream_begin(request, &streaming->stream, problem) == 0 ? 1 : -1;
    const int result = api_stream_compute(streaming->stream, problem);
    if (result == 0)
        fill(streaming);
    return result;
}

static size_t next(struct task *task)
{
    return ((struct streaming *)task)->wanted;
}

static void part(struct task *task, size_t number)
{
    struct streaming *streaming = (struct streaming *)task;
    (void)number;
    api_account_use(&streaming->reservation->account);
    streaming->wanted = api_stream_compute(streaming->stream, NULL) > 0;
    if (!streaming->wanted)
        fill(streaming);
    api_account_use(NULL);
}

/* ---- Between the daemon and the workers ---- */

static void refilled(struct task *task)
{
    struct streaming *streaming = (struct streaming *)task;
    streaming->with_worker = false;
    streaming->ended = task->end != TASK_DONE;
    connection_resume(connection_of(streaming->connection));
}

static void refill(struct streaming *streaming)
{
    streaming->with_worker = streaming->wanted = true;
    streaming->task = (struct task){
        .queue = streaming->queue,
        .loop = &streaming->loop->scheduler,
        .next = next,
        .part = part,
        .done = refilled,
        .continued = true,
    };
    connection_suspend(connection_of(streaming->connection));
    scheduler_submit(&streaming->task);
}

/* MHD_ContentReaderCallback: 0 if the connection has been suspended. An empty buffer is the end. */
static ssize_t read_stream(void *closure, uint64_t position, char *out, size_t room)
{
    struct streaming *streaming = closure;
    (void)position;
    if (streaming->filled == 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    const size_t left = streaming->filled - streaming->taken;
    if (left == 0) {
        if (streaming->ended || loop_is_ending(streaming->loop))
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

/* ---- Its life ---- */

struct streaming *streaming_new(struct loop *loop, struct MHD_Connection *connection, struct reservation *reservation,
                                struct scheduler_queue *queue)
{
    struct streaming *streaming = api_malloc(sizeof *streaming);
    if (streaming == NULL)
        return NULL;
    memset(streaming, 0, offsetof(struct streaming, buffer));
    streaming->loop = loop;
    streaming->connection = connection;
    streaming->reservation = reservation;
    streaming->queue = queue;
    return streaming;
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
    return streaming->stream != NULL ? api_stream_rows(streaming->stream) : 0;
}

void streaming_close(struct streaming *streaming)
{
    if (streaming == NULL)
        return;
    assert(!streaming->with_worker);
    if (streaming->stream != NULL)
        api_stream_close(streaming->stream);
    api_free(streaming);
}
