#include "json/instead.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define NAN_ADVICE                                                                                                     \
    "is not JSON, and no number may be NaN; a class that is impossible has the logit null or \"-Infinity\""
#define INFINITY_ADVICE                                                                                                \
    "is not JSON, and no number may be +inf; a class that is impossible has the logit null or \"-Infinity\""
#define QUOTES_ADVICE "JSON has double quotation marks around names and strings (in Python, json.dumps writes it)"

/* What Python's json, str and repr, R and JavaScript write, and NumPy. */
static const struct {
    const char *word, *advice;
} words[] = {
    {"NaN", "NaN " NAN_ADVICE},
    {"nan", "nan " NAN_ADVICE},
    {"-nan", "-nan " NAN_ADVICE},
    {"-NaN", "-NaN " NAN_ADVICE},
    {"NA", "NA " NAN_ADVICE},
    {"Infinity", "Infinity " INFINITY_ADVICE},
    {"Inf", "Inf " INFINITY_ADVICE},
    {"inf", "inf " INFINITY_ADVICE},
    {"-Inf", "-Inf is not JSON: write null or \"-Infinity\""},
    {"-inf", "-inf is not JSON: write null or \"-Infinity\""},
    {"True", "True is not JSON: write true"},
    {"TRUE", "TRUE is not JSON: write true"},
    {"False", "False is not JSON: write false"},
    {"FALSE", "FALSE is not JSON: write false"},
    {"None", "None is not JSON: write null"},
    {"NULL", "NULL is not JSON: write null"},
    {"undefined", "undefined is not JSON: leave the member out, or write null"},
    {"'", QUOTES_ADVICE},
    {"\x93NUMPY", "this is what numpy.save writes: send it as Content-Type: application/x-npy"},
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Whether the whole word is there, and not the beginning of a longer one. */
static bool is_word(const char *at, const char *end, const char *word)
{
    const size_t length = strlen(word), left = (size_t)(end - at);
    if (left < length || memcmp(at, word, length) != 0)
        return false;
    return left == length || !is_letter(word[length - 1]) || !is_letter(at[length]);
}

const char *json_instead(const char *at, const char *end)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (is_word(at, end, words[i].word))
            return words[i].advice;
    return NULL;
}
