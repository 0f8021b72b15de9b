/* The server under a crowd of clients for a while: every answer is compared with what this process computes
 * for the same request, some clients go away in the middle, and afterwards nothing may be left of them.
 *
 *   soak [-c CONNECTIONS] [-n SOURCES] [-s SECONDS] [-r SEED] [-m PERCENT] [-a PORT [-p PID]] [-- FLAG...]
 *
 * The seconds are spent in two equal phases, after each of which the server has to come to rest; the first
 * warms its memory up, the second must not take more than -m percent (10, and 8 MiB) above that. Without -a it starts
 * GUMBELD_BINARY with the further flags and ends it by SIGTERM; with -a it uses the server on that port of 127.0.0.1,
 * whose memory it can see only with -p. Ten thousand connections wait longer and need more room than is usual:
 * `soak -c 10000 -n 16 -s 60 -- --max-connections 12000 --max-queued 100000 --max-client-queued 100000 --max-wait-ms
 * 0`. Ends in the line "N passed, N failed", with exit status 0 if none has failed.
 */
#define _GNU_SOURCE
#include "crowd.h"
#include "pairs.h"
#include "target.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MEMORY_IS_COMPARABLE = 0 };
#else
enum { MEMORY_IS_COMPARABLE = 1 };
#endif

enum { PHASES = 2, REST_SECONDS = 20 };

struct options {
    unsigned connections, sources, port;
    double seconds, percent;
    long slack_kib;
    uint64_t seed;
    pid_t pid;
    char **flags;
};

struct phase {
    struct crowd_results results;
    struct target_levels before, after;
    double rest_seconds; /* that the server took to come to rest */
    long memory_kib;
};

/* ---- Checks ---- */

static int passed, failed;

__attribute__((format(printf, 2, 3))) static void check(bool right, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf(right ? "pass  " : "FAIL  ");
    vprintf(format, arguments);
    putchar('\n');
    fflush(stdout);
    va_end(arguments);
    right ? passed++ : failed++;
}

static void check_answers(const struct crowd_results *results)
{
    check(results->answers > 0 && results->wrong == 0,
          "answers are those that were computed here: %" PRIu64 " compared, %" PRIu64 " wrong%s%s", results->answers,
          results->wrong, results->wrong ? ", first " : "", results->first_wrong);
    check(results->lost == 0 && results->unanswered == 0,
          "every request of a client that stayed was answered: %" PRIu64 " lost, %" PRIu64 " still waiting at the end",
          results->lost, results->unanswered);
    check(results->closed == 0 && results->refused == 0,
          "no connection was closed or refused by the server: %" PRIu64 " and %" PRIu64 " of %" PRIu64, results->closed,
          results->refused, results->opened);
}

static void check_clients(const struct options *options, const struct crowd_results *results)
{
    check(results->most_open == options->connections, "%u connections were open at once: %" PRIu64,
          options->connections, results->most_open);
    for (int end = CROWD_STAYS + 1; end < CROWD_END_COUNT; end++)
        check(results->ends[end] > 0, "some clients %s: %" PRIu64, crowd_end_names[end], results->ends[end]);
}

/* The question about the levels is itself a request on a connection. */
static bool at_rest(const struct target_levels *levels)
{
    return levels->connections == 1 && levels->in_flight == 1 && levels->queued == 0;
}

static void check_levels(int number, const struct phase *phase)
{
    const int64_t counted = phase->after.requests - phase->before.requests;
    check(at_rest(&phase->after),
          "phase %d: back at rest after %.1f s: %" PRId64 " connections, %" PRId64
          " requests in flight, both with this question, %" PRId64 " queued",
          number, phase->rest_seconds, phase->after.connections, phase->after.in_flight, phase->after.queued);
    check(counted >= (int64_t)phase->results.answers,
          "phase %d: the server counted the requests: %" PRId64 " of %" PRIu64, number, counted,
          phase->results.answers);
}

static void check_memory(const struct options *options, const struct phase *phases)
{
    const long first = phases[0].memory_kib, second = phases[1].memory_kib;
    const long allowed = first + (long)((double)first * options->percent / 100) + options->slack_kib;
    if (MEMORY_IS_COMPARABLE && first > 0)
        check(second > 0 && second <= allowed,
              "memory after the second phase: %ld KiB, %ld after the first, %ld allowed", second, first, allowed);
}

/* ---- Phases ---- */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void rest(const struct target *target, struct phase *phase)
{
    const double began = now();
    while (!target_read(target, &phase->after) || (!at_rest(&phase->after) && now() < began + REST_SECONDS))
        usleep(50000);
    phase->rest_seconds = now() - began;
    sleep(4); /* memory is given back only some time after the last request */
    phase->memory_kib = target_memory_kib(target);
}

