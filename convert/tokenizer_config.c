/* tokenizer_config.c: tokenizer_config.json, special_tokens_map.json and the chat templates: what
 * stands beside the vocabulary. */
#include "json_walk.h"
#include "strict_json.h"
#include "tokenizer_table.h"

#include <stdlib.h>
#include <string.h>

/* ---- special tokens ---- */

/* "<s>" or {"content": "<s>"}. */
static const json_t *token_text(const json_t *value)
{
    return json_is_object(value) ? json_object_get(value, "content") : value;
}

static void read_specials(struct tokenizer_import *import, const json_t *config)
{
    static const char *const keys[SPECIAL_COUNT] = {
        [SPECIAL_BOS] = "bos_token",     [SPECIAL_EOS] = "eos_token",
        [SPECIAL_UNKNOWN] = "unk_token", [SPECIAL_SEPARATOR] = "sep_token",
        [SPECIAL_PADDING] = "pad_token", [SPECIAL_CLS] = "cls_token",
        [SPECIAL_MASK] = "mask_token",
    };
    for (int i = 0; i < SPECIAL_COUNT; i++) {
        const json_t *text = token_text(json_object_get(config, keys[i]));
        if (import->specials[i] < 0 && json_is_string(text))
            import->specials[i] =
                piece_find(import, json_string_value(text), json_string_length(text));
    }
}

static void read_switch(const json_t *config, const char *key, int *state)
{
    const json_t *value = json_object_get(config, key);
    if (*state == TRI_UNKNOWN && json_is_boolean(value))
        *state = json_is_true(value);
}

/* ---- templates ---- */

bool template_add(struct tokenizer_import *import, const char *name, const char *text, size_t size,
                  struct fault *fault)
{
    for (uint32_t i = 0; i < import->template_count; i++)
        if (strcmp(import->templates[i].name, name) == 0)
            return true; /* the first file that brings it counts */
    if (import->template_count == TEMPLATE_MAX)
        return fault_set(fault, FAULT_FORMAT, "more than %d chat templates", TEMPLATE_MAX);
    struct chat_template *template = &import->templates[import->template_count];
    template->name = arena_copy(&import->arena, name, strlen(name));
    template->text = arena_copy(&import->arena, text, size);
    template->size = size;
    if (!template->name || !template->text)
        return import_no_memory(fault);
    import->template_count++;
    return true;
}

static bool read_named(struct tokenizer_import *import, const json_t *item, struct fault *fault)
{
    const char *name = json_string_value(json_object_get(item, "name"));
    const json_t *text = json_object_get(item, "template");
    if (!name || !json_is_string(text))
        return fault_set(fault, FAULT_FORMAT, "chat_template: an item without name or template");
    size_t good = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    if (good == 0 || name[good] || good > 64)
        return fault_set(fault, FAULT_FORMAT,
                         "chat_template: the name \"%.60s\", expected letters, digits and _", name);
    return template_add(import, name, json_string_value(text), json_string_length(text), fault);
}

static bool read_templates(struct tokenizer_import *import, const json_t *config,
                           struct fault *fault)
{
    const json_t *value = json_object_get(config, "chat_template"), *item;
    size_t i;
    if (!value || json_is_null(value))
        return true;
    if (json_is_string(value))
        return template_add(import, "default", json_string_value(value), json_string_length(value),
                            fault);
    if (!json_is_array(value))
        return fault_set(fault, FAULT_FORMAT, "chat_template is %s, expected text or a list",
                         strict_json_kind(value));
    json_array_foreach(value, i, item)
    {
        if (!read_named(import, item, fault))
            return false;
    }
    return true;
}

/* ---- files ---- */

/* A file of the folder as an object; NULL when it is not there. */
static bool load_json(struct tokenizer_import *import, const char *folder, const char *name,
                      json_t **config, struct fault *fault)
{
    char *bytes;
    size_t size;
    struct fault own = {0};
    *config = NULL;
    if (!import_load(import, folder, name, &bytes, &size, &own))
        return own.kind == FAULT_NONE || fault_set(fault, own.kind, "%s", own.text);
    struct json_walk walk;
    json_walk_begin(&walk, bytes, size);
    walk.as_reals = true; /* model_max_length is 10^30 where there is none */
    bool read =
        json_walk_tree(&walk, config, fault) && json_walk_end(&walk, fault) &&
        (json_is_object(*config) || fault_set(fault, FAULT_FORMAT, "JSON is %s, expected an object",
                                              strict_json_kind(*config)));
    json_walk_free(&walk);
    free(bytes);
    return read || fault_file(fault, import->files[import->file_count - 1]);
}

static bool read_template_file(struct tokenizer_import *import, const char *folder,
                               struct fault *fault)
{
    char *bytes;
    size_t size;
    struct fault own = {0};
    if (!import_load(import, folder, "chat_template.jinja", &bytes, &size, &own))
        return own.kind == FAULT_NONE || fault_set(fault, own.kind, "%s", own.text);
    bool added = template_add(import, "default", bytes, size, fault);
    free(bytes);
    return added;
}

static bool read_template_json(struct tokenizer_import *import, const char *folder,
                               struct fault *fault)
{
    json_t *config;
    bool read = load_json(import, folder, "chat_template.json", &config, fault) &&
                read_templates(import, config, fault);
    json_decref(config);
    return read;
}

/* ---- added tokens ---- */

