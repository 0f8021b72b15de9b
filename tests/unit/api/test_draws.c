/* Many draws of categorical: counts in place of indices, and one number for each draw. */
#include "lib/suite.h"
#include "numbers.h"

#include <stdio.h>
#include <string.h>

#define CATEGORICAL "/v1/categorical"
#define LOGITS "\"logits\":[[[1,2],[0.5,null],[3,1]],[[0,0],[1,-1],[2,2]]]" /* [2][3][2] */

enum { OUTER = 2, CLASSES = 3, INNER = 2, COUNT = OUTER * CLASSES * INNER };

/* The tally of indices [OUTER][draws][INNER], in the shape of the logits. */
static void tally(const struct answer *answer, int32_t counts[COUNT])
{
    const json_t *outer = json_object_get(answer->json, "indices"), *draws, *draw, *class;
    size_t o, i, n;
    memset(counts, 0, COUNT * sizeof *counts);
    json_array_foreach (outer, o, draws)
        json_array_foreach (draws, n, draw)
            json_array_foreach (draw, i, class)
                counts[(o * CLASSES + (size_t)json_integer_value(class)) * INNER + i]++;
}

static const char *const members[] = {
    "\"num_samples\":500",
    "\"num_samples\":500,\"dtype\":\"float64\",\"temperature\":[0.5,1,2,0]",
    "\"num_samples\":500,\"top_k\":2,\"seed\":[1,2,3,4]",
    "\"num_samples\":2,\"replacement\":false",
    "\"num_samples\":500,\"method\":\"inverse_cdf\",\"temperature\":[0.5,1,2,0]",
    "\"num_samples\":500,\"method\":\"inverse_cdf\",\"dtype\":\"float64\",\"top_p\":[0.9,1,0.5,1],\"draw_offset\":5",
    "\"num_samples\":30,\"draw_offset\":7,\"row_offset\":3,\"logit_bias\":{\"1\":null}",
};

START_TEST(counts_are_those_of_the_indices)
{
    const char *seed = strstr(members[_i], "\"seed\"") == NULL ? "\"seed\":9," : "";
    struct answer both = ask(CATEGORICAL, "{" LOGITS ",\"dim\":1,%s\"return\":[\"indices\",\"counts\"],%s}", seed,
                             members[_i]);
    struct answer alone = ask(CATEGORICAL, "{" LOGITS ",\"dim\":1,%s\"return\":[\"counts\"],%s}", seed, members[_i]);
    int32_t counts[COUNT];
    assert_answered(&both);
    assert_answered(&alone);
    tally(&both, counts);
    assert_classes(&both, "counts", counts, SHAPE(OUTER, CLASSES, INNER));
    assert_classes(&alone, "counts", counts, SHAPE(OUTER, CLASSES, INNER));
    ck_assert_ptr_null(json_object_get(alone.json, "indices"));
    ask_free(&both);
    ask_free(&alone);
}
END_TEST

/* 100,000 draws of one row, in parts that threads may take: as few bytes as classes. */
START_TEST(many_draws_are_few_numbers)
{
    struct answer answer = ask(CATEGORICAL,
                               "{\"logits\":[0,null,1],\"seed\":3,\"num_samples\":100000,\"return\":[\"counts\"]}");
    assert_answered(&answer);
    double counts[CLASSES];
    ck_assert_uint_eq(numbers_flat(json_object_get(answer.json, "counts"), counts, CLASSES), CLASSES);
    ck_assert(counts[1] == 0 && counts[0] + counts[2] == 100000);
    ck_assert_double_eq_tol(counts[2], 100000 / (1 + 0.36787944117), 5 * 140);
    ck_assert_uint_lt(answer.response.length, 200);
    ask_free(&answer);
}
END_TEST

/* 900,000 draws of three classes are that many numbers of the limit, and not three times as many. */
START_TEST(inverse_cdf_works_on_logits_and_draws)
{
    static const struct {
        const char *method, *result;
        int status;
    } cases[] = {{"inverse_cdf", "counts", 200}, {"gumbel_max", "counts", 413}, {"inverse_cdf", "ranks", 413}};
    size_t limits[API_LIMIT_COUNT];
    for (int i = 0; i < API_LIMIT_COUNT; i++)
        limits[i] = api_limits[i].fallback;
    limits[API_LIMIT_WORK] = 1000000;
    for (size_t i = 0; i < 3; i++) {
        char body[256];
        const int length = snprintf(body, sizeof body - API_BODY_PADDING,
                                    "{\"logits\":[0,1,2],\"seed\":1,\"num_samples\":900000,\"return\":[\"%s\"],"
                                    "\"method\":\"%s\"}",
                                    cases[i].result, cases[i].method);
        struct api_request request = {.body = body, .length = (size_t)length, .limits = limits};
        struct answer answer = ask_request(CATEGORICAL, &request);
        ck_assert_int_eq(answer.status, cases[i].status);
        ck_assert_str_eq(ask_text(&answer, "pointer"), cases[i].status == 200 ? "" : "/num_samples");
        ask_free(&answer);
    }
}
END_TEST

/* Parts of the draws of one row are drawn as the whole is, whatever they are computed in. */
START_TEST(inverse_cdf_in_parts)
{
    struct answer whole = ask(CATEGORICAL, "{\"logits\":[0,1,null,0.5],\"seed\":4,\"num_samples\":100,"
                                           "\"method\":\"inverse_cdf\"}");
    for (int first = 0; first < 100; first += 33) {
        struct answer part = ask(CATEGORICAL,
                                 "{\"logits\":[0,1,null,0.5],\"seed\":4,\"num_samples\":1,\"draw_offset\":%d,"
                                 "\"method\":\"inverse_cdf\"}",
                                 first);
        ck_assert(json_equal(json_array_get(json_object_get(part.json, "indices"), 0),
                             json_array_get(json_object_get(whole.json, "indices"), (size_t)first)));
        ask_free(&part);
    }
    ask_free(&whole);
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: draws");
    TCase *counts = tcase_create("counts");
    tcase_add_loop_test(counts, counts_are_those_of_the_indices, 0, sizeof members / sizeof *members);
    tcase_add_test(counts, many_draws_are_few_numbers);
    suite_add_tcase(suite, counts);
    TCase *inversion = tcase_create("inverse_cdf");
    tcase_add_test(inversion, inverse_cdf_works_on_logits_and_draws);
    tcase_add_test(inversion, inverse_cdf_in_parts);
    suite_add_tcase(suite, inversion);
    return suite;
}
