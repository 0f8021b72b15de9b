/* Schedules of tau. */
#include "core.h"
#include "float_environment.h"
#include "math/scalar.h"

/* t = step / steps, at most 1. */
static double progress(const struct core_schedule *schedule)
{
    return schedule->step < schedule->steps ? schedule->step / schedule->steps : 1;
}

/* The weight of `start`: (1 + cos(pi p)) / 2 = cos^2(pi p / 2) = sin^2(pi (1 - p) / 2), each where its
 * argument is at most pi / 4. */
static double cosine_weight(double p)
{
    const double half_pi = 0x1.921fb54442d18p0;
    double s = scalar_sin(half_pi * (p <= 0.5 ? p : 1 - p));
    return p <= 0.5 ? 1 - s * s : s * s;
}

static double exponential_tau(const struct core_schedule *schedule)
{
    double tau = schedule->start * scalar_exp(-schedule->rate * schedule->step);
    return tau > schedule->min ? tau : schedule->min;
}

/* `weight` is that of `start`. */
static double interpolated_tau(const struct core_schedule *schedule, double weight)
{
    return weight * schedule->start + (1 - weight) * schedule->min;
}

/* Not inlined: its arithmetic must stay inside the environment that core_schedule sets. */
static __attribute__((noinline)) double tau_of(const struct core_schedule *schedule)
{
    switch (schedule->kind) {
    case CORE_SCHEDULE_EXPONENTIAL:
        return exponential_tau(schedule);
    case CORE_SCHEDULE_LINEAR:
        return interpolated_tau(schedule, 1 - progress(schedule));
    default:
        return interpolated_tau(schedule, cosine_weight(progress(schedule)));
    }
}

double core_schedule(const struct core_schedule *schedule)
{
    FLOAT_ENVIRONMENT_SCOPE();
    return tau_of(schedule);
}
