/* How a call is computed in parts: stages one after another, of parts that do not depend on each other.
 *
 * A part is a block of rows, with all of their draws where these are few enough. Where they are not, a part is of some
 * of the draws: of those that do not depend on each other in one stage, of others in a stage each; and if already the
 * conditional samples of one draw are too many, of some of these. What `on_invalid` asks for has stages of its own
 * then, before and after. A stage before all others finds places in torch's stream. */
#ifndef API_CALL_PLAN_H
#define API_CALL_PLAN_H

#include "call/call.h"

#include <stdatomic.h>

enum call_stage { CALL_BEGIN, CALL_STREAM, CALL_REPLACE, CALL_COMPUTE, CALL_MARK, CALL_END };

struct call_plan {
    const struct api_call *call;
    size_t first, count;                   /* rows */
    size_t block, draws, samples;          /* of a part: rows, draws of each; conditional samples, if it is divided */
    bool divided;                          /* a part is of fewer than all draws, or all conditional samples */
    enum call_stage stage;                 /* that is being done, of these draws and conditional samples: */
    size_t draw, draw_end, sample, groups; /* the draws are in so many groups, each a part of its block */
    uint8_t *marks;                        /* one a row; NULL if all marks are a part's own */
    void *sums;                            /* of conditional samples, between stages; or NULL */
    _Atomic uint64_t failure;              /* see fail in plan.c */
};

/* The rows first .. first+count-1, in parts of about `numbers`. */
void call_plan_open(struct call_plan *plan, const struct api_call *call, size_t first, size_t count, size_t numbers);

/* When all parts of the stage before are done: begins the next one and returns of how many parts it is; 0 if all is
 * computed, or a part has failed: *problem is then the one of the lowest row, whatever the order of the parts was, and
 * *failed is set. */
size_t call_plan_next(struct call_plan *plan, bool *failed, struct api_problem *problem);

/* Does one part of the stage, on any thread: nothing, once one of lower rows has failed. */
void call_plan_part(struct call_plan *plan, size_t part);

void call_plan_close(struct call_plan *plan);

/* All of it; -1 and *problem if it has failed. */
int call_plan_run(struct call_plan *plan, struct api_problem *problem);

#endif
