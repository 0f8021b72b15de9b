/* Answers written directly to a socket: where the daemon cannot send one, before a request or in the middle of a body.
 */
#ifndef SERVER_DIRECT_H
#define SERVER_DIRECT_H

#include "api.h"

/* Writes the answer and ends the sending side. No part of another answer may have been sent. */
void direct_answer(int fd, const struct api_response *response);

/* The same with a problem, in the form of the target of the request; NULL where that is not known. */
void direct_problem(int fd, const char *target, enum api_problem_code code, const char *detail);

#endif
