/* The course of a request: the daemon passes its body in pieces; when it is complete it is answered, at once or after
 * the workers have computed the answer. */
#include "handler.h"
#include "answer.h"
#include "direct.h"
#include "exchange.h"
#include "probe.h"
#include "reply.h"
#include "socket.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Bodies of up to this many times the limit are read and discarded before the refusal is sent, since a client that
     * is disconnected while it sends may never read the answer. */
    DISCARD_FACTOR = 4,
    LARGE_BYTES = 64 * 1024, /* a body of so many is worth a refusal before it is received */
};

/* ---- Receiving ---- */

static void set_refused(struct exchange *exchange)
{
    exchange->state = EXCHANGE_REFUSED;
    body_drop(&exchange->body);
}

static void refuse(struct exchange *exchange, enum api_problem_code code, const char *detail)
{
    api_fail(&exchange->problem, code, "", API_NO_OFFSET, "%s", detail);
    set_refused(exchange);
}

static void refuse_for_memory(struct exchange *exchange)
{
    refuse(exchange, API_OUT_OF_MEMORY, "no memory for the body now");
}

static void refuse_body(struct exchange *exchange, size_t limit, const char *flag)
{
    api_fail(&exchange->problem, API_BODY_TOO_LARGE, "", API_NO_OFFSET, "a body may have up to %zu bytes (--%s)", limit,
             flag);
    exchange->problem.limit = limit;
    set_refused(exchange);
}

/* What the memory allows a body of that size to have. */
static size_t body_max(const struct exchange *exchange, uint64_t bytes)
{
    return budget_max(exchange->reservation.budget, bytes > BUDGET_SMALL_BYTES ? BUDGET_BODY : BUDGET_SMALL);
}

/* After a refusal bytes are only counted, as are those of a body that no function reads. */
static void receive(struct exchange *exchange, const char *data, size_t length)
{
    exchange->peer->body_bytes += length;
    if (exchange->state == EXCHANGE_REFUSED || !api_route_takes_body(exchange->route)) {
        exchange->body.received += length;
        return;
    }
    switch (body_add(&exchange->body, data, length)) {
    case BODY_OK:
        break;
    case BODY_TOO_LARGE:
        refuse_body(exchange, exchange->body.limit, "max-body-bytes");
        break;
    case BODY_NO_MEMORY:
        if (exchange->reservation.never_fits)
            refuse_body(exchange, body_max(exchange, exchange->body.received), "max-memory-bytes");
        else
            refuse_for_memory(exchange);
        break;
    }
}

/* Checks the announced length: too large for the limit, for all memory there is, or for now. */
static void check_announced(struct exchange *exchange)
{
    const uint64_t announced = exchange->fields.announced, limit = exchange->config->max_body_bytes;
    const struct budget *budget = exchange->reservation.budget;
    exchange->body.announced = announced;
    if (announced > limit)
        refuse_body(exchange, limit, "max-body-bytes");
    else if (announced > body_max(exchange, announced))
        refuse_body(exchange, body_max(exchange, announced), "max-memory-bytes");
    else if (announced > BUDGET_SMALL_BYTES && !budget_has_room(budget, BUDGET_BODY, announced))
        refuse_for_memory(exchange);
}

/* A request that would wait for too long is refused before its body is read. */
static void check_queue(struct exchange *exchange)
{
    struct scheduler *scheduler = exchange->loop->server->scheduler;
    if (exchange->fields.announced >= LARGE_BYTES && api_route_takes_body(exchange->route) &&
        scheduler_is_full(scheduler, client_queue(exchange->peer->client)))
        refuse(exchange, API_OVERLOADED, ANSWER_TOO_LONG);
}

/* Whether the refusal is sent before the body: if the client waits for 100 Continue, or if a large body is too large or
 * comes under overload and can be discarded without the daemon. Otherwise the daemon reads it first, unless it is far
 * above the limit. */
static bool is_refused_at_once(struct exchange *exchange)
{
    const struct fields *fields = &exchange->fields;
    if (exchange->state != EXCHANGE_REFUSED || fields->announced == 0)
        return false;
    if (fields->expects)
        return true;
    const int status = api_problem_kinds[exchange->problem.code].status;
    if (fields->announced >= LARGE_BYTES &&
        (status == MHD_HTTP_SERVICE_UNAVAILABLE || status == MHD_HTTP_CONTENT_TOO_LARGE) &&
        connection_linger(exchange->peer))
        return true;
    return fields->announced > DISCARD_FACTOR * exchange->config->max_body_bytes;
}

