/* spm.c: SentencePiece's BPE ("llama"): spaces become U+2581, every character is a symbol, and the
 * two neighbours whose joined piece has the highest score are joined until none is left
 * (sentencepiece, src/bpe_model.cc). Characters without a piece become their byte tokens. */
#include "utf8.h"
#include "vocab.h"

#include <stdlib.h>
#include <string.h>

char *spm_mark_spaces(const char *text, size_t size, size_t *marked_size)
{
    size_t spaces = 0;
    for (size_t i = 0; i < size; i++)
        spaces += text[i] == ' ';
    char *marked = malloc(size + spaces * (SPACE_MARK_SIZE - 1) + 1);
    if (!marked)
        return NULL;
    char *end = marked;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == ' ') {
            memcpy(end, SPACE_MARK, SPACE_MARK_SIZE);
            end += SPACE_MARK_SIZE;
        } else {
            *end++ = text[i];
        }
    }
    *marked_size = (size_t)(end - marked);
    return marked;
}

bool spm_create(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault)
{
    return vocab_read_scores(tokenizer, gguf, fault) && vocab_read_bytes(tokenizer, fault);
}

struct pair_context {
    const struct tokenizer *tokenizer;
    const char *text;
};

static bool pair_score(const void *context, const struct symbol *left, const struct symbol *right,
                       uint32_t *rank, int32_t *id)
{
    const struct pair_context *pair = context;
    size_t size = (size_t)left->size + (size_t)right->size;
    if (size > TOKEN_SIZE_LIMIT)
        return false;
    *id = vocab_find(pair->tokenizer, pair->text + left->start, size, KINDS_TEXT);
    if (*id < 0)
        return false;
    *rank = pair->tokenizer->ranks[*id];
    return true;
}

static bool encode_marked(const struct tokenizer *tokenizer, struct merger *merger,
                          const char *text, size_t size, struct token_list *out,
                          struct fault *fault)
{
    if (!merger_begin(merger, size, fault))
        return false;
    for (size_t at = 0, step; at < size; at += step) {
        step = utf8_read(text + at, size - at).size;
        merger_push(merger, vocab_find(tokenizer, text + at, step, KINDS_TEXT), at, step);
    }
    struct pair_context context = {tokenizer, text};
    merger_run(merger, pair_score, &context);
    for (int32_t i = size > 0 ? 0 : MERGE_END; i != MERGE_END; i = merger->symbols[i].next) {
        const struct symbol *symbol = &merger->symbols[i];
        bool pushed = symbol->id >= 0 ? token_list_push(out, symbol->id, fault)
                                      : vocab_push_bytes(tokenizer, text + symbol->start,
                                                         (size_t)symbol->size, out, fault);
        if (!pushed)
            return false;
    }
    return true;
}

bool spm_encode(const struct tokenizer *tokenizer, const char *text, size_t size,
                struct scratch *scratch, struct token_list *out, struct fault *fault)
{
    size_t marked_size;
    char *marked = spm_mark_spaces(text, size, &marked_size);
    if (!marked)
        return vocab_no_memory(fault);
    bool encoded = encode_marked(tokenizer, &scratch->merger, marked, marked_size, out, fault);
    free(marked);
    return encoded;
}
