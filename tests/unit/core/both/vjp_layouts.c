/* Gradients with masks are those with logits of -inf, gradients of strided arrays those of the transposed dense ones:
 * bit by bit. */
#include "lib/suite.h"
#include "vjp_problem.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const size_t class_counts[] = {1, 2, 3, 10, 16, 17, 63, 64, 65, 130, 300, 513, 1000};

/* A strided problem, and the same rows dense, the mask's -inf written into them. */
struct pair {
    struct vjp_problem strided, dense;
    uint8_t *allowed;
    double *parameters, *noise_scales;
    uint64_t *seeds;
};

static size_t place(const struct vjp_problem *p, size_t row, size_t class)
{
    return (row / p->inner * p->classes + class) * p->inner + row % p->inner;
}

/* Masks of each kind in turn: none, one row for all, one for each. */
static void make_mask(struct pair *pair, int kind, struct inputs *inputs)
{
    struct vjp_problem *strided = &pair->strided, *dense = &pair->dense;
    size_t classes = dense->classes, possible = inputs_below(inputs, classes);
    pair->allowed = memory_of(dense->rows * classes);
    for (size_t r = 0; r < dense->rows; r++)
        for (size_t j = 0; j < classes; j++) {
            size_t at = kind == 1 ? j : place(strided, r, j);
            bool allowed = j == possible || inputs_below(inputs, 4) > 0;
            if (kind == 0 || (kind == 1 && r > 0))
                allowed = kind == 0 || pair->allowed[j] != 0;
            else
                pair->allowed[at] = allowed ? (uint8_t)(1 + inputs_below(inputs, 255)) : 0;
            if (!allowed) {
                dense->logits[r * classes + j] = -INFINITY;
                strided->logits[place(strided, r, j)] = j % 2 == 0 ? NAN : INFINITY; /* counts for nothing */
            }
        }
    if (kind != 0)
        strided->mask = (struct core_mask){pair->allowed, kind == 2};
}

static struct pair pair_open(enum vjp_function function, size_t outer, size_t classes, size_t inner, int mask,
                             struct inputs *inputs)
{
    size_t rows = outer * inner;
    struct pair pair = {.strided = vjp_problem_open(function, rows, classes, LOGITS_NORMAL, inputs),
                        .dense = vjp_problem_open(function, rows, classes, LOGITS_NORMAL, inputs),
                        .parameters = memory_of(rows * sizeof(double)),
                        .noise_scales = memory_of(rows * sizeof(double)),
                        .seeds = memory_of(rows * sizeof(uint64_t))};
    pair.strided.inner = inner;
    for (size_t r = 0; r < rows; r++) {
        pair.parameters[r] = r % 7 == 3 ? 0 : 0.3 + inputs_uniform(inputs);
        pair.noise_scales[r] = r % 3 == 0 ? 1 : inputs_uniform(inputs);
        pair.seeds[r] = inputs_next(inputs);
        for (size_t j = 0; j < classes; j++) {
            pair.strided.logits[place(&pair.strided, r, j)] = pair.dense.logits[r * classes + j];
            pair.strided.cotangent[place(&pair.strided, r, j)] = pair.dense.cotangent[r * classes + j];
        }
    }
    make_mask(&pair, mask, inputs);
    pair.strided.parameter = pair.dense.parameter = (struct core_per_row){pair.parameters, rows % 2};
    pair.strided.noise_scale = pair.dense.noise_scale = (struct core_per_row){pair.noise_scales, rows % 2};
    pair.strided.noise = pair.dense.noise = (struct core_noise){
        .seed = pair.seeds, .stride = classes % 2, .row_offset = 0xfffffff0, .draw = 3};
    free(pair.strided.scratch);
    vjp_make_scratch(&pair.strided);
    return pair;
}

static void pair_close(struct pair *pair)
{
    vjp_problem_close(&pair->strided);
    vjp_problem_close(&pair->dense);
    free(pair->allowed);
    free(pair->parameters);
    free(pair->noise_scales);
    free(pair->seeds);
}

