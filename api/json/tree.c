#include "json/tree.h"
#include "number/read.h"
#include "json/memory.h"
#include "json/string.h"

#include <string.h>

static int fail_memory(const struct json_reader *reader, struct api_problem *problem)
{
    return api_fail(problem, API_OUT_OF_MEMORY, reader->text->pointer, API_NO_OFFSET, "no memory for the JSON");
}

/* Copies the text with quotation marks around each -Infinity that has none, until *size bytes are written or it ends.
 * Returns the byte that it has come to; *size is what it wrote. */
static const char *quote(const char *text, const char *end, char *out, size_t *size)
{
    static const char word[] = "\"" JSON_MINUS_INFINITY "\"";
    char *const begin = out;
    bool in_string = false;
    while (text < end && (size_t)(out - begin) < *size) {
        if (!in_string && text[0] == '-' && text[1] == 'I') {
            memcpy(out, word, sizeof word - 1);
            out += sizeof word - 1;
            text += sizeof word - 3;
            continue;
        }
        in_string ^= *text == '"';
        if (in_string && *text == '\\')
            *out++ = *text++;
        *out++ = *text++;
    }
    *size = (size_t)(out - begin);
    return text;
}

/* Fails at `at` of the reader's text for what jansson found. */
static int fail_loading(const struct json_reader *reader, const char *at, const json_error_t *error,
                        struct api_problem *problem)
{
    const enum json_error_code code = json_error_code(error);
    return json_reader_fail_member(reader, at,
                                   code == json_error_duplicate_key      ? API_DUPLICATE_MEMBER
                                   : code == json_error_numeric_overflow ? API_OUT_OF_RANGE
                                                                         : API_MALFORMED_JSON,
                                   error->text, problem);
}

/* Reads with jansson what begins at `begin`, in quoted[0 .. size-1] if that is not NULL. */
static int load(const struct json_reader *reader, const char *begin, char *quoted, size_t size, json_t **tree,
                struct api_problem *problem)
{
    const char *text = quoted != NULL ? quoted : begin;
    json_error_t error;
    if (!json_memory_open(json_memory_bound(text, size)))
        return fail_memory(reader, problem);
    *tree = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
    json_memory_close();
    if (*tree != NULL)
        return 0;
    size_t position = (size_t)error.position;
    const char *at = quoted != NULL ? quote(begin, reader->next, quoted, &position) : begin + position;
    return fail_loading(reader, at, &error, problem);
}

/* A value that nests, with so many unquoted -Infinity: it is JSON but for these, but a member may be duplicated in it,
 * or a number out of range. */
static int nested_tree(const struct json_reader *reader, const char *begin, size_t unquoted, json_t **tree,
                       struct api_problem *problem)
{
    size_t size = (size_t)(reader->next - begin) + 2 * unquoted;
    if (unquoted == 0)
        return load(reader, begin, NULL, size, tree, problem);
    char *quoted = api_malloc(size);
    if (quoted == NULL)
        return fail_memory(reader, problem);
    quote(begin, reader->next, quoted, &size);
    const int result = load(reader, begin, quoted, size, tree, problem);
    api_free(quoted);
    return result;
}

/* A number, or an unquoted -Infinity. */
static int number_tree(const struct json_reader *reader, const char *begin, bool unquoted, json_t **tree,
                       struct api_problem *problem)
{
    enum number_fault fault;
    double value = 0;
    if (!unquoted && number_read_double(begin, &value, &fault) == NULL)
        return json_reader_fail_member(reader, reader->next, API_OUT_OF_RANGE, "is beyond the range of float64",
                                       problem);
    *tree = unquoted ? json_string(JSON_MINUS_INFINITY) : json_real(value);
    return *tree != NULL ? 0 : fail_memory(reader, problem);
}

static int string_tree(const struct json_reader *reader, const char *begin, json_t **tree, struct api_problem *problem)
{
    const size_t length = (size_t)(reader->next - begin) - 2;
    char *text = api_malloc(length + 1);
    *tree = text != NULL && json_string_decode(begin + 1, length, text, length + 1) ? json_string_nocheck(text) : NULL;
    api_free(text);
    return *tree != NULL ? 0 : fail_memory(reader, problem);
}

int json_tree_read(struct json_reader *reader, json_t **tree, struct api_problem *problem)
{
    const char *begin = reader->next += strspn(reader->next, " \n\r\t");
    const size_t before = reader->unquoted;
    *tree = NULL;
    if (!json_reader_pass(reader) || json_reader_is_too_large(reader))
        return json_reader_fail(reader, problem);
    switch (*begin) {
    case '{':
    case '[':
        return nested_tree(reader, begin, reader->unquoted - before, tree, problem);
    case '"':
        return string_tree(reader, begin, tree, problem);
    case 't':
    case 'f':
        *tree = json_boolean(*begin == 't');
        return 0;
    case 'n':
        *tree = json_null();
        return 0;
    default:
        return number_tree(reader, begin, reader->unquoted > before, tree, problem);
    }
}
