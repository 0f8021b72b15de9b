/* JSON of our own: calls, answers as one document or as lines, and batches. */
#ifndef API_REST_REST_H
#define API_REST_REST_H

#include "call/front.h"
#include "call/query.h"
#include "call/writer.h"
#include "json/text.h"

extern const struct api_front rest_json, rest_lines, rest_batch;

/* Reads the object in `text` into a call of the function, with what else the request says. What the object lacks is in
 * the query, if that is not NULL. Pointers and offsets of problems are those of the text. */
int rest_read(const struct json_text *text, const struct api_function *function, const struct api_request *request,
              struct query *query, struct api_call **call, struct api_problem *problem);

/* Begins the object with the call's results, after call_finish. */
void rest_write_open(struct writer *writer, struct api_call *call);

/* Puts about `most` numbers of it: 1 if there is more, 0 if that was all. -1 and *problem if memory is short. */
int rest_write_some(struct writer *writer, size_t most, struct api_problem *problem);

#endif
