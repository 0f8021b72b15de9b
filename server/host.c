#include "host.h"
#include "text.h"

#include <arpa/inet.h>

/* ---- Reading ---- */

static bool is_address(int family, const char *text, size_t length)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return inet_pton(family, copy, &address) == 1;
}

static bool read_ipv6(const char *text, struct host *host)
{
    const char *end = strchr(text, ']');
    if (end == NULL || (end[1] != '\0' && end[1] != ':') || !is_address(AF_INET6, text + 1, (size_t)(end - text - 1)))
        return false;
    host->kind = HOST_ADDRESS;
    host->length = (size_t)(end + 1 - text);
    return text_port(end + 1 + (end[1] == ':'), &host->port);
}

/* reg-name: unreserved, pct-encoded, sub-delims */
static bool is_name(const char *text, size_t length)
{
    static const char bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=%";
    static const char hex[] = "0123456789abcdefABCDEF";
    for (size_t i = 0; i < length; i++) {
        if (strchr(bytes, text[i]) == NULL)
            return false;
        if (text[i] == '%' && (length - i < 3 || strchr(hex, text[i + 1]) == NULL || strchr(hex, text[i + 2]) == NULL))
            return false;
    }
    return true;
}

bool host_read(const char *text, struct host *host)
{
    *host = (struct host){.text = text};
    if (text[0] == '[')
        return read_ipv6(text, host);
    host->length = strcspn(text, ":");
    if (host->length == 0)
        return *text == '\0';
    host->kind = is_address(AF_INET, text, host->length) ? HOST_ADDRESS : HOST_NAME;
    return is_name(text, host->length) && text_port(text + host->length + (text[host->length] == ':'), &host->port);
}

/* ---- Lists ---- */

/* A trailing dot marks an absolute name, as all names here are. */
static size_t length_without_dot(const struct host *host)
{
    return host->length - (host->length > 1 && host->text[host->length - 1] == '.');
}

static bool has_name(const struct host *host, const char *name, size_t length)
{
    return length_without_dot(host) == length && strncasecmp(host->text, name, length) == 0;
}

static bool matches(const struct host *host, const char *entry, size_t length)
{
    const size_t own = length_without_dot(host);
    if (length == 1 && *entry == '*')
        return true;
    if (length > 1 && *entry == '*') {
        entry++;
        length--;
    }
    if (*entry == '.')
        return own > length && strncasecmp(host->text + own - length, entry, length) == 0;
    return has_name(host, entry, length);
}

bool host_is_listed(const struct host *host, const char *list)
{
    static const char local[] = "localhost";
    if (host->kind != HOST_NAME || has_name(host, local, strlen(local)))
        return true;
    size_t length;
    for (list = text_element(list, &length); length > 0; list = text_element(list + length, &length))
        if (matches(host, list, length))
            return true;
    return false;
}

static bool is_entry(const char *text, size_t length)
{
    if (length == 1 && *text == '*')
        return true;
    const size_t mark = *text == '*' ? 2 : *text == '.' ? 1 : 0;
    if (length <= mark || (mark > 0 && text[mark - 1] != '.'))
        return false;
    return is_name(text + mark, length - mark) && memchr(text + mark, '*', length - mark) == NULL;
}

bool host_list_is_valid(const char *list)
{
    size_t length;
    for (list = text_element(list, &length); length > 0; list = text_element(list + length, &length))
        if (!is_entry(list, length))
            return false;
    return true;
}

/* ---- Origins ---- */

bool host_has_origin(const struct host *host, const char *origin)
{
    static const struct {
        const char *prefix;
        unsigned port;
    } schemes[] = {{"http://", 80}, {"https://", 443}};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        const size_t length = strlen(schemes[i].prefix);
        struct host from;
        if (strncasecmp(origin, schemes[i].prefix, length) != 0 || !host_read(origin + length, &from))
            continue;
        const unsigned own = host->port != 0 ? host->port : schemes[i].port;
        const unsigned port = from.port != 0 ? from.port : schemes[i].port;
        return host->kind != HOST_NONE && own == port && has_name(host, from.text, length_without_dot(&from));
    }
    return false;
}
