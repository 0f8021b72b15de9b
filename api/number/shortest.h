/* The shortest decimal of a float, of what both precisions have in common.
 *
 * After R. Giulietti, "The Schubfach way to render doubles" (2020): the interval of decimals that read back as the
 * value is scaled by a power of ten such that it holds at least one and at most a few integers; of those the one that
 * is a multiple of ten wins, else the one nearest to the value. */
#ifndef API_NUMBER_SHORTEST_H
#define API_NUMBER_SHORTEST_H

#include <stdbool.h>
#include <stdint.h>

static inline int number_floor_log10_of_2_to(int e, bool three_quarters)
{
    return (e * 1262611 - (three_quarters ? 524031 : 0)) >> 22; /* for |e| < 1500 */
}

static inline int number_floor_log2_of_10_to(int e)
{
    return (e * 1741647) >> 19; /* for |e| < 1200 */
}

/* The digits chosen, which may end in zeros. `value` and the ends of its interval are scaled, rounded to odd, and four
 * times their values; the ends of an `odd` significand's are not in it, since ties go to even ones. */
static inline uint64_t number_shortest(uint64_t lower, uint64_t value, uint64_t upper, bool odd)
{
    const uint64_t first = lower + odd, last = upper - odd, below = value / 4;
    if (below >= 10) {
        const uint64_t tens = below / 10;
        const bool lower_ten_fits = first <= 40 * tens, upper_ten_fits = 40 * tens + 40 <= last;
        if (lower_ten_fits != upper_ten_fits)
            return 10 * (tens + upper_ten_fits);
    }
    const bool below_fits = first <= 4 * below, above_fits = 4 * below + 4 <= last;
    if (below_fits != above_fits)
        return below + above_fits;
    const uint64_t middle = 4 * below + 2;
    return below + (value > middle || (value == middle && (below & 1)));
}

#endif
