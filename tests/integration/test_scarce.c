/* The server while it serves, short of memory: whichever allocation of a request is refused, it gives the right answer,
 * an honest one or none, goes on to serve, and keeps nothing. */
#define _GNU_SOURCE
#include "lib/http.h"
#include "lib/process.h"
#include "lib/raw.h"
#include "lib/requests.h"
#include "lib/scarce.h"
#include "lib/suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { MOST_BODY = 200000 };
#define FLAGS "--gzip json --workers 1 --max-body-bytes 200000 --max-wait-ms 600000 --request-timeout-ms 600000"
#define SMALL "{\"logits\":[[1,2,3]],\"tau\":0.5,\"seed\":7}"
#define GZIP_IN "Content-Encoding: gzip\r\n"
#define GZIP_OUT "Accept-Encoding: gzip\r\n"
#define CHUNKS "Transfer-Encoding: chunked\r\n"
#define LINES "Accept: application/x-ndjson\r\n"
#define NPY "Content-Type: application/x-npy\r\n"
#define GZIP_ONLY "Accept-Encoding: gzip\r\nAccept-Encoding: identity;q=0\r\n"

enum body { NONE, LITTLE, LARGE, COMPRESSED, CHUNKED, TOO_LARGE };

static const struct request {
    const char *line, *fields, *plain_fields; /* the last: whose answer will do as well */
    enum body body;
    int status; /* of the answer when nothing is refused */
} requests[] = {
    {"POST /v1/gumbel_softmax", "", "", LITTLE, 200},
    {"POST /v1/gumbel_softmax", "Accept: application/json\r\nAccept: text/html\r\n" GZIP_ONLY, "", LITTLE, 200},
    {"POST /v1/gumbel_softmax", "Origin: http://localhost\r\n", "", LARGE, 200},
    {"POST /v1/gumbel_softmax", GZIP_IN GZIP_OUT, GZIP_IN, COMPRESSED, 200},
    {"POST /v1/gumbel_softmax", CHUNKS, CHUNKS, CHUNKED, 200},
    {"POST /v1/gumbel_softmax", LINES, LINES, LARGE, 200},
    {"POST /v1/gumbel_softmax", LINES GZIP_IN, LINES GZIP_IN, COMPRESSED, 200},
    {"POST /v1/gumbel_softmax", "", "", TOO_LARGE, 413},
    {"POST /v1/softmax?temperature=1&dim=0", NPY, NPY, LITTLE, 400},
    {"GET /openapi.yaml", GZIP_OUT, "", NONE, 200},
    {"GET /v1/softmax", "", "", NONE, 405},
    {"GET /metrics", "", "", NONE, 200},
};
enum { REQUESTS = sizeof requests / sizeof *requests };

struct bytes {
    char *bytes;
    size_t length;
};

/* A request that closes its connection, but for its body. */
static char *head_of(const struct request *how, const char *fields, size_t length)
{
    char *head;
    const int result = how->body == CHUNKED
                           ? asprintf(&head, "%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n%zx\r\n",
                                      how->line, fields, length)
                           : asprintf(&head,
                                      "%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%sContent-Length: %zu"
                                      "\r\n\r\n",
                                      how->line, fields, length);
    ck_assert_int_ge(result, 0);
    return head;
}

static struct bytes body_of(enum body kind)
{
    if (kind == TOO_LARGE)
        return (struct bytes){memset(malloc(2 * MOST_BODY), ' ', 2 * MOST_BODY), 2 * MOST_BODY};
    const bool is_large = kind == LARGE || kind == COMPRESSED;
    struct bytes body = {is_large ? requests_gumbel(20, 300, 3) : strdup(kind == NONE ? "" : SMALL), 0};
    body.length = strlen(body.bytes);
    if (kind != COMPRESSED)
        return body;
    struct bytes compressed = {0};
    compressed.bytes = requests_gzip(body.bytes, body.length, &compressed.length);
    free(body.bytes);
    return compressed;
}

/* ---- Asking ---- */

struct answer {
    char statuses[64]; /* as raw_statuses says */
    char *text;        /* to be freed */
    const char *body;
    size_t body_length;
};

static struct answer read_answer(int fd)
{
    size_t length = 0, capacity = 1 << 20;
    struct answer answer = {.text = calloc(1, capacity)};
    ssize_t count;
    ck_assert_ptr_nonnull(answer.text);
    while ((count = recv(fd, answer.text + length, capacity - length - 1, 0)) > 0)
        length += (size_t)count;
    ck_assert_uint_lt(length, capacity - 1);
    ck_assert_msg(count == 0 || errno == ECONNRESET, "no answer: %m");
    raw_statuses(answer.text, length, false, answer.statuses, sizeof answer.statuses);
    const char *end = strstr(answer.text, "\r\n\r\n");
    answer.body = end != NULL ? end + 4 : answer.text + length;
    answer.body_length = length - (size_t)(answer.body - answer.text);
    return answer;
}

