#include "text.h"
#include "json_put.h"
#include "number_write.h"

#include <stdlib.h>
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

struct printer {
    struct text *text;
    const struct api_tensor *tensor;
    size_t start, done; /* the text's length before the tensor; elements printed */
};

static size_t longest(const struct api_tensor *tensor)
{
    return tensor->dtype == API_FLOAT32 ? NUMBER_LONGEST + 1 : JSON_PUT_LONGEST;
}

/* Where the room is short: for the rest too, if that goes on as the tensor began. */
static bool grow_for_rest(struct printer *printer, size_t least)
{
    const size_t length = printer->text->length - printer->start, left = printer->tensor->count - printer->done;
    if (printer->done == 0)
        return grow(printer->text, least);
    return grow(printer->text, least + (size_t)((double)length / (double)printer->done * (double)left * 1.01));
}

/* Room for some more elements and what stands around them. */
static char *room(struct printer *printer, size_t count)
{
    struct text *text = printer->text;
    const size_t least = count * longest(printer->tensor) + JSON_PUT_SPACE;
    return fits(text, least) || grow_for_rest(printer, least) ? text->bytes + text->length : NULL;
}

static bool put_byte(struct printer *printer, char byte)
{
    char *out = room(printer, 0);
    if (out == NULL)
        return false;
    *out = byte;
    printer->text->length++;
    return true;
}

/* Numbers with a comma behind each. */
static bool put_row(struct printer *printer, size_t start, size_t length)
{
    const struct api_tensor *tensor = printer->tensor;
    for (size_t at = 0, count; at < length; at += count, printer->done += count) {
        count = length - at < CHUNK ? length - at : CHUNK;
        char *out = room(printer, count);
        if (out == NULL)
            return false;
        text_end(printer->text,
                 json_put_row(out, tensor->dtype, tensor->data, (struct call_row){start + at, 1, count, false}));
    }
    return true;
}

/* The part of the tensor that begins at `start` and has the axes from `axis` on. */
static bool put_axes(struct printer *printer, size_t axis, size_t start, size_t count)
{
    const size_t length = printer->tensor->shape[axis], part = count / length;
    bool put = put_byte(printer, '[');
    if (axis + 1 == printer->tensor->rank)
        put = put && put_row(printer, start, length);
    else
        for (size_t i = 0; i < length && put; i++)
            put = put_axes(printer, axis + 1, start + i * part, part) && put_byte(printer, ',');
    if (put)
        printer->text->bytes[printer->text->length - 1] = ']';
    return put;
}

bool text_put_tensor(struct text *text, const struct api_tensor *tensor)
{
    struct printer printer = {.text = text, .tensor = tensor, .start = text->length};
    if (tensor->rank > 0)
        return put_axes(&printer, 0, 0, tensor->count);
    char *out = room(&printer, 1);
    if (out != NULL)
        text_end(text, json_put_element(out, tensor->dtype, tensor->data, 0));
    return out != NULL;
}
