/* The small values of a text as jansson's. */
#ifndef API_JSON_TREE_H
#define API_JSON_TREE_H

#include "json/reader.h"

#include <jansson.h>

/* Passes the value as json_reader_pass does, and makes *tree of it, to be released: an integer becomes a real. -1 and
 * *problem, with NULL, where the text broke, a member is duplicated in it, a number is out of double's range, memory is
 * short, or the text up to there is too large. */
int json_tree_read(struct json_reader *reader, json_t **tree, struct api_problem *problem);

#endif
