#include "job.h"
#include "http/accept.h"
#include "http/memory.h"
#include "rest/write.h"

/* Writing a number, or bringing it to its place, takes as long as computing so many. */
enum { WRITE_COST = 16, FINISH_COST = 8 };

static size_t numbers_written(const struct api_job *job)
{
    const size_t numbers = job->numbers / WRITE_COST;
    return numbers > 0 ? numbers : 1;
}

/* ---- JSON and .npy ---- */

static int read_call(struct api_job *job)
{
    return api_decode(&job->request, &job->call, &job->problem);
}

static int write_json(struct api_job *job)
{
    struct writer *writer = &job->of.writer;
    if (!job->open) {
        job->open = true;
        writer->text = (struct text){.bytes = NULL};
        if (encode_open(job->call, writer, &job->problem) != 0)
            return -1;
    }
    const int result = encode_some(writer, numbers_written(job), &job->problem);
    if (result == 0)
        writer_answer(writer, "application/json", job->call->rows, &job->response);
    return result;
}

static void close_json(struct api_job *job)
{
    if (job->open)
        api_free(job->of.writer.text.bytes);
}

static int write_npy(struct api_job *job)
{
    enum { BYTES = 64 }; /* are copied in the time in which a number is printed */
    struct npy_writer *writer = &job->of.npy;
    if (!job->open) {
        job->open = true;
        if (npy_write_open(writer, job->call, &job->response, &job->problem) != 0)
            return -1;
    }
    return npy_write_some(writer, BYTES * numbers_written(job), &job->response, &job->problem);
}

static void close_npy(struct api_job *job)
{
    if (job->open)
        api_free(job->of.npy.body);
}

/* ---- The inference protocol ---- */

static int read_inference(struct api_job *job)
{
    return oip_read(&job->request, &job->of.oip.request, &job->call, &job->problem);
}

static int write_inference(struct api_job *job)
{
    struct oip_answer *answer = &job->of.oip.answer;
    if (!job->open) {
        job->open = true;
        if (oip_write_open(answer, job->call, &job->of.oip.request, &job->problem) != 0)
            return -1;
    }
    return oip_write_some(answer, numbers_written(job), &job->response, &job->problem);
}

static int refuse_inference(struct api_job *job)
{
    oip_place_row(&job->of.oip.request, &job->problem);
    return -1;
}

static void close_inference(struct api_job *job)
{
    if (job->open)
        oip_write_close(&job->of.oip.answer);
    if (job->read)
        oip_request_free(&job->of.oip.request);
}

/* ---- Batches ---- */

static int read_batch(struct api_job *job)
{
    if (!job->read)
        batch_open(&job->of.batch, &job->request);
    job->read = true;
    const int result = batch_read(&job->of.batch, job->numbers / WRITE_COST, &job->call, &job->problem);
    if (result == 0 && job->call == NULL)
        batch_answer(&job->of.batch, &job->response);
    return result;
}

static void drop_call(struct api_job *job)
{
    api_call_free(job->call);
    job->call = NULL;
}

static int write_batch(struct api_job *job)
{
    const int result = batch_write(&job->of.batch, job->call, numbers_written(job), &job->problem);
    if (result != 0)
        return result;
    drop_call(job);
    return JOB_READ_ON;
}

static int refuse_batch(struct api_job *job)
{
    const struct api_problem own = job->problem;
    drop_call(job);
    return batch_refuse(&job->of.batch, &own, &job->problem);
}

static void close_batch(struct api_job *job)
{
    if (job->read)
        batch_close(&job->of.batch);
}

/* ---- Fronts ---- */

static int read_document(struct api_job *job)
{
    const struct api_route *route = job->request.route;
    job->response = (struct api_response){.status = 200, .media_type = route->media_type};
    route->document(&job->request, &job->response);
    return 0;
}

static const struct job_front json = {.read = read_call, .write = write_json, .close = close_json};
static const struct job_front npy = {.read = read_call, .write = write_npy, .close = close_npy};
static const struct job_front inference = {
    .read = read_inference, .write = write_inference, .refuse = refuse_inference, .close = close_inference};
