/* Numbers to and from memory: the reader against strtod, the writer against reading back and printf. */
#include "lib/random.h"
#include "lib/suite.h"
#include "number/read.h"
#include "number/write.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Reads `text` with what must follow it in a body; returns what number_read does. */
static const char *read_text(const char *text, float *value, enum number_fault *fault)
{
    static char body[4096];
    const size_t length = strlen(text);
    ck_assert_uint_lt(length, sizeof body - 9);
    memset(body, 0, sizeof body);
    memcpy(body, text, length);
    body[length] = ',';
    const char *end = number_read(body, value, fault);
    return end == NULL ? NULL : text + (end - body);
}

static void assert_reads_like_strtod(const char *text)
{
    float value;
    enum number_fault fault;
    const char *end = read_text(text, &value, &fault);
    ck_assert_msg(end == text + strlen(text), "%s was not read whole", text);
    const float expected = (float)strtod(text, NULL);
    ck_assert_msg(bits_of(value) == bits_of(expected), "%s: %.9g instead of %.9g", text, value, expected);
}

START_TEST(reads_what_strtod_reads)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "-0.0",
        "0e5",
        "0.000",
        "-0e-999999999999999999999",
        "0e99999999999999999999",
        "1",
        "-1",
        "12345678",
        "123456789012345678",
        "1234567890123456789",
        "123456789012345678901234567890",
        "16777216",
        "16777217",
        "16777219",
        "9007199254740993",
        "9223372036854775808",
        "0.1",
        "0.2",
        "0.30000001192092896",
        "1.00000005960464477539",
        "1.000000059604644775390625",
        "1.0000000596046447753906251",
        "1e-400",
        "-1e-400",
        "1e-45",
        "7e-46",
        "7.006492321624085e-46",
        "7.0064923216240854e-46",
        "8e-46",
        "1.1754942e-38",
        "1.17549435e-38",
        "3.4028235e38",
        "3.4028235677973362e38",
        "7.038531e-26",
        "1e10",
        "1E+10",
        "1e-10",
        "1.5e3",
        "0.000000000000000000000000000000000000000000001",
        "100000000000000000000000000000000000000",
        "0.00000000000000000000000000000000000000000000000000000000000000000000000000000000000000001e60",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_reads_like_strtod(texts[i]);
}
END_TEST

START_TEST(reads_random_decimals_like_strtod)
{
    unsigned state = 1;
    for (int i = 0; i < 400000; i++) {
        char text[64];
        const int digits = 1 + rand_r(&state) % 22;
        int used = 0;
        if (rand_r(&state) % 2)
            text[used++] = '-';
        text[used++] = (char)('1' + rand_r(&state) % 9);
        const int point = rand_r(&state) % (digits + 1);
        for (int d = 0; d < digits; d++) {
            if (d == point)
                text[used++] = '.';
            text[used++] = (char)('0' + rand_r(&state) % 10);
        }
        text[used] = '\0';
        if (rand_r(&state) % 3 == 0)
            snprintf(text + used, sizeof text - (size_t)used, "e%d", rand_r(&state) % 60 - 40);
        if (fabs(strtod(text, NULL)) < FLT_MAX)
            assert_reads_like_strtod(text);
    }
}
END_TEST

/* The exact middle between two floats, and the doubles beside it: where rounding is hardest. */
START_TEST(reads_midpoints_like_strtod)
{
    unsigned state = 2;
    for (int i = 0; i < 50000; i++) {
        const uint32_t bits = ((uint32_t)rand_r(&state) << 12 ^ (uint32_t)rand_r(&state)) % 0x7f700000;
        const double middle = ((double)float_of(bits) + (double)float_of(bits + 1)) / 2;
        const double near[] = {middle, nextafter(middle, 0), nextafter(middle, INFINITY)};
        for (int k = 0; k < 3; k++)
            for (int precision = 15; precision <= 18; precision++) {
                char text[64];
                snprintf(text, sizeof text, "%.*e", precision, near[k]);
                assert_reads_like_strtod(text);
            }
    }
}
END_TEST

