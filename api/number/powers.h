/* Powers of ten with 128 bits, for reading and writing float64. */
#ifndef API_NUMBER_POWERS_H
#define API_NUMBER_POWERS_H

#include <stdint.h>

#define NUMBER_MIN_POWER (-342)
#define NUMBER_MAX_POWER 324

/* high * 2^64 + low, its highest bit set: exact for the powers 0 .. 55, otherwise less than one unit too small. */
struct number_power {
    uint64_t high, low;
};

/* 10^k at [k - NUMBER_MIN_POWER]. */
extern const struct number_power number_powers[];

#endif
