#define _GNU_SOURCE
#include "fields.h"
#include "connection.h"
#include "request_id.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A head while it is read. Method, target and version follow one another in the daemon's memory. */
struct head {
    struct fields *fields;
    const char *method, *version;
    const char *target; /* before it was decoded, as the length is */
    size_t target_length;
    size_t length;     /* from the method to the end */
    const char *fault; /* of a field, the first, as a detail; NULL while there is none */
    unsigned hosts, lengths, codings;
    const char *host, *content_length, *coding; /* the value of the last of each */
    bool coding_was_trimmed;
    const char *value_end; /* of the last value: its zero byte */
    bool no_memory, is_mhd_0_9;
};

void *fields_note_target(void *closure, const char *target, struct MHD_Connection *daemon_side)
{
    (void)closure;
    connection_note_target(connection_of(daemon_side), target);
    char *query = strchr(target, '?');
    if (query != NULL && query[1] != '\0')
        query[1] = '\0';
    return NULL;
}

/* ---- What a field says ---- */

/* The fields that are read, each in one of these ways. */
enum way { HOST, LENGTH, TRANSFER_CODING, ENCODING, ACCEPT, ACCEPT_ENCODING, EXPECT, PRIVATE_NETWORK, SINGLE, VISIBLE };

static const struct known {
    const char *name;
    size_t length; /* of the name */
    enum way way;
    size_t offset; /* in struct fields, of one that may be sent once; VISIBLE: without tabs */
} known[] = {
#define NAME(name) name, sizeof name - 1
#define FIELD(field) offsetof(struct fields, field)
    {NAME(MHD_HTTP_HEADER_HOST), HOST, 0},
    {NAME(MHD_HTTP_HEADER_CONTENT_LENGTH), LENGTH, 0},
    {NAME(MHD_HTTP_HEADER_TRANSFER_ENCODING), TRANSFER_CODING, 0},
    {NAME(MHD_HTTP_HEADER_CONTENT_ENCODING), ENCODING, 0},
    {NAME(MHD_HTTP_HEADER_ACCEPT), ACCEPT, 0},
    {NAME(MHD_HTTP_HEADER_ACCEPT_ENCODING), ACCEPT_ENCODING, 0},
    {NAME(MHD_HTTP_HEADER_EXPECT), EXPECT, 0},
    {NAME("Access-Control-Request-Private-Network"), PRIVATE_NETWORK, 0},
    {NAME(MHD_HTTP_HEADER_CONTENT_TYPE), SINGLE, FIELD(content_type)},
    {NAME("traceparent"), SINGLE, FIELD(traceparent)},
    {NAME(FIELDS_TIMEOUT), SINGLE, FIELD(timeout)},
    {NAME(REQUEST_ID_FIELD), SINGLE, FIELD(request_id)},
    {NAME(MHD_HTTP_HEADER_ORIGIN), VISIBLE, FIELD(browser.origin)},
    {NAME("Sec-Fetch-Site"), VISIBLE, FIELD(browser.site)},
    {NAME(MHD_HTTP_HEADER_ACCESS_CONTROL_REQUEST_METHOD), VISIBLE, FIELD(browser.wanted_method)},
    {NAME(MHD_HTTP_HEADER_ACCESS_CONTROL_REQUEST_HEADERS), VISIBLE, FIELD(browser.wanted_fields)},
#undef NAME
#undef FIELD
};

/* Several lines of a field are one list (RFC 9110, 5.3). */
static void add_line(struct head *head, const char **field, char **joined, const char *value)
{
    char *longer;
    if (*field == NULL) {
        *field = value;
    } else if (asprintf(&longer, "%s, %s", *field, value) >= 0) {
        free(*joined);
        *field = *joined = longer;
    } else {
        head->no_memory = true;
    }
}

static void count(unsigned *count, const char **last, const char *value)
{
    ++*count;
    *last = value;
}

static const struct known *find_known(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].length == length && strncasecmp(known[i].name, name, length) == 0)
            return &known[i];
    return NULL;
}

