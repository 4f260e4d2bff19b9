/* shape.c: shape.def as GGUF headers, through the writer of real files. */
#include "shape.h"
#include "gguf_write.h"
#include "shape_type.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHAPE_TIED = 1, /* the head is the embedding */
    SHAPE_QKV_BIAS = 2,
    SHAPE_QKV_FUSED = 4, /* attn_qkv */
    SHAPE_GLU_FUSED = 8, /* ffn_up has the rows gate | up */
    SHAPE_QK_NORM = 16,  /* of each head */
    SHAPE_POST_NORMS = 32,
    SHAPE_LAYER_NORM = 64, /* norms and feed-forward have biases, and the head */
    SHAPE_PARALLEL = 128,  /* one norm a layer */
    SHAPE_PLAIN_FFN = 256, /* no gate */
};

struct shape {
    const char *name, *others, *architecture; /* others: separated by spaces */
    uint32_t layers, dim, heads, kv_heads, head_dim, ffn_dim, vocab, context, rope_dims;
    float rope_base, norm_eps;
    unsigned switches;
};

static const struct shape shapes[] = {
#define X(...) {__VA_ARGS__},
#include "shape.def"
#undef X
};

/* ---- names ---- */

static bool is_word_of(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = words; length && (at = strstr(at, word)); at++)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == 0))
            return true;
    return false;
}

static const struct shape *shape_find(const char *name)
{
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(shapes[i].name, name) == 0 || is_word_of(shapes[i].others, name))
            return &shapes[i];
    return NULL;
}

const char *shape_name_at(size_t i)
{
    return i < sizeof shapes / sizeof *shapes ? shapes[i].name : NULL;
}

static void add_word(char *text, size_t size, const char *word)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s%s", used ? " " : "", word);
}

void shape_names(char *text, size_t size)
{
    text[0] = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        add_word(text, size, shapes[i].name);
        if (shapes[i].others[0])
            add_word(text, size, shapes[i].others);
    }
}

void shape_types(char *text, size_t size)
{
    text[0] = 0;
    for (size_t i = 0; shape_type_name(i); i++)
        add_word(text, size, shape_type_name(i));
}

/* ---- metadata ---- */

struct maker {
    const struct shape *shape;
    const struct shape_type *type;
    struct gguf_writer *writer;
    uint32_t layer;
    struct fault *fault;
};

static bool put_count(struct maker *maker, const char *name, uint32_t value)
{
    char key[96];
    snprintf(key, sizeof key, "%s.%s", maker->shape->architecture, name);
    return gguf_put_u32(maker->writer, key, value, maker->fault);
}

static bool put_real(struct maker *maker, const char *name, float value)
{
    char key[96];
    snprintf(key, sizeof key, "%s.%s", maker->shape->architecture, name);
    return gguf_put_f32(maker->writer, key, value, maker->fault);
}

static bool put_text(struct maker *maker, const char *key, const char *text)
{
    return gguf_put_text(maker->writer, key, text, strlen(text), maker->fault);
}

static bool put_figures(struct maker *maker, const char *name)
{
    const struct shape *shape = maker->shape;
    bool layer_norm = shape->switches & SHAPE_LAYER_NORM;
    return put_text(maker, "general.architecture", shape->architecture) &&
           put_text(maker, "general.name", name) &&
           put_count(maker, "block_count", shape->layers) &&
           put_count(maker, "embedding_length", shape->dim) &&
           put_count(maker, "attention.head_count", shape->heads) &&
           put_count(maker, "attention.head_count_kv", shape->kv_heads) &&
           put_count(maker, "attention.key_length", shape->head_dim) &&
           put_count(maker, "attention.value_length", shape->head_dim) &&
           put_count(maker, "feed_forward_length", shape->ffn_dim) &&
           put_count(maker, "context_length", shape->context) &&
           put_count(maker, "rope.dimension_count", shape->rope_dims) &&
           put_real(maker, "rope.freq_base", shape->rope_base) &&
           put_real(maker,
                    layer_norm ? "attention.layer_norm_epsilon"
                               : "attention.layer_norm_rms_epsilon",
                    shape->norm_eps) &&
           (strcmp(shape->architecture, "gemma3") != 0 ||
            put_count(maker, "attention.sliding_window", 512));
}

/* Tokens that stand for bytes, then numbers. */
static bool put_vocabulary(struct maker *maker)
{
    enum { SPELLING = 12 };
    uint32_t count = maker->shape->vocab;
    struct gguf_string *tokens = calloc(count, sizeof *tokens);
    char(*spellings)[SPELLING] = calloc(count, sizeof *spellings);
    float *scores = calloc(count, sizeof *scores);
    bool done = tokens && spellings && scores;
    for (uint32_t i = 0; done && i < count; i++) {
        int size = snprintf(spellings[i], SPELLING, i < 256 ? "<0x%02X>" : "t%u", (unsigned)i);
        tokens[i] = (struct gguf_string){spellings[i], (size_t)size};
    }
    done = done ? put_text(maker, "tokenizer.ggml.model", "llama") &&
                      gguf_put_array(maker->writer, "tokenizer.ggml.tokens", GGUF_STRING, tokens,
                                     count, maker->fault) &&
                      gguf_put_array(maker->writer, "tokenizer.ggml.scores", GGUF_F32, scores,
                                     count, maker->fault)
                : fault_set(maker->fault, FAULT_MEMORY, "no memory for %u tokens", (unsigned)count);
    free(tokens);
    free(spellings);
    free(scores);
    return done;
}

/* ---- tensors ---- */

#define NO_LAYER UINT32_MAX

