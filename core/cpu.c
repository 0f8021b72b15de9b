/* On x86-64 this takes two answers: CPUID says which instructions the processor has, XCR0 which registers the operating
 * system saves at a task switch. (Intel SDM volume 1, 14.3 and 15.2.) On aarch64 NEON is always there. */
#include "cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>

#define XCR0_SSE_AVX 0x06u     /* XMM, YMM */
#define XCR0_SSE_AVX_512 0xe6u /* and the masks, ZMM0-15, ZMM16-31 */

#define LEAF7_AVX512 (bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL)

static unsigned xcr0(void)
{
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

bool core_cpu_runs(enum core_isa isa)
{
    unsigned a, b, c, d, extended, saved;
    if (isa == CORE_SSE2)
        return true;
    if (isa != CORE_AVX2 && isa != CORE_AVX512)
        return false;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX) || !(c & bit_FMA))
        return false;
    if (!__get_cpuid_count(7, 0, &a, &extended, &c, &d) || !(extended & bit_AVX2))
        return false;
    saved = xcr0();
    if (isa == CORE_AVX2)
        return (saved & XCR0_SSE_AVX) == XCR0_SSE_AVX;
    return (extended & LEAF7_AVX512) == LEAF7_AVX512 && (saved & XCR0_SSE_AVX_512) == XCR0_SSE_AVX_512;
}

#else

bool core_cpu_runs(enum core_isa isa)
{
    return isa == CORE_NEON;
}

#endif
