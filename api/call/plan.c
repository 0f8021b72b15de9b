#include "call/plan.h"
#include "sampling.h"

enum { ROW_GROUP = 16 /* short rows are computed side by side in groups of this many */ };

/* ---- Failures ---- */

/* The lowest row counts: a row that has no answer is 2 row + 1, or + 2 if it has too few classes. Without memory
 * nothing can be said of any row. */
enum { FAILED_MEMORY, FAILED_ROW };

#define FAILED_NOWHERE UINT64_MAX

static void fail(struct call_plan *plan, uint64_t failure)
{
    uint64_t lowest = atomic_load_explicit(&plan->failure, memory_order_relaxed);
    while (failure < lowest && !atomic_compare_exchange_weak_explicit(&plan->failure, &lowest, failure,
                                                                      memory_order_relaxed, memory_order_relaxed))
        ;
}

static void fail_row(struct call_plan *plan, int status, size_t row)
{
    fail(plan, FAILED_ROW + 2 * (uint64_t)row + (status == CORE_TOO_FEW_CLASSES));
}

/* Whether what has failed decides, whatever rows from `row` on give. */
static bool is_decided(const struct call_plan *plan, size_t row)
{
    return atomic_load_explicit(&plan->failure, memory_order_relaxed) < FAILED_ROW + 2 * (uint64_t)row;
}

static void put_problem(const struct api_call *call, uint64_t failure, struct api_problem *problem)
{
    const size_t row = (size_t)((failure - FAILED_ROW) / 2);
    if (failure == FAILED_MEMORY)
        api_fail(problem, API_OUT_OF_MEMORY, "", API_NO_OFFSET, "no memory to compute with");
    else if ((failure - FAILED_ROW) % 2 != 0)
        call_fail_few(call, row, problem);
    else
        call_fail_row(call, row, problem);
}

/* ---- What a part is ---- */

static enum api_division division_of(const struct api_call *call)
{
    return call_walks_rows(call) ? API_TOGETHER : call->function->divide(call);
}

/* Classes of so few are computed side by side, a lane for each of ROW_GROUP rows, whether there are as many or not. */
static bool has_short_rows(const struct api_call *call)
{
    return call->classes < CORE_SHORT_CLASSES;
}

/* How many rows should be together where one would do: a short one takes as long by itself, strided ones lie in the
 * same lines of the cache. */
static size_t least_rows(const struct api_call *call, size_t numbers)
{
    const bool strided = call->inner > 1 && call->classes <= numbers / (ROW_GROUP / 4);
    return has_short_rows(call) || strided ? ROW_GROUP : 1;
}

/* Preparing a row for its draws takes as long as going some times through its logits. */
static size_t least_draws(const struct api_call *call)
{
    enum { PASSES_WORTH_PREPARING = 8 };
    const bool prepares = division_of(call) == API_APART;
    return prepares ? PASSES_WORTH_PREPARING * call->classes / call->draw_work : 1;
}

static size_t at_least(size_t least, size_t number)
{
    return number > least ? number : least;
}

static void divide_draws(struct call_plan *plan, size_t numbers)
{
    const struct api_call *call = plan->call;
    const size_t passes = call->passes;
    plan->divided = true;
    plan->samples = passes;
    plan->block = least_rows(call, numbers);
    plan->draws = at_least(least_draws(call), numbers / (plan->block * call->draw_work));
    if (plan->draws > call->draws)
        plan->draws = call->draws;
    if (division_of(call) == API_IN_ORDER)
        plan->samples = at_least(1, numbers / (plan->block * call->classes));
    if (plan->samples > passes)
        plan->samples = passes;
}

static void divide(struct call_plan *plan, size_t numbers)
{
    const struct api_call *call = plan->call;
    const size_t rows = numbers / (call->work / call->rows), least = least_rows(call, numbers);
    plan->block = rows < ROW_GROUP ? at_least(least, rows) : rows / ROW_GROUP * ROW_GROUP;
    if (rows < least && division_of(call) != API_TOGETHER)
        divide_draws(plan, numbers);
}

/* Numbers of double precision take twice as long. What is a part even if its rows leave most lanes idle needs no
 * thought. */
