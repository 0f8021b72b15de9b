#define _GNU_SOURCE /* POLLRDHUP */
#include "answer.h"
#include "direct.h"
#include "entropy.h"
#include "probe.h"
#include "reply.h"
#include "socket.h"

#include <poll.h>

static const struct config *config_of(const struct exchange *exchange)
{
    return &exchange->loop->server->config;
}

/* ---- Answering ---- */

/* Never what a probe answers, which must not wait for the workers. */
static bool may_be_compressed(const struct exchange *exchange)
{
    const struct api_route *route = exchange->route;
    return route != NULL && (api_route_takes_body(route) || route->kind == API_ROUTE_DOCUMENT) &&
           config_of(exchange)->gzip_min_bytes > 0;
}

static struct compression compression_of(const struct exchange *exchange)
{
    const enum gzip gzip = may_be_compressed(exchange) ? encoding_gzip_wanted(exchange->fields.accept_encoding)
                                                       : GZIP_NEVER;
    return (struct compression){gzip != GZIP_NEVER, gzip == GZIP_DEMANDED, config_of(exchange)->gzip_min_bytes};
}

/* Whether the answer depends on Accept-Encoding. */
static bool varies(const struct exchange *exchange)
{
    return exchange->work.coding != NULL || (may_be_compressed(exchange) && exchange->streaming == NULL &&
                                             exchange->work.response.length >= config_of(exchange)->gzip_min_bytes);
}

enum MHD_Result answer_send(struct exchange *exchange)
{
    exchange->sends = true;
    if (exchange->work.response.length > EXCHANGE_SENT_AT_ONCE)
        exchange->sent_before = socket_written(exchange->peer->fd);
    connection_set_phase(exchange->peer, CONNECTION_SENDING);
    return reply_send(exchange->connection,
                      &(struct reply){
                          .response = &exchange->work.response,
                          .streaming = exchange->streaming,
                          .encoding = exchange->work.coding,
                          .varies = varies(exchange),
                          .request_id = exchange->id.text,
                          .traceparent = exchange->trace.id[0] != '\0' ? exchange->trace.parent : NULL,
                          .closes = exchange->fields.closes || exchange->loop->server->draining,
                          .browser = &exchange->fields.browser,
                          .cors_allow_origins = config_of(exchange)->cors_allow_origins,
                      });
}

static void answer_problem(struct exchange *exchange, const struct api_problem *problem)
{
    struct api_response *response = &exchange->work.response;
    api_response_release(response);
    if (exchange->inference)
        api_answer_error(problem, response);
    else
        api_answer_problem(problem, response);
}

static void answer_options(struct exchange *exchange)
{
    exchange->work.response = (struct api_response){
        .status = MHD_HTTP_NO_CONTENT, .allow = exchange->options, .body = ""};
}

enum MHD_Result answer_send_problem(struct exchange *exchange)
{
    answer_problem(exchange, &exchange->problem);
    if (exchange->problem.code == API_UNSUPPORTED_ENCODING)
        api_response_header(&exchange->work.response, MHD_HTTP_HEADER_ACCEPT_ENCODING, ENCODINGS_TAKEN, NULL);
    return answer_send(exchange);
}

enum MHD_Result answer_cut_off(struct exchange *exchange)
{
    answer_problem(exchange, &exchange->problem);
    direct_answer(exchange->peer->fd, &exchange->work.response);
    return MHD_NO;
}

static struct api_request request_of(struct exchange *exchange)
{
    return (struct api_request){
        .route = exchange->route,
        .model = exchange->model,
        .content_type = exchange->fields.content_type,
        .accept = exchange->fields.accept,
        .form = exchange->form,
        .body = exchange->body.bytes,
        .length = exchange->body.length,
        .own_body = &exchange->body.bytes,
        .fresh_seed = entropy_seed,
        .limits = config_of(exchange)->limits,
        .query = exchange->fields.target.query,
        .query_count = exchange->fields.target.query_count,
        .header = fields_header,
        .header_closure = exchange->connection,
    };
}

/* No other time will do for what needs more memory than there can be. */
static void answer_too_much(struct exchange *exchange)
{
    const size_t most = budget_most(exchange->reservation.budget, BUDGET_WORK);
    struct api_problem problem;
    api_fail(&problem, API_LIMIT_EXCEEDED, "", API_NO_OFFSET,
             "the request needs more memory than the %zu bytes that there are (--max-memory-bytes)", most);
    problem.limit = most;
    answer_problem(exchange, &problem);
}

