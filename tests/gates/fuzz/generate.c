#include "gates/fuzz/generate.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct writer {
    struct random *random;
    char *text;
    size_t length;
};

static size_t below(struct writer *writer, size_t limit)
{
    return random_below(writer->random, limit);
}

#define CHOOSE(writer, list) ((list)[below((writer), sizeof(list) / sizeof *(list))])

__attribute__((format(printf, 2, 3))) static void put(struct writer *writer, const char *format, ...)
{
    const size_t left = GENERATE_MAX_BYTES - writer->length;
    va_list arguments;
    va_start(arguments, format);
    const size_t length = (size_t)vsnprintf(writer->text + writer->length, left, format, arguments);
    va_end(arguments);
    writer->length += length < left ? length : left - 1;
}

static void put_space(struct writer *writer)
{
    static const char *const spaces[] = {" ", "\n", "\t", "\r", "  "};
    if (below(writer, 8) == 0)
        put(writer, "%s", CHOOSE(writer, spaces));
}

/* ---- Numbers ---- */

static char digit(struct writer *writer, size_t least)
{
    return (char)('0' + least + below(writer, 10 - least));
}

/* A decimal of random digits, some of them zeros in rows, with or without a point and an exponent. */
static void put_digits(struct writer *writer)
{
    const size_t digits = 1 + below(writer, below(writer, 4) == 0 ? 32 : 10), point = below(writer, digits + 4);
    const bool zeros = below(writer, 4) == 0;
    if (point == 0)
        put(writer, "0.");
    for (size_t i = 0; i < digits; i++) {
        const size_t least = i == 0 && point > 1 && below(writer, 300) > 0;
        put(writer, "%c", zeros && least == 0 && below(writer, 3) > 0 ? '0' : digit(writer, least));
        if (i + 1 == point && i + 1 < digits)
            put(writer, ".");
    }
    if (below(writer, 4) == 0)
        put(writer, "%c%s%zu", "eE"[below(writer, 2)], below(writer, 3) == 0 ? "+" : "-", below(writer, 30));
}

/* Integers around the limits of their type, and spellings with points and exponents. */
static void put_integer(struct writer *writer)
{
    const uint64_t value = random_next(writer->random) >> below(writer, 64);
    switch (below(writer, 6)) {
    case 0:
        put(writer, "%llu.%.*s", (unsigned long long)value, (int)(1 + below(writer, 20)), "00000000000000000000");
        break;
    case 1:
        put(writer, "%zue%zu", below(writer, 100), below(writer, 15));
        break;
    case 2:
        put(writer, "%llu%se-%zu", (unsigned long long)(value >> 12), "0000", below(writer, 5));
        break;
    default:
        put(writer, "%llu", (unsigned long long)(value >> below(writer, 12)));
    }
}

/* Where rounding is hardest: in the middle of two float32, or beside it. */
static void put_midpoint(struct writer *writer)
{
    const uint32_t bits = (uint32_t)random_next(writer->random) % (below(writer, 2) == 0 ? 0x7f7fffff : 0x4b000000);
    float value, above;
    memcpy(&value, &bits, sizeof value);
    above = nextafterf(value, INFINITY);
    double middle = ((double)value + (double)above) / 2;
    if (below(writer, 2) == 0)
        middle = nextafter(middle, below(writer, 2) == 0 ? 0 : INFINITY);
    put(writer, "%.*e", (int)(15 + below(writer, 6)), middle);
}

static void put_double(struct writer *writer)
{
    const uint64_t bits = random_next(writer->random);
    double value;
    memcpy(&value, &bits, sizeof value);
    if (isfinite(value))
        put(writer, "%.*g", (int)(14 + below(writer, 6)), value);
    else
        put(writer, "0");
}

