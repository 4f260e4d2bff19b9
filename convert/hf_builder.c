/* hf_builder.c: memory, failures and metadata entries of an open in progress. */
#include "hf_builder.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void *hf_alloc(struct hf_builder *builder, size_t count, size_t size)
{
    void *bytes = builder->failed ? NULL : arena_alloc(&builder->source->arena, count, size);
    if (!bytes)
        hf_fail(builder, FAULT_MEMORY, "no memory for %zu items of %zu bytes", count, size);
    return bytes;
}

static const char *format_list(struct hf_builder *builder, const char *format, va_list arguments)
{
    char text[1024];
    vsnprintf(text, sizeof text, format, arguments);
    const char *copy = arena_copy(&builder->source->arena, text, strlen(text));
    if (!copy)
        hf_fail(builder, FAULT_MEMORY, "no memory for a name");
    return copy;
}

const char *hf_format(struct hf_builder *builder, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = format_list(builder, format, arguments);
    va_end(arguments);
    return text;
}

bool hf_fail(struct hf_builder *builder, enum fault_kind kind, const char *format, ...)
{
    char text[sizeof builder->fault->text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    builder->failed = true;
    return fault_set(builder->fault, kind, "%s", text);
}

void hf_unsupported(struct hf_builder *builder, const char *format, ...)
{
    va_list arguments;
    if (!hf_goes_on(builder))
        return;
    va_start(arguments, format);
    builder->source->source.unsupported = format_list(builder, format, arguments);
    va_end(arguments);
}

bool hf_goes_on(const struct hf_builder *builder)
{
    return !builder->failed && !builder->config.failed && !builder->source->source.unsupported;
}

static struct hf_entry *put(struct hf_builder *builder, const char *key, enum gguf_type type)
{
    struct hf_source *source = builder->source;
    if (!hf_goes_on(builder))
        return NULL;
    struct hf_entry *entry = hf_alloc(builder, 1, sizeof *entry);
    const char *whole = strncmp(key, "general.", 8) == 0
                            ? hf_format(builder, "%s", key)
                            : hf_format(builder, "%s.%s", source->source.architecture, key);
    if (!entry || !whole)
        return NULL;
    entry->key = whole;
    entry->type = type;
    *source->entries_end = entry;
    source->entries_end = &entry->next;
    return entry;
}

void hf_put_u32(struct hf_builder *builder, const char *key, uint32_t value)
{
    struct hf_entry *entry = put(builder, key, GGUF_U32);
    if (entry)
        entry->value.u32 = value;
}

void hf_put_f32(struct hf_builder *builder, const char *key, double value)
{
    struct hf_entry *entry = put(builder, key, GGUF_F32);
    if (entry)
        entry->value.f32 = (float)value;
}

void hf_put_bool(struct hf_builder *builder, const char *key, bool value)
{
    struct hf_entry *entry = put(builder, key, GGUF_BOOL);
    if (entry)
        entry->value.boolean = value;
}

void hf_put_text(struct hf_builder *builder, const char *key, const char *text)
{
    struct hf_entry *entry = put(builder, key, GGUF_STRING);
    if (entry)
        entry->value.text = hf_format(builder, "%s", text);
}

void hf_put_bools(struct hf_builder *builder, const char *key, const uint8_t *values,
                  uint32_t count)
{
    struct hf_entry *entry = put(builder, key, GGUF_ARRAY);
    if (!entry)
        return;
    entry->item_type = GGUF_BOOL;
    entry->count = count;
    entry->value.booleans = values;
}

void hf_put_texts(struct hf_builder *builder, const char *key, const struct gguf_string *texts,
                  uint32_t count)
{
    struct hf_entry *entry = put(builder, key, GGUF_ARRAY);
    if (!entry)
        return;
    entry->item_type = GGUF_STRING;
    entry->count = count;
    entry->value.texts = texts;
}
