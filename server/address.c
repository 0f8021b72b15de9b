#include "address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* getaddrinfo would take ports modulo 2^16. */
static bool is_port(const char *text)
{
    const size_t digits = strspn(text, "0123456789");
    return digits >= 1 && digits <= 5 && text[digits] == '\0' && atoi(text) <= 65535;
}

bool address_parse(const char *text, struct address *address)
{
    char host[256];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || !is_port(colon + 1) || (size_t)(colon - text) >= sizeof host)
        return false;
    size_t length = (size_t)(colon - text);
    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
        text++;
        length -= 2;
    } else if (memchr(text, ':', length) != NULL) {
        return false;
    }
    memcpy(host, text, length);
    host[length] = '\0';

    struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
    };
    struct addrinfo *found;
    if (strcmp(host, "localhost") == 0) /* a bare system may have no file that says so */
        strcpy(host, "127.0.0.1");
    if (length == 0 || getaddrinfo(host, colon + 1, &hints, &found) != 0)
        return false;
    memcpy(&address->storage, found->ai_addr, found->ai_addrlen);
    address->length = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

bool address_of_socket(int socket, struct address *address)
{
    address->length = sizeof address->storage;
    return getsockname(socket, (struct sockaddr *)&address->storage, &address->length) == 0;
}

static in_port_t *port_of(struct address *address)
{
    if (address->storage.ss_family == AF_INET6)
        return &((struct sockaddr_in6 *)&address->storage)->sin6_port;
    return &((struct sockaddr_in *)&address->storage)->sin_port;
}

unsigned address_port(const struct address *address)
{
    return ntohs(*port_of((struct address *)address));
}

void address_set_port(struct address *address, unsigned port)
{
    *port_of(address) = htons((uint16_t)port);
}

void address_format(const struct address *address, char *text, size_t size)
{
    const bool v6 = address->storage.ss_family == AF_INET6;
    const void *raw = v6 ? (const void *)&((const struct sockaddr_in6 *)&address->storage)->sin6_addr
                         : (const void *)&((const struct sockaddr_in *)&address->storage)->sin_addr;
    char host[INET6_ADDRSTRLEN] = "";
    inet_ntop(address->storage.ss_family, raw, host, sizeof host);
    snprintf(text, size, v6 ? "[%s]:%u" : "%s:%u", host, address_port(address));
}

bool address_is_any(const struct address *address)
{
    if (address->storage.ss_family == AF_INET6)
        return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)&address->storage)->sin6_addr);
    return ((const struct sockaddr_in *)&address->storage)->sin_addr.s_addr == htonl(INADDR_ANY);
}

void address_set_loopback(struct address *address)
{
    if (address->storage.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&address->storage)->sin6_addr = in6addr_loopback;
    else
        ((struct sockaddr_in *)&address->storage)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}
