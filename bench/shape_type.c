/* shape_type.c: the table of types and mixes. */
#include "shape_type.h"
#include <string.h>

enum spread { SPREAD_NONE, SPREAD_MEDIUM, SPREAD_SMALL };

struct shape_type {
    const char *name;
    enum dtype base;
    enum dtype head; /* output, or the embedding when it is tied */
    enum spread spread;
    enum dtype more;  /* attn_v and ffn_down of the layers that the spread chooses */
    enum dtype fused; /* attn_qkv */
};

#define PLAIN(text, dtype)                                                                         \
    {                                                                                              \
        text, dtype, dtype, SPREAD_NONE, dtype, dtype                                              \
    }

static const struct shape_type types[] = {
    {"q4_k_m", DTYPE_Q4_K, DTYPE_Q6_K, SPREAD_MEDIUM, DTYPE_Q6_K, DTYPE_Q5_K},
    {"q4_k_s", DTYPE_Q4_K, DTYPE_Q6_K, SPREAD_SMALL, DTYPE_Q5_K, DTYPE_Q4_K},
    {"q5_k_m", DTYPE_Q5_K, DTYPE_Q6_K, SPREAD_MEDIUM, DTYPE_Q6_K, DTYPE_Q6_K},
    {"q5_k_s", DTYPE_Q5_K, DTYPE_Q6_K, SPREAD_NONE, DTYPE_Q5_K, DTYPE_Q5_K},
    PLAIN("q4_0", DTYPE_Q4_0),
    PLAIN("q4_1", DTYPE_Q4_1),
    PLAIN("q5_0", DTYPE_Q5_0),
    PLAIN("q5_1", DTYPE_Q5_1),
    PLAIN("q8_0", DTYPE_Q8_0),
    PLAIN("q4_k", DTYPE_Q4_K),
    PLAIN("q5_k", DTYPE_Q5_K),
    PLAIN("q6_k", DTYPE_Q6_K),
    PLAIN("iq4_nl", DTYPE_IQ4_NL),
    PLAIN("iq4_xs", DTYPE_IQ4_XS),
    PLAIN("f16", DTYPE_F16),
    PLAIN("bf16", DTYPE_BF16),
    PLAIN("f32", DTYPE_F32),
};

const struct shape_type *shape_type_find(const char *name)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

const char *shape_type_name(size_t i)
{
    return i < sizeof types / sizeof *types ? types[i].name : NULL;
}

/* The first and last eighth of the layers and every third between. */
static bool layer_is_medium(uint32_t layer, uint32_t layers)
{
    uint32_t eighth = layers / 8;
    return layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2;
}

static enum dtype wanted(const struct shape_type *type, enum shape_role role, uint32_t layer,
                         uint32_t layers)
{
    uint32_t small = role == ROLE_V ? 4 : layers / 8;
    switch (role) {
    case ROLE_HEAD:
        return type->head;
    case ROLE_QKV:
        return type->fused;
    case ROLE_V:
    case ROLE_DOWN:
        if ((type->spread == SPREAD_MEDIUM && layer_is_medium(layer, layers)) ||
            (type->spread == SPREAD_SMALL && layer < small))
            return type->more;
        break;
    case ROLE_OTHER:
        break;
    }
    return type->base;
}

enum dtype shape_type_of(const struct shape_type *type, enum shape_role role, uint32_t layer,
                         uint32_t layers, uint32_t cols)
{
    enum dtype dtype = wanted(type, role, layer, layers);
    if (cols % dtype_find(dtype)->block_weights == 0)
        return dtype;
    switch (dtype) {
    case DTYPE_Q4_K:
        return DTYPE_Q5_0;
    case DTYPE_Q5_K:
        return DTYPE_Q5_1;
    case DTYPE_Q6_K:
        return DTYPE_Q8_0;
    case DTYPE_IQ4_XS:
        return DTYPE_IQ4_NL;
    default:
        return DTYPE_F16;
    }
}
