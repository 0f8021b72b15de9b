/* The penalties of core_categorical: a penalized row gives what the row gives whose logits were changed beforehand, as
 * vLLM and transformers change them: by dense counts. */
#include "lib/suite.h"
#include "sampling_problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 5, MOST_CLASSES = 300, LONGEST = 40, DRAWS = 3, TOP = 4 };

/* Ragged lists, as the core takes them, and how often each class is in them. */
struct lists {
    struct core_class_count entries[ROWS * LONGEST];
    size_t first[ROWS + 1];
    uint32_t counts[ROWS][MOST_CLASSES];
};

static void fill_lists(struct lists *lists, size_t classes, struct inputs *inputs)
{
    size_t count = 0;
    memset(lists, 0, sizeof(*lists));
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t i = inputs_below(inputs, LONGEST + 1); i > 0; i--)
            lists->counts[r][inputs_below(inputs, classes)]++;
        for (size_t j = 0; j < classes; j++)
            if (lists->counts[r][j] > 0)
                lists->entries[count++] = (struct core_class_count){(uint32_t)j, lists->counts[r][j]};
        lists->first[r + 1] = count;
    }
}

/* One of the lists for all rows, or one a row. */
static struct core_class_lists given(const struct lists *lists, bool per_row)
{
    return (struct core_class_lists){lists->entries, lists->first, per_row};
}

static double limited(double x, enum core_dtype dtype)
{
    const double most = dtype == CORE_FLOAT64 ? 0x1.fffffffffffffp1023 : 0x1.fffffep127;
    x = fmax(fmin(x, most), -most);
    return dtype == CORE_FLOAT64 ? x : (double)(float)x; /* single operations round as floats do */
}

static double penalized(enum core_dtype dtype, double x, const double penalties[3], uint32_t prompt, uint32_t output)
{
    if (isinf(x) || prompt + output == 0)
        return x;
    x = limited(x > 0 ? x / penalties[0] : x * penalties[0], dtype);
    x = limited(x - limited(penalties[2] * output, dtype), dtype);
    return output > 0 ? limited(x - penalties[1], dtype) : x;
}

struct problem {
    struct lists prompt, output;
    bool prompt_per_row, output_per_row, penalties_per_row;
    double repetition[ROWS], presence[ROWS], frequency[ROWS];
};

static void fill_problem(struct problem *problem, size_t classes, struct inputs *inputs)
{
    static const double repetitions[] = {1, 1.25, 2, 0.5}, others[] = {0, 0.5, -0.25, 2};
    fill_lists(&problem->prompt, classes, inputs);
    fill_lists(&problem->output, classes, inputs);
    problem->prompt_per_row = inputs_below(inputs, 2) != 0;
    problem->output_per_row = inputs_below(inputs, 2) != 0;
    problem->penalties_per_row = inputs_below(inputs, 2) != 0;
    for (size_t r = 0; r < ROWS; r++) {
        problem->repetition[r] = repetitions[inputs_below(inputs, 4)];
        problem->presence[r] = others[inputs_below(inputs, 4)];
        problem->frequency[r] = others[inputs_below(inputs, 4)];
    }
}

static struct core_penalties penalties_of(const struct problem *p)
{
    return (struct core_penalties){.prompt = given(&p->prompt, p->prompt_per_row),
                                   .output = given(&p->output, p->output_per_row),
                                   .repetition = {p->repetition, p->penalties_per_row},
                                   .presence = {p->presence, p->penalties_per_row},
                                   .frequency = {p->frequency, p->penalties_per_row}};
}

/* Changes the logits, of which class j of row r is element (r / inner * classes + j) * inner + r % inner. */
static void change(const struct problem *p, enum core_dtype dtype, void *logits, size_t classes, size_t inner)
{
    for (size_t r = 0; r < ROWS; r++)
        for (size_t j = 0; j < classes; j++) {
            const size_t one = p->penalties_per_row ? r : 0, at = (r / inner * classes + j) * inner + r % inner;
            const double penalties[] = {p->repetition[one], p->presence[one], p->frequency[one]};
            number_put(dtype, logits, at,
                       penalized(dtype, number_at(dtype, logits, at), penalties,
                                 p->prompt.counts[p->prompt_per_row ? r : 0][j],
                                 p->output.counts[p->output_per_row ? r : 0][j]));
        }
}

static void set_call(struct core_categorical_call *call, int turn)
{
    static const double two = 2, some = 0.9;
    static const uint8_t allowed[MOST_CLASSES] = {[0] = 1, [2] = 1, [5] = 1, [70] = 1};
    const bool holes = turn % LOGITS_KINDS == LOGITS_HOLES; /* some class of each dense row is possible */
    call->inner = turn % 4 == 0 && !holes ? ROWS : 1;
    call->top = TOP;
    call->distribution = turn % 2 ? CORE_SCALED : CORE_FILTERED;
    if (turn % 4 == 1)
        call->filters.values[CORE_TOP_P].value = &some;
    if (turn % 5 == 2)
        call->temperature.value = &two;
    if (turn % 7 == 3 && !holes)
        call->mask.allowed = allowed;
}

