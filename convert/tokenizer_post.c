/* tokenizer_post.c: post_processor and normalizer of a tokenizer.json: what is put in front of a
 * text and behind it, and how a text is changed before. */
#include "strict_json.h"
#include "tokenizer_json.h"

#include <stdlib.h>
#include <string.h>

bool json_unsupported(const char *what, const char *why, const json_t *value, struct fault *fault)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    fault_set(fault, FAULT_UNSUPPORTED, "%s: %s: %.600s", what, why, text ? text : "");
    free(text);
    return false;
}

static const char *type_of(const json_t *object)
{
    const char *type = json_string_value(json_object_get(object, "type"));
    return type ? type : "";
}

/* ---- post_processor ---- */

static bool set_token(struct tokenizer_import *import, enum tokenizer_special special,
                      const char *text, struct fault *fault)
{
    int64_t id = text ? piece_find(import, text, strlen(text)) : -1;
    if (id < 0)
        return fault_set(fault, FAULT_FORMAT, "post_processor: \"%.60s\" is no token",
                         text ? text : "");
    import->specials[special] = id;
    return true;
}

/* The text of one item of a template, NULL for the Sequence. */
static const char *template_token(const json_t *item)
{
    return json_string_value(json_object_get(json_object_get(item, "SpecialToken"), "id"));
}

/* [CLS] $A [SEP]: at most one token on either side. */
static bool read_template(struct tokenizer_import *import, const json_t *post, struct fault *fault)
{
    const json_t *single = json_object_get(post, "single"), *item;
    size_t i, before = 0, behind = 0;
    bool text_seen = false;
    import->add_bos = import->add_eos = TRI_FALSE;
    json_array_foreach(single, i, item)
    {
        const char *token = template_token(item);
        if (!token && text_seen)
            return json_unsupported("post_processor", "the text comes twice", single, fault);
        text_seen = text_seen || !token;
        before += token && !text_seen;
        behind += token && text_seen;
        enum tokenizer_special special = text_seen ? SPECIAL_EOS : SPECIAL_BOS;
        if (token && import->model_has_separator && text_seen)
            special = SPECIAL_SEPARATOR;
        if (token && !set_token(import, special, token, fault))
            return false;
    }
    if (!text_seen || before > 1 || behind > 1)
        return json_unsupported("post_processor", "lichen puts at most one token on each side",
                                single ? single : post, fault);
    import->add_bos = before > 0;
    import->add_eos = behind > 0;
    return true;
}

static bool read_pair(struct tokenizer_import *import, const json_t *post, struct fault *fault)
{
    const char *start = json_string_value(json_array_get(json_object_get(post, "cls"), 0));
    const char *end = json_string_value(json_array_get(json_object_get(post, "sep"), 0));
    import->add_bos = import->add_eos = TRI_TRUE;
    return set_token(import, SPECIAL_BOS, start, fault) &&
           set_token(import, import->model_has_separator ? SPECIAL_SEPARATOR : SPECIAL_EOS, end,
                     fault);
}

bool json_post_read(struct tokenizer_import *import, const json_t *post, struct fault *fault)
{
    const char *type = type_of(post);
    if (!post || strcmp(type, "ByteLevel") == 0)
        return true;
    if (strcmp(type, "TemplateProcessing") == 0)
        return read_template(import, post, fault);
    if (strcmp(type, "BertProcessing") == 0 || strcmp(type, "RobertaProcessing") == 0)
        return read_pair(import, post, fault);
    const json_t *steps = json_object_get(post, "processors"), *step;
    if (strcmp(type, "Sequence") != 0 || !json_is_array(steps))
        return json_unsupported("post_processor", "lichen does not know it", post, fault);
    size_t i;
    json_array_foreach(steps, i, step)
    {
        if (strcmp(type_of(step), "Sequence") == 0)
            return json_unsupported("post_processor", "a Sequence in a Sequence", post, fault);
        if (!json_post_read(import, step, fault))
            return false;
    }
    return true;
}

/* ---- normalizer ---- */

bool json_unicode_normalizer(struct tokenizer_import *import, const json_t *normalizer,
                             struct fault *fault)
{
    static const struct {
        const char *type, *name;
    } forms[] = {{"NFC", "nfc"}, {"NFD", "nfd"}, {"NFKC", "nfkc"}, {"NFKD", "nfkd"}};
    const json_t *steps = json_object_get(normalizer, "normalizers");
    if (!normalizer)
        return true;
    if (json_is_array(steps) && json_array_size(steps) == 0)
        return true;
    if (json_is_array(steps) && json_array_size(steps) == 1)
        normalizer = json_array_get(steps, 0);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(type_of(normalizer), forms[i].type) == 0)
            import->normalizer = forms[i].name;
    return import->normalizer ||
           json_unsupported("normalizer", "a byte-level vocabulary cannot express it", normalizer,
                            fault);
}
