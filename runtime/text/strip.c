/* strip.c: tokens that take white space with them (lstrip and rstrip of Hugging Face's added
 * tokens; tokenizer.ggml.lstrip_token_ids and .rstrip_token_ids are lichen's keys). */
#include "utf8.h"
#include "vocab.h"

static bool is_space(uint32_t code)
{
    return (code >= 9 && code <= 13) || code == ' ' || code == 0x85 || code == 0xA0 ||
           code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
           code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

size_t space_behind(const char *text, size_t size)
{
    size_t at = 0;
    while (at < size) {
        struct utf8_char next = utf8_read(text + at, size - at);
        if (next.state != UTF8_WHOLE || !is_space(next.code))
            break;
        at += next.size;
    }
    return at;
}

size_t space_before(const char *text, size_t size)
{
    size_t end = size;
    while (end > 0) {
        size_t start = end - 1;
        while (start > 0 && end - start < 4 && ((unsigned char)text[start] & 0xC0) == 0x80)
            start--;
        struct utf8_char last = utf8_read(text + start, end - start);
        if (last.state != UTF8_WHOLE || last.size != end - start || !is_space(last.code))
            break;
        end = start;
    }
    return size - end;
}

static bool read_ids(struct tokenizer *tokenizer, const struct gguf *gguf, const char *key,
                     uint8_t bit, struct fault *fault)
{
    const int32_t *ids = NULL;
    size_t count = 0;
    if (!gguf_i32_array(gguf, key, false, SIZE_MAX, &ids, &count, fault))
        return false;
    if (count > 0 && !tokenizer->strips) {
        tokenizer->strips = arena_alloc(&tokenizer->arena, tokenizer->count, 1);
        if (!tokenizer->strips)
            return vocab_no_memory(fault);
    }
    for (size_t i = 0; i < count; i++) {
        if (ids[i] < 0 || (uint32_t)ids[i] >= tokenizer->count)
            return fault_set(fault, FAULT_FORMAT, "%s[%zu]: %d is no token, the vocabulary has %u",
                             key, i, ids[i], tokenizer->count);
        tokenizer->strips[ids[i]] |= bit;
    }
    return true;
}

bool strips_read(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault)
{
    return read_ids(tokenizer, gguf, "tokenizer.ggml.lstrip_token_ids", STRIP_LEFT, fault) &&
           read_ids(tokenizer, gguf, "tokenizer.ggml.rstrip_token_ids", STRIP_RIGHT, fault);
}

bool strips_space(const struct tokenizer *tokenizer, int32_t id, uint8_t bit)
{
    return tokenizer->strips && (tokenizer->strips[id] & bit);
}
