/* libFuzzer's entry to api_answer. */
#include "api.h"
#include "gates/fuzz/one.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    api_init();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length)
{
    const char *what = fuzz_one(input, length);
    if (what == NULL)
        return 0;
    fprintf(stderr, "fuzz_api: %s\n", what);
    abort();
}