void call_plan_open(struct call_plan *plan, const struct api_call *call, size_t first, size_t count, size_t numbers)
{
    plan->call = call;
    plan->first = first;
    plan->count = plan->block = count;
    plan->draws = call->draws;
    plan->divided = false;
    plan->stage = count > 0 ? CALL_BEGIN : CALL_END;
    plan->marks = NULL;
    plan->sums = NULL;
    atomic_init(&plan->failure, FAILED_NOWHERE);
    numbers = call->dtype == CORE_FLOAT64 ? at_least(1, numbers / 2) : numbers;
    if (call->work > numbers / ROW_GROUP)
        divide(plan, numbers);
}

void call_plan_close(struct call_plan *plan)
{
    api_free(plan->marks);
    api_free(plan->sums);
    plan->marks = plan->sums = NULL;
}

/* ---- Stages ---- */

static size_t count_parts(size_t count, size_t part)
{
    return (count + part - 1) / part;
}

/* The stage of the draws from `draw` up to `end`. */
static size_t begin(struct call_plan *plan, enum call_stage stage, size_t draw, size_t end)
{
    plan->stage = stage;
    plan->draw = draw;
    plan->draw_end = end;
    plan->groups = stage == CALL_REPLACE ? 1 : count_parts(end - draw, plan->draws);
    return count_parts(plan->count, plan->block) * plan->groups;
}

/* What the parts of a divided plan share. */
static bool allocate(struct call_plan *plan)
{
    const struct api_call *call = plan->call;
    if (call_replaces_invalid(call) && (plan->marks = api_malloc(plan->count)) == NULL)
        return false;
    if (plan->samples == call->passes)
        return true;
    plan->sums = api_malloc(plan->count * call_sums_bytes(call));
    return plan->sums != NULL;
}

/* The draws of the stage of which `draw` is the first. */
static size_t end_of_stage(const struct call_plan *plan, size_t draw)
{
    const size_t draws = plan->call->draws;
    switch (division_of(plan->call)) {
    case API_IN_ORDER:
        return draw + plan->draws < draws ? draw + plan->draws : draws;
    case API_APART_THEN_LAST:
        return draw + 1 < draws ? draws - 1 : draws;
    default:
        return draws;
    }
}

static size_t begin_computing(struct call_plan *plan, size_t draw)
{
    if (draw == plan->call->draws)
        return plan->marks != NULL ? begin(plan, CALL_MARK, 0, draw) : 0;
    plan->sample = 0;
    return begin(plan, CALL_COMPUTE, draw, end_of_stage(plan, draw));
}

static size_t next_stage(struct call_plan *plan)
{
    if (plan->stage == CALL_MARK || plan->stage == CALL_END)
        return 0;
    if (plan->stage == CALL_BEGIN && plan->call->stream != NULL && !plan->call->stream->filled) {
        plan->stage = CALL_STREAM;
        return 1;
    }
    const bool begins = plan->stage == CALL_BEGIN || plan->stage == CALL_STREAM;
    if (!plan->divided)
        return begins ? begin(plan, CALL_COMPUTE, 0, plan->call->draws) : 0;
    if (begins && plan->marks != NULL)
        return begin(plan, CALL_REPLACE, 0, plan->call->draws);
    if (plan->stage != CALL_COMPUTE)
        return begin_computing(plan, 0);
    plan->sample += plan->samples;
    return plan->sums != NULL && plan->sample < plan->call->passes
               ? begin(plan, CALL_COMPUTE, plan->draw, plan->draw_end)
               : begin_computing(plan, plan->draw_end);
}

size_t call_plan_next(struct call_plan *plan, bool *failed, struct api_problem *problem)
{
    if (plan->stage == CALL_BEGIN && plan->divided && !allocate(plan))
        fail(plan, FAILED_MEMORY);
    const uint64_t failure = atomic_load(&plan->failure);
    *failed = failure != FAILED_NOWHERE;
    const size_t parts = *failed ? 0 : next_stage(plan);
    if (*failed)
        put_problem(plan->call, failure, problem);
    if (parts == 0)
        plan->stage = CALL_END;
    return parts;
}

/* ---- Parts ---- */

static size_t lesser(size_t a, size_t b)
{
    return a < b ? a : b;
}

