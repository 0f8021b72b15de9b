/* Writing numbers: the shortest decimal between the midpoints to the neighbouring floats. For float32 (see
 * shortest.h). */
#include "number/write.h"
#include "number/digits.h"
#include "number/shortest.h"

#include <string.h>

#define MIN_POWER (-31)

/* The 64 leading bits of 10^k, k = MIN_POWER .. 46, rounded up. */
static const uint64_t power_of_ten[] = {
    0x81ceb32c4b43fcf5, 0xa2425ff75e14fc32, 0xcad2f7f5359a3b3f, 0xfd87b5f28300ca0e, 0x9e74d1b791e07e49,
    0xc612062576589ddb, 0xf79687aed3eec552, 0x9abe14cd44753b53, 0xc16d9a0095928a28, 0xf1c90080baf72cb2,
    0x971da05074da7bef, 0xbce5086492111aeb, 0xec1e4a7db69561a6, 0x9392ee8e921d5d08, 0xb877aa3236a4b44a,
    0xe69594bec44de15c, 0x901d7cf73ab0acda, 0xb424dc35095cd810, 0xe12e13424bb40e14, 0x8cbccc096f5088cc,
    0xafebff0bcb24aaff, 0xdbe6fecebdedd5bf, 0x89705f4136b4a598, 0xabcc77118461cefd, 0xd6bf94d5e57a42bd,
    0x8637bd05af6c69b6, 0xa7c5ac471b478424, 0xd1b71758e219652c, 0x83126e978d4fdf3c, 0xa3d70a3d70a3d70b,
    0xcccccccccccccccd, 0x8000000000000000, 0xa000000000000000, 0xc800000000000000, 0xfa00000000000000,
    0x9c40000000000000, 0xc350000000000000, 0xf424000000000000, 0x9896800000000000, 0xbebc200000000000,
    0xee6b280000000000, 0x9502f90000000000, 0xba43b74000000000, 0xe8d4a51000000000, 0x9184e72a00000000,
    0xb5e620f480000000, 0xe35fa931a0000000, 0x8e1bc9bf04000000, 0xb1a2bc2ec5000000, 0xde0b6b3a76400000,
    0x8ac7230489e80000, 0xad78ebc5ac620000, 0xd8d726b7177a8000, 0x878678326eac9000, 0xa968163f0a57b400,
    0xd3c21bcecceda100, 0x84595161401484a0, 0xa56fa5b99019a5c8, 0xcecb8f27f4200f3a, 0x813f3978f8940985,
    0xa18f07d736b90be6, 0xc9f2c9cd04674edf, 0xfc6f7c4045812297, 0x9dc5ada82b70b59e, 0xc5371912364ce306,
    0xf684df56c3e01bc7, 0x9a130b963a6c115d, 0xc097ce7bc90715b4, 0xf0bdc21abb48db21, 0x96769950b50d88f5,
    0xbc143fa4e250eb32, 0xeb194f8e1ae525fe, 0x92efd1b8d0cf37bf, 0xb7abc627050305ae, 0xe596b7b0c643c71a,
    0x8f7e32ce7bea5c70, 0xb35dbf821ae4f38c, 0xe0352f62a19e306f,
};

/* The high part of power * factor / 2^64, its last bit set if anything was cut off: rounding to odd keeps
 * every later comparison right. */
static inline uint32_t scale_to_odd(uint64_t power, uint32_t factor)
{
    unsigned __int128 product = (unsigned __int128)power * factor;
    uint32_t high = (uint32_t)(product >> 64), below = (uint32_t)(product >> 32);
    return high | (below > 1);
}

struct decimal {
    uint32_t digits; /* may end in zeros */
    int exponent;
};

/* The shortest decimal of significand * 2^exponent. `closer_below`: the value is a power of two, so that its lower
 * neighbour is at half the distance. */
static struct decimal shortest(uint32_t significand, int exponent, bool closer_below)
{
    const int k = number_floor_log10_of_2_to(exponent, closer_below);
    const int shift = exponent + number_floor_log2_of_10_to(-k) + 1;
    const uint64_t power = power_of_ten[-k - MIN_POWER];

    /* Four times the value and the ends of its interval, in units of 10^k. */
    const uint32_t lower = scale_to_odd(power, (4 * significand - 2 + closer_below) << shift);
    const uint32_t value = scale_to_odd(power, (4 * significand) << shift);
    const uint32_t upper = scale_to_odd(power, (4 * significand + 2) << shift);
    return (struct decimal){(uint32_t)number_shortest(lower, value, upper, significand & 1), k};
}

