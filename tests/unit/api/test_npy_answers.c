/* What a call of .npy bodies is answered in, and what the headers say. */
#include "lib/npy.h"
#include "lib/suite.h"
#include "numbers.h"

#include <stdlib.h>
#include <string.h>

#define SOFTMAX "/v1/softmax"
#define GUMBEL "/v1/gumbel_softmax"

/* ---- Whose the body is ---- */

/* A body that may be taken is: its owner is left without it, whatever becomes of the request. */
START_TEST(a_body_may_be_taken)
{
    struct npy_bytes body = {0};
    npy_add(&body, "<f4", SHAPE(2, 3), (float[6]){0});
    struct api_request request = {.body = body.bytes, .length = body.length, .own_body = &body.bytes};
    struct api_response response;
    request.content_type = request.accept = API_NPY;
    ck_assert_int_eq(api_route_find("POST", SOFTMAX, &request.route, NULL), 0);
    api_answer(&request, &response);
    ck_assert_int_eq(response.status, 200);
    ck_assert_ptr_null(body.bytes);
    ck_assert_uint_eq(response.length, body.length);
    api_response_release(&response);
}
END_TEST

/* What is too much to be answered at once is answered later, of the same body. */
START_TEST(a_body_stays_where_nothing_is_answered)
{
    struct npy_bytes body = {0};
    npy_add(&body, "<f4", SHAPE(2, 3), (float[6]){0});
    struct api_request request = {.body = body.bytes, .length = body.length, .own_body = &body.bytes};
    struct api_response response = {0};
    request.content_type = API_NPY;
    ck_assert_int_eq(api_route_find("POST", SOFTMAX, &request.route, NULL), 0);
    ck_assert(!api_answer_small(&request, 1, &response));
    ck_assert_ptr_nonnull(body.bytes);
    ck_assert(api_answer_small(&request, 100, &response));
    ck_assert_ptr_nonnull(body.bytes);
    api_response_release(&response);
    npy_free(&body);
}
END_TEST

/* ---- Media types ---- */

static const struct {
    const char *path, *content_type, *accept, *media_type;
} media[] = {
    {SOFTMAX, API_NPY, NULL, "application/json"},
    {SOFTMAX, API_NPY, "*/*", "application/json"},
    {SOFTMAX, API_NPY, API_NPY, API_NPY},
    {SOFTMAX, "Application/X-Npy; charset=binary", API_NPY, API_NPY},
    {SOFTMAX, API_NPY, "application/x-npy, application/json;q=0.5", API_NPY},
    {SOFTMAX, API_NPY, "application/x-npy;q=0.4, application/json;q=0.5", "application/json"},
    {SOFTMAX, API_NPY, "application/x-npy, application/json", "application/json"},
    {SOFTMAX, API_NPY, "application/x-npy, application/*;q=0.1", API_NPY},
    {SOFTMAX, API_NPY, "application/x-npy;q=0, */*", "application/json"},
    {SOFTMAX, API_NPY, "application/json;q=0, application/*;q=0.1, application/x-npy;q=0.2", API_NPY},
    {SOFTMAX, API_NPY, "text/html", "406"},
    {SOFTMAX, API_NPY, "application/x-npy;q=0", "406"},
    {SOFTMAX, "application/octet-stream", NULL, "415"},
    {SOFTMAX, "application/x-npz", NULL, "415"},
    {SOFTMAX, API_NDJSON, NULL, "415"},
    {"/v1/batch", API_NPY, NULL, "415"},
    {"/v1/batch", "application/json", API_NPY, "406"},
};

START_TEST(bodies_and_answers_are_negotiated_apart)
{
    struct npy_bytes body = {0};
    const struct npy_request request = {media[_i].path, NULL, media[_i].content_type, media[_i].accept, true};
    npy_add(&body, "<f4", SHAPE(2), (float[]){1, 2});
    struct answer answer = npy_ask(&request, &body);
    const int status = atoi(media[_i].media_type);
    ck_assert_int_eq(answer.status, status != 0 ? status : 200);
    if (status == 0)
        ck_assert_str_eq(answer.response.media_type, media[_i].media_type);
    npy_answer_free(&answer);
    npy_free(&body);
}
END_TEST

