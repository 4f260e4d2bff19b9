/* bpe.c: byte-level BPE ("gpt2"): pre-tokens by pretokenize.h, every byte of a pre-token a symbol
 * in GPT-2's byte alphabet, then the merges of the file in their order. With PRE_RAW the symbols
 * are characters instead, and U+2581 stands for a space (Gemma 4's kind). */
#include "stream.h"
#include "utf8.h"
#include "vocab.h"

#include <stdlib.h>
#include <string.h>

/* ---- GPT-2's byte alphabet: printable Latin-1 stands for itself, the other 68 bytes for U+0100
 * and on, in order ---- */

static bool stands_for_itself(unsigned byte)
{
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
}

uint32_t byte_to_code(uint8_t byte)
{
    if (stands_for_itself(byte))
        return byte;
    if (byte <= 0x20)
        return 0x100u + byte;
    return byte == 0xAD ? 0x143 : 0x121u + (byte - 0x7Fu);
}

int byte_from_code(uint32_t code)
{
    if (code < 0x100)
        return stands_for_itself(code) ? (int)code : -1;
    if (code <= 0x120)
        return (int)(code - 0x100);
    if (code == 0x143)
        return 0xAD;
    return code < 0x143 ? (int)(code - 0x121 + 0x7F) : -1;
}

/* ---- merges ---- */

static uint64_t pair_hash(uint64_t pair)
{
    pair = (pair ^ (pair >> 33)) * 0xFF51AFD7ED558CCDu;
    pair = (pair ^ (pair >> 33)) * 0xC4CEB9FE1A85EC53u;
    return pair ^ (pair >> 33);
}

/* The slot of the pair, or the free one where it belongs. */
static uint64_t pair_slot(const struct merge_table *table, uint64_t pair)
{
    uint64_t i = pair_hash(pair) & table->mask;
    while (table->ranks[i] && table->pairs[i] != pair)
        i = (i + 1) & table->mask;
    return i;
}

static bool table_create(struct tokenizer *tokenizer, size_t count, struct fault *fault)
{
    size_t capacity = 16;
    while (capacity < 2 * count)
        capacity *= 2;
    struct merge_table *table = &tokenizer->merges;
    table->pairs = arena_alloc(&tokenizer->arena, capacity, sizeof *table->pairs);
    table->ranks = arena_alloc(&tokenizer->arena, capacity, sizeof *table->ranks);
    table->joined = arena_alloc(&tokenizer->arena, capacity, sizeof *table->joined);
    table->mask = capacity - 1;
    return (table->pairs && table->ranks && table->joined) || vocab_no_memory(fault);
}

/* A merge of two tokens into a third, "left right". The first of two equal pairs counts. */
static bool add_merge(struct tokenizer *tokenizer, struct gguf_string merge, size_t rank,
                      char *scratch, struct fault *fault)
{
    const char *key = "tokenizer.ggml.merges";
    const char *space = merge.size > 1 ? memchr(merge.bytes + 1, ' ', merge.size - 1) : NULL;
    size_t left_size = space ? (size_t)(space - merge.bytes) : 0;
    size_t right_size = space ? merge.size - left_size - 1 : 0;
    if (right_size == 0 || memchr(space + 1, ' ', right_size))
        return fault_set(fault, FAULT_FORMAT, "%s[%zu]: \"%.*s\", expected two parts", key, rank,
                         merge.size < 100 ? (int)merge.size : 100, merge.bytes);
    const unsigned any = ~0u;
    int32_t left = vocab_find(tokenizer, merge.bytes, left_size, any);
    int32_t right = vocab_find(tokenizer, space + 1, right_size, any);
    memcpy(scratch, merge.bytes, left_size);
    memcpy(scratch + left_size, space + 1, right_size);
    int32_t joined = vocab_find(tokenizer, scratch, left_size + right_size, any);
    if (left < 0 || right < 0 || joined < 0)
        return fault_set(fault, FAULT_FORMAT, "%s[%zu]: \"%.*s\": %s is not in the vocabulary", key,
                         rank, merge.size < 100 ? (int)merge.size : 100, merge.bytes,
                         left < 0    ? "the left part"
                         : right < 0 ? "the right part"
                                     : "the whole");
    if (!(KINDS_TEXT & KIND_BIT(tokenizer->kinds[joined])))
        return true; /* text must not grow into a control token */
    uint64_t pair = (uint64_t)left << 32 | (uint32_t)right;
    uint64_t slot = pair_slot(&tokenizer->merges, pair);
    if (tokenizer->merges.ranks[slot])
        return true;
    tokenizer->merges.pairs[slot] = pair;
    tokenizer->merges.ranks[slot] = (uint32_t)rank + 1;
    tokenizer->merges.joined[slot] = joined;
    return true;
}

