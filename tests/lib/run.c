/* Runs all suites, or those of the parts that are named; CK_RUN_SUITE and CK_RUN_CASE choose one. A name that is none
 * fails. Ends in Check's own summary. */
#include "lib/suite.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!is_part(argv[i])) {
            fprintf(stderr, "%s: there is no part %s\n", argv[0], argv[i]);
            return EXIT_FAILURE;
        }
    /* What these end has hung: a test that is slow on a machine that does much else, in instrumented code, is no fault.
     */
    setenv("CK_DEFAULT_TIMEOUT", "60", 0);
    setenv("CK_TIMEOUT_MULTIPLIER", "5", 0);
    SRunner *runner = srunner_create(NULL);
    for (const struct suite_entry *entry = suites; entry != NULL; entry = entry->next)
        if (is_chosen(entry->part, argc, argv))
            srunner_add_suite(runner, entry->make());
    srunner_run_all(runner, CK_NORMAL);
    const int run = srunner_ntests_run(runner), failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    if (run == 0)
        fprintf(stderr, "%s: CK_RUN_SUITE and CK_RUN_CASE name no test\n", argv[0]);
    return failed == 0 && run > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
