/* UTF-8 text that was cut to fit a buffer. */
#ifndef API_UTF8_H
#define API_UTF8_H

#include <string.h>

/* Removes an incomplete character from the end of text that is otherwise valid UTF-8. */
static inline void utf8_trim(char *text)
{
    size_t length = strlen(text), start = length;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t continuation = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    if (length - start < continuation)
        text[start - 1] = '\0';
}

#endif
