/* digest.c: XXH3-128 by libxxhash; its plain entries are those of SSE2, the others choose what the
 * processor has when they run. */
#include "digest.h"
#include "parallel.h"
#include "platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

enum { FILE_STEP = 1 << 20 };

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

/* While one half of the buffer is hashed the other is filled. */
struct reading {
    struct file *file;
    struct digester *digester;
    uint8_t *halves[2]; /* [FILE_STEP] each */
    uint64_t offset;    /* of what is read next */
    size_t size;        /* bytes to hash, in the half `full` */
    int full;
    struct fault fault; /* of reading */
};

static size_t reading_next(const struct reading *reading)
{
    uint64_t left = file_size(reading->file) - reading->offset;
    return left < FILE_STEP ? (size_t)left : FILE_STEP;
}

static void hash_or_read(void *context, uint32_t item, uint32_t thread)
{
    struct reading *reading = context;
    (void)thread;
    if (item == 0)
        digester_add(reading->digester, reading->halves[reading->full], reading->size);
    else
        file_read(reading->file, reading->offset, reading->halves[!reading->full],
                  reading_next(reading), &reading->fault);
}

static bool read_through(struct reading *reading, struct parallel *team)
{
    while (reading->size > 0 || reading_next(reading) > 0) {
        size_t next = reading_next(reading);
        if (team) {
            parallel_for(team, 2, hash_or_read, reading);
        } else {
            hash_or_read(reading, 0, 0);
            hash_or_read(reading, 1, 0);
        }
        if (reading->fault.kind != FAULT_NONE)
            return false;
        reading->full = !reading->full;
        reading->offset += next;
        reading->size = next;
    }
    return true;
}

bool digest_file(const char *path, struct parallel *team, struct digest *digest, uint64_t *size,
                 struct fault *fault)
{
    struct reading reading = {.fault = {.kind = FAULT_NONE}};
    uint8_t *bytes = malloc(2 * FILE_STEP);
    bool done = (bytes || fault_set(fault, FAULT_MEMORY, "%s: no memory to read it", path)) &&
                file_open(path, &reading.file, fault) && digester_create(&reading.digester, fault);
    if (done) {
        reading.halves[0] = bytes;
        reading.halves[1] = bytes + FILE_STEP;
        done = read_through(&reading, team) ||
               fault_set(fault, reading.fault.kind, "%s", reading.fault.text);
    }
    if (done) {
        *digest = digester_result(reading.digester);
        if (size)
            *size = file_size(reading.file);
    }
    digester_destroy(reading.digester);
    file_close(reading.file);
    free(bytes);
    return done;
}
