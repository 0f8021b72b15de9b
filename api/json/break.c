#include "json/break.h"
#include "json/pointer.h"
#include "json/string.h"
#include "json/utf8.h"

#include <stdio.h>
#include <string.h>

enum {
    MOST_DEPTH = 2048, /* jansson's */
    MOST_NAMED = 16,   /* levels that the pointer tells of */
};

struct level {
    const char *key; /* in an object, of the last member: behind the opening quotation mark; NULL before the first */
    size_t key_length;
    size_t index; /* in an array */
};

struct checker {
    const struct json_text *text;
    const char *next, *end;
    const char *at, *reason; /* where it broke, and why */
    size_t depth;            /* open brackets */
    bool object[MOST_DEPTH];
    struct level levels[MOST_NAMED];
};

static bool stop(struct checker *checker, const char *at, const char *reason)
{
    checker->at = at;
    checker->reason = reason;
    return false;
}

static bool is_at(const struct checker *checker, const char *at, char expected)
{
    return at < checker->end && *at == expected;
}

static void skip_space(struct checker *checker)
{
    const char *next = checker->next;
    while (next < checker->end && (*next == ' ' || *next == '\n' || *next == '\r' || *next == '\t'))
        next++;
    checker->next = next;
}

/* ---- Numbers and words ---- */

