/* .npy bodies: headers of all kinds, malformed ones, the types of elements. */
#include "lib/npy.h"
#include "lib/suite.h"
#include "npy/header.h"
#include "numbers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOFTMAX "/v1/softmax"
#define LOG_SOFTMAX "/v1/log_softmax"

static struct answer send(const char *path, const char *query, const struct npy_bytes *body)
{
    const struct npy_request request = {path, query, API_NPY, NULL, true};
    return npy_ask(&request, body);
}

static void assert_refused(const struct answer *answer, const char *what, int status, const char *code,
                           const char *pointer)
{
    ck_assert_msg(answer->status == status && strcmp(ask_text(answer, "code"), code) == 0 &&
                      strcmp(ask_text(answer, "pointer"), pointer) == 0,
                  "%s: %d %s", what, answer->status, answer->text);
    ck_assert_str_eq(answer->response.media_type, "application/problem+json");
    ck_assert_str_ne(ask_text(answer, "detail"), "");
}

/* ---- Headers ---- */

static const char *const headers[] = {
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }                                                   \n",
    "{'shape': (2, 3), 'descr': '<f4', 'fortran_order': False}\n",
    "{'fortran_order': False, 'shape': (2, 3), 'descr': '<f4', } \n",
    "{\"descr\": \"<f4\", \"fortran_order\": False, \"shape\": (2, 3,)}\n",
    "{'descr':'<f4','fortran_order':False,'shape':(2,3)}\n",
    "  {  'descr'  :  '<f4'  ,  'fortran_order'  :  False  ,  'shape'  :  (  2  ,  3  ,  )  ,  }  \n",
};

/* Header lengths of all remainders: the data stand at every alignment. */
START_TEST(a_header_may_be_written_in_many_ways)
{
    const float logits[] = {0, 0, 0, 1, 1, -INFINITY};
    for (int major = 1; major <= 3; major++)
        for (int spaces = 0; spaces < 9; spaces++) {
            struct npy_bytes body = {0};
            char dict[256];
            snprintf(dict, sizeof dict, "%*s%s", spaces, "", headers[_i]);
            npy_add_header(&body, major, dict);
            npy_append(&body, logits, sizeof logits);
            struct answer answer = send(SOFTMAX, "", &body);
            ck_assert_msg(answer.status == 200, "%s: %s", dict, answer.text);
            ck_assert_ptr_nonnull(strstr(answer.text, "\"probabilities\":[[0.33333334,0.33333334,0.33333334],"
                                                      "[0.5,0.5,0.0]]"));
            npy_answer_free(&answer);
            npy_free(&body);
        }
}
END_TEST

/* The text of a dict and six floats after it. */
static const struct {
    const char *dict, *code;
    int status;
} refused[] = {
    {"", "malformed_npy", 400},
    {"\n", "malformed_npy", 400},
    {"{}\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n ", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }x\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), \n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3 \n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3,,), }\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2 3), }\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (,), }\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (6), }\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': 6, }\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': [2, 3], }\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, -3), }\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 03), }\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3.0), }\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), , }\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False 'shape': (2, 3), }\n", "malformed_npy", 400},
    {"{'descr' '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': false, 'shape': (2, 3), }\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3), }\n", "malformed_npy", 400},
    {"{'descr': <f4, 'fortran_order': False, 'shape': (2, 3), }\n", "malformed_npy", 400},
    {"{'descr': '<f4\", 'fortran_order': False, 'shape': (2, 3), }\n", "malformed_npy", 400},
    {"{'descr': '<f\\x34', 'fortran_order': False, 'shape': (2, 3), }\n", "malformed_npy", 400},
    {"{'descr': '<f4\xff', 'fortran_order': False, 'shape': (2, 3), }\n", "malformed_npy", 400},
    {"{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (2, 3), }\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'name': 'x'}\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False}\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }\n", "malformed_npy", 400},
    {"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551615,), }\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551622,), }\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775808, 2, 3), }\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 0), }\n", "malformed_npy", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1844674407370955160, 20, 0), }\n", "malformed_npy", 400},
    {"{'descr': '=f4', 'fortran_order': False, 'shape': (2, 3), }\n", "wrong_type", 400},
    {"{'descr': '>V2', 'fortran_order': False, 'shape': (3, 4), }\n", "wrong_type", 400},
    {"{'descr': '|V4', 'fortran_order': False, 'shape': (2, 3), }\n", "wrong_type", 400},
    {"{'descr': '', 'fortran_order': False, 'shape': (2, 3), }\n", "wrong_type", 400},
    {"{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }\n", "wrong_type", 400},
    {"{'descr': '|b1', 'fortran_order': False, 'shape': (24,), }\n", "wrong_type", 400},
    {"{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }\n", "wrong_type", 400},
    {"{'descr': '<f4 and a name longer than any', 'fortran_order': False, 'shape': (2, 3), }\n", "wrong_type", 400},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,2,3), }\n", "wrong_type", 400},
};

