#define _GNU_SOURCE /* vasprintf */
#include "lib/ask.h"

#include "lib/assertions.h"
#include "lib/parts.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t ask_fresh_seed(void)
{
    return ASK_FRESH_SEED;
}

char *ask_padded(const char *body, size_t length)
{
    char *padded = calloc(1, length + API_BODY_PADDING);
    ck_assert_ptr_nonnull(padded);
    memcpy(padded, body, length);
    return padded;
}

/* Leaves the stack as no program likes to find it: whoever uses there what it has not set does not find zeros. */
static void __attribute__((noinline)) spoil_stack(void)
{
    unsigned char bytes[32768];
    memset(bytes, 0xA5, sizeof bytes);
    __asm__ volatile("" : : "r"(bytes) : "memory");
}

struct answer ask_request(const char *path, struct api_request *request)
{
    struct answer answer = {0};
    ck_assert_int_eq(api_route_find("POST", path, &request->route, NULL), 0);
    spoil_stack();
    api_answer(request, &answer.response);
    parts_check(request, &answer.response);
    answer.status = answer.response.status;
    answer.text = strndup(answer.response.body, answer.response.length);
    answer.json = json_loads(answer.text, JSON_REJECT_DUPLICATES, NULL);
    return answer;
}

struct answer ask_bytes(const char *path, const char *body, size_t length)
{
    char *padded = ask_padded(body, length);
    struct api_request request = {.body = padded, .length = length, .fresh_seed = ask_fresh_seed};
    struct answer answer = ask_request(path, &request);
    free(padded);
    return answer;
}

struct answer ask(const char *path, const char *format, ...)
{
    char *body;
    va_list arguments;
    va_start(arguments, format);
    const int length = vasprintf(&body, format, arguments);
    va_end(arguments);
    struct answer answer = ask_bytes(path, body, (size_t)length);
    free(body);
    return answer;
}

struct answer ask_json(const char *path, json_t *body)
{
    char *text = json_dumps(body, JSON_REAL_PRECISION(17));
    ck_assert_ptr_nonnull(text);
    struct answer answer = ask_bytes(path, text, strlen(text));
    free(text);
    json_decref(body);
    return answer;
}

void ask_free(struct answer *answer)
{
    json_decref(answer->json);
    free(answer->text);
    free(answer->response.owned);
    *answer = (struct answer){0};
}

const char *ask_text(const struct answer *answer, const char *member)
{
    const char *text = json_string_value(json_object_get(answer->json, member));
    return text != NULL ? text : "";
}
