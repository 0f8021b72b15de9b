/* What is read from a request's head and its query, and the trace that it belongs to. */
#define _GNU_SOURCE
#include "connection.h"
#include "fields.h"
#include "lib/http.h"
#include "lib/process.h"
#include "lib/suite.h"
#include "request_id.h"

#include "lib/assertions.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH "/v1/softmax"
#define BODY "{\"logits\":[1,2]}"

/* ---- Fields and query, by a server that answers what it has read ---- */

static const char *shown(const char *text)
{
    return text != NULL ? text : "(none)";
}

static void describe(FILE *out, struct MHD_Connection *connection, const char *method, const char *version)
{
    struct fields fields;
    ck_assert_int_eq(fields_read(connection, method, version, &fields, NULL), 0);
    fprintf(out, "%s|%s|%s|%s|%d|%llu|%d|%zu", shown(fields.content_type), shown(fields.accept),
            shown(fields.accept_encoding), shown(fields.traceparent), fields.encoding,
            (unsigned long long)fields.announced, fields.expects, fields.target.query_count);
    for (size_t i = 0; i < fields.target.query_count; i++)
        fprintf(out, "|%s=%zu:%s", fields.target.query[i].name, fields.target.query[i].length,
                fields.target.query[i].value);
    fields_free(&fields);
    fprintf(out, "|%s", shown(fields_header(connection, "inference-header-content-LENGTH")));
}

static enum MHD_Result answer(void *closure, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *data_length, void **context)
{
    (void)closure, (void)url, (void)data;
    if (*context == NULL) {
        *context = connection;
        return MHD_YES;
    }
    if (*data_length > 0) {
        *data_length = 0;
        return MHD_YES;
    }
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    describe(out, connection, method, version);
    fclose(out);
    struct MHD_Response *response = MHD_create_response_from_buffer(length, text, MHD_RESPMEM_MUST_FREE);
    const enum MHD_Result result = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return result;
}

static void on_connection(void *loop, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    (void)connection;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        struct connection *own = calloc(1, sizeof *own);
        own->loop = loop;
        *context = own;
        return;
    }
    connection_clear_target(*context);
    free(*context);
}

START_TEST(fields_and_query_are_read)
{
    static const struct {
        const char *query, *fields, *expected;
    } cases[] = {
        {"", "", "(none)|(none)|(none)|(none)|0|0|0|0|(none)"},
        {"?", "Accept: a\r\nAccept: b\r\nAccept: c;q=0.1\r\n", "(none)|a, b, c;q=0.1|(none)|(none)|0|0|0|0|(none)"},
        {"", "Accept-Encoding: a, b\r\nAccept-Encoding: c\r\n", "(none)|(none)|a, b, c|(none)|0|0|0|0|(none)"},
        {"?tau=0.5&seed=7", "accept-ENCODING: gzip\r\n", "(none)|(none)|gzip|(none)|0|0|0|2|tau=3:0.5|seed=1:7|(none)"},
        {"?b=1&a=2&b=3&b=", "", "(none)|(none)|(none)|(none)|0|0|0|4|b=1:1|a=1:2|b=1:3|b=0:|(none)"},
        {"?flag&x=%31%3D%26+%2B", "", "(none)|(none)|(none)|(none)|0|0|0|2|flag=0:|x=5:1=& +|(none)"},
        {"?a%00b=1&c=d%00e", "", "(none)|(none)|(none)|(none)|0|0|0|2|a%00b=1:1|c=5:d%00e|(none)"},
        {"?a=%00&b=%0%00%31%00", "", "(none)|(none)|(none)|(none)|0|0|0|2|a=3:%00|b=9:%0%001%00|(none)"},
        {"?x=1=2", "Inference-Header-Content-Length: 12\r\n", "(none)|(none)|(none)|(none)|0|0|0|1|x=3:1=2|12"},
        {"", "Content-Type: t\r\nContent-Length: 0\r\nContent-Encoding: gzip\r\n",
         "t|(none)|(none)|(none)|1|0|0|0|(none)"},
        {"", "Content-Type: t\r\ncontent-type: t\r\n", "|(none)|(none)|(none)|0|0|0|0|(none)"},
        {"", "Traceparent: x\r\n", "(none)|(none)|(none)|x|0|0|0|0|(none)"},
        {"", "traceparent: x\r\ntraceparent: x\r\n", "(none)|(none)|(none)||0|0|0|0|(none)"},
    };
    struct loop loop = {0};
    connections_init(&loop.connections);
    struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, answer, NULL,
                                                 MHD_OPTION_URI_LOG_CALLBACK, fields_note_target, NULL,
                                                 MHD_OPTION_NOTIFY_CONNECTION, on_connection, &loop, MHD_OPTION_END);
    ck_assert_ptr_nonnull(daemon);
    const unsigned port = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http http = http_open(port);
        http_print(&http, "GET /%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", cases[i].query, cases[i].fields);
        struct http_response response = http_read(&http);
        ck_assert_str_eq(response.body, cases[i].expected);
        http_free(&response);
        http_close(&http);
    }
    MHD_stop_daemon(daemon);
}
END_TEST

/* ---- Traces ---- */

#define ID "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"
#define VALID "00-" ID "-" SPAN "-01"

