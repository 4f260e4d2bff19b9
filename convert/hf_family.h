/* hf_family.h: how the published models of a family become GGUF: one table of tensors and one of
 * numbers a family (hf_family_*.c). Names and conventions are llama.cpp's (convert_hf_to_gguf.py),
 * so that it loads the same files; moss is lichen's own (models.md 12).
 *
 * Published names: "@" stands for the prefix of the checkpoint ("model.", "transformer.", ""), "*"
 * for the layer, "|" between spellings of which one is there. Names have no suffix: a row is
 * NAME.weight, and NAME.bias where `bias` says so. */
#ifndef LICHEN_HF_FAMILY_H
#define LICHEN_HF_FAMILY_H

#include "hf_config.h"

enum hf_extent {
    EXTENT_VECTOR, /* of rows: there is one, the published tensor has one dimension */
    EXTENT_VOCAB,
    EXTENT_DIM,
    EXTENT_FFN,
    EXTENT_GATE_UP, /* 2 * ffn */
    EXTENT_Q,       /* heads * head_dim */
    EXTENT_KV,      /* kv_heads * head_dim */
    EXTENT_QKV,     /* q + 2 kv */
    EXTENT_HEAD,    /* head_dim */
    EXTENT_CONTEXT,
};

enum hf_layout {                     /* of the published rows */
                 LAYOUT_PLAIN,       /* y = W x, W [rows, columns] */
                 LAYOUT_CONV,        /* [columns, rows]: GPT-2's Conv1D */
                 LAYOUT_STACKED,     /* q | k | v, or gate | up, of which the row takes its part */
                 LAYOUT_GROUPED,     /* for each KV head: its query heads, k, v (InternLM2) */
                 LAYOUT_SHARDED_QVK, /* four times q | v | k, for the whole q | k | v (CodeGen,
                                        MOSS) */
};

enum hf_part { PART_WHOLE, PART_Q, PART_K, PART_V, PART_GATE, PART_UP };

enum hf_need {
    NEED_ALWAYS,
    NEED_UNTIED, /* the head: absent when it is the embedding again */
};

/* hf_row.bias beside a key of the configuration, which when true requires the bias */
#define BIAS_NEVER NULL
#define BIAS_ALWAYS "="
#define BIAS_MAYBE "?"

struct hf_row {
    const char *gguf;             /* "blk.*.attn_q" */
    const char *published;        /* "@layers.*.self_attn.q_proj" */
    enum hf_extent rows, columns; /* in GGUF */
    const char *bias;
    enum hf_layout layout;
    enum hf_part part;
    /* The original rotates halves of a head, (i, i + dims / 2); llama.cpp's graph of the family
     * rotates neighbours: rows of q and k are reordered. */
    bool pairs;
    bool plus_one;  /* the original multiplies by 1 + weight */
    bool unit_rows; /* the original divides each row by its length (Baichuan 2's head) */
    enum hf_need need;
};

struct hf_hparams;
struct hf_builder;

struct hf_family {
    const char *model_types;  /* "llama|mistral" */
    const char *key;          /* the configuration must have it, or NULL */
    const char *architecture; /* GGUF's */
    const char *prefixes; /* "model.||language_model.model.", the first under which `probe` is */
    const char *probe;    /* the embedding behind the prefix: "embed_tokens" */
    const struct hf_row *rows; /* ends with gguf NULL */
    const char *skipped;       /* suffixes and prefixes (ending in '.') of tensors without use */
    const struct hf_default *defaults;
    const struct hf_default *nested_defaults; /* of hf_config.h */
    const char *activation; /* the only one lichen's graph has, "silu"; NULL = not asked */
    bool layer_norm;        /* its eps goes under layer_norm_epsilon */
    bool tied;              /* when the configuration does not say */
    bool learned_positions; /* no rope */
    bool ffn_is_4_dim;      /* when the configuration does not say */
    const char *context;    /* keys of the context length where they differ, or NULL */
    /* The family's own keys and restrictions, after the usual ones. */
    void (*special)(struct hf_builder *builder);
};

/* NULL-terminated */
extern const struct hf_family *const hf_families_llama[];
extern const struct hf_family *const hf_families_fused[];
extern const struct hf_family *const hf_families_gemma[];
extern const struct hf_family *const hf_families_glm[];
extern const struct hf_family *const hf_families_layernorm[];

/* The families there are, one after another; NULL behind the last. Of those with one model_type the
 * first counts whose key and probe are there. */
const struct hf_family *hf_family_at(size_t index);
/* True when item is one of list, "a|b|c". */
bool hf_list_has(const char *list, const char *item);

#endif
