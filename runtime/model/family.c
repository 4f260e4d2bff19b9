/* family.c: the table of families as an array. */
#include "family.h"
#include <string.h>

static const struct family families[] = {
#define X(name, ...) {.architecture = name, __VA_ARGS__},
#include "family.def"
#undef X
};

static const char *const architectures[] = {
#define X(name, ...) name,
#include "family.def"
#undef X
    NULL,
};

const struct family *family_find(const char *architecture)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (strcmp(families[i].architecture, architecture) == 0)
            return &families[i];
    return NULL;
}

const char *const *family_architectures(void)
{
    return architectures;
}
