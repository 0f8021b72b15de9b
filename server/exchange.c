/* A request's way: the daemon hands over its body piece by piece; a whole one is answered at once if it is
 * small, or else by a worker while its connection is suspended. */
#include "exchange.h"
#include "body.h"
#include "entropy.h"
#include "fields.h"
#include "probe.h"
#include "reply.h"
#include "trace.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Bodies of up to this many times the limit are read and dropped before the refusal is sent, since a client
 * that is cut off while it sends may never read the answer. */
enum { DISCARD_FACTOR = 4 };

enum state {
    RECEIVING,
    REFUSED, /* answered with `problem` once the rest of the body is in */
    WORKING, /* with a worker; the connection is suspended */
    ANSWERED /* `response` is ready, or `streaming` */
};

struct exchange {
    struct loop *loop;
    struct MHD_Connection *connection;
    enum state state;
    const struct api_route *route;    /* NULL where none matched */
    const struct api_function *model; /* NULL where the path names none, or not with this method */
    bool inference;                   /* problems have the form of /v2 */
    const char *method;
    struct fields fields;
    struct api_argument *query;
    struct body body;
    uint64_t began_ns, queued_ns;   /* times; the latter is 0 before a worker has it to do */
    uint64_t waited_ns, compute_ns; /* durations */
    struct trace trace;
    uv_work_t work;
    bool streams;                /* counted in METRIC_STREAMS */
    struct streaming *streaming; /* the answer's body in place of the response's */
    const char *encoding;        /* of the response's body, or NULL */
    struct api_problem problem;
    struct api_response response;
};

/* ---- Answering ---- */

/* Never what a probe answers, which must not wait for the workers. */
static bool may_be_compressed(const struct exchange *exchange)
{
    const struct api_route *route = exchange->route;
    return route != NULL && (api_route_takes_body(route) || route->kind == API_ROUTE_DOCUMENT) &&
           exchange->streaming == NULL && exchange->loop->server->config.gzip_min_bytes > 0;
}

static bool is_worth_compressing(const struct exchange *exchange)
{
    return may_be_compressed(exchange) && exchange->response.length >= exchange->loop->server->config.gzip_min_bytes;
}

static enum MHD_Result send_response(struct exchange *exchange)
{
    return reply_send(exchange->connection,
                      &(struct reply){
                          .response = &exchange->response,
                          .streaming = exchange->streaming,
                          .encoding = exchange->encoding,
                          .varies = exchange->encoding != NULL || is_worth_compressing(exchange),
                          .traceparent = exchange->trace.id[0] != '\0' ? exchange->trace.parent : NULL,
                          .closes = exchange->loop->server->draining,
                      });
}

static void answer_problem(struct exchange *exchange)
{
    if (exchange->inference)
        api_answer_error(&exchange->problem, &exchange->response);
    else
        api_answer_problem(&exchange->problem, &exchange->response);
}

static enum MHD_Result send_problem(struct exchange *exchange)
{
    answer_problem(exchange);
    if (exchange->problem.code == API_UNSUPPORTED_ENCODING)
        api_response_header(&exchange->response, MHD_HTTP_HEADER_ACCEPT_ENCODING, ENCODINGS_TAKEN, NULL);
    return send_response(exchange);
}

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
        .limits = exchange->loop->server->config.limits,
        .query = exchange->query,
        .query_count = exchange->fields.query_count,
        .header = fields_header,
        .header_closure = exchange->connection,
    };
}

/* ---- What may be done by a worker ---- */

/* false, and no answer, if the call computes or gives more than `most` numbers. */
static bool answer_small(struct exchange *exchange, size_t most)
{
    const struct api_request request = request_of(exchange);
    const uint64_t begun_ns = uv_hrtime();
    const bool answered = api_answer_small(&request, most, &exchange->response);
    exchange->compute_ns = uv_hrtime() - begun_ns;
    exchange->waited_ns = exchange->queued_ns != 0 ? begun_ns - exchange->queued_ns : 0;
    return answered;
}

static void answer_call(struct exchange *exchange)
{
    answer_small(exchange, SIZE_MAX);
}

static void open_stream(struct exchange *exchange)
{
    const struct api_request request = request_of(exchange);
    exchange->response = (struct api_response){.status = 200, .media_type = API_NDJSON};
    if (streaming_open(exchange->loop, exchange->connection, &request, &exchange->streaming, &exchange->problem) != 0)
        answer_problem(exchange);
    body_drop(&exchange->body);
}

