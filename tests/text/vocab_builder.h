/* vocab_builder.h: writes the metadata of a GGUF file to memory, for tests and fuzzing of
 * tokenizers. Aborts when there is no memory. */
#ifndef LICHEN_VOCAB_BUILDER_H
#define LICHEN_VOCAB_BUILDER_H

#include "gguf.h"
#include "tokenizer.h"

struct vocab_builder { /* init by zeroing, free by vocab_free */
    unsigned char *bytes;
    size_t size, capacity;
    uint64_t count; /* keys */
};

void vocab_u32(struct vocab_builder *builder, const char *key, uint32_t value);
void vocab_bool(struct vocab_builder *builder, const char *key, bool value);
void vocab_text(struct vocab_builder *builder, const char *key, const char *value);
void vocab_texts(struct vocab_builder *builder, const char *key, const struct gguf_string *items,
                 size_t count);
/* From NUL-terminated strings. */
void vocab_words(struct vocab_builder *builder, const char *key, const char *const *items,
                 size_t count);
void vocab_i32s(struct vocab_builder *builder, const char *key, const int32_t *items, size_t count);
void vocab_f32s(struct vocab_builder *builder, const char *key, const float *items, size_t count);
void vocab_u8s(struct vocab_builder *builder, const char *key, const uint8_t *items, size_t count);

/* The file's bytes (builder's). */
const void *vocab_bytes(struct vocab_builder *builder, size_t *size);
/* A tokenizer of the file; NULL and the fault when it is refused. */
struct tokenizer *vocab_tokenizer(struct vocab_builder *builder, struct fault *fault);
void vocab_free(struct vocab_builder *builder);

#endif
