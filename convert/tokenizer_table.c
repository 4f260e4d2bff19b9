/* tokenizer_table.c: see tokenizer_table.h. */
#include "tokenizer_table.h"
#include "hash.h"
#include "platform.h"
#include "published.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How much of a piece a fault shows. */
static int shown_size(size_t size)
{
    return size < 60 ? (int)size : 60;
}

bool import_no_memory(struct fault *fault)
{
    return fault_set(fault, FAULT_MEMORY, "no memory for the tokenizer");
}

/* ---- spelling -> id ---- */

/* The slot that holds the spelling, or the free one where it belongs. */
static uint32_t *slot_of(const struct tokenizer_import *import, const char *bytes, size_t size)
{
    uint32_t i = hash_bytes(bytes, size) & import->slot_mask;
    while (import->slots[i]) {
        const struct piece *have = &import->pieces[import->slots[i] - 1];
        if (have->size == size && memcmp(have->bytes, bytes, size) == 0)
            break;
        i = (i + 1) & import->slot_mask;
    }
    return &import->slots[i];
}

static bool grow_slots(struct tokenizer_import *import, struct fault *fault)
{
    if (import->slots && 2 * import->slot_count <= import->slot_mask)
        return true;
    uint32_t *before = import->slots, mask_before = import->slot_mask;
    uint32_t capacity = before ? 2 * (mask_before + 1) : 1024;
    import->slots = calloc(capacity, sizeof *import->slots);
    if (!import->slots) {
        import->slots = before;
        return import_no_memory(fault);
    }
    import->slot_mask = capacity - 1;
    for (uint32_t i = 0; before && i <= mask_before; i++) {
        const struct piece *piece = before[i] ? &import->pieces[before[i] - 1] : NULL;
        if (piece)
            *slot_of(import, piece->bytes, piece->size) = before[i];
    }
    free(before);
    return true;
}

int64_t piece_find(const struct tokenizer_import *import, const char *bytes, size_t size)
{
    return import->slots ? (int64_t)*slot_of(import, bytes, size) - 1 : -1;
}

/* ---- pieces ---- */

static bool check_id(const struct tokenizer_import *import, const char *bytes, size_t size,
                     int64_t id, struct fault *fault)
{
    int shown = shown_size(size);
    uint32_t rows = import->hints.vocab_size;
    if (id < 0)
        return fault_set(fault, FAULT_FORMAT, "token \"%.*s\": id %lld, expected 0 or more", shown,
                         bytes, (long long)id);
    if (rows > 0 && id >= rows)
        return fault_set(fault, FAULT_FORMAT,
                         "token \"%.*s\": id %lld, but the embedding has %u rows (vocab_size of "
                         "config.json): not this model's tokenizer?",
                         shown, bytes, (long long)id, rows);
    if (id >= PIECE_COUNT_MAX)
        return fault_set(fault, FAULT_FORMAT, "token \"%.*s\": id %lld, expected less than %d",
                         shown, bytes, (long long)id, PIECE_COUNT_MAX);
    if (size > PIECE_SIZE_MAX)
        return fault_set(fault, FAULT_FORMAT, "token %lld: %zu bytes, at most %d are allowed",
                         (long long)id, size, PIECE_SIZE_MAX);
    if (id < import->count && import->pieces[id].kind != PIECE_NONE)
        return fault_set(fault, FAULT_FORMAT, "id %lld: two tokens, \"%.*s\" and \"%.*s\"",
                         (long long)id, shown_size(import->pieces[id].size),
                         import->pieces[id].bytes, shown, bytes);
    return true;
}

static bool grow_pieces(struct tokenizer_import *import, uint32_t id, struct fault *fault)
{
    if (id < import->capacity)
        return true;
    uint32_t capacity = import->capacity ? import->capacity : 1024;
    while (capacity <= id)
        capacity *= 2;
    struct piece *pieces = realloc(import->pieces, capacity * sizeof *pieces);
    if (!pieces)
        return import_no_memory(fault);
    memset(pieces + import->capacity, 0, (capacity - import->capacity) * sizeof *pieces);
    import->pieces = pieces;
    import->capacity = capacity;
    return true;
}