static bool is_to_be_compressed(const struct exchange *exchange)
{
    if (!may_be_compressed(exchange) || exchange->response.length == 0)
        return false;
    const enum gzip gzip = encoding_gzip_wanted(exchange->fields.accept_encoding);
    return gzip == GZIP_DEMANDED || (gzip == GZIP_ALLOWED && is_worth_compressing(exchange));
}

static void compress(struct exchange *exchange)
{
    struct api_response *response = &exchange->response;
    size_t length;
    char *compressed = encoding_gzip(response->body, response->length, &length);
    if (compressed == NULL)
        return;
    free(response->owned);
    response->body = response->owned = compressed;
    response->length = length;
    exchange->encoding = "gzip";
}

/* An exchange that has a response already is here to have it compressed. */
static void work(uv_work_t *work_item)
{
    struct exchange *exchange = work_item->data;
    if (exchange->streams)
        open_stream(exchange);
    else if (exchange->response.status == 0)
        answer_call(exchange);
    if (is_to_be_compressed(exchange))
        compress(exchange);
}

static void after_work(uv_work_t *work_item, int status)
{
    struct exchange *exchange = work_item->data;
    assert(status == 0); /* nothing is ever cancelled */
    (void)status;
    exchange->state = ANSWERED;
    metrics_add(exchange->loop->server->metrics, METRIC_QUEUED, -1);
    loop_resume(exchange->loop, exchange->connection);
}

/* ---- Who does it ---- */

/* Counts one more of what `most` limits; false where they are that many already. */
static bool admit(struct exchange *exchange, enum metric metric, uint64_t most)
{
    struct metrics *metrics = exchange->loop->server->metrics;
    if (metrics_add(metrics, metric, 1) <= (int64_t)most)
        return true;
    metrics_add(metrics, metric, -1);
    return false;
}

static enum MHD_Result refuse_overload(struct exchange *exchange, const char *detail)
{
    api_fail(&exchange->problem, API_OVERLOADED, "", API_NO_OFFSET, "%s", detail);
    exchange->problem.retry_after = 1;
    return send_problem(exchange);
}

/* The connection is suspended before a worker can see the exchange, and resumed once, in after_work. */
static enum MHD_Result give_to_worker(struct exchange *exchange)
{
    struct loop *loop = exchange->loop;
    exchange->state = WORKING;
    exchange->queued_ns = uv_hrtime();
    loop_suspend(loop, exchange->connection);
    exchange->work.data = exchange;
    uv_queue_work(&loop->uv, &exchange->work, work, after_work);
    return MHD_YES;
}

/* A response that is here already: compressed on this thread if it is small, sent as it is if the queue is full. */
static enum MHD_Result finish(struct exchange *exchange)
{
    const struct config *config = &exchange->loop->server->config;
    if (!is_to_be_compressed(exchange))
        return send_response(exchange);
    if (exchange->response.length > config->inline_max_bytes && admit(exchange, METRIC_QUEUED, config->max_queued))
        return give_to_worker(exchange);
    if (exchange->response.length <= config->inline_max_bytes)
        compress(exchange);
    return send_response(exchange);
}

static enum MHD_Result answer_in_time(struct exchange *exchange)
{
    struct server *server = exchange->loop->server;
    const struct api_request request = request_of(exchange);
    const bool streams = api_stream_wanted(&request);
    const size_t small = server->config.inline_max_bytes;
    if (!streams && exchange->body.length <= small && small > 0 && answer_small(exchange, small)) {
        metrics_add(server->metrics, METRIC_INLINE, 1);
        return finish(exchange);
    }
    if (streams && !(exchange->streams = admit(exchange, METRIC_STREAMS, server->config.max_streams)))
        return refuse_overload(exchange, "too many answers are being streamed");
    if (!admit(exchange, METRIC_QUEUED, server->config.max_queued))
        return refuse_overload(exchange, "too many requests wait for the workers");
    return give_to_worker(exchange);
}

static void refuse_encoding(struct exchange *exchange)
{
    api_fail(&exchange->problem, API_MALFORMED_ENCODING, "", API_NO_OFFSET,
             "the body is cut short, corrupt, or goes on behind the end of its %s",
             exchange->fields.encoding == ENCODING_GZIP ? "gzip" : "deflate");
    exchange->state = REFUSED;
    body_drop(&exchange->body);
}

