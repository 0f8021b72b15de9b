#include "body.h"
#include "api.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 4096, DOUBLED_BYTES = 1 << 20 /* bodies that are longer grow by an eighth at a time */ };

static size_t next_capacity(const struct body *body)
{
    if (body->capacity == 0)
        return FIRST_BYTES;
    return body->capacity + (body->capacity < DOUBLED_BYTES ? body->capacity : body->capacity / 8);
}

/* Makes room for `length` bytes, which are at most one more than the limit, and the padding behind them. */
static bool reserve(struct body *body, size_t length)
{
    if (length + API_BODY_PADDING <= body->capacity)
        return true;
    const size_t most = body->limit + 1 + API_BODY_PADDING;
    size_t capacity = next_capacity(body);
    if (capacity < length + API_BODY_PADDING)
        capacity = length + API_BODY_PADDING;
    if (capacity > most)
        capacity = most;
    char *bytes = api_realloc(body->bytes, capacity);
    if (bytes == NULL)
        return false;
    body->bytes = bytes;
    body->capacity = capacity;
    return true;
}

enum body_result body_begin(struct body *body, enum encoding encoding, size_t announced)
{
    if (announced > 0 && !reserve(body, announced))
        return BODY_NO_MEMORY;
    if (encoding == ENCODING_IDENTITY)
        return BODY_OK;
    body->inflater = inflater_new(encoding);
    return body->inflater != NULL ? BODY_OK : BODY_NO_MEMORY;
}

static void pad(struct body *body)
{
    memset(body->bytes + body->length, 0, API_BODY_PADDING);
}

/* Room is given for one byte beyond the limit at most, so that a body that goes on there is seen. */
static size_t inflate_room(const struct body *body)
{
    const size_t free_bytes = body->capacity - API_BODY_PADDING - body->length, most = body->limit + 1 - body->length;
    return free_bytes < most ? free_bytes : most;
}

static enum body_result add_inflated(struct body *body, const char *data, size_t length)
{
    for (;;) {
        if (!reserve(body, body->length + 1))
            return BODY_NO_MEMORY;
        const size_t room = inflate_room(body);
        size_t written = room;
        const enum inflate_result result = inflater_run(body->inflater, &data, &length, body->bytes + body->length,
                                                        &written);
        body->length += written;
        if (result != INFLATE_OK)
            return result == INFLATE_MALFORMED ? BODY_MALFORMED : BODY_NO_MEMORY;
        if (body->length > body->limit)
            return BODY_TOO_LARGE;
        pad(body);
        if (written < room)
            return BODY_OK;
    }
}

enum body_result body_add(struct body *body, const char *data, size_t length)
{
    const size_t before = body->received;
    body->received += length;
    if (length > body->limit - before)
        return BODY_TOO_LARGE;
    if (body->inflater != NULL)
        return add_inflated(body, data, length);
    if (!reserve(body, body->length + length))
        return BODY_NO_MEMORY;
    memcpy(body->bytes + body->length, data, length);
    body->length += length;
    pad(body);
    return BODY_OK;
}

enum body_result body_end(const struct body *body)
{
    return body->inflater == NULL || inflater_complete(body->inflater) ? BODY_OK : BODY_MALFORMED;
}

void body_drop(struct body *body)
{
    free(body->bytes);
    inflater_free(body->inflater);
    *body = (struct body){.received = body->received, .limit = body->limit};
}
