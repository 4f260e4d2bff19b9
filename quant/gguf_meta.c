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

/* The budget keeps a description within the size of its header plus a slack, whatever the header
 * says. file_bytes: the next ones that memory is wanted for. */
static bool set_budget(struct gguf *gguf, struct arena *arena, const struct cursor *cursor,
                       uint64_t file_bytes)
{
    const struct arena *other = arena == &gguf->arena ? &gguf->arrays : &gguf->arena;
    size_t whole;
    if (!checked_size(cursor_offset(cursor) + file_bytes + GGUF_SLACK_MAX, &whole))
        return false;
    arena->budget = whole > other->used ? whole - other->used : 1; /* 0 were no limit */
    return true;
}

/* Memory for something that takes file_bytes in the file. */
static void *take(struct gguf *gguf, struct arena *arena, struct cursor *cursor, uint64_t count,
                  size_t size, uint64_t file_bytes)
{
    size_t items;
    void *memory = NULL;
    if (set_budget(gguf, arena, cursor, file_bytes) && checked_size(count, &items))
        memory = arena_alloc(arena, items, size);
    if (!memory) {
        fault_set(cursor->fault, FAULT_MEMORY, "byte %llu: no memory for %llu items",
                  (unsigned long long)cursor_offset(cursor), (unsigned long long)count);
        cursor->failed = true;
    }
    return memory;
}

/* A string that the window cannot hold. */
static bool read_large_string(struct gguf *gguf, struct arena *arena, struct cursor *cursor,
                              struct gguf_string *string)
{
    char *bytes = NULL;
    if (string->size <= cursor_left(cursor)) /* else cursor_copy says what is missing */
        bytes = take(gguf, arena, cursor, string->size, 1, string->size);
    string->bytes = bytes;
    return cursor_copy(cursor, bytes, string->size, "a string") && bytes;
}

static bool read_string(struct gguf *gguf, struct arena *arena, struct cursor *cursor,
                        struct gguf_string *string)
{
    uint64_t start = cursor_offset(cursor);
    uint64_t size = cursor_u64(cursor, "size of a string");
    if (cursor->failed)
        return false;
    if (size > GGUF_STRING_MAX)
        return fault_set(cursor->fault, FAULT_FORMAT,
                         "byte %llu: a string of %llu bytes, at most %d are allowed",
                         (unsigned long long)start, (unsigned long long)size, GGUF_STRING_MAX);
    string->size = (size_t)size;
    if (size > CURSOR_WINDOW)
        return read_large_string(gguf, arena, cursor, string);
    const uint8_t *bytes = cursor_bytes(cursor, size, "a string");
    if (!bytes)
        return false;
    if (set_budget(gguf, arena, cursor, 0))
        string->bytes = arena_copy(arena, bytes, (size_t)size);
    return string->bytes ||
           fault_set(cursor->fault, FAULT_MEMORY, "byte %llu: no memory for a string",
                     (unsigned long long)start);
}

static bool read_bool(struct cursor *cursor, uint8_t *value)
{
    uint64_t start = cursor_offset(cursor);
    *value = cursor_u8(cursor, "a bool");
    return *value <= 1 ||
           fault_set(cursor->fault, FAULT_FORMAT, "byte %llu: a bool is %u, not 0 or 1",
                     (unsigned long long)start, *value);
}

/* An 8- or 16-bit integer. */
static int32_t read_narrow(struct cursor *cursor, enum gguf_type type)
{
    switch (type) {
    case GGUF_U8:
        return cursor_u8(cursor, "a u8");
    case GGUF_I8:
        return (int8_t)cursor_u8(cursor, "an i8");
    case GGUF_U16:
        return cursor_u16(cursor, "a u16");
    default:
        return (int16_t)cursor_u16(cursor, "an i16");
    }
}

static bool read_scalar(struct gguf *gguf, struct cursor *cursor, struct gguf_field *field)
{
    union gguf_value *value = &field->value;
    enum gguf_type type = field->entry.type;
    uint8_t byte;
    if (gguf_type_is_narrow(type)) {
        value->number = (uint64_t)(int64_t)read_narrow(cursor, type);
        return !cursor->failed;
    }
    switch (type) {
    case GGUF_BOOL:
        if (!read_bool(cursor, &byte))
            return false;
        value->number = byte;
        break;
    case GGUF_U32:
        value->number = cursor_u32(cursor, "a u32");
        break;
    case GGUF_I32:
        value->number = (uint64_t)(int64_t)(int32_t)cursor_u32(cursor, "an i32");
        break;
    case GGUF_F32:
        return cursor_copy(cursor, &value->single, sizeof value->single, "an f32");
    case GGUF_F64:
        return cursor_copy(cursor, &value->real, sizeof value->real, "an f64");
    case GGUF_STRING:
        return read_string(gguf, &gguf->arena, cursor, &value->string);
    default:
        value->number = cursor_u64(cursor, "a 64-bit integer");
    }
    return !cursor->failed;
}

