/* digest.c: XXH3-128 by libxxhash; its plain entries are those of SSE2, the others choose what the
 * processor has when they run. */
#include "digest.h"
#include "platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

enum { FILE_STEP = 1 << 19 };

static struct digest from_hash(XXH128_hash_t hash)
{
    return (struct digest){.low = hash.low64, .high = hash.high64};
}

struct digest digest_of(const void *bytes, size_t size)
{
    return from_hash(XXH3_128bits(bytes, size));
}

bool digest_same(struct digest a, struct digest b)
{
    return a.low == b.low && a.high == b.high;
}

void digest_text(struct digest digest, char text[DIGEST_TEXT_SIZE])
{
    snprintf(text, DIGEST_TEXT_SIZE, "%016llx%016llx", (unsigned long long)digest.high,
             (unsigned long long)digest.low);
}

static bool parse_half(const char *text, uint64_t *value)
{
    *value = 0;
    for (int i = 0; i < 16; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        *value = *value << 4 | (uint64_t)digit;
    }
    return true;
}

bool digest_parse(const char *text, size_t size, struct digest *digest)
{
    return size == DIGEST_TEXT_SIZE - 1 && parse_half(text, &digest->high) &&
           parse_half(text + 16, &digest->low);
}

bool digester_create(struct digester **out, struct fault *fault)
{
    *out = (struct digester *)XXH3_createState();
    if (!*out)
        return fault_set(fault, FAULT_MEMORY, "no memory for a hash");
    digester_reset(*out);
    return true;
}

void digester_destroy(struct digester *digester)
{
    XXH3_freeState((XXH3_state_t *)digester);
}

void digester_reset(struct digester *digester)
{
    XXH3_128bits_reset((XXH3_state_t *)digester);
}

void digester_add(struct digester *digester, const void *bytes, size_t size)
{
    XXH3_128bits_update((XXH3_state_t *)digester, bytes, size);
}

struct digest digester_result(const struct digester *digester)
{
    return from_hash(XXH3_128bits_digest((const XXH3_state_t *)digester));
}

static bool digest_open_file(struct file *file, struct digester *digester, struct fault *fault)
{
    uint8_t *bytes = malloc(FILE_STEP);
    bool done = bytes || fault_set(fault, FAULT_MEMORY, "no memory to read it");
    for (uint64_t offset = 0; done && offset < file_size(file); offset += FILE_STEP) {
        uint64_t left = file_size(file) - offset;
        size_t step = left < FILE_STEP ? (size_t)left : FILE_STEP;
        done = file_read(file, offset, bytes, step, fault);
        if (done)
            digester_add(digester, bytes, step);
    }
    free(bytes);
    return done;
}

bool digest_file(const char *path, struct digest *digest, uint64_t *size, struct fault *fault)
{
    struct file *file = NULL;
    struct digester *digester = NULL;
    bool done = file_open(path, &file, fault) && digester_create(&digester, fault) &&
                digest_open_file(file, digester, fault);
    if (done) {
        *digest = digester_result(digester);
        if (size)
            *size = file_size(file);
    }
    digester_destroy(digester);
    file_close(file);
    return done;
}
