/* dtype.c: the one table of tensor types. Types without a block are known by name only, so that a
 * refusal can name them. */
#include "dtype.h"
#include "block.h"
#include "decode.h"

#include <stdio.h>

#define BLOCK(id, block, weights, decoder)                                                         \
    [DTYPE_##id] = {#id, weights, (uint32_t)sizeof(block), decoder}

static const struct dtype_info infos[DTYPE_ID_COUNT] = {
    BLOCK(F32, float, 1, decode_f32),
    BLOCK(F16, uint16_t, 1, decode_f16),
    BLOCK(Q4_0, struct block_q4_0, BLOCK_WEIGHTS, decode_q4_0),
    BLOCK(Q4_1, struct block_q4_1, BLOCK_WEIGHTS, decode_q4_1),
    BLOCK(Q5_0, struct block_q5_0, BLOCK_WEIGHTS, decode_q5_0),
    BLOCK(Q5_1, struct block_q5_1, BLOCK_WEIGHTS, decode_q5_1),
    BLOCK(Q8_0, struct block_q8_0, BLOCK_WEIGHTS, decode_q8_0),
    BLOCK(Q4_K, struct block_q4_k, BLOCK_K_WEIGHTS, decode_q4_k),
    BLOCK(Q5_K, struct block_q5_k, BLOCK_K_WEIGHTS, decode_q5_k),
    BLOCK(Q6_K, struct block_q6_k, BLOCK_K_WEIGHTS, decode_q6_k),
    BLOCK(IQ4_NL, struct block_iq4_nl, BLOCK_WEIGHTS, decode_iq4_nl),
    BLOCK(IQ4_XS, struct block_iq4_xs, BLOCK_K_WEIGHTS, decode_iq4_xs),
    BLOCK(I32, int32_t, 1, NULL),
    BLOCK(BF16, uint16_t, 1, decode_bf16),
    [4] = {.name = "Q4_2"},
    [5] = {.name = "Q4_3"},
    [9] = {.name = "Q8_1"},
    [10] = {.name = "Q2_K"},
    [11] = {.name = "Q3_K"},
    [15] = {.name = "Q8_K"},
    [16] = {.name = "IQ2_XXS"},
    [17] = {.name = "IQ2_XS"},
    [18] = {.name = "IQ3_XXS"},
    [19] = {.name = "IQ1_S"},
    [21] = {.name = "IQ3_S"},
    [22] = {.name = "IQ2_S"},
    [24] = {.name = "I8"},
    [25] = {.name = "I16"},
    [27] = {.name = "I64"},
    [28] = {.name = "F64"},
    [29] = {.name = "IQ1_M"},
    [31] = {.name = "Q4_0_4_4"},
    [32] = {.name = "Q4_0_4_8"},
    [33] = {.name = "Q4_0_8_8"},
    [34] = {.name = "TQ1_0"},
    [35] = {.name = "TQ2_0"},
    [36] = {.name = "IQ4_NL_4_4"},
    [37] = {.name = "IQ4_NL_4_8"},
    [38] = {.name = "IQ4_NL_8_8"},
    [39] = {.name = "MXFP4"},
    [40] = {.name = "NVFP4"},
    [41] = {.name = "Q1_0"},
    [42] = {.name = "Q2_0"},
};

const struct dtype_info *dtype_find(uint32_t id)
{
    if (id >= DTYPE_ID_COUNT || infos[id].block_size == 0)
        return NULL;
    return &infos[id];
}

const char *dtype_name(uint32_t id, char scratch[16])
{
    if (id < DTYPE_ID_COUNT)
        return infos[id].name;
    snprintf(scratch, 16, "type %u", id);
    return scratch;
}
