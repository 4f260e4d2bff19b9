/* unigram.c: SentencePiece's unigram model ("t5"): of all ways to cut the text into pieces the one
 * with the greatest sum of scores,
 *   best(0) = 0,  best(j) = max over pieces text[i..j) of best(i) + score(piece)
 * where a character that is no piece counts lowest score - 10 (sentencepiece,
 * src/unigram_model.cc). */
#include "utf8.h"
#include "vocab.h"

#include <stdlib.h>
#include <string.h>

bool unigram_create(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault)
{
    if (!vocab_read_scores(tokenizer, gguf, fault) || !vocab_read_bytes(tokenizer, fault))
        return false;
    float lowest = 0;
    for (uint32_t id = 0; id < tokenizer->count; id++)
        if (tokenizer->kinds[id] == TOKEN_NORMAL && tokenizer->scores[id] < lowest)
            lowest = tokenizer->scores[id];
    tokenizer->unknown_score = lowest - 10.0f;
    return prefix_index_create(tokenizer, KINDS_TEXT, &tokenizer->pieces, fault);
}

struct best { /* of the text up to here */
    double score;
    uint32_t from; /* where the last piece begins */
    int32_t id;    /* the last piece, -1 = a character that is none */
};

static void improve(struct best *best, double score, size_t from, int32_t id)
{
    if (best->id == -2 || score > best->score)
        *best = (struct best){score, (uint32_t)from, id};
}

/* Every piece that begins at `at`, and the single character when it is no piece. */
static void extend(const struct tokenizer *tokenizer, const char *text, size_t size, size_t at,
                   size_t step, struct best *best)
{
    struct prefix_walk walk;
    bool whole = false;
    prefix_walk_begin(&walk, &tokenizer->pieces);
    for (size_t end = at; end < size && prefix_walk_step(&walk, text[end]); end++) {
        int32_t id = prefix_walk_token(&walk);
        if (id < 0)
            continue;
        whole = whole || end + 1 - at == step;
        double score = tokenizer->kinds[id] == TOKEN_USER_DEFINED ? 0.0 : tokenizer->scores[id];
        improve(&best[end + 1], best[at].score + score, at, id);
    }
    if (!whole)
        improve(&best[at + step], best[at].score + tokenizer->unknown_score, at, -1);
}

/* Writes the pieces from the last to the first as a chain (from -> to), then reads it forwards. */
static bool push_best(const struct tokenizer *tokenizer, const char *text, size_t size,
                      struct best *best, struct token_list *out, struct fault *fault)
{
    uint32_t to = (uint32_t)size;
    for (uint32_t at = (uint32_t)size; at > 0;) {
        uint32_t from = best[at].from;
        best[at].from = to; /* now: where the piece behind this one ends */
        to = at;
        at = from;
    }
    bool behind_unknown = false;
    for (uint32_t start = 0, end = to; start < size;) {
        bool unknown = best[end].id < 0;
        bool pushed = true;
        if (!unknown)
            pushed = token_list_push(out, best[end].id, fault);
        else if (!behind_unknown || tokenizer->byte_ids[(uint8_t)text[start]] >= 0)
            pushed = vocab_push_bytes(tokenizer, text + start, end - start, out, fault);
        if (!pushed)
            return false;
        behind_unknown = unknown;
        start = end;
        end = best[end].from;
    }
    return true;
}

static bool encode_marked(const struct tokenizer *tokenizer, const char *text, size_t size,
                          struct token_list *out, struct fault *fault)
{
    struct best *best = malloc((size + 1) * sizeof *best);
    if (!best)
        return vocab_no_memory(fault);
    for (size_t i = 0; i <= size; i++)
        best[i] = (struct best){0, 0, -2};
    for (size_t at = 0, step; at < size; at += step) {
        step = utf8_read(text + at, size - at).size;
        extend(tokenizer, text, size, at, step, best);
    }
    bool pushed = push_best(tokenizer, text, size, best, out, fault);
    free(best);
    return pushed;
}

bool unigram_encode(const struct tokenizer *tokenizer, const char *text, size_t size,
                    struct scratch *scratch, struct token_list *out, struct fault *fault)
{
    (void)scratch;
    size_t marked_size;
    char *marked = spm_mark_spaces(text, size, &marked_size);
    if (!marked)
        return vocab_no_memory(fault);
    bool encoded = encode_marked(tokenizer, marked, marked_size, out, fault);
    free(marked);
    return encoded;
}
