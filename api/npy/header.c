#include "npy/header.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define MAGIC "\x93NUMPY"
enum { MAGIC_BYTES = 6, VERSION_BYTES = 2 };

/* ---- Reading ---- */

struct cursor {
    const char *at, *end;
    const char *wrong; /* what is, or NULL */
};

static bool fail(struct cursor *cursor, const char *wrong)
{
    cursor->wrong = wrong;
    return false;
}

static void skip_spaces(struct cursor *cursor)
{
    while (cursor->at < cursor->end && *cursor->at == ' ')
        cursor->at++;
}

/* Takes `c`, with the spaces before it. */
static bool take(struct cursor *cursor, char c)
{
    skip_spaces(cursor);
    if (cursor->at == cursor->end || *cursor->at != c)
        return false;
    cursor->at++;
    return true;
}

static bool take_word(struct cursor *cursor, const char *word)
{
    const size_t length = strlen(word);
    skip_spaces(cursor);
    if ((size_t)(cursor->end - cursor->at) < length || memcmp(cursor->at, word, length) != 0)
        return false;
    cursor->at += length;
    return true;
}

/* A string without escapes, of which as much is kept as fits. */
static bool read_string(struct cursor *cursor, char *text, size_t size)
{
    skip_spaces(cursor);
    const char quote = cursor->at < cursor->end ? *cursor->at : '\0';
    size_t used = 0;
    if (quote != '\'' && quote != '"')
        return fail(cursor, "expected a string");
    for (cursor->at++; cursor->at < cursor->end && *cursor->at != quote; cursor->at++) {
        if (*cursor->at < ' ' || *cursor->at > '~' || *cursor->at == '\\')
            return fail(cursor, "a string of the header may only have printable ASCII without escapes");
        if (used + 1 < size)
            text[used++] = *cursor->at;
    }
    text[used] = '\0';
    return take(cursor, quote) || fail(cursor, "a string of the header does not end");
}

static bool read_descr(struct cursor *cursor, struct npy_header *header)
{
    skip_spaces(cursor);
    if (cursor->at < cursor->end && *cursor->at == '[')
        return fail(cursor, "arrays of records are not taken");
    return read_string(cursor, header->descr, sizeof header->descr);
}

static bool read_fortran_order(struct cursor *cursor, struct npy_header *header)
{
    header->fortran_order = take_word(cursor, "True");
    return header->fortran_order || take_word(cursor, "False") || fail(cursor, "fortran_order should be True or False");
}

/* As Python writes an integer: without leading zeros. */
static bool read_size(struct cursor *cursor, size_t *size)
{
    skip_spaces(cursor);
    const char *const first = cursor->at;
    for (*size = 0; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++) {
        if (*size > (SIZE_MAX - 9) / 10)
            return fail(cursor, "an axis is longer than memory");
        *size = 10 * *size + (size_t)(*cursor->at - '0');
    }
    if (cursor->at == first)
        return fail(cursor, "expected the length of an axis");
    return (*first != '0' || cursor->at == first + 1) || fail(cursor, "the length of an axis has leading zeros");
}

/* A tuple: of one element it has a comma. */
static bool read_shape(struct cursor *cursor, struct npy_header *header)
{
    bool comma = true;
    if (!take(cursor, '('))
        return fail(cursor, "shape should be a tuple");
    for (header->rank = 0; !take(cursor, ')'); header->rank++) {
        size_t size;
        if (!comma)
            return fail(cursor, "expected a comma or the end of the shape");
        if (!read_size(cursor, &size))
            return false;
        if (header->rank < API_TENSOR_MAX_RANK)
            header->shape[header->rank] = size;
        comma = take(cursor, ',');
    }
    return header->rank != 1 || comma || fail(cursor, "shape should be a tuple: (3,), not (3)");
}

static const struct {
    const char *name;
    bool (*read)(struct cursor *cursor, struct npy_header *header);
} keys[] = {{"descr", read_descr}, {"fortran_order", read_fortran_order}, {"shape", read_shape}};
enum { KEYS = sizeof keys / sizeof *keys };

