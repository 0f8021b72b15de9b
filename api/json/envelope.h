/* A request's JSON object, read by jansson but for its large arrays, which never pass through a tree. */
#ifndef API_JSON_ENVELOPE_H
#define API_JSON_ENVELOPE_H

#include "json/array.h"
#include "json/pointer.h"

#include <jansson.h>

/* The body without its arrays may be this long: jansson's tree can take 77 times the bytes it is read from.
 */
#define JSON_ENVELOPE_MAX_BYTES (1u << 20)

#define JSON_ENVELOPE_MAX_ARRAYS 16

/* Reads the object in `text`. Each member of it that `arrays` names, and whose value begins like one of those
 * (json_array_begins), goes there; null takes its place in *envelope, which the caller releases. What is not
 * read that way is jansson's, its integers as reals: an integer that must be exact is to be named. Of a member
 * that stands twice the second one is a duplicate key. 0, or -1 and *problem: the text is not JSON, has a NUL
 * byte or a duplicate key, is no object, or an array does not read. Of a text that is not JSON the problem's offset is
 * that of the byte that breaks it. */
int json_envelope_read(const struct json_text *text, struct json_named_array *arrays, size_t array_count,
                       json_t **envelope, struct api_problem *problem);

/* The elements of an array, found but not yet read. */
struct json_elements {
    struct json_text *texts; /* each to be given to json_envelope_read; freed by the caller */
    size_t count;
    bool found;
};

/* Reads the object in `text` but for the elements of its member `name`, if that is an array: they are found and
 * not read. Whatever surrounds them is checked as by json_envelope_read, with null in place of the whole array;
 * the text is JSON if json_envelope_read takes each element too. More than `max` elements are API_OUT_OF_RANGE
 * with problem->limit, none at all API_EMPTY_ARRAY. 0 with *elements and *envelope, or -1 and *problem, with
 * neither. Memory: at most twice the size of struct json_text for each element up to `max`, and one envelope. */
int json_elements_read(const struct json_text *text, const char *name, size_t max, struct json_elements *elements,
                       json_t **envelope, struct api_problem *problem);

/* Reads the object in `text` but for its member `name`, if that is an object: it is found and not read, null takes its
 * place in *envelope, and *object, whose body is NULL if there is none, is a text of its own, whose offsets and
 * pointers begin with it. Otherwise as json_envelope_read. */
int json_object_read(const struct json_text *text, const char *name, struct json_text *object, json_t **envelope,
                     struct api_problem *problem);

/* The same for a value that begins with `first`, '{' or '['. */
int json_member_read(const struct json_text *text, const char *name, char first, struct json_text *member,
                     json_t **envelope, struct api_problem *problem);

#endif