/* Of rows first .. first+count-1; the others untouched. */
static void require_pair(const struct pair *pair, size_t first, size_t count)
{
    const struct vjp_problem *strided = &pair->strided, *dense = &pair->dense;
    real fresh;
    memset(&fresh, 0x55, sizeof(fresh)); /* as vjp_problem_open leaves it */
    for (size_t r = 0; r < dense->rows; r++) {
        bool inside = r >= first && r < first + count;
        for (size_t j = 0; j < dense->classes; j++) {
            const real *expected = inside ? &dense->grad[r * dense->classes + j] : &fresh;
            if (!same_reals(&strided->grad[place(strided, r, j)], expected, 1))
                ck_abort_msg("function %d, K %zu, inner %zu, mask %d: row %zu, class %zu", (int)dense->function,
                             dense->classes, strided->inner, strided->mask.allowed != NULL, r, j);
        }
        if (strided->grad_parameter != NULL)
            ck_assert(same_reals(&strided->grad_parameter[r], inside ? &dense->grad_parameter[r] : &fresh, 1));
    }
}

/* Runs `check` over functions, shapes and masks. */
static void for_all_pairs(void (*check)(struct pair *pair, struct inputs *inputs))
{
    static const size_t inners[] = {1, 2, 5, 16, 23};
    struct inputs inputs = {11};
    for (enum vjp_function function = 0; function < VJP_FUNCTIONS; function++)
        for (size_t i = 0; i < COUNT(class_counts); i++)
            for (size_t n = 0; n < COUNT(inners); n++)
                for (int mask = 0; mask < 3; mask++) {
                    struct pair pair = pair_open(function, inners[n] == 1 ? 37 : 1 + n % 3, class_counts[i], inners[n],
                                                 mask, &inputs);
                    vjp_run_all(&pair.dense);
                    check(&pair, &inputs);
                    pair_close(&pair);
                }
}

static void check_whole(struct pair *pair, struct inputs *inputs)
{
    (void)inputs;
    vjp_run_all(&pair->strided);
    require_pair(pair, 0, pair->dense.rows);
}

START_TEST(test_layouts)
{
    select_isa(_i);
    for_all_pairs(check_whole);
}
END_TEST

static void check_range(struct pair *pair, struct inputs *inputs)
{
    size_t first = inputs_below(inputs, pair->dense.rows), bad;
    size_t count = inputs_below(inputs, pair->dense.rows - first + 1);
    ck_assert_int_eq(vjp_run(&pair->strided, first, count, &bad), CORE_OK);
    require_pair(pair, first, count);
}

START_TEST(test_ranges_of_layouts)
{
    select_isa(_i);
    for_all_pairs(check_range);
}
END_TEST

static void check_without_parameter(struct pair *pair, struct inputs *inputs)
{
    struct pair without = *pair;
    (void)inputs;
    without.strided.grad_parameter = NULL;
    vjp_run_all(&without.strided);
    require_pair(&without, 0, pair->dense.rows);
}

START_TEST(test_layouts_without_parameter)
{
    select_isa(_i);
    for_all_pairs(check_without_parameter);
}
END_TEST

/* A row whose classes are all masked, or that holds a NaN, is named by its number. */
static void check_invalid(struct pair *pair, struct inputs *inputs)
{
    struct vjp_problem *strided = &pair->strided;
    size_t row = inputs_below(inputs, strided->rows), bad = SIZE_MAX;
    bool each = strided->mask.allowed != NULL && strided->mask.stride != 0;
    for (size_t j = 0; j < strided->classes; j++)
        if (each)
            pair->allowed[place(strided, row, j)] = 0;
        else
            strided->logits[place(strided, row, j)] = j % 2 == 0 ? -INFINITY : NAN;
    if (strided->mask.allowed != NULL && !each)
        for (size_t j = 0; j < strided->classes; j++)
            strided->logits[place(strided, row, j)] = NAN;
    ck_assert_int_eq(vjp_run(strided, 0, strided->rows, &bad), CORE_INVALID_ROW);
    ck_assert_uint_eq(bad, row);
}

