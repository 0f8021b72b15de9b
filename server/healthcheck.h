/* The client for a container's HEALTHCHECK: the image needs no shell or curl. */
#ifndef SERVER_HEALTHCHECK_H
#define SERVER_HEALTHCHECK_H

#include "address.h"

/* Whether the server at `address` answers GET /livez with 200 within two seconds; prints on standard error why not. Of
 * a wildcard address the loopback is asked. */
bool healthcheck(const struct address *address);

#endif
