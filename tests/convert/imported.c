/* imported.c: see imported.h. */
#include "testing.h"
#include "imported.h"

#include <string.h>
#include <unistd.h>

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

static bool write_vocabulary(const struct tokenizer_import *import, const char *path,
                             struct fault *fault)
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
    if (write_vocabulary(import, gguf_path, fault) && gguf_open(gguf_path, gguf, fault))
        tokenizer_create(*gguf, &tokenizer, fault);
    tokenizer_import_close(import);
    return tokenizer;
}

void imported_clear(const char *folder)
{
    static const char *const names[] = {"tokenizer.json",
                                        "tokenizer.model",
                                        "ice_text.model",
                                        "qwen.tiktoken",
                                        "vocab.json",
                                        "merges.txt",
                                        "tokenizer_config.json",
                                        "special_tokens_map.json",
                                        "added_tokens.json",
                                        "chat_template.jinja",
                                        "chat_template.json"};
    char path[512];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
}

void imported_save(const char *folder, const char *name, const void *bytes, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}
