/* gguf_write.c: the writer. What is described is kept as bytes of the header to come; before
 * anything reaches a disk the reader itself must accept that header, so a file that is written can
 * be read. */
#include "gguf_write.h"
#include "checked.h"
#include "gguf_internal.h"
#include "platform_output.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    NAME_MAX_WRITE = 63, /* of a tensor: llama.cpp refuses longer ones */
    FILE_MODE = 0666,    /* less the umask */
};

struct buffer {
    uint8_t *bytes;
    size_t size;
    size_t capacity;
};

struct declared {
    struct gguf_tensor tensor; /* name and offset unused */
    char name[NAME_MAX_WRITE + 1];
};

struct gguf_writer {
    struct buffer fields; /* the metadata as it will lie in the file */
    uint64_t field_count;
    uint32_t alignment;
    struct declared *tensors; /* [tensor_capacity] */
    uint32_t tensor_count;
    uint32_t tensor_capacity;
    uint64_t data_limit; /* no alignment makes the data longer */
    /* since begin: */
    struct output *output;
    uint32_t current; /* tensor whose data comes next */
    uint64_t written; /* bytes of it */
};

/* buffer */

static bool append(struct buffer *buffer, const void *bytes, size_t size, struct fault *fault)
{
    size_t needed;
    if (__builtin_add_overflow(buffer->size, size, &needed))
        return fault_set(fault, FAULT_MEMORY, "a header of more than the memory there is");
    if (needed > buffer->capacity) {
        size_t capacity = needed + needed / 2 + 256;
        uint8_t *grown = capacity > needed ? realloc(buffer->bytes, capacity) : NULL;
        if (!grown)
            return fault_set(fault, FAULT_MEMORY, "no memory for a header of %zu bytes", needed);
        buffer->bytes = grown;
        buffer->capacity = capacity;
    }
    if (size > 0)
        memcpy(buffer->bytes + buffer->size, bytes, size);
    buffer->size = needed;
    return true;
}

static bool append_number(struct buffer *buffer, uint64_t value, uint32_t size, struct fault *fault)
{
    uint8_t bytes[8];
    for (uint32_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    return append(buffer, bytes, size, fault);
}

static bool append_string(struct buffer *buffer, const char *bytes, size_t size,
                          struct fault *fault)
{
    return append_number(buffer, size, 8, fault) && append(buffer, bytes, size, fault);
}

static bool append_strings(struct buffer *buffer, const struct gguf_string *items, uint64_t count,
                           struct fault *fault)
{
    bool done = true;
    for (uint64_t i = 0; done && i < count; i++)
        done = append_string(buffer, items[i].bytes, items[i].size, fault);
    return done;
}

/* metadata */

static bool append_head(struct gguf_writer *writer, const char *key, enum gguf_type type,
                        struct fault *fault)
{
    assert(!writer->output);
    return append_string(&writer->fields, key, strlen(key), fault) &&
           append_number(&writer->fields, type, 4, fault);
}

static bool append_array_head(struct gguf_writer *writer, const char *key, enum gguf_type item_type,
                              uint64_t count, struct fault *fault)
{
    return append_head(writer, key, GGUF_ARRAY, fault) &&
           append_number(&writer->fields, item_type, 4, fault) &&
           append_number(&writer->fields, count, 8, fault);
}

/* Ends every put: an entry is in the header whole or not at all. */
static bool conclude(struct gguf_writer *writer, size_t size_before, bool done, const char *key,
                     struct fault *fault)
{
    if (done) {
        writer->field_count++;
        return true;
    }
    writer->fields.size = size_before;
    return fault_context(fault, "metadata '%.256s'", key);
}

static bool put_number(struct gguf_writer *writer, const char *key, enum gguf_type type,
                       uint64_t value, struct fault *fault)
{
    size_t before = writer->fields.size;
    bool done = append_head(writer, key, type, fault) &&
                append_number(&writer->fields, value, gguf_type_size(type), fault);
    return conclude(writer, before, done, key, fault);
}

bool gguf_put_u32(struct gguf_writer *writer, const char *key, uint32_t value, struct fault *fault)
{
    if (strcmp(key, "general.alignment") == 0) {
        if (!gguf_alignment_is_valid(value))
            return fault_set(fault, FAULT_ARGUMENT,
                             "general.alignment %u is not a power of two in %d to %d", value,
                             GGUF_ALIGNMENT_MIN, GGUF_ALIGNMENT_MAX);
        writer->alignment = value;
    }
    return put_number(writer, key, GGUF_U32, value, fault);
}

bool gguf_put_u64(struct gguf_writer *writer, const char *key, uint64_t value, struct fault *fault)
{
    return put_number(writer, key, GGUF_U64, value, fault);
}

bool gguf_put_f32(struct gguf_writer *writer, const char *key, float value, struct fault *fault)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return put_number(writer, key, GGUF_F32, bits, fault);
}

