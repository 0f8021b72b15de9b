/* What workers do for one request: its body into its answer. They inflate the body if it is encoded, make the call and
 * compress its answer, each in stages for the scheduler. Of an answer that is streamed they make the beginning. */
#ifndef SERVER_WORK_H
#define SERVER_WORK_H

#include "body.h"
#include "budget.h"
#include "encoding.h"
#include "scheduler.h"
#include "streaming.h"

/* When an answer is compressed. */
struct compression {
    bool allowed, demanded; /* by the client and the configuration */
    size_t min_bytes;       /* bytes that are worth it where it is not demanded */
};

struct work {
    struct task task; /* the first member */

    /* Set by the one who submits it. */
    struct api_request request; /* whose body is body->bytes, by the time it is whole */
    struct reservation *reservation;
    struct body *body;
    enum encoding encoding; /* of the body */
    struct compression compression;
    struct streaming *streaming; /* NULL unless the answer is streamed; it stays the submitter's */

    /* Read when it is done, and taken over. */
    struct api_response response;
    const char *coding; /* of the response's body, or NULL */

    /* Its own. */
    enum { WORK_INFLATE, WORK_CALL, WORK_DEFLATE, WORK_END } stage;
    struct inflating inflating;
    enum inflating_result inflated;
    struct api_job *job;
    struct deflater *deflater;
    enum deflate_result deflated;
    bool opened;                /* the stream */
    struct api_problem problem; /* where there is no job, or no stream */
    bool failed;
};

/* Of a zeroed work whose members above are set: sets its task's functions. A response that is there already, whose
 * status is not 0, is only compressed. */
void work_prepare(struct work *work);

/* Whether a response of that length is to be compressed. */
bool work_compresses(const struct compression *compression, size_t length);

/* On any thread, under the reservation's account: compresses the response at once. */
void work_compress(struct work *work);

/* Frees all but the response; the reservation's account is used for it. */
void work_close(struct work *work);

#endif
