/* exp, log and the map from random words to E ~ Exp(1), over all 2^32 inputs, on one instruction set.
 *
 *   exhaustive ISA THREADS EVERY [ulp]
 *
 * (EVERY = n: only each nth block of 4096 inputs, for emulators; 1 is all.)
 * A line for each function: the instruction set, the function, how many of the 2^32 bit patterns are inputs of it,
 * a hash of all results in the order of the inputs, and the seconds. With `ulp` also the largest error against double
 * in units of the last place of the float nearest the true result, and the input where it is. Ends with 77 if this
 * machine does not run the instruction set. */
#include "core.h"
#include "loops.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NOT_HERE = 77, CHUNKS = 1024, CHUNK = 1 << 22, BLOCK = 4096, MAX_THREADS = 256 };

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* Where exp does not overflow; NaN is no input. Below -86.6 the core's exp is 0. */
static bool exp_takes(uint32_t bits)
{
    return float_of(bits) <= 88.37f;
}

static bool exp_is_measured(uint32_t bits)
{
    return exp_takes(bits) && float_of(bits) >= -86.6f;
}

static double exp_true(uint32_t bits)
{
    return exp((double)float_of(bits));
}

/* Positive normal floats. */
static bool log_takes(uint32_t bits)
{
    return bits >= 0x00800000 && bits < 0x7f800000;
}

static double log_true(uint32_t bits)
{
    return log((double)float_of(bits));
}

static bool any(uint32_t bits)
{
    (void)bits;
    return true;
}

static double exponential_true(uint32_t word)
{
    double t = ((double)(word < ~word ? word : ~word) + 0.5) * 0x1p-32;
    return word < 0x80000000 ? -log1p(-t) : -log(t);
}

/* Inputs that a function does not take are replaced by `instead`. */
static const struct function {
    const char *name;
    size_t loop; /* its place in struct loops */
    bool (*takes)(uint32_t bits);
    uint32_t instead;
    bool (*is_measured)(uint32_t bits);
    double (*true_value)(uint32_t bits);
} functions[] = {
    {"exp", offsetof(struct loops, exp), exp_takes, 0, exp_is_measured, exp_true},
    {"exp_scaled", offsetof(struct loops, exp_scaled), exp_takes, 0, exp_is_measured, exp_true},
    {"log", offsetof(struct loops, log), log_takes, 0x3f800000, log_takes, log_true},
    {"exponential", offsetof(struct loops, exponential), any, 0, any, exponential_true},
};

static const struct loops *const loops_of[CORE_ISA_COUNT] = {
#if defined(__x86_64__)
    [CORE_SSE2] = &loops_sse2,
    [CORE_AVX2] = &loops_avx2,
    [CORE_AVX512] = &loops_avx512,
#else
    [CORE_NEON] = &loops_neon,
#endif
};

struct chunk {
    uint64_t digest, taken;
    double worst; /* ulp */
    uint32_t worst_at;
};

struct sweep {
    const struct function *function;
    void (*loop)(const uint32_t *in, float *out, size_t count);
    bool ulp;
    uint32_t every;
    atomic_size_t next;
    struct chunk chunk[CHUNKS];
};

/* FNV-1a's step, but for 64 bits at a time, with the high bits folded back. */
static uint64_t mix(uint64_t digest, uint64_t bits)
{
    digest = (digest ^ bits) * UINT64_C(0x9E3779B97F4A7C15);
    return digest ^ (digest >> 29);
}

static uint64_t mix_floats(uint64_t digest, const float *y, size_t count)
{
    for (size_t i = 0; i < count; i += 2) {
        uint64_t bits;
        memcpy(&bits, y + i, sizeof(bits));
        digest = mix(digest, bits);
    }
    return digest;
}

/* |y - truth| in the spacing of floats at the truth. */
static double error_in_ulp(float y, double truth)
{
    double rounded = fabs((double)(float)truth);
    uint32_t bits;
    float f = (float)rounded;
    memcpy(&bits, &f, sizeof(bits));
    int exponent = (int)(bits >> 23) > 0 ? (int)(bits >> 23) - 150 : -149;
    return fabs((double)y - truth) * ldexp(1.0, -exponent);
}

