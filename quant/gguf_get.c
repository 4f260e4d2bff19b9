/* gguf_get.c: the typed getters over metadata that gguf_meta.c has read. */
#include "clean.h"
#include "gguf_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

uint32_t gguf_entry_count(const struct gguf *gguf)
{
    return gguf->field_count;
}

const struct gguf_entry *gguf_entry_at(const struct gguf *gguf, uint32_t index)
{
    return index < gguf->field_count ? &gguf->fields[index].entry : NULL;
}

const struct gguf_field *gguf_field_find(const struct gguf *gguf, const char *key)
{
    return gguf_index_find(&gguf->field_index, key);
}

const struct gguf_entry *gguf_entry_find(const struct gguf *gguf, const char *key)
{
    const struct gguf_field *field = gguf_field_find(gguf, key);
    return field ? &field->entry : NULL;
}

static bool missing(const struct gguf *gguf, const char *key, bool required, struct fault *fault)
{
    return !required ||
           fault_set(fault, FAULT_FORMAT, "%s: has no metadata '%s'", gguf_path(gguf), key);
}

static bool wrong_type(const struct gguf *gguf, const struct gguf_entry *entry, const char *wanted,
                       struct fault *fault)
{
    char scratch[16];
    bool is_array = entry->type == GGUF_ARRAY;
    return fault_set(fault, FAULT_FORMAT, "%s: metadata '%s' is %s%s, expected %s", gguf_path(gguf),
                     entry->key, is_array ? "an array of " : "",
                     gguf_type_name(is_array ? entry->item_type : entry->type, scratch), wanted);
}

static bool is_signed(enum gguf_type type)
{
    return type == GGUF_I8 || type == GGUF_I16 || type == GGUF_I32 || type == GGUF_I64;
}

static bool is_integer(enum gguf_type type)
{
    return is_signed(type) || type == GGUF_U8 || type == GGUF_U16 || type == GGUF_U32 ||
           type == GGUF_U64;
}

static bool get_integer(const struct gguf *gguf, const char *key, bool required, uint64_t limit,
                        uint64_t *value, struct fault *fault)
{
    const struct gguf_field *field = gguf_field_find(gguf, key);
    if (!field)
        return missing(gguf, key, required, fault);
    if (!is_integer(field->entry.type))
        return wrong_type(gguf, &field->entry, "an integer", fault);
    uint64_t number = field->value.number;
    if (is_signed(field->entry.type) && number > INT64_MAX)
        return fault_set(fault, FAULT_FORMAT,
                         "%s: metadata '%s' is %" PRId64 ", expected 0 or more", gguf_path(gguf),
                         key, (int64_t)number);
    if (number > limit)
        return fault_set(fault, FAULT_FORMAT,
                         "%s: metadata '%s' is %" PRIu64 ", expected at most %" PRIu64,
                         gguf_path(gguf), key, number, limit);
    *value = number;
    return true;
}

bool gguf_u32(const struct gguf *gguf, const char *key, bool required, uint32_t *value,
              struct fault *fault)
{
    uint64_t number = *value;
    if (!get_integer(gguf, key, required, UINT32_MAX, &number, fault))
        return false;
    *value = (uint32_t)number;
    return true;
}

bool gguf_u64(const struct gguf *gguf, const char *key, bool required, uint64_t *value,
              struct fault *fault)
{
    return get_integer(gguf, key, required, UINT64_MAX, value, fault);
}

bool gguf_f32(const struct gguf *gguf, const char *key, bool required, float *value,
              struct fault *fault)
{
    const struct gguf_field *field = gguf_field_find(gguf, key);
    if (!field)
        return missing(gguf, key, required, fault);
    if (field->entry.type != GGUF_F32 && field->entry.type != GGUF_F64)
        return wrong_type(gguf, &field->entry, "a float", fault);
    *value = field->entry.type == GGUF_F32 ? field->value.single : (float)field->value.real;
    return true;
}

bool gguf_bool(const struct gguf *gguf, const char *key, bool required, bool *value,
               struct fault *fault)
{
    const struct gguf_field *field = gguf_field_find(gguf, key);
    if (!field)
        return missing(gguf, key, required, fault);
    if (field->entry.type != GGUF_BOOL)
        return wrong_type(gguf, &field->entry, "a bool", fault);
    *value = field->value.number != 0;
    return true;
}

bool gguf_text(const struct gguf *gguf, const char *key, bool required, struct gguf_string *value,
               struct fault *fault)
{
    const struct gguf_field *field = gguf_field_find(gguf, key);
    if (!field)
        return missing(gguf, key, required, fault);
    if (field->entry.type != GGUF_STRING)
        return wrong_type(gguf, &field->entry, "a string", fault);
    *value = field->value.string;
    return true;
}

/* The array at key when its items have a type of the mask; *found stays NULL when it is absent and
 * not required. */
