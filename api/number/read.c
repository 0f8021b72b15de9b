/* Reading numbers: digits into an integer, one multiplication by a power of ten in double precision, one
 * rounding to float32. Where that rounding could go the other way, and for digits or exponents beyond the
 * table, strtod decides. */
#include "number/read.h"
#include "number/powers.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "eight digits are read as a little-endian number");

#define MIN_POWER (-64)
#define MAX_POWER 38
#define MAX_DIGITS 18                 /* fewer than 2^63 */
#define MAX_EXPONENT 1000000000000000 /* beyond any number of digits that fits in memory */

/* 10^k for k = MIN_POWER .. MAX_POWER, each the nearest double. */
static const double power_of_ten[] = {
    1e-64, 1e-63, 1e-62, 1e-61, 1e-60, 1e-59, 1e-58, 1e-57, 1e-56, 1e-55, 1e-54, 1e-53, 1e-52, 1e-51, 1e-50,
    1e-49, 1e-48, 1e-47, 1e-46, 1e-45, 1e-44, 1e-43, 1e-42, 1e-41, 1e-40, 1e-39, 1e-38, 1e-37, 1e-36, 1e-35,
    1e-34, 1e-33, 1e-32, 1e-31, 1e-30, 1e-29, 1e-28, 1e-27, 1e-26, 1e-25, 1e-24, 1e-23, 1e-22, 1e-21, 1e-20,
    1e-19, 1e-18, 1e-17, 1e-16, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9,  1e-8,  1e-7,  1e-6,  1e-5,
    1e-4,  1e-3,  1e-2,  1e-1,  1e0,   1e1,   1e2,   1e3,   1e4,   1e5,   1e6,   1e7,   1e8,   1e9,   1e10,
    1e11,  1e12,  1e13,  1e14,  1e15,  1e16,  1e17,  1e18,  1e19,  1e20,  1e21,  1e22,  1e23,  1e24,  1e25,
    1e26,  1e27,  1e28,  1e29,  1e30,  1e31,  1e32,  1e33,  1e34,  1e35,  1e36,  1e37,  1e38,
};

/* A number's text taken apart: (-1)^negative * digits * 10^exponent, if digit_count says that no digit was
 * lost. */
struct decimal {
    bool negative;
    uint64_t digits;
    long digit_count; /* significant ones: leading zeros do not count */
    long exponent;
};

#define ZEROS 0x3030303030303030u /* "00000000" */

static inline bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

static inline uint64_t load8(const char *text)
{
    uint64_t bytes;
    memcpy(&bytes, text, sizeof bytes);
    return bytes;
}

/* How many of eight bytes, from the first, are digits. */
static inline int leading_digits(uint64_t bytes)
{
    uint64_t value = bytes ^ ZEROS;
    uint64_t other = ((value + 0x7676767676767676u) | value) & 0x8080808080808080u;
    return other == 0 ? 8 : __builtin_ctzll(other) >> 3;
}

/* The value of eight digits, the first in the lowest byte: pairs, then fours, then all. */
static inline uint64_t eight_digits(uint64_t bytes)
{
    bytes -= ZEROS;
    bytes = bytes * 10 + (bytes >> 8);
    const uint64_t pairs = 0x000000FF000000FFu;
    return (((bytes & pairs) * 0x000F424000000064u + ((bytes >> 16) & pairs) * 0x0000271000000001u) >> 32) &
           0xFFFFFFFFu;
}

static const uint64_t small_power[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};

/* Appends the digits at `text` to number->digits (modulo 2^64: the caller counts them). */
static inline const char *read_digits(const char *text, struct decimal *number)
{
    for (;;) {
        uint64_t bytes = load8(text);
        int count = leading_digits(bytes);
        if (count == 0)
            return text;
        if (count < 8) /* shift zeros in front of them */
            bytes = bytes << (64 - 8 * count) | ZEROS >> (8 * count);
        number->digits = number->digits * small_power[count] + eight_digits(bytes);
        text += count;
        if (count < 8)
            return text;
    }
}

