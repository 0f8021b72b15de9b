#include "http/accept.h"

#include <string.h>
#include <strings.h>

enum { FULL_WEIGHT = 1000 };

/* ---- Lists with weights ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "0.25" is 250; what is no weight counts as full. */
static int read_weight(const char *text)
{
    if (*text != '0')
        return FULL_WEIGHT;
    int weight = 0;
    if (text[1] == '.')
        for (int i = 2, unit = 100; is_digit(text[i]) && unit > 0; i++, unit /= 10)
            weight += unit * (text[i] - '0');
    return weight;
}

/* Of a list element such as "text/html;level=1;q=0.5". */
static int element_weight(const char *element, size_t length)
{
    const char *const end = element + length;
    for (const char *at = element; (at = memchr(at, ';', (size_t)(end - at))) != NULL;) {
        at += 1 + strspn(at + 1, " \t");
        if (strncasecmp(at, "q=", 2) == 0)
            return read_weight(at + 2);
    }
    return FULL_WEIGHT;
}

/* Whether `text`, up to a parameter or the end of the list element, is `name`. */
static bool is_name(const char *text, const char *name)
{
    size_t length = strcspn(text, ";,");
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    return length == strlen(name) && strncasecmp(text, name, length) == 0;
}

/* The weight that the list gives the name, or -1 where the list lacks it. */
static int weight_of(const char *list, const char *name)
{
    for (list += strspn(list, " \t,"); *list != '\0'; list += strspn(list, " \t,")) {
        const size_t length = strcspn(list, ",");
        if (is_name(list, name))
            return element_weight(list, length);
        list += length;
    }
    return -1;
}

int api_accept_weight(const char *list, const char *const *names)
{
    int weight = -1;
    for (; *names != NULL && weight < 0; names++)
        weight = weight_of(list, *names);
    return weight;
}

/* ---- Media types ---- */

/* The first comma that is not in a quoted string, or the end. */
static const char *element_end(const char *text)
{
    for (bool quoted = false; *text != '\0' && (quoted || *text != ','); text++) {
        if (*text == '"')
            quoted = !quoted;
        else if (quoted && *text == '\\' && text[1] != '\0')
            text++;
    }
    return text;
}

bool accept_is_type(const char *content_type, const char *type)
{
    return is_name(content_type, type) && *element_end(content_type) == '\0';
}

/* How specific the range of a list element is for the type: 2 is the type itself, 0 any type; -1 if it is none of its.
 */
static int specificity(const char *range, const char *type)
{
    const size_t main = strcspn(type, "/") + 1;
    if (strncasecmp(range, type, main) == 0)
        return is_name(range, type) ? 2 : is_name(range + main, "*") ? 1 : -1;
    return is_name(range, "*/*") ? 0 : -1;
}

/* What an element of the list says of each type. */
static void weigh(const char *element, size_t length, const char *const *types, size_t count, int *best, int *weights)
{
    for (size_t i = 0; i < count; i++) {
        const int here = specificity(element, types[i]);
        if (here > best[i]) {
            best[i] = here;
            weights[i] = element_weight(element, length);
        }
    }
}

size_t accept_choose(const char *accept, const char *const *types, size_t count)
{
    int best[ACCEPT_MOST_TYPES], weights[ACCEPT_MOST_TYPES];
    if (accept == NULL || accept[strspn(accept, " \t,")] == '\0')
        return 0;
    for (size_t i = 0; i < count; i++)
        best[i] = weights[i] = -1;
    for (accept += strspn(accept, " \t,"); *accept != '\0'; accept += strspn(accept, " \t,")) {
        const size_t length = strcspn(accept, ",");
        weigh(accept, length, types, count, best, weights);
        accept += length;
    }
    size_t chosen = count;
    for (size_t i = 0; i < count; i++)
        if (weights[i] > (chosen < count ? weights[chosen] : 0))
            chosen = i;
    return chosen;
}
