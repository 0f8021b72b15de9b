#include "reply.h"
#include "request_id.h"

#include <stdio.h>

static enum MHD_Result add(struct MHD_Response *out, const char *name, const char *value)
{
    return value != NULL ? MHD_add_response_header(out, name, value) : MHD_YES;
}

/* What the API says of the answer. */
static enum MHD_Result add_headers(struct MHD_Response *out, const struct api_response *response)
{
    char seconds[16] = "";
    if (response->retry_after > 0)
        snprintf(seconds, sizeof seconds, "%u", response->retry_after);
    enum MHD_Result result = add(out, MHD_HTTP_HEADER_CONTENT_TYPE, response->media_type);
    result &= add(out, MHD_HTTP_HEADER_ALLOW, response->allow);
    result &= add(out, MHD_HTTP_HEADER_RETRY_AFTER, seconds[0] != '\0' ? seconds : NULL);
    for (size_t i = 0; i < response->header_count; i++)
        result &= add(out, response->headers[i].name, response->headers[i].value);
    return result;
}

/* What the server says of it. */
static enum MHD_Result add_own_headers(struct MHD_Response *out, const struct reply *reply)
{
    enum MHD_Result result = add(out, MHD_HTTP_HEADER_CONTENT_ENCODING, reply->encoding);
    result &= add(out, MHD_HTTP_HEADER_VARY, reply->varies ? MHD_HTTP_HEADER_ACCEPT_ENCODING : NULL);
    result &= add(out, REQUEST_ID_FIELD, reply->request_id);
    result &= add(out, "traceparent", reply->traceparent);
    result &= add(out, MHD_HTTP_HEADER_CONNECTION, reply->closes ? "close" : NULL);
    result &= origin_add_fields(out, reply->browser, reply->response->allow, reply->cors_allow_origins);
    return result;
}

/* Hands the response's body over to the daemon, without a copy. */
static struct MHD_Response *body_response(struct api_response *response)
{
    struct MHD_Response *out = MHD_create_response_from_buffer(response->length, (void *)response->body,
                                                               response->owned != NULL ? MHD_RESPMEM_MUST_FREE
                                                                                       : MHD_RESPMEM_PERSISTENT);
    if (out != NULL)
        response->owned = NULL;
    return out;
}

enum MHD_Result reply_send(struct MHD_Connection *connection, const struct reply *reply)
{
    struct MHD_Response *out = reply->streaming != NULL ? streaming_response(reply->streaming)
                                                        : body_response(reply->response);
    if (out == NULL)
        return MHD_NO;
    enum MHD_Result result = add_headers(out, reply->response) & add_own_headers(out, reply);
    if (result == MHD_YES)
        result = MHD_queue_response(connection, (unsigned)reply->response->status, out);
    MHD_destroy_response(out);
    return result;
}
