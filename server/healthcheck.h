/* The client that a container's HEALTHCHECK runs: no shell or curl is needed in the image. */
#ifndef SERVER_HEALTHCHECK_H
#define SERVER_HEALTHCHECK_H

#include "address.h"

/* Whether the server at `address` answers GET /livez with 200 within two seconds; says on standard error why not. An
 * address that stands for all of the machine's is asked on loopback. */
bool healthcheck(const struct address *address);

#endif
