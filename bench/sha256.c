/* sha256.c: FIPS 180-4, section 6.2. */
#include "sha256.h"
#include "platform.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, unsigned count)
{
    return x >> count | x << (32 - count);
}

void sha256_init(struct sha256 *hash)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memset(hash, 0, sizeof *hash);
    memcpy(hash->state, start, sizeof start);
}

static void schedule(const uint8_t *block, uint32_t words[64])
{
    for (size_t i = 0; i < 16; i++)
        words[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
                   (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (size_t i = 16; i < 64; i++) {
        uint32_t x = words[i - 15], y = words[i - 2];
        words[i] = words[i - 16] + (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + words[i - 7] +
                   (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
    }
}

static void compress(struct sha256 *hash, const uint8_t *block)
{
    uint32_t words[64], s[8];
    schedule(block, words);
    memcpy(s, hash->state, sizeof s);
    for (size_t i = 0; i < 64; i++) {
        uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
        uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        uint32_t first = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) + choice +
                         constants[i] + words[i];
        uint32_t second = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) + majority;
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += first;
        s[0] = first + second;
    }
    for (size_t i = 0; i < 8; i++)
        hash->state[i] += s[i];
}

void sha256_add(struct sha256 *hash, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;
    while (size > 0) {
        size_t used = hash->size % sizeof hash->block, piece = sizeof hash->block - used;
        piece = piece < size ? piece : size;
        memcpy(hash->block + used, from, piece);
        hash->size += piece;
        from += piece;
        size -= piece;
        if (hash->size % sizeof hash->block == 0)
            compress(hash, hash->block);
    }
}

void sha256_text(struct sha256 *hash, char text[SHA256_TEXT_SIZE])
{
    uint64_t bits = 8 * hash->size;
    uint8_t length[8];
    sha256_add(hash, "\x80", 1);
    while (hash->size % 64 != 56)
        sha256_add(hash, "", 1);
    for (unsigned i = 0; i < 8; i++)
        length[i] = (uint8_t)(bits >> (56 - 8 * i));
    sha256_add(hash, length, sizeof length);
    for (size_t i = 0; i < 8; i++)
        snprintf(text + 8 * i, 9, "%08x", (unsigned)hash->state[i]);
}

bool sha256_file(const char *path, bool (*progress)(void *context, uint64_t done, uint64_t total),
                 void *context, char text[SHA256_TEXT_SIZE], struct fault *fault)
{
    enum { PIECE = 1 << 20 };
    struct file *file = NULL;
    struct sha256 hash;
    unsigned char *bytes = malloc(PIECE);
    bool done = (bytes || fault_set(fault, FAULT_MEMORY, "out of memory to hash %s", path)) &&
                file_open(path, &file, fault);
    uint64_t size = done ? file_size(file) : 0;
    sha256_init(&hash);
    for (uint64_t offset = 0; done && offset < size; offset += PIECE) {
        size_t piece = size - offset < PIECE ? (size_t)(size - offset) : PIECE;
        done = file_read(file, offset, bytes, piece, fault);
        if (done)
            sha256_add(&hash, bytes, piece);
        if (done && progress && !progress(context, offset + piece, size))
            done = fault_set(fault, FAULT_CANCELLED, "interrupted");
    }
    if (done)
        sha256_text(&hash, text);
    file_close(file);
    free(bytes);
    return done;
}