static struct answer ask(unsigned port, const struct request *how, const char *fields)
{
    const struct bytes body = body_of(how->body);
    char *head = head_of(how, fields, body.length);
    struct http http = http_open(port);
    if (http_try_send(&http, head, strlen(head)) && http_try_send(&http, body.bytes, body.length) &&
        how->body == CHUNKED)
        http_try_send(&http, "\r\n0\r\n\r\n", 7);
    const struct answer answer = read_answer(http.fd);
    http_close(&http);
    free(head);
    free(body.bytes);
    return answer;
}

/* ---- Judging ---- */

static bool is_same(const struct answer *answer, const struct answer *right)
{
    return strcmp(answer->statuses, right->statuses) == 0 && answer->body_length == right->body_length &&
           memcmp(answer->body, right->body, right->body_length) == 0;
}

static bool is_honest(const struct answer *answer)
{
    if (strcmp(answer->statuses, "") == 0 || strcmp(answer->statuses, "cut") == 0)
        return true;
    const bool compressed = strstr(answer->text, "Content-Encoding: gzip") != NULL;
    return strcmp(answer->statuses, "503") == 0 && strstr(answer->text, "Retry-After: ") != NULL &&
           (compressed || strstr(answer->body, "out_of_memory") != NULL);
}

static size_t count_lines(const struct answer *answer)
{
    size_t lines = 0;
    for (const char *at = answer->body; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    return lines;
}

/* Metrics change, but none is ever lost. */
static bool is_later(const struct answer *answer, const struct answer *right)
{
    return strstr(right->body, "# HELP ") != NULL && strcmp(answer->statuses, right->statuses) == 0 &&
           count_lines(answer) >= count_lines(right);
}

static void check_lives(struct process *process, const char *what)
{
    struct http http = http_open(process->port);
    http_print(&http, "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    struct http_response response = http_try_read(&http, false);
    ck_assert_msg(response.status == 200, "after %s: status %d: %s", what, response.status, process_errors(process));
    http_free(&response);
    http_close(&http);
}

/* How many allocations the request has been refused, one each time, before one went through undisturbed. */
static int refuse_each(struct process *process, struct scarce_plan *plan, const struct request *how)
{
    enum { MOST = 2000 };
    const struct answer right = ask(process->port, how, how->fields);
    const struct answer plain = ask(process->port, how, how->plain_fields);
    ck_assert_msg(atoi(right.statuses) == how->status, "%s: %s", how->line, right.text);
    for (int place = 1; place < MOST; place++) {
        char what[96];
        snprintf(what, sizeof what, "%s %s: allocation %d", how->line, how->fields, place);
        atomic_store(&plan->failed, 0);
        atomic_store(&plan->until, place);
        const struct answer answer = ask(process->port, how, how->fields);
        atomic_store(&plan->until, 0);
        const bool failed = atomic_load(&plan->failed) > 0;
        ck_assert_msg(is_same(&answer, &right) || (failed && (is_same(&answer, &plain) || is_honest(&answer))) ||
                          is_later(&answer, &right),
                      "%s: %s: %.1000s", what, answer.statuses, answer.text);
        free(answer.text);
        check_lives(process, what);
        if (!failed) {
            free(right.text);
            free(plain.text);
            return place - 1;
        }
    }
    ck_abort_msg("%s: no end", how->line);
}

START_TEST(a_refused_allocation_costs_one_request_at_most)
{
    const struct request *how = &requests[_i];
    struct scarce_plan *plan;
    if (!SCARCE_CAN_PRELOAD)
        return;
    struct process process = scarce_start(&plan, FLAGS);
    const long long memory = http_metric(process.port, "gumbeld_memory_bytes");
    ck_assert_int_gt(refuse_each(&process, plan, how), 5);
    http_await_metric(process.port, "gumbeld_requests_in_flight", 1);
    http_await_metric(process.port, "gumbeld_requests_queued", 0);
    http_await_metric(process.port, "gumbeld_streams", 0);
    http_await_metric(process.port, "gumbeld_connections", 1);
    http_await_metric(process.port, "gumbeld_memory_bytes", memory);
    process_end(&process);
}
END_TEST

TEST_SUITE("server")
{
    Suite *suite = suite_create("server short of memory");
    TCase *serving = tcase_create("serving");
    tcase_set_timeout(serving, 60);
    tcase_add_loop_test(serving, a_refused_allocation_costs_one_request_at_most, 0, REQUESTS);
    suite_add_tcase(suite, serving);
    return suite;
}
