/* The bits of the core's results on one instruction set, against golden hashes: one line for each family of cases
 * (function, type, how the parameters come, lengths), a hash over all results of the family.
 *
 *   digest ISA GOLDEN [EVERY]    compares; a line for each family that differs, then "N passed, N failed"
 *   digest ISA                   prints the lines of a golden file
 *
 * Every case is computed by one call, by 2, 3 and 4 threads, and in two calls for each row at which the batch can be
 * split; all must agree with the bits that enter the hash. (EVERY = n: only each nth batch is divided, for emulators.)
 * Inputs come from integers alone, so that they are the same
 * on every machine. Ends with 77 if this machine does not run the instruction set. */
#include "core.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOT_HERE = 77, MAX_ROWS = 21, MAX_THREADS = 4, MAX_FAMILIES = 1000 };

/* One batch. Every function takes from it what it needs. */
struct problem {
    size_t rows, classes;
    const float *logits;
    const uint32_t *words; /* as many as logits, any bits */
    struct core_per_row parameter;
    struct core_noise noise;
};

/* A function under test: computes rows first .. first+count-1 into `result`, whose rows have row_size(classes) bytes.
 * To add a function is to add a row to `functions`. */
struct function {
    const char *name, *type;
    int (*run)(const struct problem *problem, void *result, size_t first, size_t count);
    size_t (*row_size)(size_t classes);
};

static size_t size_of_floats(size_t classes)
{
    return classes * sizeof(float);
}

static struct core_softmax_call softmax_call(const struct problem *p, float *result)
{
    return (struct core_softmax_call){
        .logits = p->logits, .rows = p->rows, .classes = p->classes, .temperature = p->parameter, .result = result};
}

static int run_softmax(const struct problem *p, void *result, size_t first, size_t count)
{
    size_t bad;
    struct core_softmax_call call = softmax_call(p, result);
    return core_softmax(&call, first, count, &bad);
}

static int run_log_softmax(const struct problem *p, void *result, size_t first, size_t count)
{
    size_t bad;
    struct core_softmax_call call = softmax_call(p, result);
    return core_log_softmax(&call, first, count, &bad);
}

static int run_gumbel(const struct problem *p, float *result, size_t first, size_t count, bool hard)
{
    size_t bad;
    struct core_gumbel_softmax_call call = {.logits = p->logits,
                                            .rows = p->rows,
                                            .classes = p->classes,
                                            .tau = p->parameter,
                                            .hard = hard,
                                            .noise = p->noise,
                                            .samples = result};
    return core_gumbel_softmax(&call, first, count, &bad);
}

static int run_gumbel_soft(const struct problem *p, void *result, size_t first, size_t count)
{
    return run_gumbel(p, result, first, count, false);
}

static int run_gumbel_hard(const struct problem *p, void *result, size_t first, size_t count)
{
    return run_gumbel(p, result, first, count, true);
}

static int run_noise_words(const struct problem *p, void *result, size_t first, size_t count)
{
    uint32_t *words = result;
    for (size_t r = first; r < first + count; r++) {
        uint32_t row = p->noise.row_offset + (p->noise.stride == 0 ? (uint32_t)r : 0);
        core_noise_words(words + r * p->classes, 0, p->classes, p->noise.seed[r * p->noise.stride], row, p->noise.draw,
                         p->words[0]);
    }
    return CORE_OK;
}

static int run_exponential(const struct problem *p, void *result, size_t first, size_t count)
{
    float *exponential = result;
    core_exponential(p->words + first * p->classes, exponential + first * p->classes, count * p->classes);
    return CORE_OK;
}

static const struct function functions[] = {
    {"noise_words", "u32", run_noise_words, size_of_floats},
    {"exponential", "f32", run_exponential, size_of_floats},
    {"softmax", "f32", run_softmax, size_of_floats},
    {"log_softmax", "f32", run_log_softmax, size_of_floats},
    {"gumbel_softmax", "f32", run_gumbel_soft, size_of_floats},
    {"gumbel_softmax_hard", "f32", run_gumbel_hard, size_of_floats},
};

