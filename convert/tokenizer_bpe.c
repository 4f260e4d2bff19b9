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

/* Of two names with the pattern the one with the file's ignore_merges, or a common one where that
 * makes no difference. */
static const struct pre_known *choose(const struct tokenizer_import *import,
                                      const struct pre_list *list, bool ignore_merges)
{
    const struct pre_known *exact = pre_known_find(list, ignore_merges);
    const struct pre_known *common = pre_known_find(list, -1);
    if (exact && !exact->uncommon)
        return exact;
    return common && merges_reach_all(import) ? common : exact;
}

static bool read_byte_level(struct tokenizer_import *import, const struct tokenizer_json *json,
                            const struct pre_list *list, struct fault *fault)
{
    bool ignore_merges = json_is_true(json_option(json, "ignore_merges"));
    const struct pre_known *row = choose(import, list, ignore_merges);
    if (!row)
        return json_unsupported("pre_tokenizer",
                                ignore_merges ? "lichen does not know it (with ignore_merges)"
                                              : "lichen does not know it",
                                json->pre_tokenizer, fault);
    import->model = "gpt2";
    import->pre = row->name;
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
    if (!fallback && !json_is_true(json_option(json, "fuse_unk")))
        return fault_set(fault, FAULT_UNSUPPORTED,
                         "model: neither byte_fallback nor fuse_unk, which lichen does not do");
    return json_option_off(json, "ignore_merges", fault) &&
           json_mark_read(import, json, &cut, fault) && scores_from_merges(import, cut, fault);
}

bool json_bpe_read(struct tokenizer_import *import, struct tokenizer_json *json,
                   struct fault *fault)
{
    struct pre_list list = {.count = 0};
    struct fault own = {0};
    if (!json_option_off(json, "dropout", fault) ||
        !json_option_off(json, "continuing_subword_prefix", fault) ||
        !json_option_off(json, "end_of_word_suffix", fault) ||
        !json_vocab_read(import, json, fault) || !read_merges(import, json, fault) ||
        !json_added_read(import, json, fault))
        return false;
    bool listed = json->pre_tokenizer && pre_list_read(json->pre_tokenizer, &list, &own);
    bool read;
    if (list.byte_level && listed)
        read = read_byte_level(import, json, &list, fault);
    else if (list.byte_level)
        read = fault_set(fault, own.kind, "%s", own.text);
    else
        read = read_pieces(import, json, fault);
    pre_list_free(&list);
    return read;
}
