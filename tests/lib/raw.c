#define _GNU_SOURCE
#include "lib/raw.h"
#include "lib/process.h"

#include "lib/assertions.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- The file ---- */

/* How long nothing comes where a request is not whole. */
enum { SILENCE_MS = 300, PATIENCE_MS = 20000 };

/* The further request's mark, which its answer repeats. */
#define NEXT "raw-further-request"

static const char *put_escape(FILE *out, const char *text, const char *end);

static void put_text(FILE *out, const char *text, const char *end)
{
    while (text < end)
        if (*text == '\\')
            text = put_escape(out, text + 1, end);
        else
            putc(*text++, out);
}

/* N*TEXT) */
static const char *put_repeated(FILE *out, const char *text, const char *end)
{
    char *of;
    unsigned long times = strtoul(text, &of, 10);
    const char *close = memchr(of, ')', (size_t)(end - of));
    ck_assert_msg(*of == '*' && close != NULL, "%s", text);
    for (; times > 0; times--)
        put_text(out, of + 1, close);
    return close + 1;
}

static const char *put_escape(FILE *out, const char *text, const char *end)
{
    static const char names[] = "lrt\\", meant[] = "\n\r\t\\";
    unsigned byte;
    const char *name = strchr(names, *text);
    if (*text == '(')
        return put_repeated(out, text + 1, end);
    if (*text == 'n')
        fputs("\r\n", out);
    else if (*text == '0')
        putc('\0', out);
    else if (*text == 'x' && sscanf(text + 1, "%2x", &byte) == 1)
        putc((int)byte, out);
    else if (name != NULL)
        putc(meant[name - names], out);
    else
        ck_abort_msg("no escape: %s", text);
    return text + (*text == 'x' ? 3 : 1);
}

/* OLD/NEW, or one for both. */
static char *of_version(char *expected)
{
    char *new = strchr(expected, '/');
    if (new == NULL)
        return strdup(expected);
    *new = '\0';
    return strdup(MHD_get_version()[0] == '0' ? expected : new + 1);
}

static struct raw_case read_case(char *line)
{
    struct raw_case raw = {0};
    char *bytes = line;
    raw.name = strdup(strsep(&bytes, " "));
    bytes += strspn(bytes, " ");
    raw.expected = of_version(strsep(&bytes, " "));
    bytes += strspn(bytes, " ");
    FILE *out = open_memstream(&raw.bytes, &raw.length);
    put_text(out, bytes, bytes + strcspn(bytes, "\n"));
    fclose(out);
    return raw;
}

struct raw_case *raw_read(const char *path)
{
    FILE *in = fopen(path, "r");
    ck_assert_msg(in != NULL, "%s: %m", path);
    struct raw_case *cases = calloc(1, sizeof *cases);
    char *line = NULL;
    size_t room = 0, count = 0;
    while (getline(&line, &room, in) > 0) {
        if (*line == '#' || *line == '\n')
            continue;
        cases[count++] = read_case(line);
        cases = realloc(cases, (count + 1) * sizeof *cases);
        memset(&cases[count], 0, sizeof *cases);
    }
    free(line);
    fclose(in);
    return cases;
}

void raw_free(struct raw_case *cases)
{
    for (struct raw_case *raw = cases; raw->name != NULL; raw++) {
        free(raw->name);
        free(raw->expected);
        free(raw->bytes);
    }
    free(cases);
}

/* ---- Answers ---- */

