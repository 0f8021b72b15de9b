/* api/vectors/schedule.json */
#include "make.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char about[] =
    "tau after `step` steps of a schedule, with p = min(step / steps, 1): exponential max(start exp(-rate step), min); "
    "linear start + (min - start) p; cosine min + (start - min) (1 + cos(pi p)) / 2. From step = steps on linear and "
    "cosine are min, exactly. All in float64: tau within 1e-12.";

static const double steps_taken[] = {0, 1, 250, 500, 999, 1000, 5000};

static const struct core_schedule schedules[] = {
    {.kind = CORE_SCHEDULE_EXPONENTIAL, .start = 1, .min = 0.5, .rate = 1e-3},
    {.kind = CORE_SCHEDULE_EXPONENTIAL, .start = 5, .min = 0, .rate = 0.03125},
    {.kind = CORE_SCHEDULE_LINEAR, .start = 1, .min = 0.1, .steps = 1000},
    {.kind = CORE_SCHEDULE_LINEAR, .start = 0.25, .min = 2, .steps = 750}, /* it may rise */
    {.kind = CORE_SCHEDULE_COSINE, .start = 1, .min = 0.1, .steps = 1000},
    {.kind = CORE_SCHEDULE_COSINE, .start = 3, .min = 0, .steps = 2000},
};

static void make_one(struct core_schedule schedule)
{
    static const char *const kinds[] = {"exponential", "linear", "cosine"};
    double tau[COUNT(steps_taken)];
    bool rated = schedule.kind == CORE_SCHEDULE_EXPONENTIAL;
    for (size_t i = 0; i < COUNT(steps_taken); i++) {
        schedule.step = steps_taken[i];
        tau[i] = core_schedule(&schedule);
    }
    printf("    {\n      \"schedule\": \"%s\", \"start\": %.17g, \"min\": %.17g, \"%s\": %.17g,\n",
           kinds[schedule.kind], schedule.start, schedule.min, rated ? "rate" : "steps",
           rated ? schedule.rate : schedule.steps);
    print_numbers("step", CORE_FLOAT64, steps_taken, COUNT(steps_taken), ",");
    print_numbers("tau", CORE_FLOAT64, tau, COUNT(tau), "");
}

void make_schedule(void)
{
    printf("{\n  \"rng\": \"v1\",\n  \"about\": \"%s\",\n  \"schedules\": [\n", about);
    for (size_t i = 0; i < COUNT(schedules); i++) {
        make_one(schedules[i]);
        puts(brace(i, COUNT(schedules)));
    }
    puts("  ]\n}");
}
