/* A load of one request over HTTP/1.1, with the time of each answer taken from when the request was due, so that a
 * server which stalls cannot hide the requests that would have come meanwhile.
 *
 *   load [-a SOURCE [-n SOURCES]] [-c CONNECTIONS] [-e EXPECTED] [-r RATE] [-s SECONDS] [-t TIMEOUT_MS] [-f] PORT FILE
 *
 * FILE holds the request's bytes, head and body. With a RATE requests are due at regular times whatever the answers do;
 * without, each connection asks again once it is answered. -a binds the connections to a loopback address, or with -n
 * to so many in turn from there on; -e compares the bodies of answers with a file's bytes, -f opens a new connection
 * for each request. Ends in one line of JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_BYTES = 4096, BUFFER_BYTES = 1 << 18, EVENTS = 256, STATUSES = 600 };

struct options {
    const char *source, *file, *expected;
    unsigned sources, connections, port;
    double rate, seconds, timeout;
    bool fresh;
};

/* Seconds from due to answered. */
struct samples {
    double *seconds;
    size_t count, capacity;
};

enum outcome { ANSWERED, REFUSED, OUTCOMES };

struct connection {
    int fd; /* -1 where there is none */
    bool busy, in_body;
    double due;
    size_t sent, head_length;
    char head[HEAD_BYTES];
    int status;
    long body_left;
    size_t received; /* of the body */
    bool differs;
};

struct bytes {
    char *start;
    size_t length;
};

struct load {
    struct options options;
    struct bytes request, expected;
    char *buffer;
    int epoll;
    double began;
    struct connection *connections;
    unsigned *free_list, free_count;
    struct samples samples[OUTCOMES];
    long statuses[STATUSES], sent, not_sent, broken, timed_out, different;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

_Noreturn static void die(const char *what)
{
    fprintf(stderr, "load: %s: %m\n", what);
    exit(2);
}

/* ---- What became of each request ---- */

static void add_sample(struct samples *samples, double seconds)
{
    if (samples->count == samples->capacity) {
        samples->capacity = 2 * samples->capacity + 1024;
        samples->seconds = realloc(samples->seconds, samples->capacity * sizeof *samples->seconds);
        if (samples->seconds == NULL)
            die("realloc");
    }
    samples->seconds[samples->count++] = seconds;
}

static void drop_socket(struct connection *connection)
{
    if (connection->fd >= 0)
        close(connection->fd);
    connection->fd = -1;
}

static void release(struct load *load, struct connection *connection)
{
    connection->busy = false;
    load->free_list[load->free_count++] = (unsigned)(connection - load->connections);
}

static void on_broken(struct load *load, struct connection *connection)
{
    drop_socket(connection);
    if (!connection->busy)
        return;
    load->broken++;
    release(load, connection);
}

static bool is_different(const struct load *load, const struct connection *connection)
{
    return connection->differs || (load->expected.start != NULL && connection->received != load->expected.length);
}

static void on_answer(struct load *load, struct connection *connection)
{
    const bool answered = connection->status == 200;
    add_sample(&load->samples[answered ? ANSWERED : REFUSED], now() - connection->due);
    load->statuses[connection->status]++;
    load->different += answered && is_different(load, connection);
    const bool half_sent = connection->sent < load->request.length;
    if (load->options.fresh || half_sent || strcasestr(connection->head, "\r\nConnection: close") != NULL)
        drop_socket(connection);
    release(load, connection);
}

/* ---- Sending and receiving ---- */

static void bind_to(int fd, const char *source, size_t further)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const int on = 1;
    setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (inet_pton(AF_INET, source, &address.sin_addr) != 1)
        die(source);
    address.sin_addr.s_addr = htonl(ntohl(address.sin_addr.s_addr) + (uint32_t)further);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        die(source);
}

static void open_socket(struct load *load, struct connection *connection)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)load->options.port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};
    const int on = 1;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0)
        die("socket");
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (load->options.source != NULL)
        bind_to(connection->fd, load->options.source, (size_t)(connection - load->connections) % load->options.sources);
    connect(connection->fd, (const struct sockaddr *)&address, sizeof address);
    epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event);
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == ENOTCONN || errno == EINPROGRESS;
}

