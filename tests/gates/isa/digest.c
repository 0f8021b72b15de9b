/* The bits of the core's results on one instruction set, against golden hashes: one line for each family of cases
 * (function, type, how the parameters come, lengths), a hash over all results of the family.
 *
 *   digest ISA GOLDEN [EVERY [F32 F64]]   compares; a line for each family that differs, then "N passed, N failed"
 *   digest ISA                            prints the lines of a golden file; nothing is divided
 *
 * Every case is computed by one call, by 2, 3 and 4 threads, and in two calls for each row at which the batch can be
 * split; all must agree with the bits that enter the hash. For emulators: EVERY = n divides only each nth batch,
 * F32 and F64 leave out longer rows. Inputs come from integers alone, so that they are the same on every
 * machine. Ends with 77 if this machine does not run the instruction set. */
#include "functions.h"
#include "lib/random.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOT_HERE = 77, MAX_ROWS = 21, MAX_THREADS = 4, MAX_FAMILIES = 1000 };

static const char *type_of(const struct function *function)
{
    return function->dtype == CORE_FLOAT32 ? "f32" : "f64";
}

/* How a batch is given. */
enum way { COMMON, PER_ROW, STRIDED, WAYS }; /* one parameter and seed; one for each row; the same, strided, masked */

static const char *const way_names[WAYS] = {"common", "per_row", "strided"};

/* Lengths first .. last, each in `variants` batches of `rows` rows. Rows share groups of 16 when they are short. */
static const struct lengths {
    size_t first, last, rows, inner;
    unsigned variants;
} all_lengths[] = {
    {1, 63, 21, 7, 3},     {64, 257, 9, 3, 1},      {1000, 1000, 7, 7, 5},     {4096, 4096, 5, 5, 2},
    {4097, 4097, 5, 5, 2}, {32000, 32000, 3, 3, 1}, {128256, 128256, 2, 2, 1},
};

/* By dtype. Longer rows are left out: for an emulator of SSE2, where each fused operation is emulated as well. */
static size_t longest[2] = {SIZE_MAX, SIZE_MAX};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t fnv1a(uint64_t digest, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        digest = (digest ^ bytes[i]) * UINT64_C(0x100000001b3);
    return digest;
}

static void put(enum core_dtype dtype, void *array, size_t i, double x)
{
    if (dtype == CORE_FLOAT32)
        ((float *)array)[i] = (float)x;
    else
        ((double *)array)[i] = x;
}

/* One logit, exactly: a multiple of a power of two, of a double with more bits. Kinds: about a unit; wide; huge;
 * subnormal; few values, so that many are equal. */
static double logit(enum core_dtype dtype, unsigned kind, uint32_t word)
{
    static const double unit[2][5] = {{0x1p-21, 0x1p-17, 0x1p103, 0x1p-149, 0x1p-1},
                                      {0x1p-21, 0x1p-17, 0x1p999, 0x1p-1074, 0x1p-1}};
    int32_t integer = (int32_t)word >> (kind == 4 ? 29 : 8);
    double x = integer * unit[dtype][kind];
    return dtype == CORE_FLOAT64 && kind < 3 ? x + word * 0x1p-33 * unit[dtype][kind] : x;
}

struct inputs {
    void *logits, *cotangent;
    uint8_t *allowed;
    uint32_t *words;
};

static struct inputs inputs_open(enum core_dtype dtype, size_t count)
{
    size_t size = count * core_dtype_size(dtype);
    return (struct inputs){allocate(size), allocate(size), allocate(count), allocate(count * sizeof(uint32_t))};
}

static void inputs_close(struct inputs *inputs)
{
    free(inputs->logits);
    free(inputs->cotangent);
    free(inputs->allowed);
    free(inputs->words);
}

