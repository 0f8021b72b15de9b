#include "direct.h"

#include <microhttpd.h>
#include <stdio.h>
#include <sys/socket.h>

void direct_answer(int fd, const struct api_response *response)
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

void direct_problem(int fd, const char *target, enum api_problem_code code, const char *detail)
{
    struct api_problem problem;
    struct api_response response;
    api_fail(&problem, code, "", API_NO_OFFSET, "%s", detail);
    api_answer_problem(target, &problem, &response);
    direct_answer(fd, &response);
    api_response_release(&response);
}
