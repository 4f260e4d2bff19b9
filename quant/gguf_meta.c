/* gguf_meta.c: reads the metadata of a GGUF file: keys, scalars and arrays, each checked against
 * the bytes that are left before memory is taken for it. */
#include "checked.h"
#include "gguf_internal.h"

#include <stdio.h>
#include <string.h>

enum { TYPE_COUNT = GGUF_F64 + 1, FIELD_SIZE_MIN = 8 + 1 + 4 + 1 };

static const struct {
    const char *name;
    uint32_t size;
} types[TYPE_COUNT] = {
    [GGUF_U8] = {"u8", 1},   [GGUF_I8] = {"i8", 1},       [GGUF_U16] = {"u16", 2},
    [GGUF_I16] = {"i16", 2}, [GGUF_U32] = {"u32", 4},     [GGUF_I32] = {"i32", 4},
    [GGUF_F32] = {"f32", 4}, [GGUF_BOOL] = {"bool", 1},   [GGUF_STRING] = {"string", 0},
    [GGUF_U64] = {"u64", 8}, [GGUF_ARRAY] = {"array", 0}, [GGUF_I64] = {"i64", 8},
    [GGUF_F64] = {"f64", 8},
};

const char *gguf_type_name(uint32_t type, char scratch[16])
{
    if (type < TYPE_COUNT)
        return types[type].name;
    snprintf(scratch, 16, "type %u", type);
    return scratch;
}

uint32_t gguf_type_size(uint32_t type)
{
    return type < TYPE_COUNT ? types[type].size : 0;
}

bool gguf_type_is_narrow(enum gguf_type type)
{
    return type == GGUF_U8 || type == GGUF_I8 || type == GGUF_U16 || type == GGUF_I16;
}

/* Memory for something that takes file_bytes in the file. The budget keeps a description within the
 * size of its header plus a slack, whatever the header says. */
static void *take(struct gguf *gguf, struct source *source, uint64_t count, size_t size,
                  uint64_t file_bytes)
{
    uint64_t budget = source_offset(source) + file_bytes + GGUF_SLACK_MAX;
    size_t items;
    void *memory = NULL;
    if (checked_size(budget, &gguf->arena.budget) && checked_size(count, &items))
        memory = arena_alloc(&gguf->arena, items, size);
    if (!memory) {
        fault_set(source->fault, FAULT_MEMORY, "byte %llu: no memory for %llu items",
                  (unsigned long long)source_offset(source), (unsigned long long)count);
        source->failed = true;
    }
    return memory;
}

/* A string that the window cannot hold. */
static bool read_large_string(struct gguf *gguf, struct source *source, struct gguf_string *string)
{
    char *bytes = NULL;
    if (string->size <= source_left(source)) /* else source_copy says what is missing */
        bytes = take(gguf, source, string->size, 1, string->size);
    string->bytes = bytes;
    return source_copy(source, bytes, string->size, "a string") && bytes;
}

static bool read_string(struct gguf *gguf, struct source *source, struct gguf_string *string)
{
    uint64_t start = source_offset(source);
    uint64_t size = source_u64(source, "size of a string");
    if (source->failed)
        return false;
    if (size > GGUF_STRING_MAX)
        return fault_set(source->fault, FAULT_FORMAT,
                         "byte %llu: a string of %llu bytes, at most %d are allowed",
                         (unsigned long long)start, (unsigned long long)size, GGUF_STRING_MAX);
    string->size = (size_t)size;
    if (size > SOURCE_WINDOW)
        return read_large_string(gguf, source, string);
    const uint8_t *bytes = source_bytes(source, size, "a string");
    if (!bytes)
        return false;
    gguf->arena.budget = (size_t)source_offset(source) + GGUF_SLACK_MAX;
    string->bytes = arena_copy(&gguf->arena, bytes, (size_t)size);
    return string->bytes ||
           fault_set(source->fault, FAULT_MEMORY, "byte %llu: no memory for a string",
                     (unsigned long long)start);
}

