/* One request and its answer: the daemon's callbacks. `loop` is the loop on whose thread they run. */
#ifndef SERVER_EXCHANGE_H
#define SERVER_EXCHANGE_H

#include <microhttpd.h>

struct loop;

/* MHD_AccessHandlerCallback with `loop` as its closure. */
enum MHD_Result exchange_handle(void *loop, struct MHD_Connection *connection, const char *url, const char *method,
                                const char *version, const char *data, size_t *data_length, void **exchange);

/* MHD_RequestCompletedCallback with `loop` as its closure. */
void exchange_completed(void *loop, struct MHD_Connection *connection, void **exchange,
                        enum MHD_RequestTerminationCode reason);

#endif
