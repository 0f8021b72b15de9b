/* .npy bodies into calls. */
#ifndef API_NPY_READ_H
#define API_NPY_READ_H

#include "call/call.h"

/* The body's arrays and the query's parameters into a call. The arrays are used where they lie, in the body itself
 * where the request owns it, or else in a copy; half floats become float32. */
int npy_read(const struct api_request *request, struct api_call **call, struct api_problem *problem);

#endif
