/* layers.c: one decoder, read straight down; every `if` is a switch of family.h.
 *
 *   x = scale E[token]
 *   layer:  a = norm(x);  x = x + Wo attention(rope(norm?(Wq a)), rope(norm?(Wk a)), Wv a)
 *           f = norm(x);  x = x + Wdown (act(Wgate f) * (Wup f))
 *   logits = head norm(x) */
#include "layers.h"

/* The rope table of local layers is 1 when it differs from that of global ones. */
static uint32_t rope_table_of(const struct builder *builder)
{
    bool local = hparams_layer_local(builder->hparams, builder->layer);
    return local && builder->plan->rope[1].inv_freq ? 1 : 0;
}

struct qkv {
    uint32_t q, k, v;
};

static struct qkv emit_qkv(struct builder *builder, uint32_t a)
{
    const struct hparams *hparams = builder->hparams;
    bool fused = builder_find(builder, "attn_qkv", "weight") != NULL;
    uint32_t q_rows = hparams->heads * hparams->head_dim;
    uint32_t kv_rows = hparams->kv_heads * hparams->head_dim;
    struct linear q = {fused ? "attn_qkv" : "attn_q", "q", 0, q_rows, PLAN_NONE};
    struct linear k = {fused ? "attn_qkv" : "attn_k", "k", 0, kv_rows, PLAN_NONE};
    struct linear v = {fused ? "attn_qkv" : "attn_v", "v", 0, kv_rows, PLAN_NONE};
    if (fused) {
        k.row_first = q_rows;
        v.row_first = q_rows + kv_rows;
    }
    return (struct qkv){emit_linear(builder, a, &q), emit_linear(builder, a, &k),
                        emit_linear(builder, a, &v)};
}

static void emit_qk_norm(struct builder *builder, const struct qkv *qkv)
{
    const struct hparams *hparams = builder->hparams;
    bool all = builder->family->qk_norm == QK_NORM_ALL_HEADS;
    uint32_t head_dim = hparams->head_dim;
    emit_norm(builder, qkv->q, "attn_q_norm", all ? hparams->heads * head_dim : head_dim, true);
    emit_norm(builder, qkv->k, "attn_k_norm", all ? hparams->kv_heads * head_dim : head_dim, true);
}

/* A branch's last matrix and its way back into x: added by the matrix step itself where nothing
 * stands between. BLOCK_NORMED: x is the norm's output. */
static uint32_t emit_branch_end(struct builder *builder, uint32_t x, uint32_t input,
                                const char *name, const char *post_norm)
{
    const struct family *family = builder->family;
    float scale = builder->hparams->residual_scale;
    bool direct = !family->post_norms && scale == 1;
    struct linear linear = {
        .name = name, .output = direct ? "x" : "branch", .residual = direct ? x : PLAN_NONE};
    uint32_t out = emit_linear(builder, input, &linear);
    if (direct)
        return out;
    if (family->post_norms)
        out = emit_norm(builder, out, post_norm, builder->hparams->dim, true);
    return family->block == BLOCK_NORMED ? emit_add(builder, x, scale, out, 1)
                                         : emit_add(builder, x, 1, out, scale);
}

static bool layer_rotates(const struct builder *builder)
{
    const struct hparams *hparams = builder->hparams;
    switch (builder->family->unrotated) {
    case UNROTATED_FOURTH:
        return builder->layer % 4 != 3;
    case UNROTATED_GLOBAL:
        return hparams->window == 0 || hparams_layer_local(hparams, builder->layer);
    case UNROTATED_NONE:
        break;
    }
    return hparams->rope_dims != 0;
}

static uint32_t emit_attention_branch(struct builder *builder, uint32_t x, uint32_t a)
{
    const struct family *family = builder->family;
    const struct hparams *hparams = builder->hparams;
    struct qkv qkv = emit_qkv(builder, a);
    if (family->qk_norm == QK_NORM_BEFORE_ROPE || family->qk_norm == QK_NORM_ALL_HEADS)
        emit_qk_norm(builder, &qkv);
    if (layer_rotates(builder)) {
        emit_rope(builder, qkv.q, hparams->heads, rope_table_of(builder));
        emit_rope(builder, qkv.k, hparams->kv_heads, rope_table_of(builder));
    }
    if (family->qk_norm == QK_NORM_AFTER_ROPE)
        emit_qk_norm(builder, &qkv);
    emit_kv_store(builder, qkv.k, qkv.v);
    uint32_t out = emit_attention(builder, qkv.q);
    return emit_branch_end(builder, x, out, "attn_output", "post_attention_norm");
}

static uint32_t emit_ffn_inner(struct builder *builder, uint32_t f)
{
    uint32_t rows = builder->hparams->ffn_dim;
    struct linear up = {"ffn_up", "ffn_up", 0, rows, PLAN_NONE};
    struct linear gate = {"ffn_gate", "ffn_gate", 0, rows, PLAN_NONE};
    if (builder->family->ffn == FFN_PLAIN)
        return emit_activation(builder, emit_linear(builder, f, &up));
    if (builder->family->ffn == FFN_GLU_FUSED) {
        gate.name = "ffn_up";
        up.row_first = rows;
    }
    uint32_t gated = emit_linear(builder, f, &gate);
    return emit_glu(builder, gated, emit_linear(builder, f, &up));
}

static uint32_t emit_ffn_branch(struct builder *builder, uint32_t x, uint32_t f)
{
    uint32_t inner = emit_ffn_inner(builder, f);
    return emit_branch_end(builder, x, inner, "ffn_down", "post_ffw_norm");
}

static uint32_t emit_pre_norm(struct builder *builder, uint32_t x, const char *name)
{
    return builder->family->no_pre_norms
               ? x
               : emit_norm(builder, x, name, builder->hparams->dim, false);
}

static uint32_t emit_layer(struct builder *builder, uint32_t x)
{
    uint32_t a = emit_pre_norm(builder, x, "attn_norm");
    bool normed = builder->family->block == BLOCK_NORMED;
    x = emit_attention_branch(builder, normed ? a : x, a);
    uint32_t f =
        builder->family->block == BLOCK_PARALLEL ? a : emit_pre_norm(builder, x, "ffn_norm");
    return emit_ffn_branch(builder, normed ? f : x, f);
}

/* A file without output.weight ties the head to the embedding. */
static uint32_t emit_head(struct builder *builder, uint32_t x)
{
    const struct hparams *hparams = builder->hparams;
    uint32_t last = emit_select(builder, x);
    uint32_t norm = emit_norm(builder, last, "output_norm", hparams->dim, false);
    bool untied = builder_find(builder, "output", "weight") != NULL;
    struct linear head = {
        .name = untied ? "output" : "token_embd", .output = "logits", .residual = PLAN_NONE};
    uint32_t logits = emit_linear(builder, norm, &head);
    if (hparams->logit_scale != 1 || hparams->final_softcap > 0)
        emit_softcap(builder, logits, hparams->logit_scale, hparams->final_softcap);
    return logits;
}

bool layers_build(struct builder *builder)
{
    builder->layer = PLAN_NONE;
    uint32_t x = emit_embed(builder);
    for (uint32_t i = 0; i < builder->hparams->layers && !builder->failed; i++) {
        builder->layer = i;
        x = emit_layer(builder, x);
    }
    builder->layer = PLAN_NONE;
    builder->plan->logits = emit_head(builder, x);
    return !builder->failed;
}
