/* A front: how bodies of a media type become calls, and calls answers of it. A folder of api/ offers one
 * struct api_front or more, each a row of the table in fronts.c. */
#ifndef API_CALL_FRONT_H
#define API_CALL_FRONT_H

#include "call/plan.h"

#include <stddef.h>

enum front_result {
    FRONT_FAILED = -1, /* with job->problem, which is the answer */
    FRONT_DONE,        /* the call is read, or the answer complete in job->response */
    FRONT_MORE,        /* to be called again for the rest */
    FRONT_NEXT,        /* of write: another call is to be read */
};

struct api_front {
    enum api_route_kind route; /* the routes that it is a front of; the first of a route is the one by default */
    const char *media_type;    /* of its bodies and answers */
    bool streams;              /* its answers are made by api_stream_open, and written as JSON where they are not */
    bool reads_query;          /* the query has parameters too; otherwise one in it is refused */
    int (*read)(struct api_job *job);   /* sets job->call, NULL where no call is left; NULL: it has no bodies */
    int (*write)(struct api_job *job);  /* after call_finish; NULL: it has no answers */
    int (*refuse)(struct api_job *job); /* a row of the call has job->problem: FRONT_DONE to read on; NULL: it fails */
    void (*close_read)(struct api_job *job);  /* after read has been called; may be NULL, as the next */
    void (*close_write)(struct api_job *job); /* after write has been called */
};

/* Room for what a front keeps of a job. */
struct front_state {
    max_align_t room[112];
};
#define FRONT_STATE_FITS(type) _Static_assert(sizeof(type) <= sizeof(struct front_state), "room for " #type)

/* What happens next to a job, or is happening: JOB_READ and JOB_WRITE have one part. */
enum job_step { JOB_BEGIN, JOB_READ, JOB_COMPUTE, JOB_WRITE, JOB_END };

/* A request on its way to its answer: read, computed and written part by part. */
struct api_job {
    struct api_request request;
    const struct api_front *reader, *writer; /* NULL where the media type is none of the route's */
    enum job_step step;
    int result;            /* of the part of JOB_READ or JOB_WRITE, enum front_result */
    size_t numbers;        /* to be computed by a part */
    size_t printed;        /* to be printed by a part, which takes longer */
    bool failed;           /* with `problem`, which is the answer */
    bool reading, writing; /* read, or write, has been called before */
    struct api_problem problem;
    struct api_call *call;
    struct call_plan plan;
    struct api_response response;
    uint64_t timeout_us;              /* for which the client waits, as its body says; 0 where it says nothing */
    struct front_state read, written; /* the reader's and the writer's own */
};

#endif