static struct call_range range_of(const struct call_plan *plan, size_t part)
{
    const size_t block = part / plan->groups * plan->block, draw = plan->draw + part % plan->groups * plan->draws;
    struct call_range range = {.first = plan->first + block,
                               .count = lesser(plan->block, plan->count - block),
                               .draw = draw,
                               .draws = lesser(plan->draws, plan->draw_end - draw)};
    if (plan->sums == NULL)
        return range;
    range.sums = (char *)plan->sums + block * call_sums_bytes(plan->call);
    range.sample = plan->sample;
    range.samples = lesser(plan->samples, plan->call->passes - plan->sample);
    return range;
}

static int compute_range(const struct api_call *call, const struct call_range *range, const uint8_t *marks,
                         void *scratch, size_t *row)
{
    return marks != NULL ? call_compute_replaced(call, range, marks, scratch, row)
                         : call->function->compute(call, range, scratch, row);
}

/* One row after another. */
static int compute_rows(const struct api_call *call, const struct call_range *range, const uint8_t *marks,
                        void *scratch, size_t *row)
{
    struct call_range one = *range;
    one.count = 1;
    int status = CORE_OK;
    for (size_t i = 0; i < range->count && status == CORE_OK; i++) {
        one.first = range->first + i;
        status = compute_range(call, &one, marks != NULL ? marks + i : NULL, scratch, row);
    }
    return status;
}

/* The marks are those of the range's rows, or NULL. */
static void compute(struct call_plan *plan, const struct call_range *range, const uint8_t *marks)
{
    size_t row;
    const struct api_call *call = plan->call;
    const size_t bytes = call->function->scratch(call);
    void *scratch = bytes > 0 ? api_malloc(bytes) : NULL;
    if (bytes > 0 && scratch == NULL) {
        fail(plan, FAILED_MEMORY);
        return;
    }
    struct core_mt_cursor cursor;
    struct call_range own = *range;
    own.cursor = &cursor;
    cursor.made = 0;
    const int status = (call_walks_rows(call) ? compute_rows : compute_range)(call, &own, marks, scratch, &row);
    if (status != CORE_OK)
        fail_row(plan, status, row);
    api_free(scratch);
}

/* Of rows whose draws are all in one part: their marks are its own. */
static void compute_marked(struct call_plan *plan, const struct call_range *range)
{
    uint8_t *marks = api_malloc(range->count);
    if (marks == NULL) {
        fail(plan, FAILED_MEMORY);
        return;
    }
    call_replace_invalid(plan->call, range->first, range->count, marks);
    compute(plan, range, marks);
    call_mark_invalid(plan->call, range, marks);
    api_free(marks);
}

/* Whether it did what the stage is for. */
static bool fill_stream(const struct call_plan *plan)
{
    struct call_stream *stream = plan->call->stream;
    if (plan->stage != CALL_STREAM)
        return false;
    core_mt_fill(&stream->table, (uint64_t)plan->call->values[API_SEED].one.integer);
    stream->filled = true;
    return true;
}

void call_plan_part(struct call_plan *plan, size_t part)
{
    if (fill_stream(plan))
        return;
    const struct call_range range = range_of(plan, part);
    uint8_t *marks = plan->marks != NULL ? plan->marks + (range.first - plan->first) : NULL;
    if (is_decided(plan, range.first))
        return;
    if (plan->stage == CALL_REPLACE)
        call_replace_invalid(plan->call, range.first, range.count, marks);
    else if (plan->stage == CALL_MARK)
        call_mark_invalid(plan->call, &range, marks);
    else if (!plan->divided && call_replaces_invalid(plan->call))
        compute_marked(plan, &range);
    else
        compute(plan, &range, marks);
}

int call_plan_run(struct call_plan *plan, struct api_problem *problem)
{
    bool failed;
    for (size_t parts; (parts = call_plan_next(plan, &failed, problem)) > 0;)
        for (size_t part = 0; part < parts; part++)
            call_plan_part(plan, part);
    return failed ? -1 : 0;
}

int api_compute(const struct api_call *call, size_t first, size_t count, struct api_problem *problem)
{
    struct call_plan plan;
    call_plan_open(&plan, call, first, count, API_PART_NUMBERS);
    const int result = call_plan_run(&plan, problem);
    call_plan_close(&plan);
    return result;
}
