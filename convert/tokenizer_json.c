/* tokenizer_json.c: takes a tokenizer.json (Hugging Face tokenizers) apart and reads it in the
 * order in which its parts depend on each other, whatever their order in the file. */
#include "tokenizer_json.h"
#include "strict_json.h"

#include <stdlib.h>
#include <string.h>

/* ---- the file ---- */

static bool once(const void *seen, const char *key, struct fault *fault)
{
    return !seen || fault_set(fault, FAULT_FORMAT, "\"%s\" occurs twice", key);
}

static bool note(struct json_walk *walk, const char *key, size_t *at, struct fault *fault)
{
    if (*at)
        return fault_set(fault, FAULT_FORMAT, "\"%s\" occurs twice", key);
    return json_walk_skip(walk, at, fault);
}

static bool keep(struct json_walk *walk, const char *key, json_t **tree, struct fault *fault)
{
    if (!once(*tree, key, fault) || !json_walk_tree(walk, tree, fault))
        return false;
    return true;
}

static bool read_member(struct tokenizer_json *json, size_t *model_at, struct fault *fault)
{
    struct json_walk *walk = &json->walk;
    const struct {
        const char *key;
        size_t *at;
        json_t **tree;
    } members[] = {
        {"model", model_at, NULL},
        {"added_tokens", &json->added_at, NULL},
        {"normalizer", NULL, &json->normalizer},
        {"pre_tokenizer", NULL, &json->pre_tokenizer},
        {"post_processor", NULL, &json->post_processor},
    };
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (strcmp(walk->text, members[i].key) == 0)
            return members[i].at ? note(walk, members[i].key, members[i].at, fault)
                                 : keep(walk, members[i].key, members[i].tree, fault);
    json_t *other = NULL;
    bool read = json_walk_tree(walk, &other, fault);
    json_decref(other);
    return read;
}

static bool read_model_member(struct tokenizer_json *json, struct fault *fault)
{
    struct json_walk *walk = &json->walk;
    if (strcmp(walk->text, "vocab") == 0)
        return note(walk, "vocab", &json->vocab_at, fault);
    if (strcmp(walk->text, "merges") == 0)
        return note(walk, "merges", &json->merges_at, fault);
    char key[64];
    if (walk->text_size >= sizeof key || strlen(walk->text) != walk->text_size)
        return fault_set(fault, FAULT_FORMAT, "model: a key of %zu bytes", walk->text_size);
    memcpy(key, walk->text, walk->text_size + 1);
    if (!once(json_object_get(json->options, key), key, fault))
        return false;
    json_t *value = NULL;
    return json_walk_tree(walk, &value, fault) &&
           (json_object_set_new(json->options, key, value) == 0 || import_no_memory(fault));
}

static bool take_apart(struct tokenizer_json *json, struct fault *fault)
{
    struct json_walk *walk = &json->walk;
    struct json_level level;
    size_t model_at = 0;
    bool more = true;
    if (!(json->options = json_object()))
        return import_no_memory(fault);
    if (!json_walk_enter(walk, '{', &level, fault))
        return false;
    while (json_walk_next(walk, &level, &more, fault) && more)
        if (!json_walk_key(walk, fault) || !read_member(json, &model_at, fault))
            return false;
    if (more || !json_walk_end(walk, fault))
        return false;
    if (!model_at)
        return fault_set(fault, FAULT_FORMAT, "\"model\" is missing: not a tokenizer.json?");
    walk->at = model_at;
    if (!json_walk_enter(walk, '{', &level, fault))
        return false;
    while (json_walk_next(walk, &level, &more, fault) && more)
        if (!json_walk_key(walk, fault) || !read_model_member(json, fault))
            return false;
    return !more;
}

static json_t *drop_null(json_t *value)
{
    if (!json_is_null(value))
        return value;
    json_decref(value);
    return NULL;
}

/* ---- what the models share ---- */

const json_t *json_option(const struct tokenizer_json *json, const char *key)
{
    const json_t *value = json_object_get(json->options, key);
    return json_is_null(value) ? NULL : value;
}

bool json_option_off(const struct tokenizer_json *json, const char *key, struct fault *fault)
{
    const json_t *value = json_option(json, key);
    bool off = !value || json_is_false(value) ||
               (json_is_number(value) && json_number_value(value) == 0) ||
               (json_is_string(value) && json_string_length(value) == 0);
    if (off)
        return true;
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    fault_set(fault, FAULT_UNSUPPORTED, "model.%s is %.100s, which lichen does not do", key,
              text ? text : "set");
    free(text);
    return false;
}

