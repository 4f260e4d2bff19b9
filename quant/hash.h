/* hash.h: the hash of the tables that lead from a spelling to its id. For memory only: what goes to
 * a file is hashed by xxhash. */
#ifndef LICHEN_HASH_H
#define LICHEN_HASH_H

#include <stddef.h>
#include <stdint.h>

/* FNV-1a with the finalizer of MurmurHash3, so that the low bits are good for a mask. */
static inline uint32_t hash_bytes(const char *bytes, size_t size)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (uint8_t)bytes[i]) * 0x100000001B3u;
    hash = (hash ^ (hash >> 33)) * 0xFF51AFD7ED558CCDu;
    return (uint32_t)(hash ^ (hash >> 33));
}

#endif
