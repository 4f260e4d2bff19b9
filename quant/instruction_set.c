/* instruction_set.c: see instruction_set.h. */
#include "instruction_set.h"

enum instruction_set instruction_set_best(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return INSTRUCTION_SET_AVX512;
    if (__builtin_cpu_supports("avx2"))
        return INSTRUCTION_SET_AVX2;
#endif
    return INSTRUCTION_SET_PLAIN;
}