/* `seen` has a bit for each key. */
static bool read_member(struct cursor *cursor, struct npy_header *header, unsigned *seen)
{
    char name[NPY_DESCR_SIZE];
    size_t key = 0;
    if (!read_string(cursor, name, sizeof name))
        return false;
    while (key < KEYS && strcmp(keys[key].name, name) != 0)
        key++;
    if (key == KEYS)
        return fail(cursor, "the header may only have descr, fortran_order and shape");
    if (*seen >> key & 1)
        return fail(cursor, "a key of the header is duplicated");
    *seen |= 1u << key;
    if (!take(cursor, ':'))
        return fail(cursor, "expected a colon");
    return keys[key].read(cursor, header);
}

/* The dict, then spaces and a line feed up to the end. */
static bool read_dict(struct cursor *cursor, struct npy_header *header)
{
    unsigned seen = 0;
    bool comma = true;
    if (!take(cursor, '{'))
        return fail(cursor, "the header should be a dict");
    while (!take(cursor, '}')) {
        if (!comma)
            return fail(cursor, "expected a comma or the end of the dict");
        if (!read_member(cursor, header, &seen))
            return false;
        comma = take(cursor, ',');
    }
    if (seen != (1u << KEYS) - 1)
        return fail(cursor, "the header lacks descr, fortran_order or shape");
    if (!take(cursor, '\n') || cursor->at != cursor->end)
        return fail(cursor, "the header should end with spaces and a line feed");
    return true;
}

/* The length of the dict, and in *before that of what is before it; or what is wrong. */
static const char *read_length(const char *bytes, size_t length, size_t *before, size_t *dict)
{
    const unsigned char *const begin = (const unsigned char *)bytes;
    const size_t fixed = MAGIC_BYTES + VERSION_BYTES;
    if (length == 0)
        return "the body ends where an array should begin: send what numpy.save writes";
    if (length < fixed + 2 || memcmp(bytes, MAGIC, MAGIC_BYTES) != 0)
        return "no .npy array begins here: send what numpy.save writes, or JSON as application/json";
    if (begin[MAGIC_BYTES] < 1 || begin[MAGIC_BYTES] > 3 || begin[MAGIC_BYTES + 1] != 0)
        return "the version of the format must be 1.0, 2.0 or 3.0";
    *before = fixed + (begin[MAGIC_BYTES] == 1 ? 2 : 4);
    if (length < *before)
        return "the header is cut off";
    *dict = 0;
    for (size_t i = *before; i-- > fixed;)
        *dict = *dict << 8 | begin[i];
    if (*dict > NPY_MOST_HEADER_BYTES)
        return "the header is longer than 10000 bytes";
    return *dict > length - *before ? "the header is cut off" : NULL;
}

const char *npy_header_read(const char *bytes, size_t length, struct npy_header *header, size_t *offset)
{
    size_t before, dict;
    *header = (struct npy_header){.rank = 0};
    *offset = 0;
    const char *wrong = read_length(bytes, length, &before, &dict);
    if (wrong != NULL)
        return wrong;
    struct cursor cursor = {bytes + before, bytes + before + dict, NULL};
    header->length = before + dict;
    if (read_dict(&cursor, header))
        return NULL;
    *offset = (size_t)(cursor.at - bytes);
    return cursor.wrong;
}

/* ---- Writing ---- */

void npy_header_write(char *out, const struct api_tensor *tensor)
{
    static const char begin[] = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, NPY_HEADER_BYTES - 10, 0};
    char *const dict = out + sizeof begin;
    const size_t size = NPY_HEADER_BYTES - sizeof begin;
    memcpy(out, begin, sizeof begin);
    size_t used = (size_t)snprintf(dict, size, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                                   api_dtypes[tensor->dtype].descr);
    for (size_t i = 0; i < tensor->rank; i++)
        used += (size_t)snprintf(dict + used, size - used, i == 0 ? "%zu," : " %zu,", tensor->shape[i]);
    if (tensor->rank > 1)
        used--;
    used += (size_t)snprintf(dict + used, size - used, "), }");
    assert(used < size); /* as the product of the shape is the size of memory */
    memset(dict + used, ' ', size - used - 1);
    dict[size - 1] = '\n';
}
