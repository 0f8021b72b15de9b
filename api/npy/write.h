/* Calls into .npy bodies. */
#ifndef API_NPY_WRITE_H
#define API_NPY_WRITE_H

#include "call/call.h"

/* An answer on its way: one .npy array for each result, one after the other. */
struct npy_writer {
    struct api_call *call;
    char *body; /* the owner's to free */
    size_t length;
    size_t result; /* being put */
    size_t moved;  /* bytes of its data */
    size_t from;   /* where in the body the first one's data were */
};

/* Begins it, after call_finish, with what else a JSON answer says in the response's headers. The first result stays in
 * its memory, which becomes the body: the call is only to be freed afterwards. -1 and *problem if memory is short, as
 * the following. */
int npy_write_open(struct npy_writer *writer, struct api_call *call, struct api_response *response,
                   struct api_problem *problem);

/* Puts about `most` bytes: 1 if there is more, 0 if the response is complete. */
int npy_write_some(struct npy_writer *writer, size_t most, struct api_response *response, struct api_problem *problem);

#endif
