/* host[:port], as in a Host field (RFC 3986, 3.2.2 and 3.2.3), and lists of such. */
#ifndef SERVER_HOST_H
#define SERVER_HOST_H

#include <stdbool.h>
#include <stddef.h>

struct host {
    enum { HOST_NONE, HOST_ADDRESS, HOST_NAME } kind;
    const char *text; /* in what was read, an IPv6 address in its brackets */
    size_t length;
    unsigned port; /* 0 where none was given */
};

/* Nothing at all is valid, and HOST_NONE. False if it is no host. */
bool host_read(const char *text, struct host *host);

/* Whether it is nothing, an address, localhost, or in the list: names separated by commas, of which .name and *.name
 * stand for all below it, and * for all there are. */
bool host_is_listed(const struct host *host, const char *list);

/* Whether such a list may be configured. */
bool host_list_is_valid(const char *list);

/* Whether an Origin such as http://localhost:8080 is that of the host itself, by http or https. */
bool host_has_origin(const struct host *host, const char *origin);

#endif
