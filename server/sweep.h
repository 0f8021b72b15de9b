/* Closes connections without progress: a head that does not complete, a body that is sent too slowly, an answer that is
 * read too slowly. */
#ifndef SERVER_SWEEP_H
#define SERVER_SWEEP_H

struct loop;

/* Checks the loop's connections that are due, and closes those that are too slow. To be called periodically. */
void sweep(struct loop *loop);

#endif
