/* fuzz_encode.c: any bytes as text of tiny vocabularies. First byte: model or pre-tokenizer; second
 * byte: options. Byte-level BPE must give back what it got, no text may become a control token, a
 * stream must give UTF-8. */
#include "fuzz.h"

#include "../text/vocab_builder.h"
#include "pre_patterns.h"
#include "stream.h"
#include "utf8.h"
#include "vocab.h"

#include <stdlib.h>
#include <string.h>

enum { COUNT = 280 };

static void must(bool condition)
{
    if (!condition)
        abort();
}

/* 256 bytes in GPT-2's alphabet or as byte tokens, then words; the same for all models. */
static struct tokenizer *build(const char *model, const char *pre)
{
    static char bytes[256][8];
    static const char *const words[COUNT - 256] = {
        "<s>", "</s>", "<unk>", "<|im_end|>", "<user>", "  ",  "   ",  "\n\n",
        "th",  "the",  "Ġt",    "Ġth",        "▁t",     "▁th", "▁the", "ing",
        "▁",   "in",   "aa",    "aaaa",       "ĠĠ",     "▁,",  "▁中",  "国"};
    const bool byte_level = strcmp(model, "gpt2") == 0;
    const char *tokens[COUNT];
    int32_t kinds[COUNT];
    float scores[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        tokens[i] = i < 256 ? bytes[i] : words[i - 256];
        kinds[i] = i < 256 && !byte_level ? TOKEN_BYTE : TOKEN_NORMAL;
        scores[i] = -(float)(i % 7);
        if (i < 256 && byte_level)
            bytes[i][utf8_write(byte_to_code((uint8_t)i), bytes[i])] = 0;
        else if (i < 256)
            memcpy(bytes[i],
                   (char[]){'<', '0', 'x', "0123456789ABCDEF"[i >> 4], "0123456789ABCDEF"[i & 15],
                            '>', 0},
                   7);
    }
    kinds[256] = kinds[257] = kinds[259] = TOKEN_CONTROL;
    kinds[258] = TOKEN_UNKNOWN;
    kinds[260] = kinds[261] = kinds[262] = kinds[263] = TOKEN_USER_DEFINED;
    struct vocab_builder builder = {0};
    vocab_text(&builder, "tokenizer.ggml.model", model);
    vocab_text(&builder, "tokenizer.ggml.pre", pre);
    vocab_words(&builder, "tokenizer.ggml.tokens", tokens, COUNT);
    vocab_i32s(&builder, "tokenizer.ggml.token_type", kinds, COUNT);
    vocab_f32s(&builder, "tokenizer.ggml.scores", scores, COUNT);
    vocab_u32(&builder, "tokenizer.ggml.bos_token_id", 256);
    vocab_u32(&builder, "tokenizer.ggml.seperator_token_id", 257);
    static const char *const merges[] = {"t h", "th e", "Ġ t",   "Ġ th",
                                         "i n", "a a",  "aa aa", "Ġ Ġ"};
    vocab_words(&builder, "tokenizer.ggml.merges", merges, byte_level ? 8 : 0);
    struct fault fault = {0};
    struct tokenizer *tokenizer = vocab_tokenizer(&builder, &fault);
    vocab_free(&builder);
    return tokenizer;
}

/* 0 to 2: the other models; from 3 on byte-level BPE with the recipe of that place. Kept over all
 * inputs. NULL behind the last. */
static const struct tokenizer *tokenizer_at(uint8_t which)
{
    static struct tokenizer *built[256];
    static const char *const models[] = {"llama", "t5", "bert"};
    const struct pre_recipe *recipe = which < 3 ? NULL : pre_recipe_at(which - 3u);
    if (which >= 3 && !recipe)
        return NULL;
    if (!built[which])
        built[which] = which < 3 ? build(models[which], "default") : build("gpt2", recipe->name);
    must(built[which] != NULL);
    return built[which];
}

static void check_stream(const struct tokenizer *tokenizer, const struct token_list *list)
{
    static const char *const stops[] = {"the", "\n\nx", "\xE4\xBD\xA0"};
    struct stream *stream;
    must(stream_create(tokenizer, stops, 3, &stream, NULL));
    const char *text;
    size_t size, broken;
    bool stopped = false;
    for (size_t i = 0; i < list->count; i++) {
        must(stream_push(stream, list->ids[i], &text, &size, &stopped, NULL));
        must(size == 0 || utf8_valid_prefix(text, size, &broken) == size);
    }
    stream_flush(stream, &text, &size);
    must(size == 0 || utf8_valid_prefix(text, size, &broken) == size);
    must(!stopped || size == 0);
    stream_destroy(stream);
}

static void check_back(const struct tokenizer *tokenizer, const struct token_list *list,
                       const char *text, size_t size)
{
    char *decoded;
    size_t decoded_size;
    must(tokenizer_decode_all(tokenizer, list->ids, list->count, true, &decoded, &decoded_size,
                              NULL));
    if (tokenizer->model == MODEL_BPE && !tokenizer->raw) {
        must(decoded_size == size);
        must(size == 0 || memcmp(decoded, text, size) == 0);
    }
    free(decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 2)
        return 0;
    const struct tokenizer *tokenizer = tokenizer_at(bytes[0]);
    if (!tokenizer)
        return 0;
    const char *text = (const char *)bytes + 2;
    size -= 2;
    const bool special = bytes[1] & 1;
    struct token_list list = {0};
    struct fault fault = {0};
    const struct text_range plain = {bytes[1] >> 2, (bytes[1] & 2) ? 5 : 0};
    bool encoded = special ? tokenizer_encode_chat(tokenizer, text, size, &plain, 1, &list, &fault)
                           : tokenizer_encode(tokenizer, text, size, (struct tokenize_options){0},
                                              &list, &fault);
    must(encoded);
    for (size_t i = 0; !special && i < list.count; i++)
        must(tokenizer_kind(tokenizer, list.ids[i]) != TOKEN_CONTROL);
    check_back(tokenizer, &list, text, size);
    check_stream(tokenizer, &list);
    token_list_free(&list);
    return 0;
}
