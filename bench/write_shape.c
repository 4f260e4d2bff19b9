/* write_shape.c: a GGUF file of a well-known model's figures with made-up weights, for comparisons
 * of speed on a machine to which no model can be brought: lichen bench FILE --peer FOLDER.
 * usage: write-shape SHAPE TYPE FILE.gguf     shapes and types as of lichen bench --help
 * The data are those that lichen bench --shape runs on. FILE appears whole or not at all. */
#include "gguf.h"
#include "shape.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEP = 1 << 20 };

static bool put(FILE *file, const void *bytes, size_t size, struct fault *fault)
{
    return fwrite(bytes, 1, size, file) == size ||
           fault_set(fault, FAULT_FILE, "cannot write: %s", strerror(errno));
}

/* Zeros up to offset. */
static bool pad(FILE *file, uint64_t *at, uint64_t offset, struct fault *fault)
{
    static const uint8_t zeros[256];
    for (; *at < offset; *at += offset - *at < sizeof zeros ? offset - *at : sizeof zeros)
        if (!put(file, zeros, offset - *at < sizeof zeros ? (size_t)(offset - *at) : sizeof zeros,
                 fault))
            return false;
    return true;
}

static bool put_tensor(FILE *file, const struct gguf *gguf, const struct gguf_tensor *tensor,
                       uint8_t *bytes, struct fault *fault)
{
    for (uint64_t done = 0; done < tensor->size; done += STEP) {
        size_t part = tensor->size - done < STEP ? (size_t)(tensor->size - done) : STEP;
        if (!gguf_read(gguf, tensor, done, bytes, part, fault) || !put(file, bytes, part, fault))
            return false;
    }
    return true;
}

static bool put_all(FILE *file, const struct shape_header *header, const struct gguf *gguf,
                    struct fault *fault)
{
    uint8_t *bytes = malloc(STEP);
    uint64_t at = header->size;
    bool good = (bytes || fault_set(fault, FAULT_MEMORY, "out of memory")) &&
                put(file, header->bytes, header->size, fault);
    for (uint32_t i = 0; good && i < gguf_tensor_count(gguf); i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(gguf, i);
        good =
            pad(file, &at, tensor->offset, fault) && put_tensor(file, gguf, tensor, bytes, fault);
        at += tensor->size;
    }
    good = good && pad(file, &at, gguf_size(gguf), fault);
    free(bytes);
    return good;
}

static bool write_file(const char *path, const struct shape_header *header, const struct gguf *gguf,
                       struct fault *fault)
{
    char part[4096];
    if (snprintf(part, sizeof part, "%s.part", path) >= (int)sizeof part)
        return fault_set(fault, FAULT_ARGUMENT, "%s: the name is too long", path);
    FILE *file = fopen(part, "wb");
    if (!file)
        return fault_set(fault, FAULT_FILE, "%s: cannot create: %s", part, strerror(errno));
    bool good = put_all(file, header, gguf, fault);
    if (fclose(file) != 0 && good)
        good = fault_set(fault, FAULT_FILE, "%s: cannot write: %s", part, strerror(errno));
    if (good && rename(part, path) != 0)
        good = fault_set(fault, FAULT_FILE, "%s: cannot rename: %s", part, strerror(errno));
    if (!good)
        remove(part);
    return good;
}

int main(int count, char **arguments)
{
    struct fault fault = {0};
    struct shape_header header = {0};
    struct gguf *gguf = NULL;
    if (count != 4) {
        fprintf(stderr, "usage: write-shape SHAPE TYPE FILE.gguf\n");
        return 2;
    }
    bool good = shape_make(arguments[1], arguments[2], &header, &fault) &&
                gguf_parse_synthetic(header.bytes, header.size, &gguf, &fault) &&
                write_file(arguments[3], &header, gguf, &fault);
    if (good)
        printf("%s: %s, %" PRIu64 " bytes\n", arguments[3], header.name, gguf_size(gguf));
    else
        fprintf(stderr, "write-shape: %s\n", fault.text);
    gguf_close(gguf);
    free(header.bytes);
    return good ? 0 : 1;
}
