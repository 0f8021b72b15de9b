/* The table of fronts, and which of them a request's media types choose (RFC 9110, 8.3 and 12.5.1). */
#ifndef API_FRONTS_H
#define API_FRONTS_H

#include "call/front.h"

/* The front that reads the request's body; NULL if the route has none of its Content-Type. */
const struct api_front *front_of_body(const struct api_request *request);

/* -1 and *problem where the body's front or the answer's is NULL. */
int fronts_check(const struct api_job *job, struct api_problem *problem);

#endif
