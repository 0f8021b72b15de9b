/* The streams of torch and JAX against plain implementations of their definitions: the place of each element, the words
 * and E. */
#include "lib/streams.h"
#include "lib/suite.h"
#include "real.h"
#include "reference.h"

#include <stdlib.h>

/* ---- The definitions ---- */

static uint32_t *first_words(uint32_t seed, size_t count)
{
    uint32_t *words = memory_of(count * sizeof *words);
    mersenne_words(words, seed, 0, count);
    return words;
}

static real torch_reference(const uint32_t *words, uint64_t element)
{
    const uint64_t pair = (uint64_t)words[2 * element] << 32 | words[2 * element + 1];
    const double e = -log1p(-((double)(pair & ((UINT64_C(1) << 53) - 1)) * 0x1p-53));
    return e == 0 ? (real)0x1p-54 : (real)e;
}

static wide jax_reference(uint64_t seed, uint64_t element)
{
    uint32_t x[2];
    threefry_words(x, element, seed);
    const double f = TEST_REAL == 32 ? ((x[0] ^ x[1]) >> 9) * 0x1p-23
                                     : (double)(((uint64_t)x[0] << 32 | x[1]) >> 12) * 0x1p-52;
    return -log(f > 0 ? (wide)f : TEST_REAL == 32 ? (wide)FLT_MIN : (wide)DBL_MIN);
}

/* ---- What the core gives ---- */

struct shape {
    size_t outer, classes, inner;
};

static const struct shape shapes[] = {
    {1, 1, 1},    {1, 3, 1},    {5, 10, 1}, {40, 17, 1}, {3, 63, 1}, {2, 64, 1},   {3, 100, 1},   {2, 257, 1},
    {3, 1000, 1}, {1, 5000, 1}, {2, 3, 5},  {3, 63, 20}, {2, 64, 3}, {1, 300, 17}, {2, 1000, 18},
};

struct batch {
    enum core_rng rng;
    struct shape shape;
    size_t rows, count;
    uint64_t seeds[1000];
    bool list;
    uint32_t row_offset, draw;
    struct core_mt_table table; /* blocks NULL: none */
    real *noise;
};

static struct batch batch_open(enum core_rng rng, const struct shape *shape, struct inputs *inputs)
{
    struct batch b = {.rng = rng, .shape = *shape, .rows = shape->outer * shape->inner};
    b.count = b.rows * shape->classes;
    b.noise = reals(b.count);
    for (size_t i = 0; i < 1000; i++)
        b.seeds[i] = (uint64_t)inputs_next(inputs) << 21 ^ inputs_next(inputs);
    return b;
}

static uint64_t element_of(const struct batch *b, size_t row, size_t class)
{
    const struct shape *s = &b->shape;
    const uint64_t skipped = (uint64_t)b->row_offset * s->classes;
    if (b->list)
        return skipped + b->draw * s->classes + class;
    return skipped + ((b->draw * s->outer + row / s->inner) * s->classes + class) * s->inner + row % s->inner;
}

static size_t place_of(const struct batch *b, size_t row, size_t class)
{
    return (row / b->shape.inner * b->shape.classes + class) * b->shape.inner + row % b->shape.inner;
}

/* The table of all blocks that the batch needs, every so many. */
static void open_table(struct batch *b, size_t every)
{
    const uint64_t first = element_of(b, 0, 0) / 312, last = element_of(b, b->rows - 1, b->shape.classes - 1) / 312;
    b->table = (struct core_mt_table){.first = first, .every = every, .count = (size_t)(last - first) / every + 1};
    b->table.blocks = memory_of(b->table.count * sizeof *b->table.blocks);
    core_mt_fill(&b->table, b->seeds[0]);
}

/* In parts of so many rows. */
static void draw(struct batch *b, size_t part)
{
    real *samples = reals(b->count), *logits = reals(b->count);
    static const double tau = 1;
    struct core_mt_cursor cursor = {.made = 0};
    struct core_gumbel_softmax_call call = {
        .dtype = DTYPE,
        .logits = logits,
        .classes = b->shape.classes,
        .inner = b->shape.inner,
        .tau = {&tau, 0},
        .samples = samples,
        .gumbel = b->noise,
        .noise = {.seed = b->seeds,
                  .stride = b->list,
                  .row_offset = b->row_offset,
                  .draw = b->draw,
                  .rng = b->rng,
                  .whole = {b->rows, b->shape.classes, b->shape.inner},
                  .table = b->table.blocks != NULL ? &b->table : NULL,
                  .cursor = &cursor},
    };
    size_t bad;
    memset(logits, 0, b->count * sizeof(real));
    call.scratch = memory_of(core_gumbel_softmax_scratch(&call));
    for (size_t r = 0; r < b->rows; r += part)
        ck_assert_int_eq(core_gumbel_softmax(&call, r, b->rows - r < part ? b->rows - r : part, &bad), CORE_OK);
    free(call.scratch);
    free(samples);
    free(logits);
}

