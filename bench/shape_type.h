/* shape_type.h: which type a tensor of a made-up model has. A plain type goes to all matrices; a
 * mix follows llama.cpp's rule of that name, without its exceptions for 70B models and experts. A
 * matrix whose rows are no multiple of 256 takes the nearest type of blocks of 32, as llama.cpp
 * does. */
#ifndef LICHEN_SHAPE_TYPE_H
#define LICHEN_SHAPE_TYPE_H

#include "dtype.h"

struct shape_type;

enum shape_role { ROLE_OTHER, ROLE_HEAD, ROLE_V, ROLE_QKV, ROLE_DOWN };

const struct shape_type *shape_type_find(const char *name); /* NULL = unknown */
const char *shape_type_name(size_t i);                      /* NULL behind the last */
enum dtype shape_type_of(const struct shape_type *type, enum shape_role role, uint32_t layer,
                         uint32_t layers, uint32_t cols);

#endif
