/* plan_check.h: what a step must satisfy before it may run. Used by plan_finish alone. */
#ifndef LICHEN_PLAN_CHECK_H
#define LICHEN_PLAN_CHECK_H

#include "plan.h"

/* Steps are checked in order; first_step of a buffer tells whether an earlier step wrote it. A
 * fault names the step, the tensor and both numbers. */
bool plan_check_step(const struct plan *plan, uint32_t index, struct fault *fault);
/* The logits are there, [outputs, vocab], and the last step writes them. */
bool plan_check_logits(const struct plan *plan, struct fault *fault);

#endif
