#include "reply.h"
#include "request_id.h"

#include <stdio.h>
#include <sys/socket.h>

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

void reply_past_daemon(int fd, const struct api_response *response)
{
    char head[256], retry[32] = "";
    if (response->retry_after > 0)
        snprintf(retry, sizeof retry, "Retry-After: %u\r\n", response->retry_after);
    const int length = snprintf(
        head, sizeof head, "HTTP/1.1 %d %s\r\nConnection: close\r\n%sContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
        response->status, MHD_get_reason_phrase_for((unsigned)response->status), retry, response->media_type,
        response->length);
    struct iovec parts[] = {{head, (size_t)length}, {(void *)response->body, response->length}};
    const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
}

void reply_problem_past_daemon(int fd, enum api_problem_code code, const char *detail)
{
    struct api_problem problem;
    struct api_response response;
    api_fail(&problem, code, "", API_NO_OFFSET, "%s", detail);
    api_answer_problem(&problem, &response);
    reply_past_daemon(fd, &response);
    api_response_release(&response);
}
