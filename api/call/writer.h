/* An answer's text, written some numbers at a time: items one after another, each of them text and an array or not. */
#ifndef API_CALL_WRITER_H
#define API_CALL_WRITER_H

#include "call/text.h"

struct writer;

enum writer_step {
    WRITER_FAILED = -1, /* memory is short */
    WRITER_TEXT,        /* the item has been put, or is left out */
    WRITER_ARRAY,       /* writer->tensor is to follow, and then writer->suffix */
    WRITER_AGAIN,       /* some of it, counted down from *most: the rest is to be asked for with the same number */
    WRITER_END,         /* there are no more */
};

/* Puts item 0, 1, ... of what `closure` is about. */
typedef enum writer_step writer_item(struct writer *writer, size_t item, size_t *most);

struct writer {
    struct text text; /* the owner's to free */
    writer_item *item;
    void *closure;
    size_t next; /* item */
    bool inside; /* the tensor of the item before is being put */
    struct api_tensor tensor;
    struct text_tensor put;
    const char *suffix; /* of that tensor */
};

/* What is put goes after the text that is there. */
void writer_open(struct writer *writer, writer_item *item, void *closure);

/* What the answer repeats, if the call has it, as a member after the text `before`; a list has `quote` around it. */
enum writer_step writer_repeated(struct writer *writer, const struct api_call *call, enum call_repeated item,
                                 const char *before, const char *quote);

/* Puts about `most` more numbers: 1 if there is more, 0 if that was all; -1 if memory is short. */
int writer_put(struct writer *writer, size_t most);

/* Text that is all there is of an item. */
enum writer_step writer_text(struct writer *writer, const char *text);

/* The text, which the response takes over, as its body. */
void writer_answer(struct writer *writer, const char *media_type, size_t rows, struct api_response *response);

#endif
