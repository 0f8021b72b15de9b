#include "framing.h"

#include <microhttpd.h>
#include <string.h>
#include <strings.h>

/* ---- What the daemon hides ---- */

/* 0.9.75 takes a zero byte in a value for its end, appends what follows on a folded line to the field's name, and ends
 * the head where a name is empty. All this shows in where the strings lie in its memory, since it cuts up the head as
 * it came. 1.0 sees to it itself. */
static bool cuts_loosely(void)
{
    return MHD_get_version()[0] == '0';
}

/* Whether `next` is after the line that ends in a zero byte at `end`, which was its CR or LF. */
static bool is_next_line(const char *end, const char *next)
{
    return next == end + 1 || next == end + 2;
}

/* What is left of the head is the end of the last line and an empty one. */
static bool is_end(const char *end, const char *head_end)
{
    return head_end - end >= 2 && head_end - end <= 4;
}

static bool is_one_line(const char *name, size_t length, const char *value)
{
    const char *after = name + length + 1;
    while (after < value && (*after == ' ' || *after == '\t'))
        after++;
    return after == value;
}

/* ---- Fields ---- */

static bool is_token(const char *text, size_t length)
{
    static const bool bytes[256] = {
        ['!'] = true, ['#'] = true, ['$'] = true, ['%'] = true,         ['&'] = true,         ['\''] = true,
        ['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true,         ['^'] = true,         ['_'] = true,
        ['`'] = true, ['|'] = true, ['~'] = true, ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
    };
    for (size_t i = 0; i < length; i++)
        if (!bytes[(unsigned char)text[i]])
            return false;
    return length > 0;
}

static bool is_value(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f)
            return false;
    return true;
}

static void find_fault(struct framing *framing, const char *name, size_t name_length, const char *value, size_t length)
{
    if (!is_token(name, name_length))
        framing->fault = "a field's name is not a token that is followed by its colon";
    else if (!is_value(value, length))
        framing->fault = "a field's value holds a control byte";
    else if (cuts_loosely() && (!is_one_line(name, name_length, value) || !is_next_line(framing->end, name)))
        framing->fault = "a field's value holds a zero byte, or goes on on the next line";
}

static size_t trimmed(const char *value, size_t length)
{
    while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'))
        length--;
    return length;
}

static bool is(const char *name, size_t length, const char *expected)
{
    return length == strlen(expected) && strcasecmp(name, expected) == 0;
}

static void count(unsigned *count, const char **last, const char *value)
{
    ++*count;
    *last = value;
}

void framing_add(struct framing *framing, const char *name, size_t name_length, const char *value, size_t length)
{
    if (framing->fault == NULL)
        find_fault(framing, name, name_length, value, length);
    framing->end = value + length;
    const size_t kept = trimmed(value, length);
    if (kept < length)
        ((char *)value)[kept] = '\0';
    if (is(name, name_length, MHD_HTTP_HEADER_HOST))
        count(&framing->hosts, &framing->host, value);
    else if (is(name, name_length, MHD_HTTP_HEADER_CONTENT_LENGTH))
        count(&framing->lengths, &framing->length, value);
    else if (is(name, name_length, MHD_HTTP_HEADER_TRANSFER_ENCODING)) {
        count(&framing->codings, &framing->coding, value);
        framing->coding_was_trimmed |= kept < length;
    }
}

/* ---- The head as a whole ---- */

static bool is_old(const char *version)
{
    return strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
}

/* Three words with one space between them. */
static bool is_line(const struct framing_line *line)
{
    return is_token(line->method, strlen(line->method)) && line->target == line->method + strlen(line->method) + 1 &&
           line->version == line->target + line->target_length + 1;
}

/* Whether it is a number that anybody could mean is the limit's matter. */
static bool is_length(const char *text)
{
    return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static const char *fault_of_line(const struct framing_line *line, const struct target *target)
{
    if (!is_line(line))
        return "the request line is not a method, a target and a version with one space between them";
    if (target->path == NULL || (strcmp(target->path, "*") == 0 && strcmp(line->method, MHD_HTTP_METHOD_OPTIONS) != 0))
        return "the target is not a path, or an http or https URL";
    return NULL;
}

static const char *fault_of_length(const struct framing *framing, const struct framing_line *line)
{
    if (framing->lengths > 1)
        return "Content-Length is duplicated";
    if (framing->lengths == 1 && !is_length(framing->length))
        return "Content-Length is not a decimal number";
    if (framing->codings > 0 && is_old(line->version))
        return "Transfer-Encoding is not part of HTTP/1.0";
    return NULL;
}

/* The absolute form's authority is what counts; the field has to be there all the same. */
static const char *fault_of_host(const struct framing *framing, const struct framing_line *line,
                                 const struct target *target, struct host *host)
{
    struct host unused;
    if (framing->hosts > 1)
        return "Host is duplicated";
    if (framing->hosts == 0 && !is_old(line->version))
        return "Host is missing";
    const char *own = framing->host != NULL ? framing->host : "";
    if (!host_read(own, &unused) || !host_read(target->authority != NULL ? target->authority : own, host))
        return "the host is not host or host:port";
    return NULL;
}

int framing_end(const struct framing *framing, const struct framing_line *line, const struct target *target,
                struct host *host, struct api_problem *problem)
{
    const char *fault = fault_of_line(line, target);
    if (fault == NULL)
        fault = framing->fault;
    if (fault == NULL && cuts_loosely() && !is_end(framing->end, line->method + line->head_length))
        fault = "the last field's value holds a zero byte or goes on on the next line, or a field has no name";
    if (fault == NULL)
        fault = fault_of_length(framing, line);
    if (fault == NULL)
        fault = fault_of_host(framing, line, target, host);
    if (fault != NULL)
        return api_fail(problem, API_MALFORMED_REQUEST, "", API_NO_OFFSET, "%s", fault);
    if (framing->codings > 1 || framing->coding_was_trimmed ||
        (framing->codings == 1 && strcasecmp(framing->coding, "chunked") != 0))
        return api_fail(problem, API_UNKNOWN_CODING, "", API_NO_OFFSET,
                        "the only transfer coding that is supported is chunked, once");
    return 0;
}
