/* The time that a client gives its request, by a field or by a parameter of /v2. */
#include "lib/http.h"
#include "lib/process.h"
#include "lib/requests.h"
#include "lib/suite.h"

#include <stdio.h>
#include <string.h>

#define LOGITS "[1,2,3,4,5,6,7,8,9,10]"

static struct http_response ask(unsigned port, const char *path, const char *timeout, const char *body)
{
    struct http http = http_open(port);
    http_print(&http, "POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n%s", path, timeout,
               strlen(body), body);
    struct http_response response = http_read(&http);
    http_close(&http);
    return response;
}

START_TEST(a_time_that_is_none_is_refused)
{
    static const char *const values[] = {"0", "-1", "x", "1x", "1.5", "99999999999999999999"};
    struct process process = process_start("--loops 1");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char field[64];
        snprintf(field, sizeof field, "X-Gumbeld-Timeout-Ms: %s\r\n", values[i]);
        struct http_response response = ask(process.port, "/v1/softmax", field, "{\"logits\":[1,2]}");
        json_decref(http_problem(&response, 400, "out_of_range"));
        http_free(&response);
    }
    struct http_response response = ask(process.port, "/v1/softmax", "X-Gumbeld-Timeout-Ms: 600000\r\n",
                                        "{\"logits\":[1,2]}");
    ck_assert_int_eq(response.status, 200);
    http_free(&response);
    process_end(&process);
}
END_TEST

/* A call of seconds, that has a millisecond. */
START_TEST(what_takes_longer_is_504)
{
    static const char call[] = "{\"logits\":" LOGITS ",\"seed\":1,\"num_samples\":400000}",
                      infer[] =
                          "{\"inputs\":[{\"name\":\"logits\",\"datatype\":\"FP32\",\"shape\":[1,10],\"data\":" LOGITS
                          "}],\"parameters\":{\"seed\":1,\"num_samples\":400000,\"timeout\":1000}}";
    struct process process = process_start(REQUESTS_SLOW);
    struct http_response response = ask(process.port, "/v1/gumbel_softmax", "X-Gumbeld-Timeout-Ms: 1\r\n", call);
    json_decref(http_problem(&response, 504, "deadline_passed"));
    http_free(&response);
    response = ask(process.port, "/v2/models/gumbel_softmax/infer", "", infer);
    json_decref(http_problem(&response, 504, "deadline_passed"));
    http_free(&response);
    process_end(&process);
}
END_TEST

TEST_SUITE("server")
{
    Suite *suite = suite_create("server timeouts");
    TCase *timeouts = tcase_create("timeouts");
    tcase_set_timeout(timeouts, 60);
    tcase_add_test(timeouts, a_time_that_is_none_is_refused);
    tcase_add_test(timeouts, what_takes_longer_is_504);
    suite_add_tcase(suite, timeouts);
    return suite;
}
