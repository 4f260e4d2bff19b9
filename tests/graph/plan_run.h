/* plan_run.h: a random plan from device to logits on exec_gpu, for tests that watch it from
 * outside: validation, poisoned memory. */
#ifndef LICHEN_TEST_PLAN_RUN_H
#define LICHEN_TEST_PLAN_RUN_H

#include "gpu_run.h"
#include "random_plan.h"

enum { PLAN_RUN_BATCHES = 5 };

struct plan_run {
    uint64_t seed; /* of random_plan_open */
    bool as_discrete, exact;
    uint32_t batches; /* at most PLAN_RUN_BATCHES: 1, 9, 37, 270 and 1 tokens */
};

/* Opens a device, runs, reads logits (into logits [RANDOM_CONTEXT, RIG_VOCAB]) and the best ids,
 * peeks, closes and asserts that validation, when on, had nothing to say. Returns rows. */
uint32_t plan_run(const struct gpu_options *options, const struct plan_run *what, float *logits);

#endif
