/* A strict reader of JSON (RFC 8259) that walks over a text once, without recursion and without a tree, and knows at
 * each byte where it is. What it takes is what jansson takes: \u0000 and brackets 2049 deep are refused too. And beyond
 * that -Infinity without quotation marks, which Python's json writes: it is the string "-Infinity". */
#ifndef API_JSON_READER_H
#define API_JSON_READER_H

#include "api.h"
#include "json/text.h"

enum {
    JSON_MOST_DEPTH = 2048, /* jansson's */
    JSON_NAMED_LEVELS = 16, /* whose members and elements a pointer names */
};

/* The text may have so many bytes, but for what was passed by json_reader_pass_to: jansson's trees can take 77 times
 * the bytes that they are read from. */
#define JSON_MAX_BYTES (1u << 20)

/* The name of a member as it is in the text. */
struct json_key {
    const char *at; /* after the opening quotation mark */
    size_t length;
    bool escaped; /* holds a backslash */
};

struct json_level {
    struct json_key key; /* in an object: of the last member; at is NULL before the first */
    size_t index;        /* in an array: of the last element */
    bool begun;          /* it has a member or an element */
};

/* Its members are the reader's own, but for `next`. */
struct json_reader {
    const struct json_text *text;
    const char *next; /* the byte to be read */
    const char *end;
    size_t aside;               /* bytes passed by json_reader_pass_to */
    size_t unquoted;            /* so many -Infinity have been passed */
    const char *broke, *reason; /* where it is no JSON, of a token the first byte; and what was expected there */
    size_t depth;               /* open brackets */
    bool object[JSON_MOST_DEPTH];
    struct json_level levels[JSON_NAMED_LEVELS];
};

/* Before the first byte of the text, which is kept. */
void json_reader_open(struct json_reader *reader, const struct json_text *text);

/* Enters the object or the array that begins at the next byte that is no white space. False if that byte is not
 * `bracket`. */
bool json_reader_enter(struct json_reader *reader, char bracket);

/* The next member of the innermost object: 1 with its key and the reader at the first byte of its value, which is to be
 * passed before the next call; 0 if that was the last, and the object is left; -1 where the text broke. */
int json_reader_member(struct json_reader *reader, struct json_key *key);

/* The next element of the innermost array: 1 with the reader before it, 0 or -1 likewise. */
int json_reader_element(struct json_reader *reader);

/* Whether the name of a member is `name`, however it is escaped. */
bool json_key_is(const struct json_key *key, const char *name);

/* Passes the value that begins at the next byte that is no white space. False where the text broke, as the following.
 */
bool json_reader_pass(struct json_reader *reader);

/* Passes the value that begins at `next` and ends at `end`, as another reader has found. */
void json_reader_pass_to(struct json_reader *reader, const char *end);

/* Passes the white space at the end of the text. False where that does not follow, or the text is too large. */
bool json_reader_end(struct json_reader *reader);

/* Whether what has been passed is more than JSON_MAX_BYTES. */
bool json_reader_is_too_large(const struct json_reader *reader);

/* Whether the token at `at`, a number or a word, is none: then *broke and *reason say where and why. */
bool json_token_breaks(const struct json_text *text, const char *at, const char **broke, const char **reason);

/* Fails where the text broke, or because it is too large. */
int json_reader_fail(const struct json_reader *reader, struct api_problem *problem);

/* Fails at `at`, with the pointer to the outermost object's member. */
int json_reader_fail_member(const struct json_reader *reader, const char *at, enum api_problem_code code,
                            const char *detail, struct api_problem *problem);

#endif