/* Lengths first .. last, each in `variants` batches of `rows` rows. Rows share groups of 16 when they are short. */
static const struct lengths {
    size_t first, last, rows;
    unsigned variants;
} all_lengths[] = {
    {1, 63, 21, 3},     {64, 257, 9, 2},      {1000, 1000, 7, 7},     {4096, 4096, 5, 4},
    {4097, 4097, 5, 4}, {32000, 32000, 5, 2}, {128256, 128256, 5, 1},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void *allocate(size_t size)
{
    void *memory = malloc(size);
    if (memory == NULL) {
        fputs("digest: out of memory\n", stderr);
        exit(2);
    }
    return memory;
}

/* splitmix64 (Steele et al. 2014). */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

static uint64_t fnv1a(uint64_t digest, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        digest = (digest ^ bytes[i]) * UINT64_C(0x100000001b3);
    return digest;
}

/* One logit, exactly: a multiple of a power of two. Kinds: about a unit; wide; huge; subnormal; few values, so that
 * many are equal. */
static float logit(unsigned kind, uint32_t word)
{
    static const float unit[] = {0x1p-21f, 0x1p-17f, 0x1p103f, 0x1p-149f, 0x1p-1f};
    int32_t integer = (int32_t)word >> (kind == 4 ? 29 : 8);
    return (float)integer * unit[kind];
}

/* Logits of a kind; every other batch has classes of -inf, but never all of a row. */
static void fill(float *logits, uint32_t *words, size_t rows, size_t classes, unsigned kind, uint64_t *state)
{
    for (size_t i = 0; i < rows * classes; i++) {
        uint64_t random = next(state);
        words[i] = (uint32_t)random;
        logits[i] = logit(kind, (uint32_t)(random >> 32));
        if (classes % 2 == 1 && random % 16 == 1 && i % classes != 0)
            logits[i] = -__builtin_inff();
    }
}

struct part {
    const struct function *function;
    const struct problem *problem;
    void *result;
    size_t first, count;
    int status;
};

static void *run_part(void *argument)
{
    struct part *part = argument;
    part->status = part->function->run(part->problem, part->result, part->first, part->count);
    return NULL;
}

static int run_threads(const struct function *function, const struct problem *problem, void *result, size_t threads)
{
    pthread_t thread[MAX_THREADS];
    struct part part[MAX_THREADS];
    int status = CORE_OK;
    for (size_t t = 0; t < threads; t++) {
        size_t first = problem->rows * t / threads, end = problem->rows * (t + 1) / threads;
        part[t] = (struct part){function, problem, result, first, end - first, CORE_OK};
        if (pthread_create(&thread[t], NULL, run_part, &part[t]) != 0)
            exit(2);
    }
    for (size_t t = 0; t < threads; t++) {
        pthread_join(thread[t], NULL);
        if (part[t].status != CORE_OK)
            status = part[t].status;
    }
    return status;
}

/* In one call (threads = 1, split = 0), by several threads, or in two calls that meet at row `split`. */
static int run_divided(const struct function *function, const struct problem *p, void *result, size_t threads,
                       size_t split)
{
    if (threads > 1)
        return run_threads(function, p, result, threads);
    int status = function->run(p, result, split, p->rows - split);
    return status != CORE_OK ? status : function->run(p, result, 0, split);
}

/* Whether every division gives the bits of `whole`; says which does not. */
static bool divisions_agree(const struct function *function, const struct problem *p, const void *whole)
{
    size_t size = p->rows * function->row_size(p->classes);
    void *result = allocate(size);
    bool agree = true;
    for (size_t way = 2; agree && way < MAX_THREADS + p->rows; way++) {
        size_t threads = way <= MAX_THREADS ? way : 1, split = way <= MAX_THREADS ? 0 : way - MAX_THREADS;
        memset(result, 0xa5, size);
        if (run_divided(function, p, result, threads, split) != CORE_OK || memcmp(result, whole, size) != 0) {
            printf("%s %s, %zu rows of %zu: other bits on %zu thread(s), split at row %zu\n", function->name,
                   function->type, p->rows, p->classes, threads, split);
            agree = false;
        }
    }
    free(result);
    return agree;
}

static unsigned long divide_every = 1, batches;

/* Adds the results of one batch to the digest; false if a call failed or a division of the rows changed the bits. */
static bool digest_problem(const struct function *function, const struct problem *problem, uint64_t *digest)
{
    size_t size = problem->rows * function->row_size(problem->classes);
    void *whole = allocate(size);
    memset(whole, 0x5a, size);
    bool good = function->run(problem, whole, 0, problem->rows) == CORE_OK;
    if (!good)
        printf("%s %s, %zu rows of %zu: failed\n", function->name, function->type, problem->rows, problem->classes);
    if (batches++ % divide_every == 0)
        good = good && divisions_agree(function, problem, whole);
    *digest = fnv1a(*digest, whole, size);
    free(whole);
    return good;
}

/* All batches of one length. */
static bool digest_length(const struct function *function, bool per_row, const struct lengths *lengths, size_t classes,
                          uint64_t *digest)
{
    static const float parameters[] = {1.0f, 0.5f, 0.0f, 7.0f, 0x1p-149f, 0x1p-7f, 0x1p126f};
    float *logits = allocate(lengths->rows * classes * sizeof(float));
    uint32_t *words = allocate(lengths->rows * classes * sizeof(uint32_t));
    bool good = true;
    for (unsigned variant = 0; variant < lengths->variants; variant++) {
        uint64_t state = classes * 100 + variant, seeds[MAX_ROWS];
        float values[MAX_ROWS];
        size_t turn = classes + variant;
        fill(logits, words, lengths->rows, classes, (unsigned)(turn % 5), &state);
        for (size_t r = 0; r < lengths->rows; r++) {
            seeds[r] = next(&state);
            values[r] = parameters[(turn / 5 + turn + r) % COUNT(parameters)];
        }
        struct problem problem = {
            .rows = lengths->rows,
            .classes = classes,
            .logits = logits,
            .words = words,
            .parameter = {values, per_row},
            .noise = {.seed = seeds, .stride = per_row, .row_offset = 0xfffffffd, .draw = variant}};
        good &= digest_problem(function, &problem, digest);
    }
    free(words);
    free(logits);
    return good;
}

struct family {
    char name[80];
    uint64_t digest;
    bool good; /* all divisions agree */
};

static struct family family(const struct function *function, bool per_row, const struct lengths *lengths)
{
    struct family f = {.digest = UINT64_C(0xcbf29ce484222325), .good = true};
    char range[32];
    snprintf(range, sizeof(range), lengths->first == lengths->last ? "%zu" : "%zu..%zu", lengths->first, lengths->last);
    snprintf(f.name, sizeof(f.name), "%s %s %s %s", function->name, function->type, per_row ? "per_row" : "common",
             range);
    for (size_t classes = lengths->first; classes <= lengths->last; classes++)
        f.good &= digest_length(function, per_row, lengths, classes, &f.digest);
    return f;
}

/* The golden file's lines; their count, or exits. */
static size_t read_golden(const char *path, struct family *golden)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    size_t count = 0;
    char line[160], part[4][40];
    while (fgets(line, sizeof(line), file) != NULL) {
        struct family *g = &golden[count];
        unsigned long long digest;
        if (line[0] == '#')
            continue;
        if (count == MAX_FAMILIES ||
            sscanf(line, "%39s %39s %39s %39s %llx", part[0], part[1], part[2], part[3], &digest) != 5) {
            fprintf(stderr, "digest: %s: not a line of hashes: %s", path, line);
            exit(2);
        }
        snprintf(g->name, sizeof(g->name), "%.19s %.19s %.19s %.19s", part[0], part[1], part[2], part[3]);
        g->digest = digest;
        count++;
    }
    fclose(file);
    return count;
}

