/* Where to listen: "ADDRESS:PORT", an IPv6 address in brackets. */
#ifndef SERVER_ADDRESS_H
#define SERVER_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

struct address {
    struct sockaddr_storage storage;
    socklen_t length;
};

/* Reads "127.0.0.1:8080", "[::1]:8080" or "localhost:0". False if it does not resolve. */
bool address_parse(const char *text, struct address *address);

/* The address that a socket is bound to. False if there is none. */
bool address_of_socket(int socket, struct address *address);

/* Writes "127.0.0.1:8080" or "[::1]:8080", cut to `size` bytes. */
void address_format(const struct address *address, char *text, size_t size);

/* The port, and setting it. */
unsigned address_port(const struct address *address);
void address_set_port(struct address *address, unsigned port);

/* Whether it stands for all of the machine's addresses; address_set_loopback makes it the one of loopback. */
bool address_is_any(const struct address *address);
void address_set_loopback(struct address *address);

#endif