START_TEST(a_header_that_is_not_one_is_refused)
{
    struct npy_bytes body = {0};
    const float logits[6] = {0};
    npy_add_header(&body, 1, refused[_i].dict);
    npy_append(&body, logits, sizeof logits);
    struct answer answer = send(SOFTMAX, "", &body);
    const bool whole = strstr(ask_text(&answer, "detail"), "continues after") != NULL;
    assert_refused(&answer, refused[_i].dict, refused[_i].status, refused[_i].code, whole ? "" : "/logits");
    npy_answer_free(&answer);
    npy_free(&body);
}
END_TEST

START_TEST(one_number_is_no_logits)
{
    struct npy_bytes body = {0};
    npy_add(&body, "<f4", SHAPE(), (float[]){1});
    struct answer answer = send(SOFTMAX, "", &body);
    assert_refused(&answer, "()", 400, "wrong_type", "/logits");
    npy_answer_free(&answer);
    npy_free(&body);
}
END_TEST

/* Every beginning of a body is refused, whoever owns it. */
START_TEST(a_body_that_is_cut_off_is_refused)
{
    struct npy_bytes body = {0};
    npy_add(&body, "<f4", SHAPE(2, 3), (float[6]){0});
    for (struct npy_bytes part = {body.bytes, 0}; part.length < body.length; part.length++) {
        const struct npy_request request = {SOFTMAX, NULL, API_NPY, NULL, part.length % 2 != 0};
        struct answer answer = npy_ask(&request, &part);
        assert_refused(&answer, "a part", 400, "malformed_npy", "/logits");
        npy_answer_free(&answer);
    }
    npy_free(&body);
}
END_TEST

/* An array without axes has one element all the same. */
START_TEST(a_number_that_is_cut_off_is_refused)
{
    static const char *const dicts[] = {"{'descr': '<u8', 'fortran_order': False, 'shape': (), }\n",
                                        "{'descr': '<u8', 'fortran_order': False, 'shape': (1,), }\n"};
    for (size_t i = 0; i < sizeof dicts / sizeof *dicts; i++)
        for (size_t length = 0; length <= 8; length++) {
            struct npy_bytes body = {0};
            npy_add(&body, "<f4", SHAPE(2), (float[]){1, 2});
            npy_add_header(&body, 1, dicts[i]);
            const size_t end = body.length;
            npy_append(&body, "\7\0\0\0\0\0\0\0", length);
            struct answer answer = send("/v1/gumbel_softmax", "arrays=logits,seed,tau", &body);
            assert_refused(&answer, dicts[i], 400, "malformed_npy", length < 8 ? "/seed" : "/tau");
            ck_assert_uint_eq((size_t)json_integer_value(json_object_get(answer.json, "offset")),
                              length < 8 ? end : body.length);
            npy_answer_free(&answer);
            npy_free(&body);
        }
}
END_TEST

static void assert_refused_bytes(const char *bytes, size_t length)
{
    struct npy_bytes body = {0};
    npy_append(&body, bytes, length);
    struct answer answer = send(SOFTMAX, "", &body);
    assert_refused(&answer, "bytes", 400, "malformed_npy", "/logits");
    npy_answer_free(&answer);
    npy_free(&body);
}

START_TEST(a_beginning_that_is_none_is_refused)
{
    static const char zip[] = "PK\3\4 an .npz", version_0[] = "\x93NUMPY\0\0\2\0{}",
                      version_4[] = "\x93NUMPY\4\0\2\0\0\0{}", minor[] = "\x93NUMPY\1\1\2\0{}",
                      long_header[] = "\x93NUMPY\2\0\xff\xff\xff\xff{}";
    assert_refused_bytes("{\"logits\":[1]}", 14);
    assert_refused_bytes(zip, sizeof zip);
    assert_refused_bytes(version_0, sizeof version_0);
    assert_refused_bytes(version_4, sizeof version_4);
    assert_refused_bytes(minor, sizeof minor);
    assert_refused_bytes(long_header, sizeof long_header);
}
END_TEST

