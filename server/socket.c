#include "socket.h"

#include <linux/sockios.h>
#include <linux/tcp.h> /* which has more of struct tcp_info than <netinet/tcp.h> */
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* TCP_CLOSE and so on of <netinet/tcp.h>, which conflicts with <linux/tcp.h>. */
enum { CLOSE = 7, CLOSE_WAIT = 8, LAST_ACK = 9 };

bool socket_has_input(int fd)
{
    int bytes = 0;
    return ioctl(fd, SIOCINQ, &bytes) == 0 && bytes > 0;
}

bool socket_tcp(int fd, struct socket_tcp *tcp)
{
    struct tcp_info info;
    socklen_t length = sizeof info;
    memset(&info, 0, sizeof info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0)
        return false;
    *tcp = (struct socket_tcp){
        .received = info.tcpi_bytes_received,
        .acknowledged = info.tcpi_bytes_acked,
        .silent_ms = info.tcpi_last_data_recv,
        .has_unsent = info.tcpi_unacked > 0 || info.tcpi_notsent_bytes > 0,
        .peer_has_closed = info.tcpi_state == CLOSE || info.tcpi_state == CLOSE_WAIT || info.tcpi_state == LAST_ACK,
    };
    return true;
}

uint64_t socket_unread(int fd)
{
    int bytes = 0;
    return ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? (uint64_t)bytes : 0;
}

uint64_t socket_acknowledged(int fd)
{
    struct socket_tcp tcp;
    return socket_tcp(fd, &tcp) ? tcp.acknowledged : 0;
}

uint64_t socket_written(int fd)
{
    const uint64_t acknowledged = socket_acknowledged(fd);
    return acknowledged > 0 ? acknowledged + socket_unread(fd) : 0;
}
