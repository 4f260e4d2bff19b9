/* exec.h: a plan bound to memory for one conversation: activations, rope tables, KV cache.
 * Two executors with one interface: exec_ref (plain C, float32, the oracle and --device cpu) and
 * exec_gpu (records the plan as Vulkan dispatches). Nothing is allocated after create. */
#ifndef LICHEN_EXEC_H
#define LICHEN_EXEC_H

#include "parallel.h"
#include "plan_linear.h"

enum kv_type { KV_F16, KV_F32, KV_Q8_0 };

struct batch {
    const int32_t *tokens; /* [count], each < vocab (checked) */
    uint32_t count;        /* 1 .. exec_batch_max */
    uint32_t position;     /* of the first token; everything before it is in the cache */
    uint32_t outputs;      /* logits are computed for the last `outputs` tokens; 0 = none */
    /* MASK_PREFIX: keys below it are visible to all, so they are the keys of one run, which begins
     * at position 0 and reaches it; the same number in the runs behind that one. */
    uint32_t prefix;
};

struct exec;

struct exec_methods {
    /* Runs a batch to its end. cancel (may be NULL) is polled between submissions/steps. */
    bool (*run)(struct exec *exec, const struct batch *batch, const volatile bool *cancel,
                struct fault *fault);
    /* After run: row < outputs. The k largest logits, ties by lower id first, largest first. */
    bool (*top)(struct exec *exec, uint32_t row, uint32_t k, int32_t *ids, float *logits,
                struct fault *fault);
    /* After run: all logits of rows first .. first+count, [count, vocab]. */
    bool (*logits)(struct exec *exec, uint32_t first, uint32_t count, float *dst,
                   struct fault *fault);
    /* Debugging and tests: contents of a plan buffer right after `step` of the last run; *dst is
     * [rows, width]. exec_gpu: only where the step was not fused away (false, FAULT_UNSUPPORTED). */
    bool (*peek)(struct exec *exec, uint32_t step, float *dst, size_t capacity,
                 struct fault *fault);
    void (*destroy)(struct exec *exec);
};

struct exec { /* first member of every executor */
    const struct exec_methods *methods;
    const struct plan *plan;
    uint32_t context;   /* positions in the KV cache */
    uint32_t batch_max; /* tokens a run */
    uint32_t outputs_max;
};

static inline bool exec_run(struct exec *exec, const struct batch *batch,
                            const volatile bool *cancel, struct fault *fault)
{
    return exec->methods->run(exec, batch, cancel, fault);
}

void exec_destroy(struct exec *exec); /* NULL is allowed */
/* Shared checks of a batch against exec: counts, positions, token ids. */
bool exec_check(const struct exec *exec, const struct batch *batch, struct fault *fault);
/* cos and sin of a table for positions 0..context-1, computed in double and rounded once:
 * dst[position][i] = {cos, sin}, i < dims/2. */
void rope_table_fill(const struct rope_table *table, uint32_t context, float *dst);

struct exec_ref_options {
    const struct plan *plan;      /* outlives the executor */
    const struct gguf *gguf;      /* weights are read from it once, at create */
    struct parallel *parallel;
    uint32_t context, batch_max, outputs_max;
    enum kv_type kv;
};

/* The weights in memory as the file has them (blocks), shared by all executors of one model. */
struct ref_weights;
bool ref_weights_load(const struct plan *plan, const struct gguf *gguf, struct ref_weights **out,
                      struct fault *fault);
void ref_weights_free(struct ref_weights *weights);
/* Bytes allocated by load; the same number before it (the memory plan). */
uint64_t ref_weights_size(const struct ref_weights *weights);
uint64_t ref_weights_memory(const struct plan *plan);

/* Blocks of all rows of a matrix, of any type, that take its place until NULL does; they stay the
 * caller's. Not while an executor runs. */
void ref_weights_replace(struct ref_weights *weights, uint32_t weight, const struct dtype_info *info,
                         const void *blocks);
/* Decodes count rows of a matrix as the file has them; dst [count][cols]. */
void ref_weights_read(const struct ref_weights *weights, uint32_t weight, uint32_t row,
                      uint32_t count, float *dst);

bool exec_ref_create(const struct exec_ref_options *options, const struct ref_weights *weights,
                     struct exec **out, struct fault *fault);
/* Before each of the linear layers (plan_linears, both outlive the executor) runs, watch is called
 * with what it is given: inputs [tokens, columns of the matrix]; false ends the run
 * (FAULT_CANCELLED). watch NULL: no more. */
typedef bool exec_watch(void *context, uint32_t linear, const float *inputs, uint32_t tokens);
void exec_ref_watch(struct exec *exec, const struct plan_linear *linears, uint32_t count,
                    exec_watch *watch, void *context);
/* Bytes exec_ref_create allocates, by purpose, before it does (the memory plan). */
void exec_ref_memory(const struct exec_ref_options *options, uint64_t *kv, uint64_t *activations);

#endif
