/* gguf.c: opens a GGUF file: header, tensor descriptions and their layout. Metadata is gguf_meta.c,
 * models in several files are gguf_split.c. */
#include "checked.h"
#include "gguf_internal.h"
#include "mistaken.h"

#include <stdlib.h>
#include <string.h>

enum { TENSOR_SIZE_MIN = 8 + 1 + 4 + 8 + 4 + 8 };

/* index */

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct gguf_name *)a)->name, ((const struct gguf_name *)b)->name);
}

bool gguf_index_build(struct gguf_index *index, struct arena *arena, const void *items,
                      size_t item_size, uint32_t count, const char *what, struct fault *fault)
{
    arena->budget = 0; /* count is capped */
    index->names = arena_alloc(arena, count, sizeof *index->names);
    if (!index->names)
        return fault_set(fault, FAULT_MEMORY, "no memory for an index of %u names", count);
    index->count = count;
    for (uint32_t i = 0; i < count; i++) {
        const void *item = (const char *)items + i * item_size;
        index->names[i] = (struct gguf_name){*(const char *const *)item, item};
    }
    qsort(index->names, count, sizeof *index->names, compare_names);
    for (uint32_t i = 1; i < count; i++)
        if (compare_names(&index->names[i - 1], &index->names[i]) == 0)
            return fault_set(fault, FAULT_FORMAT, "%s '%.256s' occurs twice", what,
                             index->names[i].name);
    return true;
}

const void *gguf_index_find(const struct gguf_index *index, const char *name)
{
    struct gguf_name key = {.name = name};
    struct gguf_name *found = NULL;
    if (index->count)
        found = bsearch(&key, index->names, index->count, sizeof key, compare_names);
    return found ? found->item : NULL;
}

/* header */

/* Files that people give by mistake, by their first bytes. */
static const struct {
    char magic[5];
    const char *what;
} not_gguf[] = {
    {"lmgg", "a ggml file, a format older than GGUF; convert the model again"},
    {"fmgg", "a ggmf file, a format older than GGUF; convert the model again"},
    {"tjgg", "a ggjt file, a format older than GGUF; convert the model again"},
    {"algg", "a ggla adapter, a format older than GGUF"},
    {"FUGG", "a GGUF file with its bytes reversed"},
    {"PK\3\4", "a zip file; a PyTorch checkpoint becomes a GGUF file by `lichen convert`"},
    {"\0\0\0\0", "it begins with zeros; it was never written to its end"},
};

/* The size of a header that fits into memory, then JSON. */
static bool is_safetensors(const uint8_t *start, size_t size)
{
    static const uint8_t high[5];
    return size > 8 && memcmp(start + 3, high, sizeof high) == 0 && start[8] == '{';
}

/* What else it is: magic and the bytes behind it. */
static bool refuse(struct cursor *cursor, const uint8_t magic[4])
{
    uint8_t start[MISTAKEN_SIZE];
    uint64_t left = cursor_left(cursor);
    size_t rest = left < sizeof start - 4 ? (size_t)left : sizeof start - 4;
    memcpy(start, magic, 4);
    const uint8_t *more = cursor_bytes(cursor, rest, "the first bytes");
    if (more)
        memcpy(start + 4, more, rest);
    size_t size = more ? 4 + rest : 4;
    if (!mistaken_check(start, size, cursor->fault))
        return false;
    for (size_t i = 0; i < sizeof not_gguf / sizeof not_gguf[0]; i++)
        if (memcmp(start, not_gguf[i].magic, 4) == 0)
            return fault_set(cursor->fault, FAULT_UNSUPPORTED, "not a GGUF file but %s",
                             not_gguf[i].what);
    if (is_safetensors(start, size))
        return fault_set(cursor->fault, FAULT_UNSUPPORTED,
                         "not a GGUF file but a safetensors checkpoint, which becomes one by "
                         "`lichen convert`");
    return fault_set(cursor->fault, FAULT_FORMAT,
                     "byte 0: not a GGUF file: it begins with %02x %02x %02x %02x, expected 'GGUF'",
                     start[0], start[1], start[2], start[3]);
}

