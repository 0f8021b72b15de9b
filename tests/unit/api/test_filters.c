/* A filter that is given and lets all classes pass is as one that is left out, and what else is asked for changes no
 * draw. */
#include "lib/ask.h"
#include "lib/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CATEGORICAL "/v1/categorical"

enum { ROWS = 3, MOST_CLASSES = 200, BODY_BYTES = 16 * MOST_CLASSES * ROWS + 1024 };

static const char *const neutral[] = {
    "",
    ",\"top_k\":0",
    ",\"top_k\":2147483647",
    ",\"top_k\":[0,0,0]",
    ",\"top_p\":1",
    ",\"top_p\":[1,1,1]",
    ",\"min_p\":0",
    ",\"min_p\":[0,0,0]",
    ",\"typical_p\":1",
    ",\"typical_p\":[1,1,1]",
    ",\"top_n_sigma\":0",
    ",\"top_n_sigma\":[-1,-0.5,1e30]",
    ",\"epsilon_cutoff\":0",
    ",\"eta_cutoff\":[0,0,0]",
    ",\"min_keep\":2147483647",
    ",\"min_keep\":1000,\"top_k\":1,\"top_p\":0,\"min_p\":2,\"top_n_sigma\":0.1,\"epsilon_cutoff\":1,\"eta_cutoff\":1",
    ",\"top_k\":0,\"top_p\":1,\"min_p\":0,\"typical_p\":1",
};
enum { NEUTRAL = sizeof neutral / sizeof *neutral };

static const char *const orders[] = {"", ",\"filter_order\":\"temperature_last\""};

/* What is answered in its own place, with what else is drawn from. */
static const char *const others[] = {
    "",
    ",\"replacement\":false",
    ",\"num_samples\":1",
    ",\"logit_bias\":{\"1\":2.5}",
    ",\"dtype\":\"float64\"",
    ",\"temperature\":0",
    ",\"temperature\":[0.1,3.4e38,3.4e38]",
};
enum { OTHERS = sizeof others / sizeof *others };

/* Logits of about -8 to 8, or, `far`, as far from each other as floats are. */
static size_t put_logits(char *out, size_t classes, bool far)
{
    size_t used = (size_t)sprintf(out, "{\"seed\":7,\"logits\":[");
    for (size_t row = 0; row < ROWS; row++)
        for (size_t class = 0; class < classes; class ++) {
            const long at = (long)((row * classes + class) * 7919 % 1601) - 800;
            used += (size_t)sprintf(out + used, "%s", class > 0 ? "," : row > 0 ? "],[" : "[");
            used += far ? (size_t)sprintf(out + used, "%se38",
                                          at % 3 == 0   ? "3"
                                          : at % 3 == 1 ? "-3"
                                                        : "-1.5")
                        : (size_t)sprintf(out + used, "%ld.%ld", at / 100, labs(at) % 100);
        }
    return used + (size_t)sprintf(out + used, "]]");
}

/* The answer with those members at the end of the body, whose first `used` bytes are there. */
static struct answer ask_with(char *body, size_t used, const char *order, const char *other, const char *filter,
                              const char *more)
{
    const char *samples = strstr(other, "num_samples") == NULL ? ",\"num_samples\":5" : "";
    const size_t length = used + (size_t)snprintf(body + used, 512, "%s%s%s%s%s}", samples, order, other, filter, more);
    struct answer answer = ask_bytes(CATEGORICAL, body, length);
    ck_assert_msg(answer.status == 200, "%s: %s", body + used, answer.text);
    return answer;
}

static void check_same(char *body, size_t used, const char *order, const char *other)
{
    static const char *const more[] = {"", ",\"return\":[\"indices\",\"scores\",\"log_probabilities\"]",
                                       ",\"logprobs\":2,\"logprobs_of\":\"filtered\""};
    struct answer plain = ask_with(body, used, order, other, "", "");
    const json_t *indices = json_object_get(plain.json, "indices");
    for (size_t m = 0; m < sizeof more / sizeof *more; m++) {
        struct answer first = ask_with(body, used, order, other, "", more[m]);
        ck_assert_msg(json_equal(json_object_get(first.json, "indices"), indices), "%s", body + used);
        for (size_t i = 1; i < NEUTRAL; i++) {
            struct answer answer = ask_with(body, used, order, other, neutral[i], more[m]);
            ck_assert_msg(strcmp(answer.text, first.text) == 0, "%s\n%s\n%s", body + used, answer.text, first.text);
            ask_free(&answer);
        }
        ask_free(&first);
    }
    ask_free(&plain);
}

/* Classes of rows that are computed side by side, of a row by itself, and of one that is pruned. */
START_TEST(what_filters_nothing_changes_nothing)
{
    static const size_t classes[] = {5, 63, 64, MOST_CLASSES};
    char *body = malloc(BODY_BYTES);
    for (size_t c = 0; c < sizeof classes / sizeof *classes; c++) {
        const size_t used = put_logits(body, classes[c], _i % 2 != 0);
        for (size_t other = 0; other < OTHERS; other++)
            check_same(body, used, orders[_i / 2], others[other]);
    }
    free(body);
}
END_TEST

