/* tiny.c: the table of random models and their writer. */
#include "tiny.h"

#include "half.h"
#include <math.h>
#include <stdlib.h>

#define GLM (TINY_UNTIED | TINY_QKV_BIAS | TINY_GATE_FUSED)
#define CHATGLM1                                                                                   \
    (TINY_QKV_BIAS | TINY_OUTPUT_BIAS | TINY_FFN_BIAS | TINY_PLAIN_FFN | TINY_LAYER_NORM)
#define WIDE_HEADS "attention.key_length=16 attention.value_length=16"
#define PHI2 (TINY_UNTIED | TINY_HEAD_BIAS | TINY_QKV_BIAS | OLD | TINY_PARALLEL)
#define EXAONE4 (TINY_NO_PRE_NORMS | TINY_POST_NORMS | TINY_QK_NORM)
#define OLMO2 (TINY_UNTIED | TINY_NO_PRE_NORMS | TINY_POST_NORMS | TINY_QK_NORM_ALL)
#define COHERE (TINY_LAYER_NORM | TINY_NORM_PLAIN | TINY_PARALLEL)
#define OLD (TINY_QKV_FUSED | TINY_OUTPUT_BIAS | TINY_FFN_BIAS | TINY_PLAIN_FFN | TINY_LAYER_NORM)

