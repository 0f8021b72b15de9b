/* A request into a response on one thread: all parts of its job, one after another. */
#include "job.h"

/* Whether all parts of the job could be done: not if its call is more than `most`. */
static bool run(struct api_job *job, size_t most)
{
    for (size_t parts; (parts = api_job_next(job)) > 0;) {
        if (job->step == JOB_COMPUTE && call_cost(job->call) > most)
            return false;
        for (size_t part = 0; part < parts; part++)
            api_job_part(job, part);
    }
    return true;
}

/* The body is only lent where that may be: it is still there then. */
bool api_answer_small(const struct api_request *request, size_t most, struct api_response *response)
{
    struct api_job job;
    if (most < SIZE_MAX && job_is_batch(request))
        return false;
    job_open(&job, request);
    if (most < SIZE_MAX)
        job.request.own_body = NULL;
    const bool answered = run(&job, most);
    if (answered)
        api_job_answer(&job, response);
    job_close(&job);
    return answered;
}

void api_answer(const struct api_request *request, struct api_response *response)
{
    api_answer_small(request, SIZE_MAX, response);
}