static void check(enum core_dtype dtype, size_t classes, int turn, struct inputs *inputs)
{
    static struct problem problem;
    struct sampling got = sampling_of(dtype, ROWS, classes, DRAWS, true), right = got;
    set_call(&got.call, turn);
    set_call(&right.call, turn);
    sampling_allocate(&got);
    sampling_allocate(&right);
    got.call.log_probabilities = got.log_probabilities;
    right.call.log_probabilities = right.log_probabilities;
    fill_problem(&problem, classes, inputs);
    got.call.penalties = penalties_of(&problem);
    fill_numbers(dtype, got.logits, ROWS, classes, turn % LOGITS_KINDS, inputs);
    memcpy(right.logits, got.logits, ROWS * classes * core_dtype_size(dtype));
    change(&problem, dtype, right.logits, classes, got.call.inner);
    size_t bad = SIZE_MAX;
    for (size_t r = 0; r < ROWS; r++)
        ck_assert_int_eq(core_categorical(&got.call, r, 1, got.scratch, &bad), CORE_OK);
    sampling_run_all(&right);
    require_same_draws(&got, &right);
    sampling_run_all(&got);
    require_same_draws(&got, &right);
    sampling_close(&got);
    sampling_close(&right);
}

START_TEST(test_changed_logits)
{
    static const size_t counts[] = {1, 2, 5, 17, 63, 64, 65, 129, MOST_CLASSES};
    const enum core_dtype dtype = select_kernels(_i);
    struct inputs inputs = {31};
    for (int turn = 0; turn < 420; turn++)
        check(dtype, counts[turn % 9], turn, &inputs);
}
END_TEST

/* test_logits_process.py of transformers: with the penalty 2, -1/3 becomes -2/3 and 3/4 becomes 3/8. What overflows is
 * limited, and what is impossible stays so. */
START_TEST(test_values)
{
    static const struct core_class_count entries[] = {{0, 2}, {1, 1}, {2, 3}, {3, 1}};
    static const size_t first[] = {0, 4};
    const enum core_dtype dtype = select_kernels(_i);
    const double most = limited(INFINITY, dtype), two = 2, one = 1;
    double logits[5], top[5]; /* or floats */
    int32_t indices[5];
    const double values[] = {0.75, -0.25, -most, -INFINITY, 0.375};
    for (size_t j = 0; j < 5; j++)
        number_put(dtype, logits, j, values[j]);
    struct sampling p = sampling_of(dtype, 1, 5, 1, true);
    p.call.top = 5;
    p.call.distribution = CORE_SCALED;
    sampling_allocate(&p);
    p.call.logits = logits;
    p.call.top_indices = indices;
    p.call.top_log_probabilities = top;
    p.call.penalties = (struct core_penalties){.prompt = {entries, first, 0}, .repetition = {&two, 0}};
    sampling_run_all(&p);
    ck_assert_mem_eq(indices, ((const int32_t[]){0, 4, 1, 2, -1}), sizeof(indices));
    ck_assert(number_at(dtype, top, 0) == number_at(dtype, top, 1));
    ck_assert_double_eq_tol(number_at(dtype, top, 1) - number_at(dtype, top, 2), 0.875, 1e-6);
    p.call.penalties = (struct core_penalties){
        .output = {entries, first, 0}, .repetition = {&one, 0}, .presence = {&two, 0}, .frequency = {&one, 0}};
    sampling_run_all(&p);
    ck_assert_mem_eq(indices, ((const int32_t[]){4, 0, 1, 2, -1}), sizeof(indices));
    ck_assert_double_eq_tol(number_at(dtype, top, 0) - number_at(dtype, top, 1), 3.625, 1e-6);
    ck_assert_double_eq_tol(number_at(dtype, top, 0) - number_at(dtype, top, 2), 3.625, 1e-6);
    p.call.distribution = CORE_RAW; /* of the logits as they came */
    sampling_run_all(&p);
    ck_assert_mem_eq(indices, ((const int32_t[]){0, 4, 1, 2, -1}), sizeof(indices));
    ck_assert_double_eq_tol(number_at(dtype, top, 0) - number_at(dtype, top, 1), 0.375, 1e-6);
    sampling_close(&p);
}
END_TEST

TEST_SUITE("core")
{
    Suite *suite = suite_create("core penalties");
    TCase *tcase = tcase_create("penalties");
    tcase_add_kernels_test(tcase, test_changed_logits);
    tcase_add_kernels_test(tcase, test_values);
    suite_add_tcase(suite, tcase);
    return suite;
}