static bool is_golden(const struct family *f, const struct family *golden, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(golden[i].name, f->name) == 0) {
            if (golden[i].digest != f->digest)
                printf("%s: %016llx, golden %016llx\n", f->name, (unsigned long long)f->digest,
                       (unsigned long long)golden[i].digest);
            return golden[i].digest == f->digest;
        }
    printf("%s: not in the golden file\n", f->name);
    return false;
}

/* Prints or compares every family; how many failed. */
static size_t all_families(const struct family *golden, size_t golden_count, size_t *families)
{
    size_t failed = 0;
    *families = 0;
    for (size_t i = 0; i < COUNT(functions); i++)
        for (int per_row = 0; per_row < 2; per_row++)
            for (size_t l = 0; l < COUNT(all_lengths); l++) {
                struct family f = family(&functions[i], per_row != 0, &all_lengths[l]);
                if (golden == NULL)
                    printf("%s %016llx\n", f.name, (unsigned long long)f.digest);
                if (!f.good || (golden != NULL && !is_golden(&f, golden, golden_count)))
                    failed++;
                ++*families;
            }
    return failed;
}

static int select_by_name(const char *name)
{
    for (int isa = 0; isa < CORE_ISA_COUNT; isa++)
        if (strcmp(core_isa_name((enum core_isa)isa), name) == 0)
            return core_select((enum core_isa)isa);
    fprintf(stderr, "digest: no instruction set \"%s\"\n", name);
    exit(2);
}

int main(int argc, char **argv)
{
    static struct family golden[MAX_FAMILIES];
    if (argc < 2 || argc > 4) {
        fputs("usage: digest sse2|avx2|avx512|neon [GOLDEN [EVERY]]\n", stderr);
        return 2;
    }
    size_t families, failed, count = argc > 2 ? read_golden(argv[2], golden) : 0;
    if (argc == 4 && (divide_every = strtoul(argv[3], NULL, 10)) == 0)
        return 2;
    if (select_by_name(argv[1]) != CORE_OK)
        return NOT_HERE;
    failed = all_families(argc > 2 ? golden : NULL, count, &families);
    if (argc > 2 && count > families) {
        printf("the golden file has %zu line(s) of no function\n", count - families);
        failed += count - families;
        families = count;
    }
    if (argc > 2)
        printf("%zu passed, %zu failed\n", families - failed, failed);
    return failed > 0;
}
