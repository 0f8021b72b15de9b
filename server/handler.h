/* Receives requests from the daemon and completes them: the states of an exchange. */
#ifndef SERVER_HANDLER_H
#define SERVER_HANDLER_H

#include <microhttpd.h>

/* MHD_AccessHandlerCallback with a loop as its closure. */
enum MHD_Result handler_request(void *loop, struct MHD_Connection *connection, const char *url, const char *method,
                                const char *version, const char *data, size_t *data_length, void **exchange);

/* MHD_RequestCompletedCallback with a loop as its closure. */
void handler_completed(void *loop, struct MHD_Connection *connection, void **exchange,
                       enum MHD_RequestTerminationCode reason);

#endif
