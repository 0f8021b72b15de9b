/* Sends an exchange's answer. On the thread of its loop, under its account. */
#ifndef SERVER_REPLY_H
#define SERVER_REPLY_H

#include "exchange.h"

/* Whether the exchange's answer may be compressed, or has to be. */
struct compression reply_compression(const struct exchange *exchange);

/* Makes the problem the exchange's response. */
void reply_set_problem(struct exchange *exchange, const struct api_problem *problem);

/* Queues the response that is ready, or the exchange's problem. MHD_NO if memory is short. */
enum MHD_Result reply_send(struct exchange *exchange);
enum MHD_Result reply_send_problem(struct exchange *exchange);

/* Writes the exchange's problem to the socket, since the daemon takes no answer while it receives a body; the
 * connection ends. */
enum MHD_Result reply_cut_off(struct exchange *exchange);

#endif
