/* make stats: whether the noise, the samples and the draws have the distributions that they claim, on many draws.
 *
 *   run-stats [--draws N] [--threads N] [--quiet]      10^9 draws by default
 *
 * Seeds are fixed, so that a result is the same in every run: a failure is a fault, or one of the false alarms whose
 * rate stands beside each threshold (how often a true random source would pass it). */
#include "stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
    double draws, threads;
    bool quiet;
};

static void usage(void)
{
    fputs("usage: run-stats [--draws N] [--threads N] [--quiet]\n", stderr);
    exit(2);
}

static double number_of(const char *text, double most)
{
    char *end;
    double value = text != NULL ? strtod(text, &end) : 0;
    if (text == NULL || *end != '\0' || !(value >= 1 && value <= most))
        usage();
    return value;
}

static struct options options_of(char **argv)
{
    struct options options = {1e9, 4, false};
    for (char **at = argv + 1; *at != NULL; at++)
        if (strcmp(*at, "--draws") == 0)
            options.draws = number_of(*++at, 1e12);
        else if (strcmp(*at, "--threads") == 0)
            options.threads = number_of(*++at, 256);
        else if (strcmp(*at, "--quiet") == 0)
            options.quiet = true;
        else
            usage();
    return options;
}

int main(int argc, char **argv)
{
    (void)argc;
    const struct options options = options_of(argv);
    work_threads((size_t)options.threads);
    if (options.quiet)
        checks_quiet();
    else
        printf("%.3g draws for the noise, a tenth for each other test; %s\n%-58s%12s%12s%10s\n", options.draws,
               core_isa_name(core_selected()), "test", "statistic", "threshold", "false");
    test_noise(options.draws);
    test_independence(options.draws / 10);
    test_samples(options.draws / 10);
    test_categorical(options.draws / 10);
    int passed = checks_done(false), failed = checks_done(true);
    if (!options.quiet)
        printf("counts: in standard deviations, or -log10 P of both tails of Poisson's where fewer than 1000 are "
               "expected\na true source fails any of the %d checks with probability %.1e\n",
               passed + failed, (passed + failed) * FALSE_ALARM);
    printf("stats: %.3g draws: %d passed, %d failed\n", options.draws, passed, failed);
    return failed > 0;
}
