#include "reply.h"
#include "direct.h"
#include "socket.h"

#include <stdio.h>

/* ---- Compression ---- */

/* Never what a probe answers, which must not wait for the workers. */
static bool may_be_compressed(const struct exchange *exchange)
{
    const struct api_route *route = exchange->route;
    return route != NULL && (api_route_takes_body(route) || route->kind == API_ROUTE_DOCUMENT);
}

struct compression reply_compression(const struct exchange *exchange)
{
    const enum gzip gzip = may_be_compressed(exchange) ? encoding_gzip_wanted(exchange->fields.accept_encoding)
                                                       : GZIP_NEVER;
    return (struct compression){gzip != GZIP_NEVER && exchange->config->gzip == GZIP_SETTING_JSON,
                                gzip == GZIP_DEMANDED, exchange->config->gzip_min_bytes};
}

/* Whether the answer depends on Accept-Encoding. */
static bool varies(const struct exchange *exchange)
{
    const struct compression accepted = {.allowed = exchange->config->gzip == GZIP_SETTING_JSON,
                                         .min_bytes = exchange->config->gzip_min_bytes};
    return exchange->work.coding != NULL || (may_be_compressed(exchange) && exchange->streaming == NULL &&
                                             work_compresses(&accepted, &exchange->work.response));
}

/* ---- Sending ---- */

static enum MHD_Result add(struct MHD_Response *out, const char *name, const char *value)
{
    return value != NULL ? MHD_add_response_header(out, name, value) : MHD_YES;
}

static enum MHD_Result add_headers(struct MHD_Response *out, const struct exchange *exchange)
{
    const struct api_response *response = &exchange->work.response;
    const bool closes = exchange->fields.closes || exchange->loop->server->draining;
    char seconds[16];
    snprintf(seconds, sizeof seconds, "%u", response->retry_after);
    enum MHD_Result result = add(out, MHD_HTTP_HEADER_CONTENT_TYPE, response->media_type);
    result &= add(out, MHD_HTTP_HEADER_ALLOW, response->allow);
    result &= add(out, MHD_HTTP_HEADER_RETRY_AFTER, response->retry_after > 0 ? seconds : NULL);
    for (size_t i = 0; i < response->header_count; i++)
        result &= add(out, response->headers[i].name, response->headers[i].value);
    result &= add(out, MHD_HTTP_HEADER_CONTENT_ENCODING, exchange->work.coding);
    result &= add(out, MHD_HTTP_HEADER_VARY, varies(exchange) ? MHD_HTTP_HEADER_ACCEPT_ENCODING : NULL);
    result &= add(out, REQUEST_ID_FIELD, exchange->id.text);
    result &= add(out, "traceparent", exchange->trace.id[0] != '\0' ? exchange->trace.parent : NULL);
    result &= add(out, MHD_HTTP_HEADER_CONNECTION, closes ? "close" : NULL);
    return result &
           origin_add_fields(out, &exchange->fields.browser, response->allow, exchange->config->cors_allow_origins);
}

/* Gives the response's body to the daemon, without a copy. */
static struct MHD_Response *body_response(struct api_response *response)
{
    struct MHD_Response *out = MHD_create_response_from_buffer(response->length, (void *)response->body,
                                                               response->owned != NULL ? MHD_RESPMEM_MUST_FREE
                                                                                       : MHD_RESPMEM_PERSISTENT);
    if (out != NULL)
        response->owned = NULL;
    return out;
}

enum MHD_Result reply_send(struct exchange *exchange)
{
    struct api_response *response = &exchange->work.response;
    exchange->sends = true;
    if (response->length > EXCHANGE_SENT_AT_ONCE)
        exchange->sent_before = socket_written(exchange->peer->fd);
    connection_set_phase(exchange->peer, CONNECTION_SENDING);
    struct MHD_Response *out = exchange->streaming != NULL ? streaming_response(exchange->streaming)
                                                           : body_response(response);
    if (out == NULL)
        return MHD_NO;
    enum MHD_Result result = add_headers(out, exchange);
    if (result == MHD_YES)
        result = MHD_queue_response(exchange->connection, (unsigned)response->status, out);
    MHD_destroy_response(out);
    return result;
}

/* ---- Problems ---- */

void reply_set_problem(struct exchange *exchange, const struct api_problem *problem)
{
    struct api_response *response = &exchange->work.response;
    api_response_release(response);
    api_answer_problem(exchange->fields.target.path, problem, response);
}

enum MHD_Result reply_send_problem(struct exchange *exchange)
{
    reply_set_problem(exchange, &exchange->problem);
    if (exchange->problem.code == API_UNSUPPORTED_ENCODING)
        api_response_header(&exchange->work.response, MHD_HTTP_HEADER_ACCEPT_ENCODING, ENCODINGS_TAKEN, NULL);
    return reply_send(exchange);
}

enum MHD_Result reply_cut_off(struct exchange *exchange)
{
    reply_set_problem(exchange, &exchange->problem);
    direct_answer(exchange->peer->fd, &exchange->work.response);
    return MHD_NO;
}