static void put_special(struct writer *writer)
{
    static const char *const specials[] = {
        "0",
        "-0",
        "-0.0",
        "0e5",
        "1e400",
        "-1e400",
        "1e39",
        "3.4028235e38",
        "3.4028236e38",
        "3.4028235677973366e38",
        "1e-400",
        "1e-45",
        "7e-46",
        "1.1754942e-38",
        "16777217",
        "9007199254740991",
        "9007199254740992",
        "9007199254740993",
        "9007199254740991.4",
        "18446744073709551615",
        "18446744073709551616",
        "9223372036854775808",
        "123456789012345678901234567890",
        "0e99999999999",
        "1.00000005960464477539",
        "7.038531e-26",
        "7.0",
        "1e3",
        "0.000000000000000000000000000000000000000000000000001",
        "5e-324",
        "1.7976931348623157e308",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "1e+",
        "--1",
        "0x10",
        "NaN",
        "Infinity",
        "-Infinity",
        "nul",
        "1_0",
    };
    put(writer, "%s", CHOOSE(writer, specials));
}

static void put_number(struct writer *writer)
{
    switch (below(writer, 10)) {
    case 0:
        put_midpoint(writer);
        break;
    case 1:
        put_double(writer);
        break;
    case 2:
        if (below(writer, 20) == 0)
            put_special(writer);
        else
            put(writer, "%zu", below(writer, 1000));
        break;
    case 3:
    case 4:
        put(writer, "%.9g", (double)below(writer, 1000000) / 1e5 - 5);
        break;
    default:
        put(writer, "%s", below(writer, 3) == 0 ? "-" : "");
        put_digits(writer);
    }
}

enum kind { NUMBERS, LIMITED, INTEGERS, BOOLEANS };

/* What stands in place of a number: wherever it is right, seldom where it is not. */
static void put_word(struct writer *writer)
{
    static const char *const words[] = {
        "null", "\"-Infinity\"", "\"\\u002dInfinity\"", "-Infinity", "true", "false", "\"x\"", "{}", "[]"};
    put(writer, "%s", words[below(writer, below(writer, 20) == 0 ? 9 : 4)]);
}

static void put_element(struct writer *writer, enum kind kind)
{
    if (below(writer, kind == NUMBERS ? 20 : 300) == 0) {
        put_word(writer);
        return;
    }
    switch (below(writer, 200) == 0 ? NUMBERS : kind) {
    case NUMBERS:
        put_number(writer);
        break;
    case LIMITED:
        put_digits(writer);
        break;
    case INTEGERS:
        put_integer(writer);
        break;
    case BOOLEANS:
        put(writer, "%s", below(writer, 2) == 0 ? "true" : "false");
        break;
    }
}

/* ---- Arrays and members ---- */

static void put_array(struct writer *writer, size_t rank, const size_t *shape, enum kind kind)
{
    const size_t length = below(writer, 60) == 0 ? below(writer, 4) : *shape;
    put(writer, "[");
    for (size_t i = 0; i < length; i++) {
        put_space(writer);
        if (rank > 1)
            put_array(writer, rank - 1, shape + 1, kind);
        else
            put_element(writer, kind);
        put_space(writer);
        if (i + 1 < length)
            put(writer, below(writer, 3) == 0 ? ", " : ",");
    }
    put(writer, "]");
}

static void put_value(struct writer *writer, enum kind kind)
{
    static const char *const others[] = {"{\"logits\":[1]}", "[[{}]]", "{\"a\":[1,{}]}", "\"\\\"logits\\\":[1]\"",
                                         "\"]}\""};
    const size_t form = below(writer, 12), rank = 1 + below(writer, 20) / 9;
    const size_t shape[] = {1 + below(writer, rank == 1 ? 14 : 3), 1 + below(writer, rank == 2 ? 8 : 3),
                            1 + below(writer, 3)};
    if (form == 0)
        put(writer, "%s", CHOOSE(writer, others));
    else if (form == 1)
        put_element(writer, kind);
    else
        put_array(writer, rank, shape, kind);
}

