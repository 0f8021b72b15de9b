#define _GNU_SOURCE
#include "fields.h"
#include "connection.h"
#include "request_id.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct reading {
    struct fields *fields;
    struct framing framing;
    bool no_memory;
};

/* ---- The request line ---- */

void *fields_note_target(void *closure, const char *target, struct MHD_Connection *daemon_side)
{
    struct connection *connection = connection_of(daemon_side);
    (void)closure;
    connection_note_target(connection, target);
    char *query = strchr(target, '?');
    if (query != NULL && query[1] != '\0')
        query[1] = '\0';
    return NULL;
}

/* ---- Fields ---- */

/* Several lines of a field are one list (RFC 9110, 5.3). */
static void add_line(struct reading *reading, const char **field, char **joined, const char *value)
{
    char *longer;
    if (*field == NULL) {
        *field = value;
    } else if (asprintf(&longer, "%s, %s", *field, value) >= 0) {
        free(*joined);
        *field = *joined = longer;
    } else {
        reading->no_memory = true;
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

static void read_field(struct reading *reading, const char *name, size_t length, const char *value)
{
    struct fields *fields = reading->fields;
    if (is(name, length, MHD_HTTP_HEADER_CONTENT_TYPE))
        set_only(&fields->content_type, value);
    else if (is(name, length, MHD_HTTP_HEADER_CONTENT_ENCODING))
        fields->encoding = encoding_add(fields->encoding, value);
    else if (is(name, length, MHD_HTTP_HEADER_ACCEPT))
        add_line(reading, &fields->accept, &fields->joined[0], value);
    else if (is(name, length, MHD_HTTP_HEADER_ACCEPT_ENCODING))
        add_line(reading, &fields->accept_encoding, &fields->joined[1], value);
    else if (is(name, length, MHD_HTTP_HEADER_EXPECT))
        fields->expects = true;
    else if (is(name, length, "traceparent"))
        set_only(&fields->traceparent, value);
    else if (is(name, length, FIELDS_TIMEOUT))
        set_only(&fields->timeout, value);
    else if (is(name, length, REQUEST_ID_FIELD))
        set_only(&fields->request_id, value);
    else
        browser_set(&fields->browser, name, length, value);
}

static enum MHD_Result see(void *closure, enum MHD_ValueKind kind, const char *name, size_t name_length,
                           const char *value, size_t length)
{
    struct reading *reading = closure;
    (void)kind;
    framing_add(&reading->framing, name, name_length, value, length);
    read_field(reading, name, name_length, value);
    return MHD_YES;
}

/* ---- The head ---- */

static int fail_for_memory(struct api_problem *problem)
{
    return api_fail(problem, API_OUT_OF_MEMORY, "", API_NO_OFFSET, "no memory for the request's head now");
}

static int read_target(struct connection *connection, struct fields *fields, struct api_problem *problem)
{
    char *text = connection->target.text;
    connection_forget_target(connection);
    if (text == NULL)
        return fail_for_memory(problem);
    switch (target_read(&fields->target, text)) {
    case TARGET_NO_MEMORY:
        return fail_for_memory(problem);
    case TARGET_TOO_MANY:
        return api_fail(problem, API_MALFORMED_REQUEST, "", API_NO_OFFSET, "a query may have up to %d arguments",
                        TARGET_MOST_ARGUMENTS);
    case TARGET_MALFORMED: /* framing_end says so, after what is worse */
    case TARGET_OK:
        break;
    }
    return 0;
}

static int check_size(size_t size, struct api_problem *problem)
{
    if (size <= FRAMING_MOST_BYTES)
        return 0;
    api_fail(problem, API_HEAD_TOO_LARGE, "", API_NO_OFFSET,
             "the request line and the fields together may have up to %d bytes", FRAMING_MOST_BYTES);
    if (problem != NULL)
        problem->limit = FRAMING_MOST_BYTES;
    return -1;
}

int fields_read(struct MHD_Connection *daemon_side, const char *method, const char *version, struct fields *fields,
                struct api_problem *problem)
{
    struct connection *connection = connection_of(daemon_side);
    const size_t size = MHD_get_connection_info(daemon_side, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
    const struct framing_line line = {method, version, connection->target.at, connection->target.length, size};
    struct reading reading = {.fields = fields, .framing.end = version + strlen(version)};
    *fields = (struct fields){.encoding = ENCODING_IDENTITY};
    MHD_get_connection_values_n(daemon_side, MHD_HEADER_KIND, see, &reading);
    if (read_target(connection, fields, problem) != 0 || check_size(size, problem) != 0 ||
        framing_end(&reading.framing, &line, &fields->target, &fields->host, problem) != 0 ||
        (reading.no_memory && fail_for_memory(problem) != 0)) {
        fields->closes = true;
        return -1;
    }
    fields->closes = framing_closes(&reading.framing);
    fields->chunked = reading.framing.codings > 0;
    if (!fields->chunked && reading.framing.lengths > 0) /* RFC 9112, 6.3 */
        fields->announced = strtoull(reading.framing.length, NULL, 10);
    return 0;
}

void fields_free(struct fields *fields)
{
    target_free(&fields->target);
    for (size_t i = 0; i < sizeof fields->joined / sizeof *fields->joined; i++)
        free(fields->joined[i]);
}

const char *fields_header(void *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}
