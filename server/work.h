/* The workers' part of one request: from its body to its answer. They inflate the body if it is encoded, compute the
 * call and compress its answer, each in stages for the scheduler. Of an answer that is streamed they make the
 * beginning. */
#ifndef SERVER_WORK_H
#define SERVER_WORK_H

#include "body.h"
#include "budget.h"
#include "encoding.h"
#include "scheduler.h"
#include "streaming.h"

/* Whether an answer is compressed. */
struct compression {
    bool allowed;     /* by the client and the configuration */
    bool demanded;    /* by a client that takes nothing else */
    size_t min_bytes; /* minimum length unless it is demanded */
};

struct work {
    struct task task; /* the first member */

    /* Set before it is submitted. */
    struct api_request request; /* whose body becomes body->bytes once that is decoded */
    struct reservation *reservation;
    struct body *body;
    enum encoding encoding; /* of the body */
    struct compression compression;
    struct streaming *streaming; /* NULL unless the answer is streamed; owned by the submitter */

    /* The result; the caller owns it. */
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

/* Sets the functions of the task, once the members above are set. A response that is already there, whose status is not
 * 0, is only compressed. */
void work_prepare(struct work *work);

/* Whether the response is to be compressed. */
bool work_compresses(const struct compression *compression, const struct api_response *response);

/* On any thread, under the reservation's account: compresses the response now. */
void work_compress(struct work *work);

/* Frees everything except the response, under the reservation's account. */
void work_close(struct work *work);

#endif
