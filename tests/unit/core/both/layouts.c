/* Masks give the bits of logits of -inf; strided arrays give those of the transposed dense ones. */
#include "lib/suite.h"
#include "real.h"
#include "unit/core/fences.h"

#include <stdlib.h>

enum function { SOFTMAX, LOG_SOFTMAX, GUMBEL_SOFT, GUMBEL_HARD, FUNCTIONS };

/* One call of any of the functions, with all results. */
struct problem {
    enum function function;
    size_t rows, classes, inner;
    real *logits, *result, *soft, *gumbel; /* rows * classes each */
    real *log_soft, *perturbed;            /* likewise */
    real *log_density;                     /* rows, as all below */
    int32_t *indices;
    double *parameters, *noise_scales; /* noise_scales may be NULL */
    uint64_t *seeds;
    bool shared; /* the first parameter and seed are for all rows */
    const uint8_t *allowed;
    size_t mask_stride;
    real *scratch;
};

static struct core_softmax_call plain_call(const struct problem *p)
{
    return (struct core_softmax_call){
        .dtype = DTYPE,
        .logits = p->logits,
        .classes = p->classes,
        .temperature = {p->parameters, !p->shared},
        .result = p->result,
        .mask = {p->allowed, p->mask_stride},
        .inner = p->inner,
        .scratch = p->scratch,
    };
}

static struct core_gumbel_softmax_call gumbel_call(const struct problem *p)
{
    return (struct core_gumbel_softmax_call){
        .dtype = DTYPE,
        .logits = p->logits,
        .classes = p->classes,
        .tau = {p->parameters, !p->shared},
        .hard = p->function == GUMBEL_HARD,
        .noise = {p->seeds, !p->shared, 0xfffffff0, 3},
        .samples = p->result,
        .mask = {p->allowed, p->mask_stride},
        .inner = p->inner,
        .scratch = p->scratch,
        .noise_scale = {p->noise_scales, !p->shared},
        .indices = p->indices,
        .soft = p->soft,
        .gumbel = p->gumbel,
        .log_density = p->log_density,
        .log_soft = p->log_soft,
        .perturbed = p->perturbed,
    };
}

static size_t scratch_of(const struct problem *p)
{
    struct core_softmax_call plain = plain_call(p);
    struct core_gumbel_softmax_call gumbel = gumbel_call(p);
    return p->function < GUMBEL_SOFT ? core_softmax_scratch(&plain) : core_gumbel_softmax_scratch(&gumbel);
}

static int run(const struct problem *p, size_t first, size_t count, size_t *bad)
{
    struct core_softmax_call plain = plain_call(p);
    struct core_gumbel_softmax_call gumbel = gumbel_call(p);
    switch (p->function) {
    case SOFTMAX:
        return core_softmax(&plain, first, count, bad);
    case LOG_SOFTMAX:
        return core_log_softmax(&plain, first, count, bad);
    default:
        return core_gumbel_softmax(&gumbel, first, count, bad);
    }
}

static void *copied(const void *memory, size_t size)
{
    void *copy = malloc(size + 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, memory, size);
    return copy;
}

static real *fresh(size_t count)
{
    real *memory = reals(count);
    memset(memory, 0x55, count * sizeof(real));
    return memory;
}

/* Memory for the results; the inputs are those of `p`. */
static void open_results(struct problem *p)
{
    size_t count = p->rows * p->classes;
    p->result = fresh(count);
    p->soft = fresh(count);
    p->gumbel = fresh(count);
    p->log_soft = fresh(count);
    p->perturbed = fresh(count);
    p->log_density = fresh(p->rows);
    p->indices = (int32_t *)(void *)fresh(p->rows);
}

static void close_results(struct problem *p)
{
    free(p->result);
    free(p->soft);
    free(p->gumbel);
    free(p->log_soft);
    free(p->perturbed);
    free(p->log_density);
    free(p->indices);
}

