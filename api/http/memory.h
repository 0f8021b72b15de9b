/* What api.h does not say of memory. */
#ifndef API_HTTP_MEMORY_H
#define API_HTTP_MEMORY_H

#include <stddef.h>

struct api_problem;
struct api_request;

/* How many allocations have been refused on this thread so far. */
size_t memory_refusals(void);

/* What has been done since there were that many refusals, and its result: -1 and API_OUT_OF_MEMORY where something was
 * refused in between, whatever the result. So nothing is answered that lacks a parameter, and no client blamed for what
 * was lost, also where nobody looked at a returned NULL. */
int memory_verdict(int result, size_t refusals, struct api_problem *problem);

/* Frees the body, which nothing is read from any longer, if that is the request's to give. */
void memory_release_body(const struct api_request *request);

#endif
