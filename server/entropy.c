#include "entropy.h"

#include <stdlib.h>
#include <sys/random.h>

uint64_t entropy_bits(void)
{
    uint64_t bits;
    /* Up to 256 bytes are returned at once, or the kernel does not support getrandom. */
    if (getrandom(&bits, sizeof bits, 0) != (ssize_t)sizeof bits)
        abort();
    return bits;
}

uint64_t entropy_seed(void)
{
    return entropy_bits() >> 11;
}
