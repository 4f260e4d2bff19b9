/* pickle.h: reads the pickle of a PyTorch checkpoint as data. Nothing in it can be called: GLOBAL
 * gives a number from a fixed table, and the few callables of that table only put data together.
 * Opcodes, globals and budgets: the tables in pickle.c. No recursion; memory is bounded by
 * PICKLE_MEMORY_MAX. */
#ifndef LICHEN_PICKLE_H
#define LICHEN_PICKLE_H

#include "arena.h"
#include "checkpoint.h"

enum {
    PICKLE_SIZE_MAX = 64 << 20,
    PICKLE_MEMORY_MAX = 64 << 20,
    PICKLE_OPCODE_MAX = 50000000,
    PICKLE_STACK_MAX = 1000000, /* also of the memo */
    PICKLE_TEXT_MAX = 1 << 20,
    PICKLE_TENSOR_MAX = 65536, /* the same number of storages */
    PICKLE_DEPTH_MAX = 16,     /* of dicts and lists around a tensor */
};

/* One reference to a storage; tied weights refer to one key more than once. */
struct pickle_storage {
    char key[24]; /* decimal digits, NUL-terminated */
    enum element element;
    uint64_t count; /* elements */
};

struct pickle_tensor {
    const char *name; /* the keys that lead to it, joined by '.'; arena */
    size_t name_size;
    uint32_t storage; /* index */
    uint32_t dim_count;
    uint64_t offset; /* elements; with dims and strides checked to stay inside the storage */
    uint64_t dims[CHECKPOINT_DIM_MAX];
    uint64_t strides[CHECKPOINT_DIM_MAX]; /* elements */
};

struct pickle {
    struct arena arena;
    struct pickle_storage *storages; /* [storage_count], arena */
    uint32_t storage_count;
    struct pickle_tensor *tensors; /* [tensor_count], arena */
    uint32_t tensor_count;
};

/* On failure too the caller frees. bytes are not needed afterwards. */
bool pickle_parse(const void *bytes, size_t size, struct pickle *pickle, struct fault *fault);
void pickle_free(struct pickle *pickle); /* accepts a zeroed one */

#endif
