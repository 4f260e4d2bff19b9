/* tokenizer_bpe.c: BPE of a tokenizer.json: byte-level ("gpt2"), or over characters as
 * SentencePiece has it ("llama", tokenizer_scores.c). */
#include "tokenizer_json.h"
#include "tokenizer_pre.h"

#include <stdlib.h>
#include <string.h>

/* "left right", or ["left", "right"]. */
static bool read_merge(struct tokenizer_import *import, struct json_walk *walk, char **left,
                       size_t *left_capacity, struct fault *fault)
{
    struct json_level level;
    bool more;
    if (json_walk_peek(walk) == '"') {
        if (!json_walk_text(walk, fault))
            return false;
        return merge_text_add(import, walk->text, walk->text_size, fault);
    }
    if (!json_walk_enter(walk, '[', &level, fault) || !json_walk_next(walk, &level, &more, fault) ||
        !json_walk_text(walk, fault))
        return false;
    size_t left_size = walk->text_size;
    if (left_size >= *left_capacity) {
        char *grown = realloc(*left, 2 * left_size + 64);
        if (!grown)
            return import_no_memory(fault);
        *left = grown;
        *left_capacity = 2 * left_size + 64;
    }
    memcpy(*left, walk->text, left_size);
    if (!json_walk_next(walk, &level, &more, fault) || !json_walk_text(walk, fault) ||
        !merge_add(import, *left, left_size, walk->text, walk->text_size, fault))
        return false;
    if (json_walk_next(walk, &level, &more, fault) && !more)
        return true;
    return fault_set(fault, FAULT_FORMAT, "byte %zu: a merge of more than two parts", walk->at);
}

static bool read_merges(struct tokenizer_import *import, struct tokenizer_json *json,
                        struct fault *fault)
{
    struct json_walk *walk = &json->walk;
    struct json_level level;
    char *left = NULL;
    size_t left_capacity = 0;
    bool more = true, read = true;
    if (!json->merges_at)
        return fault_set(fault, FAULT_FORMAT, "model.merges is missing");
    walk->at = json->merges_at;
    if (!json_walk_enter(walk, '[', &level, fault))
        return false;
    while (read && (read = json_walk_next(walk, &level, &more, fault)) && more)
        read = read_merge(import, walk, &left, &left_capacity, fault);
    free(left);
    return read && merges_settle(import, fault);
}

/* Of two names with the pattern the one with the file's ignore_merges; a common one where that
 * makes no difference, or where there is no other, then the file says it besides. */
static const struct pre_known *choose(struct tokenizer_import *import, const struct pre_list *list,
                                      bool ignore_merges)
{
    const struct pre_known *exact = pre_known_find(list, ignore_merges);
    const struct pre_known *common = pre_known_find(list, -1);
    if (exact && !exact->uncommon)
        return exact;
    if (!common || common->ignore_merges == ignore_merges || merges_reach_all(import))
        return common;
    if (exact)
        return exact;
    import->ignore_merges = ignore_merges;
    return common;
}

/* How many letters of the piece are digits only as letters of the byte alphabet. */
static uint32_t letter_digits(const struct piece *piece)
{
    static const char *const digits[] = {"²", "³", "¹", "¼", "½", "¾"}; /* of two bytes each */
    uint32_t count = 0;
    for (uint32_t at = 0; at + 1 < piece->size; at++)
        for (size_t i = 0; i < sizeof digits / sizeof *digits; i++)
            count += memcmp(piece->bytes + at, digits[i], 2) == 0;
    return count;
}

/* No merge joins such a digit with another letter: then it is all the same whether a pre-token is
 * cut there. */
static bool check_letters(const struct tokenizer_import *import, struct fault *fault)
{
    for (uint32_t id = 0; id < import->count; id++) {
        const struct piece *piece = &import->pieces[id];
        uint32_t count = piece->kind == PIECE_NORMAL ? letter_digits(piece) : 0;
        if (count > 0 && 2 * count != piece->size)
            return fault_set(fault, FAULT_UNSUPPORTED,
                             "token %u, \"%.*s\": the pre_tokenizer cuts it between bytes, which "
                             "lichen does not do",
                             id, piece->size < 60 ? (int)piece->size : 60, piece->bytes);
    }
    return true;
}

static bool read_byte_level(struct tokenizer_import *import, const struct tokenizer_json *json,
                            const struct pre_list *list, struct fault *fault)
{
    bool ignore_merges = json_is_true(json_option(json, "ignore_merges"));
    const struct pre_known *row = choose(import, list, ignore_merges);
    if (!row)
        return json_unsupported("pre_tokenizer", "lichen does not know it", json->pre_tokenizer,
                                fault);
    import->model = "gpt2";
    import->pre = row->name;
    if (pre_known_cuts_bytes(row) && !check_letters(import, fault))
        return false;
    return json_unicode_normalizer(import, json->normalizer, fault);
}

static bool read_pieces(struct tokenizer_import *import, const struct tokenizer_json *json,
                        struct fault *fault)
{
    const char *unknown = json_string_value(json_option(json, "unk_token"));
    int64_t unknown_id = unknown ? piece_find(import, unknown, strlen(unknown)) : -1;
    bool fallback = json_is_true(json_option(json, "byte_fallback"));
    bool cut;
    if (fallback)
        mark_bytes(import);
    if (unknown_id >= 0) {
        import->pieces[unknown_id].kind = PIECE_UNKNOWN;
        import->specials[SPECIAL_UNKNOWN] = unknown_id;
    }
    import->model = "llama";
    if (!json_mark_read(import, json, &cut, fault))
        return false;
    if (!fallback && !json_is_true(json_option(json, "fuse_unk")))
        return fault_set(fault, FAULT_UNSUPPORTED,
                         "model: neither byte_fallback nor fuse_unk, which lichen does not do");
    return json_option_off(json, "ignore_merges", fault) && scores_from_merges(import, cut, fault);
}

static bool is_byte_level(const json_t *pre_tokenizer)
{
    const json_t *steps = json_object_get(pre_tokenizer, "pretokenizers"), *step;
    const char *type = json_string_value(json_object_get(pre_tokenizer, "type"));
    size_t i;
    if (type && strcmp(type, "ByteLevel") == 0)
        return true;
    json_array_foreach(steps, i, step)
    {
        type = json_string_value(json_object_get(step, "type"));
        if (type && strcmp(type, "ByteLevel") == 0)
            return true;
    }
    return false;
}

bool json_bpe_read(struct tokenizer_import *import, struct tokenizer_json *json,
                   struct fault *fault)
{
    if (!json_option_off(json, "dropout", fault) ||
        !json_option_off(json, "continuing_subword_prefix", fault) ||
        !json_option_off(json, "end_of_word_suffix", fault) ||
        !json_vocab_read(import, json, fault) || !read_merges(import, json, fault) ||
        !json_added_read(import, json, fault))
        return false;
    if (!is_byte_level(json->pre_tokenizer))
        return read_pieces(import, json, fault);
    struct pre_list list;
    bool read = pre_list_read(json->pre_tokenizer, &list, fault) &&
                read_byte_level(import, json, &list, fault);
    pre_list_free(&list);
    return read;
}
