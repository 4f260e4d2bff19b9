/* tokenizer_merge.c: what merges make of a piece's own characters, and scores that make the same.
 *
 * Two ways to join neighbours, each the best pair first, of equal ones the leftmost:
 *   by merges: the pair must be a merge, the first in the list is the best;
 *   by scores: the joined text must be a piece, the one with the highest score is the best.
 * In a longer text whatever ends up inside a piece's characters was joined as if the piece stood
 * alone (a pair across its border would have cut it), so two ways that agree on every piece agree
 * on every text. */
#include "tokenizer_table.h"

#include <stdlib.h>
#include <string.h>

enum { SYMBOL_MAX = 1024 };
static const uint64_t WORK_MAX = 1ull << 33; /* steps over all pieces: symbols squared */

enum join_rule { JOIN_MERGES, JOIN_SCORES, JOIN_IDS };

struct symbols { /* of one piece */
    const struct tokenizer_import *import;
    const char *text;
    enum join_rule rule;
    int64_t below;             /* JOIN_IDS: only pieces of a lower id */
    bool first_mark_only;      /* merges only: nothing is joined in front of a U+2581 */
    int64_t ids[SYMBOL_MAX];   /* -1 = a character that is no piece */
    uint32_t ends[SYMBOL_MAX]; /* bytes */
    int64_t ranks[SYMBOL_MAX]; /* of the pair (i, i + 1), the lowest first; -1 = none */
    uint32_t count;
};

static uint32_t char_size(const char *text, uint32_t size)
{
    unsigned char c = (unsigned char)text[0];
    uint32_t want = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    return want < size ? want : size;
}

/* Text turns into these alone; control and byte pieces are not joined by scores. */
static bool is_text(const struct piece *piece)
{
    return piece->kind == PIECE_NORMAL || piece->kind == PIECE_USER_DEFINED;
}

static bool starts_with_mark(const struct symbols *symbols, uint32_t at, uint32_t end)
{
    return end - at >= 3 && memcmp(symbols->text + at, "\xE2\x96\x81", 3) == 0;
}

static uint32_t start_of(const struct symbols *symbols, uint32_t i)
{
    return i > 0 ? symbols->ends[i - 1] : 0;
}

/* The piece that symbols i and i + 1 make, and its rank in *rank; -1 = none. */
static int64_t joined(const struct symbols *symbols, uint32_t i, int64_t *rank)
{
    const struct tokenizer_import *import = symbols->import;
    int64_t left = symbols->ids[i], right = symbols->ids[i + 1];
    *rank = -1;
    if (symbols->rule != JOIN_MERGES) {
        uint32_t start = start_of(symbols, i);
        int64_t id = piece_find(import, symbols->text + start, symbols->ends[i + 1] - start);
        if (id < 0 || !is_text(&import->pieces[id]) ||
            (symbols->rule == JOIN_IDS && id >= symbols->below))
            return -1;
        *rank = symbols->rule == JOIN_IDS ? id : (int64_t)-import->pieces[id].score;
        return id;
    }
    if (left < 0 || right < 0)
        return -1;
    if (symbols->first_mark_only &&
        starts_with_mark(symbols, symbols->ends[i], symbols->ends[i + 1]))
        return -1;
    *rank = merge_find(import, (uint32_t)left, (uint32_t)right);
    return *rank < 0 ? -1 : (int64_t)import->merges[*rank].joined;
}

static bool split(struct symbols *symbols, uint32_t size)
{
    symbols->count = 0;
    for (uint32_t at = 0, step; at < size; at += step) {
        step = char_size(symbols->text + at, size - at);
        if (symbols->count == SYMBOL_MAX)
            return false;
        symbols->ids[symbols->count] = piece_find(symbols->import, symbols->text + at, step);
        symbols->ends[symbols->count++] = at + step;
    }
    for (uint32_t i = 0; i + 1 < symbols->count; i++)
        joined(symbols, i, &symbols->ranks[i]);
    return true;
}

static void join_at(struct symbols *symbols, uint32_t i)
{
    int64_t rank, id = joined(symbols, i, &rank);
    uint32_t behind = symbols->count - i - 2;
    symbols->ids[i] = id;
    symbols->ends[i] = symbols->ends[i + 1];
    memmove(symbols->ids + i + 1, symbols->ids + i + 2, behind * sizeof *symbols->ids);
    memmove(symbols->ends + i + 1, symbols->ends + i + 2, behind * sizeof *symbols->ends);
    memmove(symbols->ranks + i + 1, symbols->ranks + i + 2, behind * sizeof *symbols->ranks);
    symbols->count--;
    for (uint32_t pair = i > 0 ? i - 1 : 0; pair <= i && pair + 1 < symbols->count; pair++)
        joined(symbols, pair, &symbols->ranks[pair]);
}