bool gguf_put_bool(struct gguf_writer *writer, const char *key, bool value, struct fault *fault)
{
    return put_number(writer, key, GGUF_BOOL, value, fault);
}

bool gguf_put_text(struct gguf_writer *writer, const char *key, const char *bytes, size_t size,
                   struct fault *fault)
{
    size_t before = writer->fields.size;
    bool done = append_head(writer, key, GGUF_STRING, fault) &&
                append_string(&writer->fields, bytes, size, fault);
    return conclude(writer, before, done, key, fault);
}

bool gguf_put_array(struct gguf_writer *writer, const char *key, enum gguf_type item_type,
                    const void *items, size_t count, struct fault *fault)
{
    size_t before = writer->fields.size;
    size_t size;
    bool done = append_array_head(writer, key, item_type, count, fault);
    if (item_type == GGUF_STRING)
        done = done && append_strings(&writer->fields, items, count, fault);
    else if (__builtin_mul_overflow(count, (size_t)gguf_type_size(item_type), &size))
        done = fault_set(fault, FAULT_MEMORY, "an array of %zu items", count);
    else
        done = done && append(&writer->fields, items, size, fault);
    return conclude(writer, before, done, key, fault);
}

static bool append_items(struct buffer *buffer, const struct gguf_field *field, struct fault *fault)
{
    enum gguf_type type = field->entry.item_type;
    uint64_t count = field->entry.count;
    const int32_t *narrow = field->value.items;
    if (type == GGUF_STRING)
        return append_strings(buffer, field->value.items, count, fault);
    if (!gguf_type_is_narrow(type))
        return append(buffer, field->value.items, (size_t)count * gguf_type_size(type), fault);
    bool done = true;
    for (uint64_t i = 0; done && i < count; i++)
        done = append_number(buffer, (uint32_t)narrow[i], gguf_type_size(type), fault);
    return done;
}

static uint64_t scalar_bits(const struct gguf_field *field)
{
    uint32_t bits;
    if (field->entry.type != GGUF_F32)
        return field->value.number; /* of an f64 the same 64 bits */
    memcpy(&bits, &field->value.single, sizeof bits);
    return bits;
}

bool gguf_put_entry(struct gguf_writer *writer, const struct gguf *source,
                    const struct gguf_entry *entry, struct fault *fault)
{
    (void)source;
    const struct gguf_field *field = (const struct gguf_field *)entry;
    const struct gguf_string *string = &field->value.string;
    size_t before = writer->fields.size;
    if (entry->type == GGUF_U32) /* perhaps the alignment */
        return gguf_put_u32(writer, entry->key, (uint32_t)field->value.number, fault);
    if (entry->type == GGUF_STRING)
        return gguf_put_text(writer, entry->key, string->bytes, string->size, fault);
    if (entry->type != GGUF_ARRAY)
        return put_number(writer, entry->key, entry->type, scalar_bits(field), fault);
    bool done = append_array_head(writer, entry->key, entry->item_type, entry->count, fault) &&
                append_items(&writer->fields, field, fault);
    return conclude(writer, before, done, entry->key, fault);
}

/* tensors */

