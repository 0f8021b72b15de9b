#include "refusal.h"
#include "connection.h"
#include "direct.h"

#include <stdio.h>
#include <string.h>

/* ---- 0.9.75 answers twice: after refusing a complete head (its Content-Length is not a number, or its cookies do not
 * fit), it sends the answer's head a second time ---- */

static bool has_info(const struct connection *connection, enum MHD_ConnectionInfoType what)
{
    return MHD_get_connection_info(connection->daemon_side, what) != NULL;
}

/* The connection whose head is complete, has not been handled, and has no answer yet: there is at most one, usually the
 * last. */
static struct connection *find_complete_head(struct loop *loop)
{
    struct connection *connection = TAILQ_LAST(&loop->connections.heads, connection_list);
    while (connection != NULL && (!has_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE) ||
                                  has_info(connection, MHD_CONNECTION_INFO_HTTP_STATUS)))
        connection = TAILQ_PREV(connection, connection_list, in_heads);
    return connection;
}

static void describe(unsigned status, struct api_problem *problem)
{
    switch (status) {
    case MHD_HTTP_CONTENT_TOO_LARGE:
        api_fail(problem, API_BODY_TOO_LARGE, "", API_NO_OFFSET,
                 "Content-Length is beyond any body's; --max-body-bytes sets how many bytes there may be");
        break;
    case MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE:
        api_fail(problem, API_HEAD_TOO_LARGE, "", API_NO_OFFSET, "the request's head has too many cookies");
        break;
    default:
        api_fail(problem, API_MALFORMED_REQUEST, "", API_NO_OFFSET, "Content-Length is not a decimal number");
    }
}

/* Answers in place of the daemon, which then finds the socket shut down. */
static void answer_once(struct connection *connection, unsigned status)
{
    struct api_problem problem;
    struct api_response response;
    describe(status, &problem);
    api_answer_problem(connection->target.text, &problem, &response);
    connection->reason = CLOSED_MALFORMED;
    direct_answer(connection->fd, &response);
    api_response_release(&response);
}

/* ---- Its messages ---- */

static void count_refusal(struct loop *loop, unsigned status)
{
    log_message(loop->server->log, LOG_INFO, "libmicrohttpd refused a request by itself, with status %u", status);
    metrics_count(loop->server->metrics, METRIC_LIBRARY_REFUSALS, metrics_library_status(status));
    struct connection *connection = loop_has_mhd_0_9() ? find_complete_head(loop) : NULL;
    if (connection != NULL)
        answer_once(connection, status);
}

void refusal_log(void *closure, const char *format, va_list arguments)
{
    static const char refusing[] = "Error processing request (HTTP response code is %u";
    struct loop *loop = closure;
    char message[256];
    va_list status;
    va_copy(status, arguments);
    vsnprintf(message, sizeof message, format, arguments);
    log_message(loop->server->log, LOG_DEBUG, "libmicrohttpd: %s", message);
    if (strncmp(format, refusing, strlen(refusing)) == 0)
        count_refusal(loop, va_arg(status, unsigned));
    va_end(status);
}
