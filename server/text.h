/* Words of header fields, compared without regard to case (RFC 9110), lists of them, and ports. */
#ifndef SERVER_TEXT_H
#define SERVER_TEXT_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Lengths first, since most differ there. */
static inline bool text_is(const char *text, size_t length, const char *expected)
{
    return length == strlen(expected) && strncasecmp(text, expected, length) == 0;
}

/* The first element of a list, which commas and blanks separate; of length 0 where there is no further one. */
static inline const char *text_element(const char *list, size_t *length)
{
    list += strspn(list, ", \t");
    *length = strcspn(list, ", \t");
    return list;
}

/* Reads decimal digits, or nothing as 0. False if the text is not a port. */
static inline bool text_port(const char *text, unsigned *port)
{
    const size_t length = strspn(text, "0123456789");
    *port = length <= 5 ? (unsigned)atoi(text) : 0;
    return length <= 5 && text[length] == '\0' && *port <= 65535;
}

#endif
