/* A request's way: the daemon hands over its body piece by piece; a whole one is answered at once if it is
 * small, or else by a worker while its connection is suspended. */
#include "exchange.h"
#include "entropy.h"
#include "loop.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BODY_BYTES = 4096 };

/* Bodies of up to this many times the limit are read and dropped before the refusal is sent, since a client
 * that is cut off while it sends may never read the answer. */
enum { DISCARD_FACTOR = 4 };

enum state {
    RECEIVING,
    REFUSED, /* answered with `problem` once the rest of the body is in */
    WORKING, /* with a worker; the connection is suspended */
    ANSWERED /* `response` is ready */
};

struct exchange {
    struct loop *loop;
    struct MHD_Connection *connection;
    enum state state;
    const struct api_route *route; /* NULL where none matched */
    const char *method;
    char *body;
    size_t length, capacity, discarded;
    uint64_t began_ns;
    uv_work_t work;
    struct api_problem problem;
    struct api_response response;
};

/* ---- Answering ---- */

static enum MHD_Result add_headers(struct MHD_Response *out, const struct exchange *exchange)
{
    const struct api_response *response = &exchange->response;
    enum MHD_Result result = MHD_add_response_header(out, MHD_HTTP_HEADER_CONTENT_TYPE, response->media_type);
    if (response->allow != NULL)
        result &= MHD_add_response_header(out, MHD_HTTP_HEADER_ALLOW, response->allow);
    if (response->retry_after > 0) {
        char seconds[16];
        snprintf(seconds, sizeof seconds, "%u", response->retry_after);
        result &= MHD_add_response_header(out, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    }
    if (exchange->loop->server->draining)
        result &= MHD_add_response_header(out, MHD_HTTP_HEADER_CONNECTION, "close");
    return result;
}

/* Hands the response's body over to the daemon, without a copy. */
static enum MHD_Result send_response(struct exchange *exchange)
{
    struct api_response *response = &exchange->response;
    struct MHD_Response *out = MHD_create_response_from_buffer(response->length, (void *)response->body,
                                                               response->owned != NULL ? MHD_RESPMEM_MUST_FREE
                                                                                       : MHD_RESPMEM_PERSISTENT);
    if (out == NULL)
        return MHD_NO;
    response->owned = NULL;
    enum MHD_Result result = add_headers(out, exchange);
    if (result == MHD_YES)
        result = MHD_queue_response(exchange->connection, (unsigned)response->status, out);
    MHD_destroy_response(out);
    return result;
}

static enum MHD_Result send_problem(struct exchange *exchange)
{
    api_answer_problem(&exchange->problem, &exchange->response);
    return send_response(exchange);
}

static void set_text(struct api_response *response, int status, const char *text)
{
    response->status = status;
    response->body = text;
    response->length = strlen(text);
}

static void answer_probe(struct exchange *exchange)
{
    struct server *server = exchange->loop->server;
    struct api_response *response = &exchange->response;
    *response = (struct api_response){.media_type = exchange->route->media_type};
    if (exchange->route->kind == API_ROUTE_LIVE) {
        set_text(response, 200, "live\n");
    } else if (exchange->route->kind == API_ROUTE_READY) {
        set_text(response, server->draining ? 503 : 200, server->draining ? "draining\n" : "ready\n");
    } else {
        metrics_set(server->metrics, METRIC_LOG_DROPPED, (int64_t)log_dropped(server->log));
        response->owned = metrics_text(server->metrics, &response->length);
        response->body = response->owned != NULL ? response->owned : "";
        response->status = response->owned != NULL ? 200 : 500;
    }
}

/* On the loop's thread or a worker's. */
static void answer_call(struct exchange *exchange)
{
    const struct api_request request = {
        .route = exchange->route,
        .content_type = MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, "Content-Type"),
        .accept = MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, "Accept"),
        .body = exchange->body,
        .length = exchange->length,
        .fresh_seed = entropy_seed,
    };
    api_answer(&request, &exchange->response);
}

static void work(uv_work_t *work_item)
{
    answer_call(work_item->data);
}

static void after_work(uv_work_t *work_item, int status)
{
    struct exchange *exchange = work_item->data;
    struct loop *loop = exchange->loop;
    assert(status == 0); /* nothing is ever cancelled */
    (void)status;
    exchange->state = ANSWERED;
    loop->suspended--;
    metrics_add(loop->server->metrics, METRIC_QUEUED, -1);
    MHD_resume_connection(exchange->connection);
    loop->pump_wanted = true;
}

static enum MHD_Result refuse_overload(struct exchange *exchange)
{
    api_fail(&exchange->problem, API_OVERLOADED, "", API_NO_OFFSET, "too many requests wait for the workers");
    exchange->problem.retry_after = 1;
    return send_problem(exchange);
}

/* The connection is suspended before a worker can see the exchange, and resumed once, in after_work. */
static enum MHD_Result give_to_worker(struct exchange *exchange)
{
    struct loop *loop = exchange->loop;
    struct server *server = loop->server;
    if (metrics_add(server->metrics, METRIC_QUEUED, 1) > (int64_t)server->config.max_queued) {
        metrics_add(server->metrics, METRIC_QUEUED, -1);
        return refuse_overload(exchange);
    }
    exchange->state = WORKING;
    loop->suspended++;
    MHD_suspend_connection(exchange->connection);
    exchange->work.data = exchange;
    uv_queue_work(&loop->uv, &exchange->work, work, after_work);
    return MHD_YES;
}