static bool make_room(struct gguf_writer *writer, struct fault *fault)
{
    if (writer->tensor_count >= GGUF_COUNT_MAX)
        return fault_set(fault, FAULT_ARGUMENT, "more than %d tensors", GGUF_COUNT_MAX);
    if (writer->tensor_count < writer->tensor_capacity)
        return true;
    uint32_t capacity = writer->tensor_capacity * 2 + 64;
    struct declared *grown = realloc(writer->tensors, capacity * sizeof *grown);
    if (!grown)
        return fault_set(fault, FAULT_MEMORY, "no memory for %u tensors", capacity);
    writer->tensors = grown;
    writer->tensor_capacity = capacity;
    return true;
}

bool gguf_put_tensor(struct gguf_writer *writer, const char *name, enum dtype dtype,
                     uint32_t dim_count, const uint64_t *dims, struct fault *fault)
{
    assert(!writer->output && dtype_find(dtype) && dim_count >= 1 && dim_count <= GGUF_DIM_MAX);
    struct declared declared = {.tensor = {.dtype = dtype, .dim_count = dim_count}};
    size_t size = strlen(name);
    if (size == 0 || size > NAME_MAX_WRITE)
        return fault_set(fault, FAULT_ARGUMENT,
                         "tensor '%s': a name of %zu bytes, 1 to %d are allowed", name, size,
                         NAME_MAX_WRITE);
    memcpy(declared.name, name, size);
    for (uint32_t i = 0; i < GGUF_DIM_MAX; i++)
        declared.tensor.dims[i] = i < dim_count ? dims[i] : 1;
    uint64_t limit;
    if (!gguf_measure(&declared.tensor, fault))
        return fault_context(fault, "tensor '%s'", name);
    if (!checked_add_u64(writer->data_limit, GGUF_ALIGNMENT_MAX, &limit) ||
        !checked_add_u64(limit, declared.tensor.size, &limit) || limit > INT64_MAX)
        return fault_set(fault, FAULT_ARGUMENT, "tensor '%s': the file would be too large", name);
    if (!make_room(writer, fault))
        return false;
    writer->data_limit = limit;
    writer->tensors[writer->tensor_count++] = declared;
    return true;
}

static uint64_t padded(const struct gguf_writer *writer, uint64_t size)
{
    return (size + writer->alignment - 1) & ~(uint64_t)(writer->alignment - 1);
}

/* Up to and without the padding before the data. */
static uint64_t header_size(const struct gguf_writer *writer)
{
    uint64_t size = 4 + 4 + 8 + 8 + writer->fields.size;
    for (uint32_t i = 0; i < writer->tensor_count; i++)
        size += 8 + strlen(writer->tensors[i].name) + 4 +
                8 * (uint64_t)writer->tensors[i].tensor.dim_count + 4 + 8;
    return size;
}

uint64_t gguf_writer_size(const struct gguf_writer *writer)
{
    uint64_t size = header_size(writer);
    if (writer->tensor_count > 0)
        size = padded(writer, size);
    for (uint32_t i = 0; i < writer->tensor_count; i++)
        size += padded(writer, writer->tensors[i].tensor.size);
    return size;
}

static bool append_tensor(struct buffer *buffer, const struct declared *declared, uint64_t offset,
                          struct fault *fault)
{
    const struct gguf_tensor *tensor = &declared->tensor;
    bool done = append_string(buffer, declared->name, strlen(declared->name), fault) &&
                append_number(buffer, tensor->dim_count, 4, fault);
    for (uint32_t i = 0; done && i < tensor->dim_count; i++)
        done = append_number(buffer, tensor->dims[i], 8, fault);
    return done && append_number(buffer, tensor->dtype, 4, fault) &&
           append_number(buffer, offset, 8, fault);
}

static bool build_header(const struct gguf_writer *writer, struct buffer *header,
                         struct fault *fault)
{
    bool done = append(header, "GGUF", 4, fault) && append_number(header, GGUF_VERSION, 4, fault) &&
                append_number(header, writer->tensor_count, 8, fault) &&
                append_number(header, writer->field_count, 8, fault) &&
                append(header, writer->fields.bytes, writer->fields.size, fault);
    uint64_t offset = 0;
    for (uint32_t i = 0; done && i < writer->tensor_count; i++) {
        done = append_tensor(header, &writer->tensors[i], offset, fault);
        offset += padded(writer, writer->tensors[i].tensor.size);
    }
    return done;
}

