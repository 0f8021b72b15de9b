#define _GNU_SOURCE /* POLLRDHUP */
#include "answer.h"
#include "entropy.h"
#include "probe.h"
#include "reply.h"

#include <poll.h>

/* ---- Problems in place of the answer ---- */

static void fail(struct exchange *exchange, enum api_problem_code code, const char *detail)
{
    struct api_problem problem;
    api_fail(&problem, code, "", API_NO_OFFSET, "%s", detail);
    reply_set_problem(exchange, &problem);
}

static enum MHD_Result refuse(struct exchange *exchange, enum api_problem_code code, const char *detail)
{
    fail(exchange, code, detail);
    return reply_send(exchange);
}

/* A request that needs more memory than there can ever be is refused for that, not as overload. */
static void check_memory(struct exchange *exchange)
{
    struct api_problem problem;
    if (exchange->work.response.problem != &api_problem_kinds[API_OUT_OF_MEMORY] ||
        !atomic_load_explicit(&exchange->reservation.never_fits, memory_order_relaxed))
        return;
    const size_t max = budget_max(exchange->reservation.budget, BUDGET_WORK);
    api_fail(&problem, API_LIMIT_EXCEEDED, "", API_NO_OFFSET,
             "the request needs more memory than the available %zu bytes (--max-memory-bytes)", max);
    problem.limit = max;
    reply_set_problem(exchange, &problem);
}

/* ---- Limits ---- */

static const enum metric metrics[CLIENT_SHARE_COUNT] = {
    [CLIENT_STREAMS] = METRIC_STREAMS,
    [CLIENT_QUEUED] = METRIC_QUEUED,
};

/* Counts one more request towards the limits for all and for each client; false if either is reached. */
static bool join(struct exchange *exchange, enum client_share share, uint64_t max)
{
    if (!client_admit(exchange->peer->client, share))
        return false;
    exchange->counted[share] = true;
    if (metrics_add(exchange->loop->server->metrics, metrics[share], 1) <= (int64_t)max)
        return true;
    answer_leave(exchange, share);
    return false;
}

void answer_leave(struct exchange *exchange, enum client_share share)
{
    if (!exchange->counted[share])
        return;
    exchange->counted[share] = false;
    metrics_add(exchange->loop->server->metrics, metrics[share], -1);
    client_leave(exchange->peer->client, share);
}

static bool join_queue(struct exchange *exchange)
{
    return join(exchange, CLIENT_QUEUED, exchange->config->max_queued);
}

/* ---- By the workers ---- */

/* Whether the client has closed its side, even if only that: a client that waits for an answer keeps it open. */
static bool client_has_closed(struct task *task)
{
    const struct exchange *exchange = task->closure;
    struct pollfd connection = {.fd = exchange->peer->fd, .events = POLLRDHUP};
    return poll(&connection, 1, 0) == 1;
}

enum { CLIENT_CLOSED_REQUEST = 499 /* as nginx logs it; it is never sent */ };

/* The answer in place of work that was not done. */
static void answer_unfinished(struct exchange *exchange, enum task_end end)
{
    work_close(&exchange->work);
    exchange->work.coding = NULL;
    if (end == TASK_EXPIRED)
        fail(exchange, API_DEADLINE_PASSED, "the request's deadline passed before it was answered");
    else if (end == TASK_SHED)
        fail(exchange, API_OVERLOADED, ANSWER_TOO_LONG);
    else if (end == TASK_STOPPED)
        fail(exchange, API_OVERLOADED, "the server is shutting down (--drain-timeout-ms)");
    else
        exchange->work.response.status = CLIENT_CLOSED_REQUEST;
}

static uint64_t deadline_of(const struct exchange *exchange)
{
    uint64_t ms = exchange->config->request_timeout_ms;
    if (exchange->timeout_ms > 0 && (ms == 0 || exchange->timeout_ms < ms))
        ms = exchange->timeout_ms;
    return ms > 0 ? uv_hrtime() + ms * 1000000 : 0;
}

static void resume(struct exchange *exchange, const struct task *task)
{
    exchange->waited_ns = task->waited_ns;
    exchange->compute_ns = task->service_ns;
    exchange->state = task->end == TASK_GONE ? EXCHANGE_GONE : EXCHANGE_ANSWERED;
    answer_leave(exchange, CLIENT_QUEUED);
    connection_resume(exchange->peer);
}

static void on_worked(struct task *task)
{
    struct exchange *exchange = task->closure;
    api_account_use(&exchange->reservation.account);
    if (task->end != TASK_DONE)
        answer_unfinished(exchange, task->end);
    else
        check_memory(exchange);
    if (exchange->work.response.status != MHD_HTTP_OK) {
        streaming_close(exchange->streaming);
        exchange->streaming = NULL;
    }
    api_account_use(NULL);
    resume(exchange, task);
}

