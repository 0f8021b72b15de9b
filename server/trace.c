#include "trace.h"
#include "entropy.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* version "-" trace-id "-" parent-id "-" trace-flags, as lower-case hexadecimal digits */
enum { VERSION = 0, TRACE = 3, PARENT = 36, FLAGS = 53, LENGTH = 55, TRACE_DIGITS = 32, SPAN_DIGITS = 16 };

static bool is_hex(const char *text, size_t digits)
{
    return strspn(text, "0123456789abcdef") >= digits;
}

static bool is_zero(const char *text, size_t digits)
{
    return strspn(text, "0") >= digits;
}

/* A version to come may have more after the flags; ff is none. */
static bool is_valid(const char *text)
{
    if (strnlen(text, LENGTH) < LENGTH || text[TRACE - 1] != '-' || text[PARENT - 1] != '-' || text[FLAGS - 1] != '-')
        return false;
    if (!is_hex(text + VERSION, 2) || !is_hex(text + TRACE, TRACE_DIGITS) || !is_hex(text + PARENT, SPAN_DIGITS) ||
        !is_hex(text + FLAGS, 2))
        return false;
    if (strncmp(text, "ff", 2) == 0 || is_zero(text + TRACE, TRACE_DIGITS) || is_zero(text + PARENT, SPAN_DIGITS))
        return false;
    return text[LENGTH] == '\0' || (text[LENGTH] == '-' && strncmp(text, "00", 2) != 0);
}

/* Of the flags only "sampled" is known; the others are to be zero. */
static bool is_sampled(const char *text)
{
    return strchr("13579bdf", text[FLAGS + 1]) != NULL;
}

void trace_take(struct trace *trace, const char *traceparent)
{
    *trace = (struct trace){0};
    if (traceparent == NULL || !is_valid(traceparent))
        return;
    uint64_t span = entropy_bits();
    span += span == 0;
    memcpy(trace->id, traceparent + TRACE, TRACE_DIGITS);
    snprintf(trace->parent, sizeof trace->parent, "00-%s-%016llx-%s", trace->id, (unsigned long long)span,
             is_sampled(traceparent) ? "01" : "00");
}
