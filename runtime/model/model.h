/* model.h: a GGUF file's metadata and tensors to a plan. One builder a family, one table of
 * switches (family.h) that shows how families differ; a family never forks an executor.
 *
 * Every hyperparameter is range-checked by a table and every tensor shape is checked against the
 * hyperparameters before anything is allocated on a device. */
#ifndef LICHEN_MODEL_H
#define LICHEN_MODEL_H

#include "plan.h"

struct model_info {
    char architecture[64]; /* general.architecture */
    char name[128];        /* general.name, or "" */
    uint64_t parameters;   /* weights of all tensors in the file */
    uint64_t tensor_bytes;
    uint32_t layers, dim, heads, kv_heads, head_dim, ffn_dim, vocab;
    uint32_t context_trained;
};

/* vocab_count: tokens of the vocabulary (checked against the embedding's rows), 0 = unknown.
 * plan is initialised here and finished; the caller frees it with plan_free also after a failure.
 * An architecture without a builder is FAULT_UNSUPPORTED and lists those that have one. */
bool model_build(const struct gguf *gguf, uint32_t vocab_count, struct plan *plan,
                 struct model_info *info, struct fault *fault);
/* general.architecture values with a builder, NULL-terminated. */
const char *const *model_architectures(void);

#endif