static bool read_bool(struct source *source, uint8_t *value)
{
    uint64_t start = source_offset(source);
    *value = source_u8(source, "a bool");
    return *value <= 1 ||
           fault_set(source->fault, FAULT_FORMAT, "byte %llu: a bool is %u, not 0 or 1",
                     (unsigned long long)start, *value);
}

/* An 8- or 16-bit integer. */
static int32_t read_narrow(struct source *source, enum gguf_type type)
{
    switch (type) {
    case GGUF_U8:
        return source_u8(source, "a u8");
    case GGUF_I8:
        return (int8_t)source_u8(source, "an i8");
    case GGUF_U16:
        return source_u16(source, "a u16");
    default:
        return (int16_t)source_u16(source, "an i16");
    }
}

static bool read_scalar(struct gguf *gguf, struct source *source, struct gguf_field *field)
{
    union gguf_value *value = &field->value;
    enum gguf_type type = field->entry.type;
    uint8_t byte;
    if (gguf_type_is_narrow(type)) {
        value->number = (uint64_t)(int64_t)read_narrow(source, type);
        return !source->failed;
    }
    switch (type) {
    case GGUF_BOOL:
        if (!read_bool(source, &byte))
            return false;
        value->number = byte;
        break;
    case GGUF_U32:
        value->number = source_u32(source, "a u32");
        break;
    case GGUF_I32:
        value->number = (uint64_t)(int64_t)(int32_t)source_u32(source, "an i32");
        break;
    case GGUF_F32:
        return source_copy(source, &value->single, sizeof value->single, "an f32");
    case GGUF_F64:
        return source_copy(source, &value->real, sizeof value->real, "an f64");
    case GGUF_STRING:
        return read_string(gguf, source, &value->string);
    default:
        value->number = source_u64(source, "a 64-bit integer");
    }
    return !source->failed;
}

static bool read_narrow_items(struct gguf *gguf, struct source *source, struct gguf_field *field)
{
    struct gguf_entry *entry = &field->entry;
    uint64_t size = entry->count * gguf_type_size(entry->item_type);
    int32_t *items = take(gguf, source, entry->count, sizeof *items, size);
    for (uint64_t i = 0; items && i < entry->count; i++)
        items[i] = read_narrow(source, entry->item_type);
    field->value.items = items;
    return !source->failed;
}

static bool read_wide_items(struct gguf *gguf, struct source *source, struct gguf_field *field)
{
    struct gguf_entry *entry = &field->entry;
    size_t item_size = gguf_type_size(entry->item_type);
    uint64_t size = entry->count * item_size;
    void *items = take(gguf, source, entry->count, item_size, size);
    field->value.items = items;
    return items && source_copy(source, items, size, "an array");
}

static bool read_bools(struct gguf *gguf, struct source *source, struct gguf_field *field)
{
    uint8_t *items = take(gguf, source, field->entry.count, 1, field->entry.count);
    field->value.items = items;
    for (uint64_t i = 0; items && i < field->entry.count; i++)
        if (!read_bool(source, &items[i]))
            return false;
    return !source->failed;
}

static bool read_strings(struct gguf *gguf, struct source *source, struct gguf_field *field)
{
    uint64_t count = field->entry.count;
    struct gguf_string *items = take(gguf, source, count, sizeof *items, count * 8);
    field->value.items = items;
    for (uint64_t i = 0; items && i < count; i++)
        if (!read_string(gguf, source, &items[i]))
            return false;
    return !source->failed;
}

/* So that no later product of count and a size of the file's own can overflow. */
static bool items_fit(const struct source *source, uint64_t count, uint64_t item_size)
{
    return count <= source_left(source) / item_size;
}

