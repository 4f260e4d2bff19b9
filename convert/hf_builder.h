/* hf_builder.h: what the parts of source_hf.c share while a Hugging Face folder is opened: the
 * numbers of its configuration, the metadata entries and the tensors of the GGUF file to be.
 * The first failure is kept and sets failed; everything then does nothing. */
#ifndef LICHEN_HF_BUILDER_H
#define LICHEN_HF_BUILDER_H

#include "arena.h"
#include "hf_family.h"
#include "hf_weight.h"
#include "source_private.h"
#include "tokenizer_import.h"

enum {
    HF_LAYERS_MAX = 1024,
    HF_SEGMENTS_MAX = 3,
    HF_VECTORS_MAX = 4,
    HF_NAME_SIZE = 256,
    HF_ENDS_MAX = 16
};

struct hf_hparams {
    uint32_t layers, dim, heads, kv_heads, head_dim, ffn, vocab, context;
    uint32_t rope_dims;
    double rope_base;
    uint32_t window; /* 0 = none */
    bool tied;
    bool kv_assumed; /* config.json does not say kv_heads */
};

/* Which published row is row r of a segment, D = head_dim, h = r / D, d = r % D (with pairs, the
 * element of the half that d belongs to): first + h / per_group * group_stride + h % per_group * D
 * + d. */
struct hf_segment {
    const struct hf_weight *weight;
    uint64_t rows;
    uint64_t first, head_dim, per_group, group_stride;
    bool pairs;
};

struct hf_plan {                                 /* how a tensor is read */
    struct hf_segment segments[HF_SEGMENTS_MAX]; /* one behind the other along the rows */
    uint32_t segment_count;
    bool vector; /* its elements are the segments' rows, which have one column */
    bool plus_one, unit_rows;
};

struct hf_entry { /* one key of the metadata */
    const char *key;
    enum gguf_type type; /* U32, F32, BOOL, STRING; ARRAY of BOOL or STRING */
    enum gguf_type item_type;
    uint32_t count;
    union {
        uint32_t u32;
        float f32;
        bool boolean;
        const char *text;
        const uint8_t *booleans;         /* [count] */
        const struct gguf_string *texts; /* [count] */
    } value;
    struct hf_entry *next;
};

struct hf_source {
    struct source source; /* first */
    struct arena arena;   /* everything that the members point to */
    struct checkpoint *checkpoint;
    struct tokenizer_import *tokenizer; /* NULL = the folder has none */
    struct hf_entry *entries, **entries_end;
    struct source_tensor *tensors; /* [source.tensor_count], arena */
    struct hf_plan *plans;         /* [source.tensor_count], arena */
};

struct hf_quantization { /* how integers are packed in this checkpoint */
    enum hf_packing packing;
    uint32_t group_size; /* 0 = not said, UINT32_MAX = one group a row */
    int32_t zero_add;
    bool zero_wraps;
    uint32_t block_rows, block_columns; /* FP8 */
};

struct hf_builder {
    struct hf_source *source;
    struct hf_config config;
    json_t *generation; /* generation_config.json, owned; NULL = there is none */
    const char *folder, *config_path, *generation_path; /* arena */
    const struct hf_family *family;
    struct hf_hparams hparams;
    struct hf_quantization quantization;
    const struct source_options *options;
    const char *prefix; /* "@" of the family's names */
    bool *used;         /* [tensors of the checkpoint] */
    uint32_t tensor_capacity;
    struct {
        const char *name;
        const float *values; /* [count], arena */
        uint32_t count;
    } vectors[HF_VECTORS_MAX]; /* that the converter computed */
    uint32_t vector_count;
    struct fault *fault;
    bool failed;
};

void *hf_alloc(struct hf_builder *builder, size_t count, size_t size);
/* A formatted copy in the arena. */
const char *hf_format(struct hf_builder *builder, const char *format, ...) FAULT_PRINTF(2, 3);
bool hf_fail(struct hf_builder *builder, enum fault_kind kind, const char *format, ...)
    FAULT_PRINTF(3, 4);
/* One sentence why no file can be made; the first wins. The source then opens with published
 * names. */
void hf_unsupported(struct hf_builder *builder, const char *format, ...) FAULT_PRINTF(2, 3);
/* True while there is neither a failure nor an unsupported part. */
bool hf_goes_on(const struct hf_builder *builder);

/* key: behind "ARCH." unless it begins with "general." */
void hf_put_u32(struct hf_builder *builder, const char *key, uint32_t value);
void hf_put_f32(struct hf_builder *builder, const char *key, double value);
void hf_put_bool(struct hf_builder *builder, const char *key, bool value);
void hf_put_text(struct hf_builder *builder, const char *key, const char *text);
void hf_put_bools(struct hf_builder *builder, const char *key, const uint8_t *values,
                  uint32_t count);
void hf_put_texts(struct hf_builder *builder, const char *key, const struct gguf_string *texts,
                  uint32_t count);

/* hf_hparams.c: the usual numbers, then the family's special ones. */
void hf_hparams_read(struct hf_builder *builder);
/* Which layers slide, from layer_types or a period; writes window and pattern. */
void hf_put_window(struct hf_builder *builder, uint32_t period);
/* hf_rope.c: rotary positions: base, dimensions, scaling, tables of factors. */
void hf_rope_read(struct hf_builder *builder);
/* hf_quantization.c: quantization_config and its older forms. */
void hf_quantization_read(struct hf_builder *builder);
/* hf_general.c: licence, languages, sampling defaults. */
void hf_general_read(struct hf_builder *builder);
/* hf_name.c: name and size label; after the tensors, whose weights are counted. */
void hf_name_read(struct hf_builder *builder);

/* hf_find_weight.c: the matrix NAME.weight, however it is stored, of rows x columns as in y = W x;
 * NULL is a failure. */
struct hf_weight *hf_weight_find(struct hf_builder *builder, const char *name, uint64_t rows,
                                 uint64_t columns, bool transposed);
/* NAME.bias (or any vector by its whole name) as a matrix of one column. */
struct hf_weight *hf_vector_find(struct hf_builder *builder, const char *name, uint64_t count);
/* True when the checkpoint has NAME.weight in any form. */
bool hf_weight_there(const struct hf_builder *builder, const char *name);
void hf_mark_used(struct hf_builder *builder, const struct checkpoint_tensor *tensor);

/* hf_tensors.c: all rows of the family's table, and that nothing of the checkpoint is left. */
void hf_tensors_map(struct hf_builder *builder);
/* A vector that the converter computed, for the end of the file. values: arena's */
void hf_put_vector(struct hf_builder *builder, const char *name, const float *values,
                   uint32_t count);
/* The tensors under their published names, for what lichen cannot convert. */
void hf_tensors_published(struct hf_builder *builder);

/* hf_read.c: the functions of struct source_kind. */
bool hf_source_read(const struct source *source, uint32_t index, uint64_t first_row,
                    uint64_t row_count, float *dst, struct fault *fault);
bool hf_source_read_lossless(const struct source *source, uint32_t index, uint64_t first_row,
                             uint64_t row_count, void *dst, struct fault *fault);

#endif