/* Of a field that may be sent once several count as an invalid one. */
static void read_field(struct head *head, const struct known *field, const char *value)
{
    struct fields *fields = head->fields;
    const char **single = (const char **)((char *)fields + field->offset);
    switch (field->way) {
    case HOST:
        count(&head->hosts, &head->host, value);
        break;
    case LENGTH:
        count(&head->lengths, &head->content_length, value);
        break;
    case TRANSFER_CODING:
        count(&head->codings, &head->coding, value);
        break;
    case ENCODING:
        fields->encoding = encoding_add(fields->encoding, value);
        break;
    case ACCEPT:
        add_line(head, &fields->accept, &fields->joined[0], value);
        break;
    case ACCEPT_ENCODING:
        add_line(head, &fields->accept_encoding, &fields->joined[1], value);
        break;
    case EXPECT:
        fields->expects = true;
        break;
    case PRIVATE_NETWORK:
        fields->browser.wants_private_network = strcasecmp(value, "true") == 0;
        break;
    case SINGLE:
    case VISIBLE:
        *single = *single != NULL || (field->way == VISIBLE && strchr(value, '\t') != NULL) ? "" : value;
        break;
    }
}

/* ---- Whether it is a field ---- */

/* libmicrohttpd 0.9.75 takes a zero byte in a value for its end, appends what follows on a folded line to the field's
 * name, and ends the head where a name is empty. All this shows in where the strings lie in its memory, since it cuts
 * up the head as it came. 1.0 refuses such heads itself. */
static bool is_on_next_line(const char *end, const char *next)
{
    return next == end + 1 || next == end + 2; /* a CR or LF became the zero byte at `end` */
}

static bool is_on_one_line(const char *name, size_t length, const char *value)
{
    const char *after = name + length + 1;
    while (after < value && (*after == ' ' || *after == '\t'))
        after++;
    return after == value;
}

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

static const char *fault_of_field(const struct head *head, const char *name, size_t name_length, const char *value,
                                  size_t length)
{
    if (!is_token(name, name_length))
        return "a field's name is not a token followed by a colon";
    if (!is_value(value, length))
        return "a field's value contains a control character";
    if (head->is_mhd_0_9 && (!is_on_one_line(name, name_length, value) || !is_on_next_line(head->value_end, name)))
        return "a field's value contains a zero byte, or continues on the next line";
    return NULL;
}

/* The next field, of MHD_KeyValueIteratorN. Blanks at the end of its value are cut off, in the daemon's memory, where
 * 0.9.75 leaves them. */
static enum MHD_Result on_field(void *closure, enum MHD_ValueKind kind, const char *name, size_t name_length,
                                const char *value, size_t length)
{
    struct head *head = closure;
    size_t trimmed = length;
    (void)kind;
    if (head->fault == NULL)
        head->fault = fault_of_field(head, name, name_length, value, length);
    head->value_end = value + length;
    while (trimmed > 0 && (value[trimmed - 1] == ' ' || value[trimmed - 1] == '\t'))
        trimmed--;
    if (trimmed < length)
        ((char *)value)[trimmed] = '\0';
    const struct known *field = find_known(name, name_length);
    if (field != NULL)
        read_field(head, field, value);
    head->coding_was_trimmed |= trimmed < length && head->coding == value;
    return MHD_YES;
}

/* ---- The head as a whole ---- */

static bool is_http_1_0(const struct head *head)
{
    return strcmp(head->version, MHD_HTTP_VERSION_1_0) == 0;
}

/* Three words with one space between them. */
static bool is_request_line(const struct head *head)
{
    const size_t length = strlen(head->method);
    return is_token(head->method, length) && head->target == head->method + length + 1 &&
           head->version == head->target + head->target_length + 1;
}

static const char *fault_of_line(const struct head *head)
{
    const char *path = head->fields->target.path;
    if (!is_request_line(head))
        return "the request line is not a method, a target and a version with one space between them";
    if (path == NULL || (strcmp(path, "*") == 0 && strcmp(head->method, MHD_HTTP_METHOD_OPTIONS) != 0))
        return "the target is not a path, or an http or https URL";
    return NULL;
}

/* What is left of the head is the end of the last line and an empty one. */
static const char *fault_of_end(const struct head *head)
{
    const size_t left = (size_t)(head->method + head->length - head->value_end);
    if (head->is_mhd_0_9 && (left < 2 || left > 4))
        return "the last field's value contains a zero byte or continues on the next line, or a field has no name";
    return NULL;
}