/* Sets 0 if the client sent no timeout. */
static bool read_timeout(const char *text, uint64_t *ms)
{
    const size_t digits = text != NULL ? strspn(text, "0123456789") : 0;
    *ms = digits > 0 && digits < 16 ? strtoull(text, NULL, 10) : 0;
    return text == NULL || (*ms > 0 && text[digits] == '\0');
}

/* OPTIONS is answered for each route, and * for all of them together. An admin listener serves only probes and metrics.
 */
static int find_route(struct exchange *exchange, const char *method)
{
    const char *path = exchange->fields.target.path;
    const bool is_options = strcmp(method, MHD_HTTP_METHOD_OPTIONS) == 0;
    if (is_options && strcmp(path, "*") == 0) {
        exchange->options = "GET, HEAD, POST, OPTIONS";
        return 0;
    }
    if (api_route_find(method, path, &exchange->route, &exchange->problem) != 0)
        return -1;
    if (exchange->loop->is_admin && !probe_serves(exchange->route)) {
        exchange->route = NULL;
        return api_fail(&exchange->problem, API_NOT_FOUND, "", API_NO_OFFSET,
                        "only probes and metrics are served at this address");
    }
    if (is_options)
        exchange->options = api_route_methods(exchange->route);
    return 0;
}

/* A host name that resolves to the loopback may be an attacker's (DNS rebinding), and so may a web page. Health checks
 * are allowed to all. */
static int check_sender(struct exchange *exchange, const char *method)
{
    const struct config *config = exchange->config;
    const struct api_route *route = exchange->route;
    const struct fields *fields = &exchange->fields;
    const bool is_health = route != NULL && (route->kind == API_ROUTE_LIVE || route->kind == API_ROUTE_READY);
    const bool is_limited = exchange->peer->is_loopback || config->allowed_hosts[0] != '\0';
    if (is_limited && !is_health && !host_is_listed(&fields->host, config->allowed_hosts))
        return api_fail(&exchange->problem, API_WRONG_HOST, "", API_NO_OFFSET,
                        "the request's host is not listed in --allowed-hosts");
    if (origin_may_ask(&fields->browser, method, &fields->host, config->cors_allow_origins))
        return 0;
    return api_fail(&exchange->problem, API_FOREIGN_ORIGIN, "", API_NO_OFFSET,
                    "the request comes from a web page whose origin is not listed in --cors-allow-origins");
}

/* Checks what can be checked before the body is received. */
static enum MHD_Result check_head(struct exchange *exchange, const char *method)
{
    const struct fields *fields = &exchange->fields;
    if (find_route(exchange, method) != 0 || check_sender(exchange, method) != 0)
        set_refused(exchange);
    else if (fields->encoding == ENCODING_UNKNOWN && api_route_takes_body(exchange->route))
        refuse(exchange, API_UNSUPPORTED_ENCODING, "a body may be encoded once, with one of: " ENCODINGS_TAKEN);
    else if (!read_timeout(fields->timeout, &exchange->timeout_ms))
        refuse(exchange, API_OUT_OF_RANGE, FIELDS_TIMEOUT " must be a whole number of milliseconds above 0");
    else
        check_announced(exchange);
    if (exchange->state == EXCHANGE_RECEIVING)
        check_queue(exchange);
    if (exchange->route != NULL && exchange->problem.allow == NULL)
        exchange->model = api_route_model(exchange->route, fields->target.path);
    connection_set_phase(exchange->peer, CONNECTION_BODY);
    if (is_refused_at_once(exchange))
        return reply_send_problem(exchange);
    return MHD_YES;
}

static const char *known_method(const char *method)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(method, methods[i]) == 0)
            return methods[i];
    return "other";
}

/* After a malformed head the connection is closed: the start of the next request is unknown. */
static enum MHD_Result read_head(struct exchange *exchange, const char *method, const char *version)
{
    struct fields *fields = &exchange->fields;
    const int result = fields_read(exchange->connection, method, version, fields, &exchange->problem);
    trace_take(&exchange->trace, fields->traceparent);
    request_id_take(&exchange->id, fields->request_id, &exchange->loop->server->request_ids);
    if (result == 0)
        return check_head(exchange, method);
    set_refused(exchange);
    exchange->peer->reason = CLOSED_MALFORMED;
    return reply_send_problem(exchange);
}

static struct exchange *exchange_new(struct loop *loop, struct MHD_Connection *connection, const char *method)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL)
        return NULL;
    exchange->loop = loop;
    exchange->config = &loop->server->config;
    exchange->connection = connection;
    exchange->peer = connection_of(connection);
    exchange->method = known_method(method);
    exchange->began_ns = uv_hrtime();
    exchange->body.limit = exchange->config->max_body_bytes;
    reservation_open(&exchange->reservation, &loop->server->budget);
    loop->exchanges++;
    loop->last_active = uv_now(&loop->uv);
    metrics_add(loop->server->metrics, METRIC_IN_FLIGHT, 1);
    return exchange;
}