/* The same for a normal float32 that is no power of two, with one multiplication and no branches. Its interval
 * reaches equally far to both sides, between half a unit of 10^k and five of them: so the nearest integer lies
 * in it, and a multiple of ten does if its distance from the value is not greater. Distances have 60 binary
 * places and an error below 2^25 units, since the power is rounded; nothing but ties lies that close to a limit,
 * which was tried for every float32. */
static inline struct decimal shortest_usual(uint32_t significand, int exponent)
{
    const uint64_t one = 1ull << 60, slack = 1 << 25;
    const int k = number_floor_log10_of_2_to(exponent, false);
    const int shift = exponent + number_floor_log2_of_10_to(-k) + 1;
    const uint64_t power = power_of_ten[-k - MIN_POWER];
    const unsigned __int128 product = (unsigned __int128)power * (significand << shift);
    const uint32_t below = (uint32_t)(product >> 64), tens = below / 10 * 10;
    const uint64_t fraction = (uint64_t)product >> 4;

    const uint64_t above_ten = (uint64_t)(below - tens) * one + fraction, below_ten = 10 * one - above_ten;
    /* Ties go to even significands and integers. */
    const uint64_t reach = (power >> (5 - shift)) + (significand & 1 ? -slack : slack);
    const uint32_t upper_ten_fits = below_ten <= reach, ten_fits = (above_ten <= reach) | upper_ten_fits;
    const uint32_t ten = tens + 10 * upper_ten_fits;
    const uint32_t nearest = below + (fraction > one / 2 + (below & 1 ? -slack : slack));
    return (struct decimal){(ten & -ten_fits) | (nearest & (ten_fits - 1)), k};
}

