/* gguf_source.c: the window slides: what is left of it moves to its front and the file fills it up.
 */
#include "gguf_source.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool source_open(struct source *source, struct file *file, uint64_t limit, struct fault *fault)
{
    uint64_t size = file_size(file);
    *source = (struct source){.file = file, .fault = fault, .limited = size > limit};
    source->size = source->limited ? limit : size;
    source->window = malloc(SOURCE_WINDOW);
    if (!source->window)
        return fault_set(fault, FAULT_MEMORY, "no memory to read the header");
    reader_init(&source->reader, source->window, 0, fault);
    return true;
}

void source_open_bytes(struct source *source, const void *bytes, size_t size, uint64_t limit,
                       struct fault *fault)
{
    *source = (struct source){.fault = fault, .limited = size > limit};
    source->size = source->limited ? limit : size;
    reader_init(&source->reader, bytes, (size_t)source->size, fault);
}

void source_close(struct source *source)
{
    free(source->window);
    source->window = NULL;
}

uint64_t source_offset(const struct source *source)
{
    return source->base + source->reader.offset;
}

uint64_t source_left(const struct source *source)
{
    return source->failed ? 0 : source->size - source_offset(source);
}

static bool has_left(struct source *source, uint64_t size, const char *what)
{
    if (source->failed)
        return false;
    if (size <= source_left(source))
        return true;
    fault_set(source->fault, FAULT_FORMAT, "byte %llu: %s needs %llu bytes, %llu are left%s",
              (unsigned long long)source_offset(source), what, (unsigned long long)size,
              (unsigned long long)source_left(source),
              source->limited ? " of the largest header that lichen reads" : "");
    source->failed = true;
    return false;
}

/* Makes the window hold the next size bytes, which has_left has granted. */
static bool fill_window(struct source *source, uint64_t size)
{
    struct reader *reader = &source->reader;
    if (size <= reader_left(reader))
        return true;
    assert(source->file && size <= SOURCE_WINDOW);
    size_t kept = (size_t)reader_left(reader);
    memmove(source->window, source->window + reader->offset, kept);
    source->base += reader->offset;
    uint64_t wanted = source->size - source->base - kept;
    size_t room = SOURCE_WINDOW - kept;
    size_t added = wanted < room ? (size_t)wanted : room;
    source->failed =
        !file_read(source->file, source->base + kept, source->window + kept, added, source->fault);
    reader_init(reader, source->window, kept + added, source->fault);
    return !source->failed;
}

const uint8_t *source_bytes(struct source *source, uint64_t size, const char *what)
{
    if (!has_left(source, size, what) || !fill_window(source, size))
        return NULL;
    return reader_bytes(&source->reader, size, what);
}

uint8_t source_u8(struct source *source, const char *what)
{
    bool ready = has_left(source, 1, what) && fill_window(source, 1);
    return ready ? reader_u8(&source->reader, what) : 0;
}

uint16_t source_u16(struct source *source, const char *what)
{
    bool ready = has_left(source, 2, what) && fill_window(source, 2);
    return ready ? reader_u16(&source->reader, what) : 0;
}

uint32_t source_u32(struct source *source, const char *what)
{
    bool ready = has_left(source, 4, what) && fill_window(source, 4);
    return ready ? reader_u32(&source->reader, what) : 0;
}

uint64_t source_u64(struct source *source, const char *what)
{
    bool ready = has_left(source, 8, what) && fill_window(source, 8);
    return ready ? reader_u64(&source->reader, what) : 0;
}

bool source_copy(struct source *source, void *dst, uint64_t size, const char *what)
{
    if (!has_left(source, size, what))
        return false;
    uint8_t *next = dst;
    while (size > 0) {
        uint64_t step = size < SOURCE_WINDOW ? size : SOURCE_WINDOW;
        const uint8_t *bytes = source_bytes(source, step, what);
        if (!bytes)
            return false;
        memcpy(next, bytes, (size_t)step);
        next += step;
        size -= step;
    }
    return true;
}
