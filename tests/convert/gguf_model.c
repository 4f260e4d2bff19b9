/* gguf_model.c: small models through the writer of quant/. */
#include "gguf_model.h"
#include "encode.h"
#include "gguf_write.h"
#include "testing.h"

#include <math.h>

struct building {
    const struct gguf_model *model;
    struct gguf_writer *writer;
    struct fault fault;
    uint64_t random;
    bool writing; /* else describing */
};

static void check(struct building *building, bool done)
{
    if (!done)
        fail_msg("%s", building->fault.text);
}

static void write_rows(struct building *building, const char *name, enum dtype dtype,
                       uint64_t columns, uint64_t rows)
{
    const struct dtype_info *info = dtype_find(dtype);
    const struct gguf_model *model = building->model;
    size_t size = (size_t)(columns / info->block_weights * info->block_size);
    float *row = malloc(columns * sizeof *row);
    uint8_t *bytes = malloc(size);
    bool spoiled = model->spoiled && strcmp(model->spoiled, name) == 0;
    assert_true(row && bytes);
    for (uint64_t i = 0; i < rows; i++) {
        for (uint64_t k = 0; k < columns; k++)
            row[k] = test_uniform(&building->random) * (model->scale > 0 ? model->scale : 0.02f);
        if (rows == 1)
            for (uint64_t k = 0; k < columns; k++)
                row[k] += 1;
        if (spoiled && i == 0)
            row[0] = NAN;
        if (spoiled && i + 1 == rows)
            row[columns - 1] = INFINITY;
        if (dtype == DTYPE_F32)
            memcpy(bytes, row, size); /* as it is: encode_row makes zeros of NaN */
        else
            encode_row(dtype, row, NULL, (uint32_t)columns, bytes, NULL);
        if (spoiled && dtype == DTYPE_F16 && i == 0)
            memcpy(bytes, "\x00\x7e", 2);
        if (spoiled && dtype == DTYPE_F16 && i + 1 == rows)
            memcpy(bytes + size - 2, "\x00\x7c", 2);
        check(building, gguf_writer_write(building->writer, bytes, size, &building->fault));
    }
    free(bytes);
    free(row);
}

static void tensor(struct building *building, const char *name, uint64_t columns, uint64_t rows,
                   uint64_t planes)
{
    uint64_t dims[3] = {columns, rows, planes};
    enum dtype dtype = rows > 1 ? building->model->dtype : DTYPE_F32;
    if (columns % dtype_find(dtype)->block_weights != 0)
        dtype = DTYPE_F16;
    if (building->writing)
        write_rows(building, name, dtype, columns, rows * planes);
    else
        check(building, gguf_put_tensor(building->writer, name, dtype,
                                        planes > 1 ? 3
                                        : rows > 1 ? 2
                                                   : 1,
                                        dims, &building->fault));
}

static void layer(struct building *building, uint32_t index)
{
    const struct gguf_model *model = building->model;
    char name[64];
#define TENSOR(suffix, columns, rows, planes)                                                      \
    (snprintf(name, sizeof name, "blk.%u." suffix ".weight", index),                               \
     tensor(building, name, columns, rows, planes))
    TENSOR("attn_norm", model->dim, 1, 1);
    if (model->fused) {
        TENSOR("attn_qkv", model->dim, model->dim + 2 * model->kv_dim, 1);
    } else {
        TENSOR("attn_q", model->dim, model->dim, 1);
        TENSOR("attn_k", model->dim, model->kv_dim, 1);
        TENSOR("attn_v", model->dim, model->kv_dim, 1);
    }
    TENSOR("attn_output", model->dim, model->dim, 1);
    TENSOR("ffn_norm", model->dim, 1, 1);
    if (model->experts) {
        TENSOR("ffn_gate_inp", model->dim, model->experts, 1);
        TENSOR("ffn_gate_exps", model->dim, model->ffn, model->experts);
        TENSOR("ffn_up_exps", model->dim, model->ffn, model->experts);
        TENSOR("ffn_down_exps", model->ffn, model->dim, model->experts);
    } else {
        TENSOR("ffn_gate", model->dim, model->ffn, 1);
        TENSOR("ffn_up", model->dim, model->ffn, 1);
        TENSOR("ffn_down", model->ffn, model->dim, 1);
    }
#undef TENSOR
}

