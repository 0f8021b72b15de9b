#include "json/tree.h"
#include "number/read.h"
#include "json/memory.h"
#include "json/string.h"

#include <string.h>

static int fail_memory(const struct json_reader *reader, struct api_problem *problem)
{
    return api_fail(problem, API_OUT_OF_MEMORY, reader->text->pointer, API_NO_OFFSET, "no memory for the JSON");
}

/* A value that nests, as jansson reads it: it is JSON, but a member may be duplicated in it, or a number out of range.
 */
static int nested_tree(const struct json_reader *reader, const char *begin, json_t **tree, struct api_problem *problem)
{
    const size_t length = (size_t)(reader->next - begin);
    json_error_t error;
    if (!json_memory_open(json_memory_bound(begin, length)))
        return fail_memory(reader, problem);
    *tree = json_loadb(begin, length, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
    json_memory_close();
    if (*tree != NULL)
        return 0;
    const enum json_error_code code = json_error_code(&error);
    return json_reader_fail_member(reader, begin + error.position,
                                   code == json_error_duplicate_key      ? API_DUPLICATE_MEMBER
                                   : code == json_error_numeric_overflow ? API_OUT_OF_RANGE
                                                                         : API_MALFORMED_JSON,
                                   error.text, problem);
}

static int number_tree(const struct json_reader *reader, const char *begin, json_t **tree, struct api_problem *problem)
{
    enum number_fault fault;
    double value;
    if (number_read_double(begin, &value, &fault) == NULL)
        return json_reader_fail_member(reader, reader->next, API_OUT_OF_RANGE, "is beyond the range of float64",
                                       problem);
    *tree = json_real(value);
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
    *tree = NULL;
    if (!json_reader_pass(reader) || json_reader_is_too_large(reader))
        return json_reader_fail(reader, problem);
    switch (*begin) {
    case '{':
    case '[':
        return nested_tree(reader, begin, tree, problem);
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
        return number_tree(reader, begin, tree, problem);
    }
}
