/* gguf.h: reads GGUF version 3 (ggml-org/ggml docs/gguf.md), little-endian:
 *
 *   "GGUF" u32 version=3 u64 tensor_count u64 kv_count
 *   kv_count  x { string key, u32 type, value }            string = u64 size, bytes
 *   tensor_count x { string name, u32 dim_count, u64 dims[], u32 dtype, u64 offset }
 *   padding to general.alignment (default 32), then the tensors, contiguous and aligned
 *
 * The file is parsed once into an immutable, validated description: caps of reliability.md A4,
 * every size by checked arithmetic, tensor offsets ascending, aligned, contiguous, inside the
 * file, no duplicate key or name. Nothing behind it recomputes a size from raw input.
 * A description may come from several files (split.count): one gguf, tensors of all of them.
 * After open everything is read-only and safe to share between threads. */
#ifndef LICHEN_GGUF_H
#define LICHEN_GGUF_H

#include "dtype.h"
#include "fault.h"

enum gguf_type {
    GGUF_U8 = 0,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
};

struct gguf;

struct gguf_string {
    const char *bytes; /* not terminated, may hold any byte, gguf's */
    size_t size;
};

struct gguf_tensor {
    const char *name; /* NUL-terminated, gguf's */
    enum dtype dtype; /* one that dtype_find knows */
    uint32_t dim_count;
    uint64_t dims[4];  /* dims[0] = length of a row; unused ones are 1 */
    uint64_t rows;     /* dims[1] * dims[2] * dims[3] */
    uint64_t row_size; /* bytes */
    uint64_t size;     /* bytes = rows * row_size */
    uint64_t offset;   /* from the start of its file */
    uint32_t file;     /* which file of a split model */
};

struct gguf_entry {  /* one metadata key */
    const char *key; /* NUL-terminated */
    enum gguf_type type;
    enum gguf_type item_type; /* of an array */
    uint64_t count;           /* items of an array, 1 for a scalar */
};

/* path may be any shard of a split model ("-00001-of-00003.gguf"). */
bool gguf_open(const char *path, struct gguf **out, struct fault *fault);
/* A file whose magic is not written yet (four zero bytes in its place); all else as gguf_open. */
bool gguf_open_unfinished(const char *path, struct gguf **out, struct fault *fault);
/* From memory, for tests and fuzzing: bytes are copied as needed; tensor data need not be there,
 * file_size says how long the file claims to be. gguf_read then fails. */
bool gguf_parse(const void *bytes, size_t size, uint64_t file_size, struct gguf **out,
                struct fault *fault);
/* From a header in memory, as gguf_writer_header gives it, with data that is made up: gguf_read gives
 * blocks of pseudo-random codes with scales for weights of about 1 / sqrt(row length), 1 in vectors.
 * The same header gives the same bytes, whatever is read in whatever order. For measuring speed. */
bool gguf_parse_synthetic(const void *bytes, size_t size, struct gguf **out, struct fault *fault);
void gguf_close(struct gguf *gguf); /* NULL is allowed */

const char *gguf_path(const struct gguf *gguf);
uint32_t gguf_file_count(const struct gguf *gguf); /* 0 when parsed from memory */
const char *gguf_file_path(const struct gguf *gguf, uint32_t index);
uint64_t gguf_size(const struct gguf *gguf); /* bytes of all files */
uint32_t gguf_alignment(const struct gguf *gguf);

uint32_t gguf_tensor_count(const struct gguf *gguf);
const struct gguf_tensor *gguf_tensor_at(const struct gguf *gguf, uint32_t index);
const struct gguf_tensor *gguf_tensor_find(const struct gguf *gguf, const char *name);
/* Reads size bytes at offset inside the tensor's data. Thread-safe. */
bool gguf_read(const struct gguf *gguf, const struct gguf_tensor *tensor, uint64_t offset,
               void *dst, size_t size, struct fault *fault);

uint32_t gguf_entry_count(const struct gguf *gguf);
const struct gguf_entry *gguf_entry_at(const struct gguf *gguf, uint32_t index);
const struct gguf_entry *gguf_entry_find(const struct gguf *gguf, const char *key);

/* Typed getters. A present key of another type is always a fault. An absent key is a fault when
 * required; otherwise *value keeps what the caller put there and the result is true.
 * gguf_u32 accepts any integer type whose value fits; gguf_f32 any float type. */
bool gguf_u32(const struct gguf *gguf, const char *key, bool required, uint32_t *value,
              struct fault *fault);
bool gguf_u64(const struct gguf *gguf, const char *key, bool required, uint64_t *value,
              struct fault *fault);
bool gguf_f32(const struct gguf *gguf, const char *key, bool required, float *value,
              struct fault *fault);
bool gguf_bool(const struct gguf *gguf, const char *key, bool required, bool *value,
               struct fault *fault);
bool gguf_text(const struct gguf *gguf, const char *key, bool required, struct gguf_string *value,
               struct fault *fault);
/* Arrays: count items; expected = SIZE_MAX takes any length. The pointer is gguf's, aligned.
 * gguf_i32_array accepts I32 and U32 items (values must fit), and widens 8-/16-bit ones. */
bool gguf_i32_array(const struct gguf *gguf, const char *key, bool required, size_t expected,
                    const int32_t **items, size_t *count, struct fault *fault);
bool gguf_f32_array(const struct gguf *gguf, const char *key, bool required, size_t expected,
                    const float **items, size_t *count, struct fault *fault);
bool gguf_text_array(const struct gguf *gguf, const char *key, bool required, size_t expected,
                     const struct gguf_string **items, size_t *count, struct fault *fault);
/* True when both have the same keys that begin with prefix, with equal types and values. */
bool gguf_same_entries(const struct gguf *a, const struct gguf *b, const char *prefix);
/* Frees the items of all arrays; the arrays stay, with 0 items. Scalars, strings and tensors stay.
 * For the owner alone: pointers that the getters of arrays gave are no longer good. */
void gguf_drop_arrays(struct gguf *gguf);
/* One item of a scalar or array as text for people ("32", "0.5", "llama"), truncated to size. */
void gguf_format(const struct gguf *gguf, const struct gguf_entry *entry, uint64_t item, char *dst,
                 size_t size);

#endif
