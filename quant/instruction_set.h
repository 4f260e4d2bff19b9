/* instruction_set.h: which vector instructions this processor has. Hot loops are compiled once a
 * set and chosen when they run; they keep the order of every sum and fuse no product, so that all
 * sets give the same bits. */
#ifndef LICHEN_INSTRUCTION_SET_H
#define LICHEN_INSTRUCTION_SET_H

enum instruction_set {
    INSTRUCTION_SET_PLAIN,
    INSTRUCTION_SET_AVX2,
    INSTRUCTION_SET_AVX512, /* F, BW, DQ and VL */
    INSTRUCTION_SET_COUNT
};

/* The last one that this processor runs; it runs those before it, too. */
enum instruction_set instruction_set_best(void);

/* A function's name in the set that its file is compiled for: IN_SET(refine_sweep) is
 * refine_sweep_avx2. CMake's lichen_instruction_sets gives INSTRUCTION_SET its name. */
#define IN_SET_JOIN(name, set) name##_##set
#define IN_SET_EXPAND(name, set) IN_SET_JOIN(name, set)
#ifdef INSTRUCTION_SET
#define IN_SET(name) IN_SET_EXPAND(name, INSTRUCTION_SET)
#endif

#if defined(__x86_64__)
#define INSTRUCTION_SET_DECLARE(type, name) type name##_plain, name##_avx2, name##_avx512
#define INSTRUCTION_SET_TABLE(name)                                                                \
    {                                                                                              \
        name##_plain, name##_avx2, name##_avx512                                                   \
    }
#else
#define INSTRUCTION_SET_DECLARE(type, name) type name##_plain
#define INSTRUCTION_SET_TABLE(name)                                                                \
    {                                                                                              \
        name##_plain, name##_plain, name##_plain                                                   \
    }
#endif

#endif