static bool needs_too_much(const struct exchange *exchange)
{
    return exchange->work.response.problem == &api_problem_kinds[API_OUT_OF_MEMORY] &&
           atomic_load_explicit(&exchange->reservation.never_fits, memory_order_relaxed);
}

/* ---- On this thread ---- */

/* false, and no answer, if the call computes or gives more than `most` numbers. */
static bool answer_small(struct exchange *exchange, size_t most)
{
    const struct api_request request = request_of(exchange);
    const uint64_t begun_ns = uv_hrtime();
    const bool answered = api_answer_small(&request, most, &exchange->work.response);
    exchange->compute_ns = uv_hrtime() - begun_ns;
    if (answered && needs_too_much(exchange))
        answer_too_much(exchange);
    return answered;
}

/* ---- Limits ---- */

/* Counts one more of what is limited for all and for each client; false where they are that many already. */
static bool admit(struct exchange *exchange, enum metric metric, uint64_t most, enum client_share share)
{
    struct metrics *metrics = exchange->loop->server->metrics;
    if (!client_admit(exchange->peer->client, share))
        return false;
    if (metrics_add(metrics, metric, 1) <= (int64_t)most)
        return true;
    metrics_add(metrics, metric, -1);
    client_leave(exchange->peer->client, share);
    return false;
}

static void leave(struct exchange *exchange, bool *counted, enum metric metric, enum client_share share)
{
    if (!*counted)
        return;
    *counted = false;
    metrics_add(exchange->loop->server->metrics, metric, -1);
    client_leave(exchange->peer->client, share);
}

static bool join_queue(struct exchange *exchange)
{
    exchange->queued = admit(exchange, METRIC_QUEUED, config_of(exchange)->max_queued, CLIENT_QUEUED);
    return exchange->queued;
}

static void leave_queue(struct exchange *exchange)
{
    leave(exchange, &exchange->queued, METRIC_QUEUED, CLIENT_QUEUED);
}

static bool join_streams(struct exchange *exchange)
{
    exchange->streams = admit(exchange, METRIC_STREAMS, config_of(exchange)->max_streams, CLIENT_STREAMS);
    return exchange->streams;
}

void answer_leave_streams(struct exchange *exchange)
{
    leave(exchange, &exchange->streams, METRIC_STREAMS, CLIENT_STREAMS);
}

/* ---- By the workers ---- */

/* A client that has closed its side, even if only that: who waits for an answer keeps it open. */
static bool has_left(struct task *task)
{
    const struct exchange *exchange = task->closure;
    struct pollfd connection = {.fd = exchange->peer->fd, .events = POLLRDHUP};
    return poll(&connection, 1, 0) == 1;
}

static void refuse(struct exchange *exchange, enum api_problem_code code, const char *detail)
{
    struct api_problem problem;
    api_fail(&problem, code, "", API_NO_OFFSET, "%s", detail);
    answer_problem(exchange, &problem);
}

enum { CLIENT_LEFT = 499 /* as nginx logs it; it is never sent */ };

/* What is answered in place of work that was not done. */
static void answer_unfinished(struct exchange *exchange, enum task_end end)
{
    work_close(&exchange->work);
    exchange->work.coding = NULL;
    if (end == TASK_EXPIRED)
        refuse(exchange, API_DEADLINE_PASSED, "the request's time was over before it was answered");
    else if (end == TASK_SHED)
        refuse(exchange, API_OVERLOADED, ANSWER_TOO_LONG);
    else if (end == TASK_STOPPED)
        refuse(exchange, API_OVERLOADED, "the server ends (--drain-timeout-ms)");
    else
        exchange->work.response.status = CLIENT_LEFT;
}

static uint64_t deadline_of(const struct exchange *exchange)
{
    uint64_t ms = config_of(exchange)->request_timeout_ms;
    if (exchange->timeout_ms > 0 && (ms == 0 || exchange->timeout_ms < ms))
        ms = exchange->timeout_ms;
    return ms > 0 ? uv_hrtime() + ms * 1000000 : 0;
}

