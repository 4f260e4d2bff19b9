/* fuzz_vocab.c: any metadata as a tokenizer; what is accepted must encode and decode without harm.
 * Input beginning with "GGUF" is a file. Any other is a sketch of one:
 *   model, pre, flags, id bytes; token lines "kind score spelling" until an empty line; merge lines
 *   until an empty line; the rest is text. */
#include "fuzz.h"

#include "../text/vocab_builder.h"
#include "pre_patterns.h"

#include <stdlib.h>
#include <string.h>

enum { LINE_LIMIT = 512 };

static void must(bool condition)
{
    if (!condition)
        abort();
}

struct cursor {
    const char *bytes;
    size_t size;
};

static uint8_t next_byte(struct cursor *cursor)
{
    if (cursor->size == 0)
        return 0;
    cursor->size--;
    return (uint8_t)*cursor->bytes++;
}

/* The next line without its end; empty at the end of a list. */
static struct gguf_string next_line(struct cursor *cursor)
{
    const char *end = cursor->size > 0 ? memchr(cursor->bytes, '\n', cursor->size) : NULL;
    struct gguf_string line = {cursor->bytes, end ? (size_t)(end - cursor->bytes) : cursor->size};
    size_t step = line.size + (end != NULL);
    cursor->bytes += step;
    cursor->size -= step;
    return line;
}

static void put_tokens(struct vocab_builder *builder, struct cursor *cursor)
{
    struct gguf_string tokens[LINE_LIMIT];
    int32_t kinds[LINE_LIMIT];
    float scores[LINE_LIMIT];
    size_t count = 0;
    for (struct gguf_string line; count < LINE_LIMIT; count++) {
        line = next_line(cursor);
        if (line.size == 0)
            break;
        kinds[count] = line.bytes[0] - '0';
        scores[count] = line.size > 1 ? (float)(signed char)line.bytes[1] : 0;
        tokens[count] = line.size > 2 ? (struct gguf_string){line.bytes + 2, line.size - 2}
                                      : (struct gguf_string){"", 0};
    }
    vocab_texts(builder, "tokenizer.ggml.tokens", tokens, count);
    vocab_i32s(builder, "tokenizer.ggml.token_type", kinds, count);
    vocab_f32s(builder, "tokenizer.ggml.scores", scores, count);
}

static void put_merges(struct vocab_builder *builder, struct cursor *cursor)
{
    struct gguf_string merges[LINE_LIMIT];
    size_t count = 0;
    while (count < LINE_LIMIT && (merges[count] = next_line(cursor)).size > 0)
        count++;
    vocab_texts(builder, "tokenizer.ggml.merges", merges, count);
}

static struct tokenizer *from_sketch(struct cursor *cursor, struct fault *fault)
{
    static const char *const models[] = {"gpt2", "llama", "t5", "bert", "rwkv"};
    static const char *const ids[] = {"tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id",
                                      "tokenizer.ggml.unknown_token_id",
                                      "tokenizer.ggml.seperator_token_id"};
    struct vocab_builder builder = {0};
    vocab_text(&builder, "tokenizer.ggml.model", models[next_byte(cursor) % 5]);
    const struct pre_recipe *recipe = pre_recipe_at(next_byte(cursor));
    if (recipe)
        vocab_text(&builder, "tokenizer.ggml.pre", recipe->name);
    uint8_t flags = next_byte(cursor), id = next_byte(cursor);
    for (int i = 0; i < 4; i++)
        if (flags & 1 << i)
            vocab_u32(&builder, ids[i], id);
    vocab_bool(&builder, "tokenizer.ggml.add_space_prefix", flags & 16);
    vocab_bool(&builder, "tokenizer.ggml.remove_extra_whitespaces", flags & 32);
    if (flags & 64)
        vocab_bool(&builder, "tokenizer.ggml.add_bos_token", flags & 128);
    put_tokens(&builder, cursor);
    put_merges(&builder, cursor);
    struct tokenizer *tokenizer = vocab_tokenizer(&builder, fault);
    vocab_free(&builder);
    return tokenizer;
}

static struct tokenizer *from_file(struct cursor *cursor, struct fault *fault)
{
    struct gguf *gguf = NULL;
    struct tokenizer *tokenizer = NULL;
    if (gguf_parse(cursor->bytes, cursor->size, cursor->size, &gguf, fault))
        tokenizer_create(gguf, &tokenizer, fault);
    gguf_close(gguf);
    return tokenizer;
}

static void use(const struct tokenizer *tokenizer, const char *text, size_t size, bool special)
{
    struct token_list list = {0};
    struct fault fault = {0};
    const struct tokenize_options options = {.bos = special, .special = special};
    char *decoded;
    size_t decoded_size;
    if (tokenizer_encode(tokenizer, text, size, options, &list, &fault)) {
        for (size_t i = 0; i < list.count; i++) {
            must(list.ids[i] >= 0 && (uint32_t)list.ids[i] < tokenizer_count(tokenizer));
            must(special || tokenizer_kind(tokenizer, list.ids[i]) != TOKEN_CONTROL ||
                 list.ids[i] == tokenizer_specials(tokenizer)->unknown);
        }
        must(tokenizer_decode_all(tokenizer, list.ids, list.count, special, &decoded, &decoded_size,
                                  NULL));
        free(decoded);
    } else {
        must(fault.kind != FAULT_NONE);
    }
    token_list_free(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct cursor cursor = {(const char *)bytes, size};
    struct fault fault = {0};
    bool file = size >= 4 && memcmp(bytes, "GGUF", 4) == 0;
    struct tokenizer *tokenizer = file ? from_file(&cursor, &fault) : from_sketch(&cursor, &fault);
    must((tokenizer != NULL) == (fault.kind == FAULT_NONE));
    if (!tokenizer)
        return 0;
    static const char text[] = " The <s>caf\xC3\xA9 \xE4\xBD\xA0\xE5\xA5\xBD 1234\n\n\xFF </s>x";
    use(tokenizer, text, sizeof text - 1, false);
    use(tokenizer, text, sizeof text - 1, true);
    if (!file)
        use(tokenizer, cursor.bytes, cursor.size, false);
    for (uint32_t id = 0; id < tokenizer_count(tokenizer); id++) {
        struct gguf_string spelling = tokenizer_spelling(tokenizer, (int32_t)id);
        must(tokenizer_find(tokenizer, spelling.bytes, spelling.size) <= (int32_t)id);
        must(tokenizer_decode(tokenizer, (int32_t)id, true, NULL, 0) <= spelling.size);
    }
    tokenizer_destroy(tokenizer);
    return 0;
}
