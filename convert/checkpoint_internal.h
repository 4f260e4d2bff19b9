/* checkpoint_internal.h: what the sources of a checkpoint fill and what the readers use. Internal
 * to convert/; the outside uses checkpoint.h. */
#ifndef LICHEN_CHECKPOINT_INTERNAL_H
#define LICHEN_CHECKPOINT_INTERNAL_H

#include "arena.h"
#include "checkpoint.h"
#include "gguf.h"
#include "platform.h"

enum { CHECKPOINT_TENSOR_MAX = 65536, CHECKPOINT_SHARD_MAX = 4096 };

/* A tensor and where its elements lie: element (i, j, ...) at
 * offset + (i * strides[0] + j * strides[1] + ...) * size of an element, all of it below end. */
struct checkpoint_item {
    struct checkpoint_tensor tensor; /* first: the public tensor is this item */
    uint32_t file;                   /* index of checkpoint.files */
    bool is_dense;                   /* strides are those of a dense tensor */
    uint64_t offset;                 /* byte of element 0: in the file, or in the GGUF tensor */
    uint64_t end;                    /* byte behind the bytes that belong to it */
    uint64_t strides[CHECKPOINT_DIM_MAX]; /* elements */
    const struct gguf_tensor *gguf_tensor;
};

/* One file. Sources fill items; nobody else writes. */
struct checkpoint_part {
    struct file *file; /* NULL for a GGUF file */
    struct gguf *gguf; /* NULL for another */
    bool is_torch;     /* a zip, which has checksums */
    struct arena arena;
    struct checkpoint_item *items; /* [item_count], arena */
    uint32_t item_count;
};

/* Fill part from part->file; faults do not name the file. */
bool safetensors_read(struct checkpoint_part *part, struct fault *fault);
bool torch_zip_read(struct checkpoint_part *part, struct fault *fault);
/* Reads every entry to its end; libzip compares the CRCs. */
bool torch_zip_verify(struct file *file, struct fault *fault);
bool gguf_source_read(struct checkpoint_part *part, const char *path, struct fault *fault);

/* The header of a safetensors file of file_size bytes, of which size are at bytes. */
bool safetensors_parse(const void *bytes, size_t size, uint64_t file_size,
                       struct checkpoint_part *part, struct fault *fault);

/* Room for count items; more than CHECKPOINT_TENSOR_MAX is a fault. */
bool part_reserve(struct checkpoint_part *part, uint64_t count, struct fault *fault);
/* A copy of a name that came from a file: 1 to CHECKPOINT_NAME_MAX bytes, no zero among them. */
bool part_name(struct checkpoint_part *part, const char *bytes, size_t size, const char **name,
               struct fault *fault);
/* From element, dim_count and dims: unused dims, rows, columns, size, and the dense strides. */
bool item_measure(struct checkpoint_item *item, struct fault *fault);
void part_close(struct checkpoint_part *part); /* accepts a zeroed one */

#endif
