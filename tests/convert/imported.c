/* imported.c: see imported.h. */
#include "imported.h"

#include <string.h>

struct tokenizer_hints imported_no_hints(void)
{
    return (struct tokenizer_hints){"llama", "llama", 0, -1, -1, -1, NULL, 0};
}

/* What llama.cpp wants to see even of a file that is only a vocabulary. */
static bool put_shape(struct gguf_writer *writer, uint32_t count, struct fault *fault)
{
    return gguf_put_text(writer, "general.architecture", "llama", 5, fault) &&
           gguf_put_u32(writer, "llama.context_length", 2048, fault) &&
           gguf_put_u32(writer, "llama.embedding_length", 64, fault) &&
           gguf_put_u32(writer, "llama.block_count", 1, fault) &&
           gguf_put_u32(writer, "llama.feed_forward_length", 64, fault) &&
           gguf_put_u32(writer, "llama.attention.head_count", 4, fault) &&
           gguf_put_f32(writer, "llama.attention.layer_norm_rms_epsilon", 1e-5f, fault) &&
           gguf_put_u32(writer, "llama.vocab_size", count, fault);
}

static bool write(const struct tokenizer_import *import, const char *path, struct fault *fault)
{
    struct gguf_writer *writer = NULL;
    bool written = gguf_writer_create(&writer, fault) &&
                   put_shape(writer, tokenizer_import_token_count(import), fault) &&
                   tokenizer_import_put(import, writer, fault) &&
                   gguf_writer_begin(writer, path, fault) && gguf_writer_finish(writer, fault);
    gguf_writer_destroy(writer);
    return written;
}

struct tokenizer *imported_tokenizer(const char *folder, const struct tokenizer_hints *hints,
                                     const char *gguf_path, struct gguf **gguf, struct fault *fault)
{
    struct tokenizer_import *import;
    struct tokenizer *tokenizer = NULL;
    *gguf = NULL;
    if (!tokenizer_import_open(folder, hints, &import, fault))
        return NULL;
    if (write(import, gguf_path, fault) && gguf_open(gguf_path, gguf, fault))
        tokenizer_create(*gguf, &tokenizer, fault);
    tokenizer_import_close(import);
    return tokenizer;
}