static bool read_array(struct gguf *gguf, struct source *source, struct gguf_field *field)
{
    struct gguf_entry *entry = &field->entry;
    uint64_t start = source_offset(source);
    uint32_t type = source_u32(source, "the item type of an array");
    entry->count = source_u64(source, "the item count of an array");
    char scratch[16];
    if (source->failed)
        return false;
    if (type >= TYPE_COUNT || type == GGUF_ARRAY)
        return fault_set(source->fault, FAULT_FORMAT, "byte %llu: an array cannot hold items of %s",
                         (unsigned long long)start, gguf_type_name(type, scratch));
    entry->item_type = (enum gguf_type)type;
    if (!items_fit(source, entry->count, type == GGUF_STRING ? 8 : types[type].size))
        return fault_set(source->fault, FAULT_FORMAT,
                         "byte %llu: an array of %llu %s does not fit the %llu bytes left",
                         (unsigned long long)start, (unsigned long long)entry->count,
                         types[type].name, (unsigned long long)source_left(source));
    if (type == GGUF_STRING)
        return read_strings(gguf, source, field);
    if (type == GGUF_BOOL)
        return read_bools(gguf, source, field);
    if (gguf_type_is_narrow(entry->item_type))
        return read_narrow_items(gguf, source, field);
    return read_wide_items(gguf, source, field);
}

static bool read_key(struct gguf *gguf, struct source *source, const char **key)
{
    uint64_t size = source_u64(source, "size of a key");
    if (source->failed)
        return false;
    if (size == 0 || size > GGUF_KEY_MAX)
        return fault_set(source->fault, FAULT_FORMAT, "a key of %llu bytes, 1 to %d are allowed",
                         (unsigned long long)size, GGUF_KEY_MAX);
    const uint8_t *bytes = source_bytes(source, size, "a key");
    if (!bytes)
        return false;
    if (memchr(bytes, 0, (size_t)size))
        return fault_set(source->fault, FAULT_FORMAT, "a key holds a zero byte");
    gguf->arena.budget = (size_t)source_offset(source) + GGUF_SLACK_MAX;
    *key = arena_copy(&gguf->arena, bytes, (size_t)size);
    return *key || fault_set(source->fault, FAULT_MEMORY, "no memory for a key");
}

static bool read_value(struct gguf *gguf, struct source *source, struct gguf_field *field)
{
    uint64_t start = source_offset(source);
    uint32_t type = source_u32(source, "the type of a value");
    if (source->failed)
        return false;
    if (type >= TYPE_COUNT)
        return fault_set(source->fault, FAULT_FORMAT, "byte %llu: unknown value type %u",
                         (unsigned long long)start, type);
    field->entry.type = (enum gguf_type)type;
    field->entry.count = 1;
    return type == GGUF_ARRAY ? read_array(gguf, source, field) : read_scalar(gguf, source, field);
}

bool gguf_read_fields(struct gguf *gguf, struct source *source, uint64_t count)
{
    if (count > GGUF_COUNT_MAX || !items_fit(source, count, FIELD_SIZE_MIN))
        return fault_set(
            source->fault, FAULT_FORMAT,
            "byte 16: %llu metadata keys, at most %d and what fits %llu bytes are allowed",
            (unsigned long long)count, GGUF_COUNT_MAX, (unsigned long long)source_left(source));
    gguf->fields = take(gguf, source, count, sizeof *gguf->fields, 0);
    if (!gguf->fields)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct gguf_field *field = &gguf->fields[i];
        uint64_t start = source_offset(source);
        if (!read_key(gguf, source, &field->entry.key))
            return fault_context(source->fault, "byte %llu: metadata %u", (unsigned long long)start,
                                 i);
        if (!read_value(gguf, source, field))
            return fault_context(source->fault, "metadata '%.256s'", field->entry.key);
    }
    gguf->field_count = (uint32_t)count;
    return gguf_index_build(&gguf->field_index, &gguf->arena, gguf->fields, sizeof *gguf->fields,
                            gguf->field_count, "metadata key", source->fault);
}
