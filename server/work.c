#include "work.h"

#include <string.h>

static void fail(struct work *work, enum api_problem_code code, const char *detail)
{
    api_fail(&work->problem, code, "", API_NO_OFFSET, "%s", detail);
    work->failed = true;
}

/* ---- Inflating ---- */

static void inflate_part(struct work *work)
{
    work->inflated = inflating_step(&work->inflating);
    switch (work->inflated) {
    case INFLATING_MORE:
    case INFLATING_DONE:
        break;
    case INFLATING_MALFORMED:
        fail(work, API_MALFORMED_ENCODING,
             work->encoding == ENCODING_GZIP
                 ? "the body is truncated, corrupt, or continues after the end of its gzip data"
                 : "the body is truncated, corrupt, or continues after the end of its deflate data");
        break;
    case INFLATING_TOO_LARGE:
        api_fail(&work->problem, API_BODY_TOO_LARGE, "", API_NO_OFFSET,
                 "the inflated body may have up to %zu bytes (--max-body-bytes)", work->body->limit);
        work->problem.limit = work->body->limit;
        work->failed = true;
        break;
    case INFLATING_TOO_DENSE:
        fail(work, API_BODY_TOO_LARGE,
             "the body inflates to more than 256 times its size; no flag sets this: send it less compressed");
        break;
    case INFLATING_NO_MEMORY:
        fail(work, API_OUT_OF_MEMORY, "no memory to inflate the body now");
        break;
    }
}

static size_t inflate_stage(struct work *work)
{
    if (work->encoding == ENCODING_IDENTITY || work->failed)
        return 0;
    if (work->inflating.inflater == NULL && !inflating_begin(&work->inflating, work->body, work->encoding))
        fail(work, API_OUT_OF_MEMORY, "no memory to inflate the body now");
    return !work->failed && work->inflated == INFLATING_MORE;
}

/* ---- The answer ---- */

static void answer_problem(struct work *work)
{
    api_answer_problem(work->request.route->path, &work->problem, &work->response);
}

/* Arrays in binary become hardly shorter, in many times the time that computing them takes. */
static bool is_binary(const char *media_type)
{
    return media_type != NULL && (strcmp(media_type, API_NPY) == 0 || strcmp(media_type, API_TENSORS) == 0);
}

bool work_compresses(const struct compression *compression, const struct api_response *response)
{
    if (compression->demanded)
        return response->length > 0;
    return compression->allowed && response->length >= compression->min_bytes && !is_binary(response->media_type);
}

static void begin_deflating(struct work *work)
{
    work->deflated = DEFLATE_MORE;
    work->deflater = deflater_new(work->response.body, work->response.length);
    if (work->deflater == NULL)
        work->deflated = DEFLATE_USELESS;
}

static void end_deflating(struct work *work)
{
    struct api_response *response = &work->response;
    if (work->deflated == DEFLATE_DONE) {
        api_free(response->owned);
        response->body = response->owned = deflater_take(work->deflater, &response->length);
        work->coding = "gzip";
    }
    deflater_free(work->deflater);
    work->deflater = NULL;
}

void work_compress(struct work *work)
{
    begin_deflating(work);
    while (work->deflated == DEFLATE_MORE)
        work->deflated = deflater_step(work->deflater);
    end_deflating(work);
}

/* ---- Stages: each of these begins one, and says how many parts it has ---- */

static void set_request_body(struct work *work)
{
    work->request.length = work->body->length;
    work->request.body = work->body->bytes;
    work->request.own_body = &work->body->bytes;
}

/* The body is not needed after the first part. */
static void open_stream(struct work *work)
{
    if (work->body->bytes != NULL)
        set_request_body(work);
    const int result = streaming_open(work->streaming, &work->request, &work->problem);
    work->opened = result == 0;
    work->failed = result < 0;
    body_drop(work->body);
}

static size_t call_stage(struct work *work)
{
    if (work->streaming != NULL)
        return !work->opened && !work->failed;
    if (work->job == NULL && !work->failed) {
        set_request_body(work);
        work->job = api_job_open(&work->request);
        if (work->job == NULL)
            fail(work, API_OUT_OF_MEMORY, "no memory for the request");
    }
    return work->failed ? 0 : api_job_next(work->job);
}

/* The timeout may be in the body. */
static void apply_timeout(struct work *work)
{
    const uint64_t timeout_us = work->job != NULL ? api_job_timeout_us(work->job) : 0;
    const uint64_t deadline_ns = work->task.queued_ns + timeout_us * 1000;
    if (timeout_us > 0 && (work->task.deadline_ns == 0 || deadline_ns < work->task.deadline_ns))
        work->task.deadline_ns = deadline_ns;
}

static void end_call(struct work *work)
{
    if (work->failed)
        answer_problem(work);
    else if (work->streaming != NULL)
        work->response = (struct api_response){.status = 200, .media_type = API_NDJSON};
    else
        api_job_answer(work->job, &work->response);
    api_job_free(work->job);
    work->job = NULL;
}

static size_t next_stage(struct work *work)
{
    size_t parts = 0;
    switch (work->stage) {
    case WORK_INFLATE:
        parts = inflate_stage(work);
        if (parts > 0)
            return parts;
        inflating_end(&work->inflating);
        work->stage = WORK_CALL;
        return next_stage(work);
    case WORK_CALL:
        parts = call_stage(work);
        apply_timeout(work);
        if (parts > 0)
            return parts;
        end_call(work);
        work->stage = WORK_DEFLATE;
        return next_stage(work);
    case WORK_DEFLATE:
        if (work->deflater == NULL && work_compresses(&work->compression, &work->response))
            begin_deflating(work);
        if (work->deflater != NULL && work->deflated == DEFLATE_MORE)
            return 1;
        end_deflating(work);
        work->stage = WORK_END;
        break;
    case WORK_END:
        break;
    }
    return 0;
}

static size_t next(struct task *task)
{
    struct work *work = (struct work *)task;
    api_account_use(&work->reservation->account);
    const size_t parts = next_stage(work);
    api_account_use(NULL);
    return parts;
}

static void part(struct task *task, size_t number)
{
    struct work *work = (struct work *)task;
    api_account_use(&work->reservation->account);
    if (work->stage == WORK_INFLATE)
        inflate_part(work);
    else if (work->stage == WORK_CALL && work->streaming != NULL)
        open_stream(work);
    else if (work->stage == WORK_CALL)
        api_job_part(work->job, number);
    else
        work->deflated = deflater_step(work->deflater);
    api_account_use(NULL);
}

void work_prepare(struct work *work)
{
    work->task.next = next;
    work->task.part = part;
    work->stage = work->response.status != 0 ? WORK_DEFLATE : WORK_INFLATE;
}

void work_close(struct work *work)
{
    api_job_free(work->job);
    deflater_free(work->deflater);
    inflating_end(&work->inflating);
    work->job = NULL;
    work->deflater = NULL;
}
