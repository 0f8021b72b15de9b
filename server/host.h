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

/* An empty text is valid, as HOST_NONE. False if the text is not a host. */
bool host_read(const char *text, struct host *host);

/* Whether it is HOST_NONE, an address, localhost, or in the list: names separated by commas, where .name and *.name
 * match all subdomains, and * matches all names. */
bool host_is_listed(const struct host *host, const char *list);

/* Whether it is a valid list. */
bool host_list_is_valid(const char *list);

/* Whether an Origin such as http://localhost:8080 is the host itself, by http or https. */
bool host_has_origin(const struct host *host, const char *origin);

#endif