/* The orders by name, and as lists; what may be left out of a list is in none of them set. */
START_TEST(an_order_is_its_list)
{
    static const char *const filters[] = {"", "\"top_k\":40,\"top_p\":0.8,\"min_p\":0.01,\"temperature\":3,",
                                          "\"temperature\":0.6,\"typical_p\":0.7,\"top_n_sigma\":1.5,",
                                          "\"temperature\":[0,0.5,2],\"epsilon_cutoff\":0.01,\"eta_cutoff\":0.02,"
                                          "\"top_p\":0.9,\"top_k\":[5,6,7],"};
    static const struct {
        const char *order, *list;
    } orders_as_lists[] = {
        {"\"temperature_first\"", "[\"temperature\",\"top_n_sigma\",\"min_p\",\"top_k\",\"typical_p\",\"top_p\","
                                  "\"epsilon_cutoff\",\"eta_cutoff\"]"},
        {"\"temperature_last\"", "[\"top_n_sigma\",\"top_k\",\"typical_p\",\"top_p\",\"min_p\",\"epsilon_cutoff\","
                                 "\"eta_cutoff\",\"temperature\"]"},
        {"\"joint\"", "[\"temperature\",\"top_p\",\"top_k\",\"top_n_sigma\",\"min_p\",\"typical_p\","
                      "\"epsilon_cutoff\",\"eta_cutoff\"]"},
    };
    char *body = malloc(BODY_BYTES);
    const size_t used = put_logits(body, MOST_CLASSES, false);
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        for (size_t order = 0; order < 3; order++) {
            char named[256], listed[512];
            snprintf(named, sizeof named, ",%s\"filter_order\":%s", filters[i], orders_as_lists[order].order);
            snprintf(listed, sizeof listed, ",%s\"filter_order\":%s", filters[i], orders_as_lists[order].list);
            struct answer one = ask_with(body, used, named, "", "", ",\"logprobs\":90,\"logprobs_of\":\"filtered\"");
            struct answer other = ask_with(body, used, listed, "", "", ",\"logprobs\":90,\"logprobs_of\":\"filtered\"");
            ck_assert_str_eq(one.text, other.text);
            ask_free(&one);
            ask_free(&other);
        }
    free(body);
}
END_TEST

/* The logits 3, 2, 1 at temperature 1/2: min_p 0.2 keeps the first class of exp(2 (u - 3)), two of exp(u - 3). What is
 * off need not be listed. */
START_TEST(a_list_says_what_comes_first)
{
    static const struct {
        const char *members;
        size_t kept;
    } cases[] = {
        {"\"filter_order\":[\"temperature\",\"min_p\"]", 1},
        {"\"filter_order\":[\"min_p\",\"temperature\"]", 2},
        {"\"filter_order\":[\"min_p\",\"temperature\"],\"top_p\":1,\"top_k\":-1,\"typical_p\":1,\"top_n_sigma\":-1", 2},
        {"\"filter_order\":[\"min_p\",\"temperature\",\"top_k\"],\"top_k\":1", 1},
        {"\"filter_order\":\"joint\",\"top_p\":0.5", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct answer answer = ask(CATEGORICAL,
                                   "{\"logits\":[3,2,1],\"seed\":1,\"temperature\":0.5,\"min_p\":0.2,\"logprobs\":3,"
                                   "\"logprobs_of\":\"filtered\",%s}",
                                   cases[i].members);
        ck_assert_msg(answer.status == 200, "%s", answer.text);
        size_t kept = 0;
        for (size_t class = 0; class < 3; class ++)
            kept += json_integer_value(json_array_get(json_object_get(answer.json, "top_indices"), class)) >= 0;
        ck_assert_msg(kept == cases[i].kept, "%s: %s", cases[i].members, answer.text);
        ask_free(&answer);
    }
}
END_TEST

/* Without a temperature in the list there is none. */
START_TEST(a_list_needs_no_temperature)
{
    static const char *const lists[] = {"[\"top_k\"]", "[\"temperature\",\"top_k\"]", "[\"top_k\",\"temperature\"]"};
    struct answer first = ask(CATEGORICAL, "{\"logits\":[3,2,1],\"seed\":1,\"num_samples\":9,\"top_k\":2}");
    for (size_t i = 0; i < 3; i++) {
        struct answer answer = ask(
            CATEGORICAL, "{\"logits\":[3,2,1],\"seed\":1,\"num_samples\":9,\"top_k\":2,\"filter_order\":%s}", lists[i]);
        ck_assert_str_eq(answer.text, first.text);
        ask_free(&answer);
    }
    ask_free(&first);
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: filters");
    TCase *filters = tcase_create("neutral");
    tcase_add_loop_test(filters, what_filters_nothing_changes_nothing, 0, 4);
    suite_add_tcase(suite, filters);
    TCase *lists = tcase_create("orders");
    tcase_add_test(lists, an_order_is_its_list);
    tcase_add_test(lists, a_list_says_what_comes_first);
    tcase_add_test(lists, a_list_needs_no_temperature);
    suite_add_tcase(suite, lists);
    return suite;
}
