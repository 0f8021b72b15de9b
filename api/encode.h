/* Calls into JSON. */
#ifndef API_ENCODE_H
#define API_ENCODE_H

#include "text.h"

/* Appends the object with the results of all rows. -1 and *problem if memory is short, with a part of it appended. */
int encode_call(struct api_call *call, struct text *text, struct api_problem *problem);

#endif
