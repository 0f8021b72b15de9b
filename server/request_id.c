#include "request_id.h"
#include "entropy.h"

#include <stdbool.h>
#include <string.h>

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
