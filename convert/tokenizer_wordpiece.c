/* tokenizer_wordpiece.c: a tokenizer.json with model WordPiece, or a vocab.txt ("bert"). GGUF
 * spells the start of a word with U+2581 and what goes on without a mark, where the file has "##".
 */
#include "tokenizer_json.h"

#include <stdlib.h>
#include <string.h>

enum { WORD_CHARS = 100 }; /* a longer word is unknown, unless the file says otherwise */

/* All pieces anew under GGUF's spelling. */
static bool respell(struct tokenizer_import *import, const char *prefix, struct fault *fault)
{
    struct piece *before = import->pieces;
    uint32_t count = import->count;
    size_t prefix_size = strlen(prefix);
    bool done = true;
    import->pieces = NULL;
    import->count = import->capacity = import->slot_count = 0;
    free(import->slots);
    import->slots = NULL;
    for (uint32_t id = 0; done && id < count; id++) {
        const struct piece *piece = &before[id];
        bool inside = piece->size > prefix_size && memcmp(piece->bytes, prefix, prefix_size) == 0;
        if (piece->kind == PIECE_NONE)
            continue;
        if (piece->kind != PIECE_NORMAL || inside) {
            size_t skip = piece->kind == PIECE_NORMAL ? prefix_size : 0;
            done = piece_add(import, piece->bytes + skip, piece->size - skip, id, piece->kind, 0,
                             fault);
            continue;
        }
        char *marked = malloc((size_t)piece->size + 4);
        if (!marked) {
            done = import_no_memory(fault);
            break;
        }
        memcpy(marked, "\xE2\x96\x81", 3);
        memcpy(marked + 3, piece->bytes, piece->size);
        done = piece_add(import, marked, (size_t)piece->size + 3, id, PIECE_NORMAL, 0, fault);
        free(marked);
    }
    for (uint32_t id = 0; done && id < count; id++)
        import->pieces[id].strips = before[id].strips;
    free(before);
    return done;
}

static bool read_normalizer(struct tokenizer_import *import, const json_t *normalizer,
                            struct fault *fault)
{
    const char *type = json_string_value(json_object_get(normalizer, "type"));
    const json_t *strip = json_object_get(normalizer, "strip_accents");
    if (!type || strcmp(type, "BertNormalizer") != 0 ||
        json_is_false(json_object_get(normalizer, "clean_text")) ||
        json_is_false(json_object_get(normalizer, "handle_chinese_chars")))
        return json_unsupported("normalizer", "a WordPiece vocabulary needs BertNormalizer",
                                normalizer, fault);
    import->lowercase = json_is_true(json_object_get(normalizer, "lowercase"));
    import->strip_accents = json_is_boolean(strip) ? json_is_true(strip) : import->lowercase;
    return true;
}

static bool read_limit(struct tokenizer_import *import, const struct tokenizer_json *json,
                       struct fault *fault)
{
    const json_t *limit = json_option(json, "max_input_chars_per_word");
    json_int_t value = limit ? json_integer_value(limit) : WORD_CHARS;
    if (value < 1 || value > PIECE_SIZE_MAX)
        return fault_set(fault, FAULT_FORMAT, "model.max_input_chars_per_word: %lld",
                         (long long)value);
    import->word_chars = (uint32_t)value;
    return true;
}

bool json_wordpiece_read(struct tokenizer_import *import, struct tokenizer_json *json,
                         struct fault *fault)
{
    const char *prefix = json_string_value(json_option(json, "continuing_subword_prefix"));
    const char *unknown = json_string_value(json_option(json, "unk_token"));
    const char *pre = json_string_value(json_object_get(json->pre_tokenizer, "type"));
    import->model = "bert";
    import->model_has_separator = true;
    import->add_bos = import->add_eos = TRI_FALSE;
    if (!pre || strcmp(pre, "BertPreTokenizer") != 0)
        return json_unsupported("pre_tokenizer", "a WordPiece vocabulary needs BertPreTokenizer",
                                json->pre_tokenizer, fault);
    if (!json_vocab_read(import, json, fault) || !json_added_read(import, json, fault) ||
        !read_normalizer(import, json->normalizer, fault) || !read_limit(import, json, fault))
        return false;
    int64_t id = unknown ? piece_find(import, unknown, strlen(unknown)) : -1;
    if (id < 0)
        return fault_set(fault, FAULT_FORMAT, "model.unk_token: \"%.60s\" is no token",
                         unknown ? unknown : "");
    import->pieces[id].kind = PIECE_UNKNOWN;
    import->specials[SPECIAL_UNKNOWN] = id;
    return respell(import, prefix && *prefix ? prefix : "##", fault);
}
