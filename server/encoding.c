#include "encoding.h"
#include "api.h"
#include "text.h"

#include <zlib.h>

enum {
    WINDOW_BITS = 15,
    GZIP_BITS = WINDOW_BITS + 16, /* zlib's way to say gzip, and below zero raw deflate */
    GZIP_LEVEL = 1,               /* numbers: 2.3 times shorter at 115 MB/s; level 6 gives 2.6 at 20 */
    GZIP_MEMORY = 8,
    MAX_BYTES = 1 << 30, /* zlib counts in unsigned int */
    GZIP_FIRST_BYTES = 64 * 1024,
    STEP_BYTES = 256 * 1024, /* about two milliseconds */
    INFLATE_IN_BYTES = 64 * 1024,
    INFLATE_OUT_BYTES = 1024 * 1024,
    INFLATE_MIN_BYTES = 4096,
};

/* ---- Names ---- */

static enum encoding named(const char *text, size_t length)
{
    if (text_is(text, length, "identity"))
        return ENCODING_IDENTITY;
    if (text_is(text, length, "gzip") || text_is(text, length, "x-gzip"))
        return ENCODING_GZIP;
    return text_is(text, length, "deflate") ? ENCODING_DEFLATE : ENCODING_UNKNOWN;
}

enum encoding encoding_add(enum encoding before, const char *field)
{
    size_t length;
    for (field = text_element(field, &length); length > 0; field = text_element(field + length, &length)) {
        const enum encoding encoding = named(field, length);
        if (encoding != ENCODING_IDENTITY)
            before = before == ENCODING_IDENTITY ? encoding : ENCODING_UNKNOWN;
    }
    return before;
}

/* Identity is acceptable where nothing excludes it, but preferred only where it is named. */
enum gzip encoding_gzip_wanted(const char *accept_encoding)
{
    static const char *const gzip_names[] = {"gzip", "x-gzip", "*", NULL}, *const identity[] = {"identity", NULL},
                             *const rest[] = {"*", NULL};
    if (accept_encoding == NULL)
        return GZIP_NEVER;
    const int gzip = api_accept_weight(accept_encoding, gzip_names);
    const int plain = api_accept_weight(accept_encoding, identity);
    if (gzip <= 0 || gzip < plain)
        return GZIP_NEVER;
    return plain == 0 || (plain < 0 && api_accept_weight(accept_encoding, rest) == 0) ? GZIP_DEMANDED : GZIP_ALLOWED;
}

static size_t at_most(size_t length, size_t max)
{
    return length < max ? length : max;
}

/* zlib's own memory is counted as well. */
static void *allocate(void *closure, unsigned count, unsigned size)
{
    (void)closure;
    return api_calloc(count, size);
}

static void release(void *closure, void *memory)
{
    (void)closure;
    api_free(memory);
}

/* ---- Deflating ---- */

struct deflater {
    z_stream stream;
    const char *in;
    size_t in_length, taken;
    char *out;
    size_t length, capacity; /* of `out` */
};

struct deflater *deflater_new(const char *bytes, size_t length)
{
    struct deflater *deflater = api_calloc(1, sizeof *deflater);
    if (deflater == NULL)
        return NULL;
    deflater->in = bytes;
    deflater->in_length = length;
    deflater->stream.zalloc = allocate;
    deflater->stream.zfree = release;
    if (deflateInit2(&deflater->stream, GZIP_LEVEL, Z_DEFLATED, GZIP_BITS, GZIP_MEMORY, Z_DEFAULT_STRATEGY) == Z_OK)
        return deflater;
    api_free(deflater);
    return NULL;
}

void deflater_free(struct deflater *deflater)
{
    if (deflater == NULL)
        return;
    deflateEnd(&deflater->stream);
    api_free(deflater->out);
    api_free(deflater);
}