static enum MHD_Result continue_request(struct exchange *exchange)
{
    switch (exchange->state) {
    case EXCHANGE_RECEIVING:
        return answer_request(exchange);
    case EXCHANGE_REFUSED:
        return reply_send_problem(exchange);
    case EXCHANGE_ANSWERED:
        return reply_send(exchange);
    case EXCHANGE_GONE:
        return MHD_NO;
    case EXCHANGE_WORKING:
        break;
    }
    return MHD_YES;
}

static enum MHD_Result handle(struct exchange *exchange, const char *data, size_t *length)
{
    if (*length == 0)
        return continue_request(exchange);
    receive(exchange, data, *length);
    *length = 0;
    if (exchange->body.received / DISCARD_FACTOR <= exchange->body.limit)
        return MHD_YES;
    if (exchange->state != EXCHANGE_REFUSED)
        refuse_body(exchange, exchange->body.limit, "max-body-bytes");
    return reply_cut_off(exchange);
}

enum MHD_Result handler_request(void *loop, struct MHD_Connection *connection, const char *url, const char *method,
                                const char *version, const char *data, size_t *data_length, void **context)
{
    (void)url;
    struct exchange *exchange = *context;
    const bool begins = exchange == NULL;
    if (begins)
        *context = exchange = exchange_new(loop, connection, method);
    if (exchange == NULL) {
        direct_problem(connection_of(connection)->fd, connection_of(connection)->target.text, API_OUT_OF_MEMORY,
                       "no memory for the request now");
        return MHD_NO;
    }
    api_account_use(&exchange->reservation.account);
    const enum MHD_Result result = begins ? read_head(exchange, method, version) : handle(exchange, data, data_length);
    api_account_use(NULL);
    return result;
}

/* ---- Completing ---- */

/* Bytes of the body that were sent. A body that fits the socket's buffer is written at once or, if the client has gone,
 * not at all. */
static size_t bytes_sent(const struct exchange *exchange, bool completed)
{
    const size_t length = strcmp(exchange->method, "HEAD") == 0 ? 0 : exchange->work.response.length;
    if (exchange->streaming != NULL)
        return streaming_bytes(exchange->streaming);
    if (completed)
        return length;
    if (!exchange->sends || length <= EXCHANGE_SENT_AT_ONCE)
        return 0;
    const uint64_t sent = socket_acknowledged(exchange->peer->fd);
    return sent <= exchange->sent_before           ? 0
           : sent - exchange->sent_before < length ? sent - exchange->sent_before
                                                   : length;
}

static void report(const struct exchange *exchange, bool completed)
{
    struct server *server = exchange->loop->server;
    const struct api_response *response = &exchange->work.response;
    const struct streaming *streaming = exchange->streaming;
    const struct record record = {
        .method = exchange->method,
        .route = exchange->route,
        .model = exchange->model,
        .client = exchange->peer->peer,
        .request_id = exchange->id.text,
        .trace_id = exchange->trace.id[0] != '\0' ? exchange->trace.id : NULL,
        .problem = response->problem,
        .pointer = response->pointer,
        .status = response->status,
        .completed = completed,
        .rows = streaming != NULL ? streaming_rows(streaming) : response->rows,
        .bytes_in = exchange->body.received,
        .bytes_out = bytes_sent(exchange, completed),
        .duration_ns = uv_hrtime() - exchange->began_ns,
        .wait_ns = exchange->waited_ns,
        .compute_ns = exchange->compute_ns,
    };
    metrics_request(server->metrics, &record);
    log_request(server->log, &record);
}

static void release(struct exchange *exchange)
{
    api_account_use(&exchange->reservation.account);
    streaming_close(exchange->streaming);
    work_close(&exchange->work);
    api_response_release(&exchange->work.response);
    body_drop(&exchange->body);
    fields_free(&exchange->fields);
    api_account_use(NULL);
    reservation_close(&exchange->reservation);
    free(exchange);
}

void handler_completed(void *closure, struct MHD_Connection *connection, void **context,
                       enum MHD_RequestTerminationCode reason)
{
    struct loop *loop = closure;
    struct exchange *exchange = *context;
    connection_set_phase(connection_of(connection), CONNECTION_IDLE);
    if (exchange == NULL)
        return;
    assert(exchange->state != EXCHANGE_WORKING);
    report(exchange, reason == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    metrics_add(loop->server->metrics, METRIC_IN_FLIGHT, -1);
    loop->exchanges--;
    loop->last_active = uv_now(&loop->uv);
    answer_leave(exchange, CLIENT_STREAMS);
    release(exchange);
    *context = NULL;
}