/* The field's value in the head, which ends in an empty line; NULL where there is none. */
static const char *field(const char *head, const char *name)
{
    for (const char *line = strstr(head, "\r\n") + 2; *line != '\r'; line = strstr(line, "\r\n") + 2)
        if (strncasecmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            return line + strlen(name) + 1 + strspn(line + strlen(name) + 1, " ");
    return NULL;
}

/* Each line is a name, which is a token, a colon, and visible characters. */
static bool is_head_sound(const char *head)
{
    int status;
    char space;
    if (sscanf(head, "HTTP/1.%*1[01] %3d%c", &status, &space) != 2 || space != ' ' || status < 100)
        return false;
    for (const char *line = strstr(head, "\r\n") + 2; *line != '\r'; line = strstr(line, "\r\n") + 2) {
        const size_t name = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-");
        if (name == 0 || line[name] != ':' || strcspn(line, "\n") != strcspn(line, "\r") + 1)
            return false;
    }
    return true;
}

/* The chunks' bytes, or 0 if they are cut, or no chunks. */
static size_t length_of_chunks(const char *bytes, size_t length)
{
    for (size_t at = 0; at < length;) {
        char *end;
        const unsigned long chunk = strtoul(bytes + at, &end, 16);
        const size_t line = (size_t)(end - bytes) - at;
        if (!isxdigit((unsigned char)bytes[at]) || strncmp(end, "\r\n", 2) != 0 || length - at < line + 2 + chunk + 2 ||
            strncmp(end + 2 + chunk, "\r\n", 2) != 0)
            return 0;
        at += line + 2 + chunk + 2;
        if (chunk == 0)
            return at;
    }
    return 0;
}

/* Bytes of the body that follows the head; SIZE_MAX: until the end. */
static size_t length_of_body(const char *head, int status, bool is_head, const char *body, size_t left)
{
    const char *announced = field(head, "Content-Length"), *coding = field(head, "Transfer-Encoding");
    if (status < 200 || status == 204 || status == 304 || is_head)
        return 0;
    if (coding != NULL)
        return announced == NULL ? length_of_chunks(body, left) : SIZE_MAX;
    return announced != NULL ? strtoull(announced, NULL, 10) : SIZE_MAX;
}

/* Takes one answer; false if there is none. */
static bool take_answer(const char **bytes, size_t *length, bool *is_head, FILE *out)
{
    const char *end = memmem(*bytes, *length, "\r\n\r\n", 4);
    if (end == NULL || !is_head_sound(*bytes)) {
        fputs("junk", out);
        return false;
    }
    const int status = atoi(*bytes + strlen("HTTP/1.1 "));
    const char *body = end + 4;
    const size_t left = *length - (size_t)(body - *bytes);
    const size_t announced = length_of_body(*bytes, status, *is_head, body, left);
    const char *id = field(*bytes, "X-Request-Id");
    if (id != NULL && strncmp(id, NEXT, strlen(NEXT)) == 0)
        fputs("next", out);
    else
        fprintf(out, "%d", status);
    if (announced > left) {
        fputs(",cut", out);
        return false;
    }
    *is_head = *is_head && status < 200;
    *bytes = body + announced;
    *length = left - announced;
    return true;
}

void raw_statuses(const char *bytes, size_t length, bool is_head, char *seen, size_t size)
{
    FILE *out = fmemopen(seen, size, "w");
    const char *comma = "";
    for (; length > 0; comma = ",") {
        fputs(comma, out);
        if (!take_answer(&bytes, &length, &is_head, out))
            break;
    }
    fclose(out);
}

/* ---- Replaying ---- */

static int connect_to(unsigned port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    ck_assert_int_ge(fd, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ck_assert_msg(connect(fd, (const struct sockaddr *)&address, sizeof address) == 0, "connect: %m");
    return fd;
}

/* False where the other side has closed. */
static bool send_in_steps(int fd, const char *bytes, size_t length, size_t step)
{
    while (length > 0) {
        const size_t part = step > 0 && step < length ? step : length;
        const ssize_t sent = send(fd, bytes, part, MSG_NOSIGNAL);
        if (sent < 0)
            return false;
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

/* What comes until the connection ends, or until nothing has come for so long. */
static bool receive_all(int fd, int silence_ms, FILE *out)
{
    char buffer[65536];
    while (poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, silence_ms) > 0) {
        const ssize_t count = recv(fd, buffer, sizeof buffer, 0);
        if (count <= 0)
            return true;
        fwrite(buffer, 1, (size_t)count, out);
    }
    return false;
}

/* In the form of what is expected. */
static void describe(const char *statuses, bool ended, char *seen, size_t size)
{
    static const char next[] = ",next";
    const size_t length = strlen(statuses);
    if (!ended)
        snprintf(seen, size, "%s?", statuses);
    else if (length >= strlen(next) && strcmp(statuses + length - strlen(next), next) == 0)
        snprintf(seen, size, "%.*s", (int)(length - strlen(next)), statuses);
    else
        snprintf(seen, size, "%sx", statuses);
}

static bool is_heads(const char *expected)
{
    return strchr(expected, 'h') != NULL;
}

static bool is_expected(const char *expected, const char *seen)
{
    const size_t length = strcspn(expected, "h");
    return strncmp(expected, seen, length) == 0 &&
           strcmp(expected + length + (expected[length] == 'h'), seen + length) == 0;
}

char *raw_replay(unsigned port, const struct raw_case *raw, size_t step, char *seen, size_t size)
{
    static const char next[] = "GET /version HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: " NEXT
                               "\r\nConnection: close\r\n\r\n";
    char *answer, statuses[256] = "";
    size_t length;
    const int fd = connect_to(port);
    FILE *out = open_memstream(&answer, &length);
    if (send_in_steps(fd, raw->bytes, raw->length, step))
        send_in_steps(fd, next, strlen(next), 0);
    const bool ended = receive_all(fd, strcmp(raw->expected, "?") == 0 ? SILENCE_MS : PATIENCE_MS, out);
    fclose(out);
    close(fd);
    raw_statuses(answer, length, is_heads(raw->expected), statuses, sizeof statuses);
    describe(statuses, ended, seen, size);
    if (!is_expected(raw->expected, seen))
        return answer;
    free(answer);
    return NULL;
}

void raw_send(unsigned port, const char *bytes, size_t length, size_t step, char *seen, size_t size)
{
    char *answer, statuses[1024] = "";
    size_t answered;
    const int fd = connect_to(port);
    FILE *out = open_memstream(&answer, &answered);
    if (send_in_steps(fd, bytes, length, step))
        shutdown(fd, SHUT_WR);
    const bool ended = receive_all(fd, PATIENCE_MS, out);
    fclose(out);
    close(fd);
    raw_statuses(answer, answered, memmem(bytes, length, "HEAD", 4) != NULL, statuses, sizeof statuses);
    describe(statuses, ended, seen, size);
    free(answer);
}
