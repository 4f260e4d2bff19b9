/* gguf_cursor.h: the head of a file as a stream of checked little-endian values, read through a
 * window, so that memory is bounded by what is kept and not by what a file claims. As in reader.h
 * the first failure is recorded and makes every later read return 0. */
#ifndef LICHEN_GGUF_CURSOR_H
#define LICHEN_GGUF_CURSOR_H

#include "platform.h"
#include "reader.h"

enum { CURSOR_WINDOW = 65536 };

struct cursor {
    struct file *file;    /* NULL: all bytes are in the reader */
    uint64_t size;        /* bytes that may be read */
    bool limited;         /* fewer than there are */
    uint64_t base;        /* where the reader's bytes begin */
    struct reader reader; /* over window, or over the caller's bytes */
    uint8_t *window;      /* [CURSOR_WINDOW], owned; NULL without a file */
    struct fault *fault;
    bool failed;
};

/* Reads at most limit bytes of file. */
bool cursor_open(struct cursor *cursor, struct file *file, uint64_t limit, struct fault *fault);
void cursor_open_bytes(struct cursor *cursor, const void *bytes, size_t size, uint64_t limit,
                       struct fault *fault);
void cursor_close(struct cursor *cursor);

uint64_t cursor_offset(const struct cursor *cursor);
uint64_t cursor_left(const struct cursor *cursor);

uint8_t cursor_u8(struct cursor *cursor, const char *what);
uint16_t cursor_u16(struct cursor *cursor, const char *what);
uint32_t cursor_u32(struct cursor *cursor, const char *what);
uint64_t cursor_u64(struct cursor *cursor, const char *what);
/* size <= CURSOR_WINDOW bytes in place until the next read, or NULL (failed). */
const uint8_t *cursor_bytes(struct cursor *cursor, uint64_t size, const char *what);
/* Any number of bytes to dst. */
bool cursor_copy(struct cursor *cursor, void *dst, uint64_t size, const char *what);

#endif