static struct problem problem_open(enum function function, size_t rows, size_t classes, size_t turn,
                                   struct inputs *inputs)
{
    struct problem p = {.function = function, .rows = rows, .classes = classes, .inner = 1, .shared = turn % 2};
    p.logits = reals(rows * classes);
    p.parameters = memory_of(rows * sizeof(double));
    p.noise_scales = turn % 3 == 0 ? NULL : memory_of(rows * sizeof(double));
    p.seeds = malloc(rows * sizeof(p.seeds[0]));
    ck_assert_ptr_nonnull(p.seeds);
    fill_reals(p.logits, rows, classes, turn % LOGITS_KINDS, inputs);
    for (size_t r = 0; r < rows; r++) {
        p.parameters[r] = r % 5 == 3 ? 0 : 0.1 + 2 * inputs_uniform(inputs);
        p.seeds[r] = inputs_next(inputs);
        if (p.noise_scales != NULL)
            p.noise_scales[r] = (double)inputs_below(inputs, 4) / 2;
    }
    open_results(&p);
    return p;
}

static void problem_close(struct problem *p)
{
    close_results(p);
    free(p->logits);
    free(p->parameters);
    free(p->noise_scales);
    free(p->seeds);
}

static void require_ok(const struct problem *p, size_t first, size_t count)
{
    size_t bad = SIZE_MAX;
    int status = run(p, first, count, &bad);
    if (status != CORE_OK)
        ck_abort_msg("function %d, K %zu, inner %zu: status %d, row %zu", (int)p->function, p->classes, p->inner,
                     status, bad);
}

static void require_same(const struct problem *p, const struct problem *expected, const char *what)
{
    size_t count = p->rows * p->classes;
    bool same = same_reals(p->result, expected->result, count);
    if (same && p->function >= GUMBEL_SOFT)
        same = same_reals(p->soft, expected->soft, count) && same_reals(p->gumbel, expected->gumbel, count) &&
               same_reals(p->log_soft, expected->log_soft, count) &&
               same_reals(p->perturbed, expected->perturbed, count) &&
               same_reals(p->log_density, expected->log_density, p->rows) &&
               memcmp(p->indices, expected->indices, p->rows * sizeof(p->indices[0])) == 0;
    if (!same)
        ck_abort_msg("%s: function %d, K %zu, %zu rows, inner %zu", what, (int)p->function, p->classes, p->rows,
                     p->inner);
}

static const size_t class_counts[] = {1, 2, 3, 4, 5, 10, 17, 31, 62, 63, 64, 65, 79, 80, 100, 130, 257, 300, 1000};

#define CLASS_COUNTS (sizeof(class_counts) / sizeof(class_counts[0]))

/* Bytes that leave at least one class whose logit is finite, some of them other than 0 and 1. */
static uint8_t *mask_open(const struct problem *p, size_t stride, struct inputs *inputs)
{
    size_t rows = stride == 0 ? 1 : p->rows;
    uint8_t *allowed = malloc(rows * p->classes);
    ck_assert_ptr_nonnull(allowed);
    for (size_t i = 0; i < rows * p->classes; i++)
        allowed[i] = inputs_below(inputs, 2) ? (uint8_t)(1 + inputs_below(inputs, 255)) : 0;
    for (size_t r = 0; r < p->rows; r++) {
        size_t j = 0;
        while (p->logits[r * p->classes + j] == -INFINITY)
            j++;
        allowed[(stride == 0 ? 0 : r * p->classes) + j] = 128;
    }
    return allowed;
}

