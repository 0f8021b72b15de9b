/* Calls into JSON. */
#ifndef API_REST_WRITE_H
#define API_REST_WRITE_H

#include "call/writer.h"

/* Begins the object with the results of all rows. -1 and *problem if memory is short. */
int encode_open(struct api_call *call, struct writer *writer, struct api_problem *problem);

/* Puts about `most` numbers of it: 1 if there is more, 0 if that was all. -1 and *problem if memory is short. */
int encode_some(struct writer *writer, size_t most, struct api_problem *problem);

#endif
