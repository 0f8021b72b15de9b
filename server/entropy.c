#include "entropy.h"
#include "start.h"

#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

uint64_t entropy_bits(void)
{
    uint64_t bits;
    /* Up to 256 bytes are returned at once, or the kernel does not support getrandom, which the start finds out. */
    if (getrandom(&bits, sizeof bits, 0) != (ssize_t)sizeof bits) {
        start_failed("getrandom", errno);
        _exit(1);
    }
    return bits;
}

uint64_t entropy_seed(void)
{
    return entropy_bits() >> 11;
}
