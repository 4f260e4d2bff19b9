/* refine_block.h: blocks of all types that are refined in one form:
 *   y[i] = (d scale[g]) level[i] + m offset[g],  g = i / group
 * d and m are binary16, scale and offset integers, level an integer or a value of IQ4's table.
 * Internal to refine. */
#ifndef LICHEN_REFINE_BLOCK_H
#define LICHEN_REFINE_BLOCK_H

#include "dtype.h"

enum { REFINE_GROUPS_MAX = 16, REFINE_WEIGHTS_MAX = 256 };

struct refine_type {
    uint32_t group, groups;        /* weights a group, groups a block */
    float level_low, level_high;   /* both 0: IQ4's table */
    float scale_low, scale_high;   /* both 1: one group, the scale is d alone */
    float offset_low, offset_high; /* both 0: no m; both 1: one group; K: -63 .. 0 */
};

struct refine_block {
    float d, m;
    float scale[REFINE_GROUPS_MAX], offset[REFINE_GROUPS_MAX];
    float level[REFINE_WEIGHTS_MAX];
};

/* NULL for types that are not refined. */
const struct refine_type *refine_type_find(enum dtype dtype);
void refine_unpack(enum dtype dtype, const void *bytes, struct refine_block *block);
void refine_pack(enum dtype dtype, const struct refine_block *block, void *bytes);

#endif