static enum MHD_Result answer(struct exchange *exchange)
{
    if (body_end(&exchange->body) != BODY_OK) {
        refuse_encoding(exchange);
        return send_problem(exchange);
    }
    if (api_route_takes_body(exchange->route))
        return answer_in_time(exchange);
    if (exchange->route->kind == API_ROUTE_DOCUMENT || exchange->route->kind == API_ROUTE_INDEX)
        answer_call(exchange);
    else
        probe_answer(exchange->loop->server, exchange->route, exchange->model, exchange->fields.accept,
                     &exchange->response);
    return finish(exchange);
}

/* ---- Receiving ---- */

static void refuse_body(struct exchange *exchange)
{
    const size_t limit = exchange->loop->server->config.max_body_bytes;
    api_fail(&exchange->problem, API_BODY_TOO_LARGE, "", API_NO_OFFSET, "a body may have up to %zu bytes", limit);
    exchange->problem.limit = limit;
    exchange->state = REFUSED;
    body_drop(&exchange->body);
}

static void refuse_for_memory(struct exchange *exchange)
{
    api_fail(&exchange->problem, API_INTERNAL, "", API_NO_OFFSET, "no memory for the body");
    exchange->state = REFUSED;
    body_drop(&exchange->body);
}

/* What comes after a refusal is only counted. */
static void receive(struct exchange *exchange, const char *data, size_t length)
{
    if (exchange->state == REFUSED) {
        exchange->body.received += length;
        return;
    }
    switch (body_add(&exchange->body, data, length)) {
    case BODY_OK:
        break;
    case BODY_TOO_LARGE:
        refuse_body(exchange);
        break;
    case BODY_MALFORMED:
        refuse_encoding(exchange);
        break;
    case BODY_NO_MEMORY:
        refuse_for_memory(exchange);
        break;
    }
}

static const char *known_method(const char *method)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(method, methods[i]) == 0)
            return methods[i];
    return "other";
}

static void refuse_unknown_encoding(struct exchange *exchange)
{
    api_fail(&exchange->problem, API_UNSUPPORTED_ENCODING, "", API_NO_OFFSET,
             "a body may be encoded once, with one of: " ENCODINGS_TAKEN);
    exchange->state = REFUSED;
}

/* A body that no function reads is not decoded either. */
static enum body_result begin_body(struct exchange *exchange)
{
    const bool is_call = api_route_takes_body(exchange->route);
    return body_begin(&exchange->body, is_call ? exchange->fields.encoding : ENCODING_IDENTITY,
                      exchange->fields.announced);
}

/* What can be refused before the body is in: it will be read and dropped first unless the client waits to be
 * told to send it, or it is out of all proportion. */
static enum MHD_Result begin(struct exchange *exchange, const char *url, const char *method)
{
    const struct fields *fields = &exchange->fields;
    const uint64_t limit = exchange->loop->server->config.max_body_bytes;
    exchange->inference = api_path_is_inference(url);
    if (api_route_find(method, url, &exchange->route, &exchange->problem) != 0)
        exchange->state = REFUSED;
    else if (fields->encoding == ENCODING_UNKNOWN && api_route_takes_body(exchange->route))
        refuse_unknown_encoding(exchange);
    else if (fields->announced > limit)
        refuse_body(exchange);
    else if (begin_body(exchange) != BODY_OK)
        refuse_for_memory(exchange);
    if (exchange->route != NULL && exchange->problem.allow == NULL)
        exchange->model = api_route_model(exchange->route, url);
    if (exchange->state == REFUSED && fields->announced > 0 &&
        (fields->expects || fields->announced > DISCARD_FACTOR * limit))
        return send_problem(exchange);
    return MHD_YES;
}

/* False if memory is short. */
static bool read_head(struct exchange *exchange)
{
    struct fields *fields = &exchange->fields;
    fields_read(exchange->connection, fields);
    trace_take(&exchange->trace, fields->traceparent);
    if (fields->query_count > 0)
        exchange->query = fields_query(exchange->connection, fields->query_count);
    return fields->query_count == 0 || exchange->query != NULL;
}

