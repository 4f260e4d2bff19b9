/* reader.c: the bounded cursor. Values are put together byte by byte, so neither the alignment of
 * the bytes nor the order of the machine matters. */
#include "reader.h"

void reader_init(struct reader *reader, const void *bytes, size_t size, struct fault *fault)
{
    *reader = (struct reader){.bytes = bytes, .size = size, .fault = fault};
}

const uint8_t *reader_bytes(struct reader *reader, uint64_t size, const char *what)
{
    if (reader->failed)
        return NULL;
    if (size > reader->size - reader->offset) {
        reader->failed = true;
        fault_set(reader->fault, FAULT_FORMAT, "byte %zu: %s needs %llu bytes, only %zu are left",
                  reader->offset, what, (unsigned long long)size, reader->size - reader->offset);
        return NULL;
    }
    const uint8_t *bytes = reader->bytes + reader->offset;
    reader->offset += (size_t)size;
    return bytes;
}

static uint64_t read_little_endian(struct reader *reader, unsigned size, const char *what)
{
    const uint8_t *bytes = reader_bytes(reader, size, what);
    uint64_t value = 0;
    for (unsigned i = 0; bytes && i < size; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

uint8_t reader_u8(struct reader *reader, const char *what)
{
    return (uint8_t)read_little_endian(reader, 1, what);
}

uint16_t reader_u16(struct reader *reader, const char *what)
{
    return (uint16_t)read_little_endian(reader, 2, what);
}

uint32_t reader_u32(struct reader *reader, const char *what)
{
    return (uint32_t)read_little_endian(reader, 4, what);
}

uint64_t reader_u64(struct reader *reader, const char *what)
{
    return read_little_endian(reader, 8, what);
}

uint64_t reader_left(const struct reader *reader)
{
    return reader->failed ? 0 : reader->size - reader->offset;
}
