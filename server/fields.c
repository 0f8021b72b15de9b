#define _GNU_SOURCE
#include "fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Several lines of a field are one list (RFC 9110, 5.3). If memory is short the first ones count. */
static void add_line(const char **field, char **joined, const char *value)
{
    char *longer;
    if (*field == NULL)
        *field = value;
    else if (asprintf(&longer, "%s, %s", *field, value) >= 0) {
        free(*joined);
        *field = *joined = longer;
    }
}

/* Of a field that there may be once several are as good as a wrong one. */
static void set_only(const char **field, const char *value)
{
    *field = *field == NULL ? value : "";
}

/* Lengths first, since most differ there. */
static inline bool is(const char *name, size_t length, const char *expected)
{
    return length == strlen(expected) && strcasecmp(name, expected) == 0;
}

static void read_field(struct fields *fields, const char *name, size_t length, const char *value)
{
    if (is(name, length, MHD_HTTP_HEADER_CONTENT_LENGTH))
        fields->announced = strtoull(value, NULL, 10);
    else if (is(name, length, MHD_HTTP_HEADER_TRANSFER_ENCODING))
        fields->chunked = true;
    else if (is(name, length, MHD_HTTP_HEADER_CONTENT_TYPE))
        set_only(&fields->content_type, value);
    else if (is(name, length, MHD_HTTP_HEADER_CONTENT_ENCODING))
        fields->encoding = encoding_add(fields->encoding, value);
    else if (is(name, length, MHD_HTTP_HEADER_ACCEPT))
        add_line(&fields->accept, &fields->joined[0], value);
    else if (is(name, length, MHD_HTTP_HEADER_ACCEPT_ENCODING))
        add_line(&fields->accept_encoding, &fields->joined[1], value);
    else if (is(name, length, MHD_HTTP_HEADER_EXPECT))
        fields->expects = true;
    else if (is(name, length, "traceparent"))
        set_only(&fields->traceparent, value);
}

static enum MHD_Result see(void *closure, enum MHD_ValueKind kind, const char *name, size_t name_length,
                           const char *value, size_t length)
{
    struct fields *fields = closure;
    (void)length;
    if (kind == MHD_GET_ARGUMENT_KIND)
        fields->query_count++;
    else if (value != NULL)
        read_field(fields, name, name_length, value);
    return MHD_YES;
}

void fields_read(struct MHD_Connection *connection, struct fields *fields)
{
    *fields = (struct fields){.encoding = ENCODING_IDENTITY};
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND | MHD_GET_ARGUMENT_KIND, see, fields);
    if (fields->chunked)
        fields->announced = 0; /* RFC 9112, 6.3 */
}

void fields_free(struct fields *fields)
{
    for (size_t i = 0; i < sizeof fields->joined / sizeof *fields->joined; i++)
        free(fields->joined[i]);
}

struct query {
    struct api_argument *arguments;
    size_t used, count;
};

static enum MHD_Result take_argument(void *closure, enum MHD_ValueKind kind, const char *name, size_t name_length,
                                     const char *value, size_t length)
{
    struct query *query = closure;
    (void)kind, (void)name_length;
    if (query->used == query->count)
        return MHD_NO;
    query->arguments[query->used++] = (struct api_argument){
        .name = name,
        .value = value != NULL ? value : "",
        .length = value != NULL ? length : 0,
    };
    return MHD_YES;
}

struct api_argument *fields_query(struct MHD_Connection *connection, size_t count)
{
    struct query query = {.arguments = calloc(count, sizeof *query.arguments), .count = count};
    if (query.arguments != NULL)
        MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, take_argument, &query);
    return query.arguments;
}

const char *fields_header(void *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

size_t fields_unescape(void *closure, struct MHD_Connection *connection, char *text)
{
    static const char zero[] = "%00";
    size_t length = 0;
    (void)closure;
    (void)connection;
    for (char *next = text, *found; next != NULL; next = found) {
        found = strstr(next, zero);
        if (found != NULL)
            *found = '\0';
        const size_t part = MHD_http_unescape(next);
        memmove(text + length, next, part);
        length += part;
        if (found != NULL) {
            memcpy(text + length, zero, strlen(zero));
            length += strlen(zero);
            found += strlen(zero);
        }
    }
    text[length] = '\0';
    return length;
}