START_TEST(a_header_has_a_longest)
{
    for (int length = NPY_MOST_HEADER_BYTES; length <= NPY_MOST_HEADER_BYTES + 1; length++) {
        struct npy_bytes body = {0};
        char dict[NPY_MOST_HEADER_BYTES + 2];
        snprintf(dict, sizeof dict, "%-*s\n", length - 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }");
        npy_add_header(&body, 1, dict);
        npy_append(&body, (float[]){1}, sizeof(float));
        struct answer answer = send(SOFTMAX, "", &body);
        ck_assert_int_eq(answer.status, length == NPY_MOST_HEADER_BYTES ? 200 : 400);
        npy_answer_free(&answer);
        npy_free(&body);
    }
}
END_TEST

/* ---- Elements ---- */

enum { HALVES = 65536 };

/* What IEEE 754 says of a half that is finite. */
static double half_value(unsigned half)
{
    const int exponent = half >> 10 & 0x1f;
    const double fraction = half & 0x3ff,
                 magnitude = exponent > 0 ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
    return half & 0x8000 ? -magnitude : magnitude;
}

static bool is_finite_half(unsigned half)
{
    return (half >> 10 & 0x1f) != 0x1f;
}

/* log_softmax of [h, 0] at temperature 2^-40 holds -|h| 2^40, exactly: below the greater one, which is 0. */
START_TEST(halves_are_taken_exactly)
{
    static uint16_t pairs[2 * HALVES];
    size_t rows = 0;
    for (unsigned half = 0; half < HALVES; half++)
        if (is_finite_half(half))
            pairs[2 * rows++] = (uint16_t)half;
    struct npy_bytes body = {0};
    npy_add(&body, "<f2", SHAPE(rows, 2), pairs);
    const struct npy_request request = {LOG_SOFTMAX, "temperature=9.094947017729282e-13", API_NPY, API_NPY, true};
    struct answer answer = npy_ask(&request, &body);
    size_t at = 0;
    const struct api_tensor result = npy_next(&answer, &at);
    ck_assert_int_eq(result.dtype, API_FLOAT32);
    for (size_t row = 0; row < rows; row++) {
        const double half = half_value(pairs[2 * row]);
        const float *pair = (const float *)result.data + 2 * row;
        if (half != 0)
            ck_assert_msg(pair[half > 0] == -fabs(half) * 0x1p40 && pair[half < 0] == 0, "%a: %a %a", half,
                          (double)pair[0], (double)pair[1]);
    }
    npy_answer_free(&answer);
    npy_free(&body);
}
END_TEST

/* The halves of floats, which log_softmax at temperature 1 answers as they are below a greater one. */
START_TEST(bfloats_are_the_upper_halves_of_floats)
{
    static uint16_t pairs[2 * HALVES];
    size_t rows = 0;
    for (unsigned bfloat = 0; bfloat < HALVES; bfloat++)
        if ((bfloat >> 7 & 0xff) < 127 + 60 && (bfloat >> 7 & 0xff) > 127 - 60)
            pairs[2 * rows++] = (uint16_t)bfloat;
    for (size_t kind = 0; kind < 2; kind++) {
        struct npy_bytes body = {0};
        npy_add(&body, kind == 0 ? "<V2" : "|V2", SHAPE(rows, 2), pairs);
        const struct npy_request request = {LOG_SOFTMAX, "temperature=8.673617379884035e-19", API_NPY, API_NPY, true};
        struct answer answer = npy_ask(&request, &body);
        size_t at = 0;
        const struct api_tensor result = npy_next(&answer, &at);
        ck_assert_int_eq(result.dtype, API_FLOAT32);
        for (size_t row = 0; row < rows; row++) {
            const uint32_t bits = (uint32_t)pairs[2 * row] << 16;
            const float *pair = (const float *)result.data + 2 * row;
            float value;
            memcpy(&value, &bits, sizeof value);
            ck_assert_msg(fabsf(value) < 0x1p-52f || pair[value > 0] == -fabsf(value) * 0x1p60f, "%a: %a %a",
                          (double)value, (double)pair[0], (double)pair[1]);
        }
        npy_answer_free(&answer);
        npy_free(&body);
    }
}
END_TEST

