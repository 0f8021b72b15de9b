#include "lib/requests.h"
#include "api.h"
#include "encoding.h"

#include "lib/ask.h"
#include "lib/assertions.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -9.9999 to 9.9999 by a linear congruential generator. */
static char *put_logit(char *out, uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    const unsigned digits = *state >> 8;
    if (*state >> 31)
        *out++ = '-';
    *out++ = (char)('0' + digits % 10);
    *out++ = '.';
    for (unsigned rest = digits / 10, i = 0; i < 4; i++, rest /= 10)
        *out++ = (char)('0' + rest % 10);
    return out;
}

char *requests_gumbel(size_t rows, size_t classes, unsigned seed)
{
    uint32_t state = seed;
    char *body = malloc(rows * (classes * 8 + 2) + 64);
    ck_assert_ptr_nonnull(body);
    char *out = body + sprintf(body, "{\"seed\":%u,\"logits\":[", seed);
    for (size_t row = 0; row < rows; row++) {
        *out++ = '[';
        for (size_t i = 0; i < classes; i++) {
            out = put_logit(out, &state);
            *out++ = ',';
        }
        out[-1] = ']';
        *out++ = ',';
    }
    sprintf(out - 1, "]}");
    return body;
}

char *requests_answer(const char *path, const char *body)
{
    struct api_request request = {.length = strlen(body)};
    struct api_response response;
    char *padded = ask_padded(body, request.length);
    request.body = padded;
    ck_assert_int_eq(api_route_find("POST", path, &request.route, NULL), 0);
    api_answer(&request, &response);
    ck_assert_int_eq(response.status, 200);
    char *answer = strndup(response.body, response.length);
    free(response.owned);
    free(padded);
    return answer;
}

char *requests_gzip(const char *bytes, size_t length, size_t *gzip_length)
{
    struct deflater *deflater = deflater_new(bytes, length);
    ck_assert_ptr_nonnull(deflater);
    enum deflate_result result;
    while ((result = deflater_step(deflater)) == DEFLATE_MORE)
        ;
    char *gzip = result == DEFLATE_DONE ? deflater_take(deflater, gzip_length) : NULL;
    deflater_free(deflater);
    return gzip;
}
