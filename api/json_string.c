#include "json_string.h"

#include <jansson.h>
#include <stdlib.h>
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

char *json_string_decode(const char *content, size_t length)
{
    json_t *string = json_loadb(content - 1, length + 2, JSON_DECODE_ANY, NULL);
    char *decoded = json_is_string(string) ? strdup(json_string_value(string)) : NULL;
    json_decref(string);
    return decoded;
}

bool json_string_is(const char *content, size_t length, bool escaped, const char *expected)
{
    if (!escaped)
        return strlen(expected) == length && memcmp(content, expected, length) == 0;
    char *decoded = json_string_decode(content, length);
    const bool same = decoded != NULL && strcmp(decoded, expected) == 0;
    free(decoded);
    return same;
}