/* Room for the rest, if it compresses as well as the part before, and never more than the uncompressed length. */
static bool give_room(struct deflater *deflater)
{
    const double left = (double)(deflater->in_length - deflater->taken);
    const size_t expected = deflater->taken > 0
                                ? (size_t)((double)deflater->length / (double)deflater->taken * left * 1.01)
                                : 0;
    const size_t least = deflater->length / 16 + GZIP_FIRST_BYTES;
    size_t capacity = deflater->length + (expected > least ? expected : least);
    if (capacity > deflater->in_length)
        capacity = deflater->in_length;
    char *out = api_realloc(deflater->out, capacity);
    if (out == NULL)
        return false;
    deflater->out = out;
    deflater->capacity = capacity;
    return true;
}

static int deflate_some(struct deflater *deflater, size_t end)
{
    z_stream *stream = &deflater->stream;
    const unsigned give = (unsigned)at_most(end - deflater->taken, STEP_BYTES);
    const unsigned space = (unsigned)at_most(deflater->capacity - deflater->length, MAX_BYTES);
    stream->next_in = (Bytef *)(deflater->in + deflater->taken);
    stream->avail_in = give;
    stream->next_out = (Bytef *)(deflater->out + deflater->length);
    stream->avail_out = space;
    const int status = deflate(stream, deflater->taken + give == deflater->in_length ? Z_FINISH : Z_NO_FLUSH);
    deflater->taken += give - stream->avail_in;
    deflater->length += space - stream->avail_out;
    return status;
}

enum deflate_result deflater_step(struct deflater *deflater)
{
    const size_t end = deflater->taken + at_most(deflater->in_length - deflater->taken, STEP_BYTES);
    int status;
    do {
        if (deflater->length == deflater->capacity && (deflater->length >= deflater->in_length || !give_room(deflater)))
            return DEFLATE_USELESS;
        status = deflate_some(deflater, end);
        if (status == Z_STREAM_END)
            return DEFLATE_DONE;
    } while (deflater->taken < end || deflater->length == deflater->capacity);
    return status == Z_OK || status == Z_BUF_ERROR ? DEFLATE_MORE : DEFLATE_USELESS;
}

char *deflater_take(struct deflater *deflater, size_t *length)
{
    char *fitted = api_realloc(deflater->out, deflater->length), *out = fitted != NULL ? fitted : deflater->out;
    *length = deflater->length;
    deflater->out = NULL;
    return out;
}

/* ---- Inflating ---- */

enum { HEAD_BYTES = 2 };

struct inflater {
    enum encoding encoding;
    z_stream stream;
    bool begun;    /* `stream` is initialised */
    bool complete; /* the last byte was the end of a member */
    char head[HEAD_BYTES];
    size_t head_length;
};

bool inflating_begin(struct inflating *inflating, struct body *body, enum encoding encoding)
{
    struct inflater *inflater = api_calloc(1, sizeof *inflater);
    *inflating = (struct inflating){.encoded = *body, .body = body, .inflater = inflater};
    *body = (struct body){.limit = body->limit, .received = body->received};
    if (inflater == NULL)
        return false;
    inflater->encoding = encoding;
    inflater->stream.zalloc = allocate;
    inflater->stream.zfree = release;
    return true;
}

void inflating_end(struct inflating *inflating)
{
    body_drop(&inflating->encoded);
    if (inflating->inflater != NULL && inflating->inflater->begun)
        inflateEnd(&inflating->inflater->stream);
    api_free(inflating->inflater);
    *inflating = (struct inflating){.body = NULL};
}

/* RFC 1950, 2.2: method 8 with a window of up to 32 KiB, and a check over both bytes. */
static bool is_zlib_head(const char *head)
{
    const unsigned cmf = (unsigned char)head[0], flags = (unsigned char)head[1];
    return (cmf & 15) == 8 && cmf >> 4 <= 7 && (cmf << 8 | flags) % 31 == 0;
}

