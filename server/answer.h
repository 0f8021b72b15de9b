/* Makes a request's answer: at once where that is little work, or by the workers while its connection is suspended. On
 * the thread of the exchange's loop, under its account. */
#ifndef SERVER_ANSWER_H
#define SERVER_ANSWER_H

#include "exchange.h"

/* Why a request is refused that waits, or would wait, for too long. */
#define ANSWER_TOO_LONG "the wait for a worker is too long (--max-wait-ms)"

/* Answers a request whose body is complete. */
enum MHD_Result answer_request(struct exchange *exchange);

/* Takes the exchange out of the count of the share, if it is in it. */
void answer_leave(struct exchange *exchange, enum client_share share);

#endif