bool piece_add(struct tokenizer_import *import, const char *bytes, size_t size, int64_t id,
               enum piece_kind kind, float score, struct fault *fault)
{
    if (!check_id(import, bytes, size, id, fault) || !grow_pieces(import, (uint32_t)id, fault) ||
        !grow_slots(import, fault))
        return false;
    uint32_t *slot = slot_of(import, bytes, size);
    if (*slot)
        return fault_set(fault, FAULT_FORMAT, "token \"%.*s\": two ids, %u and %lld",
                         shown_size(size), bytes, *slot - 1, (long long)id);
    char *copy = arena_copy(&import->arena, bytes, size);
    if (!copy)
        return import_no_memory(fault);
    import->pieces[id] = (struct piece){copy, (uint32_t)size, score, kind, 0};
    *slot = (uint32_t)id + 1;
    import->slot_count++;
    if (id >= import->count)
        import->count = (uint32_t)id + 1;
    return true;
}

/* "<0x0A>" */
static bool is_byte(const struct piece *piece)
{
    const char *hex = "0123456789ABCDEFabcdef";
    return piece->size == 6 && memcmp(piece->bytes, "<0x", 3) == 0 && piece->bytes[5] == '>' &&
           piece->bytes[3] && strchr(hex, piece->bytes[3]) && piece->bytes[4] &&
           strchr(hex, piece->bytes[4]);
}

void mark_bytes(struct tokenizer_import *import)
{
    for (uint32_t id = 0; id < import->count; id++)
        if (import->pieces[id].kind == PIECE_NORMAL && is_byte(&import->pieces[id]))
            import->pieces[id].kind = PIECE_BYTE;
}

bool piece_respell(struct tokenizer_import *import, uint32_t id, const char *bytes, size_t size,
                   struct fault *fault)
{
    if (size == 0 || size > PIECE_SIZE_MAX)
        return fault_set(fault, FAULT_FORMAT, "token %u: %zu bytes, expected 1 to %d", id, size,
                         PIECE_SIZE_MAX);
    char *copy = arena_copy(&import->arena, bytes, size);
    if (!copy)
        return import_no_memory(fault);
    import->pieces[id].bytes = copy;
    import->pieces[id].size = (uint32_t)size;
    return true;
}

bool pieces_reindex(struct tokenizer_import *import, struct fault *fault)
{
    memset(import->slots, 0, ((size_t)import->slot_mask + 1) * sizeof *import->slots);
    for (uint32_t id = 0; id < import->count; id++) {
        const struct piece *piece = &import->pieces[id];
        if (piece->kind == PIECE_NONE)
            continue;
        uint32_t *slot = slot_of(import, piece->bytes, piece->size);
        if (*slot)
            return fault_set(fault, FAULT_FORMAT, "token \"%.*s\": two ids, %u and %u",
                             shown_size(piece->size), piece->bytes, *slot - 1, id);
        *slot = id + 1;
    }
    return true;
}

/* ---- merges ---- */

static bool merge_part(const char *what, const char *bytes, size_t size, uint32_t index,
                       struct fault *fault)
{
    return fault_set(fault, FAULT_FORMAT, "merge %u: %s, \"%.*s\", is not in the vocabulary", index,
                     what, shown_size(size), bytes);
}

bool merge_add(struct tokenizer_import *import, const char *left, size_t left_size,
               const char *right, size_t right_size, struct fault *fault)
{
    uint32_t index = import->merge_count;
    int64_t left_id = piece_find(import, left, left_size);
    int64_t right_id = piece_find(import, right, right_size);
    if (left_id < 0 || left_size == 0)
        return merge_part("the left part", left, left_size, index, fault);
    if (right_id < 0 || right_size == 0)
        return merge_part("the right part", right, right_size, index, fault);
    char whole[256], *joined = whole;
    size_t size = left_size + right_size;
    if (size > sizeof whole && !(joined = malloc(size)))
        return import_no_memory(fault);
    memcpy(joined, left, left_size);
    memcpy(joined + left_size, right, right_size);
    int64_t joined_id = piece_find(import, joined, size);
    if (joined_id < 0)
        merge_part("the whole", joined, size, index, fault);
    if (joined != whole)
        free(joined);
    if (joined_id < 0)
        return false;
    if (index == import->merge_capacity) {
        uint32_t capacity = index ? 2 * index : 4096;
        struct piece_pair *merges = realloc(import->merges, capacity * sizeof *merges);
        if (!merges)
            return import_no_memory(fault);
        import->merges = merges;
        import->merge_capacity = capacity;
    }
    import->merges[import->merge_count++] =
        (struct piece_pair){(uint32_t)left_id, (uint32_t)right_id, (uint32_t)joined_id};
    return true;
}

