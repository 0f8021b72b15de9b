/* jansson's memory. Its reader ends the program or spoils its heap where an allocation fails in the middle of a text
 * (2.14), so what a text can take is had before it is read, in one block from which all of its tree is cut: which is
 * also counted, and may be refused, before it is taken, and costs less than as many blocks of malloc. */
#ifndef API_JSON_MEMORY_H
#define API_JSON_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Gives jansson the functions that allocate so. */
void json_memory_init(void);

/* What jansson takes at the most to read a text, beyond what any text takes; of a part of a text: the whole takes the
 * sum. */
size_t json_memory_bound(const char *text, size_t length);

/* Until json_memory_close, all that jansson allocates on this thread comes from one block: enough for a text of which
 * json_memory_bound says `bytes`. False if it is not to be had. What has come from it may be freed at any time and on
 * any thread, on one at a time; the block is freed with the last of it. */
bool json_memory_open(size_t bytes);
void json_memory_close(void);

#endif