static bool read_merges(struct tokenizer *tokenizer, const struct gguf *gguf, bool required,
                        struct fault *fault)
{
    const char *key = "tokenizer.ggml.merges";
    const struct gguf_string *items = NULL;
    size_t count = 0;
    if (!gguf_text_array(gguf, key, required, SIZE_MAX, &items, &count, fault))
        return false;
    if (count > (1u << 24))
        return fault_set(fault, FAULT_FORMAT, "%s: %zu merges, at most %u are allowed", key, count,
                         1u << 24);
    if (!table_create(tokenizer, count, fault))
        return false;
    char *scratch = malloc(2 * TOKEN_SIZE_LIMIT + 1);
    if (!scratch)
        return vocab_no_memory(fault);
    bool read = true;
    for (size_t i = 0; read && i < count; i++) {
        if (items[i].size > 2 * TOKEN_SIZE_LIMIT)
            read = fault_set(fault, FAULT_FORMAT, "%s[%zu]: %zu bytes, at most %d are allowed", key,
                             i, items[i].size, 2 * TOKEN_SIZE_LIMIT);
        else
            read = add_merge(tokenizer, items[i], i, scratch, fault);
    }
    free(scratch);
    return read;
}

bool bpe_create(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault)
{
    unsigned flags = pretokenizer_flags(tokenizer->pre);
    tokenizer->ignore_merges = flags & PRE_IGNORE_MERGES;
    tokenizer->raw = flags & PRE_RAW;
    tokenizer->mark_spaces = flags & PRE_MARK_SPACES;
    if (tokenizer->raw && !vocab_read_bytes(tokenizer, fault))
        return false;
    for (int byte = 0; !tokenizer->raw && byte < 256; byte++) {
        char spelling[4];
        size_t size = utf8_write(byte_to_code((uint8_t)byte), spelling);
        tokenizer->byte_ids[byte] = vocab_find(tokenizer, spelling, size, KIND_BIT(TOKEN_NORMAL));
    }
    return gguf_bool(gguf, "tokenizer.ggml.ignore_merges", false, &tokenizer->ignore_merges,
                     fault) &&
           normal_form_read(tokenizer, gguf, fault) &&
           read_merges(tokenizer, gguf, !(flags & PRE_NO_MERGES), fault);
}

/* ---- encoding ---- */

struct encoder { /* one call */
    const struct tokenizer *tokenizer;
    struct scratch *scratch;
    struct token_list *out;
    struct fault *fault;
};

static bool pair_rank(const void *context, const struct symbol *left, const struct symbol *right,
                      uint32_t *rank, int32_t *id)
{
    const struct tokenizer *tokenizer = context;
    if (left->id < 0 || right->id < 0)
        return false;
    uint64_t pair = (uint64_t)left->id << 32 | (uint32_t)right->id;
    uint64_t slot = pair_slot(&tokenizer->merges, pair);
    *rank = tokenizer->merges.ranks[slot];
    *id = tokenizer->merges.joined[slot];
    return *rank != 0;
}

/* The token that a whole pre-token is, -1 when it is none. */
static int32_t whole_token(struct encoder *encoder, const char *text, size_t size)
{
    if (size > TOKEN_SIZE_LIMIT / 2)
        return -1;
    if (encoder->tokenizer->raw)
        return vocab_find(encoder->tokenizer, text, size, KINDS_TEXT);
    size_t used = 0;
    for (size_t i = 0; i < size; i++)
        used += utf8_write(byte_to_code((uint8_t)text[i]), encoder->scratch->spelling + used);
    return vocab_find(encoder->tokenizer, encoder->scratch->spelling, used, KINDS_TEXT);
}

