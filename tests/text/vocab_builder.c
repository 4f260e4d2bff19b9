/* vocab_builder.c: see vocab_builder.h. */
#include "vocab_builder.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER_SIZE = 24 }; /* magic, version, tensor_count, kv_count */

static void put(struct vocab_builder *builder, const void *bytes, size_t size)
{
    if (builder->capacity - builder->size < size) {
        builder->capacity = 2 * builder->capacity + size + 256;
        builder->bytes = realloc(builder->bytes, builder->capacity);
        if (!builder->bytes)
            abort();
    }
    if (size > 0)
        memcpy(builder->bytes + builder->size, bytes, size);
    builder->size += size;
}

static void put_u32(struct vocab_builder *builder, uint32_t value)
{
    put(builder, &value, sizeof value);
}

static void put_string(struct vocab_builder *builder, const char *bytes, size_t size)
{
    uint64_t size64 = size;
    put(builder, &size64, sizeof size64);
    put(builder, bytes, size);
}

static void put_key(struct vocab_builder *builder, const char *key, enum gguf_type type)
{
    if (builder->size == 0)
        put(builder, "GGUF\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", HEADER_SIZE);
    put_string(builder, key, strlen(key));
    put_u32(builder, type);
    builder->count++;
}

static void put_array(struct vocab_builder *builder, const char *key, enum gguf_type type,
                      size_t count)
{
    uint64_t count64 = count;
    put_key(builder, key, GGUF_ARRAY);
    put_u32(builder, type);
    put(builder, &count64, sizeof count64);
}

void vocab_u32(struct vocab_builder *builder, const char *key, uint32_t value)
{
    put_key(builder, key, GGUF_U32);
    put_u32(builder, value);
}

void vocab_bool(struct vocab_builder *builder, const char *key, bool value)
{
    unsigned char byte = value;
    put_key(builder, key, GGUF_BOOL);
    put(builder, &byte, 1);
}

void vocab_text(struct vocab_builder *builder, const char *key, const char *value)
{
    put_key(builder, key, GGUF_STRING);
    put_string(builder, value, strlen(value));
}

void vocab_texts(struct vocab_builder *builder, const char *key, const struct gguf_string *items,
                 size_t count)
{
    put_array(builder, key, GGUF_STRING, count);
    for (size_t i = 0; i < count; i++)
        put_string(builder, items[i].bytes, items[i].size);
}

void vocab_words(struct vocab_builder *builder, const char *key, const char *const *items,
                 size_t count)
{
    put_array(builder, key, GGUF_STRING, count);
    for (size_t i = 0; i < count; i++)
        put_string(builder, items[i], strlen(items[i]));
}

void vocab_i32s(struct vocab_builder *builder, const char *key, const int32_t *items, size_t count)
{
    put_array(builder, key, GGUF_I32, count);
    put(builder, items, count * sizeof *items);
}

void vocab_f32s(struct vocab_builder *builder, const char *key, const float *items, size_t count)
{
    put_array(builder, key, GGUF_F32, count);
    put(builder, items, count * sizeof *items);
}

void vocab_u8s(struct vocab_builder *builder, const char *key, const uint8_t *items, size_t count)
{
    put_array(builder, key, GGUF_U8, count);
    put(builder, items, count);
}

const void *vocab_bytes(struct vocab_builder *builder, size_t *size)
{
    if (builder->size >= HEADER_SIZE)
        memcpy(builder->bytes + 16, &builder->count, sizeof builder->count);
    *size = builder->size;
    return builder->bytes;
}

struct tokenizer *vocab_tokenizer(struct vocab_builder *builder, struct fault *fault)
{
    size_t size;
    const void *bytes = vocab_bytes(builder, &size);
    struct gguf *gguf = NULL;
    struct tokenizer *tokenizer = NULL;
    if (gguf_parse(bytes, size, size, &gguf, fault))
        tokenizer_create(gguf, &tokenizer, fault);
    gguf_close(gguf);
    return tokenizer;
}

void vocab_free(struct vocab_builder *builder)
{
    free(builder->bytes);
    *builder = (struct vocab_builder){0};
}