static const char *read_exponent(const char *text, struct decimal *number)
{
    bool negative = *text == '-';
    text += *text == '-' || *text == '+';
    if (!is_digit(*text))
        return NULL;
    long exponent = 0;
    for (; is_digit(*text); text++)
        if (exponent < MAX_EXPONENT)
            exponent = exponent * 10 + (*text - '0');
    number->exponent += negative ? -exponent : exponent;
    return text;
}

/* The grammar: -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)? */
static inline const char *read_decimal(const char *text, struct decimal *number)
{
    *number = (struct decimal){.negative = *text == '-'};
    text += number->negative;
    if (*text == '0') {
        if (is_digit(*++text))
            return NULL;
    } else {
        const char *start = text;
        while (is_digit(*text))
            number->digits = number->digits * 10 + (uint64_t)(*text++ - '0');
        if (text == start)
            return NULL;
        number->digit_count = text - start;
    }
    if (*text == '.') {
        const char *point = ++text;
        if (!is_digit(*text))
            return NULL;
        if (number->digits == 0 && number->digit_count == 0)
            while (*text == '0')
                text++;
        const char *start = text;
        text = read_digits(text, number);
        number->digit_count += text - start;
        number->exponent = -(text - point);
    }
    if ((*text | 0x20) == 'e')
        text = read_exponent(text + 1, number);
    return text;
}

/* Whether rounding a double that is within 4 units of its last place of the exact value gives the float32
 * that rounding the exact value gives: it is well inside the normal range, and not near the middle of two
 * float32, where its low 29 bits are 1 followed by 28 zeros. */
static inline bool rounds_safely(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t low = bits & 0x1FFFFFFF;
    return (value >= 0x1p-126) & (value < 0x1.fffffep127) & (low - (0x10000000 - 8) > 16);
}

static inline double with_sign(double magnitude, bool negative)
{
    uint64_t bits;
    memcpy(&bits, &magnitude, sizeof bits);
    bits |= (uint64_t)negative << 63;
    memcpy(&magnitude, &bits, sizeof bits);
    return magnitude;
}

const char *number_read(const char *text, float *value, enum number_fault *fault)
{
    struct decimal number;
    const char *end = read_decimal(text, &number);
    if (end == NULL) {
        *fault = NUMBER_SYNTAX;
        return NULL;
    }
    if (number.digit_count <= MAX_DIGITS && number.exponent >= MIN_POWER && number.exponent <= MAX_POWER) {
        double magnitude = (double)(int64_t)number.digits * power_of_ten[number.exponent - MIN_POWER];
        if (rounds_safely(magnitude) || number.digits == 0) {
            *value = (float)with_sign(magnitude, number.negative);
            return end;
        }
    }
    *value = (float)strtod(text, NULL);
    *fault = NUMBER_RANGE;
    return isinf(*value) ? NULL : end;
}

/* ---- Rows of float32 ---- */

/* Eight bytes of text, of which the first `count` are digits, as their value: zeros are shifted in before them,
 * in two steps, since one by 64 bits is undefined. */
static inline uint64_t some_digits(uint64_t bytes, int count)
{
    const int half = 4 * (8 - count);
    return eight_digits((bytes ^ ZEROS) << half << half | ZEROS);
}

/* 2^63 / 10^k: a number below that keeps below 2^63 with k more digits. */
static const uint64_t room_for[] = {
    9223372036854775807,
    922337203685477580,
    92233720368547758,
    9223372036854775,
    922337203685477,
    92233720368547,
    9223372036854,
    922337203685,
    92233720368,
    9223372036,
    922337203,
    92233720,
    9223372,
    922337,
    92233,
    9223,
    922,
};

/* The digits after a point, appended to number->digits. How many there are differs from number to number, so
 * that a branch on it would be guessed wrong: two stretches of eight bytes are converted in any case, a third
 * one where the first two are full. NULL where there are none, more than 24, or more than 2^63 takes. */