bool merge_text_add(struct tokenizer_import *import, const char *text, size_t size,
                    struct fault *fault)
{
    const char *space = size > 1 ? memchr(text + 1, ' ', size - 1) : NULL;
    size_t left_size = space ? (size_t)(space - text) : 0;
    size_t right_size = space ? size - left_size - 1 : 0;
    if (right_size == 0 || memchr(space + 1, ' ', right_size))
        return fault_set(fault, FAULT_FORMAT, "merge %u: \"%.*s\", expected two parts",
                         import->merge_count, shown_size(size), text);
    return merge_add(import, text, left_size, space + 1, right_size, fault);
}

static uint64_t pair_hash(uint32_t left, uint32_t right)
{
    uint64_t hash = (uint64_t)left << 32 | right;
    hash = (hash ^ (hash >> 33)) * 0xFF51AFD7ED558CCDu;
    hash = (hash ^ (hash >> 33)) * 0xC4CEB9FE1A85EC53u;
    return hash ^ (hash >> 33);
}

/* The slot that holds the pair, or the free one where it belongs. */
static uint32_t *pair_slot(const struct tokenizer_import *import, uint32_t left, uint32_t right)
{
    uint64_t i = pair_hash(left, right) & import->pair_mask;
    while (import->pair_slots[i]) {
        const struct piece_pair *have = &import->merges[import->pair_slots[i] - 1];
        if (have->left == left && have->right == right)
            break;
        i = (i + 1) & import->pair_mask;
    }
    return &import->pair_slots[i];
}

int64_t merge_find(const struct tokenizer_import *import, uint32_t left, uint32_t right)
{
    return (int64_t)*pair_slot(import, left, right) - 1;
}

bool merges_settle(struct tokenizer_import *import, struct fault *fault)
{
    uint32_t capacity = 16;
    while (capacity < 2 * (uint64_t)import->merge_count)
        capacity *= 2;
    import->pair_slots = calloc(capacity, sizeof *import->pair_slots);
    if (!import->pair_slots)
        return import_no_memory(fault);
    import->pair_mask = capacity - 1;
    struct piece_pair *merges = import->merges;
    for (uint32_t i = 0; i < import->merge_count; i++) /* the last of equal ones stays */
        *pair_slot(import, merges[i].left, merges[i].right) = i + 1;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < import->merge_count; i++)
        if (merge_find(import, merges[i].left, merges[i].right) == i)
            merges[kept++] = merges[i];
    import->merge_count = kept;
    memset(import->pair_slots, 0, capacity * sizeof *import->pair_slots);
    for (uint32_t i = 0; i < kept; i++)
        *pair_slot(import, merges[i].left, merges[i].right) = i + 1;
    return true;
}

/* ---- files ---- */

enum { TOKENIZER_FILE_MAX = 128 << 20, PATH_SIZE_MAX = 4096 };

bool import_load(struct tokenizer_import *import, const char *folder, const char *name,
                 char **bytes, size_t *size, struct fault *fault)
{
    char path[PATH_SIZE_MAX];
    *bytes = NULL;
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (length < 0 || (size_t)length >= sizeof path)
        return fault_set(fault, FAULT_ARGUMENT, "%s: the path is too long", folder);
    if (path_kind(path) == PATH_NONE && !path_is_broken_link(path))
        return false;
    if (import->file_count == IMPORT_FILE_MAX)
        return fault_set(fault, FAULT_FORMAT, "%s: too many tokenizer files", folder);
    char *copy = arena_copy(&import->arena, path, (size_t)length);
    if (!copy)
        return import_no_memory(fault);
    if (!published_load(path, TOKENIZER_FILE_MAX, bytes, size, fault))
        return false;
    import->files[import->file_count++] = copy;
    return true;
}
