/* zip_build.c: local headers, then the central directory, then its end record. */
#include "zip_build.h"

#include <stdlib.h>
#include <string.h>

struct output {
    uint8_t *bytes;
    size_t size;
};

static void put(struct output *output, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        output->bytes[output->size++] = (uint8_t)(i < 8 ? value >> (8 * i) : 0);
}

static void put_bytes(struct output *output, const void *bytes, size_t size)
{
    if (size)
        memcpy(output->bytes + output->size, bytes, size);
    output->size += size;
}

static uint32_t crc32_of(const uint8_t *bytes, size_t size)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0xedb88320 & (0U - (crc & 1)));
    }
    return ~crc;
}

/* What a local and a central header have in common. */
static void put_common(struct output *output, const struct zip_entry *entry)
{
    uint32_t size = (uint32_t)entry->size + entry->size_lie;
    put(output, entry->flags, 2);
    put(output, entry->method, 2);
    put(output, 0x00210000, 4); /* the first of January 1980 */
    put(output, crc32_of(entry->bytes, entry->size) + entry->crc_lie, 4);
    put(output, size, 4);
    put(output, size, 4);
    put(output, strlen(entry->name), 2);
    put(output, 0, 2);
}

uint8_t *zip_build(const struct zip_entry *entries, size_t count, size_t *size)
{
    size_t room = 22, offsets[256] = {0};
    for (size_t i = 0; i < count; i++)
        room += 30 + 46 + 2 * strlen(entries[i].name) + entries[i].size;
    struct output output = {malloc(room), 0};
    for (size_t i = 0; output.bytes && i < count; i++) {
        if (entries[i].same_place) {
            offsets[i] = offsets[i - 1];
            continue;
        }
        offsets[i] = output.size;
        put(&output, 0x04034b50, 4);
        put(&output, 20, 2);
        put_common(&output, &entries[i]);
        put_bytes(&output, entries[i].name, strlen(entries[i].name));
        put_bytes(&output, entries[i].bytes, entries[i].size);
    }
    size_t directory = output.size;
    for (size_t i = 0; output.bytes && i < count; i++) {
        put(&output, 0x02014b50, 4);
        put(&output, 20 | 20 << 16, 4);
        put_common(&output, &entries[i]);
        put(&output, 0, 10); /* size of a comment, disk, attributes */
        put(&output, offsets[i], 4);
        put_bytes(&output, entries[i].name, strlen(entries[i].name));
    }
    size_t end = output.size;
    put(&output, 0x06054b50, 4);
    put(&output, 0, 4);
    put(&output, count | count << 16, 4);
    put(&output, end - directory, 4);
    put(&output, directory, 4);
    put(&output, 0, 2);
    *size = output.size;
    return output.bytes;
}
