/* gguf_source.h: the head of a file as a stream of checked little-endian values, read through a
 * window, so that memory is bounded by what is kept and not by what a file claims. As in reader.h
 * the first failure is recorded and makes every later read return 0. */
#ifndef LICHEN_GGUF_SOURCE_H
#define LICHEN_GGUF_SOURCE_H

#include "platform.h"
#include "reader.h"

enum { SOURCE_WINDOW = 65536 };

struct source {
    struct file *file;    /* NULL: all bytes are in the reader */
    uint64_t size;        /* bytes that may be read */
    bool limited;         /* fewer than there are */
    uint64_t base;        /* where the reader's bytes begin */
    struct reader reader; /* over window, or over the caller's bytes */
    uint8_t *window;      /* [SOURCE_WINDOW], owned; NULL without a file */
    struct fault *fault;
    bool failed;
};

/* Reads at most limit bytes of file. */
bool source_open(struct source *source, struct file *file, uint64_t limit, struct fault *fault);
void source_open_bytes(struct source *source, const void *bytes, size_t size, uint64_t limit,
                       struct fault *fault);
void source_close(struct source *source);

uint64_t source_offset(const struct source *source);
uint64_t source_left(const struct source *source);

uint8_t source_u8(struct source *source, const char *what);
uint16_t source_u16(struct source *source, const char *what);
uint32_t source_u32(struct source *source, const char *what);
uint64_t source_u64(struct source *source, const char *what);
/* size <= SOURCE_WINDOW bytes in place until the next read, or NULL (failed). */
const uint8_t *source_bytes(struct source *source, uint64_t size, const char *what);
/* Any number of bytes to dst. */
bool source_copy(struct source *source, void *dst, uint64_t size, const char *what);

#endif
