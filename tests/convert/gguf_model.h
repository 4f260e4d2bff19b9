/* gguf_model.h: GGUF files with random weights in the shape of a model, for the tests of the
 * converter. */
#ifndef LICHEN_GGUF_MODEL_H
#define LICHEN_GGUF_MODEL_H

#include "dtype.h"

struct gguf_model {
    const char *architecture; /* NULL = "llama" */
    uint32_t layers, dim, ffn, kv_dim, vocab, experts;
    uint32_t heads, kv_heads;
    bool tied, fused;    /* no output.weight; one attn_qkv for q, k, v */
    enum dtype dtype;    /* of the matrices; F32, F16, BF16 or one that is encoded */
    const char *spoiled; /* a tensor whose first and last weight are NaN and infinite */
    float scale;         /* of the weights; 0 = 0.02 */
    uint64_t seed;       /* 0 = 1 */
    bool vocabulary;     /* a tokenizer of 256 bytes, so that it can be run (vocab >= 256) */
};

/* A fault fails the test. */
void gguf_model_write(const char *path, const struct gguf_model *model);

#endif