/* The first symbols of a pre-token: bytes, or characters that are tokens and bytes of those that
 * are not. */
static bool begin_symbols(struct encoder *encoder, const char *text, size_t size)
{
    const struct tokenizer *tokenizer = encoder->tokenizer;
    if (!merger_begin(&encoder->scratch->merger, size, encoder->fault))
        return false;
    for (size_t at = 0, step; at < size; at += step) {
        step = tokenizer->raw ? utf8_read(text + at, size - at).size : 1;
        int32_t id = tokenizer->raw ? vocab_find(tokenizer, text + at, step, KINDS_TEXT)
                                    : tokenizer->byte_ids[(uint8_t)text[at]];
        merger_push(&encoder->scratch->merger, id, at, step);
    }
    return true;
}

static bool push_symbols(struct encoder *encoder, const char *text)
{
    const struct symbol *symbols = encoder->scratch->merger.symbols;
    for (int32_t i = 0; i != MERGE_END; i = symbols[i].next) {
        bool pushed = symbols[i].id >= 0
                          ? token_list_push(encoder->out, symbols[i].id, encoder->fault)
                          : vocab_push_bytes(encoder->tokenizer, text + symbols[i].start,
                                             (size_t)symbols[i].size, encoder->out, encoder->fault);
        if (!pushed)
            return false;
    }
    return true;
}

static bool encode_piece(struct encoder *encoder, const char *text, size_t size)
{
    const struct tokenizer *tokenizer = encoder->tokenizer;
    if (tokenizer->ignore_merges || (tokenizer->raw && text[0] == '\n')) {
        int32_t id = whole_token(encoder, text, size);
        if (id >= 0)
            return token_list_push(encoder->out, id, encoder->fault);
    }
    if (!begin_symbols(encoder, text, size))
        return false;
    merger_run(&encoder->scratch->merger, pair_rank, tokenizer);
    return push_symbols(encoder, text);
}

static bool encode_normal(struct encoder *encoder, const char *text, size_t size)
{
    struct splitter *splitter = &encoder->scratch->splitter;
    if (!pretokenizer_split(encoder->tokenizer->pre, text, size, splitter, encoder->fault))
        return false;
    size_t start = 0;
    for (size_t i = 0; i < splitter->pieces.count; i++) {
        size_t end = splitter->pieces.ends[i];
        if (!encode_piece(encoder, text + start, end - start))
            return false;
        start = end;
    }
    return true;
}

static bool encode_valid(struct encoder *encoder, const char *text, size_t size)
{
    if (!encoder->tokenizer->normal_form || size == 0)
        return encode_normal(encoder, text, size);
    size_t normal_size;
    char *normal = normalize_text(encoder->tokenizer, text, size, &normal_size, encoder->fault);
    bool encoded = normal && encode_normal(encoder, normal, normal_size);
    free(normal);
    return encoded;
}

/* Valid stretches by pattern, the bytes between them one by one. */
static bool encode_text(struct encoder *encoder, const char *text, size_t size)
{
    while (size > 0) {
        size_t broken;
        size_t valid = utf8_valid_prefix(text, size, &broken);
        if (broken == 0)
            broken = size - valid; /* cut off at the end */
        if (!encode_valid(encoder, text, valid) ||
            !vocab_push_bytes(encoder->tokenizer, text + valid, broken, encoder->out,
                              encoder->fault))
            return false;
        text += valid + broken;
        size -= valid + broken;
    }
    return true;
}

bool bpe_encode(const struct tokenizer *tokenizer, const char *text, size_t size,
                struct scratch *scratch, struct token_list *out, struct fault *fault)
{
    struct encoder encoder = {tokenizer, scratch, out, fault};
    if (tokenizer->ignore_merges && !scratch->spelling &&
        !(scratch->spelling = malloc(TOKEN_SIZE_LIMIT)))
        return vocab_no_memory(fault);
    if (!tokenizer->mark_spaces)
        return encode_text(&encoder, text, size);
    char *marked = spm_mark_spaces(text, size, &size);
    if (!marked)
        return vocab_no_memory(fault);
    bool encoded = encode_text(&encoder, marked, size);
    free(marked);
    return encoded;
}
