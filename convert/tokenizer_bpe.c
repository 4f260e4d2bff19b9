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

static bool read_byte_level(struct tokenizer_import *import, struct tokenizer_json *json,
                            struct fault *fault)
{
    struct pre_list list;
    int ignore_merges = json_is_true(json_option(json, "ignore_merges"));
    bool known = pre_list_read(json->pre_tokenizer, &list, fault);
    const struct pre_known *row = known ? pre_known_find(&list, ignore_merges) : NULL;
    if (known && !row)
        row = pre_known_find(&list, -1);
    for (uint32_t i = 0; known && !row && i < list.count; i++)
        fault_set(fault, FAULT_UNSUPPORTED,
                  "pre_tokenizer: lichen does not know this list of %u patterns; the first is "
                  "%.700s",
                  list.count, list.patterns[0]);
    pre_list_free(&list);
    if (!row)
        return false;
    import->model = "gpt2";
    import->pre = row->name;
    return true;
}

bool json_bpe_read(struct tokenizer_import *import, struct tokenizer_json *json,
                   struct fault *fault)
{
    return json_unicode_normalizer(import, json->normalizer, fault) &&
           json_option_off(json, "dropout", fault) &&
           json_option_off(json, "continuing_subword_prefix", fault) &&
           json_option_off(json, "end_of_word_suffix", fault) &&
           json_vocab_read(import, json, fault) && read_merges(import, json, fault) &&
           json_added_read(import, json, fault) && read_byte_level(import, json, fault);
}
