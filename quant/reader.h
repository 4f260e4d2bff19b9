/* reader.h: a bounded cursor over untrusted little-endian bytes. The first read that does not fit
 * records a fault with the byte offset and makes every later read return 0. */
#ifndef LICHEN_READER_H
#define LICHEN_READER_H

#include "fault.h"
#include <stddef.h>
#include <stdint.h>

struct reader {
    const uint8_t *bytes; /* [size], caller's */
    size_t size;
    size_t offset;
    struct fault *fault; /* may be NULL */
    bool failed;
};

void reader_init(struct reader *reader, const void *bytes, size_t size, struct fault *fault);
uint8_t reader_u8(struct reader *reader, const char *what);
uint16_t reader_u16(struct reader *reader, const char *what);
uint32_t reader_u32(struct reader *reader, const char *what);
uint64_t reader_u64(struct reader *reader, const char *what);
/* size bytes in place, or NULL (failed). */
const uint8_t *reader_bytes(struct reader *reader, uint64_t size, const char *what);
uint64_t reader_left(const struct reader *reader);

#endif