static inline const char *read_fraction(const char *text, struct decimal *number)
{
    const uint64_t bytes = load8(text), more_bytes = load8(text + 8);
    const int first = leading_digits(bytes), second = first < 8 ? 0 : leading_digits(more_bytes);
    const uint64_t high = number->digits * small_power[first] + some_digits(bytes, first);
    uint64_t digits = high * small_power[second] + some_digits(more_bytes, second);
    int third = 0;
    if (second == 8) {
        const uint64_t last_bytes = load8(text + 16);
        third = leading_digits(last_bytes);
        digits = digits * small_power[third] + some_digits(last_bytes, third);
    }
    if (first == 0 || third == 8 || high >= room_for[second + third])
        return NULL;
    number->digits = digits;
    number->exponent = -(first + second + third);
    return text + first + second + third;
}

/* After an e: a sign and one or two digits, otherwise NULL. Branches, not selections: they are guessed right,
 * and reading goes on without waiting for them. */
static inline const char *read_short_exponent(const char *text, struct decimal *number)
{
    const unsigned first = (unsigned char)(text[1] - '0'), second = (unsigned char)(text[2] - '0');
    const char *end = text + 3;
    long exponent = (long)(first * 10 + second);
    if (second > 9) {
        exponent = (long)first;
        end = text + 2;
    }
    if (first > 9 || is_digit(*end))
        return NULL;
    if (*text == '-')
        number->exponent -= exponent;
    else if (*text == '+')
        number->exponent += exponent;
    else
        return NULL;
    return number->exponent < MIN_POWER || number->exponent > MAX_POWER ? NULL : end;
}

/* Digits before a point that has one more than one: at most nine. */
static inline const char *read_long_whole(const char *text, struct decimal *number)
{
    if (number->digits == 0)
        return NULL;
    for (const char *limit = text + 8; is_digit(*text) && text < limit; text++)
        number->digits = number->digits * 10 + (uint64_t)(*text - '0');
    return *text == '.' ? text : NULL;
}

/* A number in the form that nearly all have, with a point and at most 18 significant digits; NULL for any other
 * one, right or wrong. Reads up to USUAL_BYTES from `text` on. */
static inline const char *read_usual(const char *text, float *value)
{
    struct decimal number;
    number.negative = *text == '-';
    text += number.negative;
    number.digits = (unsigned char)(*text++ - '0');
    if (number.digits > 9)
        return NULL;
    if (*text != '.' && (text = read_long_whole(text, &number)) == NULL)
        return NULL;
    text = read_fraction(text + 1, &number);
    if (text == NULL)
        return NULL;
    if ((*text | 0x20) == 'e' && (text = read_short_exponent(text + 1, &number)) == NULL)
        return NULL;
    const double magnitude = (double)(int64_t)number.digits * power_of_ten[number.exponent - MIN_POWER];
    if (!rounds_safely(magnitude) && number.digits != 0)
        return NULL;
    *value = (float)with_sign(magnitude, number.negative);
    return text;
}

#define USUAL_BYTES 48

const char *number_read_row(const char *text, const char *end, float *values, size_t room, size_t *count)
{
    const char *after = text;
    size_t number = 0;
    while (number < room && end - text >= USUAL_BYTES) {
        const char *next = read_usual(text, &values[number]);
        if (next == NULL)
            break;
        after = next;
        number++;
        if (*next != ',')
            break;
        text = next + 1;
        text += *text == ' ';
    }
    *count = number;
    return after;
}

/* ---- float64 ---- */

/* Digits and power of ten are both exact doubles: one rounding. */
static inline bool is_exact(const struct decimal *number)
{
    return number->digits <= 1ull << 53 && number->exponent >= -22 && number->exponent <= 22;
}

static inline double exact_product(const struct decimal *number)
{
    const double digits = (double)(int64_t)number->digits;
    return number->exponent < 0 ? digits / power_of_ten[-number->exponent - MIN_POWER]
                                : digits * power_of_ten[number->exponent - MIN_POWER];
}