START_TEST(a_valid_traceparent_is_taken_up)
{
    static const struct {
        const char *given, *flags;
    } cases[] = {
        {VALID, "01"},
        {"00-" ID "-" SPAN "-00", "00"},
        {"00-" ID "-" SPAN "-ff", "01"}, /* of the flags one is known */
        {"00-" ID "-" SPAN "-fe", "00"},
        {"00-" ID "-0000000000000001-03", "01"},
        {"cc-" ID "-" SPAN "-01", "01"}, /* a version to come */
        {"cc-" ID "-" SPAN "-01-what the future", "01"},
        {"01-" ID "-" SPAN "-01-", "01"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trace trace, other;
        char flags[3] = "", span[17] = "";
        trace_take(&trace, cases[i].given);
        trace_take(&other, cases[i].given);
        ck_assert_str_eq(trace.id, ID);
        ck_assert_uint_eq(strlen(trace.parent), strlen(VALID));
        ck_assert_int_eq(sscanf(trace.parent, "00-" ID "-%16[0-9a-f]-%2s", span, flags), 2);
        ck_assert_str_eq(flags, cases[i].flags);
        ck_assert_uint_eq(strlen(span), 16);
        ck_assert_str_ne(span, SPAN);
        ck_assert_str_ne(span, "0000000000000000");
        ck_assert_str_ne(trace.parent, other.parent);
    }
}
END_TEST

static const char *const invalid[] = {
    "",
    "0",
    "00-" ID "-" SPAN "-0",
    "00-" ID "-" SPAN "-01-",
    "00-" ID "-" SPAN "-011",
    "00-" ID "-" SPAN "-01 ",
    " " VALID,
    "ff-" ID "-" SPAN "-01",
    "cc-" ID "-" SPAN "-01.what",
    "0G-" ID "-" SPAN "-01",
    "00_" ID "-" SPAN "-01",
    "00-" ID "_" SPAN "-01",
    "00-" ID "-" SPAN "_01",
    "00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01",
    "00-" ID "-B7AD6B7169203331-01",
    "00-" ID "-" SPAN "-0A",
    "00-00000000000000000000000000000000-" SPAN "-01",
    "00-" ID "-0000000000000000-01",
    "00-0af7651916cd43dd8448eb211c80319-" SPAN "-01x",
    "00-0af7651916cd43dd8448eb211c80319g-" SPAN "-01",
};

START_TEST(what_is_no_traceparent_is_none)
{
    struct trace trace;
    trace_take(&trace, NULL);
    ck_assert_str_eq(trace.id, "");
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        trace_take(&trace, invalid[i]);
        ck_assert_msg(trace.id[0] == '\0', "%s", invalid[i]);
    }
}
END_TEST

static void ask(const struct process *process, const char *fields, const char *expected)
{
    struct http http = http_open(process->port);
    http_print(&http, "POST " PATH " HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n" BODY, fields,
               strlen(BODY));
    struct http_response response = http_read(&http);
    char *found = http_field(&response, "traceparent");
    ck_assert_int_eq(response.status, 200);
    ck_assert_msg((found != NULL) == (expected != NULL), "traceparent: %s", found);
    ck_assert(expected == NULL || strncmp(found, expected, strlen(expected)) == 0);
    free(found);
    http_free(&response);
    http_close(&http);
}

static size_t count(const char *text, const char *word)
{
    size_t times = 0;
    while ((text = strstr(text, word)) != NULL) {
        times++;
        text += strlen(word);
    }
    return times;
}

START_TEST(a_trace_is_answered_and_logged)
{
    struct process process = process_start("--inline-max-bytes %d", _i * 4096);
    ask(&process, "traceparent: " VALID "\r\n", "00-" ID "-");
    ask(&process, "TraceParent: " VALID "\r\n", "00-" ID "-");
    ask(&process, "", NULL);
    ask(&process, "traceparent: " VALID "\r\ntraceparent: " VALID "\r\n", NULL);
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        char field[128];
        snprintf(field, sizeof field, "traceparent: %s\r\n", invalid[i]);
        if (strchr(" ", invalid[i][0]) == NULL && strchr(invalid[i], ' ') == NULL) /* blanks around it are not part */
            ask(&process, field, NULL);
    }
    ck_assert_int_eq(process_stop(&process), 0);
    char *log = process_errors(&process);
    ck_assert_uint_eq(count(log, ",\"trace_id\":\"" ID "\","), 2);
    ck_assert_uint_eq(count(log, "trace_id"), 2);
    free(log);
    process_close(&process);
}
END_TEST

TEST_SUITE("server")
{
    Suite *suite = suite_create("server fields");

    TCase *fields = tcase_create("fields");
    tcase_set_timeout(fields, 30);
    tcase_add_test(fields, fields_and_query_are_read);
    suite_add_tcase(suite, fields);

    TCase *traces = tcase_create("traces");
    tcase_set_timeout(traces, 60);
    tcase_add_test(traces, a_valid_traceparent_is_taken_up);
    tcase_add_test(traces, what_is_no_traceparent_is_none);
    tcase_add_loop_test(traces, a_trace_is_answered_and_logged, 0, 2);
    suite_add_tcase(suite, traces);
    return suite;
}