static const char *skip_digits(const struct checker *checker, const char *at)
{
    while (at < checker->end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* The byte behind at least one digit; NULL where there is none. *reached is how far that came. */
static const char *pass_digits(const struct checker *checker, const char *at, const char **reached)
{
    *reached = skip_digits(checker, at);
    return *reached > at ? *reached : NULL;
}

/* The byte behind a number, or NULL. */
static const char *number_end(const struct checker *checker, const char **reached)
{
    const char *at = checker->next + is_at(checker, checker->next, '-');
    const bool zero = is_at(checker, at, '0');
    const char *whole = at;
    at = pass_digits(checker, at, reached);
    if (zero && at > whole + 1)
        *reached = whole;
    if (at == NULL || *reached == whole)
        return NULL;
    if (is_at(checker, at, '.') && (at = pass_digits(checker, at + 1, reached)) == NULL)
        return NULL;
    if (!is_at(checker, at, 'e') && !is_at(checker, at, 'E'))
        return at;
    at++;
    at += is_at(checker, at, '+') || is_at(checker, at, '-');
    return pass_digits(checker, at, reached);
}

static bool pass_number(struct checker *checker)
{
    const char *reached, *end = number_end(checker, &reached);
    if (end == NULL)
        return stop(checker, reached == checker->end ? reached : checker->next, "expected a number");
    checker->next = end;
    return true;
}

static bool pass_word(struct checker *checker, const char *word)
{
    const size_t length = strlen(word), left = (size_t)(checker->end - checker->next);
    if (memcmp(checker->next, word, length < left ? length : left) != 0)
        return stop(checker, checker->next, "expected a value");
    if (left < length)
        return stop(checker, checker->end, "expected a value");
    checker->next += length;
    return true;
}

/* ---- Strings: each function returns the byte behind what stands at `at`, or NULL where it broke ---- */

static const char *break_string(struct checker *checker, const char *at, const char *reason)
{
    stop(checker, at, at < checker->end ? reason : "expected the end of a string");
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
static const char *pass_unit(struct checker *checker, const char *at, unsigned *unit)
{
    static const char start[] = "\\u";
    *unit = 0;
    for (size_t i = 0; i < 6; i++) {
        if (at + i == checker->end)
            return break_string(checker, at + i, NULL);
        const int digit = i < 2 ? 0 : hexadecimal(at[i]);
        if (digit < 0 || (i < 2 && at[i] != start[i]))
            return break_string(checker, at, "no escape of JSON");
        *unit = 16 * *unit + (unsigned)digit;
    }
    return at + 6;
}

static const char *pass_escape(struct checker *checker, const char *at)
{
    unsigned unit;
    if (at + 1 == checker->end)
        return break_string(checker, at + 1, NULL);
    if (at[1] != 'u')
        return at[1] != '\0' && strchr("\"\\/bfnrt", at[1]) != NULL ? at + 2
                                                                    : break_string(checker, at, "no escape of JSON");
    const char *end = pass_unit(checker, at, &unit);
    if (end == NULL)
        return NULL;
    if (unit == 0 || (unit >= 0xDC00 && unit <= 0xDFFF))
        return break_string(checker, at, unit == 0 ? "\\u0000 is not taken" : "half of a surrogate pair");
    if (unit < 0xD800 || unit > 0xDFFF)
        return end;
    if (is_at(checker, end, '\\') && (end + 1 == checker->end || end[1] == 'u'))
        end = pass_unit(checker, end, &unit);
    else if (end < checker->end)
        return break_string(checker, at, "half of a surrogate pair");
    else
        return break_string(checker, end, NULL);
    if (end != NULL && (unit < 0xDC00 || unit > 0xDFFF))
        return break_string(checker, at, "half of a surrogate pair");
    return end;
}

/* A character beyond ASCII. The padding of a body follows its last byte. */
static const char *pass_character(struct checker *checker, const char *at)
{
    const size_t length = utf8_character(at);
    if (length == 0 || length > (size_t)(checker->end - at))
        return break_string(checker, at, "no UTF-8");
    return at + length;
}

static bool pass_string(struct checker *checker)
{
    const char *at = checker->next + 1;
    while (at != NULL && !is_at(checker, at, '"')) {
        if (at == checker->end || (unsigned char)*at < 0x20)
            at = break_string(checker, at, "a control character in a string");
        else if (*at == '\\')
            at = pass_escape(checker, at);
        else
            at = (unsigned char)*at < 0x80 ? at + 1 : pass_character(checker, at);
    }
    if (at == NULL)
        return false;
    checker->next = at + 1;
    return true;
}

/* ---- Brackets ---- */

static bool in_object(const struct checker *checker)
{
    return checker->object[checker->depth - 1];
}

static char closing(const struct checker *checker)
{
    return in_object(checker) ? '}' : ']';
}

/* The innermost, or one that nobody looks at. */
static struct level *innermost(struct checker *checker, struct level *spare)
{
    return checker->depth <= MOST_NAMED ? &checker->levels[checker->depth - 1] : spare;
}

static bool open_bracket(struct checker *checker)
{
    if (checker->depth == MOST_DEPTH)
        return stop(checker, checker->next, "brackets nest too deep");
    checker->object[checker->depth] = *checker->next == '{';
    if (checker->depth < MOST_NAMED)
        checker->levels[checker->depth] = (struct level){0};
    checker->depth++;
    checker->next++;
    skip_space(checker);
    return true;
}

/* What stands before a value in brackets: in an object its name. */
static bool pass_name(struct checker *checker)
{
    struct level spare, *level = innermost(checker, &spare);
    if (!in_object(checker))
        return true;
    skip_space(checker);
    if (!is_at(checker, checker->next, '"'))
        return stop(checker, checker->next, "expected a member's name");
    const char *key = checker->next + 1;
    level->key = NULL;
    if (!pass_string(checker))
        return false;
    level->key = key;
    level->key_length = (size_t)(checker->next - 1 - key);
    skip_space(checker);
    if (!is_at(checker, checker->next, ':'))
        return stop(checker, checker->next, "expected ':' behind a name");
    checker->next++;
    return true;
}

/* Behind a value: closes what ends here. Leaves the checker before the next value, or at depth 0. */
static bool pass_separators(struct checker *checker)
{
    while (checker->depth > 0) {
        struct level spare = {0}, *level = innermost(checker, &spare);
        skip_space(checker);
        if (is_at(checker, checker->next, ',')) {
            level->index++;
            checker->next++;
            return pass_name(checker);
        }
        if (!is_at(checker, checker->next, closing(checker)))
            return stop(checker, checker->next,
                        in_object(checker) ? "expected ',' or '}' behind a value"
                                           : "expected ',' or ']' behind an element");
        checker->next++;
        checker->depth--;
    }
    return true;
}

/* ---- The whole text ---- */

static bool pass_scalar(struct checker *checker)
{
    switch (checker->next < checker->end ? *checker->next : '\0') {
    case '"':
        return pass_string(checker);
    case 't':
        return pass_word(checker, "true");
    case 'f':
        return pass_word(checker, "false");
    case 'n':
        return pass_word(checker, "null");
    case '-':
        return pass_number(checker);
    default:
        if (checker->next < checker->end && *checker->next >= '0' && *checker->next <= '9')
            return pass_number(checker);
        return stop(checker, checker->next, "expected a value");
    }
}

/* A value up to the separators behind it, or up to the first value in it. */
static bool pass_value(struct checker *checker)
{
    skip_space(checker);
    if (!is_at(checker, checker->next, '{') && !is_at(checker, checker->next, '['))
        return pass_scalar(checker) && pass_separators(checker);
    if (!open_bracket(checker))
        return false;
    return is_at(checker, checker->next, closing(checker)) ? pass_separators(checker) : pass_name(checker);
}

static bool pass_text(struct checker *checker)
{
    do {
        if (!pass_value(checker))
            return false;
    } while (checker->depth > 0);
    skip_space(checker);
    return checker->next == checker->end || stop(checker, checker->next, "expected the end of the text");
}

/* Writes one level's token; false where there is none or no room for it. */
static bool write_token(const struct checker *checker, size_t level, char *pointer, size_t size)
{
    const struct level *of = &checker->levels[level];
    if (!checker->object[level])
        return (size_t)snprintf(pointer, size, "/%zu", of->index) < size;
    char *name = of->key != NULL ? json_string_decode(of->key, of->key_length) : NULL;
    const bool fits = name != NULL && 2 * strlen(name) + 2 <= size;
    if (fits)
        json_pointer_write(pointer, size, name);
    api_free(name);
    return fits;
}

bool json_break_find(const struct json_text *text, struct json_break *found)
{
    struct checker checker = {.text = text, .next = text->body, .end = text->body + text->length};
    if (pass_text(&checker))
        return false;
    const size_t size = sizeof found->pointer;
    size_t used = (size_t)snprintf(found->pointer, size, "%s", text->pointer);
    /* A text that is no object has no members to be told of. */
    for (size_t i = 0; checker.object[0] && i < checker.depth && i < MOST_NAMED; i++) {
        if (!write_token(&checker, i, found->pointer + used, size - used)) {
            found->pointer[used] = '\0';
            break;
        }
        used += strlen(found->pointer + used);
    }
    found->at = checker.at;
    found->reason = checker.reason;
    return true;
}