static void tensors(struct building *building)
{
    const struct gguf_model *model = building->model;
    building->random = model->seed ? model->seed : 1;
    tensor(building, "token_embd.weight", model->dim, model->vocab, 1);
    for (uint32_t i = 0; i < model->layers; i++)
        layer(building, i);
    tensor(building, "output_norm.weight", model->dim, 1, 1);
    if (!model->tied)
        tensor(building, "output.weight", model->dim, model->vocab, 1);
}

static void put_u32(struct building *building, const char *suffix, uint32_t value)
{
    const char *architecture = building->model->architecture;
    char key[96];
    snprintf(key, sizeof key, "%s.%s", architecture ? architecture : "llama", suffix);
    check(building, gguf_put_u32(building->writer, key, value, &building->fault));
}

/* A SentencePiece vocabulary of byte tokens alone: any text has ids. */
static void put_vocabulary(struct building *building)
{
    enum { PIECE = 16, UNKNOWN = 3, BYTE = 6, NORMAL = 1 };
    uint32_t count = building->model->vocab;
    char(*texts)[PIECE] = calloc(count, sizeof *texts);
    struct gguf_string *items = calloc(count, sizeof *items);
    float *scores = calloc(count, sizeof *scores);
    int32_t *types = calloc(count, sizeof *types);
    assert_true(texts && items && scores && types);
    for (uint32_t i = 0; i < count; i++) {
        bool is_byte = i >= 3 && i < 259;
        snprintf(texts[i], PIECE, is_byte ? "<0x%02X>" : "<%u>", is_byte ? i - 3 : i);
        items[i] = (struct gguf_string){texts[i], strlen(texts[i])};
        types[i] = i == 0 ? 2 : i < 3 ? UNKNOWN : is_byte ? BYTE : NORMAL;
    }
    types[1] = types[2] = 3;
    struct gguf_writer *writer = building->writer;
    struct fault *fault = &building->fault;
    check(building,
          gguf_put_text(writer, "tokenizer.ggml.model", "llama", 5, fault) &&
              gguf_put_array(writer, "tokenizer.ggml.tokens", GGUF_STRING, items, count, fault) &&
              gguf_put_array(writer, "tokenizer.ggml.scores", GGUF_F32, scores, count, fault) &&
              gguf_put_array(writer, "tokenizer.ggml.token_type", GGUF_I32, types, count, fault) &&
              gguf_put_u32(writer, "tokenizer.ggml.bos_token_id", 1, fault) &&
              gguf_put_u32(writer, "tokenizer.ggml.eos_token_id", 2, fault) &&
              gguf_put_u32(writer, "tokenizer.ggml.unknown_token_id", 0, fault));
    free(types);
    free(scores);
    free(items);
    free(texts);
}

static void metadata(struct building *building)
{
    const struct gguf_model *model = building->model;
    const char *architecture = model->architecture ? model->architecture : "llama";
    check(building, gguf_put_text(building->writer, "general.architecture", architecture,
                                  strlen(architecture), &building->fault));
    check(building, gguf_put_text(building->writer, "general.name", "noise", 5, &building->fault));
    put_u32(building, "block_count", model->layers);
    put_u32(building, "context_length", 128);
    put_u32(building, "embedding_length", model->dim);
    put_u32(building, "feed_forward_length", model->ffn);
    put_u32(building, "attention.head_count", model->heads ? model->heads : 4);
    put_u32(building, "attention.head_count_kv", model->kv_heads ? model->kv_heads : 2);
    put_u32(building, "vocab_size", model->vocab);
    if (model->experts) {
        put_u32(building, "expert_count", model->experts);
        put_u32(building, "expert_used_count", 2);
    }
    char key[96];
    snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", architecture);
    check(building, gguf_put_f32(building->writer, key, 1e-5f, &building->fault));
    snprintf(key, sizeof key, "%s.attention.layer_norm_epsilon", architecture);
    check(building, gguf_put_f32(building->writer, key, 1e-5f, &building->fault));
    if (model->vocabulary)
        put_vocabulary(building);
}

void gguf_model_write(const char *path, const struct gguf_model *model)
{
    struct building building = {.model = model};
    check(&building, gguf_writer_create(&building.writer, &building.fault));
    metadata(&building);
    tensors(&building);
    check(&building, gguf_writer_begin(building.writer, path, &building.fault));
    building.writing = true;
    tensors(&building);
    check(&building, gguf_writer_finish(building.writer, &building.fault));
    gguf_writer_destroy(building.writer);
}
