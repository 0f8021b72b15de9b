/* Calls into .npy bodies. */
#ifndef API_NPY_WRITE_H
#define API_NPY_WRITE_H

#include "call.h"

/* As api_encode: one .npy array for each result, one behind the other, and in the response's headers what else a JSON
 * answer says. The first result stays in its memory, which becomes the body: the call is only to be freed afterwards.
 */
int npy_write(struct api_call *call, struct api_response *response, struct api_problem *problem);

#endif