/* A server may answer before it has read all: what cannot be sent any more is no reason not to read. */
static void send_rest(const struct load *load, struct connection *connection)
{
    while (connection->busy && connection->sent < load->request.length) {
        const ssize_t count = send(connection->fd, load->request.start + connection->sent,
                                   load->request.length - connection->sent, MSG_NOSIGNAL);
        if (count <= 0)
            return;
        connection->sent += (size_t)count;
    }
}

static void begin_body(struct connection *connection)
{
    const char *length = strcasestr(connection->head, "\r\nContent-Length:");
    connection->in_body = true;
    connection->body_left = length != NULL ? strtol(length + strlen("\r\nContent-Length:"), NULL, 10) : 0;
    connection->status = atoi(connection->head + strlen("HTTP/1.1 "));
    if (connection->status < 0 || connection->status >= STATUSES)
        connection->status = 0;
}

/* Takes what belongs to the head; how many bytes. */
static size_t take_head(struct connection *connection, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count && connection->head_length < HEAD_BYTES - 1; i++) {
        connection->head[connection->head_length++] = bytes[i];
        connection->head[connection->head_length] = '\0';
        if (bytes[i] != '\n' || connection->head_length < 4 ||
            strcmp(connection->head + connection->head_length - 4, "\r\n\r\n") != 0)
            continue;
        begin_body(connection);
        return i + 1;
    }
    return count;
}

static void compare(const struct load *load, struct connection *connection, const char *bytes, size_t count)
{
    const struct bytes *expected = &load->expected;
    if (expected->start != NULL)
        connection->differs |= connection->received + count > expected->length ||
                               memcmp(expected->start + connection->received, bytes, count) != 0;
    connection->received += count;
}

static void take(struct load *load, struct connection *connection, const char *bytes, size_t count)
{
    const size_t head = connection->in_body ? 0 : take_head(connection, bytes, count);
    compare(load, connection, bytes + head, count - head);
    connection->body_left -= (long)(count - head);
    if (connection->in_body && connection->body_left <= 0)
        on_answer(load, connection);
}

static void receive(struct load *load, struct connection *connection)
{
    while (connection->fd >= 0) {
        const ssize_t count = recv(connection->fd, load->buffer, BUFFER_BYTES, 0);
        if (count < 0 && would_block())
            return;
        if (count <= 0)
            on_broken(load, connection);
        else if (connection->busy)
            take(load, connection, load->buffer, (size_t)count);
    }
}

static void ask(struct load *load, double due)
{
    struct connection *connection = &load->connections[load->free_list[--load->free_count]];
    *connection = (struct connection){.fd = connection->fd, .busy = true, .due = due};
    load->sent++;
    if (connection->fd < 0)
        open_socket(load, connection);
    send_rest(load, connection);
    receive(load, connection);
}

/* ---- Time ---- */

static double due_of(const struct load *load, long number)
{
    return load->began + (double)number / load->options.rate;
}

static bool is_over(const struct load *load, double time)
{
    return time >= load->began + load->options.seconds;
}

/* Asks all that is due. */
static void ask_due(struct load *load)
{
    const double time = now();
    if (is_over(load, time))
        return;
    if (load->options.rate == 0) {
        for (unsigned idle = load->free_count; idle > 0; idle--)
            ask(load, time);
        return;
    }
    for (double due; (due = due_of(load, load->sent + load->not_sent)) <= time;)
        load->free_count > 0 ? ask(load, due) : (void)load->not_sent++;
}

static void end_late(struct load *load, double time)
{
    for (unsigned i = 0; i < load->options.connections; i++) {
        struct connection *connection = &load->connections[i];
        if (!connection->busy || time - connection->due <= load->options.timeout)
            continue;
        drop_socket(connection);
        load->timed_out++;
        release(load, connection);
    }
}

static void wait_for_events(struct load *load)
{
    struct epoll_event events[EVENTS];
    double wait = 0.02;
    if (load->options.rate > 0 && due_of(load, load->sent + load->not_sent) - now() < wait)
        wait = due_of(load, load->sent + load->not_sent) - now();
    const struct timespec limit = {.tv_nsec = wait > 0 ? (long)(wait * 1e9) : 0};
    const int count = epoll_pwait2(load->epoll, events, EVENTS, &limit, NULL);
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        if (connection->fd < 0)
            continue;
        send_rest(load, connection);
        receive(load, connection);
    }
}

