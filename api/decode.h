/* JSON into calls. */
#ifndef API_DECODE_H
#define API_DECODE_H

#include "call.h"
#include "json_array.h"

/* How a parameter that is an array, or may be, is read: `numbers` is what logits are. */
struct json_named_array decode_array(const struct api_parameter *parameter, enum json_element numbers);

/* The array that was found as a tensor, which takes its data over. */
struct api_tensor decode_tensor(struct json_named_array *named);

/* Reads the object in `text` into a call of the function, with what else the request says. Pointers and offsets of
 * problems are those of the text. */
int decode_call(const struct json_text *text, const struct api_function *function, const struct api_request *request,
                struct api_call **call, struct api_problem *problem);

/* Frees the body, which nothing is read from any longer, if that is the request's to give. */
void decode_release(const struct api_request *request);

#endif
