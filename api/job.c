/* A request on its way to its answer, whatever front it came by. */
#include "fronts.h"
#include "http/memory.h"

/* Writing a number, or bringing it to its place, takes as long as computing so many. */
enum { WRITE_COST = 16, FINISH_COST = 8 };

static void job_open(struct api_job *job, const struct api_request *request)
{
    job->request = *request;
    job->reader = front_of_body(request);
    job->writer = job->request.front = api_front_of(request);
    job->step = JOB_BEGIN;
    job->result = FRONT_DONE;
    job->numbers = request->part_numbers > 0 ? request->part_numbers : API_PART_NUMBERS;
    job->printed = job->numbers >= WRITE_COST ? job->numbers / WRITE_COST : 1;
    job->failed = job->reading = job->writing = false;
    job->call = NULL;
    job->plan.marks = NULL;
    job->plan.sums = NULL;
    job->timeout_us = 0;
    job->response.owned = NULL;
    job->response.header_count = 0;
}

static void job_close(struct api_job *job)
{
    if (job->writing && job->writer->close_write != NULL)
        job->writer->close_write(job);
    if (job->reading && job->reader->close_read != NULL)
        job->reader->close_read(job);
    call_plan_close(&job->plan);
    api_call_free(job->call);
    api_response_release(&job->response);
}

/* ---- Steps ---- */

static enum job_step fail(struct api_job *job)
{
    job->failed = true;
    return JOB_END;
}

static enum job_step after_reading(struct api_job *job)
{
    if (job->result == FRONT_FAILED)
        return fail(job);
    if (job->result == FRONT_MORE)
        return JOB_READ;
    if (job->call == NULL)
        return JOB_END;
    call_plan_open(&job->plan, job->call, 0, job->call->rows, job->numbers);
    return JOB_COMPUTE;
}

static enum job_step after_writing(struct api_job *job)
{
    if (job->result == FRONT_FAILED)
        return fail(job);
    return job->result == FRONT_NEXT ? JOB_READ : job->result == FRONT_MORE ? JOB_WRITE : JOB_END;
}

static enum job_step after_computing(struct api_job *job, bool failed)
{
    const size_t refusals = memory_refusals();
    call_plan_close(&job->plan);
    if (!failed)
        return JOB_WRITE;
    const int result = job->reader->refuse != NULL ? job->reader->refuse(job) : FRONT_FAILED;
    return memory_verdict(result, refusals, &job->problem) == FRONT_DONE ? JOB_READ : fail(job);
}

static size_t next_stage_of_call(struct api_job *job)
{
    bool failed;
    const size_t parts = call_plan_next(&job->plan, &failed, &job->problem);
    if (parts > 0)
        return parts;
    job->step = after_computing(job, failed);
    return job->step != JOB_END;
}

size_t api_job_next(struct api_job *job)
{
    if (job->step == JOB_BEGIN)
        job->step = JOB_READ;
    else if (job->step == JOB_READ)
        job->step = after_reading(job);
    else if (job->step == JOB_WRITE)
        job->step = after_writing(job);
    return job->step == JOB_COMPUTE ? next_stage_of_call(job) : job->step != JOB_END;
}

static int read_some(struct api_job *job)
{
    if (!job->reading && fronts_check(job, &job->problem) != 0)
        return FRONT_FAILED;
    const int result = job->reader->read(job);
    job->reading = true;
    return result;
}

static int write_some(struct api_job *job)
{
    int result = call_finish(job->call, job->numbers / FINISH_COST, &job->problem);
    if (result == 0) {
        result = job->writer->write(job);
        job->writing = true;
    }
    return result;
}

void api_job_part(struct api_job *job, size_t part)
{
    const size_t refusals = memory_refusals();
    if (job->step == JOB_COMPUTE)
        call_plan_part(&job->plan, part);
    else
        job->result = memory_verdict(job->step == JOB_READ ? read_some(job) : write_some(job), refusals, &job->problem);
}

/* ---- From outside ---- */

struct api_job *api_job_open(const struct api_request *request)
{
    struct api_job *job = api_malloc(sizeof *job);
    if (job != NULL)
        job_open(job, request);
    return job;
}

void api_job_fail(struct api_job *job, const struct api_problem *problem)
{
    job->problem = *problem;
    job->failed = true;
    job->step = JOB_END;
}

uint64_t api_job_timeout_us(const struct api_job *job)
{
    return job->timeout_us;
}

size_t api_job_cost(const struct api_job *job)
{
    return job->call != NULL ? call_cost(job->call) : 0;
}

void api_job_answer(struct api_job *job, struct api_response *response)
{
    if (job->failed) {
        api_answer_problem(job->request.route->path, &job->problem, response);
        return;
    }
    *response = job->response;
    job->response.owned = NULL;
    job->response.header_count = 0;
}

void api_job_free(struct api_job *job)
{
    if (job == NULL)
        return;
    job_close(job);
    api_free(job);
}

/* ---- All parts on one thread, one after another ---- */

/* Whether all could be done: not if its call is more than `most`. */
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
    if (most < SIZE_MAX && request->route->kind == API_ROUTE_BATCH)
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

int api_decode(const struct api_request *request, struct api_call **call, struct api_problem *problem)
{
    struct api_job job;
    job_open(&job, request);
    api_job_next(&job);
    api_job_part(&job, 0);
    if (job.result == FRONT_FAILED && problem != NULL)
        *problem = job.problem;
    else if (job.result != FRONT_FAILED) {
        *call = job.call;
        job.call = NULL;
    }
    job_close(&job);
    return job.result;
}