static bool put_tensor(struct maker *maker, const char *name, const char *suffix, enum dtype dtype,
                       uint32_t cols, uint32_t rows)
{
    char text[64];
    const uint64_t dims[2] = {cols, rows};
    if (maker->layer == NO_LAYER)
        snprintf(text, sizeof text, "%s.%s", name, suffix);
    else
        snprintf(text, sizeof text, "blk.%u.%s.%s", (unsigned)maker->layer, name, suffix);
    return gguf_put_tensor(maker->writer, text, dtype, rows == 1 ? 1 : 2, dims, maker->fault);
}

static bool put_vector(struct maker *maker, const char *name, const char *suffix, uint32_t count)
{
    return put_tensor(maker, name, suffix, DTYPE_F32, count, 1);
}

static bool put_matrix(struct maker *maker, const char *name, enum shape_role role, uint32_t cols,
                       uint32_t rows, bool bias)
{
    enum dtype dtype = shape_type_of(maker->type, role, maker->layer, maker->shape->layers, cols);
    return put_tensor(maker, name, "weight", dtype, cols, rows) &&
           (!bias || put_vector(maker, name, "bias", rows));
}

static bool put_norm(struct maker *maker, const char *name, uint32_t count)
{
    bool bias = maker->shape->switches & SHAPE_LAYER_NORM;
    return put_vector(maker, name, "weight", count) &&
           (!bias || put_vector(maker, name, "bias", count));
}

static bool put_attention(struct maker *maker)
{
    const struct shape *shape = maker->shape;
    uint32_t dim = shape->dim, q = shape->heads * shape->head_dim;
    uint32_t kv = shape->kv_heads * shape->head_dim;
    bool bias = shape->switches & SHAPE_QKV_BIAS, done;
    if (shape->switches & SHAPE_QKV_FUSED)
        done = put_matrix(maker, "attn_qkv", ROLE_QKV, dim, q + 2 * kv, bias);
    else
        done = put_matrix(maker, "attn_q", ROLE_OTHER, dim, q, bias) &&
               put_matrix(maker, "attn_k", ROLE_OTHER, dim, kv, bias) &&
               put_matrix(maker, "attn_v", ROLE_V, dim, kv, bias);
    if (done && shape->switches & SHAPE_QK_NORM)
        done = put_vector(maker, "attn_q_norm", "weight", shape->head_dim) &&
               put_vector(maker, "attn_k_norm", "weight", shape->head_dim);
    return done && put_matrix(maker, "attn_output", ROLE_OTHER, q, dim, false);
}

static bool put_ffn(struct maker *maker)
{
    const struct shape *shape = maker->shape;
    uint32_t dim = shape->dim, inner = shape->ffn_dim;
    bool fused = shape->switches & SHAPE_GLU_FUSED, bias = shape->switches & SHAPE_LAYER_NORM;
    bool gate = !fused && !(shape->switches & SHAPE_PLAIN_FFN);
    return (!gate || put_matrix(maker, "ffn_gate", ROLE_OTHER, dim, inner, false)) &&
           put_matrix(maker, "ffn_up", ROLE_OTHER, dim, fused ? 2 * inner : inner, bias) &&
           put_matrix(maker, "ffn_down", ROLE_DOWN, inner, dim, bias);
}

static bool put_layer(struct maker *maker)
{
    const struct shape *shape = maker->shape;
    bool post = shape->switches & SHAPE_POST_NORMS;
    return put_norm(maker, "attn_norm", shape->dim) && put_attention(maker) &&
           (!post || put_norm(maker, "post_attention_norm", shape->dim)) &&
           (shape->switches & SHAPE_PARALLEL || put_norm(maker, "ffn_norm", shape->dim)) &&
           put_ffn(maker) && (!post || put_norm(maker, "post_ffw_norm", shape->dim));
}

static bool put_tensors(struct maker *maker)
{
    const struct shape *shape = maker->shape;
    bool tied = shape->switches & SHAPE_TIED;
    maker->layer = NO_LAYER;
    bool done = put_matrix(maker, "token_embd", tied ? ROLE_HEAD : ROLE_OTHER, shape->dim,
                           shape->vocab, false) &&
                put_norm(maker, "output_norm", shape->dim) &&
                (tied || put_matrix(maker, "output", ROLE_HEAD, shape->dim, shape->vocab,
                                    shape->switches & SHAPE_LAYER_NORM));
    for (uint32_t i = 0; done && i < shape->layers; i++) {
        maker->layer = i;
        done = put_layer(maker);
    }
    return done;
}

/* ---- the whole ---- */

static bool find_both(const char *shape, const char *type, struct maker *maker)
{
    char known[1024];
    maker->shape = shape_find(shape);
    maker->type = shape_type_find(type);
    if (!maker->shape) {
        shape_names(known, sizeof known);
        return fault_set(maker->fault, FAULT_ARGUMENT, "--shape %.60s: unknown; known are %s",
                         shape, known);
    }
    if (!maker->type) {
        shape_types(known, sizeof known);
        return fault_set(maker->fault, FAULT_ARGUMENT, "--type %.60s: unknown; known are %s", type,
                         known);
    }
    return true;
}

bool shape_make(const char *shape, const char *type, struct shape_header *out, struct fault *fault)
{
    struct maker maker = {.fault = fault};
    *out = (struct shape_header){0};
    if (!find_both(shape, type, &maker) || !gguf_writer_create(&maker.writer, fault))
        return false;
    snprintf(out->name, sizeof out->name, "%s %s", maker.shape->name, type);
    bool made = put_figures(&maker, out->name) && put_vocabulary(&maker) && put_tensors(&maker) &&
                gguf_writer_header(maker.writer, &out->bytes, &out->size, fault);
    gguf_writer_destroy(maker.writer);
    return made;
}
