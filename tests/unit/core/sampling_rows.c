/* core_categorical: rows without an answer, the same bits however it is called, nothing outside the rows touched. */
#include "digest_sampling.h"
#include "lib/suite.h"
#include "sampling_problem.h"

#include <fenv.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- Rows without an answer -------------------------------------------------------------------------------------- */

START_TEST(test_invalid_rows)
{
    enum { ROWS = 9 };
    struct inputs inputs = {37};
    const enum core_dtype dtype = select_kernels(_i);
    for (size_t classes = 1; classes <= 130; classes++)
        for (int way = 0; way < 8; way++) {
            struct sampling p = sampling_of(dtype, ROWS, classes, 1 + (size_t)way % 4, true);
            static const double half = 0.5, forbidden[] = {INFINITY, NAN, -NAN};
            size_t row = inputs_below(&inputs, ROWS), column = inputs_below(&inputs, classes), bad = SIZE_MAX;
            if (way >= 4)
                p.call.filters.values[CORE_TOP_P].value = &half;
            sampling_allocate(&p);
            fill_numbers(dtype, p.logits, ROWS, classes, LOGITS_HOLES, &inputs);
            number_put(dtype, p.logits, row * classes + column, forbidden[way % 3]);
            number_put(dtype, p.logits, (ROWS - 1) * classes, NAN);
            ck_assert_int_eq(sampling_run(&p, &bad), CORE_INVALID_ROW);
            ck_assert_uint_eq(bad, row);
            for (size_t j = 0; j < classes; j++)
                number_put(dtype, p.logits, row * classes + j, -INFINITY);
            ck_assert_int_eq(sampling_run(&p, &bad), CORE_INVALID_ROW);
            ck_assert_uint_eq(bad, row);
            ck_assert_int_eq(core_categorical(&p.call, row, 0, p.scratch, &bad), CORE_OK);
            sampling_close(&p);
        }
}
END_TEST

/* Filters and mask may leave fewer classes than draws; an invalid row after that one does not count. */
START_TEST(test_too_few_classes)
{
    static const double keep[] = {3, 2, 3};
    const enum core_dtype dtype = select_kernels(_i);
    struct sampling p = sampling_of(dtype, 3, 5, 3, false);
    size_t bad = SIZE_MAX;
    sampling_allocate(&p);
    for (size_t i = 0; i < 15; i++)
        number_put(dtype, p.logits, i, i < 10 ? (double)(i % 3) : NAN);
    p.call.filters.values[CORE_TOP_K] = (struct core_per_row){keep, 1};
    ck_assert_int_eq(sampling_run(&p, &bad), CORE_TOO_FEW_CLASSES);
    ck_assert_uint_eq(bad, 1);
    ck_assert_int_eq(core_categorical(&p.call, 0, 1, p.scratch, &bad), CORE_OK);
    ck_assert_int_eq(core_categorical(&p.call, 2, 1, p.scratch, &bad), CORE_INVALID_ROW);
    p.call.filters.values[CORE_TOP_K].value = NULL;
    p.call.mask.allowed = (const uint8_t[]){0, 0, 1, 0, 1};
    ck_assert_int_eq(sampling_run(&p, &bad), CORE_TOO_FEW_CLASSES);
    ck_assert_uint_eq(bad, 0);
    sampling_close(&p);
}
END_TEST

/* ---- Nothing but the arguments counts ---------------------------------------------------------------------------- */

/* A case with memory for its results; the inputs are the case's own. */
static struct sampling sampling_of_case(enum core_dtype dtype, uint32_t number)
{
    struct sampling p = {.call = sampling_case(dtype, number), .rows = sampling_case_rows(number)};
    const void *logits = p.call.logits;
    p.more = number % 3 == 0;
    if (number % 5 == 1)
        p.call.distribution = CORE_RAW;
    sampling_allocate(&p);
    memcpy(p.logits, logits, p.rows * p.call.classes * core_dtype_size(dtype));
    if (number % 2)
        p.call.log_probabilities = p.log_probabilities;
    return p;
}

/* The row at which the case fails, or how many rows it has: rows before it are all right. */
static size_t good_rows(const struct sampling *p)
{
    size_t bad = p->rows;
    sampling_run(p, &bad);
    return bad;
}

START_TEST(test_splits)
{
    struct inputs inputs = {41};
    size_t complete = 0;
    const enum core_dtype dtype = select_kernels(_i);
    for (uint32_t number = 0; number < SAMPLING_CASES; number++) {
        struct sampling whole = sampling_of_case(dtype, number);
        size_t rows = good_rows(&whole), bad = SIZE_MAX;
        complete += rows == whole.rows;
        if (rows < whole.rows) { /* the good rows before it alone */
            sampling_close(&whole);
            continue;
        }
        struct sampling parts = sampling_of_case(dtype, number);
        for (size_t first = 0, count; first < rows; first += count) {
            count = number % 4 == 0 ? 1 : 1 + inputs_below(&inputs, rows - first);
            memset(parts.scratch, 0x55 + (int)first, core_categorical_scratch(&parts.call));
            ck_assert_int_eq(core_categorical(&parts.call, first, count, parts.scratch, &bad), CORE_OK);
        }
        require_same_draws(&whole, &parts);
        sampling_close(&whole);
        sampling_close(&parts);
    }
    ck_assert_uint_gt(complete, SAMPLING_CASES / 2);
}
END_TEST

