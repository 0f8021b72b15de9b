/* Content negotiation: media types of bodies and answers (RFC 9110, 8.3 and 12.5.1). */
#ifndef API_ACCEPT_H
#define API_ACCEPT_H

#include "api.h"

/* Whether the route takes the body's media type and the client one that the route can answer with; -1 and *problem
 * otherwise. */
int accept_negotiate(const struct api_request *request, struct api_problem *problem);

#endif