/* NaN and +inf under the mask do not matter either. */
static void check_mask(struct problem *p, size_t stride, struct inputs *inputs)
{
    size_t count = p->rows * p->classes;
    struct problem masked = *p;
    uint8_t *allowed = mask_open(p, stride, inputs);
    masked.logits = copied(p->logits, count * sizeof(real));
    for (size_t i = 0; i < count; i++)
        if (allowed[stride == 0 ? i % p->classes : i] == 0) {
            p->logits[i] = -INFINITY;
            masked.logits[i] = i % 3 == 0 ? NAN : i % 3 == 1 ? INFINITY : 1000.0f;
        }
    open_results(&masked);
    masked.allowed = allowed;
    masked.mask_stride = stride;
    require_ok(p, 0, p->rows);
    require_ok(&masked, 0, p->rows);
    require_same(&masked, p, "mask");
    free(masked.result);
    masked.result = masked.logits;
    require_ok(&masked, 0, p->rows);
    require_same(&masked, p, "mask in place");
    close_results(&masked);
    free(allowed);
}

START_TEST(test_masks)
{
    struct inputs inputs = {1};
    select_isa(_i);
    for (int function = 0; function < FUNCTIONS; function++)
        for (size_t i = 0; i < CLASS_COUNTS; i++)
            for (size_t turn = 0; turn < 8; turn++) {
                struct problem p = problem_open(function, 1 + (7 * i + 11 * turn) % 40, class_counts[i], turn, &inputs);
                check_mask(&p, turn / 2 % 2, &inputs);
                problem_close(&p);
            }
}
END_TEST

/* A row of which nothing is left is an error; what is not masked still counts. */
START_TEST(test_masked_rows)
{
    struct inputs inputs = {2};
    select_isa(_i);
    for (int function = 0; function < FUNCTIONS; function++)
        for (size_t i = 0; i < CLASS_COUNTS; i++) {
            size_t rows = 20, classes = class_counts[i], bad = SIZE_MAX;
            struct problem p = problem_open(function, rows, classes, 0, &inputs);
            uint8_t *allowed = malloc(rows * classes);
            ck_assert_ptr_nonnull(allowed);
            memset(allowed, 1, rows * classes);
            memset(allowed + 17 * classes, 0, classes);
            p.allowed = allowed;
            p.mask_stride = 1;
            ck_assert_int_eq(run(&p, 0, rows, &bad), CORE_INVALID_ROW);
            ck_assert_uint_eq(bad, 17);
            require_ok(&p, 0, 17);
            require_ok(&p, 18, 2);
            p.logits[5 * classes + classes / 2] = NAN;
            ck_assert_int_eq(run(&p, 0, rows, &bad), CORE_INVALID_ROW);
            ck_assert_uint_eq(bad, 5);
            memset(allowed, 0, classes);
            p.mask_stride = 0;
            ck_assert_int_eq(run(&p, 3, 2, &bad), CORE_INVALID_ROW);
            ck_assert_uint_eq(bad, 3);
            free(allowed);
            problem_close(&p);
        }
}
END_TEST

/* From [rows][classes] to the strided array, and back. */
static void to_strided(real *to, const real *from, const struct problem *p)
{
    for (size_t r = 0; r < p->rows; r++)
        for (size_t j = 0; j < p->classes; j++)
            to[(r / p->inner * p->classes + j) * p->inner + r % p->inner] = from[r * p->classes + j];
}

static void to_dense(real **array, const struct problem *p)
{
    real *dense = reals(p->rows * p->classes);
    for (size_t r = 0; r < p->rows; r++)
        for (size_t j = 0; j < p->classes; j++)
            dense[r * p->classes + j] = (*array)[(r / p->inner * p->classes + j) * p->inner + r % p->inner];
    free(*array);
    *array = dense;
}

static void results_to_dense(struct problem *p)
{
    to_dense(&p->result, p);
    if (p->function >= GUMBEL_SOFT) {
        to_dense(&p->soft, p);
        to_dense(&p->gumbel, p);
        to_dense(&p->log_soft, p);
        to_dense(&p->perturbed, p);
    }
}

static void mask_to_strided(uint8_t *to, const uint8_t *from, const struct problem *p)
{
    for (size_t r = 0; r < p->rows; r++)
        for (size_t j = 0; j < p->classes; j++)
            to[(r / p->inner * p->classes + j) * p->inner + r % p->inner] = from[r * p->classes + j];
}

