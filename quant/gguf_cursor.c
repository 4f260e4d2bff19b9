/* gguf_cursor.c: the window slides: what is left of it moves to its front and the file fills it up.
 */
#include "gguf_cursor.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool cursor_open(struct cursor *cursor, struct file *file, uint64_t limit, struct fault *fault)
{
    uint64_t size = file_size(file);
    *cursor = (struct cursor){.file = file, .fault = fault, .limited = size > limit};
    cursor->size = cursor->limited ? limit : size;
    cursor->window = malloc(CURSOR_WINDOW);
    if (!cursor->window)
        return fault_set(fault, FAULT_MEMORY, "no memory to read the header");
    reader_init(&cursor->reader, cursor->window, 0, fault);
    return true;
}

void cursor_open_bytes(struct cursor *cursor, const void *bytes, size_t size, uint64_t limit,
                       struct fault *fault)
{
    *cursor = (struct cursor){.fault = fault, .limited = size > limit};
    cursor->size = cursor->limited ? limit : size;
    reader_init(&cursor->reader, bytes, (size_t)cursor->size, fault);
}

void cursor_close(struct cursor *cursor)
{
    free(cursor->window);
    cursor->window = NULL;
}

uint64_t cursor_offset(const struct cursor *cursor)
{
    return cursor->base + cursor->reader.offset;
}

uint64_t cursor_left(const struct cursor *cursor)
{
    return cursor->failed ? 0 : cursor->size - cursor_offset(cursor);
}

static bool has_left(struct cursor *cursor, uint64_t size, const char *what)
{
    if (cursor->failed)
        return false;
    if (size <= cursor_left(cursor))
        return true;
    fault_set(cursor->fault, FAULT_FORMAT, "byte %llu: %s needs %llu bytes, %llu are left%s",
              (unsigned long long)cursor_offset(cursor), what, (unsigned long long)size,
              (unsigned long long)cursor_left(cursor),
              cursor->limited ? " of the largest header that lichen reads" : "");
    cursor->failed = true;
    return false;
}

/* Makes the window hold the next size bytes, which has_left has granted. */
static bool fill_window(struct cursor *cursor, uint64_t size)
{
    struct reader *reader = &cursor->reader;
    if (size <= reader_left(reader))
        return true;
    assert(cursor->file && size <= CURSOR_WINDOW);
    size_t kept = (size_t)reader_left(reader);
    memmove(cursor->window, cursor->window + reader->offset, kept);
    cursor->base += reader->offset;
    uint64_t wanted = cursor->size - cursor->base - kept;
    size_t room = CURSOR_WINDOW - kept;
    size_t added = wanted < room ? (size_t)wanted : room;
    cursor->failed =
        !file_read(cursor->file, cursor->base + kept, cursor->window + kept, added, cursor->fault);
    reader_init(reader, cursor->window, kept + added, cursor->fault);
    return !cursor->failed;
}

const uint8_t *cursor_bytes(struct cursor *cursor, uint64_t size, const char *what)
{
    if (!has_left(cursor, size, what) || !fill_window(cursor, size))
        return NULL;
    return reader_bytes(&cursor->reader, size, what);
}

uint8_t cursor_u8(struct cursor *cursor, const char *what)
{
    bool ready = has_left(cursor, 1, what) && fill_window(cursor, 1);
    return ready ? reader_u8(&cursor->reader, what) : 0;
}

uint16_t cursor_u16(struct cursor *cursor, const char *what)
{
    bool ready = has_left(cursor, 2, what) && fill_window(cursor, 2);
    return ready ? reader_u16(&cursor->reader, what) : 0;
}

uint32_t cursor_u32(struct cursor *cursor, const char *what)
{
    bool ready = has_left(cursor, 4, what) && fill_window(cursor, 4);
    return ready ? reader_u32(&cursor->reader, what) : 0;
}

uint64_t cursor_u64(struct cursor *cursor, const char *what)
{
    bool ready = has_left(cursor, 8, what) && fill_window(cursor, 8);
    return ready ? reader_u64(&cursor->reader, what) : 0;
}

bool cursor_copy(struct cursor *cursor, void *dst, uint64_t size, const char *what)
{
    if (!has_left(cursor, size, what))
        return false;
    uint8_t *next = dst;
    while (size > 0) {
        uint64_t step = size < CURSOR_WINDOW ? size : CURSOR_WINDOW;
        const uint8_t *bytes = cursor_bytes(cursor, step, what);
        if (!bytes)
            return false;
        memcpy(next, bytes, (size_t)step);
        next += step;
        size -= step;
    }
    return true;
}
