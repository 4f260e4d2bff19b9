/* shader_table.h: the SPIR-V modules built into the program, found by id. */
#ifndef LICHEN_SHADER_TABLE_H
#define LICHEN_SHADER_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct shader {
    const char *name;       /* as in shaders.def */
    const uint32_t *code;   /* SPIR-V, lives as long as the program */
    size_t size;            /* bytes */
    uint32_t binding_count; /* highest binding of set 0, plus 1 */
};

enum shader_id {
#define X(NAME, FILE, MACROS) SHADER_##NAME,
#include "shaders.def"
#undef X
    SHADER_COUNT
};

const struct shader *shader_get(enum shader_id id); /* id < SHADER_COUNT */

#endif