static const struct job_front batch = {
    .read = read_batch, .write = write_batch, .refuse = refuse_batch, .close = close_batch};
static const struct job_front document = {.read = read_document};

bool job_is_batch(const struct api_request *request)
{
    return request->route->kind == API_ROUTE_CALL && request->route->function == NULL;
}

static const struct job_front *front_of(const struct api_request *request)
{
    if (!api_route_takes_body(request->route))
        return &document;
    if (request->route->kind == API_ROUTE_INFER)
        return &inference;
    if (job_is_batch(request))
        return &batch;
    return request->form == API_FORM_NPY ? &npy : &json;
}

/* ---- Steps ---- */

void job_open(struct api_job *job, const struct api_request *request)
{
    job->request = *request;
    job->request.form = api_form_of(request);
    job->front = front_of(&job->request);
    job->step = JOB_BEGIN;
    job->result = 0;
    job->numbers = request->part_numbers > 0 ? request->part_numbers : API_PART_NUMBERS;
    job->failed = job->read = job->open = false;
    job->call = NULL;
    job->plan.marks = NULL;
    job->plan.sums = NULL;
    job->response.owned = NULL;
    job->response.header_count = 0;
}

void job_close(struct api_job *job)
{
    if (job->front->close != NULL)
        job->front->close(job);
    call_plan_close(&job->plan);
    api_call_free(job->call);
    api_response_release(&job->response);
}

static enum job_step fail(struct api_job *job)
{
    job->failed = true;
    return JOB_END;
}

static enum job_step after_reading(struct api_job *job)
{
    if (job->result < 0)
        return fail(job);
    if (job->result == JOB_MORE)
        return JOB_READ;
    if (job->call == NULL)
        return JOB_END;
    call_plan_open(&job->plan, job->call, 0, job->call->rows, job->numbers);
    return JOB_COMPUTE;
}

static enum job_step after_writing(struct api_job *job)
{
    if (job->result < 0)
        return fail(job);
    return job->result == JOB_READ_ON ? JOB_READ : job->result == JOB_MORE ? JOB_WRITE : JOB_END;
}

static enum job_step after_computing(struct api_job *job, bool failed)
{
    const size_t refusals = memory_refusals();
    call_plan_close(&job->plan);
    if (!failed)
        return JOB_WRITE;
    const int result = job->front->refuse != NULL ? job->front->refuse(job) : -1;
    return memory_verdict(result, refusals, &job->problem) == 0 ? JOB_READ : fail(job);
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

static int read_first(struct api_job *job)
{
    if (accept_negotiate(&job->request, &job->problem) != 0)
        return -1;
    const int result = job->front->read(job);
    job->read = true;
    return result;
}

static int read_or_write(struct api_job *job)
{
    if (job->step == JOB_WRITE) {
        const int finished = call_finish(job->call, job->numbers / FINISH_COST, &job->problem);
        return finished != 0 ? finished : job->front->write(job);
    }
    return job->read ? job->front->read(job) : read_first(job);
}

void api_job_part(struct api_job *job, size_t part)
{
    const size_t refusals = memory_refusals();
    if (job->step == JOB_COMPUTE)
        call_plan_part(&job->plan, part);
    else
        job->result = memory_verdict(read_or_write(job), refusals, &job->problem);
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
    return job->read && job->front == &inference ? job->of.oip.request.timeout_us : 0;
}

size_t api_job_cost(const struct api_job *job)
{
    return job->call != NULL ? call_cost(job->call) : 0;
}

void api_job_answer(struct api_job *job, struct api_response *response)
{
    if (!job->failed) {
        *response = job->response;
        job->response.owned = NULL;
        job->response.header_count = 0;
    } else if (api_path_is_inference(job->request.route->path))
        api_answer_error(&job->problem, response);
    else
        api_answer_problem(&job->problem, response);
}

void api_job_free(struct api_job *job)
{
    if (job == NULL)
        return;
    job_close(job);
    api_free(job);
}
