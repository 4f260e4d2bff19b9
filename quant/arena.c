/* arena.c: bump allocation in chunks that double up to 1 MiB. Chunks come from calloc, so memory is
 * zero without being touched. */
#include "arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 16, CHUNK_MIN = 4096, CHUNK_MAX = 1 << 20 };

struct arena_chunk {
    struct arena_chunk *next; /* older */
    size_t used;              /* bytes of data[] */
    size_t size;              /* bytes of data[] */
    _Alignas(ALIGNMENT) unsigned char data[];
};

void arena_init(struct arena *arena, size_t budget)
{
    *arena = (struct arena){.budget = budget};
}

void arena_free(struct arena *arena)
{
    while (arena->chunk) {
        struct arena_chunk *next = arena->chunk->next;
        free(arena->chunk);
        arena->chunk = next;
    }
    arena->used = 0;
}

static struct arena_chunk *chunk_create(size_t size)
{
    if (size > SIZE_MAX - sizeof(struct arena_chunk))
        return NULL;
    struct arena_chunk *chunk = calloc(1, sizeof *chunk + size);
    if (chunk)
        chunk->size = size;
    return chunk;
}

static size_t next_chunk_size(const struct arena *arena)
{
    if (!arena->chunk)
        return CHUNK_MIN;
    return arena->chunk->size >= CHUNK_MAX / 2 ? CHUNK_MAX : arena->chunk->size * 2;
}

/* A request of half a chunk or more gets its own, put behind the current one: what is left in the
 * current one stays usable. */
static void *alloc_alone(struct arena *arena, size_t size)
{
    struct arena_chunk *chunk = chunk_create(size);
    if (!chunk)
        return NULL;
    chunk->used = size;
    if (arena->chunk) {
        chunk->next = arena->chunk->next;
        arena->chunk->next = chunk;
    } else {
        arena->chunk = chunk;
    }
    arena->used += size;
    return chunk->data;
}

static void *alloc_bytes(struct arena *arena, size_t size, size_t alignment)
{
    if (arena->budget && (arena->used > arena->budget || size > arena->budget - arena->used))
        return NULL;
    struct arena_chunk *chunk = arena->chunk;
    if (chunk) {
        size_t start = (chunk->used + alignment - 1) & ~(alignment - 1);
        if (start <= chunk->size && size <= chunk->size - start) {
            chunk->used = start + size;
            arena->used += size;
            return chunk->data + start;
        }
    }
    size_t chunk_size = next_chunk_size(arena);
    if (size >= chunk_size / 2)
        return alloc_alone(arena, size);
    chunk = chunk_create(chunk_size);
    if (!chunk)
        return NULL;
    chunk->next = arena->chunk;
    chunk->used = size;
    arena->chunk = chunk;
    arena->used += size;
    return chunk->data;
}

void *arena_alloc(struct arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return alloc_bytes(arena, bytes, ALIGNMENT);
}

char *arena_copy(struct arena *arena, const void *bytes, size_t size)
{
    if (size == SIZE_MAX)
        return NULL;
    char *copy = alloc_bytes(arena, size + 1, 1);
    if (copy && size)
        memcpy(copy, bytes, size);
    return copy;
}
