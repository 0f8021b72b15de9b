#include "healthcheck.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { TIMEOUT_S = 2, FAILED = -1, NOT_HTTP = 0 };

/* Reads "HTTP/1.1 200 " and no further. */
static int read_status(int fd)
{
    char line[sizeof "HTTP/1.1 200 "] = "";
    int status;
    const ssize_t length = recv(fd, line, sizeof line - 1, MSG_WAITALL);
    if (length < 0)
        return FAILED;
    return sscanf(line, "HTTP/1.%*1d %3d ", &status) == 1 ? status : NOT_HTTP;
}

/* The answer's status; FAILED and errno, or NOT_HTTP. */
static int ask(int fd, const struct address *address)
{
    static const char request[] = "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    const struct timeval timeout = {.tv_sec = TIMEOUT_S};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) != 0 ||
        connect(fd, (const struct sockaddr *)&address->storage, address->length) != 0 ||
        send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0)
        return FAILED;
    return read_status(fd);
}

static bool is_timeout(int reason)
{
    return reason == EAGAIN || reason == EINPROGRESS;
}

#define WHERE                                                                                                          \
    " (asked where --admin-listen says, or else --listen: give them, or GUMBELD_ADMIN_LISTEN and GUMBELD_LISTEN, as "  \
    "the server has them)\n"

static void print_failure(const struct address *address, int status, int reason)
{
    char where[160];
    address_format(address, where, sizeof where);
    fprintf(stderr, "gumbeld: --healthcheck: %s: GET /livez: ", where);
    if (status > 0)
        fprintf(stderr, "answered with status %d" WHERE, status);
    else if (status == NOT_HTTP)
        fprintf(stderr, "the answer is not HTTP" WHERE);
    else if (is_timeout(reason))
        fprintf(stderr, "no answer within %d seconds (the server hangs or is stopped, or another program listens)\n",
                TIMEOUT_S);
    else
        fprintf(stderr, "%s" WHERE, strerror(reason));
}

bool healthcheck(const struct address *address)
{
    struct address target = *address;
    if (address_is_any(&target))
        address_set_loopback(&target);
    int fd = socket(target.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int status = fd >= 0 ? ask(fd, &target) : FAILED;
    if (status != 200)
        print_failure(&target, status, errno);
    if (fd >= 0)
        close(fd);
    return status == 200;
}