static void measure(struct chunk *chunk, const struct function *function, uint32_t first, const float *y)
{
    for (uint32_t i = 0; i < BLOCK; i++) {
        uint32_t bits = first + i;
        if (!function->is_measured(bits))
            continue;
        double error = error_in_ulp(y[i], function->true_value(bits));
        if (!(error <= chunk->worst)) { /* NaN counts as worst */
            chunk->worst = error;
            chunk->worst_at = bits;
        }
    }
}

static void sweep_chunk(struct sweep *sweep, size_t index)
{
    const struct function *function = sweep->function;
    struct chunk chunk = {.digest = UINT64_C(0xcbf29ce484222325)};
    uint32_t in[BLOCK], first = (uint32_t)index * CHUNK;
    float out[BLOCK];
    for (uint32_t at = 0; at < CHUNK; at += BLOCK) {
        if ((at / BLOCK + index) % sweep->every != 0)
            continue;
        for (uint32_t i = 0; i < BLOCK; i++) {
            bool taken = function->takes(first + at + i);
            in[i] = taken ? first + at + i : function->instead;
            chunk.taken += taken;
        }
        sweep->loop(in, out, BLOCK);
        chunk.digest = mix_floats(chunk.digest, out, BLOCK);
        if (sweep->ulp)
            measure(&chunk, function, first + at, out);
    }
    sweep->chunk[index] = chunk;
}

static void *sweep_thread(void *argument)
{
    struct sweep *sweep = argument;
    for (size_t index; (index = atomic_fetch_add(&sweep->next, 1)) < CHUNKS;)
        sweep_chunk(sweep, index);
    return NULL;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void run_sweep(struct sweep *sweep, size_t threads)
{
    pthread_t thread[MAX_THREADS];
    for (size_t t = 0; t < threads; t++)
        if (pthread_create(&thread[t], NULL, sweep_thread, sweep) != 0)
            exit(2);
    for (size_t t = 0; t < threads; t++)
        pthread_join(thread[t], NULL);
}

static void report(const char *isa, const struct sweep *sweep, double seconds)
{
    struct chunk all = {.digest = UINT64_C(0xcbf29ce484222325)};
    for (size_t i = 0; i < CHUNKS; i++) {
        const struct chunk *chunk = &sweep->chunk[i];
        all.digest = mix(all.digest, chunk->digest);
        all.taken += chunk->taken;
        if (!(chunk->worst <= all.worst)) {
            all.worst = chunk->worst;
            all.worst_at = chunk->worst_at;
        }
    }
    printf("%-8s%-13s%11llu  %016llx %8.1f s", isa, sweep->function->name, (unsigned long long)all.taken,
           (unsigned long long)all.digest, seconds);
    if (sweep->ulp)
        printf("  %.4f ulp at 0x%08x", all.worst, (unsigned)all.worst_at);
    putchar('\n');
    fflush(stdout);
}

static int isa_by_name(const char *name)
{
    int isa = 0;
    while (isa < CORE_ISA_COUNT && strcmp(core_isa_name((enum core_isa)isa), name) != 0)
        isa++;
    return isa;
}

int main(int argc, char **argv)
{
    static struct sweep sweep;
    size_t threads = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    int isa = argc > 1 ? isa_by_name(argv[1]) : CORE_ISA_COUNT;
    bool ulp = argc == 5 && strcmp(argv[4], "ulp") == 0;
    sweep.every = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
    if (isa == CORE_ISA_COUNT || threads < 1 || threads > MAX_THREADS || sweep.every < 1 || argc > 5 ||
        (argc == 5 && !ulp)) {
        fputs("usage: exhaustive sse2|avx2|avx512|neon THREADS EVERY [ulp]\n", stderr);
        return 2;
    }
    if (!core_isa_supported((enum core_isa)isa))
        return NOT_HERE;
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        const char *loop = (const char *)loops_of[isa] + functions[i].loop;
        sweep.function = &functions[i];
        memcpy(&sweep.loop, loop, sizeof(sweep.loop));
        sweep.ulp = ulp;
        atomic_store(&sweep.next, 0);
        double start = seconds_now();
        run_sweep(&sweep, threads);
        report(argv[1], &sweep, seconds_now() - start);
    }
    return 0;
}
