/* zip_build.h: writes zips of stored entries, with the lies that a test wants. */
#ifndef LICHEN_ZIP_BUILD_H
#define LICHEN_ZIP_BUILD_H

#include <stddef.h>
#include <stdint.h>

struct zip_entry {
    const char *name;
    const void *bytes;
    size_t size;
    uint16_t method, flags; /* as claimed; 0 = stored */
    uint32_t crc_lie;       /* is added to the CRC */
    uint32_t size_lie;      /* is added to the sizes of the directory and the entry */
    int same_place;         /* shares the bytes of the entry before */
};

/* At most 256 entries; malloc'd. */
uint8_t *zip_build(const struct zip_entry *entries, size_t count, size_t *size);

#endif
