/* Several calls in one request: {"requests": [{"id", "function", "body"}]} is answered with {"responses": [{"id",
 * "status", "body"}]}, in the same order: each body as if the call had been sent alone to its route, a problem document
 * too. */
#ifndef API_REST_BATCH_H
#define API_REST_BATCH_H

#include "call/writer.h"
#include "json/envelope.h"

struct batch {
    const struct api_request *request;
    bool begun;
    struct json_elements items;
    size_t next;               /* item to be read; the one before is being answered */
    size_t rows, result_bytes; /* of the calls so far */
    json_t *envelope;          /* the item's */
    struct writer writer;      /* of the answer */
    size_t begin;              /* of the item's part of that */
    bool encoding;             /* the item's results are being written */
};

void batch_open(struct batch *batch, const struct api_request *request);
void batch_close(struct batch *batch);

/* Answers calls, until one is to be computed in parts: *call is that one, or NULL when all are answered. Stops for
 * about `numbers` numbers' work too: 1 if there is more to do. -1 and *problem, as the following, if the batch itself
 * is not what the spec says, exceeds a limit, or memory is short. */
int batch_read(struct batch *batch, size_t numbers, struct api_call **call, struct api_problem *problem);

/* Writes about `numbers` numbers of the answer of the call that batch_read has given: 1 if there is more. */
int batch_write(struct batch *batch, struct api_call *call, size_t numbers, struct api_problem *problem);

/* That call has the problem `own`. */
int batch_refuse(struct batch *batch, const struct api_problem *own, struct api_problem *problem);

/* The answer, when all calls have been answered. */
void batch_answer(struct batch *batch, struct api_response *response);

#endif