static const uint32_t small_power[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

static inline int digit_count(uint32_t value) /* value > 0 */
{
    int guess = ((32 - __builtin_clz(value)) * 1233) >> 12;
    return guess + (value >= small_power[guess]);
}

/* ---- The text: digits stay in registers until their place is known, since what was just stored in pieces is
 * slow to load whole ---- */

/* Nine digits as characters, the first one and then eight with the first in the lowest byte. */
struct nine {
    char first;
    uint64_t others;
    int significant; /* up to the last one that is not 0; at least 1 */
};

static inline struct nine spread_nine(uint32_t digits)
{
    const uint32_t first = digits / 100000000;
    const uint64_t others = number_spread8(digits - first * 100000000);
    return (struct nine){
        .first = (char)('0' + first),
        .others = others | NUMBER_ZEROS,
        .significant = 9 - number_trailing_zeros(others),
    };
}

/* Not memcpy: its checked form (_FORTIFY_SOURCE) keeps gcc from holding the digits in registers. */
static inline void store8(char *out, uint64_t bytes)
{
    __builtin_memcpy(out, &bytes, 8);
}

#define ZERO_POINT_ZEROS 0x3030303030302e30u /* "0.000000" */

/* The first `whole` digits, a point, and the others, of which at least one stays. */
static inline char *write_pointed(char *out, struct nine digits, int whole)
{
    const uint64_t fraction = digits.others >> 4 * (whole - 1) >> 4 * (whole - 1);
    *out = digits.first;
    store8(out + 1, digits.others);
    out[whole] = '.';
    out[whole + 1] = '0';
    if (whole < 9)
        store8(out + whole + 1, fraction);
    return out + (digits.significant > whole ? digits.significant : whole + 1) + 1;
}

/* "0." and `zeros` zeros before the digits. */
static inline char *write_fraction(char *out, struct nine digits, int zeros)
{
    store8(out, ZERO_POINT_ZEROS);
    out += 2 + zeros;
    *out = digits.first;
    store8(out + 1, digits.others);
    return out + digits.significant;
}

static inline char *write_scientific(char *out, struct nine digits, int exponent)
{
    const unsigned magnitude = (unsigned)(exponent < 0 ? -exponent : exponent), tens = magnitude / 10;
    out[0] = digits.first;
    out[1] = '.';
    store8(out + 2, digits.others);
    out += 1 + (digits.significant > 1 ? digits.significant : 2);
    out[0] = 'e';
    out[1] = '-';
    out += 1 + (exponent < 0);
    *out = (char)('0' + tens);
    out += tens > 0;
    *out = (char)('0' + magnitude - 10 * tens);
    return out + 1;
}

/* A decimal ready to be written: 0.DIGITS * 10^point. */
struct spread {
    struct nine digits;
    int point;
};

static inline struct spread spread(struct decimal decimal, int count)
{
    return (struct spread){spread_nine(decimal.digits * small_power[9 - count]), count + decimal.exponent};
}

static inline char *write_spread(char *out, struct spread decimal)
{
    if (decimal.point > 0 && decimal.point <= 9)
        return write_pointed(out, decimal.digits, decimal.point);
    if (decimal.point > -5 && decimal.point <= 0)
        return write_fraction(out, decimal.digits, -decimal.point);
    return write_scientific(out, decimal.digits, decimal.point - 1);
}

static inline char *write_sign(char *out, uint32_t bits)
{
    *out = '-';
    return out + (bits >> 31);
}

/* ---- All kinds of values ---- */

static inline uint32_t bits_of(float value)
{
    uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* A whole number below 2^24. */
static inline bool is_whole(uint32_t significand, int exponent)
{
    return exponent <= 0 && exponent > -24 && (significand & ((1u << -exponent) - 1)) == 0;
}

#define FRACTION(bits) ((bits)&0x7FFFFF)
#define BIASED(bits) ((bits) >> 23 & 0xFF)
#define HIDDEN_BIT 0x800000u
#define BIAS 150

static inline bool is_usual(uint32_t bits)
{
    return FRACTION(bits) != 0 && BIASED(bits) != 0 && BIASED(bits) != 0xFF &&
           !is_whole(FRACTION(bits) | HIDDEN_BIT, (int)BIASED(bits) - BIAS);
}

/* 2^23 units of 10^k are the least that shortest_usual works with: seven digits. */
static inline struct spread spread_usual(uint32_t bits)
{
    const struct decimal decimal = shortest_usual(FRACTION(bits) | HIDDEN_BIT, (int)BIASED(bits) - BIAS);
    const int missing = (decimal.digits < 10000000) + (decimal.digits < 100000000);
    const uint32_t factor = missing == 0 ? 1 : missing == 1 ? 10 : 100; /* sooner there than from a table */
    return (struct spread){spread_nine(decimal.digits * factor), 9 - missing + decimal.exponent};
}

static char *write_unusual(char *out, uint32_t bits)
{
    const uint32_t fraction = FRACTION(bits), biased = BIASED(bits);
    const uint32_t significand = biased != 0 ? fraction | HIDDEN_BIT : fraction;
    const int exponent = (int)(biased != 0 ? biased : 1) - BIAS;
    if (biased == 0xFF)
        return number_write_infinite(out, fraction != 0, bits >> 31);
    out = write_sign(out, bits);
    if (significand == 0) {
        memcpy(out, "0.0", 3);
        return out + 3;
    }
    const struct decimal decimal = is_whole(significand, exponent)
                                       ? (struct decimal){significand >> -exponent, 0}
                                       : shortest(significand, exponent, fraction == 0 && biased > 1);
    return write_spread(out, spread(decimal, digit_count(decimal.digits)));
}

char *number_write(char *out, float value)
{
    const uint32_t bits = bits_of(value);
    return is_usual(bits) ? write_spread(write_sign(out, bits), spread_usual(bits)) : write_unusual(out, bits);
}

/* Numbers are spread before the first of them is written: what is known without its place need not wait for the
 * ones before it. */
#define BLOCK 8

#define UNUSUAL 1000 /* in place of the point's position */

static inline char *write_block(char *out, const float *values)
{
    struct spread decimals[BLOCK];
    for (int i = 0; i < BLOCK; i++) {
        const uint32_t bits = bits_of(values[i]);
        if (is_usual(bits))
            decimals[i] = spread_usual(bits);
        else
            decimals[i].point = UNUSUAL;
    }
    for (int i = 0; i < BLOCK; i++) {
        const uint32_t bits = bits_of(values[i]);
        out = decimals[i].point == UNUSUAL ? write_unusual(out, bits)
                                           : write_spread(write_sign(out, bits), decimals[i]);
        *out++ = ',';
    }
    return out;
}

char *number_write_row(char *out, const float *values, size_t count)
{
    size_t done = 0;
    for (; done + BLOCK <= count; done += BLOCK)
        out = write_block(out, values + done);
    for (; done < count; done++) {
        out = number_write(out, values[done]);
        *out++ = ',';
    }
    return count > 0 ? out - 1 : out;
}

char *number_write_infinite(char *out, bool nan, bool negative)
{
    const char *text = nan ? "\"NaN\"" : negative ? "\"-Infinity\"" : "\"Infinity\"";
    const size_t length = strlen(text);
    memcpy(out, text, length);
    return out + length;
}

char *number_write_integer(char *out, uint64_t value)
{
    char digits[20];
    int count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count > 0)
        *out++ = digits[--count];
    return out;
}
