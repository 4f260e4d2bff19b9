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

static const struct shape_type types[] = {
#define X(NAME, BASE, HEAD, SPREAD, MORE, FUSED)                                                   \
    {NAME, DTYPE_##BASE, DTYPE_##HEAD, SPREAD_##SPREAD, DTYPE_##MORE, DTYPE_##FUSED},
#include "shape_type.def"
#undef X
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