/* The nearest double of digits * 10^exponent, after D. Lemire, "Number parsing at a gigabyte per second" (2021):
 * the digits times 128 bits of the power of ten hold the significand, and what was cut off cannot change its
 * rounding unless all bits after it are ones. False there, in the middle of two doubles, and outside of the
 * normal ones: strtod is to decide. `digits` are not 0. */
static bool nearest_double(uint64_t digits, long exponent, double *value)
{
    if (exponent < -307 || exponent > 308)
        return false;
    const struct number_power *power = &number_powers[exponent - NUMBER_MIN_POWER];
    const int zeros = __builtin_clzll(digits);
    digits <<= zeros;
    const unsigned __int128 low = (unsigned __int128)digits * power->low;
    const unsigned __int128 product = (unsigned __int128)digits * power->high + (uint64_t)(low >> 64);
    const uint64_t high = (uint64_t)(product >> 64), rest = (uint64_t)product;
    const int shift = 9 + (int)(high >> 63); /* leaves 53 bits and one more to round by */
    uint64_t significand = high >> shift;
    if (rest >= UINT64_MAX - 1 || (rest <= 1 && (high & ((1ull << shift) - 1)) == 0))
        return false;
    significand = (significand + 1) >> 1;
    const long scale = ((exponent * 217706) >> 16) + (int)(high >> 63) - zeros + 63;
    uint64_t biased = (uint64_t)(scale + 1023);
    if (significand == 1ull << 53)
        biased++;
    if (scale < -1021 || biased >= 2047)
        return false;
    const uint64_t bits = biased << 52 | (significand & 0xFFFFFFFFFFFFF);
    memcpy(value, &bits, sizeof bits);
    return true;
}

const char *number_read_double(const char *text, double *value, enum number_fault *fault)
{
    struct decimal number;
    const char *end = read_decimal(text, &number);
    if (end == NULL) {
        *fault = NUMBER_SYNTAX;
        return NULL;
    }
    if (number.digit_count <= MAX_DIGITS) {
        double magnitude = 0;
        const bool exact = is_exact(&number);
        if (exact)
            magnitude = exact_product(&number);
        if (exact || number.digits == 0 || nearest_double(number.digits, number.exponent, &magnitude)) {
            *value = with_sign(magnitude, number.negative);
            return end;
        }
    }
    *value = strtod(text, NULL);
    *fault = NUMBER_RANGE;
    return isinf(*value) ? NULL : end;
}

/* ---- Integers ---- */

/* value * 10 + digit; false where that is beyond 64 bits. */
static bool append_digit(uint64_t *value, unsigned digit)
{
    return !__builtin_mul_overflow(*value, (uint64_t)10, value) &&
           !__builtin_add_overflow(*value, (uint64_t)digit, value);
}

/* The number of the digits in text[0 .. length) without the point, if all beyond the first `whole` of them are
 * zeros; `whole` may be negative, or more than there are. 0, or -1 and *fault. */
static int read_whole_digits(const char *text, size_t length, long whole, uint64_t *value, enum number_fault *fault)
{
    bool fits = true;
    *value = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '.')
            continue;
        if (whole-- > 0)
            fits = fits && append_digit(value, (unsigned)(text[i] - '0'));
        else if (text[i] != '0') {
            *fault = NUMBER_FRACTION;
            return -1;
        }
    }
    for (; whole > 0 && fits && *value != 0; whole--)
        fits = append_digit(value, 0);
    *fault = NUMBER_RANGE;
    return fits ? 0 : -1;
}

const char *number_read_uint64(const char *text, uint64_t *value, enum number_fault *fault)
{
    struct decimal number;
    const char *end = read_decimal(text, &number);
    if (end == NULL) {
        *fault = NUMBER_SYNTAX;
        return NULL;
    }
    text += number.negative;
    const size_t length = strspn(text, ".0123456789");
    struct decimal scale = {.exponent = (long)strspn(text, "0123456789")};
    if (text + length != end)
        read_exponent(text + length + 1, &scale);
    if (read_whole_digits(text, length, scale.exponent, value, fault) != 0)
        return NULL;
    *fault = NUMBER_RANGE;
    return number.negative && *value != 0 ? NULL : end;
}