/* clang-format off */
const struct tiny tiny_models[] = {
    {"llama",           "llama",  2, 48, 6, 2, 8,  72, 0, ""},
    {"llama-untied",    "llama",  2, 48, 6, 6, 8,  72, TINY_UNTIED, "rope.freq_base=500000."},
    {"llama-bias",      "llama",  2, 48, 6, 2, 8,  72, TINY_QKV_BIAS | TINY_OUTPUT_BIAS | TINY_FFN_BIAS, ""},
    {"llama-f16",       "llama",  2, 48, 6, 6, 8,  72, TINY_UNTIED | TINY_F16, ""},
    {"llama-linear",    "llama",  2, 48, 6, 2, 8,  72, 0, "rope.scaling.type=linear rope.scaling.factor=4."},
    {"llama-oldlinear", "llama",  2, 48, 6, 2, 8,  72, 0, "rope.scale_linear=2."},
    {"llama-tensor",    "llama",  2, 48, 6, 2, 8,  72, TINY_ROPE_FREQS, "rope.freq_base=500000."},
    {"llama-llama3",    "llama",  2, 48, 6, 2, 16, 72, 0, WIDE_HEADS " rope.dimension_count=16 rope.scaling.type=llama3 rope.scaling.factor=8. rope.scaling.low_freq_factor=1. rope.scaling.high_freq_factor=4. rope.scaling.original_context_length=32"},
    {"llama-yarn",      "llama",  2, 48, 3, 1, 32, 72, 0, "attention.key_length=32 attention.value_length=32 rope.scaling.type=yarn rope.scaling.factor=4. rope.scaling.original_context_length=64"},
    {"llama-window",    "llama",  2, 48, 6, 2, 8,  72, 0, "attention.sliding_window=5"},
    {"llama-scale",     "llama",  2, 48, 6, 2, 8,  72, 0, "attention.scale=0.2"},
    {"qwen2",           "qwen2",  2, 56, 7, 1, 8,  60, TINY_QKV_BIAS, "rope.freq_base=1000000."},
    {"qwen2-nobias",    "qwen2",  2, 56, 7, 1, 8,  60, TINY_UNTIED, ""},
    {"qwen2-fused",     "qwen2",  2, 56, 7, 1, 8,  60, TINY_QKV_BIAS | TINY_QKV_FUSED, ""},
    {"qwen3",           "qwen3",  2, 40, 4, 2, 16, 60, TINY_QK_NORM, WIDE_HEADS},
    {"qwen3-yarn",      "qwen3",  2, 40, 4, 2, 32, 60, TINY_QK_NORM | TINY_UNTIED, "attention.key_length=32 attention.value_length=32 rope.freq_base=1000000. rope.scaling.type=yarn rope.scaling.factor=2. rope.scaling.attn_factor=1.25 rope.scaling.original_context_length=128"},
    {"gemma2",          "gemma2", 3, 64, 4, 2, 16, 60, TINY_POST_NORMS, WIDE_HEADS " attention.sliding_window=6 attn_logit_softcapping=5. final_logit_softcapping=3."},
    {"gemma2-rounded",  "gemma2", 2, 40, 4, 2, 16, 60, TINY_POST_NORMS, WIDE_HEADS},
    {"gemma2-27b",      "gemma2", 46, 16, 2, 1, 16, 24, TINY_POST_NORMS, WIDE_HEADS " attention.sliding_window=50 attn_logit_softcapping=50. final_logit_softcapping=30."},
    {"gemma3",          "gemma3", 7, 64, 4, 1, 16, 60, TINY_POST_NORMS | TINY_QK_NORM, WIDE_HEADS " attention.sliding_window=6 rope.freq_base=1000000. rope.scaling.type=linear rope.scaling.factor=8."},
    {"gemma3-27b",      "gemma3", 62, 16, 2, 1, 16, 24, TINY_POST_NORMS | TINY_QK_NORM | TINY_UNTIED, WIDE_HEADS " attention.sliding_window=50 rope.freq_base=1000000."},
    {"gemma3-pattern",  "gemma3", 5, 64, 4, 1, 16, 60, TINY_POST_NORMS | TINY_QK_NORM, WIDE_HEADS " attention.sliding_window=6 attention.sliding_window_pattern=false,true,true,false,true rope.freq_base=1000000. rope.freq_base_swa=500. final_logit_softcapping=3."},
    {"chatglm",         "chatglm", 2, 48, 4, 2, 12, 52, GLM | TINY_QKV_FUSED, "rope.dimension_count=6 rope.freq_base=5000000."},
    {"chatglm-split",   "chatglm", 2, 48, 4, 2, 12, 52, GLM, "rope.dimension_count=6"},
    {"glm4",            "glm4",   2, 48, 4, 2, 12, 52, GLM | TINY_POST_NORMS, "rope.dimension_count=6"},
    {"chatglm1",        "chatglm1", 2, 48, 4, 4, 12, 96, CHATGLM1, "residual_scale=7.5 prefix.end_token_id=90 prefix.mask_token_id=91 prefix.gmask_token_id=92"},
    {"moss",            "moss",   2, 48, 4, 4, 12, 96, OLD | TINY_UNTIED | TINY_HEAD_BIAS | TINY_PARALLEL, "rope.dimension_count=4"},
    {"gpt2",            "gpt2",   2, 48, 4, 4, 12, 96, OLD | TINY_QKV_BIAS | TINY_POSITIONS, ""},
    {"baichuan-7b",     "baichuan", 32, 24, 3, 3, 8, 24, TINY_UNTIED, ""},
    {"baichuan-13b",    "baichuan", 40, 20, 5, 5, 4, 24, TINY_UNTIED, ""},
    {"minicpm",         "minicpm", 2, 48, 6, 2, 8, 72, 0, "embedding_scale=12. residual_scale=0.3 logit_scale=1.5"},
    {"minicpm-old",     "minicpm", 2, 48, 6, 2, 8, 72, 0, ""},
    {"ernie4_5",        "ernie4_5", 2, 48, 4, 1, 16, 72, 0, WIDE_HEADS " rope.freq_base=500000."},
    {"hunyuan-dense",   "hunyuan-dense", 2, 48, 4, 2, 12, 72, TINY_QK_NORM, "rope.scaling.type=none rope.scaling.factor=1. rope.freq_base=11158840."},
    {"internlm2",       "internlm2", 2, 48, 6, 2, 8, 72, TINY_UNTIED, ""},
    {"pangu-embedded",  "pangu-embedded", 2, 48, 6, 2, 8, 72, TINY_UNTIED | TINY_QKV_BIAS | TINY_OUTPUT_BIAS, ""},
    {"hunyuan-alpha",   "hunyuan-dense", 2, 48, 4, 2, 12, 72, TINY_QK_NORM, "rope.scaling.alpha=1000. expert_count=1 expert_used_count=1"},
    {"gemma",           "gemma",  2, 64, 4, 1, 16, 60, 0, WIDE_HEADS},
    {"phi2",            "phi2",   2, 48, 4, 4, 12, 96, PHI2, "rope.dimension_count=4"},
    {"phi3",            "phi3",   2, 48, 4, 2, 12, 72, TINY_UNTIED | TINY_QKV_FUSED | TINY_GATE_FUSED, "rope.dimension_count=12"},
    {"phi3-longrope",   "phi3",   2, 48, 4, 2, 12, 72, TINY_QKV_FUSED | TINY_GATE_FUSED | TINY_LONGROPE, "context_length=1024 rope.scaling.original_context_length=256 rope.scaling.attn_factor=1.19 rope.dimension_count=8"},
    {"starcoder2",      "starcoder2", 2, 48, 4, 2, 12, 96, TINY_QKV_BIAS | TINY_OUTPUT_BIAS | TINY_FFN_BIAS | TINY_PLAIN_FFN | TINY_LAYER_NORM, "rope.freq_base=100000."},
    {"stablelm",        "stablelm", 2, 48, 4, 2, 12, 72, TINY_UNTIED | TINY_QKV_BIAS | TINY_LAYER_NORM, "rope.dimension_count=4"},
    {"granite",         "granite", 2, 48, 6, 2, 8, 72, 0, "embedding_scale=12. residual_scale=0.22 attention.scale=0.125 logit_scale=8. rope.dimension_count=8"},
    {"smollm3",         "smollm3", 5, 48, 6, 2, 8, 72, 0, "rope.freq_base=5000000."},
    {"olmo2",           "olmo2",  2, 48, 6, 2, 8, 72, OLMO2, "rope.freq_base=500000."},
    {"olmo3",           "olmo2",  5, 96, 3, 1, 32, 72, OLMO2, "attention.sliding_window=6 rope.freq_base=500000. rope.scaling.type=yarn rope.scaling.factor=8. rope.scaling.attn_factor=1.2 rope.scaling.original_context_length=64"},
    {"exaone",          "exaone", 2, 48, 6, 2, 8, 72, TINY_ROPE_FREQS, "rope.freq_base=500000."},
    {"exaone4",         "exaone4", 2, 48, 6, 2, 8, 72, EXAONE4 | TINY_ROPE_FREQS, "rope.freq_base=1000000."},
    {"exaone4-32b",     "exaone4", 64, 16, 2, 1, 8, 24, EXAONE4, "attention.sliding_window=6 rope.freq_base=1000000."},
    {"exaone4-pattern", "exaone4", 5, 48, 6, 2, 8, 72, EXAONE4, "attention.sliding_window=6 attention.sliding_window_pattern=true,true,true,false,true"},
    {"command-r",       "command-r", 2, 48, 6, 2, 8, 72, COHERE, "logit_scale=0.0625 rope.freq_base=8000000. rope.scaling.type=none"},
    {"cohere2",         "cohere2", 5, 48, 6, 2, 8, 72, COHERE, "logit_scale=0.25 attention.sliding_window=6 rope.dimension_count=8 rope.scaling.type=none"},
};
/* clang-format on */

