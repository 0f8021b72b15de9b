/* UTF-8 text that may have been cut to fit a buffer, or is none. */
#ifndef API_JSON_UTF8_H
#define API_JSON_UTF8_H

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

/* The length of the character at `text`, which ends with a zero byte: no longer than it must be, no surrogate, up to
 * U+10FFFF. 0 where that is none. */
static inline size_t utf8_character(const char *text)
{
    const unsigned char lead = (unsigned char)*text;
    const size_t length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if ((lead >= 0x80 && lead < 0xC2) || lead > 0xF4)
        return 0;
    for (size_t i = 1; i < length; i++) {
        const unsigned char byte = (unsigned char)text[i];
        const unsigned char least = i > 1 ? 0x80 : lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
        const unsigned char most = i > 1 ? 0xBF : lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
        if (byte < least || byte > most)
            return 0;
    }
    return length;
}

#endif