/* False when the piece has too many characters to be looked at. */
static bool join_all(struct symbols *symbols, const struct piece *piece)
{
    symbols->text = piece->bytes;
    if (!split(symbols, piece->size))
        return false;
    for (;;) {
        uint32_t best = UINT32_MAX;
        for (uint32_t i = 0; i + 1 < symbols->count; i++)
            if (symbols->ranks[i] >= 0 &&
                (best == UINT32_MAX || symbols->ranks[i] < symbols->ranks[best]))
                best = i;
        if (best == UINT32_MAX)
            return true;
        join_at(symbols, best);
    }
}

static bool spend(uint64_t *work, const struct piece *piece)
{
    *work += (uint64_t)piece->size * piece->size;
    return *work <= WORK_MAX;
}

bool merges_reach_all(const struct tokenizer_import *import)
{
    struct symbols *symbols = calloc(1, sizeof *symbols);
    bool reached = symbols != NULL;
    uint64_t work = 0;
    for (uint32_t id = 0; reached && id < import->count; id++) {
        const struct piece *piece = &import->pieces[id];
        if (piece->kind != PIECE_NORMAL)
            continue;
        symbols->import = import;
        reached = spend(&work, piece) && join_all(symbols, piece) && symbols->count == 1 &&
                  symbols->ids[0] == id;
    }
    free(symbols);
    return reached;
}

/* The parts that a piece's characters come down to; more than two leave the piece without a merge.
 */
static bool add_recovered(struct tokenizer_import *import, struct symbols *symbols, uint32_t id,
                          int64_t *missed, struct fault *fault)
{
    const struct piece *piece = &import->pieces[id];
    symbols->below = id;
    if (!join_all(symbols, piece) || symbols->count > 2) {
        *missed = *missed < 0 ? id : *missed;
        return true;
    }
    uint32_t left = symbols->ends[0];
    return symbols->count == 1 ||
           merge_add(import, piece->bytes, left, piece->bytes + left, piece->size - left, fault);
}

bool merges_from_ids(struct tokenizer_import *import, int64_t *missed, struct fault *fault)
{
    struct symbols *symbols = calloc(1, sizeof *symbols);
    bool added = symbols || import_no_memory(fault);
    *missed = -1;
    uint64_t work = 0;
    for (uint32_t id = 0; added && id < import->count; id++) {
        if (import->pieces[id].kind != PIECE_NORMAL)
            continue;
        symbols->import = import;
        symbols->rule = JOIN_IDS;
        added = spend(&work, &import->pieces[id]) ||
                fault_set(fault, FAULT_UNSUPPORTED, "tokens too long to find their merges");
        added = added && add_recovered(import, symbols, id, missed, fault);
    }
    free(symbols);
    return added && merges_settle(import, fault);
}

/* The best merge of a piece is its score: less than that of every piece joined before it. */
static void set_scores(struct tokenizer_import *import)
{
    for (uint32_t id = 0; id < import->count; id++)
        import->pieces[id].score = -(float)import->merge_count;
    uint32_t place = 0;
    for (uint32_t i = 0; i < import->merge_count; i++) {
        float *score = &import->pieces[import->merges[i].joined].score;
        if (*score == -(float)import->merge_count)
            *score = -(float)place++;
    }
}

static bool same(const struct symbols *a, const struct symbols *b)
{
    return a->count == b->count && memcmp(a->ids, b->ids, a->count * sizeof *a->ids) == 0 &&
           memcmp(a->ends, b->ends, a->count * sizeof *a->ends) == 0;
}

static bool prove(struct tokenizer_import *import, struct symbols *by_merges,
                  struct symbols *by_scores, struct fault *fault)
{
    uint64_t work = 0;
    for (uint32_t id = 0; id < import->count; id++) {
        const struct piece *piece = &import->pieces[id];
        if (!is_text(piece))
            continue;
        if (!spend(&work, piece) || !join_all(by_merges, piece) || !join_all(by_scores, piece))
            return fault_set(fault, FAULT_UNSUPPORTED,
                             "token %u: %u bytes, too many to prove that scores do what the merges "
                             "do",
                             id, piece->size);
        if (!same(by_merges, by_scores))
            return fault_set(fault, FAULT_UNSUPPORTED,
                             "token %u, \"%.*s\": the merges give %u tokens, scores would give %u; "
                             "this vocabulary cannot be expressed in GGUF",
                             id, piece->size < 60 ? (int)piece->size : 60, piece->bytes,
                             by_merges->count, by_scores->count);
    }
    return true;
}

bool scores_from_merges(struct tokenizer_import *import, bool first_mark_only, struct fault *fault)
{
    if (import->merge_count >= 1u << 24) /* what a float counts */
        return fault_set(fault, FAULT_UNSUPPORTED, "%u merges, lichen takes less than %u",
                         import->merge_count, 1u << 24);
    set_scores(import);
    import->has_scores = true;
    struct symbols *both = calloc(2, sizeof *both);
    if (!both)
        return import_no_memory(fault);
    both[0].import = both[1].import = import;
    both[0].first_mark_only = first_mark_only;
    both[1].rule = JOIN_SCORES;
    bool proven = prove(import, &both[0], &both[1], fault);
    free(both);
    return proven;
}
