/* pickle_value.h: the values that pickle.c computes with, pickle_call.c puts together and
 * pickle_tree.c walks. Internal to them. */
#ifndef LICHEN_PICKLE_VALUE_H
#define LICHEN_PICKLE_VALUE_H

#include "pickle.h"

enum pickle_kind {
    PICKLE_NONE,
    PICKLE_MARK,
    PICKLE_BOOL,
    PICKLE_INTEGER,
    PICKLE_FLOAT,
    PICKLE_TEXT,  /* UTF-8 */
    PICKLE_BYTES, /* any */
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_SET,
    PICKLE_DICT,
    PICKLE_ORDERED_DICT,
    PICKLE_GLOBAL,
    PICKLE_STORAGE,
    PICKLE_TENSOR,
};

/* Entries of the table of globals. The storages come first, in the order of pickle.c's table. */
enum pickle_global {
    GLOBAL_STORAGE_FIRST = 0,
    GLOBAL_STORAGE_COUNT = 10,
    GLOBAL_ORDERED_DICT = GLOBAL_STORAGE_COUNT,
    GLOBAL_REBUILD_TENSOR,
    GLOBAL_REBUILD_PARAMETER,
    GLOBAL_COUNT,
};

struct pickle_list;

struct pickle_value {
    enum pickle_kind kind;
    uint32_t size; /* bytes of text */
    union {
        int64_t integer; /* also BOOL, and the index of GLOBAL and STORAGE */
        const uint8_t *text;
        struct pickle_list *list;           /* tuple, list, set, dict */
        const struct pickle_tensor *tensor; /* without a name */
    } as;
};

struct pickle_list {
    struct pickle_value *items; /* [count]; of a dict key, value, key, value */
    uint32_t count, capacity;
};

const char *pickle_kind_name(enum pickle_kind kind);           /* "a tuple" */
enum element pickle_global_element(enum pickle_global global); /* of a storage */
const char *pickle_global_name(enum pickle_global global);

bool pickle_no_memory(struct fault *fault);
/* BINPERSID: ('storage', type, key, location, count) becomes a reference. */
bool pickle_reference(struct pickle *pickle, const struct pickle_value *tuple,
                      struct pickle_value *result, struct fault *fault);
/* REDUCE */
bool pickle_call(struct pickle *pickle, const struct pickle_value *callable,
                 const struct pickle_value *tuple, struct pickle_value *result,
                 struct fault *fault);
/* Fills pickle->tensors from what the pickle holds. */
bool pickle_walk(struct pickle *pickle, const struct pickle_value *root, struct fault *fault);

#endif