/* -log E: log errs by less than 1 ulp, and of JAX's stream E does too. */
static void assert_noise(const struct batch *b, size_t row, size_t class, wide e, wide e_error)
{
    const wide g = b->noise[place_of(b, row, class)], expected = -log(e);
    const wide bound = 2 * UNIT * (fabs(expected) + e_error);
    ck_assert_msg(fabs(g - expected) <= bound, "rng %d, (%zu, %zu, %zu): row %zu, class %zu: %.17g, not %.17g",
                  (int)b->rng, b->shape.outer, b->shape.classes, b->shape.inner, row, class, D(g), D(expected));
}

static void assert_torch(const struct batch *b)
{
    uint32_t *words = b->list ? NULL
                              : first_words((uint32_t)b->seeds[0],
                                            2 * (element_of(b, b->rows - 1, b->shape.classes - 1) + 1));
    for (size_t row = 0; row < b->rows; row++) {
        if (b->list)
            words = first_words((uint32_t)b->seeds[row], 2 * (element_of(b, row, b->shape.classes - 1) + 1));
        for (size_t class = 0; class < b->shape.classes; class ++)
            assert_noise(b, row, class, torch_reference(words, element_of(b, row, class)), 0);
        if (b->list)
            free(words);
    }
    if (!b->list)
        free(words);
}

static void assert_jax(const struct batch *b)
{
    for (size_t row = 0; row < b->rows; row++)
        for (size_t class = 0; class < b->shape.classes; class ++)
            assert_noise(b, row, class, jax_reference(b->seeds[b->list ? row : 0], element_of(b, row, class)), 1);
}

static void assert_stream(const struct batch *b)
{
    if (b->rng == CORE_RNG_TORCH)
        assert_torch(b);
    else
        assert_jax(b);
}

/* ---- Tests ---- */

enum { SHAPES = sizeof shapes / sizeof *shapes };

static void check_places(const struct shape *shape, struct inputs *inputs)
{
    for (enum core_rng rng = CORE_RNG_TORCH; rng < CORE_RNG_COUNT; rng++)
        for (uint32_t variant = 0; variant < 4; variant++) {
            struct batch b = batch_open(rng, shape, inputs);
            b.row_offset = variant == 1 ? 1 + (uint32_t)inputs_below(inputs, 40) : 0;
            b.draw = variant >= 2 ? 1 + (uint32_t)inputs_below(inputs, 3) : 0;
            b.list = variant == 3;
            draw(&b, b.rows);
            assert_stream(&b);
            free(b.noise);
        }
}

START_TEST(elements_are_numbered_through_the_array)
{
    struct inputs inputs = {1};
    select_isa(_i);
    for (size_t i = 0; i < SHAPES; i++)
        check_places(&shapes[i], &inputs);
}
END_TEST

/* JAX's counter passes 2^32. */
START_TEST(elements_have_64_bits)
{
    struct inputs inputs = {2};
    select_isa(_i);
    struct batch b = batch_open(CORE_RNG_JAX, &(struct shape){3, 1000, 2}, &inputs);
    b.row_offset = UINT32_MAX / 1000 - 1;
    draw(&b, b.rows);
    assert_stream(&b);
    b.row_offset = 4000000000;
    draw(&b, b.rows);
    assert_stream(&b);
    free(b.noise);
}
END_TEST

/* Without a table, and with one of each block or of some. */
static void check_parts(const struct shape *shape, struct inputs *inputs)
{
    static const size_t every[] = {0, 1, 2, 7};
    struct batch b = batch_open(CORE_RNG_TORCH, shape, inputs);
    b.row_offset = 11;
    b.draw = 2;
    draw(&b, b.rows);
    real *whole = b.noise;
    b.noise = reals(b.count);
    for (size_t i = 0; i < sizeof every / sizeof *every; i++) {
        if (every[i] > 0)
            open_table(&b, every[i]);
        for (size_t part = 1; part <= b.rows; part = 3 * part + 1) {
            draw(&b, part);
            ck_assert(same_reals(b.noise, whole, b.count));
        }
        free(b.table.blocks);
        b.table.blocks = NULL;
    }
    free(b.noise);
    free(whole);
}

START_TEST(parts_and_tables_change_no_bit)
{
    struct inputs inputs = {3};
    select_isa(_i);
    for (size_t i = 0; i < SHAPES; i++)
        check_parts(&shapes[i], &inputs);
}
END_TEST

TEST_SUITE(PART)
{
    Suite *suite = suite_create(SUITE("streams"));
    TCase *tests = tcase_create("streams");
    tcase_set_timeout(tests, 60);
    tcase_add_isa_test(tests, elements_are_numbered_through_the_array);
    tcase_add_isa_test(tests, elements_have_64_bits);
    tcase_add_isa_test(tests, parts_and_tables_change_no_bit);
    suite_add_tcase(suite, tests);
    return suite;
}
