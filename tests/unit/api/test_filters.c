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

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: filters");
    TCase *filters = tcase_create("neutral");
    tcase_add_loop_test(filters, what_filters_nothing_changes_nothing, 0, 4);
    suite_add_tcase(suite, filters);
    return suite;
}