const size_t tiny_count = sizeof tiny_models / sizeof *tiny_models;

double tiny_depth(const struct tiny *tiny)
{
    return tiny->layers > 40 ? 12 : tiny->layers > 10 ? 4 : 1;
}

struct writing {
    const struct tiny *tiny;
    const char *override;
    struct gguf_writer *writer;
    struct fault fault;
    uint64_t seed;
    bool data; /* second pass: tensor data instead of descriptions */
};

static void must(struct writing *writing, bool good)
{
    if (!good)
        fail_msg("%s", writing->fault.text);
}

/* ---- metadata ---- */

/* The length of "key" when item is "key=value" of that key, else 0. */
static size_t key_match(const char *item, const char *key)
{
    size_t size = strlen(key);
    return item && strncmp(item, key, size) == 0 && item[size] == '=' ? size : 0;
}

static bool listed(const char *keys, const char *key)
{
    for (const char *at = keys; *at; at++)
        if ((at == keys || at[-1] == ' ') && key_match(at, key))
            return true;
    return false;
}

/* "true" is a scalar, "true,false" an array. */
static void put_bools(struct writing *writing, const char *key, const char *value)
{
    uint8_t bools[64];
    uint64_t count = 0;
    for (const char *at = value; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        bools[count++] = *at == 't';
    must(writing,
         count > 1 ? gguf_put_array(writing->writer, key, GGUF_BOOL, bools, count, &writing->fault)
                   : gguf_put_bool(writing->writer, key, bools[0], &writing->fault));
}

static void put_item(struct writing *writing, const char *item, size_t size)
{
    char text[256], key[320], *end;
    snprintf(text, sizeof text, "%.*s", (int)size, item);
    char *value = strchr(text, '=');
    assert_non_null(value);
    *value++ = 0;
    snprintf(key, sizeof key, "%s.%s", writing->tiny->architecture, text);
    struct gguf_writer *writer = writing->writer;
    bool real = strpbrk(value, ".ni") && strtod(value, &end) <= INFINITY && *end == 0;
    real = real || strcmp(value, "nan") == 0;
    if (real)
        must(writing, gguf_put_f32(writer, key, strtof(value, &end), &writing->fault));
    else if (strncmp(value, "true", 4) == 0 || strncmp(value, "false", 5) == 0)
        put_bools(writing, key, value);
    else if (value[0] >= '0' && value[0] <= '9')
        must(writing,
             gguf_put_u32(writer, key, (uint32_t)strtoul(value, &end, 10), &writing->fault));
    else
        must(writing, gguf_put_text(writer, key, value, strlen(value), &writing->fault));
}

/* A number of the table, unless keys or override give it. */
static void put_number(struct writing *writing, const char *key, uint32_t number)
{
    char item[128];
    if (key_match(writing->override, key) || listed(writing->tiny->keys, key))
        return;
    snprintf(item, sizeof item, "%s=%u", key, number);
    put_item(writing, item, strlen(item));
}

static void put_keys(struct writing *writing)
{
    const char *at = writing->tiny->keys;
    while (*at) {
        size_t size = strcspn(at, " ");
        char item[256];
        snprintf(item, sizeof item, "%.*s", (int)size, at);
        *strchr(item, '=') = 0;
        if (!key_match(writing->override, item))
            put_item(writing, at, size);
        at += size + (at[size] == ' ');
    }
    if (writing->override)
        put_item(writing, writing->override, strlen(writing->override));
}

static void put_metadata(struct writing *writing)
{
    const struct tiny *tiny = writing->tiny;
    const char *architecture = tiny->architecture;
    char eps[128];
    must(writing, gguf_put_text(writing->writer, "general.architecture", architecture,
                                strlen(architecture), &writing->fault));
    must(writing, gguf_put_text(writing->writer, "general.name", tiny->name, strlen(tiny->name),
                                &writing->fault));
    must(writing,
         gguf_put_text(writing->writer, "tokenizer.ggml.model", "no_vocab", 8, &writing->fault));
    put_number(writing, "vocab_size", TINY_VOCAB);
    put_number(writing, "block_count", tiny->layers);
    put_number(writing, "embedding_length", tiny->dim);
    put_number(writing, "attention.head_count", tiny->heads);
    put_number(writing, "attention.head_count_kv", tiny->kv_heads);
    put_number(writing, "feed_forward_length", tiny->ffn);
    put_number(writing, "context_length", TINY_CONTEXT);
    const char *norm =
        tiny->flags & TINY_LAYER_NORM ? "layer_norm_epsilon" : "layer_norm_rms_epsilon";
    snprintf(eps, sizeof eps, "attention.%s=0.00001", norm);
    if (!writing->override || !strstr(writing->override, "epsilon"))
        put_item(writing, eps, strlen(eps));
    put_keys(writing);
}

/* ---- tensors: described in the first pass, filled in the second ---- */

static void write_values(struct writing *writing, enum dtype dtype, const float *values,
                         size_t count)
{
    uint16_t *halves = malloc(count * sizeof *halves);
    assert_non_null(halves);
    for (size_t i = 0; i < count; i++)
        halves[i] = half_from_float(values[i]);
    bool half = dtype == DTYPE_F16;
    must(writing,
         gguf_writer_write(writing->writer, half ? (const void *)halves : values,
                           count * (half ? sizeof *halves : sizeof *values), &writing->fault));
    free(halves);
}

/* Values middle + spread * uniform(-1, 1). rows 0 = a vector. */
static void put_tensor(struct writing *writing, const char *name, uint32_t rows, uint32_t cols,
                       double middle, double spread)
{
    uint64_t dims[2] = {cols, rows};
    size_t count = (size_t)cols * (rows ? rows : 1);
    enum dtype dtype = rows && writing->tiny->flags & TINY_F16 ? DTYPE_F16 : DTYPE_F32;
    if (!writing->data) {
        must(writing,
             gguf_put_tensor(writing->writer, name, dtype, rows ? 2 : 1, dims, &writing->fault));
        return;
    }
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(middle + spread * (double)test_uniform(&writing->seed));
    write_values(writing, dtype, values, count);
    free(values);
}

static void put_matrix(struct writing *writing, const char *name, uint32_t rows, uint32_t cols,
                       bool bias)
{
    char text[96];
    snprintf(text, sizeof text, "%s.weight", name);
    put_tensor(writing, text, rows, cols, 0, 2.5 / sqrt(cols));
    snprintf(text, sizeof text, "%s.bias", name);
    if (bias)
        put_tensor(writing, text, 0, rows, 0, 0.3);
}

static void put_norm(struct writing *writing, const char *name, uint32_t cols)
{
    char text[96];
    snprintf(text, sizeof text, "%s.weight", name);
    put_tensor(writing, text, 0, cols, 1, 0.4);
    snprintf(text, sizeof text, "%s.bias", name);
    if ((writing->tiny->flags & (TINY_LAYER_NORM | TINY_NORM_PLAIN)) == TINY_LAYER_NORM)
        put_tensor(writing, text, 0, cols, 0, 0.3);
}

static const char *layer_name(char text[64], uint32_t layer, const char *name)
{
    snprintf(text, 64, "blk.%u.%s", layer, name);
    return text;
}

static void put_attention(struct writing *writing, uint32_t layer)
{
    const struct tiny *tiny = writing->tiny;
    char name[64];
    uint32_t q = tiny->heads * tiny->head_dim, kv = tiny->kv_heads * tiny->head_dim;
    bool bias = tiny->flags & TINY_QKV_BIAS;
    if (!(tiny->flags & TINY_NO_PRE_NORMS))
        put_norm(writing, layer_name(name, layer, "attn_norm"), tiny->dim);
    if (tiny->flags & TINY_QKV_FUSED) {
        put_matrix(writing, layer_name(name, layer, "attn_qkv"), q + 2 * kv, tiny->dim, bias);
    } else {
        put_matrix(writing, layer_name(name, layer, "attn_q"), q, tiny->dim, bias);
        put_matrix(writing, layer_name(name, layer, "attn_k"), kv, tiny->dim, bias);
        put_matrix(writing, layer_name(name, layer, "attn_v"), kv, tiny->dim, bias);
    }
    if (tiny->flags & (TINY_QK_NORM | TINY_QK_NORM_ALL)) {
        bool all = tiny->flags & TINY_QK_NORM_ALL;
        put_norm(writing, layer_name(name, layer, "attn_q_norm"), all ? q : tiny->head_dim);
        put_norm(writing, layer_name(name, layer, "attn_k_norm"), all ? kv : tiny->head_dim);
    }
    put_matrix(writing, layer_name(name, layer, "attn_output"), tiny->dim, q,
               tiny->flags & TINY_OUTPUT_BIAS);
    if (tiny->flags & TINY_POST_NORMS)
        put_norm(writing, layer_name(name, layer, "post_attention_norm"), tiny->dim);
}

static void put_ffn(struct writing *writing, uint32_t layer)
{
    const struct tiny *tiny = writing->tiny;
    char name[64];
    bool bias = tiny->flags & TINY_FFN_BIAS, fused = tiny->flags & TINY_GATE_FUSED;
    if (!(tiny->flags & (TINY_PARALLEL | TINY_NO_PRE_NORMS)))
        put_norm(writing, layer_name(name, layer, "ffn_norm"), tiny->dim);
    if (!(tiny->flags & (TINY_GATE_FUSED | TINY_PLAIN_FFN)))
        put_matrix(writing, layer_name(name, layer, "ffn_gate"), tiny->ffn, tiny->dim, bias);
    put_matrix(writing, layer_name(name, layer, "ffn_up"), fused ? 2 * tiny->ffn : tiny->ffn,
               tiny->dim, bias);
    put_matrix(writing, layer_name(name, layer, "ffn_down"), tiny->dim, tiny->ffn, bias);
    if (tiny->flags & TINY_POST_NORMS)
        put_norm(writing, layer_name(name, layer, "post_ffw_norm"), tiny->dim);
}

static void put_tensors(struct writing *writing)
{
    const struct tiny *tiny = writing->tiny;
    put_tensor(writing, "token_embd.weight", TINY_VOCAB, tiny->dim, 0, 1);
    if (tiny->flags & TINY_POSITIONS)
        put_tensor(writing, "position_embd.weight", TINY_CONTEXT, tiny->dim, 0, 0.5);
    if (tiny->flags & TINY_ROPE_FREQS)
        put_tensor(writing, "rope_freqs.weight", 0, tiny->head_dim / 2, 5, 4);
    if (tiny->flags & TINY_LONGROPE) {
        const char *partial = strstr(tiny->keys, "rope.dimension_count=");
        uint32_t dims = partial ? (uint32_t)atoi(strchr(partial, '=') + 1) : tiny->head_dim;
        put_tensor(writing, "rope_factors_long.weight", 0, dims / 2, 20, 15);
        put_tensor(writing, "rope_factors_short.weight", 0, dims / 2, 1.5, 0.4);
    }
    for (uint32_t i = 0; i < tiny->layers; i++) {
        put_attention(writing, i);
        put_ffn(writing, i);
    }
    put_norm(writing, "output_norm", tiny->dim);
    if (tiny->flags & TINY_UNTIED)
        put_matrix(writing, "output", TINY_VOCAB, tiny->dim, tiny->flags & TINY_HEAD_BIAS);
}

void tiny_write(const struct tiny *tiny, const char *override, const char *path)
{
    struct writing writing = {.tiny = tiny, .override = override, .seed = 20240229};
    must(&writing, gguf_writer_create(&writing.writer, &writing.fault));
    put_metadata(&writing);
    put_tensors(&writing);
    must(&writing, gguf_writer_begin(writing.writer, path, &writing.fault));
    writing.data = true;
    put_tensors(&writing);
    must(&writing, gguf_writer_finish(writing.writer, &writing.fault));
    gguf_writer_destroy(writing.writer);
}
