/* gpu_fuse.h: which steps of a plan share a kernel. A step that is absorbed runs at the place of
 * the step that absorbs it, so nothing in between may touch what it reads or writes. The rules:
 *
 *   store     [norm q] [rope q] [norm k] [rope k] KV_STORE   one rope_store kernel
 *   residual  MATMUL, ADD with factors 1                     the matmul adds
 *   quants    a producer of a matmul's input writes the packed-dot form itself
 *   select    one token, one output row: SELECT is another name for its input
 *   join      one token: products of one input whose weights lie one behind the other are one
 *             kernel call into a scratch area, when a fused store or a GLU reads them there
 *   finish    one token: that one kernel call also does the GLU, or rotates q and k and fills the
 *             caches; a product with a residual also does the RMS norm behind it, except for the
 *             division by the root mean square, which the products of the norm do */
#ifndef LICHEN_GPU_FUSE_H
#define LICHEN_GPU_FUSE_H

#include "gpu_exec.h"

struct gpu_store { /* steps that a KV_STORE absorbs, or PLAN_NONE */
    uint32_t q_norm, q_rope, k_norm, k_rope;
};

enum { GPU_SOURCE_MAX = 3 };

struct gpu_step_fusion {
    uint32_t absorbed_by;           /* step, or PLAN_NONE */
    uint32_t matmul;                /* of an ADD: the MATMUL it absorbs, or PLAN_NONE */
    struct gpu_store store;         /* of a KV_STORE */
    bool alias;                     /* of a SELECT: its output is its input */
    bool write_float, write_quants; /* forms in which the output is wanted */
    /* of a MATMUL that computes its neighbours too: rows of its matrix, 0 = only its own */
    uint32_t join_first, join_count;
    enum gpu_joined join_area;
    bool join_bias;
    /* of a KV_STORE (q, k, v) or GLU (a, b): where the source begins in the joined area, or
     * PLAN_NONE; the product that computes them; whether that one is absorbed and does the rest */
    uint32_t source[GPU_SOURCE_MAX], product;
    bool finish;
    uint32_t norm;   /* of a MATMUL or ADD: the NORM it absorbs, or PLAN_NONE */
    uint32_t normed; /* of a MATMUL: the absorbed NORM whose output it reads, or PLAN_NONE */
};

/* fusions: [step_count], filled here. tokens and outputs are the bucket's. */
void gpu_fuse(const struct exec_gpu *gpu, uint32_t tokens, uint32_t outputs,
              struct gpu_step_fusion *fusions);

#endif
