/* Arrays after the logits in a body of .npy: masks, cotangents and values for each row. */
#include "lib/npy.h"
#include "lib/suite.h"
#include "numbers.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SOFTMAX "/v1/softmax"
#define GUMBEL "/v1/gumbel_softmax"
#define VJP "/v1/vjp"

/* What stands after the logits in the body, as an array of that name. */
static const struct {
    const char *name, *descr;
    double data[4];
    const char *code, *pointer;
} arrays[] = {
    {"tau", "<f8", {1, 2}, "", ""},
    {"tau", "<f4", {0, 0}, "", ""},
    {"tau", "<i8", {0, 0}, "", ""},
    {"tau", "<i4", {0, 0}, "", ""},
    {"tau", "<u8", {0, 0}, "", ""},
    {"tau", "<f8", {1, -2}, "out_of_range", "/tau/1"},
    {"tau", "<f8", {1, NAN}, "out_of_range", "/tau/1"},
    {"tau", "<f8", {INFINITY, 1}, "out_of_range", "/tau/0"},
    {"tau", "<i8", {0, -2}, "out_of_range", "/tau/1"}, /* the bits of -2.0 are a negative integer */
    {"tau", "<f2", {0, 0}, "", ""},
    {"tau", "<V2", {0, 0}, "", ""},
    {"tau", "|u1", {0, 0}, "wrong_type", "/tau"},
    {"tau", "|b1", {0, 0}, "wrong_type", "/tau"},
    {"tau", ">f8", {0, 0}, "", ""},
    {"seed", ">i8", {0, 0x1p-1074 * 256}, "", ""},              /* 2^48, its bytes in the other order */
    {"seed", ">u8", {0, 0x1p-1074}, "out_of_range", "/seed/1"}, /* 2^56 */
    {"seed", "<u8", {0, 0}, "", ""},
    {"seed", "<f8", {7, 9007199254740991}, "", ""},
    {"seed", "<f8", {7, 9007199254740992}, "out_of_range", "/seed/1"},
    {"seed", "<f8", {7, 0.5}, "wrong_type", "/seed/1"},
    {"seed", "<u8", {0, 1}, "out_of_range", "/seed/1"}, /* the bits of 1.0 are an integer beyond 2^53 */
    {"mask", "|b1", {0, 0}, "invalid_row", "/mask"},
    {"mask", "|u1", {0, 0}, "wrong_type", "/mask"},
};

START_TEST(an_array_is_checked_as_a_list_is)
{
    struct npy_bytes body = {0};
    char query[64];
    snprintf(query, sizeof query, "arrays=logits,%s", arrays[_i].name);
    const struct npy_request request = {GUMBEL, query, API_NPY, API_NPY, _i % 2};
    npy_add(&body, "<f4", SHAPE(2, 2), (float[]){1, 2, 3, 4});
    npy_add(&body, arrays[_i].descr, SHAPE(2), arrays[_i].data);
    struct answer answer = npy_ask(&request, &body);
    ck_assert_msg(strcmp(ask_text(&answer, "code"), arrays[_i].code) == 0 &&
                      strcmp(ask_text(&answer, "pointer"), arrays[_i].pointer) == 0,
                  "%s %s: %s", arrays[_i].name, arrays[_i].descr, answer.text);
    npy_answer_free(&answer);
    npy_free(&body);
}
END_TEST

START_TEST(seeds_are_integers_of_any_kind)
{
    const int32_t int32[] = {7, INT32_MAX};
    const uint32_t uint32[] = {7, UINT32_MAX};
    const int64_t int64[] = {7, 9007199254740991};
    const uint64_t uint64[] = {7, 9007199254740991};
    const struct {
        const char *descr, *seeds;
        const void *data;
    } kinds[] = {{"<i4", "[7,2147483647]", int32},
                 {"<u4", "[7,4294967295]", uint32},
                 {"<i8", "[7,9007199254740991]", int64},
                 {"<u8", "[7,9007199254740991]", uint64}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct npy_bytes body = {0};
        npy_add(&body, "<f4", SHAPE(2, 2), (float[]){1, 2, 3, 4});
        npy_add(&body, kinds[i].descr, SHAPE(2), kinds[i].data);
        struct answer answer = npy_ask(&(struct npy_request){GUMBEL, "arrays=logits,seed", API_NPY, NULL, i % 2},
                                       &body);
        struct answer same = ask(GUMBEL, "{\"logits\":[[1,2],[3,4]],\"seed\":%s}", kinds[i].seeds);
        ck_assert_int_eq(same.status, 200);
        ck_assert_str_eq(answer.text, same.text);
        npy_answer_free(&answer);
        ask_free(&same);
        npy_free(&body);
    }
}
END_TEST