/* Whether a length is a plausible number is for the limit to decide. */
static const char *fault_of_length(const struct head *head)
{
    const char *length = head->content_length;
    if (head->lengths > 1)
        return "Content-Length is duplicated";
    if (head->lengths == 1 && (*length == '\0' || length[strspn(length, "0123456789")] != '\0'))
        return "Content-Length is not a decimal number";
    if (head->codings > 0 && is_http_1_0(head))
        return "Transfer-Encoding is not part of HTTP/1.0";
    return NULL;
}

/* The absolute form's authority is what counts; the field has to be there all the same. */
static const char *fault_of_host(struct head *head)
{
    struct fields *fields = head->fields;
    const char *field = head->host != NULL ? head->host : "", *authority = fields->target.authority;
    if (head->hosts > 1)
        return "Host is duplicated";
    if (head->hosts == 0 && !is_http_1_0(head))
        return "Host is missing";
    if (!host_read(field, &fields->host) || (authority != NULL && !host_read(authority, &fields->host)))
        return "the host is not host or host:port";
    return NULL;
}

static int check_framing(struct head *head, struct api_problem *problem)
{
    const char *fault = fault_of_line(head);
    if (fault == NULL)
        fault = head->fault;
    if (fault == NULL)
        fault = fault_of_end(head);
    if (fault == NULL)
        fault = fault_of_length(head);
    if (fault == NULL)
        fault = fault_of_host(head);
    if (fault != NULL)
        return api_fail(problem, API_MALFORMED_REQUEST, "", API_NO_OFFSET, "%s", fault);
    if (head->codings > 1 || head->coding_was_trimmed ||
        (head->codings == 1 && strcasecmp(head->coding, "chunked") != 0))
        return api_fail(problem, API_UNKNOWN_CODING, "", API_NO_OFFSET,
                        "the only supported transfer coding is chunked, once");
    return 0;
}

static int fail_for_memory(struct api_problem *problem)
{
    return api_fail(problem, API_OUT_OF_MEMORY, "", API_NO_OFFSET, "no memory for the request's head now");
}

static int read_target(struct connection *connection, struct fields *fields, struct api_problem *problem)
{
    char *text = connection->target.text;
    connection_clear_target(connection);
    if (text == NULL)
        return fail_for_memory(problem);
    switch (target_read(&fields->target, text)) {
    case TARGET_NO_MEMORY:
        return fail_for_memory(problem);
    case TARGET_TOO_MANY:
        return api_fail(problem, API_MALFORMED_REQUEST, "", API_NO_OFFSET, "a query may have up to %d arguments",
                        TARGET_MAX_ARGUMENTS);
    case TARGET_MALFORMED: /* fault_of_line reports it, unless the request line is worse */
    case TARGET_OK:
        break;
    }
    return 0;
}

static int check_size(size_t size, struct api_problem *problem)
{
    if (size <= FIELDS_MAX_HEAD_BYTES)
        return 0;
    api_fail(problem, API_HEAD_TOO_LARGE, "", API_NO_OFFSET,
             "the request line and the fields together may have up to %d bytes; no flag sets this",
             FIELDS_MAX_HEAD_BYTES);
    if (problem != NULL)
        problem->limit = FIELDS_MAX_HEAD_BYTES;
    return -1;
}

int fields_read(struct MHD_Connection *daemon_side, const char *method, const char *version, struct fields *fields,
                struct api_problem *problem)
{
    struct connection *connection = connection_of(daemon_side);
    struct head head = {
        .fields = fields,
        .method = method,
        .version = version,
        .target = connection->target.at,
        .target_length = connection->target.length,
        .length = MHD_get_connection_info(daemon_side, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size,
        .value_end = version + strlen(version),
        .is_mhd_0_9 = loop_has_mhd_0_9(),
    };
    *fields = (struct fields){.encoding = ENCODING_IDENTITY};
    MHD_get_connection_values_n(daemon_side, MHD_HEADER_KIND, on_field, &head);
    if (read_target(connection, fields, problem) != 0 || check_size(head.length, problem) != 0 ||
        check_framing(&head, problem) != 0 || (head.no_memory && fail_for_memory(problem) != 0)) {
        fields->closes = true;
        return -1;
    }
    fields->closes = head.lengths > 0 && head.codings > 0; /* RFC 9112, 6.1 */
    if (head.lengths > 0 && head.codings == 0)
        fields->announced = strtoull(head.content_length, NULL, 10);
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