/* ---- Headers ---- */

static void assert_header(const struct answer *answer, const char *name, const char *value)
{
    const char *header = npy_header(answer, name);
    ck_assert_msg(header == NULL ? value == NULL : value != NULL && strcmp(header, value) == 0, "%s: %s", name,
                  header != NULL ? header : "none");
}

static struct answer ask_rows(const char *path, const char *query, size_t rows)
{
    struct npy_bytes body = {0};
    float *logits = calloc(rows, sizeof *logits);
    const struct npy_request request = {path, query, API_NPY, API_NPY, true};
    npy_add(&body, "<f4", SHAPE(rows, 1), logits);
    struct answer answer = npy_ask(&request, &body);
    assert_answered(&answer);
    free(logits);
    npy_free(&body);
    return answer;
}

START_TEST(headers_say_what_repeats_the_answer)
{
    struct answer answer = ask_rows(GUMBEL, "tau=0.25&return=samples,indices", 2);
    assert_header(&answer, "X-Gumbeld-Results", "samples,indices");
    assert_header(&answer, "X-Gumbeld-Dtype", "float32");
    assert_header(&answer, "X-Gumbeld-Rng", API_DEFAULT_RNG);
    assert_header(&answer, "X-Gumbeld-Seed", "4242");
    assert_header(&answer, "X-Gumbeld-Tau", "0.25");
    npy_answer_free(&answer);
    static const char *const spellings[] = {"tau=0.25,1&seed=1,9007199254740991",
                                            "tau= [ 0.25 , 1 ] &seed=\t[1,9007199254740991.0]\n"};
    for (int i = 0; i < 2; i++) {
        answer = ask_rows(GUMBEL, spellings[i], 2);
        assert_header(&answer, "X-Gumbeld-Seed", "1,9007199254740991");
        assert_header(&answer, "X-Gumbeld-Tau", "0.25,1.0");
        npy_answer_free(&answer);
    }
    answer = ask_rows(SOFTMAX, "temperature=2", 2);
    assert_header(&answer, "X-Gumbeld-Results", "probabilities");
    assert_header(&answer, "X-Gumbeld-Rng", NULL);
    assert_header(&answer, "X-Gumbeld-Seed", NULL);
    assert_header(&answer, "X-Gumbeld-Tau", NULL);
    npy_answer_free(&answer);
}
END_TEST

/* Of `rows` seeds of one digit the header takes 2 rows - 1 bytes: up to 4 KiB. */
START_TEST(a_list_that_is_too_long_stays_out)
{
    for (size_t rows = 2048; rows <= 2049; rows++) {
        char query[8192] = "seed=7";
        for (size_t row = 1; row < rows; row++)
            strcpy(query + 4 + 2 * row, ",7");
        struct answer answer = ask_rows(GUMBEL, query, rows);
        ck_assert_int_eq(npy_header(&answer, "X-Gumbeld-Seed") != NULL, rows == 2048);
        assert_header(&answer, "X-Gumbeld-Rng", API_DEFAULT_RNG);
        npy_answer_free(&answer);
    }
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: npy answers");
    TCase *answers = tcase_create("answers");
    tcase_add_test(answers, a_body_may_be_taken);
    tcase_add_test(answers, a_body_stays_where_nothing_is_answered);
    tcase_add_loop_test(answers, bodies_and_answers_are_negotiated_apart, 0, sizeof media / sizeof *media);
    tcase_add_test(answers, headers_say_what_repeats_the_answer);
    tcase_add_test(answers, a_list_that_is_too_long_stays_out);
    suite_add_tcase(suite, answers);
    return suite;
}