static void put_member(struct writer *writer, size_t which)
{
    static const struct {
        const char *key;
        enum kind kind;
    } members[] = {{"logits", NUMBERS}, {"tau", LIMITED},  {"wide", NUMBERS},         {"seed", INTEGERS},
                   {"mask", BOOLEANS},  {"x", NUMBERS},    {"log\\u0069ts", NUMBERS}, {"\\u0073eed", INTEGERS},
                   {"y\\\"", NUMBERS},  {"bare", LIMITED}, {"requests", NUMBERS},     {"top", INTEGERS}};
    const size_t count = sizeof members / sizeof *members;
    put(writer, "\"%s\"", members[which % count].key);
    put_space(writer);
    put(writer, ":");
    put_space(writer);
    put_value(writer, members[which % count].kind);
    put_space(writer);
}

/* Different members, but now and then one of them twice. */
static void put_object(struct writer *writer, size_t members)
{
    const size_t first = below(writer, 11), step = below(writer, 40) == 0 ? 0 : 3;
    put(writer, "{");
    put_space(writer);
    for (size_t i = 0; i < members; i++) {
        put_member(writer, first + i * step);
        if (i + 1 < members)
            put(writer, ",");
    }
    put(writer, "}");
}

static void put_requests(struct writer *writer)
{
    const size_t count = 1 + below(writer, 5);
    put(writer, "{\"requests\":[");
    for (size_t i = 0; i < count; i++) {
        put_space(writer);
        put_object(writer, below(writer, 3));
        put_space(writer);
        if (i + 1 < count)
            put(writer, ",");
    }
    put(writer, "]%s}", below(writer, 3) == 0 ? ",\"x\":[{}]" : "");
}

/* ---- Bytes ---- */

static void replace(struct writer *writer, size_t at, size_t removed, const char *piece, size_t length)
{
    const size_t tail = writer->length - at - removed;
    if (at + length + tail > GENERATE_MAX_BYTES)
        return;
    memmove(writer->text + at + length, writer->text + at + removed, tail);
    memcpy(writer->text + at, piece, length);
    writer->length = at + length + tail;
}

static void mutate(struct writer *writer)
{
    static const char *const pieces[] = {"[", "]",   "{",    "}",  ",",    ":",           "\"",        "\\",
                                         "0", "1.5", "e5",   "-",  "null", "\"logits\":", "[[1]]",     "\\u0069",
                                         " ", ".",   ",1.5", "00", "\xff", "true",        "9999999999"};
    if (writer->length == 0)
        return;
    const size_t at = below(writer, writer->length), left = writer->length - at;
    const size_t span = below(writer, left < 6 ? left + 1 : 6);
    const char byte = (char)random_next(writer->random), *piece = CHOOSE(writer, pieces);
    char copy[64];
    const size_t copied = left < sizeof copy ? left : sizeof copy;
    switch (below(writer, 6)) {
    case 0:
        replace(writer, at, 1, &byte, 1);
        break;
    case 1:
        replace(writer, at, span, "", 0);
        break;
    case 2: /* a stretch of the text itself, elsewhere */
        memcpy(copy, writer->text + at, copied);
        replace(writer, below(writer, writer->length), 0, copy, 1 + below(writer, copied));
        break;
    case 3:
        writer->length = at;
        break;
    default:
        replace(writer, at, below(writer, 2), piece, strlen(piece));
    }
}

size_t generate_document(struct random *random, char text[GENERATE_MAX_BYTES])
{
    struct writer writer = {.random = random, .text = text};
    put_space(&writer);
    if (below(&writer, 5) == 0)
        put_requests(&writer);
    else
        put_object(&writer, below(&writer, 5));
    put_space(&writer);
    for (size_t count = below(&writer, 2) * (1 + below(&writer, 3)); count > 0; count--)
        mutate(&writer);
    return writer.length;
}