START_TEST(refuses_what_is_no_number)
{
    static const char *const texts[] = {"",    "-",        "+1",        ".5",  "1.",  "1.e5", "01",
                                        "-01", "00",       "1e",        "1e+", "1e-", "--1",  "NaN",
                                        "nan", "Infinity", "-Infinity", "inf", "e5",  "x",    "null"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        float value;
        enum number_fault fault;
        ck_assert_msg(read_text(texts[i], &value, &fault) == NULL, "'%s' was read", texts[i]);
        ck_assert_int_eq(fault, NUMBER_SYNTAX);
    }
}
END_TEST

START_TEST(stops_where_the_number_ends)
{
    static const struct {
        const char *text;
        size_t length;
    } cases[] = {{"0x10", 1}, {"1_0", 1}, {"1 2", 1}, {"1.5.2", 3}, {"1e5e5", 3}, {"12]", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float value;
        enum number_fault fault;
        ck_assert_ptr_eq(read_text(cases[i].text, &value, &fault), cases[i].text + cases[i].length);
    }
}
END_TEST

START_TEST(refuses_what_float32_cannot_hold)
{
    static const char *const texts[] = {"1e39",
                                        "-1e39",
                                        "1e400",
                                        "-1e400",
                                        "3.4028236e38",
                                        "1e99999999999999999999",
                                        "3.4028235677973366e38",
                                        "1000000000000000000000000000000000000000"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        float value;
        enum number_fault fault;
        ck_assert_msg(read_text(texts[i], &value, &fault) == NULL, "'%s' was read", texts[i]);
        ck_assert_int_eq(fault, NUMBER_RANGE);
    }
}
END_TEST

START_TEST(reads_a_number_of_a_million_digits)
{
    const size_t length = 1000000;
    char *text = malloc(length + 16);
    float value;
    enum number_fault fault;
    memset(text, '3', length);
    memset(text + length, 0, 16);
    memcpy(text, "0.", 2);
    ck_assert_ptr_eq(number_read(text, &value, &fault), text + length);
    ck_assert(value == 0.33333334f);
    free(text);
}
END_TEST

/* ---- float64 and integers ---- */

static void assert_double_reads_like_strtod(const char *text)
{
    char body[128] = {0};
    double value = 0;
    enum number_fault fault;
    const double expected = strtod(text, NULL);
    snprintf(body, sizeof body - 9, "%s,", text);
    const char *end = number_read_double(body, &value, &fault);
    if (isinf(expected)) {
        ck_assert_msg(end == NULL && fault == NUMBER_RANGE, "%s", text);
        return;
    }
    ck_assert_msg(end == body + strlen(text) && memcmp(&value, &expected, sizeof value) == 0, "%s: %.17g", text, value);
}

static double random_double(struct random *random)
{
    const uint64_t bits = random_next(random);
    double value;
    memcpy(&value, &bits, sizeof value);
    return isfinite(value) ? value : 0;
}

START_TEST(reads_doubles_like_strtod)
{
    struct random random = {1};
    static const char *const texts[] = {"0",       "-0.0",   "1e308",  "1.7976931348623159e308", "1e309",
                                        "5e-324",  "2e-324", "-1e400", "9007199254740993",       "8.5e22",
                                        "1e23",    "1e-22",  "0.1",    "123456789012345678",     "9223372036854775807",
                                        "4.5e-309"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_double_reads_like_strtod(texts[i]);
    for (int i = 0; i < 200000; i++) {
        char text[64];
        snprintf(text, sizeof text, "%.*e", (int)(10 + random_below(&random, 10)), random_double(&random));
        assert_double_reads_like_strtod(text);
        snprintf(text, sizeof text, "%llue%d", (unsigned long long)(random_next(&random) >> random_below(&random, 60)),
                 (int)random_below(&random, 640) - 330);
        assert_double_reads_like_strtod(text);
    }
}
END_TEST

/* The row's way against one number at a time: the same numbers, or an earlier end. */
START_TEST(reads_rows_like_single_numbers)
{
    struct random random = {2};
    for (int i = 0; i < 200000; i++) {
        char text[160] = {0};
        float row = 0, single = 0;
        size_t count;
        enum number_fault fault;
        const double value = (double)(random_next(&random) >> 11) * 0x1p-53 * 10 - 5;
        const int digits = (int)random_below(&random, 26);
        snprintf(text, 80, random_below(&random, 3) == 0 ? "%.*e," : "%.*f,", digits,
                 random_below(&random, 2) == 0 ? value : value * 1e-5);
        const char *end = number_read_row(text, text + 80, &row, 1, &count);
        if (count == 0)
            continue;
        ck_assert_ptr_eq(end, number_read(text, &single, &fault));
        ck_assert_msg(bits_of(row) == bits_of(single), "%s", text);
    }
}
END_TEST

/* ---- Writing ---- */

static size_t significant_digits(const char *text)
{
    size_t count = 0, zeros = 0;
    for (; *text != '\0' && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (count == 0 && *text == '0'))
            continue;
        count++;
        zeros = *text == '0' ? zeros + 1 : 0;
    }
    return count - zeros;
}

/* The fewest digits with which printf's nearest decimal reads back. */
static int fewest_digits(float value)
{
    char text[32];
    int digits = 0;
    do
        snprintf(text, sizeof text, "%.*e", digits++, value);
    while (strtof(text, NULL) != value);
    return digits;
}

static void assert_writes_well(uint32_t bits)
{
    const float value = float_of(bits);
    char text[NUMBER_SPACE + 1], *end = number_write(text, value);
    ck_assert_int_le(end - text, NUMBER_LONGEST);
    *end = '\0';
    ck_assert_msg(bits_of(strtof(text, NULL)) == bits, "%s is not %.9g", text, value);
    ck_assert_msg(strpbrk(text, ".") != NULL, "%s has no point", text);
    if (value != 0)
        ck_assert_msg(significant_digits(text) <= (size_t)fewest_digits(value), "%s is longer than %.*g", text,
                      fewest_digits(value), value);
    assert_reads_like_strtod(text);
}

START_TEST(writes_the_shortest_that_reads_back)
{
    for (uint64_t bits = 0; bits <= 0xffffffff; bits += 40009)
        if (isfinite(float_of((uint32_t)bits)))
            assert_writes_well((uint32_t)bits);
    for (uint32_t exponent = 0; exponent < 255; exponent++) { /* powers of two and their neighbours */
        assert_writes_well(exponent << 23);
        assert_writes_well((exponent << 23) + 1);
        assert_writes_well((exponent << 23) + 0x7fffff);
    }
}
END_TEST

START_TEST(writes_in_a_known_form)
{
    static const struct {
        float value;
        const char *text;
    } cases[] = {
        {0, "0.0"},
        {-0.0f, "-0.0"},
        {1, "1.0"},
        {-1, "-1.0"},
        {0.1f, "0.1"},
        {0.25f, "0.25"},
        {10, "10.0"},
        {16777216, "16777216.0"},
        {123456789, "123456790.0"},
        {1e9f, "1.0e9"},
        {1e-4f, "0.0001"},
        {1.5e-8f, "1.5e-8"},
        {0.00001f, "0.00001"},
        {0.000001f, "1.0e-6"},
        {FLT_MAX, "3.4028235e38"},
        {FLT_MIN, "1.1754944e-38"},
        {1e-45f, "1.0e-45"},
        {(float)(1.0 / 3), "0.33333334"},
        {INFINITY, "\"Infinity\""},
        {-INFINITY, "\"-Infinity\""},
        {NAN, "\"NaN\""},
        {-NAN, "\"NaN\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[NUMBER_SPACE + 1];
        *number_write(text, cases[i].value) = '\0';
        ck_assert_str_eq(text, cases[i].text);
    }
}
END_TEST

static void assert_writes_double_well(double value)
{
    char text[NUMBER_SPACE + 1], shorter[64], *end = number_write_double(text, value);
    *end = '\0';
    ck_assert_int_le(end - text, NUMBER_DOUBLE_LONGEST);
    const double back = strtod(text, NULL);
    ck_assert_msg(memcmp(&back, &value, sizeof back) == 0, "%s is not %.17g", text, value);
    ck_assert_msg(strpbrk(text, ".") != NULL, "%s has no point", text);
    const size_t digits = significant_digits(text);
    if (value != 0 && digits > 1) {
        snprintf(shorter, sizeof shorter, "%.*e", (int)digits - 2, value);
        ck_assert_msg(strtod(shorter, NULL) != value, "%s is longer than %s", text, shorter);
    }
    assert_double_reads_like_strtod(text);
}

START_TEST(writes_the_shortest_double_that_reads_back)
{
    struct random random = {3};
    for (int i = 0; i < 100000; i++) {
        assert_writes_double_well(random_double(&random));
        assert_writes_double_well((double)(random_next(&random) >> 11) * 0x1p-53);
    }
    for (int exponent = -1074; exponent < 1024; exponent++) { /* powers of two and their neighbours */
        const double power = ldexp(1, exponent);
        assert_writes_double_well(power);
        assert_writes_double_well(nextafter(power, 0));
        assert_writes_double_well(nextafter(power, 1e308));
    }
    for (int exponent = -323; exponent < 309; exponent++) {
        char text[16];
        snprintf(text, sizeof text, "1e%d", exponent);
        assert_writes_double_well(strtod(text, NULL));
    }
}
END_TEST

START_TEST(writes_doubles_in_a_known_form)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0.0"},
        {-0.0, "-0.0"},
        {1, "1.0"},
        {0.1, "0.1"},
        {-1.0 / 3, "-0.3333333333333333"},
        {1e16, "10000000000000000.0"},
        {1e17, "1.0e17"},
        {1e-4, "0.0001"},
        {0.00001, "0.00001"},
        {1.5e-8, "1.5e-8"},
        {123456.789, "123456.789"},
        {5e-324, "5.0e-324"},
        {DBL_MAX, "1.7976931348623157e308"},
        {INFINITY, "\"Infinity\""},
        {-INFINITY, "\"-Infinity\""},
        {NAN, "\"NaN\""},
        {-NAN, "\"NaN\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[NUMBER_SPACE + 1];
        *number_write_double(text, cases[i].value) = '\0';
        ck_assert_str_eq(text, cases[i].text);
    }
}
END_TEST

/* A row is written number by number, whatever kinds of numbers stand together. */
START_TEST(writes_rows_like_single_numbers)
{
    struct random random = {4};
    static const float others[] = {0, -0.0f, 1, -INFINITY, 0.5f, 1e-45f, 16777216, -3, FLT_MAX};
    for (int i = 0; i < 3000; i++) {
        float values[40];
        char row[40 * (NUMBER_LONGEST + 1) + NUMBER_SPACE], single[sizeof row], *end = single;
        const size_t count = random_below(&random, 41);
        for (size_t k = 0; k < count; k++) {
            values[k] = random_below(&random, 4) == 0 ? others[random_below(&random, 9)]
                                                      : float_of((uint32_t)random_next(&random));
            end = number_write(end, values[k]);
            *end++ = ',';
        }
        end -= count > 0;
        ck_assert_int_eq(number_write_row(row, values, count) - row, end - single);
        ck_assert_mem_eq(row, single, (size_t)(end - single));
    }
}
END_TEST

START_TEST(writes_integers)
{
    char text[24];
    *number_write_integer(text, 0) = '\0';
    ck_assert_str_eq(text, "0");
    *number_write_integer(text, UINT64_MAX) = '\0';
    ck_assert_str_eq(text, "18446744073709551615");
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: numbers");
    TCase *reading = tcase_create("reading"), *writing = tcase_create("writing");
    tcase_set_timeout(reading, 60);
    tcase_set_timeout(writing, 60);
    tcase_add_test(reading, reads_what_strtod_reads);
    tcase_add_test(reading, reads_random_decimals_like_strtod);
    tcase_add_test(reading, reads_midpoints_like_strtod);
    tcase_add_test(reading, refuses_what_is_no_number);
    tcase_add_test(reading, stops_where_the_number_ends);
    tcase_add_test(reading, refuses_what_float32_cannot_hold);
    tcase_add_test(reading, reads_a_number_of_a_million_digits);
    tcase_add_test(writing, writes_the_shortest_that_reads_back);
    tcase_add_test(writing, writes_in_a_known_form);
    tcase_add_test(reading, reads_doubles_like_strtod);
    tcase_add_test(reading, reads_rows_like_single_numbers);
    tcase_add_test(writing, writes_the_shortest_double_that_reads_back);
    tcase_add_test(writing, writes_doubles_in_a_known_form);
    tcase_add_test(writing, writes_rows_like_single_numbers);
    tcase_add_test(writing, writes_integers);
    suite_add_tcase(suite, reading);
    suite_add_tcase(suite, writing);
    return suite;
}
