/* What the process needs before it can serve, and the message if it cannot have that. */
#ifndef SERVER_START_H
#define SERVER_START_H

#include <stddef.h>

/* Opens those of the descriptors 0 to 2 that are closed on /dev/null, or a connection would get the log's descriptor.
 */
void start_open_standard_files(void);

/* Ignores signals that a terminal, a supervisor or an operator may send and that have no meaning here. */
void start_ignore_signals(void);

/* Ends the program with a message if memory is short while libuv starts, where libuv would end it without one. */
void start_check_allocations(void);

/* Starts libuv's pool with this many threads; libuv would create them on first use, and abort if one cannot be created.
 * 0 or a number of errno. */
int start_workers(size_t count);

/* Prints a line on standard error: what failed, why (a number of errno), and if known what to do. Returns -1. */
int start_failed(const char *what, int reason);

/* The same with that to do, from " (" on. */
int start_failed_hint(const char *what, int reason, const char *hint);

#endif
