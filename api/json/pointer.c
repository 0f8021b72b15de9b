#include "json/pointer.h"

void json_pointer_write(char *pointer, size_t size, const char *name)
{
    char *end = pointer + size - 1;
    if (pointer < end)
        *pointer++ = '/';
    for (; *name != '\0' && pointer + 1 < end; name++) {
        if (*name == '~' || *name == '/') {
            *pointer++ = '~';
            *pointer++ = *name == '~' ? '0' : '1';
        } else {
            *pointer++ = *name;
        }
    }
    *pointer = '\0';
}
