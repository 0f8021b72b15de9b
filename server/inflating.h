/* An encoded body into the one that it stands for, step by step, in memory of the account that the thread uses. */
#ifndef SERVER_INFLATING_H
#define SERVER_INFLATING_H

#include "body.h"
#include "encoding.h"

struct inflating {
    struct body encoded;
    struct body *body;
    struct inflater *inflater;
    size_t taken; /* of the encoded bytes */
};

/* The whole body, as it came, is replaced by what it stands for. False if memory is short. */
bool inflating_begin(struct inflating *inflating, struct body *body, enum encoding encoding);

enum inflating_result {
    INFLATING_MORE,
    INFLATING_DONE,
    INFLATING_MALFORMED,
    INFLATING_TOO_LARGE,
    INFLATING_TOO_DENSE, /* beyond the first megabyte, more than INFLATING_MOST_RATIO bytes for each that was sent */
    INFLATING_NO_MEMORY,
};

enum { INFLATING_MOST_RATIO = 256 };

/* A megabyte at most. */
enum inflating_result inflating_step(struct inflating *inflating);

/* Frees the encoded bytes. Zeroed memory can be ended as well. */
void inflating_end(struct inflating *inflating);

#endif
