/* The whole server: starts the loops, waits for SIGTERM or SIGINT, drains. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "config.h"

/* Serves until a signal ends it. Returns the exit status of the program: 0 after a drain, 1 if it could not start
 * (after a line on standard error with the reason). */
int server_run(const struct config *config);

#endif
