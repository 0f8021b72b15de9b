/* run [--at-once] [PART...]: runs all suites, or those of the parts that are named, one after the other or all at once;
 * CK_RUN_SUITE and CK_RUN_CASE choose one. An unknown name fails. Check's summary is the last line, or with --at-once
 * that of each suite. */
#include "lib/suite.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct suite_entry *suites;

void suite_register(struct suite_entry *entry)
{
    struct suite_entry **end = &suites;
    while (*end != NULL)
        end = &(*end)->next;
    *end = entry;
}

static bool is_part(const char *name)
{
    for (const struct suite_entry *entry = suites; entry != NULL; entry = entry->next)
        if (strcmp(entry->part, name) == 0)
            return true;
    return false;
}

static bool is_chosen(const char *part, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(part, argv[i]) == 0)
            return true;
    return argc == 1;
}

enum outcome { PASSED, FAILED, NOTHING_RUN };

static enum outcome run(SRunner *runner)
{
    srunner_run_all(runner, CK_NORMAL);
    const int count = srunner_ntests_run(runner), failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0 ? FAILED : count == 0 ? NOTHING_RUN : PASSED;
}

static enum outcome run_in_turn(int argc, char **argv)
{
    SRunner *runner = srunner_create(NULL);
    for (const struct suite_entry *entry = suites; entry != NULL; entry = entry->next)
        if (is_chosen(entry->part, argc, argv))
            srunner_add_suite(runner, entry->make());
    return run(runner);
}

/* ---- Suites at once ---- */

struct job {
    pid_t process;
    FILE *output;
};

static struct job begin(const struct suite_entry *entry)
{
    struct job job = {.output = tmpfile()};
    fflush(NULL); /* the child writes nothing that is not its own */
    if (job.output == NULL || (job.process = fork()) < 0) {
        perror("run");
        exit(EXIT_FAILURE);
    }
    if (job.process > 0)
        return job;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    dup2(fileno(job.output), STDOUT_FILENO);
    dup2(fileno(job.output), STDERR_FILENO);
    exit(run(srunner_create(entry->make())));
}

static enum outcome end(const struct job *job)
{
    int status;
    waitpid(job->process, &status, 0);
    const enum outcome outcome = WIFEXITED(status) ? (enum outcome)WEXITSTATUS(status) : FAILED;
    rewind(job->output);
    for (int byte; outcome != NOTHING_RUN && (byte = getc(job->output)) != EOF;)
        putchar(byte);
    fclose(job->output);
    return outcome;
}

static enum outcome run_at_once(int argc, char **argv)
{
    struct job jobs[256];
    size_t count = 0;
    bool ran = false, failed = false;
    for (const struct suite_entry *entry = suites; entry != NULL; entry = entry->next)
        if (is_chosen(entry->part, argc, argv)) {
            ck_assert_uint_lt(count, sizeof jobs / sizeof *jobs);
            jobs[count++] = begin(entry);
        }
    for (size_t i = 0; i < count; i++) {
        const enum outcome outcome = end(&jobs[i]);
        ran |= outcome != NOTHING_RUN;
        failed |= outcome != PASSED && outcome != NOTHING_RUN;
    }
    return failed ? FAILED : ran ? PASSED : NOTHING_RUN;
}

int main(int argc, char **argv)
{
    const bool at_once = argc > 1 && strcmp(argv[1], "--at-once") == 0;
    if (at_once)
        argc--, argv++;
    for (int i = 1; i < argc; i++)
        if (!is_part(argv[i])) {
            fprintf(stderr, "run: there is no part %s\n", argv[i]);
            return EXIT_FAILURE;
        }
    /* What these end has hung: a test that is slow on a busy machine, in instrumented code, is no fault. */
    setenv("CK_DEFAULT_TIMEOUT", "60", 0);
    setenv("CK_TIMEOUT_MULTIPLIER", "5", 0);
    const enum outcome outcome = at_once ? run_at_once(argc, argv) : run_in_turn(argc, argv);
    if (outcome == NOTHING_RUN)
        fprintf(stderr, "run: CK_RUN_SUITE and CK_RUN_CASE name no test\n");
    return outcome == PASSED ? EXIT_SUCCESS : EXIT_FAILURE;
}