/* The connection is suspended before a worker can see the exchange, and resumed once, when the task is done. */
static enum MHD_Result submit(struct exchange *exchange)
{
    struct loop *loop = exchange->loop;
    struct task *task = &exchange->work.task;
    task->queue = client_queue(exchange->peer->client);
    task->loop = &loop->scheduler;
    task->gone = client_has_closed;
    task->done = on_worked;
    task->closure = exchange;
    task->deadline_ns = deadline_of(exchange);
    exchange->state = EXCHANGE_WORKING;
    connection_suspend(exchange->peer);
    scheduler_submit(task);
    return MHD_YES;
}

/* ---- On this thread or by the workers ---- */

static struct api_request request_of(struct exchange *exchange)
{
    return (struct api_request){
        .route = exchange->route,
        .model = exchange->model,
        .content_type = exchange->fields.content_type,
        .accept = exchange->fields.accept,
        .body = exchange->body.bytes,
        .length = exchange->body.length,
        .own_body = &exchange->body.bytes,
        .fresh_seed = entropy_seed,
        .limits = exchange->config->limits,
        .query = exchange->fields.target.query,
        .query_count = exchange->fields.target.query_count,
        .draining = exchange->loop->server->draining,
        .header = fields_header,
        .header_closure = exchange->connection,
    };
}

/* On this thread. False, and no answer, if the call computes or gives more than `max` numbers. */
static bool answer_small(struct exchange *exchange, size_t max)
{
    const uint64_t begun_ns = uv_hrtime();
    const bool answered = api_answer_small(&exchange->work.request, max, &exchange->work.response);
    exchange->compute_ns = uv_hrtime() - begun_ns;
    if (answered)
        check_memory(exchange);
    return answered;
}

static void prepare_work(struct exchange *exchange)
{
    struct work *work = &exchange->work;
    work->reservation = &exchange->reservation;
    work->body = &exchange->body;
    work->encoding = exchange->fields.encoding;
    work->compression = reply_compression(exchange);
    work->streaming = exchange->streaming;
    work_prepare(work);
}

/* A response that is ready: compressed on this thread if it is small, sent as it is if the queue is full. */
static enum MHD_Result finish(struct exchange *exchange)
{
    struct work *work = &exchange->work;
    const struct compression compression = reply_compression(exchange);
    if (!work_compresses(&compression, &work->response))
        return reply_send(exchange);
    prepare_work(exchange);
    if (work->response.length > exchange->config->inline_max_bytes && join_queue(exchange))
        return submit(exchange);
    if (work->response.length <= exchange->config->inline_max_bytes)
        work_compress(work);
    return reply_send(exchange);
}

static bool answer_inline(struct exchange *exchange)
{
    const size_t small = exchange->config->inline_max_bytes;
    if (exchange->fields.encoding != ENCODING_IDENTITY || exchange->body.length > small || small == 0 ||
        !answer_small(exchange, small))
        return false;
    metrics_add(exchange->loop->server->metrics, METRIC_INLINE, 1);
    return true;
}

static enum MHD_Result answer_call(struct exchange *exchange)
{
    struct server *server = exchange->loop->server;
    struct api_request *request = &exchange->work.request;
    request->front = api_front_of(request);
    const bool streams = api_front_streams(request->front);
    exchange->reservation.use = BUDGET_WORK;
    if (!streams && answer_inline(exchange))
        return finish(exchange);
    if (streams && !join(exchange, CLIENT_STREAMS, server->config.max_streams))
        return refuse(exchange, API_OVERLOADED, "too many answers are being streamed (--max-streams)");
    struct scheduler_queue *queue = client_queue(exchange->peer->client);
    if (scheduler_is_full(server->scheduler, queue))
        return refuse(exchange, API_OVERLOADED, ANSWER_TOO_LONG);
    if (!join_queue(exchange))
        return refuse(exchange, API_OVERLOADED, "too many requests wait for the workers (--max-queued)");
    if (streams)
        exchange->streaming = streaming_new(exchange->loop, exchange->connection, &exchange->reservation, queue);
    if (streams && exchange->streaming == NULL) {
        answer_leave(exchange, CLIENT_QUEUED);
        return refuse(exchange, API_OUT_OF_MEMORY, "no memory for the stream");
    }
    prepare_work(exchange);
    return submit(exchange);
}

enum MHD_Result answer_request(struct exchange *exchange)
{
    struct work *work = &exchange->work;
    if (exchange->options != NULL) {
        work->response = (struct api_response){.status = MHD_HTTP_NO_CONTENT, .allow = exchange->options, .body = ""};
        return reply_send(exchange);
    }
    work->request = request_of(exchange);
    if (api_route_takes_body(exchange->route))
        return answer_call(exchange);
    if (exchange->route->kind == API_ROUTE_DOCUMENT)
        answer_small(exchange, SIZE_MAX);
    else
        probe_answer(exchange->loop->server, exchange->route, exchange->model, exchange->fields.accept,
                     &work->response);
    return finish(exchange);
}
