/* Structured log lines (one JSON object each) on standard error, written by a thread of their own: the threads that
 * serve requests only copy a line into a buffer; if that is full the line is dropped and counted. */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include "record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG, LOG_LEVEL_COUNT };

/* "error", "warning", "info" or "debug". */
const char *log_level_name(enum log_level level);

struct log;

/* Starts the writer. NULL and errno if there is no memory or no thread. log_close writes what is left and frees it. */
struct log *log_open(enum log_level level);
void log_close(struct log *log);

bool log_enabled(const struct log *log, enum log_level level);

/* {"time": ..., "level": ..., "message": ...}; any text is made valid JSON. Thread-safe. */
void log_message(struct log *log, enum log_level level, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same at LOG_INFO, regardless of the level and written immediately: where the server listens. */
void log_announce(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The line of one request, at LOG_INFO. Thread-safe. */
void log_request(struct log *log, const struct record *record);

/* Lines dropped because the buffer was full. */
uint64_t log_dropped(const struct log *log);

#endif
