/* A text that grows while it is printed, as what it will need shows: so an answer takes little more than its length,
 * and not what its longest numbers would. */
#ifndef API_TEXT_H
#define API_TEXT_H

#include "call.h"

/* Zeroed it is empty. `bytes` are the owner's to free, also after an error. */
struct text {
    char *bytes;
    size_t length, capacity;
};

/* Where the text ends, with room for `more` bytes and JSON_PUT_SPACE behind them; what is printed there is added by
 * text_end. NULL if memory is short. */
char *text_room(struct text *text, size_t more);
void text_end(struct text *text, const char *end);

/* false if memory is short, as the following. */
bool text_put(struct text *text, const char *bytes, size_t length);

/* A tensor as nested arrays; of rank 0 it is one value. */
bool text_put_tensor(struct text *text, const struct api_tensor *tensor);

/* Gives back what was not needed. */
void text_fit(struct text *text);

#endif