static bool check_magic(struct cursor *cursor, bool unfinished)
{
    static const uint8_t nothing[4];
    if (cursor_left(cursor) == 0)
        return mistaken_check("", 0, cursor->fault);
    const uint8_t *magic = cursor_bytes(cursor, 4, "the magic");
    return magic && (memcmp(magic, unfinished ? (const char *)nothing : "GGUF", 4) == 0 ||
                     refuse(cursor, magic));
}

static bool check_version(struct cursor *cursor)
{
    uint32_t version = cursor_u32(cursor, "the version");
    if (cursor->failed)
        return false;
    if (version == GGUF_VERSION)
        return true;
    if (version == 0)
        return fault_set(cursor->fault, FAULT_FORMAT, "byte 4: GGUF version 0, expected %d",
                         GGUF_VERSION);
    if ((version & 0xffff) == 0)
        return fault_set(cursor->fault, FAULT_UNSUPPORTED,
                         "byte 4: a big-endian GGUF file; lichen reads little-endian ones");
    return fault_set(cursor->fault, FAULT_UNSUPPORTED, "byte 4: GGUF version %u, lichen reads %d",
                     version, GGUF_VERSION);
}

bool gguf_alignment_is_valid(uint64_t alignment)
{
    return alignment >= GGUF_ALIGNMENT_MIN && alignment <= GGUF_ALIGNMENT_MAX &&
           (alignment & (alignment - 1)) == 0;
}

static bool read_alignment(struct gguf *gguf, struct fault *fault)
{
    const struct gguf_field *field = gguf_field_find(gguf, "general.alignment");
    gguf->alignment = GGUF_ALIGNMENT_DEFAULT;
    if (!field)
        return true;
    char scratch[16];
    if (field->entry.type != GGUF_U32)
        return fault_set(fault, FAULT_FORMAT, "metadata 'general.alignment' is %s, expected u32",
                         gguf_type_name(field->entry.type, scratch));
    uint64_t value = field->value.number;
    if (!gguf_alignment_is_valid(value))
        return fault_set(
            fault, FAULT_FORMAT,
            "metadata 'general.alignment' is %llu, expected a power of two in %d to %d",
            (unsigned long long)value, GGUF_ALIGNMENT_MIN, GGUF_ALIGNMENT_MAX);
    gguf->alignment = (uint32_t)value;
    return true;
}

/* tensors */

static bool refuse_dtype(uint32_t id, struct fault *fault)
{
    char scratch[16];
    const char *name = dtype_name(id, scratch);
    if (id >= DTYPE_ID_COUNT)
        return fault_set(fault, FAULT_UNSUPPORTED,
                         "%s is unknown: the file is damaged or newer than this lichen", name);
    if (id == 9 || id == 15)
        return fault_set(fault, FAULT_UNSUPPORTED,
                         "type %s is for activations and does not belong in a file", name);
    if (id == 4 || id == 5 || (id >= 31 && id <= 33) || (id >= 36 && id <= 38))
        return fault_set(fault, FAULT_UNSUPPORTED,
                         "type %s was removed from GGUF; convert the model again", name);
    return fault_set(fault, FAULT_UNSUPPORTED, "type %s is not supported", name);
}