static enum inflating_result feed(struct inflater *inflater, const char **in, size_t *in_length, char *out,
                                  size_t *room)
{
    z_stream *stream = &inflater->stream;
    const unsigned give = (unsigned)*in_length, space = (unsigned)*room; /* INFLATE_IN_BYTES and so on at most */
    stream->next_in = (Bytef *)*in;
    stream->avail_in = give;
    stream->next_out = (Bytef *)out;
    stream->avail_out = space;
    const int status = inflate(stream, Z_NO_FLUSH);
    *in += give - stream->avail_in;
    *in_length -= give - stream->avail_in;
    *room = space - stream->avail_out;
    inflater->complete = status == Z_STREAM_END;
    if (status == Z_MEM_ERROR)
        return INFLATING_NO_MEMORY;
    return status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR ? INFLATING_MORE : INFLATING_MALFORMED;
}

/* Gathers the head of deflate, which says its kind, and begins with it. Until the head is complete, nothing is written.
 */
static enum inflating_result begin(struct inflater *inflater, const char **in, size_t *in_length, char *out,
                                   size_t *room)
{
    int bits = GZIP_BITS;
    if (inflater->encoding == ENCODING_DEFLATE) {
        for (; *in_length > 0 && inflater->head_length < HEAD_BYTES; (*in_length)--)
            inflater->head[inflater->head_length++] = *(*in)++;
        if (inflater->head_length < HEAD_BYTES) {
            *room = 0;
            return INFLATING_MORE;
        }
        bits = is_zlib_head(inflater->head) ? WINDOW_BITS : -WINDOW_BITS;
    }
    if (inflateInit2(&inflater->stream, bits) != Z_OK)
        return INFLATING_NO_MEMORY;
    inflater->begun = true;
    const char *head = inflater->head;
    return feed(inflater, &head, &inflater->head_length, out, room);
}

/* Moves *in forward and fills `out`, *room becoming what was written. Input is left only where the output is full;
 * where it is full there may be more output without further input. Members of gzip may follow each other. */
static enum inflating_result run(struct inflater *inflater, const char **in, size_t *in_length, char *out, size_t *room)
{
    const size_t space = *room;
    size_t written = 0;
    enum inflating_result result = INFLATING_MORE;
    while (result == INFLATING_MORE) {
        *room = space - written;
        if (inflater->complete && *in_length > 0) {
            if (inflater->encoding != ENCODING_GZIP || inflateReset(&inflater->stream) != Z_OK)
                return INFLATING_MALFORMED;
            inflater->complete = false;
        }
        result = inflater->begun ? feed(inflater, in, in_length, out + written, room)
                                 : begin(inflater, in, in_length, out + written, room);
        written += *room;
        if (*in_length == 0 || written == space)
            break;
    }
    *room = written;
    return result;
}

/* A few times the input. Includes one byte beyond the limit, to detect a body that exceeds it. */
static size_t output_room(const struct body *body, size_t input)
{
    const size_t fair = 4 * input > INFLATE_MIN_BYTES ? 4 * input : INFLATE_MIN_BYTES;
    return at_most(at_most(fair, INFLATE_OUT_BYTES), body->limit + 1 - body->length);
}

/* There may be more while there is input, or where the room was filled. */
enum inflating_result inflating_step(struct inflating *inflating)
{
    struct body *body = inflating->body;
    const size_t give = at_most(inflating->encoded.length - inflating->taken, INFLATE_IN_BYTES);
    const size_t room = output_room(body, give);
    const char *in = inflating->encoded.bytes + inflating->taken;
    char *out = body_room(body, room);
    if (out == NULL)
        return INFLATING_NO_MEMORY;
    size_t unread = give, written = room;
    const enum inflating_result result = run(inflating->inflater, &in, &unread, out, &written);
    inflating->taken += give - unread;
    body_extend(body, written);
    if (result != INFLATING_MORE)
        return result;
    if (body->length > body->limit)
        return INFLATING_TOO_LARGE;
    if (body->length > INFLATE_OUT_BYTES && body->length / INFLATING_MAX_RATIO > inflating->taken)
        return INFLATING_TOO_DENSE;
    if (inflating->taken < inflating->encoded.length || written == room)
        return INFLATING_MORE;
    return inflating->inflater->complete ? INFLATING_DONE : INFLATING_MALFORMED;
}
