#include "json/reader.h"
#include "json/instead.h"
#include "json/pointer.h"
#include "json/string.h"
#include "json/utf8.h"

#include <stdio.h>
#include <string.h>

static bool stop(struct json_reader *reader, const char *at, const char *reason)
{
    reader->broke = at;
    reader->reason = at < reader->end && *at == '\0' ? "a NUL byte is no part of JSON" : reason;
    return false;
}

/* Where a value or a name should begin: what is there may be another language's. */
static bool stop_word(struct json_reader *reader, const char *at, const char *reason)
{
    const char *advice = json_instead(at, reader->end);
    return stop(reader, at, advice != NULL ? advice : reason);
}

static bool is_at(const struct json_reader *reader, const char *at, char expected)
{
    return at < reader->end && *at == expected;
}

static void skip_space(struct json_reader *reader)
{
    const char *next = reader->next;
    while (next < reader->end && (*next == ' ' || *next == '\n' || *next == '\r' || *next == '\t'))
        next++;
    reader->next = next;
}

/* ---- Numbers and words ---- */

static const char *skip_digits(const struct json_reader *reader, const char *at)
{
    while (at < reader->end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* The byte after at least one digit; NULL where there is none. *reached is how far that came. */
static const char *pass_digits(const struct json_reader *reader, const char *at, const char **reached)
{
    *reached = skip_digits(reader, at);
    return *reached > at ? *reached : NULL;
}

/* The byte after a number, or NULL. */
static const char *number_end(const struct json_reader *reader, const char **reached)
{
    const char *at = reader->next + is_at(reader, reader->next, '-');
    const bool zero = is_at(reader, at, '0');
    const char *whole = at;
    at = pass_digits(reader, at, reached);
    if (zero && at > whole + 1)
        *reached = whole;
    if (at == NULL || *reached == whole)
        return NULL;
    if (is_at(reader, at, '.') && (at = pass_digits(reader, at + 1, reached)) == NULL)
        return NULL;
    if (!is_at(reader, at, 'e') && !is_at(reader, at, 'E'))
        return at;
    at++;
    at += is_at(reader, at, '+') || is_at(reader, at, '-');
    return pass_digits(reader, at, reached);
}

static bool pass_number(struct json_reader *reader)
{
    const char *reached, *end = number_end(reader, &reached);
    if (end == NULL)
        return stop_word(reader, reached == reader->end ? reached : reader->next, "expected a number");
    reader->next = end;
    return true;
}

static bool pass_word(struct json_reader *reader, const char *word)
{
    const size_t length = strlen(word), left = (size_t)(reader->end - reader->next);
    if (memcmp(reader->next, word, length < left ? length : left) != 0)
        return stop_word(reader, reader->next, "expected a value");
    if (left < length)
        return stop(reader, reader->end, "expected a value");
    reader->next += length;
    return true;
}

/* -Infinity without quotation marks. */
static bool pass_unquoted(struct json_reader *reader)
{
    const size_t length = strlen(JSON_MINUS_INFINITY);
    if ((size_t)(reader->end - reader->next) < length || memcmp(reader->next, JSON_MINUS_INFINITY, length) != 0)
        return false;
    reader->next += length;
    reader->unquoted++;
    return true;
}

/* ---- Strings: each function returns the byte after what is at `at`, or NULL where it is broken ---- */

static const char *break_string(struct json_reader *reader, const char *at, const char *reason)
{
    stop(reader, at, at < reader->end ? reason : "expected the end of a string");
    return NULL;
}

static int hexadecimal(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \uXXXX */
static const char *pass_unit(struct json_reader *reader, const char *at, unsigned *unit)
{
    static const char start[] = "\\u";
    *unit = 0;
    for (size_t i = 0; i < 6; i++) {
        if (at + i == reader->end)
            return break_string(reader, at + i, NULL);
        const int digit = i < 2 ? 0 : hexadecimal(at[i]);
        if (digit < 0 || (i < 2 && at[i] != start[i]))
            return break_string(reader, at, "invalid escape sequence");
        *unit = 16 * *unit + (unsigned)digit;
    }
    return at + 6;
}

static const char *pass_escape(struct json_reader *reader, const char *at)
{
    unsigned unit;
    if (at + 1 == reader->end)
        return break_string(reader, at + 1, NULL);
    if (at[1] != 'u')
        return at[1] != '\0' && strchr("\"\\/bfnrt", at[1]) != NULL
                   ? at + 2
                   : break_string(reader, at, "invalid escape sequence");
    const char *end = pass_unit(reader, at, &unit);
    if (end == NULL)
        return NULL;
    if (unit == 0 || (unit >= 0xDC00 && unit <= 0xDFFF))
        return break_string(reader, at, unit == 0 ? "\\u0000 is not allowed" : "unpaired surrogate");
    if (unit < 0xD800 || unit > 0xDFFF)
        return end;
    if (is_at(reader, end, '\\') && (end + 1 == reader->end || end[1] == 'u'))
        end = pass_unit(reader, end, &unit);
    else if (end < reader->end)
        return break_string(reader, at, "unpaired surrogate");
    else
        return break_string(reader, end, NULL);
    if (end != NULL && (unit < 0xDC00 || unit > 0xDFFF))
        return break_string(reader, at, "unpaired surrogate");
    return end;
}

/* A character beyond ASCII. The padding of a body follows its last byte. */
static const char *pass_character(struct json_reader *reader, const char *at)
{
    const size_t length = utf8_character(at);
    if (length == 0 || length > (size_t)(reader->end - at))
        return break_string(reader, at, "invalid UTF-8");
    return at + length;
}

/* Sets *escaped if there is a backslash in it. */
static bool pass_string(struct json_reader *reader, bool *escaped)
{
    const char *at = reader->next + 1;
    *escaped = false;
    while (at != NULL && !is_at(reader, at, '"')) {
        if (at == reader->end || (unsigned char)*at < 0x20)
            at = break_string(reader, at, "a control character in a string");
        else if (*at == '\\') {
            *escaped = true;
            at = pass_escape(reader, at);
        } else
            at = (unsigned char)*at < 0x80 ? at + 1 : pass_character(reader, at);
    }
    if (at == NULL)
        return false;
    reader->next = at + 1;
    return true;
}

/* ---- Brackets ---- */

static bool in_object(const struct json_reader *reader)
{
    return reader->object[reader->depth - 1];
}

static char closing(const struct json_reader *reader)
{
    return in_object(reader) ? '}' : ']';
}

/* The innermost, or one that nobody looks at. */
static struct json_level *innermost(struct json_reader *reader, struct json_level *spare)
{
    return reader->depth <= JSON_NAMED_LEVELS ? &reader->levels[reader->depth - 1] : spare;
}

static bool open_bracket(struct json_reader *reader)
{
    if (reader->depth == JSON_MOST_DEPTH)
        return stop(reader, reader->next, "brackets nest too deep");
    reader->object[reader->depth] = *reader->next == '{';
    if (reader->depth < JSON_NAMED_LEVELS)
        reader->levels[reader->depth] = (struct json_level){0};
    reader->depth++;
    reader->next++;
    skip_space(reader);
    return true;
}

static bool stop_separator(struct json_reader *reader)
{
    return stop(reader, reader->next,
                in_object(reader) ? "expected ',' or '}' after a value" : "expected ',' or ']' after an element");
}

/* In an object, what comes before a value: its name. */
static bool pass_name(struct json_reader *reader)
{
    struct json_level spare, *level = innermost(reader, &spare);
    struct json_key key;
    if (!in_object(reader))
        return true;
    skip_space(reader);
    if (!is_at(reader, reader->next, '"'))
        return stop_word(reader, reader->next, "expected a member's name in double quotation marks");
    key.at = reader->next + 1;
    level->key.at = NULL;
    if (!pass_string(reader, &key.escaped))
        return false;
    key.length = (size_t)(reader->next - 1 - key.at);
    level->key = key;
    skip_space(reader);
    if (!is_at(reader, reader->next, ':'))
        return stop(reader, reader->next, "expected ':' after a name");
    reader->next++;
    return true;
}

/* After a value: closes what ends here, down to that depth. Leaves the reader before the next value, or at that depth.
 */
static bool pass_separators(struct json_reader *reader, size_t depth)
{
    while (reader->depth > depth) {
        struct json_level spare = {0}, *level = innermost(reader, &spare);
        skip_space(reader);
        if (is_at(reader, reader->next, ',')) {
            level->index++;
            reader->next++;
            return pass_name(reader);
        }
        if (!is_at(reader, reader->next, closing(reader)))
            return stop_separator(reader);
        reader->next++;
        reader->depth--;
    }
    return true;
}

/* ---- Values ---- */

static bool is_empty(const struct json_reader *reader)
{
    const char *body = reader->text->body;
    return body + strspn(body, " \n\r\t") == reader->end;
}

static bool pass_scalar(struct json_reader *reader)
{
    bool escaped;
    switch (reader->next < reader->end ? *reader->next : '\0') {
    case '"':
        return pass_string(reader, &escaped);
    case 't':
        return pass_word(reader, "true");
    case 'f':
        return pass_word(reader, "false");
    case 'n':
        return pass_word(reader, "null");
    case '-':
        return pass_unquoted(reader) || pass_number(reader);
    default:
        if (reader->next < reader->end && *reader->next >= '0' && *reader->next <= '9')
            return pass_number(reader);
        return is_empty(reader) ? stop(reader, reader->end, "the body is empty: send a JSON object")
                                : stop_word(reader, reader->next, "expected a value");
    }
}

/* A value up to the separators after it, or up to the first value in it. */
static bool pass_some(struct json_reader *reader, size_t depth)
{
    skip_space(reader);
    if (!is_at(reader, reader->next, '{') && !is_at(reader, reader->next, '['))
        return pass_scalar(reader) && pass_separators(reader, depth);
    if (!open_bracket(reader))
        return false;
    return is_at(reader, reader->next, closing(reader)) ? pass_separators(reader, depth) : pass_name(reader);
}

bool json_reader_pass(struct json_reader *reader)
{
    const size_t depth = reader->depth;
    do {
        if (!pass_some(reader, depth))
            return false;
    } while (reader->depth > depth);
    return true;
}

bool json_token_breaks(const struct json_text *text, const char *at, const char **broke, const char **reason)
{
    struct json_reader reader;
    json_reader_open(&reader, text);
    reader.next = at;
    if (pass_scalar(&reader))
        return false;
    *broke = reader.broke;
    *reason = reader.reason;
    return true;
}

/* ---- The whole text ---- */

void json_reader_open(struct json_reader *reader, const struct json_text *text)
{
    reader->text = text;
    reader->next = reader->broke = text->body;
    reader->end = text->body + text->length;
    reader->aside = reader->unquoted = reader->depth = 0;
    reader->object[0] = false;
}

bool json_reader_enter(struct json_reader *reader, char bracket)
{
    skip_space(reader);
    return is_at(reader, reader->next, bracket) && open_bracket(reader);
}

/* Whether another member or element comes. If not, the bracket is closed. */
static bool goes_on(struct json_reader *reader)
{
    skip_space(reader);
    if (!is_at(reader, reader->next, closing(reader)))
        return true;
    reader->next++;
    reader->depth--;
    return false;
}

/* Before a member or an element: the comma, if there is one before it. */
static bool pass_comma(struct json_reader *reader, struct json_level *level)
{
    if (level->begun && !is_at(reader, reader->next, ','))
        return stop_separator(reader);
    reader->next += level->begun;
    level->index += level->begun;
    level->begun = true;
    return true;
}

int json_reader_member(struct json_reader *reader, struct json_key *key)
{
    struct json_level *level = &reader->levels[reader->depth - 1];
    if (!goes_on(reader))
        return 0;
    if (!pass_comma(reader, level) || !pass_name(reader))
        return -1;
    skip_space(reader);
    *key = level->key;
    return 1;
}

int json_reader_element(struct json_reader *reader)
{
    struct json_level *level = &reader->levels[reader->depth - 1];
    if (!goes_on(reader))
        return 0;
    if (!pass_comma(reader, level))
        return -1;
    skip_space(reader);
    return 1;
}

void json_reader_pass_to(struct json_reader *reader, const char *end)
{
    reader->aside += (size_t)(end - reader->next);
    reader->next = end;
}

bool json_key_is(const struct json_key *key, const char *name)
{
    return json_string_is(key->at, key->length, key->escaped, name);
}

bool json_reader_end(struct json_reader *reader)
{
    skip_space(reader);
    if (reader->next < reader->end)
        return stop(reader, reader->next, "expected the end of the text");
    return !json_reader_is_too_large(reader);
}

bool json_reader_is_too_large(const struct json_reader *reader)
{
    return (size_t)(reader->next - reader->text->body) - reader->aside > JSON_MAX_BYTES;
}

/* ---- Problems ---- */

/* Writes one level's token; false where there is none or no room for it. */
static bool write_token(const struct json_reader *reader, size_t level, char *pointer, size_t size)
{
    char name[256];
    const struct json_level *of = &reader->levels[level];
    if (!reader->object[level])
        return (size_t)snprintf(pointer, size, "/%zu", of->index) < size;
    if (of->key.at == NULL || !json_string_decode(of->key.at, of->key.length, name, sizeof name) ||
        2 * strlen(name) + 2 > size)
        return false;
    json_pointer_write(pointer, size, name);
    return true;
}

/* The first levels' tokens. A text that is no object has no members to be named. */
static void write_pointer(const struct json_reader *reader, size_t levels, char *pointer, size_t size)
{
    size_t used = (size_t)snprintf(pointer, size, "%s", reader->text->pointer);
    for (size_t i = 0; reader->object[0] && i < reader->depth && i < levels; i++) {
        if (!write_token(reader, i, pointer + used, size - used)) {
            pointer[used] = '\0';
            return;
        }
        used += strlen(pointer + used);
    }
}

static int fail(const struct json_reader *reader, size_t levels, const char *at, enum api_problem_code code,
                const char *detail, struct api_problem *problem)
{
    char pointer[sizeof problem->pointer];
    write_pointer(reader, levels, pointer, sizeof pointer);
    return api_fail(problem, code, pointer, reader->text->offset + (size_t)(at - reader->text->body), "%s", detail);
}

static int fail_size(const struct json_reader *reader, struct api_problem *problem)
{
    api_fail(problem, API_ENVELOPE_TOO_LARGE, reader->text->pointer, API_NO_OFFSET,
             "without its arrays of numbers and booleans it may have %u bytes; no flag sets this", JSON_MAX_BYTES);
    if (problem != NULL)
        problem->limit = JSON_MAX_BYTES;
    return -1;
}

int json_reader_fail(const struct json_reader *reader, struct api_problem *problem)
{
    if (json_reader_is_too_large(reader))
        return fail_size(reader, problem);
    return fail(reader, JSON_NAMED_LEVELS, reader->broke, API_MALFORMED_JSON, reader->reason, problem);
}

int json_reader_fail_member(const struct json_reader *reader, const char *at, enum api_problem_code code,
                            const char *detail, struct api_problem *problem)
{
    return fail(reader, 1, at, code, detail, problem);
}
