/* Seeds for requests that name none. */
#ifndef SERVER_ENTROPY_H
#define SERVER_ENTROPY_H

#include <stdint.h>

/* 0 .. 2^53 - 1 from the system's entropy. Thread-safe. */
uint64_t entropy_seed(void);

#endif