static enum MHD_Result answer(struct exchange *exchange)
{
    struct server *server = exchange->loop->server;
    switch (exchange->route->kind) {
    case API_ROUTE_CALL:
        if (exchange->length > server->config.inline_max_bytes || server->config.inline_max_bytes == 0)
            return give_to_worker(exchange);
        metrics_add(server->metrics, METRIC_INLINE, 1);
        answer_call(exchange);
        break;
    case API_ROUTE_DOCUMENT:
        answer_call(exchange);
        break;
    default:
        answer_probe(exchange);
        break;
    }
    return send_response(exchange);
}

/* ---- Receiving ---- */

/* What the client said the body's length is; 0 where it said nothing. */
static uint64_t announced_length(struct MHD_Connection *connection)
{
    const char *text = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

static void refuse_body(struct exchange *exchange)
{
    const size_t limit = exchange->loop->server->config.max_body_bytes;
    api_fail(&exchange->problem, API_BODY_TOO_LARGE, "", API_NO_OFFSET, "a body may have up to %zu bytes", limit);
    exchange->problem.limit = limit;
    exchange->state = REFUSED;
    free(exchange->body);
    exchange->body = NULL;
}

/* Makes room for `length` bytes of body and the padding behind them. */
static bool reserve(struct exchange *exchange, size_t length)
{
    if (length + API_BODY_PADDING <= exchange->capacity)
        return true;
    size_t capacity = exchange->capacity > 0 ? 2 * exchange->capacity : FIRST_BODY_BYTES;
    if (capacity < length + API_BODY_PADDING)
        capacity = length + API_BODY_PADDING;
    char *body = realloc(exchange->body, capacity);
    if (body == NULL)
        return false;
    exchange->body = body;
    exchange->capacity = capacity;
    return true;
}

static void receive(struct exchange *exchange, const char *data, size_t length)
{
    if (exchange->state == REFUSED) {
        exchange->discarded += length;
        return;
    }
    if (length > exchange->loop->server->config.max_body_bytes - exchange->length) {
        exchange->discarded = exchange->length + length;
        refuse_body(exchange);
        return;
    }
    if (!reserve(exchange, exchange->length + length)) {
        api_fail(&exchange->problem, API_INTERNAL, "", API_NO_OFFSET, "no memory for the body");
        exchange->state = REFUSED;
        return;
    }
    memcpy(exchange->body + exchange->length, data, length);
    exchange->length += length;
    memset(exchange->body + exchange->length, 0, API_BODY_PADDING);
}

static const char *known_method(const char *method)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(method, methods[i]) == 0)
            return methods[i];
    return "other";
}

/* What can be refused before the body is in: it will be read and dropped first unless the client waits to be
 * told to send it, or it is out of all proportion. */
static enum MHD_Result begin(struct exchange *exchange, const char *url, const char *method)
{
    const uint64_t limit = exchange->loop->server->config.max_body_bytes;
    const uint64_t announced = announced_length(exchange->connection);
    if (api_route_find(method, url, &exchange->route, &exchange->problem) != 0)
        exchange->state = REFUSED;
    else if (announced > limit)
        refuse_body(exchange);
    else if (announced > 0 && !reserve(exchange, announced))
        return MHD_NO;
    const bool client_waits = MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND,
                                                          MHD_HTTP_HEADER_EXPECT) != NULL;
    if (exchange->state == REFUSED && announced > 0 && (client_waits || announced > DISCARD_FACTOR * limit))
        return send_problem(exchange);
    return MHD_YES;
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
        return exchange->discarded / DISCARD_FACTOR <= exchange->loop->server->config.max_body_bytes ? MHD_YES : MHD_NO;
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

static void record(const struct exchange *exchange, bool completed)
{
    struct server *server = exchange->loop->server;
    const uint64_t duration_ns = uv_hrtime() - exchange->began_ns;
    const struct api_response *response = &exchange->response;
    metrics_request(server->metrics, exchange->route, response->status, (double)duration_ns * 1e-9);
    metrics_add(server->metrics, METRIC_REQUEST_BYTES, (int64_t)exchange->length);
    metrics_add(server->metrics, METRIC_RESPONSE_BYTES, (int64_t)response->length);
    metrics_add(server->metrics, METRIC_ROWS, (int64_t)response->rows);
    if (!completed)
        metrics_add(server->metrics, METRIC_ABORTED, 1);
    log_request(server->log, &(struct log_request){
                                 .method = exchange->method,
                                 .path = exchange->route != NULL ? exchange->route->path : "",
                                 .status = response->status,
                                 .completed = completed,
                                 .rows = response->rows,
                                 .bytes_in = exchange->length,
                                 .bytes_out = response->length,
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
    free(exchange->body);
    free(exchange->response.owned);
    free(exchange);
    *context = NULL;
}
