/* Parameters that are arrays, or may be: how they are read from JSON, and what becomes of them. */
#ifndef API_CALL_ARRAYS_H
#define API_CALL_ARRAYS_H

#include "call/call.h"
#include "json/array.h"

/* How a parameter that is an array, or may be, is read: `numbers` is what logits are. */
struct json_named_array call_array_of(const struct api_parameter *parameter, enum api_dtype numbers);

/* The array that was found as a tensor, which takes its data over. */
struct api_tensor call_tensor_of(struct json_named_array *named);

#endif
