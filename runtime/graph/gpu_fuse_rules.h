/* gpu_fuse_rules.h: shared by gpu_fuse.c and gpu_fuse_join.c. */
#ifndef LICHEN_GPU_FUSE_RULES_H
#define LICHEN_GPU_FUSE_RULES_H

#include "gpu_fuse.h"

struct fuse {
    const struct exec_gpu *gpu;
    const struct plan *plan;
    uint32_t tokens, outputs;
    struct gpu_step_fusion *fusions;
    uint32_t joined_until[JOINED_COUNT]; /* last step that reads the area so far */
    uint32_t normed_until;
};

/* True when a and b may not change places: one writes what the other touches. */
bool fuse_steps_meet(const struct plan *plan, const struct step *a, const struct step *b);
/* The last step before `before` that writes the buffer, or PLAN_NONE. */
uint32_t fuse_last_writer(const struct plan *plan, uint32_t buffer, uint32_t before);
/* Number of steps that read the value which `writer` puts into its output. */
uint32_t fuse_reader_count(const struct plan *plan, uint32_t writer);
/* `step` (PLAN_NONE: nothing) runs at the place of `target`. */
void fuse_absorb(const struct fuse *fuse, uint32_t step, uint32_t target);

/* Joins the products in front of a KV_STORE or a GLU (gpu_fuse_join.c). */
void fuse_join_store(struct fuse *fuse, uint32_t store);
void fuse_join_glu(struct fuse *fuse, uint32_t glu);

/* One token: the `finish` rule, all of it, after every other (gpu_fuse_finish.c). */
void fuse_finish(struct fuse *fuse);

uint32_t fuse_slot(const struct plan *plan, uint32_t buffer);

static inline bool fuse_is_free(const struct fuse *fuse, uint32_t step)
{
    return fuse->fusions[step].absorbed_by == PLAN_NONE;
}

#endif
