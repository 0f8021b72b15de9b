#define _GNU_SOURCE
#include "lib/http.h"
#include "address.h"
#include "lib/process.h"
#include "lib/record.h"

#include "lib/assertions.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* ---- Connections ---- */

static struct http open_socket(int family)
{
    const struct timeval limit = {.tv_sec = HTTP_TIMEOUT_MS / 1000};
    const int on = 1;
    const struct http http = {.fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    ck_assert_int_ge(http.fd, 0);
    if (family != AF_UNIX)
        ck_assert_int_eq(setsockopt(http.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
    ck_assert_int_eq(setsockopt(http.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    ck_assert_int_eq(setsockopt(http.fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), 0);
    return http;
}

bool http_try_open(struct http *http, unsigned port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *http = open_socket(AF_INET);
    if (connect(http->fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return true;
    ck_assert_msg(errno == ECONNREFUSED, "connect: %m");
    http_close(http);
    return false;
}

struct http http_open_at(const char *text, const char *source)
{
    struct address address, own;
    ck_assert_msg(address_parse(text, &address), "%s is no address", text);
    struct http http = open_socket(address.storage.ss_family);
    if (source != NULL) {
        ck_assert(address_parse(source, &own));
        ck_assert_int_eq(bind(http.fd, (const struct sockaddr *)&own.storage, own.length), 0);
    }
    ck_assert_msg(connect(http.fd, (const struct sockaddr *)&address.storage, address.length) == 0, "%s: %m", text);
    return http;
}

struct http http_open(unsigned port)
{
    struct http http;
    ck_assert_msg(http_try_open(&http, port), "port %u refuses connections", port);
    return http;
}

void http_close(struct http *http)
{
    close(http->fd);
    record(http->sent, http->sent_length, 0, NULL, 0);
    free(http->sent);
    free(http->bytes);
    *http = (struct http){.fd = -1};
}

void http_finish(struct http *http)
{
    ck_assert_int_eq(shutdown(http->fd, SHUT_WR), 0);
}

void http_reset(struct http *http)
{
    const struct linger at_once = {.l_onoff = 1};
    setsockopt(http->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    http_close(http);
}

/* ---- Sending ---- */

static void keep(struct http *http, const char *bytes, size_t length)
{
    const size_t room = RECORD_MOST - http->sent_length, kept = length < room ? length : room;
    http->sent = realloc(http->sent, http->sent_length + kept + 1);
    ck_assert_ptr_nonnull(http->sent);
    memcpy(http->sent + http->sent_length, bytes, kept);
    http->sent_length += kept;
}

bool http_try_send(struct http *http, const char *bytes, size_t length)
{
    keep(http, bytes, length);
    while (length > 0) {
        const ssize_t sent = send(http->fd, bytes, length, MSG_NOSIGNAL);
        if (sent < 0) {
            ck_assert_msg(errno == EPIPE || errno == ECONNRESET, "send: %m");
            return false;
        }
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

void http_send(struct http *http, const char *bytes, size_t length)
{
    ck_assert_msg(http_try_send(http, bytes, length), "the server has closed the connection");
}

void http_print(struct http *http, const char *format, ...)
{
    char *text;
    va_list arguments;
    va_start(arguments, format);
    const int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    ck_assert_int_ge(length, 0);
    http_send(http, text, (size_t)length);
    free(text);
}

void http_post(struct http *http, const char *path, const char *body)
{
    http_print(http,
               "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
               path, strlen(body), body);
}

void http_post_chunked(struct http *http, const char *path, const char *body, size_t chunk)
{
    http_print(http, "POST %s HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", path);
    for (size_t left = strlen(body); left > 0;) {
        const size_t length = left < chunk ? left : chunk;
        http_print(http, "%zx\r\n%.*s\r\n", length, (int)length, body);
        body += length;
        left -= length;
    }
    http_print(http, "0\r\n\r\n");
}

/* ---- Receiving ---- */

/* 1 with more bytes, 0 where the connection has ended. */
static bool receive(struct http *http)
{
    if (http->capacity - http->length < 65536) {
        http->capacity = 2 * http->capacity + 131072;
        http->bytes = realloc(http->bytes, http->capacity);
        ck_assert_ptr_nonnull(http->bytes);
    }
    const ssize_t count = recv(http->fd, http->bytes + http->length, http->capacity - http->length - 1, 0);
    ck_assert_msg(count >= 0 || errno == ECONNRESET, "no answer: %m");
    if (count <= 0)
        return false;
    http->length += (size_t)count;
    http->bytes[http->length] = '\0';
    return true;
}

static char *take(struct http *http, size_t length)
{
    char *taken = malloc(length + 1);
    ck_assert_ptr_nonnull(taken);
    memcpy(taken, http->bytes, length);
    taken[length] = '\0';
    http->length -= length;
    memmove(http->bytes, http->bytes + length, http->length + 1);
    return taken;
}

static void await_bytes(struct http *http, size_t length)
{
    while (http->length < length)
        ck_assert_msg(receive(http), "%zu of %zu bytes of the answer came", http->length, length);
}

/* Takes the line that ends in CRLF. */
static char *take_line(struct http *http)
{
    const char *end;
    while (http->length == 0 || (end = strstr(http->bytes, "\r\n")) == NULL)
        ck_assert_msg(receive(http), "the answer ends between its chunks");
    return take(http, (size_t)(end + 2 - http->bytes));
}

static void read_chunks(struct http *http, struct http_response *response)
{
    response->body = calloc(1, 1);
    for (size_t chunk = 1; chunk > 0;) {
        char *line = take_line(http);
        chunk = strtoul(line, NULL, 16);
        free(line);
        await_bytes(http, chunk + 2);
        line = take(http, chunk + 2);
        response->body = realloc(response->body, response->length + chunk + 1);
        ck_assert_ptr_nonnull(response->body);
        memcpy(response->body + response->length, line, chunk);
        response->length += chunk;
        response->body[response->length] = '\0';
        free(line);
    }
}

struct http_response http_try_read(struct http *http, bool only_head)
{
    struct http_response response = {0};
    const char *end;
    while (http->length == 0 || (end = strstr(http->bytes, "\r\n\r\n")) == NULL)
        if (!receive(http))
            return response;
    response.head = take(http, (size_t)(end + 4 - http->bytes));
    ck_assert_msg(sscanf(response.head, "HTTP/1.%*[01] %d ", &response.status) == 1, "%s", response.head);
    if (!only_head && http_field_is(&response, "Transfer-Encoding", "chunked")) {
        read_chunks(http, &response);
        return response;
    }
    char *announced = http_field(&response, "Content-Length");
    ck_assert_msg(announced != NULL || response.status == 100 || response.status == 204, "no Content-Length: %s",
                  response.head);
    response.length = announced != NULL && !only_head ? strtoul(announced, NULL, 10) : 0;
    free(announced);
    await_bytes(http, response.length);
    response.body = take(http, response.length);
    return response;
}

struct http_response http_read_to_end(struct http *http)
{
    struct http_response response = {0};
    while (receive(http))
        continue;
    const char *end = http->length > 0 ? strstr(http->bytes, "\r\n\r\n") : NULL;
    ck_assert_msg(end != NULL, "the connection ended without an answer");
    response.head = take(http, (size_t)(end + 4 - http->bytes));
    ck_assert_int_eq(sscanf(response.head, "HTTP/1.%*[01] %d ", &response.status), 1);
    response.length = http->length;
    response.body = take(http, http->length);
    return response;
}

struct http_response http_read(struct http *http)
{
    struct http_response response = http_try_read(http, false);
    ck_assert_msg(response.head != NULL, "the connection ended without an answer");
    return response;
}

struct http_response http_read_head(struct http *http)
{
    struct http_response response = http_try_read(http, true);
    ck_assert_msg(response.head != NULL, "the connection ended without an answer");
    return response;
}

bool http_readable(struct http *http, int milliseconds)
{
    return http->length > 0 || poll(&(struct pollfd){.fd = http->fd, .events = POLLIN}, 1, milliseconds) > 0;
}

bool http_ends(struct http *http)
{
    return http->length == 0 && !receive(http);
}

/* ---- Responses ---- */

char *http_field(const struct http_response *response, const char *name)
{
    const size_t length = strlen(name);
    for (const char *line = strstr(response->head, "\r\n") + 2; *line != '\r'; line = strstr(line, "\r\n") + 2) {
        if (strncasecmp(line, name, length) != 0 || line[length] != ':')
            continue;
        line += length + 1;
        line += strspn(line, " ");
        return strndup(line, strcspn(line, "\r"));
    }
    return NULL;
}

bool http_field_is(const struct http_response *response, const char *name, const char *value)
{
    char *found = http_field(response, name);
    const bool same = found != NULL && strcmp(found, value) == 0;
    free(found);
    return same;
}

bool http_says_close(const struct http_response *response)
{
    char *value = http_field(response, "Connection");
    const bool close = value != NULL && strcasecmp(value, "close") == 0;
    free(value);
    return close;
}

void http_free(struct http_response *response)
{
    free(response->head);
    free(response->body);
    *response = (struct http_response){0};
}

struct http_response http_ask(unsigned port, const char *method, const char *path, const char *body)
{
    struct http http = http_open(port);
    if (body == NULL)
        http_print(&http, "%s %s HTTP/1.1\r\nHost: localhost\r\n\r\n", method, path);
    else
        http_print(&http, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n%s", method, path,
                   strlen(body), body);
    struct http_response response = strcmp(method, "HEAD") == 0 ? http_read_head(&http) : http_read(&http);
    http_close(&http);
    return response;
}

json_t *http_problem(const struct http_response *response, int status, const char *code)
{
    ck_assert_msg(response->status == status, "status is %d, not %d: %s", response->status, status, response->body);
    json_t *document = json_loadb(response->body, response->length, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(document != NULL, "no JSON: %s", response->body);
    const bool inference = json_string_length(json_object_get(document, "error")) > 0;
    const char *type = inference ? "application/json" : "application/problem+json";
    ck_assert_msg(http_field_is(response, "Content-Type", type), "%s", response->head);
    ck_assert_int_eq(json_integer_value(json_object_get(document, "status")), status);
    ck_assert_msg(json_string_length(json_object_get(document, "detail")) > 0, "no detail: %s", response->body);
    const char *found = json_string_value(json_object_get(document, "code"));
    ck_assert_msg(found != NULL && strcmp(found, code) == 0, "not %s: %s", code, response->body);
    return document;
}

long long http_metric(unsigned port, const char *name)
{
    struct http_response response = http_ask(port, "GET", "/metrics", NULL);
    ck_assert_int_eq(response.status, 200);
    const size_t length = strlen(name);
    long long value = 0;
    for (const char *line = response.body; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, length) == 0 && line[length] == ' ')
            value = strtoll(line + length, NULL, 10);
    }
    http_free(&response);
    return value;
}

void http_await_metric(unsigned port, const char *name, long long value)
{
    const double begun = process_now_ms();
    for (;;) {
        const long long found = http_metric(port, name);
        if (found == value)
            return;
        ck_assert_msg(process_now_ms() - begun < HTTP_TIMEOUT_MS, "%s is %lld, not %lld", name, found, value);
        process_sleep_ms(5);
    }
}
