/* Answers written directly to a socket: where the daemon takes none, before a request or in the middle of a body. */
#ifndef SERVER_DIRECT_H
#define SERVER_DIRECT_H

#include "api.h"

/* Writes the answer and ends the sending side. No part of another answer may have been sent. */
void direct_answer(int fd, const struct api_response *response);

/* The same with a problem. */
void direct_problem(int fd, enum api_problem_code code, const char *detail);

#endif
