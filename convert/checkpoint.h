/* checkpoint.h: one interface over all published forms of a model's weights: safetensors, PyTorch
 * zip (its pickle is read as data, nothing in it can run), GGUF; one file, or many with an index,
 * or the Hugging Face folder around them. All is validated when it is opened; files are only read,
 * by pread. After open a checkpoint is read-only and safe to share between threads.
 *
 * Faults name file, tensor, byte, what was expected and what was found. */
#ifndef LICHEN_CHECKPOINT_H
#define LICHEN_CHECKPOINT_H

#include "dtype.h"
#include "fault.h"
#include <stddef.h>
#include <stdint.h>

enum { CHECKPOINT_DIM_MAX = 8, CHECKPOINT_NAME_MAX = 255 };

/* What a tensor consists of. */
enum element {
    ELEMENT_F64,
    ELEMENT_F32,
    ELEMENT_F16,
    ELEMENT_BF16,
    ELEMENT_F8_E4M3, /* no infinity, 0x7f and 0xff are NaN (OCP "FN") */
    ELEMENT_F8_E5M2, /* the high half of an F16 */
    ELEMENT_I64,
    ELEMENT_U64,
    ELEMENT_I32,
    ELEMENT_U32,
    ELEMENT_I16,
    ELEMENT_U16,
    ELEMENT_I8,
    ELEMENT_U8,
    ELEMENT_BOOL,
    ELEMENT_BLOCK, /* quantized blocks of a GGUF file */
    ELEMENT_COUNT,
};

struct element_info {
    const char *name; /* as safetensors writes it: "BF16" */
    uint32_t size;    /* bytes; 0 for ELEMENT_BLOCK */
    bool is_float;    /* checkpoint_read_floats reads it */
    bool is_integer;  /* checkpoint_read_integers reads it */
};

const struct element_info *element_info(enum element element);

struct checkpoint;

struct checkpoint_tensor {
    const char *name; /* NUL-terminated UTF-8 without zero bytes, the checkpoint's */
    enum element element;
    enum dtype dtype; /* of ELEMENT_BLOCK */
    uint32_t dim_count;
    uint64_t dims[CHECKPOINT_DIM_MAX]; /* slowest first, as published; unused ones are 1 */
    uint64_t rows;                     /* product of all dims but the last; 1 when dim_count < 2 */
    uint64_t columns;                  /* the last dim; 1 when dim_count is 0 */
    uint64_t size;                     /* bytes of the dense tensor */
};

/* path: a folder (model.safetensors, model.safetensors.index.json, pytorch_model.bin or
 * pytorch_model.bin.index.json, the first of them that is there), an index (*.index.json) or a
 * file, told apart by its first bytes. An index decides which tensors there are and from which
 * shard; shards are files beside it. Symbolic links are followed: the Hub's cache consists of
 * them. */
bool checkpoint_open(const char *path, struct checkpoint **out, struct fault *fault);
void checkpoint_close(struct checkpoint *checkpoint); /* NULL is allowed */
/* Reads all of a format that carries checksums (the CRCs of a zip) and compares them. */
bool checkpoint_verify(const struct checkpoint *checkpoint, struct fault *fault);

/* Tensors are in the order of their names' bytes, so that it does not depend on the source. */
uint32_t checkpoint_tensor_count(const struct checkpoint *checkpoint);
const struct checkpoint_tensor *checkpoint_tensor_at(const struct checkpoint *checkpoint,
                                                     uint32_t index);
const struct checkpoint_tensor *checkpoint_tensor_find(const struct checkpoint *checkpoint,
                                                       const char *name);
/* The file that holds the tensor. */
const char *checkpoint_tensor_path(const struct checkpoint *checkpoint,
                                   const struct checkpoint_tensor *tensor);

/* row_count rows from first_row on, dense whatever the strides in the file. A range outside the
 * tensor or an element that the function does not read is FAULT_ARGUMENT. tensor is one of
 * checkpoint's. Thread-safe.
 * floats: dst[row_count * columns]; floating point and blocks; F64 is rounded. */
bool checkpoint_read_floats(const struct checkpoint *checkpoint,
                            const struct checkpoint_tensor *tensor, uint64_t first_row,
                            uint64_t row_count, float *dst, struct fault *fault);
/* integers: dst[row_count * columns]; integers and BOOL (0, 1); a U64 above INT64_MAX is a fault */
bool checkpoint_read_integers(const struct checkpoint *checkpoint,
                              const struct checkpoint_tensor *tensor, uint64_t first_row,
                              uint64_t row_count, int64_t *dst, struct fault *fault);
/* raw: the bytes as stored, little-endian; size bytes at dst = row_count * bytes of a dense row */
bool checkpoint_read_raw(const struct checkpoint *checkpoint,
                         const struct checkpoint_tensor *tensor, uint64_t first_row,
                         uint64_t row_count, void *dst, size_t size, struct fault *fault);

/* Part of the columns of some rows, for matrices that are to be transposed. */
struct checkpoint_panel {
    uint64_t first_row, first_column;
    size_t row_count, column_count;
};
/* dst[row_count][column_count] elements as stored, little-endian; not of ELEMENT_BLOCK. */
bool checkpoint_read_panel(const struct checkpoint *checkpoint,
                           const struct checkpoint_tensor *tensor,
                           const struct checkpoint_panel *panel, void *dst, struct fault *fault);

#endif
