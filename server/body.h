/* The body of a request as it arrives, within a limit. Its memory is the API's, of the account that the thread uses. */
#ifndef SERVER_BODY_H
#define SERVER_BODY_H

#include <stddef.h>

struct body {
    char *bytes;      /* followed by API_BODY_PADDING zero bytes; NULL if nothing was received */
    size_t length;    /* of `bytes` */
    size_t received;  /* bytes received, also after a refusal */
    size_t limit;     /* of the length */
    size_t announced; /* by the client; 0: nothing */
    size_t capacity;
};

enum body_result { BODY_OK, BODY_TOO_LARGE, BODY_NO_MEMORY };

/* Adds bytes that have arrived. Memory is allocated for what has arrived rather than for what was announced, which a
 * client may never send. */
enum body_result body_add(struct body *body, const char *data, size_t length);

/* Room for `length` bytes after those stored, which body_extend adds once they are written. NULL if memory is short. */
char *body_room(struct body *body, size_t length);
void body_extend(struct body *body, size_t length);

/* Frees what the body holds; `received` stays. */
void body_drop(struct body *body);

#endif
