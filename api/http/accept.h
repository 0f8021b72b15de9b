/* Content negotiation: media types of bodies and answers (RFC 9110, 8.3 and 12.5.1). */
#ifndef API_HTTP_ACCEPT_H
#define API_HTTP_ACCEPT_H

#include "api.h"

/* What a call is answered in. */
enum accept_form { ACCEPT_NOTHING, ACCEPT_JSON, ACCEPT_LINES, ACCEPT_NPY };

/* What the client prefers of what the route can answer with; the first named above where it has no preference. */
enum accept_form accept_form(const struct api_request *request);

/* Whether the body of a call is said to be .npy arrays. */
bool accept_npy_body(const struct api_request *request);

/* Whether the route takes the body's media type and the client one that the route can answer with; -1 and *problem
 * otherwise. */
int accept_negotiate(const struct api_request *request, struct api_problem *problem);

#endif