/* With every result and every memory at the end, or the start, of a page that nobody may leave. */
static void check_strided(const struct problem *dense, size_t inner, size_t turn, struct inputs *inputs)
{
    size_t count = dense->rows * dense->classes;
    struct problem p = *dense, expected = *dense;
    uint8_t *allowed = turn % 4 == 0 ? NULL : mask_open(dense, turn % 2, inputs);
    uint8_t *strided_allowed = allowed == NULL ? NULL : malloc(count);
    p.inner = inner;
    expected.allowed = allowed;
    expected.mask_stride = p.mask_stride = turn % 2;
    p.allowed = allowed;
    if (allowed != NULL && turn % 2) {
        mask_to_strided(strided_allowed, allowed, &p);
        p.allowed = strided_allowed;
    }
    open_results(&expected);
    require_ok(&expected, 0, dense->rows);

    open_results(&p);
    struct fenced logits = fenced_open(count * sizeof(real)), scratch = fenced_open(scratch_of(&p));
    p.logits = turn % 3 ? fenced_last(&logits, count) : fenced_first(&logits);
    p.scratch = fenced_last(&scratch, scratch_of(&p) / sizeof(real));
    to_strided(p.logits, dense->logits, &p);
    for (size_t first = 0, rows; first < p.rows; first += rows) {
        rows = turn % 5 == 0 ? p.rows : 1 + inputs_below(inputs, p.rows - first);
        require_ok(&p, first, rows);
    }
    real *result = p.result;
    p.result = p.logits;
    require_ok(&p, 0, p.rows); /* in place */
    p.result = reals(count);
    memcpy(p.result, p.logits, count * sizeof(real));
    to_dense(&p.result, &p);
    if (!same_reals(p.result, expected.result, count))
        ck_abort_msg("in place: function %d, K %zu, inner %zu", (int)p.function, p.classes, inner);
    free(p.result);
    p.result = result;
    results_to_dense(&p);
    require_same(&p, &expected, "strided");
    fenced_close(&logits);
    fenced_close(&scratch);
    close_results(&p);
    close_results(&expected);
    free(allowed);
    free(strided_allowed);
}

START_TEST(test_strides)
{
    static const size_t inners[] = {1, 2, 3, 4, 7, 15, 16, 17, 20, 32, 37};
    struct inputs inputs = {3};
    select_isa(_i);
    for (int function = 0; function < FUNCTIONS; function++)
        for (size_t i = 0; i < CLASS_COUNTS; i++)
            for (size_t n = 0; n < sizeof(inners) / sizeof(inners[0]); n++) {
                size_t outer = 1 + (i + n) % 4, turn = i + 3 * n;
                if (class_counts[i] > 200 && n % 3 != i % 3)
                    continue;
                struct problem p = problem_open(function, outer * inners[n], class_counts[i], turn, &inputs);
                check_strided(&p, inners[n], turn, &inputs);
                problem_close(&p);
            }
}
END_TEST

/* Rows outside the range keep their bytes, though they lie between those of the range. */
START_TEST(test_strided_ranges)
{
    static const size_t counts[] = {3, 10, 63, 64, 100};
    struct inputs inputs = {4};
    select_isa(_i);
    for (int function = 0; function < FUNCTIONS; function++)
        for (size_t i = 0; i < 5; i++)
            for (int turn = 0; turn < 8; turn++) {
                size_t inner = 25, rows = 75, first = inputs_below(&inputs, rows);
                size_t count = inputs_below(&inputs, rows - first + 1);
                struct problem p = problem_open(function, rows, counts[i], 1, &inputs);
                p.inner = inner;
                p.scratch = memory_of(scratch_of(&p));
                require_ok(&p, first, count);
                results_to_dense(&p);
                for (size_t k = 0; k < rows * p.classes; k++) {
                    size_t r = k / p.classes;
                    bool inside = r >= first && r < first + count;
                    uint32_t bits[5]; /* the first of each number */
                    memcpy(&bits[0], &p.result[k], 4);
                    memcpy(&bits[1], &p.soft[k], 4);
                    memcpy(&bits[2], &p.gumbel[k], 4);
                    memcpy(&bits[3], &p.log_soft[k], 4);
                    memcpy(&bits[4], &p.perturbed[k], 4);
                    for (int b = 0; b < (function < GUMBEL_SOFT ? 1 : 5); b++)
                        if ((bits[b] == 0x55555555) == inside)
                            ck_abort_msg("function %d, K %zu, rows %zu + %zu: row %zu", function, p.classes, first,
                                         count, r);
                    if (function >= GUMBEL_SOFT) {
                        ck_assert_int_eq(p.indices[r] == 0x55555555, !inside);
                        memcpy(&bits[0], &p.log_density[r], 4);
                        ck_assert_int_eq(bits[0] == 0x55555555, !inside);
                    }
                }
                free(p.scratch);
                problem_close(&p);
            }
}
END_TEST