static bool read_narrow_items(struct gguf *gguf, struct cursor *cursor, struct gguf_field *field)
{
    struct gguf_entry *entry = &field->entry;
    uint64_t size = entry->count * gguf_type_size(entry->item_type);
    int32_t *items = take(gguf, &gguf->arrays, cursor, entry->count, sizeof *items, size);
    for (uint64_t i = 0; items && i < entry->count; i++)
        items[i] = read_narrow(cursor, entry->item_type);
    field->value.items = items;
    return !cursor->failed;
}

static bool read_wide_items(struct gguf *gguf, struct cursor *cursor, struct gguf_field *field)
{
    struct gguf_entry *entry = &field->entry;
    size_t item_size = gguf_type_size(entry->item_type);
    uint64_t size = entry->count * item_size;
    void *items = take(gguf, &gguf->arrays, cursor, entry->count, item_size, size);
    field->value.items = items;
    return items && cursor_copy(cursor, items, size, "an array");
}

static bool read_bools(struct gguf *gguf, struct cursor *cursor, struct gguf_field *field)
{
    uint8_t *items = take(gguf, &gguf->arrays, cursor, field->entry.count, 1, field->entry.count);
    field->value.items = items;
    for (uint64_t i = 0; items && i < field->entry.count; i++)
        if (!read_bool(cursor, &items[i]))
            return false;
    return !cursor->failed;
}

static bool read_strings(struct gguf *gguf, struct cursor *cursor, struct gguf_field *field)
{
    uint64_t count = field->entry.count;
    struct gguf_string *items = take(gguf, &gguf->arrays, cursor, count, sizeof *items, count * 8);
    field->value.items = items;
    for (uint64_t i = 0; items && i < count; i++)
        if (!read_string(gguf, &gguf->arrays, cursor, &items[i]))
            return false;
    return !cursor->failed;
}

/* So that no later product of count and a size of the file's own can overflow. */
static bool items_fit(const struct cursor *cursor, uint64_t count, uint64_t item_size)
{
    return count <= cursor_left(cursor) / item_size;
}

static bool read_array(struct gguf *gguf, struct cursor *cursor, struct gguf_field *field)
{
    struct gguf_entry *entry = &field->entry;
    uint64_t start = cursor_offset(cursor);
    uint32_t type = cursor_u32(cursor, "the item type of an array");
    entry->count = cursor_u64(cursor, "the item count of an array");
    char scratch[16];
    if (cursor->failed)
        return false;
    if (type >= TYPE_COUNT || type == GGUF_ARRAY)
        return fault_set(cursor->fault, FAULT_FORMAT, "byte %llu: an array cannot hold items of %s",
                         (unsigned long long)start, gguf_type_name(type, scratch));
    entry->item_type = (enum gguf_type)type;
    if (!items_fit(cursor, entry->count, type == GGUF_STRING ? 8 : types[type].size))
        return fault_set(cursor->fault, FAULT_FORMAT,
                         "byte %llu: an array of %llu %s does not fit the %llu bytes left",
                         (unsigned long long)start, (unsigned long long)entry->count,
                         types[type].name, (unsigned long long)cursor_left(cursor));
    if (type == GGUF_STRING)
        return read_strings(gguf, cursor, field);
    if (type == GGUF_BOOL)
        return read_bools(gguf, cursor, field);
    if (gguf_type_is_narrow(entry->item_type))
        return read_narrow_items(gguf, cursor, field);
    return read_wide_items(gguf, cursor, field);
}

static bool read_key(struct gguf *gguf, struct cursor *cursor, const char **key)
{
    uint64_t size = cursor_u64(cursor, "size of a key");
    if (cursor->failed)
        return false;
    if (size == 0 || size > GGUF_KEY_MAX)
        return fault_set(cursor->fault, FAULT_FORMAT, "a key of %llu bytes, 1 to %d are allowed",
                         (unsigned long long)size, GGUF_KEY_MAX);
    const uint8_t *bytes = cursor_bytes(cursor, size, "a key");
    if (!bytes)
        return false;
    if (memchr(bytes, 0, (size_t)size))
        return fault_set(cursor->fault, FAULT_FORMAT, "a key holds a zero byte");
    *key = NULL;
    if (set_budget(gguf, &gguf->arena, cursor, 0))
        *key = arena_copy(&gguf->arena, bytes, (size_t)size);
    return *key || fault_set(cursor->fault, FAULT_MEMORY, "no memory for a key");
}

