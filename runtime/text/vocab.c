/* vocab.c: tokens, kinds and scores out of the metadata, checked once; spelling -> id. */
#include "vocab.h"
#include "hash.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool vocab_no_memory(struct fault *fault)
{
    return fault_set(fault, FAULT_MEMORY, "tokenizer: no memory");
}

/* ---- spelling -> id ---- */

/* The slot that holds the spelling, or the free one where it belongs. */
static uint32_t *slot_of(const struct tokenizer *tokenizer, const char *bytes, size_t size)
{
    uint32_t i = hash_bytes(bytes, size) & tokenizer->slot_mask;
    while (tokenizer->slots[i]) {
        struct gguf_string have = tokenizer->spellings[tokenizer->slots[i] - 1];
        if (have.size == size && memcmp(have.bytes, bytes, size) == 0)
            break;
        i = (i + 1) & tokenizer->slot_mask;
    }
    return &tokenizer->slots[i];
}

int32_t vocab_find(const struct tokenizer *tokenizer, const char *bytes, size_t size,
                   unsigned kinds)
{
    if (size == 0)
        return -1;
    uint32_t found = *slot_of(tokenizer, bytes, size);
    if (!found || !(kinds & KIND_BIT(tokenizer->kinds[found - 1])))
        return -1;
    return (int32_t)(found - 1);
}

/* Of two tokens with the same spelling the first keeps it; the other is still an id that a model
 * may produce. An empty spelling is never found. */
static bool build_slots(struct tokenizer *tokenizer, struct fault *fault)
{
    uint32_t capacity = 16;
    while (capacity < 2 * tokenizer->count)
        capacity *= 2;
    tokenizer->slots = arena_alloc(&tokenizer->arena, capacity, sizeof *tokenizer->slots);
    if (!tokenizer->slots)
        return vocab_no_memory(fault);
    tokenizer->slot_mask = capacity - 1;
    for (uint32_t id = 0; id < tokenizer->count; id++) {
        struct gguf_string spelling = tokenizer->spellings[id];
        if (spelling.size == 0)
            continue;
        uint32_t *slot = slot_of(tokenizer, spelling.bytes, spelling.size);
        if (!*slot)
            *slot = id + 1;
    }
    return true;
}

/* ---- the arrays of the file ---- */

static bool read_tokens(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault)
{
    const char *key = "tokenizer.ggml.tokens";
    const struct gguf_string *items = NULL;
    size_t count = 0;
    if (!gguf_text_array(gguf, key, true, SIZE_MAX, &items, &count, fault))
        return false;
    if (count == 0 || count > (1u << 24))
        return fault_set(fault, FAULT_FORMAT, "%s: %zu tokens, expected 1 to %u", key, count,
                         1u << 24);
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        if (items[i].size > TOKEN_SIZE_LIMIT)
            return fault_set(fault, FAULT_FORMAT, "%s[%zu]: %zu bytes, at most %d are allowed", key,
                             i, items[i].size, TOKEN_SIZE_LIMIT);
        total += items[i].size; /* at most 2^24 * 2^16 */
    }
    char *bytes = arena_alloc(&tokenizer->arena, total, 1);
    tokenizer->spellings = arena_alloc(&tokenizer->arena, count, sizeof *tokenizer->spellings);
    if (!bytes || !tokenizer->spellings)
        return vocab_no_memory(fault);
    for (size_t i = 0; i < count; i++) {
        if (items[i].size > 0)
            memcpy(bytes, items[i].bytes, items[i].size);
        tokenizer->spellings[i] = (struct gguf_string){bytes, items[i].size};
        bytes += items[i].size;
    }
    tokenizer->count = (uint32_t)count;
    return true;
}

/* A file without kinds has normal tokens only. */
static bool read_kinds(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault)
{
    const char *key = "tokenizer.ggml.token_type";
    const int32_t *items = NULL;
    size_t count = 0;
    if (!gguf_i32_array(gguf, key, false, tokenizer->count, &items, &count, fault))
        return false;
    tokenizer->kinds = arena_alloc(&tokenizer->arena, tokenizer->count, 1);
    if (!tokenizer->kinds)
        return vocab_no_memory(fault);
    for (uint32_t i = 0; i < tokenizer->count; i++) {
        int32_t kind = items ? items[i] : TOKEN_NORMAL;
        if (kind < TOKEN_NORMAL || kind > TOKEN_BYTE)
            return fault_set(fault, FAULT_FORMAT, "%s[%u]: %d, expected 1 to 6", key, i, kind);
        tokenizer->kinds[i] = (uint8_t)kind;
    }
    return true;
}

