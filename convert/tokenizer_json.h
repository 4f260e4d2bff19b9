/* tokenizer_json.h: the parts of a tokenizer.json, between tokenizer_json.c, which takes the file
 * apart, and the readers of the models. */
#ifndef LICHEN_TOKENIZER_JSON_H
#define LICHEN_TOKENIZER_JSON_H

#include "json_walk.h"
#include "tokenizer_table.h"

struct tokenizer_json {
    struct json_walk walk;
    json_t *normalizer, *pre_tokenizer, *post_processor; /* owned; NULL = absent or null */
    json_t *options;                      /* owned object: what model has but vocab and merges */
    size_t added_at, vocab_at, merges_at; /* bytes, 0 = absent */
};

/* What model.type a file has; the readers fill pieces, merges or scores, and import->model. */
bool json_bpe_read(struct tokenizer_import *import, struct tokenizer_json *json,
                   struct fault *fault);

bool json_unigram_read(struct tokenizer_import *import, struct tokenizer_json *json,
                       struct fault *fault);
bool json_wordpiece_read(struct tokenizer_import *import, struct tokenizer_json *json,
                         struct fault *fault);

/* An object spelling -> id as pieces of PIECE_NORMAL. */
bool vocab_object_read(struct tokenizer_import *import, struct json_walk *walk,
                       struct fault *fault);
bool json_vocab_read(struct tokenizer_import *import, struct tokenizer_json *json,
                     struct fault *fault);
/* post_processor: add_bos, add_eos and their tokens. */
bool json_post_read(struct tokenizer_import *import, const json_t *post, struct fault *fault);
/* Sets import->normalizer for a byte-level vocabulary; what it cannot express is
 * FAULT_UNSUPPORTED. */
bool json_unicode_normalizer(struct tokenizer_import *import, const json_t *normalizer,
                             struct fault *fault);
/* The same for a vocabulary of pieces with U+2581: add_space_prefix and its scheme; *cut: nothing
 * is joined across a U+2581. After the added tokens. */
bool json_mark_read(struct tokenizer_import *import, const struct tokenizer_json *json, bool *cut,
                    struct fault *fault);
/* FAULT_UNSUPPORTED: "WHAT: WHY: the JSON of value". */
bool json_unsupported(const char *what, const char *why, const json_t *value, struct fault *fault);
bool json_added_read(struct tokenizer_import *import, struct tokenizer_json *json,
                     struct fault *fault);

/* An option of the model: NULL when it is absent or null. */
const json_t *json_option(const struct tokenizer_json *json, const char *key);
/* FAULT_UNSUPPORTED unless the option is absent, null, false, 0 or "". */
bool json_option_off(const struct tokenizer_json *json, const char *key, struct fault *fault);

#endif