static bool read_value(struct gguf *gguf, struct cursor *cursor, struct gguf_field *field)
{
    uint64_t start = cursor_offset(cursor);
    uint32_t type = cursor_u32(cursor, "the type of a value");
    if (cursor->failed)
        return false;
    if (type >= TYPE_COUNT)
        return fault_set(cursor->fault, FAULT_FORMAT, "byte %llu: unknown value type %u",
                         (unsigned long long)start, type);
    field->entry.type = (enum gguf_type)type;
    field->entry.count = 1;
    return type == GGUF_ARRAY ? read_array(gguf, cursor, field) : read_scalar(gguf, cursor, field);
}

bool gguf_read_fields(struct gguf *gguf, struct cursor *cursor, uint64_t count)
{
    if (count > GGUF_COUNT_MAX || !items_fit(cursor, count, FIELD_SIZE_MIN))
        return fault_set(
            cursor->fault, FAULT_FORMAT,
            "byte 16: %llu metadata keys, at most %d and what fits %llu bytes are allowed",
            (unsigned long long)count, GGUF_COUNT_MAX, (unsigned long long)cursor_left(cursor));
    gguf->fields = take(gguf, &gguf->arena, cursor, count, sizeof *gguf->fields, 0);
    if (!gguf->fields)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct gguf_field *field = &gguf->fields[i];
        uint64_t start = cursor_offset(cursor);
        if (!read_key(gguf, cursor, &field->entry.key))
            return fault_context(cursor->fault, "byte %llu: metadata %u", (unsigned long long)start,
                                 i);
        if (!read_value(gguf, cursor, field))
            return fault_context(cursor->fault, "metadata '%.256s'", field->entry.key);
    }
    gguf->field_count = (uint32_t)count;
    return gguf_index_build(&gguf->field_index, &gguf->arena, gguf->fields, sizeof *gguf->fields,
                            gguf->field_count, "metadata key", cursor->fault);
}

void gguf_drop_arrays(struct gguf *gguf)
{
    for (uint32_t i = 0; i < gguf->field_count; i++)
        if (gguf->fields[i].entry.type == GGUF_ARRAY) {
            gguf->fields[i].entry.count = 0;
            gguf->fields[i].value.items = NULL;
        }
    arena_free(&gguf->arrays);
}

static bool same_string(const struct gguf_string *a, const struct gguf_string *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->bytes, b->bytes, a->size) == 0);
}

static bool same_items(const struct gguf_field *a, const struct gguf_field *b)
{
    enum gguf_type type = a->entry.item_type;
    uint64_t count = a->entry.count;
    if (type != b->entry.item_type || count != b->entry.count)
        return false;
    if (type != GGUF_STRING) {
        size_t size = gguf_type_is_narrow(type) ? sizeof(int32_t) : gguf_type_size(type);
        return count == 0 || memcmp(a->value.items, b->value.items, (size_t)count * size) == 0;
    }
    const struct gguf_string *x = a->value.items, *y = b->value.items;
    for (uint64_t i = 0; i < count; i++)
        if (!same_string(&x[i], &y[i]))
            return false;
    return true;
}

static bool same_field(const struct gguf_field *a, const struct gguf_field *b)
{
    if (!b || a->entry.type != b->entry.type)
        return false;
    switch (a->entry.type) {
    case GGUF_ARRAY:
        return same_items(a, b);
    case GGUF_STRING:
        return same_string(&a->value.string, &b->value.string);
    case GGUF_F32:
        return memcmp(&a->value.single, &b->value.single, sizeof a->value.single) == 0;
    case GGUF_F64:
        return memcmp(&a->value.real, &b->value.real, sizeof a->value.real) == 0;
    default:
        return a->value.number == b->value.number;
    }
}

static uint32_t count_prefix(const struct gguf *gguf, const char *prefix)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < gguf->field_count; i++)
        count += strncmp(gguf->fields[i].entry.key, prefix, strlen(prefix)) == 0;
    return count;
}

bool gguf_same_entries(const struct gguf *a, const struct gguf *b, const char *prefix)
{
    if (count_prefix(a, prefix) != count_prefix(b, prefix))
        return false;
    for (uint32_t i = 0; i < a->field_count; i++) {
        const struct gguf_field *field = &a->fields[i];
        if (strncmp(field->entry.key, prefix, strlen(prefix)) == 0 &&
            !same_field(field, gguf_field_find(b, field->entry.key)))
            return false;
    }
    return true;
}