/* The last draws first. */
START_TEST(test_draws_in_parts)
{
    struct inputs inputs = {43};
    size_t divided = 0;
    const enum core_dtype dtype = select_kernels(_i);
    for (uint32_t number = 0; number < SAMPLING_CASES; number++) {
        struct sampling whole = sampling_of_case(dtype, number), parts = sampling_of_case(dtype, number);
        const size_t rows = good_rows(&whole);
        if (rows == whole.rows && whole.call.replacement)
            for (size_t end = whole.call.draws, count, bad; end > 0; end -= count, divided++) {
                count = 1 + inputs_below(&inputs, end);
                parts.call.part = (struct core_draws){end - count, count};
                ck_assert_int_eq(core_categorical(&parts.call, 0, rows, parts.scratch, &bad), CORE_OK);
            }
        if (whole.call.draws > 0 && rows == whole.rows && whole.call.replacement)
            require_same_draws(&whole, &parts);
        sampling_close(&whole);
        sampling_close(&parts);
    }
    ck_assert_uint_gt(divided, SAMPLING_CASES / 2);
}
END_TEST

/* A strided array gives what its dense transpose does, masks included. */
START_TEST(test_strides)
{
    enum { ROWS = 12, MOST = 100 };
    static uint8_t allowed[ROWS * MOST], strided_allowed[ROWS * MOST];
    struct inputs inputs = {42};
    const enum core_dtype dtype = select_kernels(_i);
    for (size_t classes = 1; classes <= MOST; classes += 3)
        for (size_t inner = 1; inner <= ROWS; inner += inner < 4 ? 1 : 2) {
            if (ROWS % inner != 0)
                continue;
            struct sampling dense = sampling_of(dtype, ROWS, classes, 1 + classes % 3, classes % 2);
            dense.call.draws = dense.call.replacement ? dense.call.draws : 1;
            dense.call.top = classes % 4;
            dense.more = classes % 2 == 0;
            struct sampling strided = dense;
            sampling_allocate(&dense);
            sampling_allocate(&strided);
            strided.call.inner = inner;
            fill_numbers(dtype, dense.logits, ROWS, classes, LOGITS_NORMAL, &inputs);
            for (size_t i = 0; i < ROWS * classes; i++) {
                size_t row = i / classes, class = i % classes;
                size_t at = (row / inner * classes + class) * inner + row % inner;
                number_put(dtype, strided.logits, at, number_at(dtype, dense.logits, i));
                strided_allowed[at] = allowed[i] = class == 0 || inputs_below(&inputs, 3) != 0;
            }
            sampling_run_all(&dense);
            sampling_run_all(&strided);
            require_same_draws(&dense, &strided);
            for (size_t stride = 0; stride < 2; stride++) {
                dense.call.mask = (struct core_mask){allowed, stride};
                strided.call.mask = (struct core_mask){stride ? strided_allowed : allowed, stride};
                sampling_run_all(&dense);
                sampling_run_all(&strided);
                require_same_draws(&dense, &strided);
            }
            sampling_close(&dense);
            sampling_close(&strided);
        }
}
END_TEST

/* The bits are part of the contract ("rng": "v1"). */
START_TEST(test_digest)
{
    const enum core_dtype dtype = select_kernels(_i);
    ck_assert_uint_eq(digest_of_draws(dtype), dtype == CORE_FLOAT64 ? DIGEST_SAMPLING_F64_V1 : DIGEST_SAMPLING_V1);
}
END_TEST

START_TEST(test_environment)
{
    const enum core_dtype dtype = select_kernels(_i);
    for (uint32_t number = 0; number < SAMPLING_CASES; number += 3) {
        struct sampling usual = sampling_of_case(dtype, number), strange = sampling_of_case(dtype, number);
        size_t bad = 0, expected_bad = 0;
        fenv_t before;
        fegetenv(&before);
        set_strange_environment();
        uint64_t environment = get_environment();
        int status = sampling_run(&strange, &bad);
        uint64_t after = get_environment();
        fesetenv(&before);
        ck_assert_uint_eq(after, environment);
        ck_assert_int_eq(sampling_run(&usual, &expected_bad), status);
        ck_assert_uint_eq(bad, expected_bad);
        if (status == CORE_OK)
            require_same_draws(&usual, &strange);
        sampling_close(&usual);
        sampling_close(&strange);
    }
}
END_TEST

/* ---- Nothing outside the arguments is touched ---------------------------------------------------------------------
 */

