#include "inflating.h"

enum { IN_BYTES = 64 * 1024, LEAST_BYTES = 4096, OUT_BYTES = 1024 * 1024 };

bool inflating_begin(struct inflating *inflating, struct body *body, enum encoding encoding)
{
    *inflating = (struct inflating){.encoded = *body, .body = body, .inflater = inflater_new(encoding)};
    *body = (struct body){.limit = body->limit, .received = body->received};
    return inflating->inflater != NULL;
}

static size_t at_most(size_t length, size_t most)
{
    return length < most ? length : most;
}

/* A few times the input. One byte beyond the limit is room as well, so that a body that goes on there is seen. */
static size_t output_room(const struct inflating *inflating, size_t input)
{
    const struct body *body = inflating->body;
    const size_t fair = 4 * input > LEAST_BYTES ? 4 * input : LEAST_BYTES;
    return at_most(at_most(fair, OUT_BYTES), body->limit + 1 - body->length);
}

static bool is_too_dense(const struct inflating *inflating)
{
    const size_t length = inflating->body->length;
    return length > OUT_BYTES && length / INFLATING_MOST_RATIO > inflating->taken;
}

/* There may be more while there is input, or where the room was filled. */
enum inflating_result inflating_step(struct inflating *inflating)
{
    struct body *body = inflating->body;
    const size_t give = at_most(inflating->encoded.length - inflating->taken, IN_BYTES);
    const size_t room = output_room(inflating, give);
    const char *in = inflating->encoded.bytes + inflating->taken;
    char *out = body_room(body, room);
    if (out == NULL)
        return INFLATING_NO_MEMORY;
    size_t unread = give, written = room;
    const enum inflate_result result = inflater_run(inflating->inflater, &in, &unread, out, &written);
    inflating->taken += give - unread;
    body_extend(body, written);
    if (result != INFLATE_OK)
        return result == INFLATE_MALFORMED ? INFLATING_MALFORMED : INFLATING_NO_MEMORY;
    if (body->length > body->limit)
        return INFLATING_TOO_LARGE;
    if (is_too_dense(inflating))
        return INFLATING_TOO_DENSE;
    if (inflating->taken < inflating->encoded.length || written == room)
        return INFLATING_MORE;
    return inflater_complete(inflating->inflater) ? INFLATING_DONE : INFLATING_MALFORMED;
}

void inflating_end(struct inflating *inflating)
{
    body_drop(&inflating->encoded);
    inflater_free(inflating->inflater);
    *inflating = (struct inflating){.body = NULL};
}
