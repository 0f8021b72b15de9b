#include "body.h"
#include "api.h"

#include <string.h>

enum {
    INITIAL_BYTES = 4096,
    TRUSTED_BYTES = 256 * 1024, /* allocated for a client that has only announced a body */
    TRUSTED_FACTOR = 16,        /* times the bytes received are allocated for a client that sends */
    DOUBLED_BYTES = 1 << 20,    /* bodies of unknown length that are longer grow by an eighth at a time */
};

static size_t grown(const struct body *body)
{
    if (body->capacity == 0)
        return INITIAL_BYTES;
    return body->capacity + (body->capacity < DOUBLED_BYTES ? body->capacity : body->capacity / 8);
}

/* The capacity to allocate where `needed` bytes are needed. */
static size_t next_capacity(const struct body *body, size_t needed)
{
    const size_t trusted = body->received * TRUSTED_FACTOR > TRUSTED_BYTES ? body->received * TRUSTED_FACTOR
                                                                           : TRUSTED_BYTES;
    size_t capacity = grown(body);
    if (body->announced > 0)
        capacity = (body->announced < trusted ? body->announced : trusted) + API_BODY_PADDING;
    if (capacity > body->limit + API_BODY_PADDING)
        capacity = body->limit + API_BODY_PADDING;
    return capacity > needed ? capacity : needed;
}

char *body_room(struct body *body, size_t length)
{
    const size_t needed = body->length + length + API_BODY_PADDING;
    if (needed > body->capacity) {
        const size_t capacity = next_capacity(body, needed);
        char *bytes = api_realloc(body->bytes, capacity);
        if (bytes == NULL)
            return NULL;
        body->bytes = bytes;
        body->capacity = capacity;
    }
    return body->bytes + body->length;
}

void body_extend(struct body *body, size_t length)
{
    body->length += length;
    memset(body->bytes + body->length, 0, API_BODY_PADDING);
}

enum body_result body_add(struct body *body, const char *data, size_t length)
{
    body->received += length;
    if (length > body->limit - body->length)
        return BODY_TOO_LARGE;
    char *room = body_room(body, length);
    if (room == NULL)
        return BODY_NO_MEMORY;
    memcpy(room, data, length);
    body_extend(body, length);
    return BODY_OK;
}

void body_drop(struct body *body)
{
    api_free(body->bytes);
    *body = (struct body){.received = body->received, .limit = body->limit, .announced = body->announced};
}