/* -inf excludes a class; +inf and every NaN leave the row without an answer. */
START_TEST(halves_that_are_not_finite_stay_so)
{
    for (unsigned half = 0; half < HALVES; half++) {
        if (is_finite_half(half))
            continue;
        struct npy_bytes body = {0};
        npy_add(&body, "<f2", SHAPE(2), (uint16_t[]){(uint16_t)half, 0});
        struct answer answer = send(SOFTMAX, half & 0x3ff ? "on_invalid=zero" : "", &body);
        if (half & 0x3ff)
            ck_assert_ptr_nonnull(strstr(answer.text, "[\"NaN\",\"NaN\"]"));
        else if (half & 0x8000)
            ck_assert_ptr_nonnull(strstr(answer.text, "[0.0,1.0]"));
        else
            assert_refused(&answer, "+inf", 422, "invalid_row", "/logits");
        npy_answer_free(&answer);
        npy_free(&body);
    }
}
END_TEST

static const struct {
    const char *query, *descr;
    const char *dtype; /* "" if it is refused */
} precisions[] = {
    {"", "<f2", "float32"},
    {"", "<V2", "float32"},
    {"", "|V2", "float32"},
    {"", "<f4", "float32"},
    {"", ">f8", "float64"},
    {"", "<f8", "float64"},
    {"dtype=float32", "<f2", "float32"},
    {"dtype=float32", "<f4", "float32"},
    {"dtype=float32", "<f8", ""},
    {"dtype=float64", "<f2", "float64"},
    {"dtype=float64", "<f4", "float64"},
    {"dtype=float64", "|V2", "float64"},
    {"dtype=float64", ">f4", "float64"},
    {"dtype=float64", "<f8", "float64"},
};

START_TEST(the_precision_is_the_arrays)
{
    struct npy_bytes body = {0};
    npy_add(&body, precisions[_i].descr, SHAPE(1, 3), (double[3]){0});
    struct answer answer = send(SOFTMAX, precisions[_i].query, &body);
    if (*precisions[_i].dtype != '\0')
        ck_assert_str_eq(ask_text(&answer, "dtype"), precisions[_i].dtype);
    else
        assert_refused(&answer, precisions[_i].descr, 400, "wrong_type", "/dtype");
    npy_answer_free(&answer);
    npy_free(&body);
}
END_TEST

/* 1, -2.5, 0.375 in each type. */
static const struct {
    const char *descr;
    const void *data;
} narrow[] = {
    {"<f4", (const float[]){1, -2.5f, 0.375f}},
    {"<f2", (const uint16_t[]){0x3c00, 0xc100, 0x3600}},
    {"<V2", (const uint16_t[]){0x3f80, 0xc020, 0x3ec0}},
    {">f2", "\x3c\x00\xc1\x00\x36\x00"},
};

START_TEST(floats_are_widened)
{
    struct npy_bytes body = {0}, wide = {0};
    npy_add(&body, narrow[_i].descr, SHAPE(3), narrow[_i].data);
    npy_add(&body, narrow[_i].descr, SHAPE(3), narrow[_i].data);
    npy_add(&wide, "<f8", SHAPE(3), (double[]){1, -2.5, 0.375});
    npy_add(&wide, narrow[_i].descr, SHAPE(3), narrow[_i].data); /* a narrow cotangent of wide logits */
    static const char query[] = "function=log_softmax&dtype=float64&arrays=logits,cotangent";
    struct answer one = send("/v1/vjp", query, &body), other = send("/v1/vjp", query, &wide);
    ck_assert_msg(one.status == 200, "%s", one.text);
    ck_assert_str_eq(ask_text(&one, "dtype"), "float64");
    ck_assert_str_eq(one.text, other.text);
    npy_answer_free(&one);
    npy_answer_free(&other);
    npy_free(&body);
    npy_free(&wide);
}
END_TEST

/* ---- Orders ---- */

enum { ORDERED = 24 };

static const struct {
    const char *plain, *descr;
    size_t size;
    bool fortran;
} orders[] = {
    {"<f4", ">f4", 4, false}, {"<f8", ">f8", 8, false}, {"<f2", ">f2", 2, false}, {"<f4", "<f4", 4, true},
    {"<f8", ">f8", 8, true},  {"<f2", "<f2", 2, true},  {"<f2", ">f2", 2, true},  {"<V2", "|V2", 2, true},
};