static void run(struct load *load)
{
    double looked = load->began = now();
    while (!is_over(load, now()) || load->free_count < load->options.connections) {
        ask_due(load);
        wait_for_events(load);
        if (now() - looked < 0.05)
            continue;
        looked = now();
        end_late(load, looked);
    }
}

/* ---- The report ---- */

static int compare_seconds(const void *one, const void *other)
{
    const double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static double quantile_ms(const struct samples *samples, double share)
{
    const size_t index = (size_t)(share * (double)samples->count);
    return 1e3 * samples->seconds[index < samples->count ? index : samples->count - 1];
}

static void print_times(const char *name, struct samples *samples)
{
    if (samples->count == 0)
        return;
    qsort(samples->seconds, samples->count, sizeof *samples->seconds, compare_seconds);
    printf(",\"%s_ms\":{\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"max\":%.3f}", name, quantile_ms(samples, 0.5),
           quantile_ms(samples, 0.9), quantile_ms(samples, 0.99), quantile_ms(samples, 1));
}

static void report(struct load *load)
{
    const char *separator = "";
    printf("{\"sent\":%ld,\"not_sent\":%ld,\"broken\":%ld,\"timed_out\":%ld,\"different\":%ld,\"goodput\":%.1f,",
           load->sent, load->not_sent, load->broken, load->timed_out, load->different,
           (double)load->samples[ANSWERED].count / (now() - load->began));
    printf("\"statuses\":{");
    for (int status = 0; status < STATUSES; status++)
        if (load->statuses[status] > 0) {
            printf("%s\"%d\":%ld", separator, status, load->statuses[status]);
            separator = ",";
        }
    putchar('}');
    print_times("answered", &load->samples[ANSWERED]);
    print_times("refused", &load->samples[REFUSED]);
    puts("}");
}

/* ---- Start ---- */

static struct options read_options(int argc, char **argv)
{
    struct options options = {.sources = 1, .connections = 64, .seconds = 5, .timeout = 30};
    for (int option; (option = getopt(argc, argv, "a:c:e:n:r:s:t:f")) != -1;) {
        switch (option) {
        case 'a':
            options.source = optarg;
            break;
        case 'c':
            options.connections = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'e':
            options.expected = optarg;
            break;
        case 'n':
            options.sources = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'r':
            options.rate = strtod(optarg, NULL);
            break;
        case 's':
            options.seconds = strtod(optarg, NULL);
            break;
        case 't':
            options.timeout = strtod(optarg, NULL) * 1e-3;
            break;
        case 'f':
            options.fresh = true;
            break;
        default:
            exit(2);
        }
    }
    if (argc - optind != 2)
        die("load [-a SOURCE [-n SOURCES]] [-c CONNECTIONS] [-e EXPECTED] [-r RATE] [-s SECONDS] [-t TIMEOUT_MS] [-f] "
            "PORT FILE");
    options.port = (unsigned)strtoul(argv[optind], NULL, 10);
    options.file = argv[optind + 1];
    return options;
}

static struct bytes read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        die(path);
    struct bytes bytes = {.length = (size_t)ftell(file)};
    bytes.start = malloc(bytes.length + 1);
    rewind(file);
    if (bytes.start == NULL || fread(bytes.start, 1, bytes.length, file) != bytes.length)
        die(path);
    fclose(file);
    return bytes;
}

static void make_connections(struct load *load)
{
    const unsigned count = load->options.connections;
    load->connections = calloc(count, sizeof *load->connections);
    load->free_list = calloc(count, sizeof *load->free_list);
    load->buffer = malloc(BUFFER_BYTES);
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (load->connections == NULL || load->free_list == NULL || load->buffer == NULL || load->epoll < 0)
        die("start");
    for (unsigned i = count; i-- > 0;) {
        load->connections[i].fd = -1;
        load->free_list[load->free_count++] = i;
    }
}

static void raise_limit_of_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv)
{
    struct load load = {.options = read_options(argc, argv)};
    raise_limit_of_files();
    load.request = read_file(load.options.file);
    if (load.options.expected != NULL)
        load.expected = read_file(load.options.expected);
    make_connections(&load);
    run(&load);
    report(&load);
    return EXIT_SUCCESS;
}
