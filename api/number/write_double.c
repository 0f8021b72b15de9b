/* Writing float64: as write.c, with 128 bits of each power of ten and up to 17 digits. */
#include "number/digits.h"
#include "number/powers.h"
#include "number/shortest.h"
#include "number/write.h"

#include <string.h>

struct decimal {
    uint64_t digits; /* may end in zeros */
    int exponent;
};

/* The power rounded up, where it is not exact. No low part is all ones, so that nothing is carried. */
static struct number_power power_above(int k)
{
    struct number_power power = number_powers[k - NUMBER_MIN_POWER];
    power.low += k < 0 || k > 55;
    return power;
}

/* The high part of power * factor / 2^128, its last bit set if anything was cut off. */
static uint64_t scale_to_odd(struct number_power power, uint64_t factor)
{
    const unsigned __int128 low = (unsigned __int128)power.low * factor;
    const unsigned __int128 product = (unsigned __int128)power.high * factor + (uint64_t)(low >> 64);
    return (uint64_t)(product >> 64) | ((uint64_t)product > 1);
}

/* The shortest decimal of significand * 2^exponent. `closer_below`: the value is a power of two, so that its lower
 * neighbour is at half the distance. */
static struct decimal shortest(uint64_t significand, int exponent, bool closer_below)
{
    const int k = number_floor_log10_of_2_to(exponent, closer_below);
    const int shift = exponent + number_floor_log2_of_10_to(-k) + 1;
    const struct number_power power = power_above(-k);

    /* Four times the value and the ends of its interval, in units of 10^k. */
    const uint64_t lower = scale_to_odd(power, (4 * significand - 2 + closer_below) << shift);
    const uint64_t value = scale_to_odd(power, (4 * significand) << shift);
    const uint64_t upper = scale_to_odd(power, (4 * significand + 2) << shift);
    return (struct decimal){number_shortest(lower, value, upper, significand & 1), k};
}

/* ---- The text ---- */

#define DIGITS 17

/* The digits, with zeros after them up to DIGITS. Returns how many there were. */
static int spread(uint64_t value, char digits[DIGITS])
{
    const uint64_t limit = 10000000000000000; /* 17 digits */
    int count = DIGITS;
    for (; value < limit; count--)
        value *= 10;
    const uint64_t tail = value % limit;
    const uint64_t high = number_spread8((uint32_t)(tail / 100000000)) | NUMBER_ZEROS;
    const uint64_t low = number_spread8((uint32_t)(tail % 100000000)) | NUMBER_ZEROS;
    digits[0] = (char)('0' + value / limit);
    memcpy(digits + 1, &high, 8);
    memcpy(digits + 9, &low, 8);
    return count;
}

static char *write_exponent(char *out, int exponent)
{
    *out++ = 'e';
    if (exponent < 0)
        *out++ = '-';
    return number_write_integer(out, (uint64_t)(exponent < 0 ? -exponent : exponent));
}

static char *write_decimal(char *out, struct decimal decimal)
{
    char digits[DIGITS];
    const int point = spread(decimal.digits, digits) + decimal.exponent; /* the value is 0.DIGITS * 10^point */
    int significant = DIGITS;
    while (significant > 1 && digits[significant - 1] == '0')
        significant--;
    if (point > -5 && point <= 0) {
        memcpy(out, "0.0000", 6);
        memcpy(out + 2 - point, digits, DIGITS);
        return out + 2 - point + significant;
    }
    const int whole = point > 0 && point <= DIGITS ? point : 1;
    memcpy(out, digits, (size_t)whole);
    out[whole] = '.';
    memcpy(out + whole + 1, digits + whole, (size_t)(DIGITS - whole));
    if (significant <= whole)
        out[whole + 1] = '0';
    out += 1 + (significant > whole ? significant : whole + 1);
    return whole == point ? out : write_exponent(out, point - 1);
}

char *number_write_double(char *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint64_t fraction = bits & 0xFFFFFFFFFFFFF, biased = bits >> 52 & 0x7FF;
    if (biased == 0x7FF)
        return number_write_infinite(out, fraction != 0, bits >> 63);
    *out = '-';
    out += bits >> 63;
    if (biased == 0 && fraction == 0) {
        memcpy(out, "0.0", 3);
        return out + 3;
    }
    const uint64_t significand = biased != 0 ? fraction | 1ull << 52 : fraction;
    const int exponent = (int)(biased != 0 ? biased : 1) - 1075;
    if (exponent <= 0 && exponent > -53 && (significand & ((1ull << -exponent) - 1)) == 0)
        return write_decimal(out, (struct decimal){significand >> -exponent, 0});
    return write_decimal(out, shortest(significand, exponent, fraction == 0 && biased > 1));
}
