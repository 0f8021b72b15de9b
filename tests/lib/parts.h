/* Answers made by jobs, part by part. */
#ifndef TESTS_LIB_PARTS_H
#define TESTS_LIB_PARTS_H

#include "api.h"

enum parts_order { PARTS_REVERSED, PARTS_SHUFFLED, PARTS_ON_THREADS, PARTS_ORDERS };

/* Answers the request as a job whose parts are of about `numbers`, those of a stage in the given order; returns how
 * many parts there were. */
size_t parts_answer(const struct api_request *request, size_t numbers, enum parts_order order,
                    struct api_response *response);

/* Requires that the request, whose body is still there, is answered with the same response as a job of parts, to the
 * byte, whatever the parts are. */
void parts_check(const struct api_request *request, const struct api_response *whole);

#endif