bool vocab_read(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault)
{
    memset(tokenizer->byte_ids, 0xFF, sizeof tokenizer->byte_ids);
    return read_tokens(tokenizer, gguf, fault) && read_kinds(tokenizer, gguf, fault) &&
           build_slots(tokenizer, fault);
}

/* ---- scores ---- */

struct scored {
    float score;
    uint32_t id;
};

static int scored_compare(const void *a, const void *b)
{
    float x = ((const struct scored *)a)->score, y = ((const struct scored *)b)->score;
    return x > y ? -1 : x < y;
}

/* Equal scores share a rank. */
static bool rank_scores(struct tokenizer *tokenizer, struct fault *fault)
{
    struct scored *sorted = malloc(tokenizer->count * sizeof *sorted);
    if (!sorted)
        return vocab_no_memory(fault);
    for (uint32_t i = 0; i < tokenizer->count; i++)
        sorted[i] = (struct scored){tokenizer->scores[i], i};
    qsort(sorted, tokenizer->count, sizeof *sorted, scored_compare);
    uint32_t rank = 0;
    for (uint32_t i = 0; i < tokenizer->count; i++) {
        if (i > 0 && sorted[i].score != sorted[i - 1].score)
            rank = i;
        tokenizer->ranks[sorted[i].id] = rank;
    }
    free(sorted);
    return true;
}

bool vocab_read_scores(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault)
{
    const char *key = "tokenizer.ggml.scores";
    const float *items = NULL;
    size_t count = 0;
    if (!gguf_f32_array(gguf, key, true, tokenizer->count, &items, &count, fault))
        return false;
    tokenizer->scores = arena_alloc(&tokenizer->arena, count, sizeof *tokenizer->scores);
    tokenizer->ranks = arena_alloc(&tokenizer->arena, count, sizeof *tokenizer->ranks);
    if (!tokenizer->scores || !tokenizer->ranks)
        return vocab_no_memory(fault);
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(items[i]))
            return fault_set(fault, FAULT_FORMAT, "%s[%zu]: not a finite number", key, i);
        tokenizer->scores[i] = items[i];
    }
    return rank_scores(tokenizer, fault);
}

/* ---- byte tokens ---- */

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

