#include "json/scan.h"
#include "number/read.h"
#include "json/string.h"

#include <math.h>
#include <string.h>

/* ---- Members ---- */

const char *json_scan_space(const char *next)
{
    while (*next == ' ' || *next == '\n' || *next == '\r' || *next == '\t')
        next++;
    return next;
}

const char *json_scan_value(const char *next)
{
    bool escaped;
    size_t depth = 0;
    for (;; next++) {
        switch (*next) {
        case '\0':
            return NULL;
        case '"':
            next = json_string_end(next + 1, &escaped);
            if (next == NULL)
                return NULL;
            break;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (depth == 0)
                return next;
            depth--;
            break;
        case ',':
            if (depth == 0)
                return next;
            break;
        default:
            break;
        }
    }
}

bool json_scan_member(const char *next, struct json_scan_member *member)
{
    next = json_scan_space(next);
    if (*next != '"')
        return false;
    member->key = next + 1;
    next = json_string_end(member->key, &member->key_escaped);
    if (next == NULL)
        return false;
    member->key_length = (size_t)(next - member->key);
    next = json_scan_space(next + 1);
    if (*next != ':')
        return false;
    member->value = json_scan_space(next + 1);
    return true;
}

bool json_scan_is(const struct json_scan_member *member, const char *name)
{
    return json_string_is(member->key, member->key_length, member->key_escaped, name);
}

const char *json_scan_first(const struct json_text *text)
{
    const char *next = json_scan_space(text->body);
    return *next == '{' ? next + 1 : NULL;
}

/* ---- Values ---- */

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

static const char *find_member(const char *next, const char *name)
{
    struct json_scan_member member;
    while (next != NULL && json_scan_member(next, &member)) {
        if (json_scan_is(&member, name))
            return member.value;
        next = json_scan_value(member.value);
        next = next != NULL && *next == ',' ? next + 1 : NULL;
    }
    return NULL;
}

static const char *find_element(const char *next, const char *name)
{
    enum number_fault fault;
    uint64_t index;
    if (*name < '0' || *name > '9' || number_read_uint64(name, &index, &fault) == NULL)
        return NULL;
    for (; next != NULL; next = next != NULL && *next == ',' ? next + 1 : NULL) {
        next = json_scan_space(next);
        if (index-- == 0)
            return *next != ']' ? next : NULL;
        next = json_scan_value(next);
    }
    return NULL;
}

const char *json_scan_find(const struct json_text *text, const char *pointer)
{
    char token[MOST_TOKEN_BYTES + API_BODY_PADDING] = "";
    const char *at = text->length > 0 && *pointer == '/' ? json_scan_space(text->body) : NULL;
    while (at != NULL && *pointer == '/') {
        pointer = read_token(pointer, token);
        at = *at == '{' ? find_member(at + 1, token) : *at == '[' ? find_element(at + 1, token) : NULL;
    }
    return at != NULL && at < text->body + text->length ? at : NULL;
}

void json_scan_place(const struct json_text *text, struct api_problem *problem)
{
    const size_t above = strlen(text->pointer);
    if (problem == NULL || problem->offset != API_NO_OFFSET || strncmp(problem->pointer, text->pointer, above) != 0)
        return;
    const char *at = json_scan_find(text, problem->pointer + above);
    if (at != NULL)
        problem->offset = text->offset + (size_t)(at - text->body);
}

bool json_scan_is_whole(const struct json_text *text, const char *pointer, double number)
{
    enum number_fault fault;
    uint64_t value;
    const char *at = fabs(number) >= 0x1p52 ? json_scan_find(text, pointer) : NULL;
    return at == NULL || number_read_uint64(at, &value, &fault) != NULL || fault != NUMBER_FRACTION;
}
