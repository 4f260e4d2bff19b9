/* source_gguf.c: a GGUF file, also one in several files, as the source of another: the metadata is
 * copied but for what the converter rules, the tensors keep order and names. Every tensor can be
 * kept as it is (lossless = stored). */
#include "source_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_SIZE = 1 << 19 };

struct source_gguf {
    struct source base; /* first */
    struct gguf *gguf;
    struct source_tensor *tensors; /* [base.tensor_count], owned */
    const char **files;            /* [base.file_count], owned; the paths are gguf's */
    char *architecture, *name;     /* owned; name NULL = the file's */
};

static const struct source_gguf *gguf_of(const struct source *source)
{
    return (const struct source_gguf *)source;
}

static void gguf_source_close(struct source *source)
{
    struct source_gguf *self = (struct source_gguf *)source;
    gguf_close(self->gguf);
    free(self->tensors);
    free(self->files);
    free(self->architecture);
    free(self->name);
    free(self);
}

static bool gguf_source_rows(const struct source *source, uint32_t index, uint64_t first_row,
                             uint64_t row_count, void *dst, struct fault *fault)
{
    const struct gguf *gguf = gguf_of(source)->gguf;
    const struct gguf_tensor *tensor = gguf_tensor_at(gguf, index);
    return gguf_read(gguf, tensor, first_row * tensor->row_size, dst,
                     (size_t)(row_count * tensor->row_size), fault);
}

/* Through a buffer of whole blocks, at most READ_SIZE bytes. */
static bool gguf_source_floats(const struct source *source, uint32_t index, uint64_t first_row,
                               uint64_t row_count, float *dst, struct fault *fault)
{
    const struct gguf *gguf = gguf_of(source)->gguf;
    const struct gguf_tensor *tensor = gguf_tensor_at(gguf, index);
    const struct dtype_info *info = dtype_find(tensor->dtype);
    uint64_t offset = first_row * tensor->row_size, left = row_count * tensor->row_size;
    if (tensor->dtype == DTYPE_F32)
        return gguf_read(gguf, tensor, offset, dst, (size_t)left, fault);
    size_t step_max = READ_SIZE / info->block_size * info->block_size;
    size_t size = left < step_max ? (size_t)left : step_max;
    uint8_t *blocks = malloc(size);
    bool done = blocks || fault_set(fault, FAULT_MEMORY, "no memory to read '%s'", tensor->name);
    while (done && left > 0) {
        size_t step = left < size ? (size_t)left : size, count = step / info->block_size;
        done = gguf_read(gguf, tensor, offset, blocks, step, fault);
        if (done)
            info->decode(blocks, dst, count);
        dst += count * info->block_weights;
        offset += step;
        left -= step;
    }
    free(blocks);
    return done;
}

/* What is true of the old file alone: its types, its shards, its own proof. */
static bool is_ruled(const char *key)
{
    static const char *const keys[] = {"general.file_type", "general.quantization_version",
                                       "general.alignment"};
    static const char *const groups[] = {"split.", "lichen.", "quantize.imatrix."};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        if (strncmp(key, groups[i], strlen(groups[i])) == 0)
            return true;
    return false;
}

static bool gguf_source_metadata(const struct source *source, struct gguf_writer *writer,
                                 struct fault *fault)
{
    const struct source_gguf *self = gguf_of(source);
    bool done = true, named = false;
    for (uint32_t i = 0; done && i < gguf_entry_count(self->gguf); i++) {
        const struct gguf_entry *entry = gguf_entry_at(self->gguf, i);
        if (is_ruled(entry->key))
            continue;
        if (self->name && strcmp(entry->key, "general.name") == 0) {
            done = gguf_put_text(writer, entry->key, self->name, strlen(self->name), fault);
            named = true;
        } else {
            done = gguf_put_entry(writer, self->gguf, entry, fault);
        }
    }
    if (done && self->name && !named)
        done = gguf_put_text(writer, "general.name", self->name, strlen(self->name), fault);
    return done;
}

