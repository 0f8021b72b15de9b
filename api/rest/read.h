/* JSON bodies into calls. */
#ifndef API_REST_READ_H
#define API_REST_READ_H

#include "call/call.h"
#include "json/array.h"

/* Reads the object in `text` into a call of the function, with what else the request says. Pointers and offsets of
 * problems are those of the text. */
int rest_read(const struct json_text *text, const struct api_function *function, const struct api_request *request,
              struct api_call **call, struct api_problem *problem);

#endif
