#define _GNU_SOURCE
#include "target.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- Percent-encoding ---- */

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that %XX at `text` encodes; -1 if it is not such an escape. */
static int escaped(const char *text)
{
    if (text[0] != '%' || digit(text[1]) < 0 || digit(text[2]) < 0)
        return -1;
    return digit(text[1]) * 16 + digit(text[2]);
}

/* Decodes in place. Invalid escapes stay as they are, and so do a zero byte, which would end the text, and `kept`.
 * Returns the length. */
static size_t decode(char *text, char kept)
{
    char *out = text;
    for (const char *in = text; *in != '\0';) {
        const int byte = escaped(in);
        const bool stays = byte <= 0 || byte == kept;
        *out++ = stays ? *in : (char)byte;
        in += stays ? 1 : 3;
    }
    *out = '\0';
    return (size_t)(out - text);
}

/* ---- Query ---- */

/* Form encoding: + is a space. */
static size_t decode_form(char *text)
{
    for (char *plus = text; (plus = strchr(plus, '+')) != NULL;)
        *plus = ' ';
    return decode(text, '\0');
}

static struct api_argument read_argument(char *text)
{
    char *value = strchr(text, '=');
    if (value != NULL)
        *value++ = '\0';
    decode_form(text);
    return (struct api_argument){
        .name = text,
        .value = value != NULL ? value : "",
        .length = value != NULL ? decode_form(value) : 0,
    };
}

/* Reads the argument at *query, which advances to the next one or to NULL. Empty ones, as between two &, are skipped.
 */
static bool next_argument(char **query, struct api_argument *argument)
{
    while (*query != NULL) {
        char *text = strsep(query, "&");
        if (*text == '\0')
            continue;
        *argument = read_argument(text);
        return true;
    }
    return false;
}

static enum target_result read_query(struct target *target, char *query)
{
    struct api_argument arguments[TARGET_MAX_ARGUMENTS], further;
    size_t count = 0;
    while (count < TARGET_MAX_ARGUMENTS && next_argument(&query, &arguments[count]))
        count++;
    if (next_argument(&query, &further))
        return TARGET_TOO_MANY;
    if (count == 0)
        return TARGET_OK;
    target->query = malloc(count * sizeof *arguments);
    if (target->query == NULL)
        return TARGET_NO_MEMORY;
    memcpy(target->query, arguments, count * sizeof *arguments);
    target->query_count = count;
    return TARGET_OK;
}

/* ---- Forms ---- */

/* Whether it has only bytes that paths, queries and authorities may have. */
static bool is_clean(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f || *text == '#')
            return false;
    return true;
}

/* What follows the scheme of the absolute form; NULL for other forms. */
static char *after_scheme(char *text)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strncasecmp(text, schemes[i], strlen(schemes[i])) == 0)
            return text + strlen(schemes[i]);
    return NULL;
}

/* The authority is moved towards the start by one byte, over the scheme's last, so that a zero byte can end it where
 * the path begins. */
static char *split_authority(struct target *target, char *authority)
{
    const size_t length = strcspn(authority, "/?");
    char *path = authority + length;
    memmove(authority - 1, authority, length);
    authority[length - 1] = '\0';
    target->authority = authority - 1;
    return path;
}

/* The path or * of the request line, in any form; NULL if there is none. */
static char *find_path(struct target *target, char *text)
{
    char *authority = after_scheme(text);
    if (authority == NULL)
        return text[0] == '/' || strcmp(text, "*") == 0 ? text : NULL;
    return strcspn(authority, "/?") > 0 ? split_authority(target, authority) : NULL;
}

enum target_result target_read(struct target *target, char *text)
{
    *target = (struct target){.text = text};
    char *path = text != NULL && is_clean(text) ? find_path(target, text) : NULL;
    if (path == NULL)
        return TARGET_MALFORMED;
    char *query = strchr(path, '?');
    if (query != NULL)
        *query++ = '\0';
    decode(path, '/');
    target->path = *path != '\0' ? path : "/";
    return query == NULL ? TARGET_OK : read_query(target, query);
}

void target_free(struct target *target)
{
    free(target->text);
    free(target->query);
    *target = (struct target){0};
}
