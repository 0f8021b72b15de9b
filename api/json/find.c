#include "json/find.h"
#include "number/read.h"
#include "json/reader.h"
#include "json/string.h"

#include <math.h>
#include <string.h>

enum { MOST_TOKEN_BYTES = sizeof((struct api_problem *)0)->pointer };

/* The pointer's first token, without its escapes; returns what follows it. */
static const char *read_token(const char *pointer, char *token)
{
    size_t used = 0;
    for (pointer++; *pointer != '\0' && *pointer != '/'; pointer++) {
        char c = *pointer;
        if (c == '~' && (pointer[1] == '0' || pointer[1] == '1'))
            c = *++pointer == '0' ? '~' : '/';
        if (used + 1 < MOST_TOKEN_BYTES)
            token[used++] = c;
    }
    token[used] = '\0';
    return pointer;
}

static bool pass(struct json_reader *reader)
{
    const char *end = json_value_end(reader->next);
    if (end != NULL && end < reader->end)
        json_reader_pass_to(reader, end);
    return end != NULL && end < reader->end;
}

static bool enter_member(struct json_reader *reader, const char *name)
{
    struct json_key key;
    while (json_reader_member(reader, &key) > 0) {
        if (json_key_is(&key, name))
            return true;
        if (!pass(reader))
            break;
    }
    return false;
}

static bool enter_element(struct json_reader *reader, const char *name)
{
    enum number_fault fault;
    uint64_t index;
    if (*name < '0' || *name > '9' || number_read_uint64(name, &index, &fault) == NULL)
        return false;
    while (json_reader_element(reader) > 0) {
        if (index-- == 0)
            return true;
        if (!pass(reader))
            break;
    }
    return false;
}

const char *json_find(const struct json_text *text, const char *pointer)
{
    char token[MOST_TOKEN_BYTES + API_BODY_PADDING] = "";
    struct json_reader reader;
    bool found = false;
    json_reader_open(&reader, text);
    for (; *pointer == '/' && reader.depth < JSON_NAMED_LEVELS; found = true) {
        pointer = read_token(pointer, token);
        if (json_reader_enter(&reader, '{') ? !enter_member(&reader, token)
                                            : !json_reader_enter(&reader, '[') || !enter_element(&reader, token))
            return NULL;
    }
    return found && reader.next < reader.end ? reader.next : NULL;
}

void json_find_place(const struct json_text *text, struct api_problem *problem)
{
    const size_t above = strlen(text->pointer);
    if (problem == NULL || problem->offset != API_NO_OFFSET || strncmp(problem->pointer, text->pointer, above) != 0)
        return;
    const char *at = json_find(text, problem->pointer + above);
    if (at != NULL)
        problem->offset = text->offset + (size_t)(at - text->body);
}

bool json_find_is_whole(const struct json_text *text, const char *pointer, double number)
{
    enum number_fault fault;
    uint64_t value;
    const char *at = fabs(number) >= 0x1p52 ? json_find(text, pointer) : NULL;
    return at == NULL || number_read_uint64(at, &value, &fault) != NULL || fault != NUMBER_FRACTION;
}
