/* plan_linear.h: the linear layers of a plan, seen from what they are given: for calibration. */
#ifndef LICHEN_PLAN_LINEAR_H
#define LICHEN_PLAN_LINEAR_H

#include "plan.h"

struct plan_linear {
    uint32_t step;   /* the product that uses the input first */
    uint32_t weight; /* index of the matrix */
    uint32_t source; /* the step that wrote the input: one number for weights that share an input */
};

/* The matrix products over the tokens of a run in the plan's order, one a pair of matrix and input:
 * those that take other rows of the same matrix (fused qkv) are left out, and so is what only meets
 * the rows whose logits are wanted (the head). dst: [step_count]. How many there are. */
uint32_t plan_linears(const struct plan *plan, struct plan_linear *dst);

#endif