bool gguf_measure(struct gguf_tensor *tensor, struct fault *fault)
{
    const struct dtype_info *info = dtype_find(tensor->dtype);
    for (uint32_t i = 0; i < GGUF_DIM_MAX; i++)
        if (tensor->dims[i] == 0)
            return fault_set(fault, FAULT_FORMAT, "dimension %u is 0", i);
    if (tensor->dims[0] % info->block_weights != 0)
        return fault_set(fault, FAULT_FORMAT, "rows of %llu weights, %s needs a multiple of %u",
                         (unsigned long long)tensor->dims[0], info->name, info->block_weights);
    if (!checked_mul_u64(tensor->dims[0] / info->block_weights, info->block_size,
                         &tensor->row_size) ||
        !checked_mul_u64(tensor->dims[1], tensor->dims[2], &tensor->rows) ||
        !checked_mul_u64(tensor->rows, tensor->dims[3], &tensor->rows) ||
        !checked_mul_u64(tensor->rows, tensor->row_size, &tensor->size))
        return fault_set(fault, FAULT_FORMAT, "its size overflows 64 bits");
    return true;
}

static bool read_name(struct gguf *gguf, struct cursor *cursor, const char **name)
{
    uint64_t size = cursor_u64(cursor, "size of a tensor name");
    if (cursor->failed)
        return false;
    if (size == 0 || size > GGUF_NAME_MAX)
        return fault_set(cursor->fault, FAULT_FORMAT, "a name of %llu bytes, 1 to %d are allowed",
                         (unsigned long long)size, GGUF_NAME_MAX);
    const uint8_t *bytes = cursor_bytes(cursor, size, "a tensor name");
    if (!bytes)
        return false;
    if (memchr(bytes, 0, (size_t)size))
        return fault_set(cursor->fault, FAULT_FORMAT, "a name holds a zero byte");
    *name = arena_copy(&gguf->arena, bytes, (size_t)size);
    return *name || fault_set(cursor->fault, FAULT_MEMORY, "no memory for a name");
}

static bool read_dims(struct cursor *cursor, struct gguf_tensor *tensor)
{
    tensor->dim_count = cursor_u32(cursor, "the dimension count");
    if (cursor->failed)
        return false;
    if (tensor->dim_count == 0 || tensor->dim_count > GGUF_DIM_MAX)
        return fault_set(cursor->fault, FAULT_FORMAT, "%u dimensions, 1 to %d are allowed",
                         tensor->dim_count, GGUF_DIM_MAX);
    for (uint32_t i = 0; i < GGUF_DIM_MAX; i++)
        tensor->dims[i] = i < tensor->dim_count ? cursor_u64(cursor, "a dimension") : 1;
    return !cursor->failed;
}

/* All behind the name. The offset is still that of the file: from the start of the data. */
static bool read_tensor(struct cursor *cursor, struct gguf_tensor *tensor)
{
    if (!read_dims(cursor, tensor))
        return false;
    uint32_t dtype = cursor_u32(cursor, "the tensor type");
    tensor->offset = cursor_u64(cursor, "the tensor offset");
    if (cursor->failed)
        return false;
    if (!dtype_find(dtype))
        return refuse_dtype(dtype, cursor->fault);
    tensor->dtype = (enum dtype)dtype;
    return gguf_measure(tensor, cursor->fault);
}

static bool read_tensors(struct gguf *gguf, struct cursor *cursor, uint64_t count)
{
    if (count > cursor_left(cursor) / TENSOR_SIZE_MIN)
        return fault_set(cursor->fault, FAULT_FORMAT,
                         "byte 8: %llu tensors do not fit the %llu bytes left",
                         (unsigned long long)count, (unsigned long long)cursor_left(cursor));
    gguf->arena.budget = 0; /* count and names are capped */
    gguf->tensors = arena_alloc(&gguf->arena, (size_t)count, sizeof *gguf->tensors);
    if (!gguf->tensors)
        return fault_set(cursor->fault, FAULT_MEMORY, "no memory for %llu tensors",
                         (unsigned long long)count);
    for (uint32_t i = 0; i < count; i++) {
        struct gguf_tensor *tensor = &gguf->tensors[i];
        unsigned long long start = cursor_offset(cursor);
        if (!read_name(gguf, cursor, &tensor->name))
            return fault_context(cursor->fault, "byte %llu: tensor %u", start, i);
        if (!read_tensor(cursor, tensor))
            return fault_context(cursor->fault, "byte %llu: tensor '%s'", start, tensor->name);
    }
    gguf->tensor_count = (uint32_t)count;
    return gguf_index_build(&gguf->tensor_index, &gguf->arena, gguf->tensors, sizeof *gguf->tensors,
                            gguf->tensor_count, "tensor", cursor->fault);
}

