/* gguf_internal.h: the description of a GGUF file as gguf*.c see it. */
#ifndef LICHEN_GGUF_INTERNAL_H
#define LICHEN_GGUF_INTERNAL_H

#include "arena.h"
#include "gguf.h"
#include "gguf_cursor.h"
#include "platform.h"

/* What a file may ask for (reliability: caps of A4). Published models stay far below. */
enum {
    GGUF_VERSION = 3,
    GGUF_COUNT_MAX = 65536, /* keys; tensors of all files together */
    GGUF_KEY_MAX = 65535,   /* bytes */
    GGUF_NAME_MAX = 255,    /* bytes of a tensor's name */
    GGUF_DIM_MAX = 4,
    GGUF_SPLIT_MAX = 1024, /* files of a model; each stays open */
    GGUF_STRING_MAX = 16 << 20,
    GGUF_HEADER_MAX = 256 << 20,
    /* Memory for keys, values and strings beyond their size in the file. What is not counted
     * (chunks not full, indexes, tensors) stays below 16 MiB, so a description takes at most the
     * header's size and 64 MiB. */
    GGUF_SLACK_MAX = 48 << 20,
    GGUF_ALIGNMENT_MIN = 8,
    GGUF_ALIGNMENT_MAX = 65536,
    GGUF_ALIGNMENT_DEFAULT = 32,
};

/* Scalars of every integer type and bool are kept as their 64-bit value (sign-extended). Items of
 * an array are kept in their type, but 8- and 16-bit integers as int32_t. */
union gguf_value {
    uint64_t number;
    float single;
    double real;
    struct gguf_string string;
    const void *items; /* [entry.count], of GGUF_STRING struct gguf_string */
};

struct gguf_field {
    struct gguf_entry entry; /* first: a pointer to it is a pointer to the field */
    union gguf_value value;
};

struct gguf_name {
    const char *name;
    const void *item; /* what has that name */
};

struct gguf_index {
    struct gguf_name *names; /* [count], ascending */
    uint32_t count;
};

struct gguf {
    struct arena arena;  /* everything below but files and arrays */
    struct arena arrays; /* items of arrays; empty once dropped */
    struct file **files; /* [file_count]; none when parsed from memory */
    uint32_t file_count;
    uint64_t size;  /* bytes of all files */
    bool synthetic; /* no files: data is made up */
    uint32_t alignment;
    uint32_t field_count;
    struct gguf_field *fields; /* in file order */
    struct gguf_index field_index;
    uint32_t tensor_count;
    struct gguf_tensor *tensors; /* in file order */
    struct gguf_index tensor_index;
};

/* "u32"; "type N" for an unknown one. */
const char *gguf_type_name(uint32_t type, char scratch[16]);
/* Bytes of one item in a file; 0 for strings, arrays and unknown types. */
uint32_t gguf_type_size(uint32_t type);
bool gguf_alignment_is_valid(uint64_t alignment);
bool gguf_type_is_narrow(enum gguf_type type); /* 8- and 16-bit integers */

/* Computes row_size, rows and size from dtype and dims; a fault when a dimension is 0 or they do
 * not fit the type or 64 bits. The only place where sizes of a tensor are computed. */
bool gguf_measure(struct gguf_tensor *tensor, struct fault *fault);

/* Sorts items, each of which begins with a pointer to its name; a name that occurs twice is a
 * fault. Sorting, not hashing: no choice of names makes it slow. */
bool gguf_index_build(struct gguf_index *index, struct arena *arena, const void *items,
                      size_t item_size, uint32_t count, const char *what, struct fault *fault);
const void *gguf_index_find(const struct gguf_index *index, const char *name);

/* One file, whatever it says about being one of several. */
bool gguf_open_one(const char *path, struct gguf **out, struct fault *fault);

/* gguf_read of a synthetic description; the range is inside the tensor. */
bool gguf_synthesize(const struct gguf_tensor *tensor, uint64_t offset, void *dst, size_t size,
                     struct fault *fault);

/* Reads count metadata entries behind the counts of the header. */
bool gguf_read_fields(struct gguf *gguf, struct cursor *cursor, uint64_t count);
const struct gguf_field *gguf_field_find(const struct gguf *gguf, const char *key);

#endif
