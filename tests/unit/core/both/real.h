/* The tests in this folder are compiled once for float and once for double (TEST_REAL, the bits of one): `real` is what
 * the core is given, `wide` what the reference computes in, and names of what is exported end in _f32 or _f64.
 * <tgmath.h> gives each function of <math.h> in the type of its arguments. */
#ifndef TESTS_UNIT_CORE_BOTH_REAL_H
#define TESTS_UNIT_CORE_BOTH_REAL_H

#include "unit/core/fences.h"
#include "unit/core/support.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tgmath.h>

#define JOIN_TOKENS(a, b, c) a##b##c
#define JOIN(a, b, c) JOIN_TOKENS(a, b, c)
#define NAME(name) JOIN(name, _f, TEST_REAL)

#if TEST_REAL == 32
typedef float real;
typedef double wide;
typedef uint32_t real_bits;
#define DTYPE CORE_FLOAT32
#define PART "core"
#define SUITE(name) "core " name ", float32"
#define UNIT 0x1p-24 /* the relative error of one rounding */
#define REAL_MAX FLT_MAX
#define REAL_TRUE_MIN FLT_TRUE_MIN
#define REAL_DEPTH 125          /* powers of two below a row's maximum that softmax tells from 0 */
#define REAL_FLUSHED 0x1.7p-125 /* and what it may at most take for 0 */
#define SUM_BLOCK 1024          /* core/math/sums.h */
#else
typedef double real;
typedef long double wide;
typedef uint64_t real_bits;
#define DTYPE CORE_FLOAT64
#define PART "core-float64"
#define SUITE(name) "core " name ", float64"
#define UNIT 0x1p-53
#define REAL_MAX DBL_MAX
#define REAL_TRUE_MIN DBL_TRUE_MIN
#define REAL_DEPTH 1021
#define REAL_FLUSHED 0x1.7p-1021
#define SUM_BLOCK 256
#endif

/* For printf, which knows no `wide`. */
#define D(x) ((double)(x))

/* malloc that fails the test instead of returning NULL; freed by free(). */
static inline void *memory_of(size_t bytes)
{
    void *memory = malloc(bytes > 0 ? bytes : 1);
    ck_assert_ptr_nonnull(memory);
    return memory;
}

static inline real *reals(size_t count)
{
    return memory_of(count * sizeof(real));
}

static inline wide *wides(size_t count)
{
    return memory_of(count * sizeof(wide));
}

/* Where the memory of `fenced` begins, and where its last `count` numbers do. */
static inline real *fenced_first(const struct fenced *fenced)
{
    return (real *)(void *)fenced_start(fenced);
}

static inline real *fenced_last(const struct fenced *fenced, size_t count)
{
    return (real *)(void *)fenced_end(fenced, count * (sizeof(real) / sizeof(float)));
}

static inline real real_of_bits(real_bits bits)
{
    real x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

static inline bool same_reals(const real *a, const real *b, size_t count)
{
    return memcmp(a, b, count * sizeof(real)) == 0;
}

static inline void fill_reals(real *logits, size_t rows, size_t classes, enum logits_kind kind, struct inputs *inputs)
{
#if TEST_REAL == 32
    fill_logits(logits, rows, classes, kind, inputs);
#else
    fill_logits_f64(logits, rows, classes, kind, inputs);
#endif
}

#endif
