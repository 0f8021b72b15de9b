/* Writes the published test vectors, api/vectors/NAME.json, from the core's own results.
 *
 *   make-vectors NAME
 */
#include "make.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    void (*make)(void);
} files[] = {
    {"noise", make_noise},       {"gumbel_softmax", make_gumbel_softmax},
    {"softmax", make_softmax},   {"categorical", make_categorical},
    {"schedule", make_schedule}, {"vjp", make_vjp},
    {"streams", make_streams},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof(files) / sizeof(files[0]); i++)
        if (strcmp(argv[1], files[i].name) == 0) {
            files[i].make();
            return fflush(stdout) != 0 || ferror(stdout);
        }
    fputs("usage: make-vectors NAME, as in api/vectors/NAME.json\n", stderr);
    return 2;
}