START_TEST(test_strided_invalid_rows)
{
    static const size_t counts[] = {1, 3, 63, 64, 100};
    struct inputs inputs = {5};
    select_isa(_i);
    for (int function = 0; function < FUNCTIONS; function++)
        for (size_t i = 0; i < 5; i++)
            for (size_t bad_row = 0; bad_row < 60; bad_row += 7) {
                size_t bad = SIZE_MAX;
                struct problem p = problem_open(function, 60, counts[i], 1, &inputs);
                p.inner = 20;
                p.scratch = memory_of(scratch_of(&p));
                p.logits[(bad_row / 20 * p.classes + p.classes / 2) * 20 + bad_row % 20] = NAN;
                ck_assert_int_eq(run(&p, 0, 60, &bad), CORE_INVALID_ROW);
                ck_assert_uint_eq(bad, bad_row);
                require_ok(&p, bad_row + 1, 60 - bad_row - 1);
                require_ok(&p, 0, bad_row);
                free(p.scratch);
                problem_close(&p);
            }
}
END_TEST

START_TEST(test_scratch)
{
    real soft, gumbel;
    struct core_softmax_call plain = {.dtype = DTYPE, .classes = 64, .inner = 1};
    struct core_gumbel_softmax_call sample = {.dtype = DTYPE, .classes = 63, .inner = 5};
    ck_assert_uint_eq(core_softmax_scratch(&plain), 0);
    plain.inner = 2;
    ck_assert_uint_eq(core_softmax_scratch(&plain), 16 * 64 * sizeof(real));
    ck_assert_uint_eq(core_gumbel_softmax_scratch(&sample), 0);
    sample.classes = 100;
    ck_assert_uint_eq(core_gumbel_softmax_scratch(&sample), 1600 * sizeof(real));
    sample.gumbel = &gumbel;
    ck_assert_uint_eq(core_gumbel_softmax_scratch(&sample), 3200 * sizeof(real));
    sample.soft = &soft;
    ck_assert_uint_eq(core_gumbel_softmax_scratch(&sample), 4800 * sizeof(real));
    sample.log_soft = &soft;
    sample.perturbed = &gumbel;
    ck_assert_uint_eq(core_gumbel_softmax_scratch(&sample), 8000 * sizeof(real));
    sample.inner = 0;
    ck_assert_uint_eq(core_gumbel_softmax_scratch(&sample), 0);
}
END_TEST

TEST_SUITE(PART)
{
    Suite *suite = suite_create(SUITE("layouts"));
    TCase *tcase = tcase_create("masks and strides");
    tcase_set_timeout(tcase, 60);
    tcase_add_isa_test(tcase, test_masks);
    tcase_add_isa_test(tcase, test_masked_rows);
    tcase_add_isa_test(tcase, test_strides);
    tcase_add_isa_test(tcase, test_strided_ranges);
    tcase_add_isa_test(tcase, test_strided_invalid_rows);
    tcase_add_test(tcase, test_scratch);
    suite_add_tcase(suite, tcase);
    return suite;
}
