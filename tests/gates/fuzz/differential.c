/* The differential fuzzer: generated documents through both readings. A document on which they differ becomes a file
 * under tests/gates/fuzz/regression, which the ordinary test run replays. */
#include "gates/fuzz/compare.h"
#include "gates/fuzz/generate.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_PROCESSES 64

struct options {
    uint64_t documents, seed, processes;
};

static const char usage[] = "usage: differential [--documents N] [--seed N] [--processes 1..64]\n";

static int read_options(int argc, char **argv, struct options *options)
{
    const struct {
        const char *name;
        uint64_t *value;
    } known[] = {
        {"--documents", &options->documents}, {"--seed", &options->seed}, {"--processes", &options->processes}};
    for (int i = 1; i < argc; i += 2) {
        size_t k = 0;
        while (k < 3 && strcmp(argv[i], known[k].name) != 0)
            k++;
        char *end = NULL;
        if (k < 3 && i + 1 < argc)
            *known[k].value = strtoull(argv[i + 1], &end, 10);
        if (end == NULL || *end != '\0')
            return -1;
    }
    return options->processes > 0 && options->processes <= MAX_PROCESSES ? 0 : -1;
}

static void report(const char *what, uint64_t seed, const char *text, size_t length)
{
    char path[64];
    snprintf(path, sizeof path, "tests/gates/fuzz/regression/%016" PRIx64 ".json", seed);
    FILE *file = fopen(path, "wb");
    if (file != NULL) {
        fwrite(text, 1, length, file);
        fclose(file);
    }
    printf("%s: %s: %.*s\n", path, what, (int)length, text);
}

/* Document number i has the seed `first` + i, which `*at` keeps for the parent. Returns the exit status. */
static int try_documents(uint64_t first, uint64_t count, uint64_t *at)
{
    int findings = 0;
    for (uint64_t i = 0; i < count && findings < 10; i++) {
        *at = first + i;
        struct random random = {*at};
        char text[GENERATE_MAX_BYTES];
        const size_t length = generate_document(&random, text);
        const char *what = compare_readers(text, length);
        if (what != NULL) {
            report(what, first + i, text, length);
            findings++;
        }
    }
    return findings > 0;
}

/* Waits for every child; the document at which one died by a signal is a finding too. Returns how many failed. */
static int wait_for(const pid_t *children, const uint64_t *at, uint64_t count)
{
    int failed = 0;
    for (uint64_t i = 0; i < count; i++) {
        int status = -1;
        waitpid(children[i], &status, 0);
        failed += status != 0;
        if (WIFSIGNALED(status)) {
            struct random random = {at[i]};
            char text[GENERATE_MAX_BYTES];
            report(strsignal(WTERMSIG(status)), at[i], text, generate_document(&random, text));
        }
    }
    return failed;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
    struct options options = {.documents = 1000000, .seed = 1, .processes = 1};
    if (read_options(argc, argv, &options) != 0) {
        fputs(usage, stderr);
        return 2;
    }
    const double begin = seconds();
    const uint64_t share = options.documents / options.processes;
    uint64_t *at = mmap(NULL, MAX_PROCESSES * sizeof *at, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    json_object_seed(1);
    pid_t children[MAX_PROCESSES];
    for (uint64_t i = 0; i < options.processes; i++) {
        children[i] = fork();
        if (children[i] == 0)
            exit(try_documents((options.seed << 40) + i * share, share, at + i));
    }
    const int failed = wait_for(children, at, options.processes);
    const double elapsed = seconds() - begin;
    printf("%" PRIu64 " documents in %.1f s, %.0f a second: %s\n", share * options.processes, elapsed,
           (double)(share * options.processes) / elapsed, failed ? "FINDINGS" : "no difference");
    return failed;
}
