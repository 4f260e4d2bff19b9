/* gpu_lower.h: building calls, shared by gpu_lower.c and gpu_lower_*.c. */
#ifndef LICHEN_GPU_LOWER_H
#define LICHEN_GPU_LOWER_H

#include "gpu_fuse.h"

struct lower {
    struct exec_gpu *gpu;
    const struct plan *plan;
    struct gpu_program *program;
    struct gpu_step_fusion *fusions; /* [step_count] */
    uint32_t square_count;           /* parts of the sum of squares of the last fused norm */
    uint32_t step;                   /* whose kernels are emitted */
    struct fault *fault;
};

/* A kernel call being described. Bindings that stay unset are lent some memory. */
struct kernel_call {
    enum shader_id shader;
    uint32_t spec[GPU_SPEC_MAX], spec_count;
    struct gpu_area areas[GPU_BINDING_MAX];
    uint32_t push[GPU_PUSH_WORDS], push_count;
    struct gpu_call call; /* groups, costs; the rest is filled by kernel_emit */
};

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_BOTH, ACCESS_SILENT /* no hazard */ };

void kernel_begin(struct kernel_call *kernel, enum shader_id shader, uint32_t group);
void kernel_spec(struct kernel_call *kernel, uint32_t value);
void kernel_bind(struct kernel_call *kernel, uint32_t binding, struct gpu_area area,
                 enum access access);
void kernel_push(struct kernel_call *kernel, uint32_t value);
void kernel_push_float(struct kernel_call *kernel, float value);
/* Builds pipeline and descriptors and appends the call. */
bool kernel_emit(struct lower *lower, struct kernel_call *kernel);
/* Appends a call whose access is known; takes over call->matmul. */
bool call_append(struct lower *lower, const struct gpu_call *call);
void call_access(struct gpu_call *call, struct gpu_area area, bool write);

/* ---- buffers of the plan ---- */

struct gpu_area lower_floats(const struct lower *lower, uint32_t buffer);
/* Where source i of a KV_STORE (q, k, v) or GLU (a, b) is: `buffer`, or a part of a joined product.
 */
struct gpu_source {
    struct gpu_area area;
    uint32_t first; /* float in a token's row */
};
struct gpu_source lower_source(const struct lower *lower, uint32_t consumer, uint32_t i,
                               uint32_t buffer);
struct gpu_area lower_quants(const struct lower *lower, uint32_t buffer);
struct gpu_area lower_scales(const struct lower *lower, uint32_t buffer);
struct gpu_area lower_vector(const struct lower *lower, uint32_t weight);
uint32_t lower_rows(const struct lower *lower, uint32_t buffer); /* of the bucket */
bool lower_outputs(const struct lower *lower, uint32_t buffer);

/* ---- operations (gpu_lower_*.c) ---- */

bool lower_embed(struct lower *lower, uint32_t index);
bool lower_norm(struct lower *lower, uint32_t index);
bool lower_matmul(struct lower *lower, uint32_t index);
/* The product of a MATMUL into another buffer, plus a residual (or PLAN_NONE), then the fused norm
 * (or PLAN_NONE). */
bool lower_matmul_into(struct lower *lower, uint32_t index, uint32_t output, uint32_t residual,
                       uint32_t norm);
/* The joined product in front of a GLU or KV_STORE, which does that step too. */
bool lower_finish_glu(struct lower *lower, uint32_t index);
bool lower_finish_store(struct lower *lower, uint32_t index);
bool lower_rope(struct lower *lower, uint32_t index);
bool lower_kv_store(struct lower *lower, uint32_t index);
bool lower_attention(struct lower *lower, uint32_t index);
bool lower_glu(struct lower *lower, uint32_t index);
bool lower_activation(struct lower *lower, uint32_t index);
bool lower_add(struct lower *lower, uint32_t index);
bool lower_select(struct lower *lower, uint32_t index);
bool lower_softcap(struct lower *lower, uint32_t index);
/* The unit in which an attention kernel can write quants itself; 1 = it cannot. */
uint32_t lower_attention_unit(const struct lower *lower, const struct attention_params *params);
/* The packed-dot form of a buffer by a kernel of its own. */
bool lower_quantize(struct lower *lower, uint32_t buffer);
bool lower_top(struct lower *lower);

/* 0 none, 1 A16, 2 A8: the QUANT constant of the shaders for the output of a step. */
uint32_t lower_quant_format(const struct lower *lower, uint32_t index);
/* The same, when the step's kernel writes it itself: only whole blocks of 32 in runs of `unit`. */
uint32_t lower_own_quants(const struct lower *lower, uint32_t index, uint32_t unit);

#endif
