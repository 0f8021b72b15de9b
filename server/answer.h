/* What a request is answered: at once where that is little, or else by the workers while its connection is suspended.
 * On the thread of the exchange's loop, under its account. */
#ifndef SERVER_ANSWER_H
#define SERVER_ANSWER_H

#include "exchange.h"

/* Why a request is refused that waits, or would wait, for too long. */
#define ANSWER_TOO_LONG "the wait for a worker is too long (--max-wait-ms)"

/* A request whose body is whole. */
enum MHD_Result answer_request(struct exchange *exchange);

/* The response that is ready, or the exchange's problem. */
enum MHD_Result answer_send(struct exchange *exchange);
enum MHD_Result answer_send_problem(struct exchange *exchange);

/* The exchange's problem, past the daemon, which takes no answer while a body comes; the connection ends. */
enum MHD_Result answer_cut_off(struct exchange *exchange);

/* Takes the exchange out of the counts that limit what is streamed. */
void answer_leave_streams(struct exchange *exchange);

#endif