bool vocab_object_read(struct tokenizer_import *import, struct json_walk *walk, struct fault *fault)
{
    struct json_level level;
    bool more = true;
    if (!json_walk_enter(walk, '{', &level, fault))
        return false;
    while (json_walk_next(walk, &level, &more, fault) && more) {
        int64_t id;
        if (!json_walk_key(walk, fault) || !json_walk_integer(walk, &id, fault) ||
            !piece_add(import, walk->text, walk->text_size, id, PIECE_NORMAL, 0, fault))
            return false;
    }
    if (more)
        return false;
    return import->count > 0 || fault_set(fault, FAULT_FORMAT, "the vocabulary is empty");
}

bool json_vocab_read(struct tokenizer_import *import, struct tokenizer_json *json,
                     struct fault *fault)
{
    if (!json->vocab_at)
        return fault_set(fault, FAULT_FORMAT, "model.vocab is missing");
    json->walk.at = json->vocab_at;
    return vocab_object_read(import, &json->walk, fault);
}

/* ---- added tokens ---- */

static bool read_added(struct tokenizer_import *import, const json_t *item, struct fault *fault)
{
    const json_t *content = json_object_get(item, "content"), *id = json_object_get(item, "id");
    if (!json_is_string(content) || !json_is_integer(id))
        return fault_set(fault, FAULT_FORMAT,
                         "added_tokens: content is %s and id is %s, expected text and an integer",
                         strict_json_kind(content), strict_json_kind(id));
    unsigned flags;
    return added_flags(item, &flags, fault) &&
           added_token(import, json_string_value(content), json_string_length(content),
                       json_integer_value(id), flags, fault);
}

bool json_added_read(struct tokenizer_import *import, struct tokenizer_json *json,
                     struct fault *fault)
{
    struct json_walk *walk = &json->walk;
    struct json_level level;
    bool more = true;
    if (!json->added_at)
        return true;
    walk->at = json->added_at;
    if (json_walk_peek(walk) == 'n')
        return true;
    if (!json_walk_enter(walk, '[', &level, fault))
        return false;
    while (json_walk_next(walk, &level, &more, fault) && more) {
        json_t *item = NULL;
        bool read = json_walk_tree(walk, &item, fault) && read_added(import, item, fault);
        json_decref(item);
        if (!read)
            return false;
    }
    return !more;
}

/* ---- which model ---- */

static bool dispatch(struct tokenizer_import *import, struct tokenizer_json *json,
                     struct fault *fault)
{
    static const struct {
        const char *type;
        bool (*read)(struct tokenizer_import *, struct tokenizer_json *, struct fault *);
    } models[] = {
        {"BPE", json_bpe_read}, {"Unigram", json_unigram_read}, {"WordPiece", json_wordpiece_read}};
    const char *type = json_string_value(json_option(json, "type"));
    if (!type && json->merges_at)
        type = "BPE";
    for (size_t i = 0; type && i < sizeof models / sizeof *models; i++)
        if (strcmp(type, models[i].type) == 0)
            return models[i].read(import, json, fault);
    return fault_set(fault, FAULT_UNSUPPORTED,
                     "model.type is \"%.60s\", lichen reads BPE, Unigram and WordPiece",
                     type ? type : "missing");
}

static bool read_all(struct tokenizer_import *import, struct tokenizer_json *json,
                     struct fault *fault)
{
    if (!take_apart(json, fault))
        return false;
    json->normalizer = drop_null(json->normalizer);
    json->pre_tokenizer = drop_null(json->pre_tokenizer);
    json->post_processor = drop_null(json->post_processor);
    return dispatch(import, json, fault) && json_post_read(import, json->post_processor, fault);
}

bool tokenizer_json_read(struct tokenizer_import *import, const char *bytes, size_t size,
                         struct fault *fault)
{
    struct tokenizer_json json = {.normalizer = NULL};
    json_walk_begin(&json.walk, bytes, size);
    bool read = read_all(import, &json, fault);
    json_walk_free(&json.walk);
    json_decref(json.normalizer);
    json_decref(json.pre_tokenizer);
    json_decref(json.post_processor);
    json_decref(json.options);
    return read;
}
