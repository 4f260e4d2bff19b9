/* plan.h: a model as data: steps over buffers. A family's builder (runtime/model) writes it,
 * exec_ref.c and exec_gpu.c run it, step by step comparable. Nothing here knows a model family.
 *
 * A run processes n tokens of one conversation at positions p0 .. p0+n-1, whose first p0 positions
 * are in the KV cache. Buffers are float32 [rows, width], rows = n (or, behind SELECT, the number
 * of tokens whose logits are wanted). Steps run in order; step i reads what earlier steps wrote.
 *
 * Liveness: plan_finish gives every buffer the interval of steps in which it lives and a slot;
 * buffers whose lives do not overlap share a slot. */
#ifndef LICHEN_PLAN_H
#define LICHEN_PLAN_H

#include "arena.h"
#include "gguf.h"

#define PLAN_NONE UINT32_MAX /* no such buffer, weight, layer */

enum { PLAN_INPUT_MAX = 3, PLAN_WEIGHT_MAX = 2, PLAN_ROPE_MAX = 2 };

enum op {
#define X(name, text) OP_##name,
#include "op.def"
#undef X
    OP_COUNT
};

const char *op_name(enum op op);

/* A matrix or vector of the file. A step may use a range of its rows (fused qkv, gate|up). */
struct plan_weight {
    const struct gguf_tensor *tensor; /* gguf's */
    uint32_t rows, cols;              /* a vector: rows 1 */
};

struct weight_ref {
    uint32_t weight; /* index, or PLAN_NONE */
    uint32_t row_first, row_count;
};

enum plan_rows { ROWS_TOKENS, ROWS_OUTPUTS };

struct plan_buffer {
    const char *name; /* "x", "q", "ffn_gate": constant string */
    uint32_t width;   /* floats a row */
    enum plan_rows rows;
    uint32_t slot;                  /* set by plan_finish */
    uint32_t first_step, last_step; /* set by plan_finish: written first, read last */
};

enum norm_kind { NORM_RMS, NORM_LAYER };
enum activation { ACTIVATION_SILU, ACTIVATION_GELU_TANH, ACTIVATION_GELU_ERF, ACTIVATION_RELU2 };
enum rope_style {
    ROPE_HALF,    /* pairs (i, i + dims/2) */
    ROPE_ADJACENT /* pairs (2i, 2i + 1) */
};
enum attention_mask {
    MASK_CAUSAL, /* key j visible to query at position p: j <= p, and p - j < window when set */
    MASK_PREFIX  /* ChatGLM v1: also every key j < prefix of the run (batch.prefix); no window */
};

/* out = scale * E[token] (+ P[position] when weight[1] is there).  weight[0] = E [vocab, width] */
struct embed_params {
    float scale;
};

/* Groups of `group` consecutive floats of the input are normalised separately; weight[0] [group],
 * weight[1] = bias [group] or none. group = width: the usual norm; group = head_dim: q/k norm.
 *   RMS:   y = x / sqrt(mean(x^2) + eps) * w        LAYER: y = (x - mean) / sqrt(var + eps) * w + b
 * Gemma's (1 + w) is folded into the file's weights by every GGUF converter. */
struct norm_params {
    enum norm_kind kind;
    float eps;
    uint32_t group;
};

/* y[row] = W x[row] (+ bias, weight[1] [rows of W]) (then + input[1][row] when present)
 * W = rows row_first .. row_first+row_count of weight[0], [row_count, cols]; y width = row_count.
 * Bias uses the same row range. */
struct matmul_params {
    uint32_t reserved;
};

/* Rotates the first `dims` of every head in place (input[0] == output): angle = position *
 * inv_freq[i] of rope table `table`; cos and sin are multiplied by the table's magnitude.
 * two_streams (ChatGLM v1): the first `dims` turn by s = min(position, max(batch.prefix, 1) - 1),
 * which stands still behind the prefix, the next `dims` by position - s, which begins there. */
struct rope_params {
    uint32_t head_count, head_dim, dims;
    enum rope_style style;
    uint32_t table;
    bool two_streams;
};

/* Writes k = input[0], v = input[1] [rows, kv_heads * head_dim] into the cache of `layer` at the
 * tokens' positions. No output. */
struct kv_store_params {
    uint32_t layer, kv_heads, head_dim;
};

