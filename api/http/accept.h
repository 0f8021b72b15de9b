/* Content negotiation: media types of bodies and answers (RFC 9110, 8.3 and 12.5.1). */
#ifndef API_HTTP_ACCEPT_H
#define API_HTTP_ACCEPT_H

#include "api.h"

/* Whether the body of a call is said to be .npy arrays. */
bool accept_npy_body(const struct api_request *request);

/* Whether the route takes the body's media type and the client one that the route can answer with; -1 and *problem
 * otherwise. */
int accept_negotiate(const struct api_request *request, struct api_problem *problem);

#endif
