/* decode.c: tokens to bytes. */
#include "utf8.h"
#include "vocab.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Each writer puts what a spelling stands for to dst, which has room for the spelling (nothing is
 * longer than that), and returns the number of bytes; dst NULL only counts. */

static size_t write_raw(struct gguf_string spelling, char *dst)
{
    if (dst && spelling.size > 0)
        memcpy(dst, spelling.bytes, spelling.size);
    return spelling.size;
}

/* GPT-2's byte alphabet; a spelling with any other character stands for itself. */
static size_t write_bytes(struct gguf_string spelling, char *dst)
{
    size_t used = 0;
    for (size_t at = 0; at < spelling.size;) {
        struct utf8_char next = utf8_read(spelling.bytes + at, spelling.size - at);
        int byte = next.state == UTF8_WHOLE ? byte_from_code(next.code) : -1;
        if (byte < 0)
            return write_raw(spelling, dst);
        if (dst)
            dst[used] = (char)byte;
        used++;
        at += next.size;
    }
    return used;
}

static size_t write_spaces(struct gguf_string spelling, char *dst)
{
    size_t used = 0;
    for (size_t at = 0; at < spelling.size; used++) {
        bool space = spelling.size - at >= SPACE_MARK_SIZE &&
                     memcmp(spelling.bytes + at, SPACE_MARK, SPACE_MARK_SIZE) == 0;
        if (dst)
            dst[used] = space ? ' ' : spelling.bytes[at];
        at += space ? SPACE_MARK_SIZE : 1;
    }
    return used;
}

static size_t write_token(const struct tokenizer *tokenizer, int32_t id, bool special, char *dst)
{
    struct gguf_string spelling = tokenizer->spellings[id];
    bool marks = tokenizer->model != MODEL_BPE || tokenizer->mark_spaces;
    int byte;
    switch ((enum token_kind)tokenizer->kinds[id]) {
    case TOKEN_UNKNOWN:
    case TOKEN_CONTROL:
    case TOKEN_UNUSED:
        return special ? write_raw(spelling, dst) : 0;
    case TOKEN_BYTE:
        byte = vocab_byte_of(spelling);
        if (byte < 0) /* only byte-level BPE, which has no use for the kind, leaves it unchecked */
            return write_raw(spelling, dst);
        if (dst)
            *dst = (char)byte;
        return 1;
    case TOKEN_USER_DEFINED:
        return marks ? write_spaces(spelling, dst) : write_raw(spelling, dst);
    case TOKEN_NORMAL:
        break;
    }
    if (marks)
        return write_spaces(spelling, dst);
    return tokenizer->raw ? write_raw(spelling, dst) : write_bytes(spelling, dst);
}

size_t tokenizer_decode(const struct tokenizer *tokenizer, int32_t id, bool special, char *dst,
                        size_t capacity)
{
    assert(id >= 0 && (uint32_t)id < tokenizer->count);
    if (capacity >= tokenizer->spellings[id].size)
        return write_token(tokenizer, id, special, dst);
    size_t size = write_token(tokenizer, id, special, NULL);
    if (size <= capacity)
        write_token(tokenizer, id, special, dst);
    return size;
}

/* ---- whole lists ---- */

size_t decode_dummy(const struct tokenizer *tokenizer, const char *bytes, size_t size)
{
    size_t spaces = 0;
    bool one = tokenizer->dummy_space || tokenizer->model == MODEL_WORDPIECE;
    while (spaces < size && bytes[spaces] == ' ' && (tokenizer->trim_spaces || (one && spaces < 1)))
        spaces++;
    return spaces;
}

static bool begins(const char *text, size_t size, const char *word)
{
    size_t word_size = strlen(word);
    return size >= word_size && memcmp(text, word, word_size) == 0;
}

/* How many bytes of " ?", " '", " 's" ... stand at text, where the space is to go; 0 = none. The
 * list is that of Hugging Face's clean_up_tokenization. */
static bool space_goes(const char *text, size_t size)
{
    static const char *const patterns[] = {" .",  " ?",  " !",   " ,",  " n't",
                                           " 'm", " 's", " 've", " 're"};
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if (begins(text, size, patterns[i]))
            return true;
    return false;
}

/* In place: no space before punctuation and contractions, none around a lone apostrophe. */
static size_t clean_spaces(char *text, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < size;) {
        if (begins(text + i, size - i, " ' ")) {
            text[used++] = '\'';
            i += 3;
        } else if (space_goes(text + i, size - i)) {
            i++;
        } else {
            text[used++] = text[i++];
        }
    }
    return used;
}

bool tokenizer_decode_all(const struct tokenizer *tokenizer, const int32_t *ids, size_t count,
                          bool special, char **text, size_t *size, struct fault *fault)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        if (__builtin_add_overflow(total, tokenizer->spellings[ids[i]].size, &total))
            return vocab_no_memory(fault);
    char *bytes = total == SIZE_MAX ? NULL : malloc(total + 1);
    if (!bytes)
        return vocab_no_memory(fault);
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        used += tokenizer_decode(tokenizer, ids[i], special, bytes + used, total - used);
    size_t dummy = decode_dummy(tokenizer, bytes, used);
    used -= dummy;
    memmove(bytes, bytes + dummy, used);
    if (tokenizer->model == MODEL_WORDPIECE)
        used = clean_spaces(bytes, used);
    bytes[used] = 0;
    *text = bytes;
    *size = used;
    return true;
}