/* o = softmax(scale * q K^T [softcap: c * tanh(s / c)] + alibi + mask) V. Query head h uses kv head
 * h / (heads / kv_heads). window 0 = all. alibi: slope of head h is alibi_slopes[h] * (j - p). */
struct attention_params {
    uint32_t layer, heads, kv_heads, head_dim;
    float scale;
    float softcap;   /* 0 = none */
    uint32_t window; /* 0 = none */
    enum attention_mask mask;
    const float *alibi_slopes; /* [heads] or NULL, plan's arena */
};

/* out = activation(input[0]) * input[1] */
struct glu_params {
    enum activation activation;
};
struct activation_params {
    enum activation activation;
};

/* out = scale_a * input[0] + scale_b * input[1] */
struct add_params {
    float scale_a, scale_b;
};

/* out rows = the last `outputs` rows of the run (batch.outputs). */
struct select_params {
    uint32_t reserved;
};

/* out = scale * x, then cap * tanh(out / cap) when cap > 0. In place. */
struct softcap_params {
    float scale, cap;
};

struct step {
    enum op op;
    uint32_t layer;                 /* for messages; PLAN_NONE outside the layers */
    uint32_t input[PLAN_INPUT_MAX]; /* buffer indices or PLAN_NONE */
    uint32_t output;                /* buffer index, PLAN_NONE for KV_STORE; may equal input[0]
                                       for ROPE, NORM of q/k, ADD, SOFTCAP, ACTIVATION, GLU */
    struct weight_ref weight[PLAN_WEIGHT_MAX];
    union {
        struct embed_params embed;
        struct norm_params norm;
        struct matmul_params matmul;
        struct rope_params rope;
        struct kv_store_params kv_store;
        struct attention_params attention;
        struct glu_params glu;
        struct activation_params activation;
        struct add_params add;
        struct select_params select;
        struct softcap_params softcap;
    };
};

struct rope_table {
    uint32_t dims;          /* rotated dims of a head; 0 = unused table */
    const double *inv_freq; /* [dims / 2], scaling included, plan's arena */
    double magnitude;       /* factor on cos and sin (yarn), 1 otherwise */
};

struct kv_layer {
    uint32_t kv_heads, head_dim;
    uint32_t window; /* 0 = all positions are kept */
};

struct plan {
    struct arena arena;
    uint32_t vocab, dim, context_max; /* context_max: what the model was trained for */
    struct plan_weight *weights;
    uint32_t weight_count;
    struct plan_buffer *buffers;
    uint32_t buffer_count;
    struct step *steps;
    uint32_t step_count;
    uint32_t logits; /* buffer of [outputs, vocab], written by the last step */
    struct rope_table rope[PLAN_ROPE_MAX];
    struct kv_layer *layers;
    uint32_t layer_count;
    uint32_t slot_count;
    uint32_t *slot_width;        /* [slot_count] floats a row: widest buffer in it */
    enum plan_rows *slot_rows;   /* [slot_count] */
    int32_t prefix_end;          /* token behind the prefix, -1 = none */
    int32_t prefix_blanks[2];    /* tokens that stand before prefix_end and nowhere else, or -1 */
    bool prefix_mask;            /* some step has MASK_PREFIX: a prefix is one run */
};

/* ---- building (plan.c): append-only, capacities grow in the arena ---- */

void plan_init(struct plan *plan);
void plan_free(struct plan *plan); /* accepts a zeroed plan */
/* Each returns the new index or PLAN_NONE (fault: memory). */
uint32_t plan_weight(struct plan *plan, const struct gguf_tensor *tensor, struct fault *fault);
uint32_t plan_buffer(struct plan *plan, const char *name, uint32_t width, enum plan_rows rows,
                     struct fault *fault);
/* The step as given; unused inputs and weights must be PLAN_NONE (step_init sets that). */
void step_init(struct step *step, enum op op, uint32_t layer);
bool plan_step(struct plan *plan, const struct step *step, struct fault *fault);
/* Checks every width against every shape (a mismatch names step, tensor and both numbers), computes
 * liveness and slots. Afterwards the plan is immutable. */
bool plan_finish(struct plan *plan, struct fault *fault);
/* One line a step, for people and tests: "12 matmul blk.0.attn_q.weight [576x576] norm -> q". */
void plan_describe(const struct plan *plan, uint32_t step, char *dst, size_t size);

#endif
