/* The floating-point environment that the kernels count on: rounding to nearest, subnormals kept, no traps. */
#ifndef CORE_FLOAT_ENVIRONMENT_H
#define CORE_FLOAT_ENVIRONMENT_H

#include <stdint.h>

/* What a call must leave as it found it: control bits and sticky exception flags. */
struct float_environment {
    uint32_t control, status;
};

#if defined(__x86_64__)
#include <xmmintrin.h>

#define MXCSR_DEFAULT 0x1f80u /* all exceptions masked, round to nearest, no FTZ, no DAZ */
#define MXCSR_FLAGS 0x3fu     /* which exceptions have occurred */

static inline struct float_environment float_environment_enter(void)
{
    struct float_environment caller = {.control = _mm_getcsr()};
    if ((caller.control & ~MXCSR_FLAGS) != MXCSR_DEFAULT)
        _mm_setcsr(MXCSR_DEFAULT);
    return caller;
}

static inline void float_environment_leave(const struct float_environment *caller)
{
    if (_mm_getcsr() != caller->control)
        _mm_setcsr(caller->control);
}

#elif defined(__aarch64__)

static inline struct float_environment float_environment_enter(void)
{
    struct float_environment caller = {__builtin_aarch64_get_fpcr(), __builtin_aarch64_get_fpsr()};
    if (caller.control != 0)
        __builtin_aarch64_set_fpcr(0);
    return caller;
}

static inline void float_environment_leave(const struct float_environment *caller)
{
    if (caller->control != 0)
        __builtin_aarch64_set_fpcr(caller->control);
    if (__builtin_aarch64_get_fpsr() != caller->status)
        __builtin_aarch64_set_fpsr(caller->status);
}

#endif

/* Enters that environment; the caller's is restored at the end of the block, after the value that it returns. */
#define FLOAT_ENVIRONMENT_SCOPE()                                                                                      \
    const struct float_environment caller __attribute__((cleanup(float_environment_leave))) = float_environment_enter()

#endif