/* Tensors lie one behind the other from data_offset on, with nothing but padding between them. */
static bool place_tensors(struct gguf *gguf, uint64_t header_size, uint64_t file_size,
                          struct fault *fault)
{
    uint64_t data_offset, end, next = 0;
    if (gguf->tensor_count == 0) /* such files may end without padding */
        return true;
    if (!checked_align_u64(header_size, gguf->alignment, &data_offset))
        return fault_set(fault, FAULT_FORMAT, "the header's end overflows 64 bits");
    for (uint32_t i = 0; i < gguf->tensor_count; i++) {
        struct gguf_tensor *tensor = &gguf->tensors[i];
        if (tensor->offset != next)
            return fault_set(fault, FAULT_FORMAT, "tensor '%s' has offset %llu, expected %llu",
                             tensor->name, (unsigned long long)tensor->offset,
                             (unsigned long long)next);
        if (!checked_add_u64(data_offset, tensor->offset, &tensor->offset) ||
            !checked_add_u64(tensor->offset, tensor->size, &end) || end > file_size)
            return fault_set(fault, FAULT_FORMAT,
                             "tensor '%s' needs %llu bytes at byte %llu, the file has %llu",
                             tensor->name, (unsigned long long)tensor->size,
                             (unsigned long long)tensor->offset, (unsigned long long)file_size);
        if (!checked_align_u64(end - data_offset, gguf->alignment, &next))
            return fault_set(fault, FAULT_FORMAT, "the end of tensor '%s' overflows 64 bits",
                             tensor->name);
    }
    return true;
}

static bool read_head(struct gguf *gguf, struct cursor *cursor, uint64_t file_size, bool unfinished)
{
    if (!check_magic(cursor, unfinished) || !check_version(cursor))
        return false;
    uint64_t tensor_count = cursor_u64(cursor, "the tensor count");
    uint64_t field_count = cursor_u64(cursor, "the metadata count");
    if (cursor->failed)
        return false;
    if (tensor_count > GGUF_COUNT_MAX)
        return fault_set(cursor->fault, FAULT_FORMAT,
                         "byte 8: %llu tensors, at most %d are allowed",
                         (unsigned long long)tensor_count, GGUF_COUNT_MAX);
    gguf->size = file_size;
    return gguf_read_fields(gguf, cursor, field_count) && read_alignment(gguf, cursor->fault) &&
           read_tensors(gguf, cursor, tensor_count) &&
           place_tensors(gguf, cursor_offset(cursor), file_size, cursor->fault);
}

/* open and close */

static bool open_file(struct gguf *gguf, const char *path, bool unfinished, struct fault *fault)
{
    gguf->files = calloc(1, sizeof *gguf->files);
    if (!gguf->files)
        return fault_set(fault, FAULT_MEMORY, "no memory to open it");
    if (path_kind(path) == PATH_FOLDER)
        return fault_set(fault, FAULT_FILE,
                         "%s: is a folder, a .gguf file is expected (a checkpoint's folder becomes "
                         "one by `lichen convert`)",
                         path);
    if (!file_open(path, &gguf->files[0], fault))
        return false;
    gguf->file_count = 1;
    struct cursor cursor;
    bool done = cursor_open(&cursor, gguf->files[0], GGUF_HEADER_MAX, fault) &&
                read_head(gguf, &cursor, file_size(gguf->files[0]), unfinished);
    cursor_close(&cursor);
    return done;
}

