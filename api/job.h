/* A request on its way to its answer: read, computed and written part by part, whatever front it came by. */
#ifndef API_JOB_H
#define API_JOB_H

#include "call/plan.h"
#include "npy/write.h"
#include "oip/oip.h"
#include "rest/batch.h"

/* What happens next to a job, or is happening: JOB_READ and JOB_WRITE have one part. */
enum job_step { JOB_BEGIN, JOB_READ, JOB_COMPUTE, JOB_WRITE, JOB_END };

/* How the bodies of a front become calls, and these its answers. */
struct job_front {
    /* Reads a call into job->call, or leaves NULL there where the answer is complete in job->response. JOB_MORE if
     * there is more to be read. -1 and job->problem otherwise. */
    int (*read)(struct api_job *job);
    /* Writes some of the answer: JOB_MORE, or 0 when job->response is complete, or JOB_READ_ON when another call is to
     * be read. -1 and job->problem otherwise. */
    int (*write)(struct api_job *job);
    /* A row of the call has job->problem: 0 if the job goes on all the same, and reads. May be NULL. */
    int (*refuse)(struct api_job *job);
    void (*close)(struct api_job *job); /* frees what is the front's own; may be NULL */
};

enum { JOB_MORE = 1, JOB_READ_ON };

struct api_job {
    struct api_request request;
    const struct job_front *front;
    enum job_step step;
    int result;      /* of the part of JOB_READ or JOB_WRITE, as in job_front */
    size_t numbers;  /* of a part */
    bool failed;     /* with `problem`, which is the answer */
    bool read, open; /* whether the front has begun to read, or to write */
    struct api_problem problem;
    struct api_call *call;
    struct call_plan plan;
    struct api_response response;
    union {
        struct writer writer; /* of JSON */
        struct npy_writer npy;
        struct {
            struct oip_request request;
            struct oip_answer answer;
        } oip;
        struct batch batch;
    } of; /* the front's own, nothing of it before `read` */
};

/* A job in memory of the caller's, who ends it with job_close. */
void job_open(struct api_job *job, const struct api_request *request);
void job_close(struct api_job *job);

bool job_is_batch(const struct api_request *request);

#endif