/* Element i of the first in C order of shape 2, 3, 4, in the other's order. */
static void put_ordered(size_t at, char *plain, char *ordered)
{
    const size_t size = orders[at].size;
    for (size_t i = 0; i < ORDERED; i++) {
        const float value = 1 + (float)i / 4;
        const double wide = value;
        const uint16_t narrow_value = (uint16_t)(0x3c00 + 16 * i);
        char element[8];
        memcpy(element, size == 8 ? (const void *)&wide : size == 4 ? (const void *)&value : &narrow_value, size);
        memcpy(plain + i * size, element, size);
        const size_t to = orders[at].fortran ? i / 12 + 2 * (i / 4 % 3) + 6 * (i % 4) : i;
        for (size_t byte = 0; byte < size; byte++)
            ordered[to * size + byte] = element[*orders[at].descr == '>' ? size - 1 - byte : byte];
    }
}

START_TEST(orders_make_no_difference)
{
    char plain[ORDERED * 8], ordered[ORDERED * 8], dict[128];
    struct npy_bytes body = {0}, same = {0};
    put_ordered((size_t)_i, plain, ordered);
    npy_add(&same, orders[_i].plain, SHAPE(2, 3, 4), plain);
    snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': %s, 'shape': (2, 3, 4), }\n", orders[_i].descr,
             orders[_i].fortran ? "True" : "False");
    npy_add_header(&body, 1, dict);
    npy_append(&body, ordered, ORDERED * orders[_i].size);
    struct answer one = send(SOFTMAX, "dim=1", &body), other = send(SOFTMAX, "dim=1", &same);
    ck_assert_msg(one.status == 200, "%s", one.text);
    ck_assert_str_eq(one.text, other.text);
    npy_answer_free(&one);
    npy_answer_free(&other);
    npy_free(&body);
    npy_free(&same);
}
END_TEST

START_TEST(a_mask_in_fortran_order_is_transposed)
{
    struct npy_bytes body = {0};
    npy_add(&body, "<f4", SHAPE(2, 3), (float[6]){0});
    npy_add_header(&body, 1, "{'descr': '|b1', 'fortran_order': True, 'shape': (2, 3), }\n");
    npy_append(&body, "\1\0\0\1\0\1", 6);
    struct answer answer = send(SOFTMAX, "arrays=logits,mask", &body);
    ck_assert_msg(strstr(answer.text, "[[1.0,0.0,0.0],[0.0,0.5,0.5]]") != NULL, "%s", answer.text);
    npy_answer_free(&answer);
    npy_free(&body);
}
END_TEST

START_TEST(rows_without_an_answer_are_named)
{
    const float rows[][4] = {{1, -INFINITY, 0, 0}, {-INFINITY, -INFINITY, 0, 0}, {1, NAN, 0, 0}, {1, INFINITY, 0, 0}};
    for (size_t i = 0; i < 4; i++) {
        struct npy_bytes body = {0};
        npy_add(&body, "<f4", SHAPE(2, 2), (float[]){0, 0, rows[i][0], rows[i][1]});
        struct answer answer = send(SOFTMAX, "", &body);
        if (i > 0)
            assert_refused(&answer, "row", 422, "invalid_row", "/logits/1");
        else
            assert_answered(&answer);
        npy_answer_free(&answer);
        npy_free(&body);
    }
}
END_TEST

TEST_SUITE("api")
{
    Suite *suite = suite_create("api: npy bodies");
    TCase *header = tcase_create("headers"), *elements = tcase_create("elements");
    tcase_add_loop_test(header, a_header_may_be_written_in_many_ways, 0, sizeof headers / sizeof *headers);
    tcase_add_loop_test(header, a_header_that_is_not_one_is_refused, 0, sizeof refused / sizeof *refused);
    tcase_add_test(header, one_number_is_no_logits);
    tcase_add_test(header, a_body_that_is_cut_off_is_refused);
    tcase_add_test(header, a_number_that_is_cut_off_is_refused);
    tcase_add_test(header, a_beginning_that_is_none_is_refused);
    tcase_add_test(header, a_header_has_a_longest);
    tcase_add_test(elements, halves_are_taken_exactly);
    tcase_add_test(elements, bfloats_are_the_upper_halves_of_floats);
    tcase_add_test(elements, halves_that_are_not_finite_stay_so);
    tcase_add_loop_test(elements, floats_are_widened, 0, sizeof narrow / sizeof *narrow);
    tcase_add_loop_test(elements, orders_make_no_difference, 0, sizeof orders / sizeof *orders);
    tcase_add_test(elements, a_mask_in_fortran_order_is_transposed);
    tcase_add_loop_test(elements, the_precision_is_the_arrays, 0, sizeof precisions / sizeof *precisions);
    tcase_add_test(elements, rows_without_an_answer_are_named);
    suite_add_tcase(suite, header);
    suite_add_tcase(suite, elements);
    return suite;
}