static struct phase run_phase(const struct options *options, const struct target *target, const struct pairs *pairs)
{
    struct phase phase = {0};
    const struct crowd_plan plan = {
        .pairs = pairs,
        .port = target->port,
        .connections = options->connections,
        .sources = options->sources,
        .seconds = options->seconds / PHASES,
        .seed = options->seed,
    };
    if (!target_read(target, &phase.before)) {
        fprintf(stderr, "the server does not answer\n");
        exit(EXIT_FAILURE);
    }
    crowd_run(&plan, &phase.results);
    rest(target, &phase);
    return phase;
}

static void add(struct crowd_results *sum, const struct crowd_results *results)
{
    if (sum->wrong == 0)
        memcpy(sum->first_wrong, results->first_wrong, sizeof sum->first_wrong);
    sum->requests += results->requests;
    sum->answers += results->answers;
    sum->wrong += results->wrong;
    sum->lost += results->lost;
    sum->unanswered += results->unanswered;
    sum->closed += results->closed;
    sum->refused += results->refused;
    sum->opened += results->opened;
    sum->bytes_sent += results->bytes_sent;
    sum->bytes_received += results->bytes_received;
    sum->most_open = sum->most_open > results->most_open ? sum->most_open : results->most_open;
    for (int end = 0; end < CROWD_END_COUNT; end++)
        sum->ends[end] += results->ends[end];
}

static void print_phase(int number, const struct options *options, const struct phase *phase)
{
    const double seconds = options->seconds / PHASES;
    printf("phase %d: %" PRIu64 " requests, %" PRIu64 " answers (%.0f/s) on %" PRIu64 " connections, %.2f GB sent, "
           "%.2f GB received, %ld KiB of memory afterwards\n",
           number, phase->results.requests, phase->results.answers, (double)phase->results.answers / seconds,
           phase->results.opened, (double)phase->results.bytes_sent * 1e-9,
           (double)phase->results.bytes_received * 1e-9, phase->memory_kib);
    fflush(stdout);
}

/* ---- The end ---- */

/* The server that was started here. */
static void check_end(struct target *target, const struct target_levels *last)
{
    printf("peak memory: %ld KiB\n", target_peak_kib(target));
    const int status = target_stop(target);
    check(status == 0, "SIGTERM ended it with status 0: %d", status);
    /* the question for the levels was not yet counted in its own answer */
    const uint64_t expected = (uint64_t)(last->requests + 1);
    check(target->request_lines + (uint64_t)last->dropped == expected && target->broken_lines == 0,
          "the log has a line for each request: %" PRIu64 " lines and %" PRId64 " dropped for %" PRIu64
          " requests, %" PRIu64 " lines broken",
          target->request_lines, last->dropped, expected, target->broken_lines);
}

static struct options read_options(int argc, char **argv)
{
    struct options options = {
        .connections = 1000, .sources = 8, .seconds = 20, .seed = 1, .percent = 10, .slack_kib = 8192};
    for (int option; (option = getopt(argc, argv, "c:n:s:r:m:a:p:")) != -1;) {
        switch (option) {
        case 'c':
            options.connections = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'n':
            options.sources = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 's':
            options.seconds = strtod(optarg, NULL);
            break;
        case 'r':
            options.seed = strtoull(optarg, NULL, 10);
            break;
        case 'm':
            options.percent = strtod(optarg, NULL);
            options.slack_kib = 0;
            break;
        case 'a':
            options.port = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'p':
            options.pid = (pid_t)strtol(optarg, NULL, 10);
            break;
        default:
            fprintf(stderr, "soak [-c CONNECTIONS] [-n SOURCES] [-s SECONDS] [-r SEED] [-m PERCENT] [-a PORT [-p PID]] "
                            "[-- FLAG...]\n");
            exit(2);
        }
    }
    options.flags = argv + optind;
    return options;
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
    const struct options options = read_options(argc, argv);
    struct target target = {.port = options.port, .pid = options.pid};
    raise_limit_of_files();
    if (options.port == 0 && !target_start(&target, options.flags))
        return EXIT_FAILURE;
    struct pairs pairs = pairs_new(options.seed);
    printf("%zu pairs of requests and answers, %u connections, 2 phases of %.1f s, port %u\n", pairs.count,
           options.connections, options.seconds / PHASES, target.port);

    struct phase phases[PHASES];
    struct crowd_results all = {0};
    for (int i = 0; i < PHASES; i++) {
        phases[i] = run_phase(&options, &target, &pairs);
        print_phase(i + 1, &options, &phases[i]);
        add(&all, &phases[i].results);
    }
    printf("connections that ended:%s\n", phases[PHASES - 1].after.ended);
    check_answers(&all);
    check_clients(&options, &all);
    for (int i = 0; i < PHASES; i++)
        check_levels(i + 1, &phases[i]);
    check_memory(&options, phases);
    if (target.started)
        check_end(&target, &phases[PHASES - 1].after);
    pairs_free(&pairs);
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