static bool read_tensors(struct source_gguf *self, struct fault *fault)
{
    uint32_t count = gguf_tensor_count(self->gguf);
    self->tensors = calloc(count ? count : 1, sizeof *self->tensors);
    if (!self->tensors)
        return fault_set(fault, FAULT_MEMORY, "no memory for %u tensors", count);
    for (uint32_t i = 0; i < count; i++) {
        const struct gguf_tensor *from = gguf_tensor_at(self->gguf, i);
        struct source_tensor *tensor = &self->tensors[i];
        *tensor = (struct source_tensor){.name = from->name,
                                         .dim_count = from->dim_count,
                                         .stored = from->dtype,
                                         .lossless = from->dtype,
                                         .from = from->name};
        memcpy(tensor->dims, from->dims, sizeof tensor->dims);
        if (!dtype_find(from->dtype)->decode)
            return fault_set(fault, FAULT_UNSUPPORTED,
                             "tensor '%s': type %s holds no weights to convert", from->name,
                             dtype_find(from->dtype)->name);
        if (!source_tensor_check(tensor, fault))
            return false;
    }
    self->base.tensors = self->tensors;
    self->base.tensor_count = count;
    return count > 0 || fault_set(fault, FAULT_UNSUPPORTED,
                                  "the file has no tensors (a vocabulary?); there is nothing to "
                                  "convert");
}

/* ARCHITECTURE.key, a number or an array with one for each layer (then the first layer's). */
static bool read_number(const struct source_gguf *self, const char *key, uint32_t *value,
                        struct fault *fault)
{
    char name[256];
    snprintf(name, sizeof name, "%.128s.%s", self->architecture, key);
    const struct gguf_entry *entry = gguf_entry_find(self->gguf, name);
    if (!entry || entry->type != GGUF_ARRAY)
        return gguf_u32(self->gguf, name, false, value, fault);
    const int32_t *items;
    size_t count;
    if (!gguf_i32_array(self->gguf, name, true, SIZE_MAX, &items, &count, fault))
        return false;
    if (count > 0 && items[0] >= 0)
        *value = (uint32_t)items[0];
    return true;
}

static bool read_shape(struct source_gguf *self, struct fault *fault)
{
    struct gguf_string architecture = {"", 0}, tokenizer = {"none", 4};
    if (!gguf_text(self->gguf, "general.architecture", true, &architecture, fault) ||
        !gguf_text(self->gguf, "tokenizer.ggml.model", false, &tokenizer, fault))
        return false;
    self->base.has_tokenizer = tokenizer.size != 4 || memcmp(tokenizer.bytes, "none", 4) != 0;
    self->architecture = calloc(1, architecture.size + 1);
    if (!self->architecture)
        return fault_set(fault, FAULT_MEMORY, "no memory for its metadata");
    memcpy(self->architecture, architecture.bytes, architecture.size);
    self->base.architecture = self->architecture;
    uint32_t heads = 0, kv_heads = 0;
    if (!read_number(self, "block_count", &self->base.layer_count, fault) ||
        !read_number(self, "expert_count", &self->base.expert_count, fault) ||
        !read_number(self, "attention.head_count", &heads, fault))
        return false;
    kv_heads = heads;
    if (!read_number(self, "attention.head_count_kv", &kv_heads, fault))
        return false;
    self->base.gqa = kv_heads && heads >= kv_heads ? heads / kv_heads : 1;
    return true;
}

static bool read_files(struct source_gguf *self, struct fault *fault)
{
    uint32_t count = gguf_file_count(self->gguf);
    self->files = calloc(count, sizeof *self->files);
    if (!self->files)
        return fault_set(fault, FAULT_MEMORY, "no memory for %u files", count);
    for (uint32_t i = 0; i < count; i++)
        self->files[i] = gguf_file_path(self->gguf, i);
    self->base.files = self->files;
    self->base.file_count = count;
    return true;
}

static bool keep_name(struct source_gguf *self, const struct source_options *options,
                      struct fault *fault)
{
    if (!options || !options->name)
        return true;
    self->name = calloc(1, strlen(options->name) + 1);
    if (!self->name)
        return fault_set(fault, FAULT_MEMORY, "no memory for its name");
    strcpy(self->name, options->name);
    return true;
}

bool source_gguf_open(const char *path, const struct source_options *options, struct source **out,
                      struct fault *fault)
{
    static const struct source_kind kind = {gguf_source_close, gguf_source_floats, gguf_source_rows,
                                            gguf_source_metadata};
    struct source_gguf *self = calloc(1, sizeof *self);
    if (!self)
        return fault_set(fault, FAULT_MEMORY, "%s: no memory to open it", path);
    self->base.kind = &kind;
    if (gguf_open(path, &self->gguf, fault) && keep_name(self, options, fault) &&
        read_shape(self, fault) && read_tensors(self, fault) && read_files(self, fault)) {
        *out = &self->base;
        return true;
    }
    gguf_source_close(&self->base);
    return fault_file(fault, path);
}
