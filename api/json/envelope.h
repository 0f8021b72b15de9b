/* JSON objects whose large values stay out of the tree that is made of the rest. */
#ifndef API_JSON_ENVELOPE_H
#define API_JSON_ENVELOPE_H

#include "json/array.h"
#include "json/pointer.h"
#include "json/tree.h"

/* Reads the object in `text`. Each member of it that `arrays` names, and whose value begins like one of those
 * (json_array_begins), goes there; null takes its place in *envelope, which the caller releases. The others become
 * trees, their integers reals: an integer that must be exact is to be named. Of a member that is duplicated the second
 * one is at fault. 0, or -1 and *problem: the text is not JSON, has a NUL byte or a duplicate key, is no object, an
 * array does not read, or the trees would be of more than JSON_MAX_BYTES. Of a text that is not JSON the problem's
 * offset is that of the byte that breaks it. */
int json_envelope_read(const struct json_text *text, struct json_named_array *arrays, size_t array_count,
                       json_t **envelope, struct api_problem *problem);

/* Fails for a text that is no object, or no JSON at all. */
int json_envelope_refuse(struct json_reader *reader, struct api_problem *problem);

/* The elements of an array, found but not yet read. */
struct json_elements {
    struct json_text *texts; /* each to be given to json_envelope_read; freed by the caller */
    size_t count;
    bool found;
};

/* Reads the object in `text` but for the elements of its member `name`, if that is an array: they are found by their
 * brackets and not read. The others are read as by json_envelope_read, with null in place of the whole array; the text
 * is JSON if json_envelope_read takes each element too. More than `max` elements are API_OUT_OF_RANGE with
 * problem->limit, none at all API_EMPTY_ARRAY. 0 with *elements and *envelope, or -1 and *problem, with neither.
 * Memory: at most twice the size of struct json_text for each element up to `max`, and one envelope. */
int json_elements_read(const struct json_text *text, const char *name, size_t max, struct json_elements *elements,
                       json_t **envelope, struct api_problem *problem);

/* Reads the object in `text` but for its member `name`, if its value begins with `first`, '{' or '[': that is found by
 * its brackets and not read, null takes its place in *envelope, and *member, whose body is NULL if there is none, is a
 * text of its own, whose offsets and pointers begin with it. Otherwise as json_envelope_read. */
int json_member_read(const struct json_text *text, const char *name, char first, struct json_text *member,
                     json_t **envelope, struct api_problem *problem);

#endif
