#include "json/string.h"

#include <string.h>

const char *json_string_end(const char *content, bool *escaped)
{
    *escaped = false;
    for (;;) {
        content += strcspn(content, "\"\\");
        if (*content == '"')
            return content;
        if (*content == '\0' || content[1] == '\0')
            return NULL;
        *escaped = true;
        content += 2;
    }
}

const char *json_value_end(const char *next)
{
    bool escaped;
    size_t depth = 0;
    for (;; next++) {
        switch (*next) {
        case '\0':
            return NULL;
        case '"':
            next = json_string_end(next + 1, &escaped);
            if (next == NULL)
                return NULL;
            break;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (depth == 0)
                return next;
            depth--;
            break;
        case ',':
            if (depth == 0)
                return next;
            break;
        default:
            break;
        }
    }
}

/* ---- Escapes ---- */

/* The digits of \uXXXX, or 0. */
static unsigned read_unit(const char *escape, const char *end)
{
    unsigned unit = 0;
    if (end - escape < 6 || escape[0] != '\\' || escape[1] != 'u')
        return 0;
    for (int i = 2; i < 6; i++) {
        const char c = escape[i], lower = (char)(c | 0x20);
        if (c >= '0' && c <= '9')
            unit = 16 * unit + (unsigned)(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            unit = 16 * unit + (unsigned)(lower - 'a') + 10;
        else
            return 0;
    }
    return unit;
}

/* The character of an escape, and the byte after it; 0 where it is none. */
static unsigned read_escape(const char **next, const char *end)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *escape = *next, *letter = end - escape > 1 && escape[1] != '\0' ? strchr(letters, escape[1]) : NULL;
    *next += letter != NULL ? 2 : 6;
    if (letter != NULL)
        return (unsigned char)meanings[letter - letters];
    const unsigned unit = read_unit(escape, end);
    if (unit < 0xD800 || unit > 0xDFFF)
        return unit;
    const unsigned low = unit < 0xDC00 ? read_unit(*next, end) : 0;
    *next += 6;
    return low >= 0xDC00 && low <= 0xDFFF ? 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00) : 0;
}

/* In UTF-8; the byte after it. */
static char *put_character(char *out, unsigned character)
{
    if (character < 0x80) {
        *out++ = (char)character;
        return out;
    }
    const int more = character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
    static const unsigned char leads[] = {0, 0xC0, 0xE0, 0xF0};
    *out++ = (char)(leads[more] | character >> 6 * more);
    for (int i = more - 1; i >= 0; i--)
        *out++ = (char)(0x80 | (character >> 6 * i & 0x3F));
    return out;
}

/* ---- Strings ---- */

bool json_string_decode(const char *content, size_t length, char *out, size_t size)
{
    const char *end = content + length, *const last = out + size;
    while (content < end) {
        if (*content != '\\') {
            if (last - out < 2)
                return false;
            *out++ = *content++;
            continue;
        }
        char bytes[4];
        const unsigned character = read_escape(&content, end);
        const size_t count = (size_t)(put_character(bytes, character) - bytes);
        if (character == 0 || count + 1 > (size_t)(last - out))
            return false;
        memcpy(out, bytes, count);
        out += count;
    }
    if (last - out < 1)
        return false;
    *out = '\0';
    return true;
}

bool json_string_is(const char *content, size_t length, bool escaped, const char *expected)
{
    char decoded[256]; /* nothing that it is compared with is longer */
    if (!escaped)
        return strlen(expected) == length && memcmp(content, expected, length) == 0;
    return json_string_decode(content, length, decoded, sizeof decoded) && strcmp(decoded, expected) == 0;
}