/* Logits of a kind; every other batch has classes of -inf, and every mask forbids some, but never the first class. */
static void fill(struct inputs *inputs, const struct problem *p, unsigned kind, struct random *random)
{
    for (size_t i = 0; i < p->rows * p->classes; i++) {
        uint64_t word = random_next(random);
        bool first = i / p->inner % p->classes == 0;
        inputs->words[i] = (uint32_t)word;
        inputs->allowed[i] = word % 8 != 5 || first;
        put(p->dtype, inputs->logits, i,
            p->classes % 2 == 1 && word % 16 == 1 && !first ? -__builtin_inf()
                                                            : logit(p->dtype, kind, (uint32_t)(word >> 32)));
        put(p->dtype, inputs->cotangent, i, (double)((int32_t)word >> 8) * 0x1p-20);
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
    size_t size = p->rows * function->row_size(p->dtype, p->classes);
    void *result = allocate(size);
    bool agree = true;
    for (size_t way = 2; agree && way < MAX_THREADS + p->rows; way++) {
        size_t threads = way <= MAX_THREADS ? way : 1, split = way <= MAX_THREADS ? 0 : way - MAX_THREADS;
        memset(result, 0xa5, size);
        if (run_divided(function, p, result, threads, split) != CORE_OK || memcmp(result, whole, size) != 0) {
            printf("%s %s, %zu rows of %zu: other bits on %zu thread(s), split at row %zu\n", function->name,
                   type_of(function), p->rows, p->classes, threads, split);
            agree = false;
        }
    }
    free(result);
    return agree;
}

static unsigned long divide_every, batches; /* 0: no batch is divided */

/* Adds the results of one batch to the digest; false if a call failed or a division of the rows changed the bits. */
static bool digest_problem(const struct function *function, const struct problem *problem, uint64_t *digest)
{
    size_t size = problem->rows * function->row_size(problem->dtype, problem->classes);
    void *whole = allocate(size);
    memset(whole, 0x5a, size);
    bool good = function->run(problem, whole, 0, problem->rows) == CORE_OK;
    if (!good)
        printf("%s %s, %zu rows of %zu: failed\n", function->name, type_of(function), problem->rows, problem->classes);
    if (divide_every > 0 && batches++ % divide_every == 0)
        good = good && divisions_agree(function, problem, whole);
    *digest = fnv1a(*digest, whole, size);
    free(whole);
    return good;
}

/* All batches of one length. */
static bool digest_length(const struct function *function, enum way way, const struct lengths *lengths, size_t classes,
                          uint64_t *digest)
{
    static const double parameters[] = {1.0, 0.5, 0.0, 7.0, 0x1p-149, 0x1p-7, 0x1p126};
    struct inputs inputs = inputs_open(function->dtype, lengths->rows * classes);
    bool good = true;
    for (unsigned variant = 0; variant < lengths->variants; variant++) {
        struct random random = {classes * 100 + variant};
        uint64_t seeds[MAX_ROWS];
        double values[MAX_ROWS];
        size_t turn = classes + variant;
        struct problem problem = {
            .dtype = function->dtype,
            .rows = lengths->rows,
            .classes = classes,
            .inner = way == STRIDED ? lengths->inner : 1,
            .logits = inputs.logits,
            .cotangent = inputs.cotangent,
            .allowed = way == STRIDED ? inputs.allowed : NULL,
            .words = inputs.words,
            .parameter = {values, way != COMMON},
            .noise = {.seed = seeds, .stride = way != COMMON, .row_offset = 0xfffffffd, .draw = variant}};
        fill(&inputs, &problem, (unsigned)(turn % 5), &random);
        for (size_t r = 0; r < lengths->rows; r++) {
            seeds[r] = random_next(&random);
            values[r] = parameters[(turn / 5 + turn + r) % COUNT(parameters)];
        }
        good &= digest_problem(function, &problem, digest);
    }
    inputs_close(&inputs);
    return good;
}

struct family {
    char name[160];
    uint64_t digest;
    bool good; /* all divisions agree */
};

static struct family family(const struct function *function, enum way way, const struct lengths *lengths)
{
    struct family f = {.digest = UINT64_C(0xcbf29ce484222325), .good = true};
    char range[32];
    snprintf(range, sizeof(range), lengths->first == lengths->last ? "%zu" : "%zu..%zu", lengths->first, lengths->last);
    snprintf(f.name, sizeof(f.name), "%s %s %s %s", function->name, type_of(function), way_names[way], range);
    for (size_t classes = lengths->first; classes <= lengths->last; classes++)
        f.good &= digest_length(function, way, lengths, classes, &f.digest);
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
    char line[240], part[4][40];
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
        snprintf(g->name, sizeof(g->name), "%.39s %.39s %.39s %.39s", part[0], part[1], part[2], part[3]);
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

/* Where long rows are left out, so are doubles that are not strided and masked. */
static bool left_out(const struct function *function, enum way way, const struct lengths *lengths)
{
    if (lengths->last > longest[function->dtype])
        return true;
    return function->dtype == CORE_FLOAT64 && longest[CORE_FLOAT64] != SIZE_MAX && way != STRIDED;
}

/* Prints or compares every family; how many failed. */
static size_t all_families(const struct family *golden, size_t golden_count, size_t *families)
{
    size_t failed = 0;
    *families = 0;
    for (size_t i = 0; i < function_count; i++)
        for (int way = 0; way < WAYS; way++)
            for (size_t l = 0; l < COUNT(all_lengths); l++) {
                if (left_out(&functions[i], (enum way)way, &all_lengths[l]))
                    continue;
                struct family f = family(&functions[i], (enum way)way, &all_lengths[l]);
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
    if (argc < 2 || argc == 5 || argc > 6) {
        fputs("usage: digest sse2|avx2|avx512|neon [GOLDEN [EVERY [F32 F64]]]\n", stderr);
        return 2;
    }
    size_t families, failed, count = argc > 2 ? read_golden(argv[2], golden) : 0;
    if (argc > 3 && (divide_every = strtoul(argv[3], NULL, 10)) == 0)
        return 2;
    for (int i = 4; i < argc; i++)
        longest[i - 4] = strtoul(argv[i], NULL, 10);
    if (select_by_name(argv[1]) != CORE_OK)
        return NOT_HERE;
    failed = all_families(argc > 2 ? golden : NULL, count, &families);
    if (argc > 2 && longest[CORE_FLOAT32] == SIZE_MAX && count > families) {
        printf("the golden file has %zu line(s) of no function\n", count - families);
        failed += count - families;
        families = count;
    }
    if (argc > 2)
        printf("%zu passed, %zu failed\n", families - failed, failed);
    return failed > 0;
}
