/* Why the core has refused a row: what of its logits, mask and bias it was, so that the problem says what to mend. */
#include "call/call.h"

#include <math.h>
#include <stdio.h>

/* ---- Places ---- */

/* The pointer to a row of an array in the shape of the logits, down to the class axis. */
static void locate_row(const struct api_call *call, enum api_parameter_id array, size_t row, char *pointer, size_t size)
{
    size_t used = (size_t)snprintf(pointer, size, "/%s", api_parameters[array].name);
    size_t rest = call->rows;
    for (size_t axis = 0; axis < call->axis && used < size; axis++) {
        rest /= call->shape[axis];
        used += (size_t)snprintf(pointer + used, size - used, "/%zu", row / rest);
        row %= rest;
    }
}

static void locate_mask(const struct api_call *call, size_t row, char *pointer, size_t size)
{
    if (call->mask_is_row)
        snprintf(pointer, size, "/%s", api_parameters[API_MASK].name);
    else
        locate_row(call, API_MASK, row, pointer, size);
}

/* ---- Classes ---- */

enum fault {
    FAULT_NAN,
    FAULT_INFINITE,
    FAULT_TOO_GREAT, /* the logit and its bias together */
    FAULT_TOO_SMALL,
    FAULT_IMPOSSIBLE, /* -inf by itself */
    FAULT_MASKED,
    FAULT_FORBIDDEN, /* by a bias of -inf */
    FAULT_COUNT
};

/* How many of a row's classes have each fault, and the first of them. */
struct tally {
    size_t count[FAULT_COUNT], first[FAULT_COUNT];
};

static double logit_at(const struct api_call *call, size_t at)
{
    return call->dtype == CORE_FLOAT64 ? ((const double *)call->logits)[at] : (double)((const float *)call->logits)[at];
}

double call_biased(const struct api_call *call, double logit, double bias)
{
    return call->dtype == CORE_FLOAT64 ? logit + bias : (double)((float)logit + (float)bias);
}

/* FAULT_COUNT where the class is possible, but for a bias that is a number. */
static enum fault fault_of(const struct api_call *call, size_t class, size_t at)
{
    const double logit = logit_at(call, at);
    if (call->mask != NULL && call->mask[call->mask_stride != 0 ? at : class] == 0)
        return FAULT_MASKED;
    if (isnan(logit) || isinf(logit))
        return isnan(logit) ? FAULT_NAN : logit > 0 ? FAULT_INFINITE : FAULT_IMPOSSIBLE;
    return call->bias.forbidden != NULL && call->bias.forbidden[class] != 0 ? FAULT_FORBIDDEN : FAULT_COUNT;
}

static void count(struct tally *tally, enum fault fault, size_t class)
{
    if (fault < FAULT_COUNT && tally->count[fault]++ == 0)
        tally->first[fault] = class;
}

static struct tally tally_of(const struct api_call *call, size_t row)
{
    struct tally tally = {.count = {0}};
    const struct call_row of = call_row_of_logits(call, row);
    for (size_t class = 0; class < of.length; class ++)
        count(&tally, fault_of(call, class, of.start + class * of.step), class);
    for (size_t i = 0; i < call->bias.count; i++) {
        const size_t class = call->bias.classes[i], at = of.start + class * of.step;
        const double sum = call_biased(call, logit_at(call, at), call->bias.values[i]);
        if (isinf(sum) && fault_of(call, class, at) == FAULT_COUNT)
            count(&tally, sum > 0 ? FAULT_TOO_GREAT : FAULT_TOO_SMALL, class);
    }
    return tally;
}

/* ---- Problems ---- */

#define ON_INVALID "; on_invalid gives such rows an answer"

static void fail_logit(const struct api_call *call, size_t row, const char *what, size_t class,
                       struct api_problem *problem)
{
    char pointer[256];
    locate_row(call, API_LOGITS, row, pointer, sizeof pointer);
    api_fail(problem, API_INVALID_ROW, pointer, API_NO_OFFSET, "row %zu holds %s, as the logit of class %zu", row, what,
             class);
}

static void fail_overflow(const struct api_call *call, size_t row, size_t class, struct api_problem *problem)
{
    char pointer[256];
    snprintf(pointer, sizeof pointer, "/%s/%zu", api_parameters[API_LOGIT_BIAS].name, class);
    api_fail(problem, API_INVALID_ROW, pointer, API_NO_OFFSET,
             "row %zu: the logit of class %zu and its bias are together beyond the range of %s", row, class,
             api_dtypes[call->dtype == CORE_FLOAT64 ? API_FLOAT64 : API_FLOAT32].name);
}

/* What leaves a row nothing but -inf. */
static const char *emptier(bool masked, bool forbidden)
{
    if (masked && forbidden)
        return "mask and logit_bias leave";
    return masked ? "mask leaves" : "logit_bias leaves";
}

static void fail_empty(const struct api_call *call, size_t row, const struct tally *tally, struct api_problem *problem)
{
    char pointer[256];
    const bool masked = tally->count[FAULT_MASKED] > 0, forbidden = tally->count[FAULT_FORBIDDEN] > 0;
    if (masked)
        locate_mask(call, row, pointer, sizeof pointer);
    else if (forbidden)
        snprintf(pointer, sizeof pointer, "/%s", api_parameters[API_LOGIT_BIAS].name);
    else
        locate_row(call, API_LOGITS, row, pointer, sizeof pointer);
    if (masked || forbidden)
        api_fail(problem, API_INVALID_ROW, pointer, API_NO_OFFSET, "row %zu: %s no class%s%s", row,
                 emptier(masked, forbidden), tally->count[FAULT_IMPOSSIBLE] > 0 ? " whose logit is above -inf" : "",
                 ON_INVALID);
    else
        api_fail(problem, API_INVALID_ROW, pointer, API_NO_OFFSET, "row %zu holds nothing but -inf%s", row, ON_INVALID);
}

void call_fail_row(const struct api_call *call, size_t row, struct api_problem *problem)
{
    const struct tally faults = tally_of(call, row);
    if (faults.count[FAULT_NAN] > 0)
        fail_logit(call, row, "NaN", faults.first[FAULT_NAN], problem);
    else if (faults.count[FAULT_INFINITE] > 0)
        fail_logit(call, row, "+inf", faults.first[FAULT_INFINITE], problem);
    else if (faults.count[FAULT_TOO_GREAT] > 0)
        fail_overflow(call, row, faults.first[FAULT_TOO_GREAT], problem);
    else if (faults.count[FAULT_TOO_SMALL] > 0)
        fail_overflow(call, row, faults.first[FAULT_TOO_SMALL], problem);
    else
        fail_empty(call, row, &faults, problem);
}

void call_fail_few(const struct api_call *call, size_t row, struct api_problem *problem)
{
    char pointer[256];
    locate_row(call, API_LOGITS, row, pointer, sizeof pointer);
    api_fail(problem, API_TOO_FEW_CLASSES, pointer, API_NO_OFFSET,
             "row %zu has fewer possible classes than %zu draws without replacement", row, call->draws);
}
