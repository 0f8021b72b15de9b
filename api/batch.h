/* Several calls in one request. */
#ifndef API_BATCH_H
#define API_BATCH_H

#include "api.h"

/* Answers {"requests": [{"id", "function", "body"}]} with {"responses": [{"id", "status", "body"}]}, in the same order:
 * each body as if the call had been sent alone to its route, a problem document too. -1 and *problem if the batch
 * itself is not what the spec says or exceeds a limit. */
int batch_answer(const struct api_request *request, struct api_response *response, struct api_problem *problem);

#endif