static bool get_array(const struct gguf *gguf, const char *key, bool required, size_t expected,
                      uint32_t type_mask, const char *wanted, const struct gguf_field **found,
                      struct fault *fault)
{
    const struct gguf_field *field = gguf_field_find(gguf, key);
    *found = NULL;
    if (!field)
        return missing(gguf, key, required, fault);
    const struct gguf_entry *entry = &field->entry;
    if (entry->type != GGUF_ARRAY || !(type_mask >> entry->item_type & 1))
        return wrong_type(gguf, entry, wanted, fault);
    if (expected != SIZE_MAX && entry->count != expected)
        return fault_set(fault, FAULT_FORMAT,
                         "%s: metadata '%s' has %" PRIu64 " items, expected %zu", gguf_path(gguf),
                         key, entry->count, expected);
    *found = field;
    return true;
}

bool gguf_i32_array(const struct gguf *gguf, const char *key, bool required, size_t expected,
                    const int32_t **items, size_t *count, struct fault *fault)
{
    const uint32_t mask = 1u << GGUF_U8 | 1u << GGUF_I8 | 1u << GGUF_U16 | 1u << GGUF_I16 |
                          1u << GGUF_U32 | 1u << GGUF_I32;
    const struct gguf_field *field;
    if (!get_array(gguf, key, required, expected, mask, "an array of i32", &field, fault))
        return false;
    if (!field)
        return true;
    const int32_t *values = field->value.items;
    for (uint64_t i = 0; field->entry.item_type == GGUF_U32 && i < field->entry.count; i++)
        if (values[i] < 0)
            return fault_set(fault, FAULT_FORMAT,
                             "%s: metadata '%s': item %" PRIu64 " is %u, expected at most %d",
                             gguf_path(gguf), key, i, (uint32_t)values[i], INT32_MAX);
    *items = values;
    *count = (size_t)field->entry.count;
    return true;
}

bool gguf_f32_array(const struct gguf *gguf, const char *key, bool required, size_t expected,
                    const float **items, size_t *count, struct fault *fault)
{
    const struct gguf_field *field;
    if (!get_array(gguf, key, required, expected, 1u << GGUF_F32, "an array of f32", &field, fault))
        return false;
    if (field) {
        *items = field->value.items;
        *count = (size_t)field->entry.count;
    }
    return true;
}

bool gguf_text_array(const struct gguf *gguf, const char *key, bool required, size_t expected,
                     const struct gguf_string **items, size_t *count, struct fault *fault)
{
    const struct gguf_field *field;
    if (!get_array(gguf, key, required, expected, 1u << GGUF_STRING, "an array of strings", &field,
                   fault))
        return false;
    if (field) {
        *items = field->value.items;
        *count = (size_t)field->entry.count;
    }
    return true;
}

/* Item of an array as the value a scalar of its type would have. */
static union gguf_value item_value(const struct gguf_field *field, uint64_t item)
{
    const void *items = field->value.items;
    union gguf_value value = {0};
    switch (field->entry.item_type) {
    case GGUF_STRING:
        value.string = ((const struct gguf_string *)items)[item];
        break;
    case GGUF_F32:
        value.single = ((const float *)items)[item];
        break;
    case GGUF_F64:
        value.real = ((const double *)items)[item];
        break;
    case GGUF_BOOL:
        value.number = ((const uint8_t *)items)[item];
        break;
    case GGUF_U32:
        value.number = ((const uint32_t *)items)[item];
        break;
    case GGUF_U64:
    case GGUF_I64:
        value.number = ((const uint64_t *)items)[item];
        break;
    default:
        value.number = (uint64_t)(int64_t)((const int32_t *)items)[item];
    }
    return value;
}

static void format_string(const struct gguf_string *string, char *dst, size_t size)
{
    size_t kept = string->size < size - 1 ? string->size : size - 1;
    memcpy(dst, string->bytes, kept);
    for (size_t i = 0; i < kept; i++)
        if (dst[i] == 0)
            dst[i] = '?';
    dst[kept] = 0;
    clean_text(dst);
}

void gguf_format(const struct gguf *gguf, const struct gguf_entry *entry, uint64_t item, char *dst,
                 size_t size)
{
    (void)gguf;
    if (size == 0)
        return;
    dst[0] = 0;
    if (item >= entry->count)
        return;
    const struct gguf_field *field = (const struct gguf_field *)entry;
    bool is_array = entry->type == GGUF_ARRAY;
    enum gguf_type type = is_array ? entry->item_type : entry->type;
    union gguf_value value = is_array ? item_value(field, item) : field->value;
    if (type == GGUF_STRING)
        format_string(&value.string, dst, size);
    else if (type == GGUF_F32)
        snprintf(dst, size, "%g", (double)value.single);
    else if (type == GGUF_F64)
        snprintf(dst, size, "%g", value.real);
    else if (type == GGUF_BOOL)
        snprintf(dst, size, "%s", value.number ? "true" : "false");
    else if (is_signed(type))
        snprintf(dst, size, "%" PRId64, (int64_t)value.number);
    else
        snprintf(dst, size, "%" PRIu64, value.number);
}