static struct exchange *exchange_new(struct loop *loop, struct MHD_Connection *connection, const char *method)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL)
        return NULL;
    exchange->loop = loop;
    exchange->connection = connection;
    exchange->method = known_method(method);
    exchange->began_ns = uv_hrtime();
    exchange->body.limit = loop->server->config.max_body_bytes;
    if (!read_head(exchange)) {
        fields_free(&exchange->fields);
        free(exchange);
        return NULL;
    }
    loop->exchanges++;
    loop->last_active = uv_now(&loop->uv);
    metrics_add(loop->server->metrics, METRIC_IN_FLIGHT, 1);
    return exchange;
}

enum MHD_Result exchange_handle(void *loop, struct MHD_Connection *connection, const char *url, const char *method,
                                const char *version, const char *data, size_t *data_length, void **context)
{
    (void)version;
    struct exchange *exchange = *context;
    if (exchange == NULL) {
        *context = exchange = exchange_new(loop, connection, method);
        return exchange != NULL ? begin(exchange, url, method) : MHD_NO;
    }
    if (*data_length > 0) {
        receive(exchange, data, *data_length);
        *data_length = 0;
        return exchange->body.received / DISCARD_FACTOR <= exchange->body.limit ? MHD_YES : MHD_NO;
    }
    switch (exchange->state) {
    case RECEIVING:
        return answer(exchange);
    case REFUSED:
        return send_problem(exchange);
    case ANSWERED:
        return send_response(exchange);
    case WORKING:
        break;
    }
    return MHD_YES;
}

/* ---- Completing ---- */

static void record_inference(const struct exchange *exchange, uint64_t duration_ns)
{
    metrics_inference(exchange->loop->server->metrics, exchange->model,
                      &(struct metrics_inference){
                          .succeeded = exchange->response.status == 200,
                          .rows = exchange->response.rows,
                          .duration_ns = duration_ns,
                          .queue_ns = exchange->waited_ns,
                          .compute_ns = exchange->compute_ns,
                      });
}

static void record(const struct exchange *exchange, bool completed)
{
    struct server *server = exchange->loop->server;
    const uint64_t duration_ns = uv_hrtime() - exchange->began_ns;
    const struct api_response *response = &exchange->response;
    const struct streaming *streaming = exchange->streaming;
    const size_t rows = streaming != NULL ? streaming_rows(streaming) : response->rows;
    const bool headless = strcmp(exchange->method, "HEAD") == 0;
    const size_t bytes_out = streaming != NULL ? streaming_bytes(streaming) : headless ? 0 : response->length;
    metrics_request(server->metrics, exchange->route, response->status, (double)duration_ns * 1e-9);
    metrics_add(server->metrics, METRIC_REQUEST_BYTES, (int64_t)exchange->body.received);
    metrics_add(server->metrics, METRIC_RESPONSE_BYTES, (int64_t)bytes_out);
    metrics_add(server->metrics, METRIC_ROWS, (int64_t)rows);
    if (exchange->model != NULL && exchange->route->kind == API_ROUTE_INFER)
        record_inference(exchange, duration_ns);
    if (!completed)
        metrics_add(server->metrics, METRIC_ABORTED, 1);
    log_request(server->log, &(struct log_request){
                                 .method = exchange->method,
                                 .path = exchange->route != NULL ? exchange->route->path : "",
                                 .trace_id = exchange->trace.id[0] != '\0' ? exchange->trace.id : NULL,
                                 .status = response->status,
                                 .completed = completed,
                                 .rows = rows,
                                 .bytes_in = exchange->body.received,
                                 .bytes_out = bytes_out,
                                 .duration_us = duration_ns / 1000,
                             });
}

void exchange_completed(void *closure, struct MHD_Connection *connection, void **context,
                        enum MHD_RequestTerminationCode reason)
{
    (void)connection;
    struct loop *loop = closure;
    struct exchange *exchange = *context;
    if (exchange == NULL)
        return;
    assert(exchange->state != WORKING);
    record(exchange, reason == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    metrics_add(loop->server->metrics, METRIC_IN_FLIGHT, -1);
    loop->exchanges--;
    loop->last_active = uv_now(&loop->uv);
    if (exchange->streams)
        metrics_add(loop->server->metrics, METRIC_STREAMS, -1);
    streaming_close(exchange->streaming);
    api_response_release(&exchange->response);
    body_drop(&exchange->body);
    fields_free(&exchange->fields);
    free(exchange->query);
    free(exchange);
    *context = NULL;
}
