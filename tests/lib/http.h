/* A client that sends whatever bytes a test wants and reads answers one by one. What cannot be done, or is
 * not answered within HTTP_TIMEOUT_MS, fails the test. */
#ifndef TESTS_LIB_HTTP_H
#define TESTS_LIB_HTTP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { HTTP_TIMEOUT_MS = 120000 };

struct http {
    int fd;
    char *bytes; /* received and not yet part of a response */
    size_t length, capacity;
    char *sent; /* the first RECORD_MOST bytes, for record() */
    size_t sent_length;
};

struct http_response {
    int status;
    char *head; /* status line and fields; NULL where the connection ended instead */
    char *body; /* followed by a zero byte */
    size_t length;
};

/* Connects to 127.0.0.1. http_try_open is false where that is refused. */
struct http http_open(unsigned port);
bool http_try_open(struct http *http, unsigned port);

/* Connects to an address as --listen takes it; from another address of this machine, if `source` is not NULL. */
struct http http_open_at(const char *address, const char *source);

void http_close(struct http *http);
void http_finish(struct http *http); /* FIN: nothing more will be sent */
void http_reset(struct http *http);  /* RST */

/* http_try_send is false where the other side has closed. */
void http_send(struct http *http, const char *bytes, size_t length);
bool http_try_send(struct http *http, const char *bytes, size_t length);
void http_print(struct http *http, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A POST with Content-Length and Content-Type: application/json. */
void http_post(struct http *http, const char *path, const char *body);

/* A POST whose body comes in chunks of up to `chunk` bytes. */
void http_post_chunked(struct http *http, const char *path, const char *body, size_t chunk);

/* The next response; http_read fails the test where the connection ends first, http_try_read gives one
 * without a head. With `only_head` there is no body whatever Content-Length says. */
struct http_response http_read(struct http *http);
struct http_response http_read_head(struct http *http);
struct http_response http_try_read(struct http *http, bool only_head);

/* The response to a request of HTTP/1.0, whose body ends with the connection. */
struct http_response http_read_to_end(struct http *http);

/* Whether something (the connection's end is something) can be read within `milliseconds`. */
bool http_readable(struct http *http, int milliseconds);

/* Whether the connection ends within HTTP_TIMEOUT_MS without a further byte. */
bool http_ends(struct http *http);

/* The value of a field, to be freed; NULL where there is none. */
char *http_field(const struct http_response *response, const char *name);
bool http_field_is(const struct http_response *response, const char *name, const char *value);
bool http_says_close(const struct http_response *response);

void http_free(struct http_response *response);

/* Connection, request, response. A NULL body makes a request without one. */
struct http_response http_ask(unsigned port, const char *method, const char *path, const char *body);

/* Fails the test unless the response is a problem document, or an error of /v2, with this status and code whose
 * `status` says the same. The document, to be released. */
json_t *http_problem(const struct http_response *response, int status, const char *code);

/* A value of GET /metrics, 0 where its line is missing; `name` includes the labels. */
long long http_metric(unsigned port, const char *name);

/* Waits until the metric has the value. */
void http_await_metric(unsigned port, const char *name, long long value);

#endif
