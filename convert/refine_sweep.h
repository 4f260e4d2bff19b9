/* refine_sweep.h: coordinate descent on REFINE_LANES rows at once, compiled once an instruction
 * set. With E = W - Q (rows), H the damped Hessian and G = E H, a change D of Q takes
 *   2 D G^T - D H D^T
 * off the objective tr(E H E^T); G -= D H keeps up. Every row is a lane and meets no other.
 * Internal to refine. */
#ifndef LICHEN_REFINE_SWEEP_H
#define LICHEN_REFINE_SWEEP_H

#include "instruction_set.h"
#include "refine_block.h"

enum { REFINE_LANES = 16, REFINE_PANEL_MAX = 256 };

typedef float refine_lane[REFINE_LANES];

struct refine_rows {
    const struct refine_type *type;
    const float *hessian; /* [columns, columns] */
    uint32_t columns;
    refine_lane *weight;   /* [columns] W */
    refine_lane *level;    /* [columns], as scale, offset, d and m as in refine_block.h */
    refine_lane *gradient; /* [columns] G */
    refine_lane *scale;    /* [columns / group] */
    refine_lane *offset;
    refine_lane *d; /* [columns / (group * groups)] */
    refine_lane *m;
    refine_lane *change;     /* [REFINE_PANEL_MAX] of Q since the panel was begun */
    refine_lane *factor[2];  /* [REFINE_PANEL_MAX] what a scale and an offset are multiplied by */
    refine_lane *product[2]; /* [REFINE_PANEL_MAX] the same times H */
};

/* weight and blocks are there: G. */
typedef void refine_begin(struct refine_rows *rows);
/* Every scale and every code once. */
typedef void refine_sweep(struct refine_rows *rows);
INSTRUCTION_SET_DECLARE(refine_begin, refine_begin_rows);
INSTRUCTION_SET_DECLARE(refine_sweep, refine_sweep_rows);

/* What the blocks say of a column. */
static inline void refine_value(const struct refine_rows *rows, uint32_t column, refine_lane value)
{
    uint32_t group = column / rows->type->group, block = group / rows->type->groups;
    for (int k = 0; k < REFINE_LANES; k++)
        value[k] = rows->d[block][k] * rows->scale[group][k] * rows->level[column][k] +
                   rows->m[block][k] * rows->offset[group][k];
}

#endif
