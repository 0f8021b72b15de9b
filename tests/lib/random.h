/* A small generator (splitmix64): the same numbers for the same seed. */
#ifndef TESTS_LIB_RANDOM_H
#define TESTS_LIB_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

/* 0 .. limit-1 */
static inline size_t random_below(struct random *random, size_t limit)
{
    return (size_t)((random_next(random) >> 32) * (uint64_t)limit >> 32);
}

/* Once in `n` times. */
static inline int random_once_in(struct random *random, size_t n)
{
    return random_below(random, n) == 0;
}

#endif
