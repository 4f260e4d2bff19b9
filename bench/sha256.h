/* sha256.h: SHA-256 (FIPS 180-4), so that a report names the very bytes it was made from. */
#ifndef LICHEN_SHA256_H
#define LICHEN_SHA256_H

#include "fault.h"
#include <stddef.h>
#include <stdint.h>

enum { SHA256_TEXT_SIZE = 65 };

struct sha256 {
    uint32_t state[8];
    uint64_t size; /* bytes so far */
    uint8_t block[64];
};

void sha256_init(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *bytes, size_t size);
/* Ends the hash; hexadecimal, lower case. */
void sha256_text(struct sha256 *hash, char text[SHA256_TEXT_SIZE]);

/* Of a whole file. progress (may be NULL): false gives up with FAULT_CANCELLED. */
bool sha256_file(const char *path, bool (*progress)(void *context, uint64_t done, uint64_t total),
                 void *context, char text[SHA256_TEXT_SIZE], struct fault *fault);

#endif