START_TEST(test_invalid_rows_of_layouts)
{
    select_isa(_i);
    for_all_pairs(check_invalid);
}
END_TEST

static real *fenced_copy(struct fenced *fenced, const void *from, size_t bytes)
{
    *fenced = fenced_open(bytes);
    char *at = fenced->mapping + fenced->page + fenced->size - bytes;
    memcpy(at, from, bytes);
    return (real *)(void *)at;
}

/* Nothing outside the arrays is touched, nor outside the scratch memory as the call asked for it. */
static void check_fences(struct pair *pair, struct inputs *inputs)
{
    struct vjp_problem *p = &pair->strided, fenced_problem = *p;
    size_t bytes = p->rows * p->classes * sizeof(real), scratch = vjp_scratch(p);
    size_t mask = p->mask.stride == 0 ? p->classes : p->rows * p->classes;
    struct fenced fenced[5];
    (void)inputs;
    fenced_problem.logits = fenced_copy(&fenced[0], p->logits, bytes);
    fenced_problem.cotangent = fenced_copy(&fenced[1], p->cotangent, bytes);
    fenced_problem.grad = fenced_copy(&fenced[2], p->grad, bytes);
    fenced[3] = fenced_open(scratch > 0 ? scratch : 1);
    fenced_problem.scratch = fenced[3].mapping + fenced[3].page + fenced[3].size - scratch;
    if (p->mask.allowed != NULL)
        fenced_problem.mask.allowed = (const uint8_t *)fenced_copy(&fenced[4], p->mask.allowed, mask);
    vjp_run_all(&fenced_problem);
    memcpy(p->grad, fenced_problem.grad, bytes);
    require_pair(pair, 0, p->rows);
    for (int i = 0; i < (p->mask.allowed != NULL ? 5 : 4); i++)
        fenced_close(&fenced[i]);
}

START_TEST(test_fences_of_layouts)
{
    select_isa(_i);
    for_all_pairs(check_fences);
}
END_TEST

START_TEST(test_scratch)
{
    const uint8_t allowed[1] = {1};
    struct vjp_problem p = {.classes = 63, .inner = 5, .mask = {allowed, 0}};
    for (p.function = 0; p.function < VJP_FUNCTIONS; p.function++)
        ck_assert_uint_eq(vjp_scratch(&p), 0);
    p = (struct vjp_problem){.classes = 1000, .inner = 1};
    ck_assert_uint_eq(vjp_scratch(&p), 0);
    p.mask.allowed = allowed;
    const struct {
        size_t classes, rows; /* that go together */
    } cases[] = {{64, 16}, {128, 16}, {129, 15}, {1000, 2}, {1025, 1}, {128256, 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        p.classes = cases[i].classes;
        ck_assert_uint_eq(vjp_scratch(&p), cases[i].rows * cases[i].classes * sizeof(real));
    }
    p.classes = 1000;
    p.inner = 2;
    ck_assert_uint_eq(vjp_scratch(&p), 3 * 16 * 1000 * sizeof(real));
}
END_TEST

TEST_SUITE(PART)
{
    Suite *suite = suite_create(SUITE("vjp layouts"));
    TCase *tcase = tcase_create("masks and strides");
    tcase_set_timeout(tcase, 120);
    tcase_add_isa_test(tcase, test_layouts);
    tcase_add_isa_test(tcase, test_ranges_of_layouts);
    tcase_add_isa_test(tcase, test_layouts_without_parameter);
    tcase_add_isa_test(tcase, test_invalid_rows_of_layouts);
    tcase_add_isa_test(tcase, test_fences_of_layouts);
    tcase_add_test(tcase, test_scratch);
    suite_add_tcase(suite, tcase);
    return suite;
}
