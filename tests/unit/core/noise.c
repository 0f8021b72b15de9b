/* Philox words against the published vectors and a scalar reference. */
#include "lib/suite.h"
#include "reference.h"
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The philox4x32 10 lines of kat_vectors in Random123 (D. E. Shaw Research). */
static const struct {
    uint32_t counter[4], key[2], words[4];
} known_answers[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

START_TEST(test_known_answers)
{
    select_isa(_i);
    for (size_t i = 0; i < sizeof(known_answers) / sizeof(known_answers[0]); i++) {
        const uint32_t *counter = known_answers[i].counter, *key = known_answers[i].key;
        uint32_t words[4];
        core_noise_words(words, 4 * (uint64_t)counter[0], 4, key[0] | (uint64_t)key[1] << 32, counter[1], counter[2],
                         counter[3]);
        ck_assert_mem_eq(words, known_answers[i].words, sizeof(words));
        reference_philox(counter, key, words);
        ck_assert_mem_eq(words, known_answers[i].words, sizeof(words));
    }
}
END_TEST

struct position {
    uint64_t first_word, seed;
    uint32_t row, draw, tag;
};

static uint32_t reference_word(const struct position *at, uint64_t j)
{
    const uint32_t counter[4] = {(uint32_t)(j / 4), at->row, at->draw, at->tag};
    const uint32_t key[2] = {(uint32_t)at->seed, (uint32_t)(at->seed >> 32)};
    uint32_t words[4];
    reference_philox(counter, key, words);
    return words[j % 4];
}

static void check_words(const struct position *at, size_t count)
{
    enum { GUARD = 0x5eed };
    uint32_t *words = malloc((count + 1) * sizeof(words[0]));
    ck_assert_ptr_nonnull(words);
    words[count] = GUARD;
    core_noise_words(words, at->first_word, count, at->seed, at->row, at->draw, at->tag);
    for (size_t i = 0; i < count; i++)
        if (words[i] != reference_word(at, at->first_word + i))
            ck_abort_msg("word %zu of %zu is wrong", i, count);
    ck_assert_uint_eq(words[count], GUARD);
    free(words);
}

START_TEST(test_words_of_any_count)
{
    select_isa(_i);
    for (size_t count = 0; count <= 200; count++) {
        struct position at = {4 * (uint64_t)count, 0x123456789abcdef + count, (uint32_t)count, 7, 3};
        check_words(&at, count);
    }
}
END_TEST

START_TEST(test_words_anywhere)
{
    select_isa(_i);
    struct inputs inputs = {1};
    for (int i = 0; i < 300; i++) {
        struct position at = {inputs_next(&inputs) >> 30 << 2, inputs_next(&inputs), (uint32_t)inputs_next(&inputs),
                              (uint32_t)inputs_next(&inputs), (uint32_t)inputs_next(&inputs)};
        check_words(&at, 1 + inputs_below(&inputs, 70));
    }
}
END_TEST

/* The block's number is a word of the counter: it goes round at 2^32, in the middle of a vector too. */
START_TEST(test_words_around_the_last_block)
{
    select_isa(_i);
    for (uint64_t block = 0xfffffff0; block < 0x100000010; block++) {
        struct position at = {4 * block, 99, 1, 2, 0};
        check_words(&at, 64);
    }
}
END_TEST

/* A long run is the same words as its parts. */
START_TEST(test_runs)
{
    enum { COUNT = 10007 };
    uint32_t *whole = malloc(COUNT * sizeof(whole[0])), part[64];
    ck_assert_ptr_nonnull(whole);
    select_isa(_i);
    core_noise_words(whole, 400, COUNT, 5, 6, 7, 8);
    struct inputs inputs = {2};
    for (int i = 0; i < 2000; i++) {
        size_t at = 4 * inputs_below(&inputs, (COUNT - 64) / 4), count = inputs_below(&inputs, 65);
        core_noise_words(part, 400 + at, count, 5, 6, 7, 8);
        ck_assert_mem_eq(part, whole + at, count * sizeof(part[0]));
    }
    free(whole);
}
END_TEST

TEST_SUITE("core")
{
    Suite *suite = suite_create("core noise");
    TCase *philox = tcase_create("philox");
    tcase_set_timeout(philox, 60);
    tcase_add_isa_test(philox, test_known_answers);
    tcase_add_isa_test(philox, test_words_of_any_count);
    tcase_add_isa_test(philox, test_words_anywhere);
    tcase_add_isa_test(philox, test_words_around_the_last_block);
    tcase_add_isa_test(philox, test_runs);
    suite_add_tcase(suite, philox);
    return suite;
}
