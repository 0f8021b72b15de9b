/* Whoever keeps a connection without making progress is cut off: a head that does not become whole, a body that hardly
 * comes, an answer that is hardly read. */
#ifndef SERVER_SWEEP_H
#define SERVER_SWEEP_H

struct loop;

/* Checks the loop's connections that are due, and cuts off those whose time is over. To be called now and then. */
void sweep(struct loop *loop);

#endif
