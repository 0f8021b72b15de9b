/* An answer that is sent while it is computed. A worker fills one buffer; when the daemon has read all of it, the
 * connection is suspended until a worker has filled it again. So a client that does not read costs one buffer and no
 * work, and other requests are served between two buffers. */
#ifndef SERVER_STREAMING_H
#define SERVER_STREAMING_H

#include "budget.h"
#include "loop.h"
#include "scheduler.h"

struct streaming;

/* A stream that is not yet open. `queue` is the client's. NULL if memory is short; all its memory is counted on the
 * reservation. */
struct streaming *streaming_new(struct loop *loop, struct MHD_Connection *connection, struct reservation *reservation,
                                struct scheduler_queue *queue);

/* On a worker, while the connection is suspended, under the account: does a part of opening the stream, of which the
 * first reads the body and the last fills the buffer. 1 if there is more to do. -1 and *problem as api_stream_open. */
int streaming_open(struct streaming *streaming, const struct api_request *request, struct api_problem *problem);

/* The response that reads the stream, which must outlive it in the daemon; NULL if memory is short. */
struct MHD_Response *streaming_response(struct streaming *streaming);

/* Bytes and rows given to the daemon. */
size_t streaming_bytes(const struct streaming *streaming);
size_t streaming_rows(const struct streaming *streaming);

/* NULL is allowed. No worker may have the stream, that is, the connection is not suspended. */
void streaming_close(struct streaming *streaming);

#endif
