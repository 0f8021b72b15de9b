/* NumPy's format: bodies of .npy arrays, and answers of one .npy array for each result, one after the other. */
#ifndef API_NPY_NPY_H
#define API_NPY_NPY_H

#include "call/front.h"

extern const struct api_front npy_front;

/* The body's arrays and the query's parameters into job->call. The arrays are used where they lie, in the body itself
 * where the request owns it, or else in a copy; narrow floats become float32 and Fortran order C order in a block of
 * their own. */
int npy_read(struct api_job *job);

#endif