static bool open_one(const char *path, bool unfinished, struct gguf **out, struct fault *fault)
{
    *out = NULL;
    struct gguf *gguf = calloc(1, sizeof *gguf);
    if (!gguf)
        return fault_set(fault, FAULT_MEMORY, "%s: no memory to open it", path);
    if (!open_file(gguf, path, unfinished, fault)) {
        if (fault && fault->kind != FAULT_FILE) /* those name the path themselves */
            fault_context(fault, "%s", path);
        gguf_close(gguf);
        return false;
    }
    *out = gguf;
    return true;
}

bool gguf_open_one(const char *path, struct gguf **out, struct fault *fault)
{
    return open_one(path, false, out, fault);
}

bool gguf_open_unfinished(const char *path, struct gguf **out, struct fault *fault)
{
    return open_one(path, true, out, fault);
}

bool gguf_parse(const void *bytes, size_t size, uint64_t file_size, struct gguf **out,
                struct fault *fault)
{
    *out = NULL;
    struct gguf *gguf = calloc(1, sizeof *gguf);
    if (!gguf)
        return fault_set(fault, FAULT_MEMORY, "no memory for a GGUF description");
    struct cursor cursor;
    cursor_open_bytes(&cursor, bytes, size, GGUF_HEADER_MAX, fault);
    if (!read_head(gguf, &cursor, file_size, false)) {
        gguf_close(gguf);
        return false;
    }
    *out = gguf;
    return true;
}

bool gguf_parse_synthetic(const void *bytes, size_t size, struct gguf **out, struct fault *fault)
{
    if (!gguf_parse(bytes, size, INT64_MAX, out, fault))
        return false;
    struct gguf *gguf = *out;
    const struct gguf_tensor *last = gguf_tensor_at(gguf, gguf->tensor_count - 1);
    gguf->synthetic = true;
    gguf->size = last ? last->offset + last->size : size;
    return true;
}

void gguf_close(struct gguf *gguf)
{
    if (!gguf)
        return;
    for (uint32_t i = 0; i < gguf->file_count; i++)
        file_close(gguf->files[i]);
    free(gguf->files);
    arena_free(&gguf->arena);
    free(gguf);
}

/* access */

uint32_t gguf_file_count(const struct gguf *gguf)
{
    return gguf->file_count;
}

const char *gguf_file_path(const struct gguf *gguf, uint32_t index)
{
    return file_path(gguf->files[index]);
}

const char *gguf_path(const struct gguf *gguf)
{
    return gguf->file_count ? file_path(gguf->files[0]) : "memory";
}

uint64_t gguf_size(const struct gguf *gguf)
{
    return gguf->size;
}

uint32_t gguf_alignment(const struct gguf *gguf)
{
    return gguf->alignment;
}

uint32_t gguf_tensor_count(const struct gguf *gguf)
{
    return gguf->tensor_count;
}

const struct gguf_tensor *gguf_tensor_at(const struct gguf *gguf, uint32_t index)
{
    return index < gguf->tensor_count ? &gguf->tensors[index] : NULL;
}

const struct gguf_tensor *gguf_tensor_find(const struct gguf *gguf, const char *name)
{
    return gguf_index_find(&gguf->tensor_index, name);
}

bool gguf_read(const struct gguf *gguf, const struct gguf_tensor *tensor, uint64_t offset,
               void *dst, size_t size, struct fault *fault)
{
    if (offset > tensor->size || size > tensor->size - offset)
        return fault_set(fault, FAULT_ARGUMENT,
                         "tensor '%s': %zu bytes at %llu wanted, it has %llu", tensor->name, size,
                         (unsigned long long)offset, (unsigned long long)tensor->size);
    if (gguf->synthetic)
        return gguf_synthesize(tensor, offset, dst, size, fault);
    if (tensor->file >= gguf->file_count)
        return fault_set(fault, FAULT_ARGUMENT, "tensor '%s': its data is not in memory",
                         tensor->name);
    return file_read(gguf->files[tensor->file], tensor->offset + offset, dst, size, fault) ||
           fault_context(fault, "tensor '%s'", tensor->name);
}
