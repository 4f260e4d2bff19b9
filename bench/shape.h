/* shape.h: the header of a GGUF file that does not exist: metadata, tensors and a vocabulary
 * without meaning of a well-known model (shape.def), in a weight type or a mix of types. Opened
 * through lichen_engine_options.synthetic it runs like a file, with made-up weights. */
#ifndef LICHEN_SHAPE_H
#define LICHEN_SHAPE_H

#include "fault.h"
#include <stddef.h>
#include <stdint.h>

struct shape_header {
    uint8_t *bytes; /* GGUF header, malloc'd, the caller's */
    size_t size;
    char name[64]; /* "qwen2.5-0.5b q4_k_m" */
};

/* shape: a name or another name of shape.def; type: a name of shape_types. Unknown ones are a
 * FAULT_ARGUMENT that lists the known ones. */
bool shape_make(const char *shape, const char *type, struct shape_header *out, struct fault *fault);

/* Names separated by spaces. */
void shape_names(char *text, size_t size);
void shape_types(char *text, size_t size);
/* The name of shape number i; NULL behind the last. */
const char *shape_name_at(size_t i);

#endif