static void resume(struct exchange *exchange, const struct task *task)
{
    exchange->waited_ns = task->waited_ns;
    exchange->compute_ns = task->service_ns;
    exchange->state = task->end == TASK_GONE ? EXCHANGE_GONE : EXCHANGE_ANSWERED;
    leave_queue(exchange);
    connection_resume(exchange->peer);
}

static void on_worked(struct task *task)
{
    struct exchange *exchange = task->closure;
    api_account_use(&exchange->reservation.account);
    if (task->end != TASK_DONE)
        answer_unfinished(exchange, task->end);
    else if (needs_too_much(exchange))
        answer_too_much(exchange);
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
    task->gone = has_left;
    task->done = on_worked;
    task->closure = exchange;
    task->deadline_ns = deadline_of(exchange);
    exchange->state = EXCHANGE_WORKING;
    connection_suspend(exchange->peer);
    scheduler_submit(task);
    return MHD_YES;
}

/* ---- Who does it ---- */

static enum MHD_Result refuse_now(struct exchange *exchange, enum api_problem_code code, const char *detail)
{
    refuse(exchange, code, detail);
    return answer_send(exchange);
}

static void prepare_work(struct exchange *exchange)
{
    struct work *work = &exchange->work;
    work->request = request_of(exchange);
    work->reservation = &exchange->reservation;
    work->body = &exchange->body;
    work->encoding = exchange->fields.encoding;
    work->compression = compression_of(exchange);
    work->streaming = exchange->streaming;
    work_prepare(work);
}

/* A response that is here already: compressed on this thread if it is small, sent as it is if the queue is full. */
static enum MHD_Result finish(struct exchange *exchange)
{
    struct work *work = &exchange->work;
    const struct compression compression = compression_of(exchange);
    if (!work_compresses(&compression, work->response.length))
        return answer_send(exchange);
    prepare_work(exchange);
    if (work->response.length > config_of(exchange)->inline_max_bytes && join_queue(exchange))
        return submit(exchange);
    if (work->response.length <= config_of(exchange)->inline_max_bytes)
        work_compress(work);
    return answer_send(exchange);
}

/* A stream in place of the response's body, to be opened by a worker. */
static bool make_stream(struct exchange *exchange)
{
    exchange->streaming = streaming_new(exchange->loop, exchange->connection, &exchange->reservation,
                                        client_queue(exchange->peer->client));
    return exchange->streaming != NULL;
}

static bool answer_here(struct exchange *exchange)
{
    const size_t small = config_of(exchange)->inline_max_bytes;
    if (exchange->fields.encoding != ENCODING_IDENTITY || exchange->body.length > small || small == 0 ||
        !answer_small(exchange, small))
        return false;
    metrics_add(exchange->loop->server->metrics, METRIC_INLINE, 1);
    return true;
}

static enum MHD_Result answer_call(struct exchange *exchange)
{
    const struct api_request request = request_of(exchange);
    exchange->form = api_form_of(&request);
    const bool streams = exchange->form == API_FORM_LINES;
    exchange->reservation.use = BUDGET_WORK;
    if (!streams && answer_here(exchange))
        return finish(exchange);
    if (streams && !join_streams(exchange))
        return refuse_now(exchange, API_OVERLOADED, "too many answers are being streamed (--max-streams)");
    if (scheduler_is_full(exchange->loop->server->scheduler, client_queue(exchange->peer->client)))
        return refuse_now(exchange, API_OVERLOADED, ANSWER_TOO_LONG);
    if (!join_queue(exchange))
        return refuse_now(exchange, API_OVERLOADED, "too many requests wait for the workers (--max-queued)");
    if (streams && !make_stream(exchange)) {
        leave_queue(exchange);
        return refuse_now(exchange, API_OUT_OF_MEMORY, "no memory for the stream");
    }
    prepare_work(exchange);
    return submit(exchange);
}

enum MHD_Result answer_request(struct exchange *exchange)
{
    if (exchange->options != NULL) {
        answer_options(exchange);
        return answer_send(exchange);
    }
    if (api_route_takes_body(exchange->route))
        return answer_call(exchange);
    if (exchange->route->kind == API_ROUTE_DOCUMENT || exchange->route->kind == API_ROUTE_INDEX)
        answer_small(exchange, SIZE_MAX);
    else
        probe_answer(exchange->loop->server, exchange->route, exchange->model, exchange->fields.accept,
                     &exchange->work.response);
    return finish(exchange);
}