static bool is_named_special(const json_t *config, const char *text)
{
    static const char *const keys[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                       "pad_token", "cls_token", "mask_token"};
    const json_t *more = json_object_get(config, "additional_special_tokens"), *item;
    size_t i;
    for (i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *named = json_string_value(token_text(json_object_get(config, keys[i])));
        if (named && strcmp(named, text) == 0)
            return true;
    }
    json_array_foreach(more, i, item)
    {
        const char *named = json_string_value(token_text(item));
        if (named && strcmp(named, text) == 0)
            return true;
    }
    return false;
}

/* {"<eom>": 106068}: which are special stands elsewhere. */
static bool add_plain(struct tokenizer_import *import, json_t *added, struct fault *fault)
{
    const char *text;
    json_t *id;
    json_object_foreach(added, text, id)
    {
        double value = json_is_real(id) ? json_real_value(id) : -1;
        bool special =
            is_named_special(import->config, text) || is_named_special(import->map, text);
        if (value < 0 || value >= PIECE_COUNT_MAX || value != (double)(int64_t)value)
            return fault_set(fault, FAULT_FORMAT,
                             "added_tokens.json: \"%.60s\": expected an id below %d", text,
                             PIECE_COUNT_MAX);
        if (!added_token(import, text, strlen(text), (int64_t)value, special ? ADDED_SPECIAL : 0,
                         fault))
            return false;
    }
    return true;
}

/* "64790": the id of one of added_tokens_decoder, -1 when it is none. */
static int64_t id_of(const char *key)
{
    int64_t id = 0;
    for (const char *digit = key; *digit; digit++) {
        if (*digit < '0' || *digit > '9' || id > PIECE_COUNT_MAX)
            return -1;
        id = id * 10 + (*digit - '0');
    }
    return *key ? id : -1;
}

/* A piece that the model left for later use gets its name here (InternLM2): the name counts. */
static bool rename_piece(struct tokenizer_import *import, int64_t id, const char *text, size_t size,
                         struct fault *fault)
{
    bool here = id < import->count && import->pieces[id].kind != PIECE_NONE;
    if (!here || import->pieces[id].kind == PIECE_UNKNOWN || piece_find(import, text, size) >= 0)
        return true;
    return piece_respell(import, (uint32_t)id, text, size, fault);
}

static bool add_decoded(struct tokenizer_import *import, const json_t *decoder, struct fault *fault)
{
    const char *key;
    json_t *item;
    for (int pass = 0; pass < 2; pass++) {
        json_object_foreach((json_t *)(uintptr_t)decoder, key, item)
        {
            const json_t *content = token_text(item);
            const char *text = json_string_value(content);
            size_t size = json_string_length(content);
            int64_t id = id_of(key);
            unsigned flags;
            if (id < 0 || !text)
                return fault_set(fault, FAULT_FORMAT,
                                 "added_tokens_decoder: \"%.60s\": expected an id and its content",
                                 key);
            if (!added_flags(item, &flags, fault) ||
                !(pass == 0 ? rename_piece(import, id, text, size, fault)
                            : added_token(import, text, size, id, flags, fault)))
                return false;
        }
        if (pass == 0 && !pieces_reindex(import, fault))
            return false;
    }
    return true;
}

static bool apply_added(struct tokenizer_import *import, const char *folder, struct fault *fault)
{
    const json_t *decoder = json_object_get(import->config, "added_tokens_decoder");
    json_t *plain;
    if (json_is_object(decoder) && !add_decoded(import, decoder, fault))
        return false;
    bool added = load_json(import, folder, "added_tokens.json", &plain, fault) &&
                 (!plain || add_plain(import, plain, fault));
    json_decref(plain);
    return added && (json_object_size(decoder) > 0 || import->from_json || import->from_ice ||
                     tokenizer_names_add(import, fault));
}

/* ---- all of it ---- */

bool tokenizer_config_open(struct tokenizer_import *import, const char *folder, struct fault *fault)
{
    return load_json(import, folder, "tokenizer_config.json", &import->config, fault) &&
           load_json(import, folder, "special_tokens_map.json", &import->map, fault);
}

const char *tokenizer_class(const struct tokenizer_import *import)
{
    const char *class = json_string_value(json_object_get(import->config, "tokenizer_class"));
    return class ? class : "";
}

static bool class_begins(const struct tokenizer_import *import, const char *start)
{
    return strncmp(tokenizer_class(import), start, strlen(start)) == 0;
}

/* Where no file says it: the classes around SentencePiece BPE models put bos in front, T5's puts
 * eos behind. */
static void settle_switches(struct tokenizer_import *import)
{
    bool pieces = !import->from_json && strcmp(import->model, "llama") == 0;
    read_switch(import->config, "add_bos_token", &import->add_bos);
    read_switch(import->config, "add_eos_token", &import->add_eos);
    if (import->add_bos == TRI_UNKNOWN)
        import->add_bos = pieces || class_begins(import, "Llama") || class_begins(import, "Gemma");
    if (import->add_eos == TRI_UNKNOWN)
        import->add_eos = class_begins(import, "T5") || class_begins(import, "MT5");
}

bool tokenizer_config_apply(struct tokenizer_import *import, const char *folder,
                            struct fault *fault)
{
    if (!apply_added(import, folder, fault))
        return false;
    read_specials(import, import->config);
    read_specials(import, import->map);
    settle_switches(import);
    return read_template_file(import, folder, fault) &&
           read_templates(import, import->config, fault) &&
           read_template_json(import, folder, fault) &&
           (!import->from_ice || tokenizer_ice_template(import, fault));
}
