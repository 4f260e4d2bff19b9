/* builder.h: steps of a model in few words. A builder carries the first failure (sticky): after it
 * every call does nothing and returns PLAN_NONE, so a family reads straight down. */
#ifndef LICHEN_BUILDER_H
#define LICHEN_BUILDER_H

#include "hparams.h"

struct builder {
    const struct gguf *gguf;
    const struct family *family;
    const struct hparams *hparams;
    struct plan *plan;
    struct fault *fault;
    uint32_t layer; /* PLAN_NONE outside the layers; names "blk.LAYER." tensors */
    bool failed;
};

/* Tensor NAME.weight or NAME.bias ("blk.LAYER." in front inside a layer), NULL when absent. */
const struct gguf_tensor *builder_find(const struct builder *builder, const char *name,
                                       const char *suffix);

/* y = W x (+ bias, where the file has NAME.bias) (+ residual, unless PLAN_NONE), rows row_first ..
 * row_first+row_count of tensor `name`; row_count 0 = all. */
struct linear {
    const char *name, *output; /* tensor, name of the new buffer */
    uint32_t row_first, row_count;
    uint32_t residual;
};
uint32_t emit_linear(struct builder *builder, uint32_t input, const struct linear *linear);

/* The family's norm over groups of `group` floats; in_place writes the input buffer. */
uint32_t emit_norm(struct builder *builder, uint32_t input, const char *name, uint32_t group,
                   bool in_place);
uint32_t emit_embed(struct builder *builder);
void emit_rope(struct builder *builder, uint32_t buffer, uint32_t heads, uint32_t table);
void emit_kv_store(struct builder *builder, uint32_t k, uint32_t v);
uint32_t emit_attention(struct builder *builder, uint32_t q);
uint32_t emit_glu(struct builder *builder, uint32_t gate, uint32_t up);
uint32_t emit_activation(struct builder *builder, uint32_t input);
uint32_t emit_add(struct builder *builder, uint32_t a, float scale_a, uint32_t b, float scale_b);
uint32_t emit_select(struct builder *builder, uint32_t input);
void emit_softcap(struct builder *builder, uint32_t buffer, float scale, float cap);

#endif
