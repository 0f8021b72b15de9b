/* A text that grows while it is printed, as what it will need shows: so an answer takes little more than its length,
 * and not what its longest numbers would. */
#ifndef API_CALL_TEXT_H
#define API_CALL_TEXT_H

#include "call/call.h"

/* Zeroed it is empty. `bytes` are the owner's to free, also after an error. */
struct text {
    char *bytes;
    size_t length, capacity;
};

/* Where the text ends, with room for `more` bytes and JSON_PUT_SPACE after them; what is printed there is added by
 * text_end. NULL if memory is short. */
char *text_room(struct text *text, size_t more);
void text_end(struct text *text, const char *end);

/* false if memory is short, as the following. */
bool text_put(struct text *text, const char *bytes, size_t length);

/* A tensor that is being put as nested arrays; of rank 0 it is one value. */
struct text_tensor {
    const struct api_tensor *tensor;
    size_t start;  /* the text's length before it */
    size_t done;   /* elements; tensor->count of them is the end */
    size_t column; /* of the row, to be put next */
    size_t opened; /* axes that begin there */
    size_t index[API_TENSOR_MAX_RANK];
};

void text_tensor_begin(const struct text *text, struct text_tensor *put, const struct api_tensor *tensor);

/* Puts up to *most elements more, and takes from that how many they were. */
bool text_tensor_put(struct text *text, struct text_tensor *put, size_t *most);

/* Gives back what was not needed. */
void text_fit(struct text *text);

#endif