static bool reader_accepts(const struct buffer *header, uint64_t size, struct fault *fault)
{
    struct gguf *gguf;
    if (!gguf_parse(header->bytes, header->size, size, &gguf, fault))
        return false;
    gguf_close(gguf);
    return true;
}

bool gguf_writer_header(const struct gguf_writer *writer, uint8_t **bytes, size_t *size,
                        struct fault *fault)
{
    struct buffer header = {0};
    uint8_t zeros[GGUF_ALIGNMENT_MAX] = {0};
    bool done = build_header(writer, &header, fault);
    if (done && !reader_accepts(&header, gguf_writer_size(writer), fault))
        done = fault_context(fault, "what is to be written cannot be read back");
    if (done && writer->tensor_count > 0)
        done = append(&header, zeros, (size_t)(padded(writer, header.size) - header.size), fault);
    if (!done) {
        free(header.bytes);
        return false;
    }
    *bytes = header.bytes;
    *size = header.size;
    return true;
}

uint64_t gguf_writer_offset(const struct gguf_writer *writer, uint32_t tensor)
{
    uint64_t offset = padded(writer, header_size(writer));
    for (uint32_t i = 0; i < tensor; i++)
        offset += padded(writer, writer->tensors[i].tensor.size);
    return offset;
}

/* writing */

static bool append_padding(struct gguf_writer *writer, uint64_t size, struct fault *fault)
{
    static const uint8_t zeros[4096];
    uint64_t left = padded(writer, size) - size;
    bool done = true;
    while (done && left > 0) {
        size_t step = left < sizeof zeros ? (size_t)left : sizeof zeros;
        done = output_append(writer->output, zeros, step, fault);
        left -= step;
    }
    return done;
}

bool gguf_writer_begin(struct gguf_writer *writer, const char *path, struct fault *fault)
{
    assert(!writer->output);
    struct buffer header = {0};
    uint64_t size = gguf_writer_size(writer);
    bool done = build_header(writer, &header, fault);
    if (done && !reader_accepts(&header, size, fault))
        done = fault_context(fault, "%s: what is to be written cannot be read back", path);
    if (done) {
        memset(header.bytes, 0, 4); /* the magic comes last */
        done = output_create(path, size, FILE_MODE, &writer->output, fault) &&
               output_append(writer->output, header.bytes, header.size, fault) &&
               (writer->tensor_count == 0 || append_padding(writer, header.size, fault));
    }
    free(header.bytes);
    return done;
}

bool gguf_writer_write(struct gguf_writer *writer, const void *bytes, size_t size,
                       struct fault *fault)
{
    assert(writer->output);
    const uint8_t *next = bytes;
    while (size > 0) {
        if (writer->current >= writer->tensor_count)
            return fault_set(fault, FAULT_ARGUMENT, "%zu bytes more than the tensors have", size);
        uint64_t tensor_size = writer->tensors[writer->current].tensor.size;
        uint64_t left = tensor_size - writer->written;
        size_t step = left < size ? (size_t)left : size;
        if (!output_append(writer->output, next, step, fault))
            return false;
        next += step;
        size -= step;
        writer->written += step;
        if (writer->written < tensor_size)
            continue;
        if (!append_padding(writer, tensor_size, fault))
            return false;
        writer->current++;
        writer->written = 0;
    }
    return true;
}

bool gguf_writer_finish(struct gguf_writer *writer, struct fault *fault)
{
    assert(writer->output);
    if (writer->current < writer->tensor_count)
        return fault_set(fault, FAULT_ARGUMENT, "the data ends inside tensor '%s'",
                         writer->tensors[writer->current].name);
    return output_finish(writer->output, "GGUF", 4, fault);
}

bool gguf_writer_create(struct gguf_writer **out, struct fault *fault)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return fault_set(fault, FAULT_MEMORY, "no memory for a GGUF writer");
    (*out)->alignment = GGUF_ALIGNMENT_DEFAULT;
    return true;
}

void gguf_writer_destroy(struct gguf_writer *writer)
{
    if (!writer)
        return;
    output_destroy(writer->output);
    free(writer->fields.bytes);
    free(writer->tensors);
    free(writer);
}
