/* gzip and deflate of bodies, piece by piece and within a limit. */
#define _GNU_SOURCE
#include "api.h"
#include "encoding.h"
#include "lib/http.h"
#include "lib/process.h"
#include "lib/requests.h"
#include "lib/suite.h"

#include "lib/assertions.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define PATH "/v1/gumbel_softmax"
#define BODY "{\"logits\":[[0.5,-1,2.25],[3,1e-3,null]],\"tau\":0.5,\"seed\":11}"

struct bytes {
    char *data;
    size_t length;
};

/* Window bits as zlib takes them: 31 is gzip, 15 zlib, -15 raw. */
static struct bytes deflated(const char *data, size_t length, int bits)
{
    z_stream stream = {0};
    ck_assert_int_eq(deflateInit2(&stream, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    struct bytes out = {.length = deflateBound(&stream, length)};
    out.data = malloc(out.length);
    stream.next_in = (Bytef *)data;
    stream.avail_in = (uInt)length;
    stream.next_out = (Bytef *)out.data;
    stream.avail_out = (uInt)out.length;
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    out.length = stream.total_out;
    deflateEnd(&stream);
    return out;
}

static const struct format {
    const char *name;
    enum encoding encoding;
    int bits;
} formats[] = {{"gzip", ENCODING_GZIP, 31}, {"deflate", ENCODING_DEFLATE, 15}, {"deflate", ENCODING_DEFLATE, -15}};
enum { FORMATS = sizeof formats / sizeof *formats };

/* ---- Names ---- */

START_TEST(fields_name_one_coding)
{
    static const struct {
        const char *first, *second;
        enum encoding expected;
    } cases[] = {
        {"", "", ENCODING_IDENTITY},         {"identity", " identity , identity", ENCODING_IDENTITY},
        {"gzip", "", ENCODING_GZIP},         {"X-GZip", "identity", ENCODING_GZIP},
        {" deflate ", "", ENCODING_DEFLATE}, {"identity,deflate", "", ENCODING_DEFLATE},
        {"gzip", "gzip", ENCODING_UNKNOWN},  {"gzip, deflate", "", ENCODING_UNKNOWN},
        {"br", "", ENCODING_UNKNOWN},        {"gzip2", "", ENCODING_UNKNOWN},
        {"gzi", "", ENCODING_UNKNOWN},       {"*", "", ENCODING_UNKNOWN},
        {"br", "gzip", ENCODING_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(encoding_add(encoding_add(ENCODING_IDENTITY, cases[i].first), cases[i].second) ==
                          cases[i].expected,
                      "%s + %s", cases[i].first, cases[i].second);
}
END_TEST

START_TEST(weights_choose_gzip)
{
    static const struct {
        const char *accept;
        enum gzip expected;
    } cases[] = {
        {NULL, GZIP_NEVER},
        {"", GZIP_NEVER},
        {"identity", GZIP_NEVER},
        {"br, deflate", GZIP_NEVER},
        {"gzip", GZIP_ALLOWED},
        {"x-gzip", GZIP_ALLOWED},
        {"*", GZIP_ALLOWED},
        {"br;q=1.0, GZIP;q=0.8, *;q=0.1", GZIP_ALLOWED},
        {"gzip;q=0", GZIP_NEVER},
        {"gzip; q=0.000, *", GZIP_NEVER},
        {"*;q=0", GZIP_NEVER},
        {"gzip;q=0.5, identity", GZIP_NEVER},
        {"gzip;q=0.5, identity;q=0.5", GZIP_ALLOWED},
        {"gzip;q=0.001", GZIP_ALLOWED},
        {"gzip, identity;q=0", GZIP_DEMANDED},
        {"gzip;q=0.2, *;q=0", GZIP_DEMANDED},
        {"gzip, identity;q=0.1, *;q=0", GZIP_ALLOWED},
        {"identity;q=0", GZIP_NEVER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(encoding_gzip_wanted(cases[i].accept) == cases[i].expected, "%s", cases[i].accept);
}
END_TEST

/* ---- Bodies alone ---- */

/* Gives `in` in pieces and says how that ended; *body is to be dropped. */
static enum inflating_result take(struct body *body, enum encoding encoding, size_t limit, const struct bytes *in,
                                  size_t piece)
{
    struct inflating inflating;
    enum inflating_result result = INFLATING_MORE;
    *body = (struct body){.limit = limit};
    for (size_t at = 0; at < in->length; at += piece)
        if (body_add(body, in->data + at, in->length - at < piece ? in->length - at : piece) != BODY_OK)
            return INFLATING_TOO_LARGE;
    ck_assert(inflating_begin(&inflating, body, encoding));
    while (result == INFLATING_MORE) {
        const size_t before = body->length;
        result = inflating_step(&inflating);
        ck_assert_uint_le(body->length - before, 1 << 20);
    }
    inflating_end(&inflating);
    return result;
}

static char *text_of(size_t length)
{
    char *text = requests_gumbel(1 + length / 600, 100, 3);
    ck_assert_uint_ge(strlen(text), length);
    text[length] = '\0';
    return text;
}

START_TEST(pieces_of_any_size_give_the_body)
{
    static const size_t lengths[] = {0, 1, 2, 100, 4095, 4096, 4097, 60000}, pieces[] = {1, 2, 3, 7, 1000, 100000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (size_t j = 0; j < sizeof pieces / sizeof *pieces; j++) {
            char *text = text_of(lengths[i]);
            struct bytes in = deflated(text, lengths[i], formats[_i].bits);
            struct body body;
            ck_assert_int_eq(take(&body, formats[_i].encoding, 100000, &in, pieces[j]), INFLATING_DONE);
            ck_assert_uint_eq(body.length, lengths[i]);
            ck_assert_uint_eq(body.received, in.length);
            ck_assert_mem_eq(body.bytes, text, lengths[i] + 1);
            body_drop(&body);
            free(in.data);
            free(text);
        }
}
END_TEST

START_TEST(members_of_gzip_follow_each_other)
{
    struct bytes first = deflated("ab", 2, 31), second = deflated("c", 1, 31);
    struct bytes in = {malloc(first.length + second.length), first.length + second.length};
    memcpy(in.data, first.data, first.length);
    memcpy(in.data + first.length, second.data, second.length);
    for (size_t piece = 1; piece <= in.length; piece++) {
        struct body body;
        ck_assert_int_eq(take(&body, ENCODING_GZIP, 100, &in, piece), INFLATING_DONE);
        ck_assert_str_eq(body.bytes, "abc");
        body_drop(&body);
    }
    free(first.data);
    free(second.data);
    free(in.data);
}
END_TEST

/* A body cut short anywhere, or with a byte too many. */
START_TEST(a_body_that_is_not_whole_is_malformed)
{
    struct bytes in = deflated(BODY, strlen(BODY), formats[_i].bits);
    in.data = realloc(in.data, in.length + 1);
    in.data[in.length] = 'x';
    const size_t whole = in.length;
    for (in.length = 0; in.length <= whole + 1; in.length++)
        for (size_t piece = 1; piece < 100; piece += 49) {
            struct body body;
            const enum inflating_result result = take(&body, formats[_i].encoding, 1000, &in, piece);
            ck_assert_msg(result == (in.length == whole ? INFLATING_DONE : INFLATING_MALFORMED), "%zu of %zu bytes: %d",
                          in.length, whole, result);
            body_drop(&body);
        }
    free(in.data);
}
END_TEST

/* Each bit of it flipped: refused, or (in what gzip's head says of a file) without effect. Raw deflate has no check. */
START_TEST(a_corrupt_body_is_never_taken_for_another)
{
    struct bytes in = deflated(BODY, strlen(BODY), formats[_i].bits);
    for (size_t bit = 0; bit < 8 * in.length; bit++) {
        struct body body;
        in.data[bit / 8] ^= (char)(1 << bit % 8);
        const enum inflating_result result = take(&body, formats[_i].encoding, 1000, &in, 1000);
        ck_assert_int_ne(result, INFLATING_NO_MEMORY);
        if (result == INFLATING_DONE && formats[_i].bits > 0)
            ck_assert_str_eq(body.bytes, BODY);
        body_drop(&body);
        in.data[bit / 8] ^= (char)(1 << bit % 8);
    }
    free(in.data);
}
END_TEST

/* The limit holds for what is inflated, to the byte, and memory stays by it. */
START_TEST(the_limit_is_of_the_inflated_body)
{
    enum { LIMIT = 50000, BOMB = 20000000 };
    char *zeros = calloc(1, BOMB);
    static const size_t lengths[] = {LIMIT - 1, LIMIT, LIMIT + 1, BOMB};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct bytes in = deflated(zeros, lengths[i], formats[_i].bits);
        for (size_t piece = 1; piece <= 1000; piece += 333) {
            struct body body;
            ck_assert_int_eq(take(&body, formats[_i].encoding, LIMIT, &in, piece),
                             lengths[i] <= LIMIT ? INFLATING_DONE : INFLATING_TOO_LARGE);
            ck_assert_uint_le(body.capacity, LIMIT + 1 + API_BODY_PADDING);
            body_drop(&body);
        }
        free(in.data);
    }
    free(zeros);
}
END_TEST

/* A body that inflates out of all proportion, though within the limit. One of a megabyte may have any. */
START_TEST(a_body_is_not_too_dense)
{
    enum { MIB = 1 << 20 };
    char *zeros = calloc(1, 8 * MIB);
    struct body body;
    struct bytes megabyte = deflated(zeros, MIB, formats[_i].bits), more = deflated(zeros, 8 * MIB, formats[_i].bits);
    ck_assert_int_eq(take(&body, formats[_i].encoding, 10 * MIB, &megabyte, 1000), INFLATING_DONE);
    body_drop(&body);
    ck_assert_int_eq(take(&body, formats[_i].encoding, 10 * MIB, &more, 1000), INFLATING_TOO_DENSE);
    ck_assert_uint_lt(body.length, 3 * MIB);
    body_drop(&body);
    free(megabyte.data);
    free(more.data);
    free(zeros);
}
END_TEST

/* Blocks that hold nothing have no end: what is sent is limited as well. */
START_TEST(the_limit_is_of_what_is_sent_too)
{
    enum { LIMIT = 1000 };
    struct bytes in = {calloc(1, LIMIT + 1), LIMIT + 1};
    for (size_t i = 0; i + 5 <= in.length; i += 5)
        memcpy(in.data + i, "\0\0\0\xff\xff", 5);
    struct body body;
    ck_assert_int_eq(take(&body, ENCODING_DEFLATE, LIMIT, &in, 7), INFLATING_TOO_LARGE);
    body_drop(&body);
    free(in.data);
}
END_TEST

/* ---- Bodies that are sent ---- */

static void post(struct http *http, const char *fields, const char *data, size_t length)
{
    http_print(http, "POST " PATH " HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n", fields, length);
    http_send(http, data, length);
}

static struct http_response ask(unsigned port, const char *fields, const char *data, size_t length)
{
    struct http http = http_open(port);
    post(&http, fields, data, length);
    struct http_response response = http_read(&http);
    http_close(&http);
    return response;
}

/* On the loop's thread and with the workers, small and large. */
START_TEST(an_encoded_request_is_the_same_request)
{
    static const char *const fields[] = {"Content-Encoding: %s\r\n", "content-encoding: identity, %s\r\n",
                                         "Content-Encoding: identity\r\nContent-Encoding: %s\r\n"};
    struct process process = process_start("--inline-max-bytes %d", _i % 2 * 4096);
    char *large = requests_gumbel(200, 100, 5);
    const char *const bodies[] = {BODY, large};
    for (size_t i = 0; i < 2; i++) {
        char *expected = requests_answer(PATH, bodies[i]);
        for (size_t j = 0; j < FORMATS; j++) {
            char field[128];
            snprintf(field, sizeof field, fields[j], formats[j].name);
            struct bytes in = deflated(bodies[i], strlen(bodies[i]), formats[j].bits);
            struct http_response response = ask(process.port, field, in.data, in.length);
            ck_assert_msg(response.status == 200, "%s", response.body);
            ck_assert_str_eq(response.body, expected);
            http_free(&response);
            free(in.data);
        }
        free(expected);
    }
    free(large);
    process_end(&process);
}
END_TEST

START_TEST(bytes_are_counted_as_they_are_sent)
{
    struct process process = process_start("--loops 1");
    struct bytes in = deflated(BODY, strlen(BODY), 31);
    struct http_response response = ask(process.port, "Content-Encoding: gzip\r\n", in.data, in.length);
    http_await_metric(process.port, "gumbeld_request_body_bytes_total", (long long)in.length);
    http_free(&response);
    free(in.data);
    process_end(&process);
}
END_TEST

START_TEST(other_encodings_are_415_and_told)
{
    static const char *const fields[] = {"Content-Encoding: br\r\n", "Content-Encoding: gzip, gzip\r\n",
                                         "Content-Encoding: gzip\r\nContent-Encoding: deflate\r\n",
                                         "Content-Encoding: zstd\r\nExpect: 100-continue\r\n"};
    struct process process = process_start("--loops 1");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        struct http http = http_open(process.port);
        http_print(&http, "POST " PATH " HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n", fields[i],
                   strlen(BODY));
        if (strstr(fields[i], "Expect") == NULL)
            http_print(&http, BODY);
        struct http_response response = http_read(&http);
        json_decref(http_problem(&response, 415, "unsupported_encoding"));
        ck_assert(http_field_is(&response, "Accept-Encoding", "gzip, deflate"));
        http_free(&response);
        http_close(&http);
    }
    process_end(&process);
}
END_TEST

START_TEST(malformed_encodings_are_400)
{
    struct process process = process_start("--loops 1");
    struct http http = http_open(process.port);
    struct bytes in = deflated(BODY, strlen(BODY), 31);
    for (int i = 0; i < 3; i++) {
        if (i < 2)
            post(&http, "Content-Encoding: gzip\r\n", i == 0 ? in.data : BODY, i == 0 ? in.length - 1 : strlen(BODY));
        else
            post(&http, "Content-Encoding: deflate\r\n", "", 0);
        struct http_response response = http_read(&http);
        json_decref(http_problem(&response, 400, "malformed_encoding"));
        http_free(&response);
    }
    post(&http, "Content-Encoding: gzip\r\n", in.data, in.length); /* the connection goes on */
    struct http_response response = http_read(&http);
    ck_assert_int_eq(response.status, 200);
    http_free(&response);
    http_close(&http);
    free(in.data);
    process_end(&process);
}
END_TEST

static size_t peak_kib(const struct process *process)
{
    char path[64], line[128];
    size_t peak = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)process->pid);
    FILE *status = fopen(path, "r");
    ck_assert_ptr_nonnull(status);
    while (fgets(line, sizeof line, status) != NULL)
        sscanf(line, "VmHWM: %zu", &peak);
    fclose(status);
    return peak;
}

/* 200 MB of zeros in 200 kB, against a limit of 1 MB. */
START_TEST(a_bomb_is_413_and_takes_no_memory)
{
    enum { BOMB = 200000000, LIMIT = 1000000, CLIENTS = 8 };
    struct process process = process_start("--max-body-bytes %d", LIMIT);
    char *zeros = calloc(1, BOMB);
    struct bytes in = deflated(zeros, BOMB, 31);
    free(zeros);
    const size_t before = peak_kib(&process);
    for (int i = 0; i < CLIENTS; i++) {
        struct http_response response = ask(process.port, "Content-Encoding: gzip\r\n", in.data, in.length);
        json_t *problem = http_problem(&response, 413, "body_too_large");
        ck_assert_int_eq(json_integer_value(json_object_get(problem, "limit")), LIMIT);
        json_decref(problem);
        http_free(&response);
    }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    ck_assert_uint_lt(peak_kib(&process) - before, 8 * 1024);
#else
    (void)before;
#endif
    free(in.data);
    process_end(&process);
}
END_TEST

TEST_SUITE("server")
{
    Suite *suite = suite_create("server encodings");

    TCase *alone = tcase_create("alone");
    tcase_set_timeout(alone, 60);
    tcase_add_test(alone, fields_name_one_coding);
    tcase_add_test(alone, weights_choose_gzip);
    tcase_add_loop_test(alone, pieces_of_any_size_give_the_body, 0, FORMATS);
    tcase_add_test(alone, members_of_gzip_follow_each_other);
    tcase_add_loop_test(alone, a_body_that_is_not_whole_is_malformed, 0, FORMATS);
    tcase_add_loop_test(alone, a_corrupt_body_is_never_taken_for_another, 0, FORMATS);
    tcase_add_loop_test(alone, the_limit_is_of_the_inflated_body, 0, FORMATS);
    tcase_add_loop_test(alone, a_body_is_not_too_dense, 0, FORMATS);
    tcase_add_test(alone, the_limit_is_of_what_is_sent_too);
    suite_add_tcase(suite, alone);

    TCase *requests = tcase_create("requests");
    tcase_set_timeout(requests, 60);
    tcase_add_loop_test(requests, an_encoded_request_is_the_same_request, 0, 2);
    tcase_add_test(requests, bytes_are_counted_as_they_are_sent);
    tcase_add_test(requests, other_encodings_are_415_and_told);
    tcase_add_test(requests, malformed_encodings_are_400);
    tcase_add_test(requests, a_bomb_is_413_and_takes_no_memory);
    suite_add_tcase(suite, requests);

    return suite;
}
