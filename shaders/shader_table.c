/* shader_table.c: the table of shaders.def. The modules themselves are generated sources. */
#include "shader_table.h"

#include <assert.h>

#define X(NAME, FILE, MACROS) extern const struct shader shader_##NAME;
#include "shaders.def"
#undef X

static const struct shader *const table[SHADER_COUNT + 1] = {
#define X(NAME, FILE, MACROS) &shader_##NAME,
#include "shaders.def"
#undef X
    NULL, /* so that an empty list is legal C */
};

const struct shader *shader_get(enum shader_id id)
{
    assert(id < SHADER_COUNT);
    return table[id];
}
