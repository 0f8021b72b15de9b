/* What the process has to have before it can say that it listens, and what it says where that is refused. */
#ifndef SERVER_START_H
#define SERVER_START_H

#include <stddef.h>

/* Descriptors 0 to 2 that are closed are opened on /dev/null, or a connection would take the log's place. */
void start_open_standard_files(void);

/* Signals that a terminal, a supervisor or a mistaken operator sends, and that mean nothing here, end nothing. */
void start_ignore_signals(void);

/* libuv needs memory while it starts alone, and where there is none it would end the program without a word. */
void start_check_allocations(void);

/* libuv's pool, with so many threads; it would make them when it is first given work, and abort where one is refused. 0
 * or a number of errno. */
int start_workers(size_t count);

/* A line on standard error: what was refused, why (a number of errno), and where that is known what to do. Returns -1.
 */
int start_failed(const char *what, int reason);

#endif
