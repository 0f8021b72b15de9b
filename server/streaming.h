/* An answer that is sent while it is made. A worker fills one buffer; when the daemon has taken it whole, the
 * connection is suspended until a worker has filled it again. So a client that does not read costs one buffer and no
 * work, and other requests come between two buffers. */
#ifndef SERVER_STREAMING_H
#define SERVER_STREAMING_H

#include "loop.h"

struct streaming;

/* On a worker, while the connection is suspended: opens the stream and fills the first buffer. -1 and *problem as
 * api_stream_open. */
int streaming_open(struct loop *loop, struct MHD_Connection *connection, const struct api_request *request,
                   struct streaming **streaming, struct api_problem *problem);

/* The response that reads the stream, which must outlive it in the daemon; NULL if memory is short. */
struct MHD_Response *streaming_response(struct streaming *streaming);

/* Bytes and rows given to the daemon. */
size_t streaming_bytes(const struct streaming *streaming);
size_t streaming_rows(const struct streaming *streaming);

/* NULL is taken as well. No worker has it, since the connection is not suspended. */
void streaming_close(struct streaming *streaming);

#endif
