/* wordpiece.c: WordPiece ("bert"): text is cleaned (controls go, letters lose accents and case),
 * cut into words at white space, punctuation and Chinese characters, and every word is cut into the
 * longest pieces from left to right; a word that cannot be cut whole is the unknown token.
 * (Hugging Face's BertNormalizer, BertPreTokenizer and WordPiece.) As in GGUF a piece at the start
 * of a word is spelled with U+2581, one inside a word without. */
#include "utf8.h"
#include "vocab.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

bool wordpiece_create(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault)
{
    if (tokenizer->specials.unknown < 0)
        return fault_set(
            fault, FAULT_FORMAT,
            "tokenizer.ggml.unknown_token_id: missing, a \"bert\" vocabulary needs it");
    tokenizer->lowercase = true;
    if (!gguf_bool(gguf, "tokenizer.ggml.normalizer.lowercase", false, &tokenizer->lowercase,
                   fault))
        return false;
    tokenizer->strip_accents = tokenizer->lowercase;
    if (!gguf_u32(gguf, "tokenizer.ggml.max_word_chars", false, &tokenizer->word_chars, fault))
        return false;
    return gguf_bool(gguf, "tokenizer.ggml.normalizer.strip_accents", false,
                     &tokenizer->strip_accents, fault) &&
           prefix_index_create(tokenizer, KINDS_TEXT, &tokenizer->pieces, fault);
}

enum char_class { CHAR_LETTER, CHAR_BLANK, CHAR_ALONE, CHAR_DROPPED };

static bool is_chinese(uint32_t code)
{
    return (code >= 0x4E00 && code <= 0x9FFF) || (code >= 0x3400 && code <= 0x4DBF) ||
           (code >= 0x20000 && code <= 0x2A6DF) || (code >= 0x2A700 && code <= 0x2B81F) ||
           (code >= 0x2B920 && code <= 0x2CEAF) || /* 2B920: as Hugging Face has it */
           (code >= 0xF900 && code <= 0xFAFF) || (code >= 0x2F800 && code <= 0x2FA1F);
}

static enum char_class classify(const struct tokenizer *tokenizer, uint32_t code)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    if (code == '\t' || code == '\n' || code == '\r' ||
        (category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_ZP))
        return CHAR_BLANK;
    if (code == 0xFFFD || (category >= UTF8PROC_CATEGORY_CC && category <= UTF8PROC_CATEGORY_CO) ||
        (tokenizer->strip_accents && category == UTF8PROC_CATEGORY_MN))
        return CHAR_DROPPED;
    bool punctuation = category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
    bool symbol = category >= UTF8PROC_CATEGORY_SM && category <= UTF8PROC_CATEGORY_SO;
    return punctuation || (symbol && code < 0x7F) || is_chinese(code) ? CHAR_ALONE : CHAR_LETTER;
}

struct word_buffer { /* one call; the word so far, U+2581 in front */
    const struct tokenizer *tokenizer;
    char *bytes;
    size_t size, capacity;
    size_t chars; /* of the word, accents that were stripped not counted */
    struct token_list *out;
    struct fault *fault;
};

static bool word_append(struct word_buffer *word, const char *bytes, size_t size)
{
    if (word->capacity - word->size < size) {
        size_t capacity = 2 * word->capacity + size + 64;
        char *grown = realloc(word->bytes, capacity);
        if (!grown)
            return vocab_no_memory(word->fault);
        word->bytes = grown;
        word->capacity = capacity;
    }
    memcpy(word->bytes + word->size, bytes, size);
    word->size += size;
    return true;
}

/* Pushes the pieces of the word and begins the next. */
static bool word_finish(struct word_buffer *word)
{
    if (word->size <= SPACE_MARK_SIZE)
        return true;
    size_t count = word->out->count, piece_size, chars = word->chars;
    bool whole = word->tokenizer->word_chars == 0 || chars <= word->tokenizer->word_chars;
    word->chars = 0;
    for (size_t at = 0; whole && at < word->size; at += piece_size) {
        int32_t id = prefix_longest(&word->tokenizer->pieces, word->bytes + at, word->size - at,
                                    &piece_size);
        whole = id >= 0;
        if (whole && !token_list_push(word->out, id, word->fault))
            return false;
    }
    word->size = SPACE_MARK_SIZE;
    if (whole)
        return true;
    word->out->count = count;
    return token_list_push(word->out, word->tokenizer->specials.unknown, word->fault);
}

static bool add_code(struct word_buffer *word, uint32_t code)
{
    enum char_class class = classify(word->tokenizer, code);
    if (class == CHAR_DROPPED)
        return true;
    if (class != CHAR_LETTER && !word_finish(word))
        return false;
    if (class == CHAR_BLANK)
        return true;
    if (word->tokenizer->lowercase)
        code = (uint32_t)utf8proc_tolower((utf8proc_int32_t)code);
    char bytes[4];
    size_t size = utf8_write(code, bytes);
    word->chars++;
    return word_append(word, bytes, size) && (class == CHAR_LETTER || word_finish(word));
}

/* A character as it is, or decomposed (NFD) where accents are to go. */
static bool add_char(struct word_buffer *word, uint32_t code)
{
    utf8proc_int32_t parts[32];
    int boundary = 0;
    utf8proc_ssize_t count = 1;
    parts[0] = (utf8proc_int32_t)code;
    if (word->tokenizer->strip_accents)
        count = utf8proc_decompose_char((utf8proc_int32_t)code, parts, 32, UTF8PROC_DECOMPOSE,
                                        &boundary);
    for (utf8proc_ssize_t i = 0; i < count && i < 32; i++)
        if (!add_code(word, (uint32_t)parts[i]))
            return false;
    return true;
}

bool wordpiece_encode(const struct tokenizer *tokenizer, const char *text, size_t size,
                      struct scratch *scratch, struct token_list *out, struct fault *fault)
{
    (void)scratch;
    struct word_buffer word = {.tokenizer = tokenizer, .out = out, .fault = fault};
    bool done = word_append(&word, SPACE_MARK, SPACE_MARK_SIZE);
    for (size_t at = 0; done && at < size;) {
        struct utf8_char next = utf8_read(text + at, size - at);
        if (next.state == UTF8_WHOLE)
            done = add_char(&word, next.code);
        at += next.size;
    }
    done = done && word_finish(&word);
    free(word.bytes);
    return done;
}