/* A list in the query has no shape of its own. */
START_TEST(a_column_is_a_value_for_each_row)
{
    static const struct {
        size_t shape[3], rows;
        const char *query, *same;
    } cases[] = {{{2, 1, 0}, 2, "arrays=logits,tau", "tau=0.5,2"},
                 {{1, 0}, 2, "arrays=logits,tau", "tau=0.5"},
                 {{1, 1, 0}, 2, "arrays=logits,tau", "tau=0.5"},
                 {{0}, 2, "arrays=logits,tau", "tau=0.5"},
                 {{1, 0}, 1, "arrays=logits,tau", "tau=[0.5]"},
                 {{1, 2, 0}, 2, "arrays=logits,tau", NULL},
                 {{2, 0}, 2, "tau=[0.5]", NULL},
                 {{2, 0}, 2, "tau=[[0.5],[2]]", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct npy_bytes logits = {0}, body = {0};
        const struct npy_request how = {GUMBEL, cases[i].query, API_NPY, NULL, i % 2},
                                 plain = {GUMBEL, cases[i].same, API_NPY, NULL, i % 2};
        npy_add(&logits, "<f4", (size_t[]){cases[i].rows, 2, 0}, (float[]){1, 2, 3, 4});
        npy_append(&body, logits.bytes, logits.length);
        if (strstr(cases[i].query, "arrays") != NULL)
            npy_add(&body, "<f8", cases[i].shape, (double[]){0.5, 2});
        struct answer answer = npy_ask(&how, &body);
        ck_assert_msg(answer.status == (cases[i].same != NULL ? 200 : 400), "%zu: %s", i, answer.text);
        if (cases[i].same != NULL) {
            struct answer same = npy_ask(&plain, &logits);
            ck_assert_str_eq(answer.text, same.text);
            npy_answer_free(&same);
        }
        npy_answer_free(&answer);
        npy_free(&logits);
        npy_free(&body);
    }
}
END_TEST

START_TEST(an_array_is_refused_where_it_begins)
{
    struct npy_bytes body = {0};
    const struct npy_request request = {GUMBEL, "arrays=logits,mask", API_NPY, NULL, false};
    npy_add(&body, "<f4", SHAPE(2, 2), (float[]){1, 2, 3, 4});
    const size_t begin = body.length;
    npy_add(&body, "|u1", SHAPE(2), (uint8_t[]){1, 1});
    struct answer answer = npy_ask(&request, &body);
    ck_assert_str_eq(ask_text(&answer, "pointer"), "/mask");
    ck_assert_uint_eq((size_t)json_integer_value(json_object_get(answer.json, "offset")), begin);
    npy_answer_free(&answer);
    npy_free(&body);
}
END_TEST

START_TEST(a_mask_is_of_ones_and_zeros)
{
    struct npy_bytes body = {0};
    const struct npy_request request = {SOFTMAX, "arrays=mask,logits", API_NPY, NULL, true};
    npy_add(&body, "|b1", SHAPE(2), (uint8_t[]){1, 2});
    npy_add(&body, "<f4", SHAPE(2), (float[]){1, 2});
    struct answer answer = npy_ask(&request, &body);
    ck_assert_str_eq(ask_text(&answer, "code"), "malformed_npy");
    ck_assert_int_eq(json_integer_value(json_object_get(answer.json, "offset")), 129);
    npy_answer_free(&answer);
    npy_free(&body);
}
END_TEST

START_TEST(a_cotangent_has_the_precision_of_the_logits)
{
    struct npy_bytes body = {0};
    const struct npy_request request = {VJP, "function=softmax&arrays=cotangent,logits", API_NPY, NULL, true};
    npy_add(&body, "<f8", SHAPE(2), (double[]){1, 2});
    npy_add(&body, "<f4", SHAPE(2), (float[]){1, 2});
    struct answer answer = npy_ask(&request, &body);
    ck_assert_str_eq(ask_text(&answer, "code"), "wrong_type");
    ck_assert_str_eq(ask_text(&answer, "pointer"), "/cotangent");
    npy_answer_free(&answer);
    npy_free(&body);
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: npy arrays");
    TCase *further = tcase_create("arrays");
    tcase_add_loop_test(further, an_array_is_checked_as_a_list_is, 0, sizeof arrays / sizeof *arrays);
    tcase_add_test(further, a_mask_is_of_ones_and_zeros);
    tcase_add_test(further, an_array_is_refused_where_it_begins);
    tcase_add_test(further, seeds_are_integers_of_any_kind);
    tcase_add_test(further, a_cotangent_has_the_precision_of_the_logits);
    tcase_add_test(further, a_column_is_a_value_for_each_row);
    suite_add_tcase(suite, further);
    return suite;
}
