/* Requests that libmicrohttpd refuses itself, before they reach the handler. It reports them in its messages only. */
#ifndef SERVER_REFUSAL_H
#define SERVER_REFUSAL_H

#include <stdarg.h>

/* MHD_OPTION_EXTERNAL_LOGGER, with the loop as its closure: logs its messages, and counts those that are refusals. */
void refusal_log(void *loop, const char *format, va_list arguments);

#endif
