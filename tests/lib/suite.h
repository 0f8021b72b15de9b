/* Suites that say themselves which part they belong to: TEST_SUITE("api") { ...; return suite; } is all it takes. */
#ifndef TESTS_LIB_SUITE_H
#define TESTS_LIB_SUITE_H

#include "lib/assertions.h"

struct suite_entry {
    const char *part; /* core, core-float64, api, server, server-time (which measures time) or memory */
    Suite *(*make)(void);
    struct suite_entry *next;
};

/* Adds it to those that tests/run knows. */
void suite_register(struct suite_entry *entry);

/* Begins the function that makes the file's suite. */
#define TEST_SUITE(of)                                                                                                 \
    static Suite *make_suite(void);                                                                                    \
    __attribute__((constructor)) static void register_suite(void)                                                      \
    {                                                                                                                  \
        static struct suite_entry entry = {.part = (of), .make = make_suite};                                          \
        suite_register(&entry);                                                                                        \
    }                                                                                                                  \
    static Suite *make_suite(void)

#endif
