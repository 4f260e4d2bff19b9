/* random_plan.h: plans of one or two layers with random shapes, odd tails, kinds and orders, on a
 * rig: whatever a family's builder could write, and more. The same seed gives the same plan. */
#ifndef LICHEN_TEST_RANDOM_PLAN_H
#define LICHEN_TEST_RANDOM_PLAN_H

#include "rig.h"

enum { RANDOM_CONTEXT = 700 };

struct random_plan {
    struct rig rig;
    enum kv_type kv;
    bool prefix_mask;
    bool two_streams; /* some rope has them */
    char text[256]; /* what it is, for messages */
};

/* blocks: matrices are of block types and widths multiples of 32 (so packed dots can be used). */
void random_plan_open(struct random_plan *random, uint64_t seed, bool blocks);
void random_plan_close(struct random_plan *random);

#endif
