/* dtype.h: the tensor types of GGUF that lichen reads, with their block geometry and reference
 * decode. Ids are ggml's (ggml.h, enum ggml_type). The layouts are in block.h. */
#ifndef LICHEN_DTYPE_H
#define LICHEN_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dtype {
    DTYPE_F32 = 0,
    DTYPE_F16 = 1,
    DTYPE_Q4_0 = 2,
    DTYPE_Q4_1 = 3,
    DTYPE_Q5_0 = 6,
    DTYPE_Q5_1 = 7,
    DTYPE_Q8_0 = 8,
    DTYPE_Q4_K = 12,
    DTYPE_Q5_K = 13,
    DTYPE_Q6_K = 14,
    DTYPE_IQ4_NL = 20,
    DTYPE_IQ4_XS = 23,
    DTYPE_I32 = 26,
    DTYPE_BF16 = 30,
    DTYPE_ID_COUNT = 43,
};

struct dtype_info {
    const char *name;       /* "Q4_0" */
    uint32_t block_weights; /* weights in a block: 1, 32, 256 */
    uint32_t block_size;    /* bytes of a block */
    /* Decodes block_count consecutive blocks to block_count * block_weights floats. NULL for
     * integer types. blocks need no alignment. */
    void (*decode)(const void *blocks, float *dst, size_t block_count);
};

/* NULL when lichen does not read the type. */
const struct dtype_info *dtype_find(uint32_t id);
/* The published name of any id, also of those lichen refuses ("Q2_K"); "type N" when unknown. */
const char *dtype_name(uint32_t id, char scratch[16]);

#endif