/* A copy of memory that ends, or begins, at a page that nobody may touch. */
struct fenced {
    char *mapping;
    size_t length;
    void *memory;
};

static struct fenced fence(const void *memory, size_t size, bool at_end)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (size + page - 1) / page * page;
    struct fenced f = {.length = inner + 2 * page};
    f.mapping = mmap(NULL, f.length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(f.mapping != MAP_FAILED);
    ck_assert_int_eq(mprotect(f.mapping, page, PROT_NONE), 0);
    ck_assert_int_eq(mprotect(f.mapping + page + inner, page, PROT_NONE), 0);
    f.memory = f.mapping + page + (at_end ? inner - size : 0);
    memcpy(f.memory, memory, size);
    return f;
}

static void check_fenced(const struct sampling *p, bool at_end)
{
    const struct core_categorical_call *call = &p->call;
    size_t drawn = p->rows * call->draws, top = p->rows * call->top, bad;
    size_t scratch = core_categorical_scratch(call), size = core_dtype_size(call->dtype);
    const bool masked = call->mask.allowed != NULL;
    size_t mask = masked ? (call->mask.stride ? p->rows : 1) * call->classes : 0;
    struct fenced fences[] = {
        fence(p->logits, p->rows * call->classes * size, at_end),
        fence(p->scratch, scratch, at_end),
        fence(p->indices, drawn * sizeof(int32_t), at_end),
        fence(p->scores, drawn * size, at_end),
        fence(p->top_indices, top * sizeof(int32_t), at_end),
        fence(p->top_log_probabilities, top * size, at_end),
        fence(masked ? call->mask.allowed : (const uint8_t *)"", mask, at_end),
        fence(p->filtered_log_probabilities, drawn * size, at_end),
        fence(p->named_log_probabilities, 2 * p->rows * size, at_end),
        fence(p->ranks, drawn * sizeof(int32_t), at_end),
        fence(p->kept, p->rows * sizeof(int32_t), at_end),
        fence(p->kept_mass, p->rows * size, at_end),
        fence(p->entropy, p->rows * size, at_end),
    };
    struct core_categorical_call fenced = *call;
    fenced.logits = fences[0].memory;
    fenced.indices = fences[2].memory;
    fenced.scores = fences[3].memory;
    fenced.top_indices = fences[4].memory;
    fenced.top_log_probabilities = fences[5].memory;
    fenced.mask.allowed = masked ? fences[6].memory : NULL;
    fenced.filtered_log_probabilities = p->more ? fences[7].memory : NULL;
    fenced.named_log_probabilities = p->more ? fences[8].memory : NULL;
    fenced.ranks = p->more ? fences[9].memory : NULL;
    fenced.kept = p->more ? fences[10].memory : NULL;
    fenced.kept_mass = p->more ? fences[11].memory : NULL;
    fenced.entropy = p->more ? fences[12].memory : NULL;
    if (core_categorical(&fenced, 0, p->rows, fences[1].memory, &bad) == CORE_OK) {
        ck_assert_mem_eq(fenced.indices, p->indices, drawn * sizeof(int32_t));
        ck_assert_mem_eq(fenced.top_indices, p->top_indices, top * sizeof(int32_t));
    }
    for (size_t i = 0; i < sizeof(fences) / sizeof(fences[0]); i++)
        munmap(fences[i].mapping, fences[i].length);
}

START_TEST(test_fences)
{
    size_t bad;
    const enum core_dtype dtype = select_kernels(_i);
    for (uint32_t number = 0; number < SAMPLING_CASES; number++) {
        struct sampling p = sampling_of_case(dtype, number);
        sampling_run(&p, &bad);
        check_fenced(&p, true);
        check_fenced(&p, false);
        sampling_close(&p);
    }
    for (size_t classes = 1; classes <= 130; classes++) { /* the way straight from the logits */
        struct sampling p = sampling_of(dtype, 3, classes, 1, true);
        struct inputs inputs = {classes};
        sampling_allocate(&p);
        fill_numbers(dtype, p.logits, 3, classes, LOGITS_NORMAL, &inputs);
        sampling_run_all(&p);
        check_fenced(&p, true);
        check_fenced(&p, false);
        sampling_close(&p);
    }
}
END_TEST

TEST_SUITE("core")
{
    Suite *suite = suite_create("core sampling rows");
    TCase *rows = tcase_create("rows");
    tcase_set_timeout(rows, 120);
    tcase_add_kernels_test(rows, test_invalid_rows);
    tcase_add_kernels_test(rows, test_too_few_classes);
    tcase_add_kernels_test(rows, test_splits);
    tcase_add_kernels_test(rows, test_draws_in_parts);
    tcase_add_kernels_test(rows, test_strides);
    tcase_add_kernels_test(rows, test_digest);
    tcase_add_kernels_test(rows, test_environment);
    tcase_add_kernels_test(rows, test_fences);
    suite_add_tcase(suite, rows);
    return suite;
}
