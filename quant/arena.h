/* arena.h: memory that is freed all at once, with a budget. */
#ifndef LICHEN_ARENA_H
#define LICHEN_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *chunk; /* newest first, owned */
    size_t used;               /* bytes handed out */
    size_t budget;             /* bytes that may be handed out, 0 = no limit */
};

void arena_init(struct arena *arena, size_t budget);
void arena_free(struct arena *arena); /* accepts a zeroed arena */

/* count * size bytes, zeroed, 16-byte aligned; NULL when the product overflows, the budget is
 * spent or the machine has no memory. Lives until arena_free. count * size may be 0. */
void *arena_alloc(struct arena *arena, size_t count, size_t size);

/* A NUL-terminated copy of size bytes; NULL as above. */
char *arena_copy(struct arena *arena, const void *bytes, size_t size);

#endif
