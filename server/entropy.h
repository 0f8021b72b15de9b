/* The system's entropy: seeds for requests without one, ids. */
#ifndef SERVER_ENTROPY_H
#define SERVER_ENTROPY_H

#include <stdint.h>

/* 64 bits. Thread-safe, as is entropy_seed. */
uint64_t entropy_bits(void);

/* 0 .. 2^53 - 1. */
uint64_t entropy_seed(void);

#endif
