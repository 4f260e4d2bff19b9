/* source.c: which kind of source a path is, and what all kinds share. */
#include "source_private.h"
#include "platform.h"
#include "published.h"

#include <assert.h>
#include <string.h>

enum { NAME_SIZE_MAX = 63 };

static bool begins_with_gguf(const char *path, bool *is_gguf, struct fault *fault)
{
    struct file *file;
    uint8_t magic[4] = {0};
    *is_gguf = false;
    if (!file_open(path, &file, fault))
        return false;
    bool done = file_size(file) < sizeof magic || file_read(file, 0, magic, sizeof magic, fault);
    *is_gguf = memcmp(magic, "GGUF", 4) == 0;
    file_close(file);
    return done;
}

bool source_open(const char *path, const struct source_options *options, struct source **out,
                 struct fault *fault)
{
    bool is_gguf = false;
    *out = NULL;
    if (path_kind(path) == PATH_NONE && !path_is_broken_link(path))
        return fault_set(fault, FAULT_FILE,
                         "%s: no such file or folder; expected is a folder of a Hugging Face "
                         "checkpoint, or a .safetensors, .bin or .gguf file, on this disk (lichen "
                         "downloads nothing)",
                         path);
    if (path_kind(path) == PATH_FILE && published_is_partial(path))
        return fault_set(fault, FAULT_FILE,
                         "%s: is a part of a file by its name; go on with the download", path);
    if (path_kind(path) != PATH_FOLDER && !begins_with_gguf(path, &is_gguf, fault))
        return false;
    return is_gguf ? source_gguf_open(path, options, out, fault)
                   : source_hf_open(path, options, out, fault);
}

void source_close(struct source *source)
{
    if (source)
        source->kind->close(source);
}

const char *source_architecture(const struct source *source)
{
    return source->architecture;
}

const char *source_unsupported(const struct source *source)
{
    return source->unsupported;
}

bool source_has_tokenizer(const struct source *source)
{
    return source->has_tokenizer;
}

uint32_t source_layer_count(const struct source *source)
{
    return source->layer_count;
}

uint32_t source_gqa(const struct source *source)
{
    return source->gqa;
}

uint32_t source_expert_count(const struct source *source)
{
    return source->expert_count;
}

uint32_t source_tensor_count(const struct source *source)
{
    return source->tensor_count;
}

const struct source_tensor *source_tensor_at(const struct source *source, uint32_t index)
{
    assert(index < source->tensor_count);
    return &source->tensors[index];
}

static bool check_rows(const struct source_tensor *tensor, uint64_t first_row, uint64_t row_count,
                       struct fault *fault)
{
    if (row_count > 0 && first_row < tensor->rows && row_count <= tensor->rows - first_row)
        return true;
    return fault_set(fault, FAULT_ARGUMENT, "tensor '%s': rows %llu + %llu, it has %llu",
                     tensor->name, (unsigned long long)first_row, (unsigned long long)row_count,
                     (unsigned long long)tensor->rows);
}

bool source_read(const struct source *source, uint32_t index, uint64_t first_row,
                 uint64_t row_count, float *dst, struct fault *fault)
{
    const struct source_tensor *tensor = source_tensor_at(source, index);
    return check_rows(tensor, first_row, row_count, fault) &&
           source->kind->read(source, index, first_row, row_count, dst, fault);
}

bool source_read_lossless(const struct source *source, uint32_t index, uint64_t first_row,
                          uint64_t row_count, void *dst, struct fault *fault)
{
    const struct source_tensor *tensor = source_tensor_at(source, index);
    if (tensor->lossless == DTYPE_ID_COUNT)
        return fault_set(fault, FAULT_ARGUMENT, "tensor '%s': no type holds it without loss",
                         tensor->name);
    return check_rows(tensor, first_row, row_count, fault) &&
           source->kind->read_lossless(source, index, first_row, row_count, dst, fault);
}

bool source_put_metadata(const struct source *source, struct gguf_writer *writer,
                         struct fault *fault)
{
    return source->kind->put_metadata(source, writer, fault);
}

uint32_t source_file_count(const struct source *source)
{
    return source->file_count;
}

const char *source_file_path(const struct source *source, uint32_t index)
{
    assert(index < source->file_count);
    return source->files[index];
}

bool source_tensor_check(struct source_tensor *tensor, struct fault *fault)
{
    size_t size = strlen(tensor->name);
    if (size == 0 || size > NAME_SIZE_MAX)
        return fault_set(fault, FAULT_UNSUPPORTED,
                         "tensor '%s': a name of %zu bytes, GGUF files have 1 to %d", tensor->name,
                         size, NAME_SIZE_MAX);
    if (tensor->dim_count < 1 || tensor->dim_count > 4)
        return fault_set(fault, FAULT_UNSUPPORTED, "tensor '%s': %u dimensions, GGUF has 1 to 4",
                         tensor->name, tensor->dim_count);
    tensor->rows = 1;
    for (uint32_t i = 0; i < 4; i++) {
        if (i >= tensor->dim_count)
            tensor->dims[i] = 1;
        if (tensor->dims[i] == 0)
            return fault_set(fault, FAULT_FORMAT, "tensor '%s': dimension %u is 0", tensor->name,
                             i);
        if (i > 0 && __builtin_mul_overflow(tensor->rows, tensor->dims[i], &tensor->rows))
            return fault_set(fault, FAULT_FORMAT, "tensor '%s': its shape overflows 64 bits",
                             tensor->name);
    }
    if (tensor->dims[0] > UINT32_MAX)
        return fault_set(fault, FAULT_UNSUPPORTED, "tensor '%s': rows of %llu weights",
                         tensor->name, (unsigned long long)tensor->dims[0]);
    if (tensor->lossless != DTYPE_ID_COUNT &&
        tensor->dims[0] % dtype_find(tensor->lossless)->block_weights != 0)
        return fault_set(fault, FAULT_FORMAT, "tensor '%s': rows of %llu weights cannot be %s",
                         tensor->name, (unsigned long long)tensor->dims[0],
                         dtype_find(tensor->lossless)->name);
    return true;
}
