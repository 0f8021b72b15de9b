#include "call/text.h"
#include "number/write.h"
#include "json/put.h"

#include <string.h>

enum {
    FIRST_BYTES = 1000, /* what malloc keeps at hand for each thread */
    CHUNK = 1024,       /* numbers that are printed at a time */
};

static bool resize(struct text *text, size_t capacity)
{
    char *bytes = api_realloc(text->bytes, capacity);
    if (bytes == NULL)
        return false;
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

static inline bool fits(const struct text *text, size_t more)
{
    return more <= text->capacity - text->length;
}

static bool grow(struct text *text, size_t more)
{
    const size_t capacity = text->length + more, least = text->length + text->length / 32;
    return resize(text, capacity < FIRST_BYTES ? FIRST_BYTES : capacity > least ? capacity : least);
}

char *text_room(struct text *text, size_t more)
{
    more += JSON_PUT_SPACE;
    return fits(text, more) || grow(text, more) ? text->bytes + text->length : NULL;
}

void text_end(struct text *text, const char *end)
{
    text->length = (size_t)(end - text->bytes);
}

bool text_put(struct text *text, const char *bytes, size_t length)
{
    char *out = text_room(text, length);
    if (out == NULL)
        return false;
    memcpy(out, bytes, length);
    text->length += length;
    return true;
}

void text_fit(struct text *text)
{
    if (text->length > 0 && text->length < text->capacity)
        resize(text, text->length);
}

/* ---- Tensors ---- */

static size_t longest(const struct api_tensor *tensor)
{
    return tensor->dtype == API_FLOAT32 ? NUMBER_LONGEST + 1 : JSON_PUT_LONGEST;
}

/* Where the room is short: for the rest too, if that goes on as the tensor began. */
static bool grow_for_rest(struct text *text, const struct text_tensor *put, size_t least)
{
    const size_t length = text->length - put->start, left = put->tensor->count - put->done;
    if (put->done == 0)
        return grow(text, least);
    return grow(text, least + (size_t)((double)length / (double)put->done * (double)left * 1.01));
}

/* Room for some more elements of a row, and the brackets before and after it. */
static char *room(struct text *text, const struct text_tensor *put, size_t count)
{
    const size_t least = count * longest(put->tensor) + 2 * JSON_PUT_SPACE;
    return fits(text, least) || grow_for_rest(text, put, least) ? text->bytes + text->length : NULL;
}

void text_tensor_begin(const struct text *text, struct text_tensor *put, const struct api_tensor *tensor)
{
    put->tensor = tensor;
    put->start = text->length;
    put->done = put->column = 0;
    put->opened = tensor->rank;
    for (size_t axis = 0; axis < tensor->rank; axis++)
        put->index[axis] = 0;
}

/* Of the axes whose first element is next. */
static char *put_opening(char *out, struct text_tensor *put)
{
    for (; put->opened > 0; put->opened--)
        *out++ = '[';
    return out;
}

/* After the last number of a row and its comma: closes what ends with it. */
static char *put_closing(char *out, struct text_tensor *put)
{
    const struct api_tensor *tensor = put->tensor;
    size_t axis = tensor->rank - 1;
    out[-1] = ']';
    put->column = 0;
    put->opened = 1;
    for (; axis > 0 && ++put->index[axis - 1] == tensor->shape[axis - 1]; axis--) {
        put->index[axis - 1] = 0;
        *out++ = ']';
        put->opened++;
    }
    if (axis > 0)
        *out++ = ',';
    return out;
}

/* Some of a row, at least one. */
static bool put_numbers(struct text *text, struct text_tensor *put, size_t most)
{
    const struct api_tensor *tensor = put->tensor;
    const size_t left = tensor->shape[tensor->rank - 1] - put->column;
    size_t count = left < CHUNK ? left : CHUNK;
    count = count < most ? count : most;
    char *out = room(text, put, count);
    if (out == NULL)
        return false;
    out = put_opening(out, put);
    out = json_put_row(out, tensor->dtype, tensor->data, put->done, 1, count);
    put->done += count;
    put->column += count;
    text_end(text, count == left ? put_closing(out, put) : out);
    return true;
}

/* Of no elements: the brackets down to the first axis that has none. */
static bool put_empty(struct text *text, const struct api_tensor *tensor, size_t axis)
{
    const size_t length = tensor->shape[axis];
    bool good = text_put(text, "[", 1);
    for (size_t i = 0; good && i < length; i++)
        good = (i == 0 || text_put(text, ",", 1)) && put_empty(text, tensor, axis + 1);
    return good && text_put(text, "]", 1);
}

bool text_tensor_put(struct text *text, struct text_tensor *put, size_t *most)
{
    const struct api_tensor *tensor = put->tensor;
    if (tensor->count == 0)
        return put_empty(text, tensor, 0);
    if (tensor->rank == 0) {
        char *out = room(text, put, 1);
        if (out != NULL)
            text_end(text, json_put_element(out, tensor->dtype, tensor->data, 0));
        put->done = 1;
        return out != NULL;
    }
    while (put->done<tensor->count && * most> 0) {
        const size_t before = put->done;
        if (!put_numbers(text, put, *most))
            return false;
        *most -= put->done - before;
    }
    return true;
}
