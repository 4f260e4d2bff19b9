/* fuzz_source.c: any bytes as config.json beside a checkpoint of one Llama layer, and behind a zero
 * byte, three bytes a change: which tensor, what elements, which dims. What opens can be read whole
 * and described. */
#include "fuzz.h"

#include "folder_rig.h"
#include "source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHANGES_MAX = 6, ROWS_MAX = 1 << 20 };

static const char *const dtypes[] = {"F16", "F32", "BF16", "F64", "I8", "I32", "F8_E4M3", "BOOL"};
static const char *const dims[] = {NULL,     "[8]",     "[5]",     "[4]",    "[12]",   "[8, 8]",
                                   "[4, 8]", "[12, 8]", "[8, 12]", "[5, 8]", "[1, 8]", "[1, 1]",
                                   "[8, 4]", "[2, 8]",  "[]",      "[0, 8]"};
#define Q "model.layers.0.self_attn.q_proj."
static const char *const more[] = {Q "qweight",
                                   Q "qzeros",
                                   Q "scales",
                                   Q "g_idx",
                                   Q "bias",
                                   Q "weight_scale",
                                   Q "weight_scale_inv",
                                   "lm_head.bias",
                                   "transformer.wte.weight"};

/* assert without NDEBUG */
static void must(bool condition)
{
    if (!condition)
        abort();
}

static const char *pick(const char *const *list, size_t count, uint8_t index)
{
    return list[index % count];
}

static void read_changes(const uint8_t *bytes, size_t size, struct folder_tensor *changes)
{
    size_t known = folder_tensor_count, count = known + sizeof more / sizeof more[0];
    for (size_t i = 0; i < CHANGES_MAX - 1 && 3 * i + 2 < size; i++) {
        size_t which = bytes[3 * i] % count;
        changes[i] = (struct folder_tensor){
            which < known ? folder_tensors[which].name : more[which - known],
            pick(dtypes, sizeof dtypes / sizeof dtypes[0], bytes[3 * i + 1]),
            pick(dims, sizeof dims / sizeof dims[0], bytes[3 * i + 2]), bytes[3 * i + 1]};
        for (size_t k = 0; k < i; k++) /* a name twice is the checkpoint's fault */
            if (strcmp(changes[k].name, changes[i].name) == 0)
                changes[i].dims = NULL;
    }
}

static void read_all(const struct source *source)
{
    for (uint32_t i = 0; i < source_tensor_count(source); i++) {
        const struct source_tensor *tensor = source_tensor_at(source, i);
        uint64_t count = tensor->rows * tensor->dims[0];
        must(count <= ROWS_MAX);
        if (tensor->rows == 0)
            continue;
        float *rows = malloc(count * sizeof *rows + 1);
        must(rows != NULL);
        bool read = source_read(source, i, 0, tensor->rows, rows, NULL);
        must(read || source_unsupported(source)); /* integers are no floats */
        if (tensor->lossless != DTYPE_ID_COUNT)
            must(source_read_lossless(source, i, tensor->rows - 1, 1, rows, NULL));
        free(rows);
    }
}

static void describe(const struct source *source)
{
    struct gguf_writer *writer;
    must(gguf_writer_create(&writer, NULL));
    if (!source_unsupported(source))
        must(source_put_metadata(source, writer, NULL));
    gguf_writer_destroy(writer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char name[64];
    const uint8_t *zero = size ? memchr(bytes, 0, size) : NULL;
    size_t config_size = zero ? (size_t)(zero - bytes) : size;
    struct folder_tensor changes[CHANGES_MAX] = {{0}};
    struct source *source = NULL;
    struct fault fault = {0};
    char *config = malloc(config_size + 1);
    must(config != NULL);
    memcpy(config, bytes, config_size);
    config[config_size] = 0;
    if (zero)
        read_changes(zero + 1, size - config_size - 1, changes);
    snprintf(name, sizeof name, "fuzz-source-%ld", (long)getpid());
    const char *folder = folder_write(name, config, changes);
    if (source_open(folder, NULL, &source, &fault)) {
        must(fault.kind == FAULT_NONE);
        read_all(source);
        describe(source);
    } else {
        must(fault.kind != FAULT_NONE && fault.text[0] != 0 && !strchr(fault.text, '\n'));
    }
    source_close(source);
    free(config);
    return 0;
}
