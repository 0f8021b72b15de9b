/* JSON pointers (RFC 6901). */
#ifndef API_JSON_POINTER_H
#define API_JSON_POINTER_H

#include <stddef.h>

/* Writes "/name" as a JSON pointer (RFC 6901), cut where `size` bytes end. */
void json_pointer_write(char *pointer, size_t size, const char *name);

#endif
