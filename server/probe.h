/* Routes for monitoring the server. Their answers never wait for the workers. */
#ifndef SERVER_PROBE_H
#define SERVER_PROBE_H

#include "loop.h"

/* Whether it is such a route, or the version's. */
bool probe_serves(const struct api_route *route);

/* Health, metrics and statistics; `model` is the one named in the path, or NULL, as `accept` may be. */
void probe_answer(struct server *server, const struct api_route *route, const struct api_function *model,
                  const char *accept, struct api_response *response);

#endif