int vocab_byte_of(struct gguf_string spelling)
{
    const char *bytes = spelling.bytes;
    if (spelling.size != 6 || memcmp(bytes, "<0x", 3) != 0 || bytes[5] != '>')
        return -1;
    int high = hex_digit(bytes[3]), low = hex_digit(bytes[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool vocab_read_bytes(struct tokenizer *tokenizer, struct fault *fault)
{
    for (uint32_t id = 0; id < tokenizer->count; id++) {
        if (tokenizer->kinds[id] != TOKEN_BYTE)
            continue;
        int byte = vocab_byte_of(tokenizer->spellings[id]);
        if (byte < 0)
            return fault_set(fault, FAULT_FORMAT,
                             "tokenizer.ggml.tokens[%u]: a byte token, expected \"<0xHH>\", found "
                             "\"%.*s\"",
                             id, (int)tokenizer->spellings[id].size,
                             tokenizer->spellings[id].bytes);
        if (tokenizer->byte_ids[byte] < 0)
            tokenizer->byte_ids[byte] = (int32_t)id;
    }
    for (int byte = 0; byte < 256; byte++) {
        const char *hex = "0123456789ABCDEF";
        const char spelling[6] = {'<', '0', 'x', hex[byte >> 4], hex[byte & 15], '>'};
        if (tokenizer->byte_ids[byte] < 0)
            tokenizer->byte_ids[byte] = vocab_find(tokenizer, spelling, 6, KINDS_TEXT);
    }
    return true;
}

bool vocab_push_bytes(const struct tokenizer *tokenizer, const char *bytes, size_t size,
                      struct token_list *out, struct fault *fault)
{
    bool spelled = true;
    for (size_t i = 0; i < size; i++)
        spelled = spelled && tokenizer->byte_ids[(uint8_t)bytes[i]] >= 0;
    for (size_t i = 0; spelled && i < size; i++)
        if (!token_list_push(out, tokenizer->byte_ids[(uint8_t)bytes[i]], fault))
            return false;
    int32_t unknown = tokenizer->specials.unknown;
    if (spelled || unknown < 0 || tokenizer->kinds[unknown] == TOKEN_CONTROL)
        return true;
    /* SentencePiece writes one unknown token for a run of unknown characters. */
    if (tokenizer->model == MODEL_SPM && out->count > 0 && out->ids[out->count - 1] == unknown)
        return true;
    return token_list_push(out, unknown, fault);
}

/* ---- prefixes ---- */

static int prefix_compare(const void *a, const void *b)
{
    const struct prefix_entry *x = a, *y = b;
    size_t common = x->spelling.size < y->spelling.size ? x->spelling.size : y->spelling.size;
    int order = memcmp(x->spelling.bytes, y->spelling.bytes, common);
    if (order != 0)
        return order;
    if (x->spelling.size != y->spelling.size)
        return x->spelling.size < y->spelling.size ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

bool prefix_index_create(struct tokenizer *tokenizer, unsigned kinds, struct prefix_index *index,
                         struct fault *fault)
{
    uint32_t count = 0;
    for (uint32_t id = 0; id < tokenizer->count; id++)
        count += (kinds & KIND_BIT(tokenizer->kinds[id])) && tokenizer->spellings[id].size > 0;
    index->entries = arena_alloc(&tokenizer->arena, count, sizeof *index->entries);
    if (!index->entries)
        return vocab_no_memory(fault);
    for (uint32_t id = 0; id < tokenizer->count; id++)
        if ((kinds & KIND_BIT(tokenizer->kinds[id])) && tokenizer->spellings[id].size > 0)
            index->entries[index->count++] =
                (struct prefix_entry){tokenizer->spellings[id], (int32_t)id};
    assert(index->count == count);
    qsort(index->entries, count, sizeof *index->entries, prefix_compare);
    for (uint32_t i = 0; i < count; i++)
        index->first[(uint8_t)index->entries[i].spelling.bytes[0] + 1] = i + 1;
    for (int byte = 1; byte <= 256; byte++)
        if (index->first[byte] < index->first[byte - 1])
            index->first[byte] = index->first[byte - 1];
    return true;
}

void prefix_walk_begin(struct prefix_walk *walk, const struct prefix_index *index)
{
    *walk = (struct prefix_walk){index, 0, index->count, 0};
}

/* The first entry in low .. high whose byte at depth is at least byte (0 to 256). An entry that
 * ends there comes before all others. */
static uint32_t lower_bound(const struct prefix_walk *walk, unsigned byte)
{
    uint32_t low = walk->low, high = walk->high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct gguf_string spelling = walk->index->entries[middle].spelling;
        if (spelling.size <= walk->depth || (uint8_t)spelling.bytes[walk->depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool prefix_walk_step(struct prefix_walk *walk, char byte)
{
    unsigned value = (uint8_t)byte;
    if (walk->depth == 0) {
        walk->low = walk->index->first[value];
        walk->high = walk->index->first[value + 1];
    } else {
        walk->low = lower_bound(walk, value);
        walk->high = lower_bound(walk, value + 1);
    }
    walk->depth++;
    return walk->low < walk->high;
}

int32_t prefix_walk_token(const struct prefix_walk *walk)
{
    const struct prefix_entry *entry = &walk->index->entries[walk->low];
    return entry->spelling.size == walk->depth ? entry->id : -1;
}

int32_t prefix_longest(const struct prefix_index *index, const char *text, size_t size,
                       size_t *token_size)
{
    struct prefix_walk walk;
    int32_t longest = -1;
    *token_size = 0;
    prefix_walk_begin(&walk, index);
    for (size_t i = 0; i < size && prefix_walk_step(&walk, text[i]); i++) {
        int32_t id = prefix_walk_token(&walk);
        if (id >= 0) {
            longest = id;
            *token_size = i + 1;
        }
    }
    return longest;
}
