/* tokenizer_unigram.c: a tokenizer.json with model Unigram ("t5"): pieces with their scores. */
#include "tokenizer_json.h"

#include <math.h>
#include <string.h>

/* ["piece", score] */
static bool read_piece(struct tokenizer_import *import, struct json_walk *walk, int64_t id,
                       struct fault *fault)
{
    json_t *pair = NULL;
    if (!json_walk_tree(walk, &pair, fault))
        return false;
    const json_t *text = json_array_get(pair, 0), *score = json_array_get(pair, 1);
    bool read = json_array_size(pair) == 2 && json_is_string(text) && json_is_number(score) &&
                fabs(json_number_value(score)) < 1e30;
    if (!read)
        fault_set(fault, FAULT_FORMAT, "model.vocab[%lld]: expected [\"piece\", score]",
                  (long long)id);
    read = read && piece_add(import, json_string_value(text), json_string_length(text), id,
                             PIECE_NORMAL, (float)json_number_value(score), fault);
    json_decref(pair);
    return read;
}

static bool read_vocab(struct tokenizer_import *import, struct tokenizer_json *json,
                       struct fault *fault)
{
    struct json_walk *walk = &json->walk;
    struct json_level level;
    bool more = true;
    if (!json->vocab_at)
        return fault_set(fault, FAULT_FORMAT, "model.vocab is missing");
    walk->at = json->vocab_at;
    if (!json_walk_enter(walk, '[', &level, fault))
        return false;
    for (int64_t id = 0; json_walk_next(walk, &level, &more, fault) && more; id++)
        if (!read_piece(import, walk, id, fault))
            return false;
    if (more)
        return false;
    return import->count > 0 || fault_set(fault, FAULT_FORMAT, "model.vocab is empty");
}

static bool read_unknown(struct tokenizer_import *import, const struct tokenizer_json *json,
                         struct fault *fault)
{
    const json_t *unknown = json_option(json, "unk_id");
    if (!unknown)
        return true;
    int64_t id = json_is_integer(unknown) ? json_integer_value(unknown) : -1;
    if (id < 0 || id >= import->count)
        return fault_set(fault, FAULT_FORMAT, "model.unk_id: no token of the %u", import->count);
    import->pieces[id].kind = PIECE_UNKNOWN;
    import->specials[SPECIAL_UNKNOWN] = id;
    return true;
}

/* Pieces that Metaspace, cutting in front of every U+2581, can never give the model. */
static bool check_cut(const struct tokenizer_import *import, struct fault *fault)
{
    for (uint32_t id = 0; id < import->count; id++) {
        const struct piece *piece = &import->pieces[id];
        for (uint32_t i = 1; piece->kind == PIECE_NORMAL && i + 3 <= piece->size; i++)
            if (memcmp(piece->bytes + i, "\xE2\x96\x81", 3) == 0)
                return fault_set(fault, FAULT_UNSUPPORTED,
                                 "token %u: a U+2581 inside, but the pre_tokenizer cuts there", id);
    }
    return true;
}

bool json_unigram_read(struct tokenizer_import *import, struct tokenizer_json *json,
                       struct fault *fault)
{
    bool fallback = json_is_true(json_option(json, "byte_fallback")), cut;
    import->model = "t5";
    import->has_scores = true;
    if (!read_vocab(import, json, fault) || !read_unknown(import, json, fault))
        return false;
    if (fallback)
        mark_bytes(import);
    return json_added_read(import, json, fault) && read_unknown(import, json, fault) &&
           json_mark_read(import, json, &cut, fault) && (!cut || check_cut(import, fault));
}
