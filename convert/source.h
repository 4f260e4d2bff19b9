/* source.h: what is to be converted, seen as the GGUF file that it will become: published GGUF
 * names, GGUF dims, float rows in the order in which GGUF wants them (q and k permuted, fused
 * matrices split, Conv1D transposed, packed integers unpacked), metadata entries ready to be
 * written.
 *
 *   source_hf.c    a Hugging Face folder (config.json + checkpoint + tokenizer), a map a family
 *   source_gguf.c  a GGUF file, to be quantized again
 *
 * After open a source is read-only and safe to share between threads. Faults name file, tensor,
 * expected and found. */
#ifndef LICHEN_SOURCE_H
#define LICHEN_SOURCE_H

#include "dtype.h"
#include "fault.h"
#include "gguf_write.h"

struct source;

struct source_options {
    uint32_t
        gptq_zero_wrap; /* what a stored GPTQ zero of 15 means: 16 or 0 (quantization.md 1.1) */
    const char *name;   /* general.name; NULL = the folder's or the file's */
};

struct source_tensor {
    const char *name; /* GGUF's, NUL-terminated, at most 63 bytes; source's */
    uint32_t dim_count;
    uint64_t dims[4]; /* dims[0] = length of a row; unused ones are 1 */
    uint64_t rows;    /* dims[1] * dims[2] * dims[3] */
    /* What the checkpoint holds, for the report and for types that keep it: F32, F16, BF16, or a
     * block type (GGUF sources, packed integers). F64 and FP8 tell F32 and BF16. */
    enum dtype stored;
    /* The block type that holds the checkpoint's own codes without loss (GPTQ, ChatGLM int4/int8,
     * GGUF blocks), DTYPE_ID_COUNT when there is none. */
    enum dtype lossless;
    /* A stored GPTQ zero of all bits occurs: source_options.gptq_zero_wrap decided what it means.
     */
    bool zero_is_full;
    const char *from; /* the checkpoint's tensors that it is made of, for people; source's */
};

/* path: a folder, a .safetensors, .bin or .gguf file. A family or a part of a model that lichen
 * does not convert is FAULT_UNSUPPORTED and names it; source_open still succeeds with `unsupported`
 * filled where only running, not reading, is impossible (for --dry-run). */
bool source_open(const char *path, const struct source_options *options, struct source **out,
                 struct fault *fault);
void source_close(struct source *source); /* NULL is allowed */

const char *source_architecture(const struct source *source); /* GGUF's, "llama" */
/* NULL, or one sentence: why no file can be made of it. Its tensors then keep published names. */
const char *source_unsupported(const struct source *source);
/* False: its file will take token ids alone, no text. */
bool source_has_tokenizer(const struct source *source);
uint32_t source_layer_count(const struct source *source);
/* Query heads a KV head, 1 without grouping; experts, 0 without: the mixture rules ask. */
uint32_t source_gqa(const struct source *source);
uint32_t source_expert_count(const struct source *source);

/* In the order in which they will stand in the file. */
uint32_t source_tensor_count(const struct source *source);
const struct source_tensor *source_tensor_at(const struct source *source, uint32_t index);

/* Rows as float32: dst[row_count * dims[0]]. Allocates at most a bounded scratch, whatever the
 * tensor's size. Thread-safe. */
bool source_read(const struct source *source, uint32_t index, uint64_t first_row,
                 uint64_t row_count, float *dst, struct fault *fault);
/* Rows as blocks of the tensor's `lossless` type: dst[row_count * bytes of a row]. Thread-safe. */
bool source_read_lossless(const struct source *source, uint32_t index, uint64_t first_row,
                          uint64_t row_count, void *dst, struct fault *fault);

/* Every metadata entry but those the converter itself rules (general.file_type,
 * general.quantization_version, lichen.*): architecture, hyperparameters, tokenizer, template,
 * sampling defaults, licence. */
bool source_put_metadata(const struct source *source, struct gguf_writer *writer,
                         struct fault *fault);

/* The files that it was made of, for provenance: the checkpoint's, the config, the tokenizer's. */
uint32_t source_file_count(const struct source *source);
const char *source_file_path(const struct source *source, uint32_t index);

#endif
