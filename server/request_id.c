#include "request_id.h"
#include "entropy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* ---- X-Request-Id ---- */

void request_ids_init(struct request_ids *ids)
{
    ids->start = entropy_bits();
    atomic_init(&ids->count, 0);
}

static bool is_valid(const char *text, size_t length)
{
    static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:+/=@";
    return length > 0 && length < sizeof(struct request_id) && strspn(text, safe) == length;
}

/* SplitMix64's finalizer (Steele, Lea, Flood 2014): one to one, so that what differs stays different. */
static uint64_t mix(uint64_t bits)
{
    bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9;
    bits = (bits ^ bits >> 27) * 0x94d049bb133111eb;
    return bits ^ bits >> 31;
}

static void put_hexadecimal(char *out, uint64_t bits)
{
    for (int shift = 60; shift >= 0; shift -= 4)
        *out++ = "0123456789abcdef"[bits >> shift & 15];
    *out = '\0';
}

void request_id_take(struct request_id *id, const char *given, struct request_ids *ids)
{
    const size_t length = given != NULL ? strnlen(given, sizeof id->text) : 0;
    if (is_valid(given, length))
        memcpy(id->text, given, length + 1);
    else
        put_hexadecimal(id->text, mix(ids->start + atomic_fetch_add_explicit(&ids->count, 1, memory_order_relaxed)));
}

/* ---- Trace Context ---- */

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

/* Later versions may have more after the flags; ff is invalid. */
static bool is_traceparent(const char *text)
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
    if (traceparent == NULL || !is_traceparent(traceparent))
        return;
    uint64_t span = entropy_bits();
    span += span == 0;
    memcpy(trace->id, traceparent + TRACE, TRACE_DIGITS);
    snprintf(trace->parent, sizeof trace->parent, "00-%s-%016llx-%s", trace->id, (unsigned long long)span,
             is_sampled(traceparent) ? "01" : "00");
}
