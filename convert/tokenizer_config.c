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

static bool add_template(struct tokenizer_import *import, const char *name, const char *text,
                         size_t size, struct fault *fault)
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
    return add_template(import, name, json_string_value(text), json_string_length(text), fault);
}

static bool read_templates(struct tokenizer_import *import, const json_t *config,
                           struct fault *fault)
{
    const json_t *value = json_object_get(config, "chat_template"), *item;
    size_t i;
    if (!value || json_is_null(value))
        return true;
    if (json_is_string(value))
        return add_template(import, "default", json_string_value(value), json_string_length(value),
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

static bool read_template_file(struct tokenizer_import *import, const char *folder,
                               struct fault *fault)
{
    char *bytes;
    size_t size;
    struct fault own = {0};
    if (!import_load(import, folder, "chat_template.jinja", &bytes, &size, &own))
        return own.kind == FAULT_NONE || fault_set(fault, own.kind, "%s", own.text);
    bool added = add_template(import, "default", bytes, size, fault);
    free(bytes);
    return added;
}

/* ---- files ---- */

typedef bool read_config(struct tokenizer_import *import, const json_t *config,
                         struct fault *fault);

static bool read_json(struct tokenizer_import *import, const char *folder, const char *name,
                      read_config *reader, struct fault *fault)
{
    char *bytes;
    size_t size;
    struct fault own = {0};
    if (!import_load(import, folder, name, &bytes, &size, &own))
        return own.kind == FAULT_NONE || fault_set(fault, own.kind, "%s", own.text);
    json_t *config = NULL;
    struct json_walk walk;
    json_walk_begin(&walk, bytes, size);
    walk.as_reals = true; /* model_max_length is 10^30 where there is none */
    bool read =
        json_walk_tree(&walk, &config, fault) && json_walk_end(&walk, fault) &&
        (json_is_object(config) || fault_set(fault, FAULT_FORMAT, "JSON is %s, expected an object",
                                             strict_json_kind(config))) &&
        reader(import, config, fault);
    json_walk_free(&walk);
    json_decref(config);
    free(bytes);
    return read || fault_file(fault, import->files[import->file_count - 1]);
}

static bool read_main(struct tokenizer_import *import, const json_t *config, struct fault *fault)
{
    read_specials(import, config);
    read_switch(config, "add_bos_token", &import->add_bos);
    read_switch(config, "add_eos_token", &import->add_eos);
    return read_templates(import, config, fault);
}

static bool read_map(struct tokenizer_import *import, const json_t *config, struct fault *fault)
{
    (void)fault;
    read_specials(import, config);
    return true;
}

bool tokenizer_config_read(struct tokenizer_import *import, const char *folder, struct fault *fault)
{
    return read_template_file(import, folder, fault) &&
           read_json(import, folder, "tokenizer_config.json", read_main, fault) &&
           read_json(import, folder, "special_tokens_map.json", read_map, fault) &&
           read_json(import, folder, "chat_template.json", read_templates, fault);
}
