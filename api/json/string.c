#include "json/string.h"
#include "api.h"
#include "json/memory.h"

#include <jansson.h>
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
    if (!json_memory_open(json_memory_bound(content - 1, length + 2)))
        return NULL;
    json_t *string = json_loadb(content - 1, length + 2, JSON_DECODE_ANY, NULL);
    json_memory_close();
    char *decoded = json_is_string(string) ? api_strdup(json_string_value(string)) : NULL;
    json_decref(string);
    return decoded;
}

bool json_string_is(const char *content, size_t length, bool escaped, const char *expected)
{
    if (!escaped)
        return strlen(expected) == length && memcmp(content, expected, length) == 0;
    char *decoded = json_string_decode(content, length);
    const bool same = decoded != NULL && strcmp(decoded, expected) == 0;
    api_free(decoded);
    return same;
}
