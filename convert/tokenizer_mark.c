/* tokenizer_mark.c: the normalizer and pre_tokenizer of a tokenizer.json that stems from
 * SentencePiece: how spaces become U+2581 and whether one is put in front. */
#include "tokenizer_json.h"

#include <string.h>

#define MARK "\xE2\x96\x81"

struct marking {
    bool replaced;      /* every space becomes U+2581 */
    bool prepended;     /* by the normalizer: in front of every stretch between added tokens */
    const char *scheme; /* Metaspace's: "always", "first", "never"; NULL = no Metaspace */
    bool cut;           /* Metaspace cuts in front of every U+2581 */
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static bool read_normalizer(const json_t *step, struct marking *marking, struct fault *fault)
{
    const char *type = text_of(step, "type");
    const char *from = text_of(json_object_get(step, "pattern"), "String");
    if (strcmp(type, "Prepend") == 0 && strcmp(text_of(step, "prepend"), MARK) == 0 &&
        !marking->replaced)
        marking->prepended = true;
    else if (strcmp(type, "Replace") == 0 && strcmp(from, " ") == 0 &&
             strcmp(text_of(step, "content"), MARK) == 0)
        marking->replaced = true;
    else
        return json_unsupported("normalizer", "a vocabulary of pieces cannot express it", step,
                                fault);
    return true;
}

static bool read_normalizers(const json_t *normalizer, struct marking *marking, struct fault *fault)
{
    const json_t *steps = json_object_get(normalizer, "normalizers"), *step;
    size_t i;
    if (!normalizer)
        return true;
    if (!json_is_array(steps))
        return read_normalizer(normalizer, marking, fault);
    json_array_foreach(steps, i, step)
    {
        if (!read_normalizer(step, marking, fault))
            return false;
    }
    return true;
}

static bool read_metaspace(const json_t *step, struct marking *marking, struct fault *fault)
{
    const json_t *split = json_object_get(step, "split");
    const json_t *prefix = json_object_get(step, "add_prefix_space");
    marking->scheme = text_of(step, "prepend_scheme");
    if (!*marking->scheme) /* files before that option */
        marking->scheme = json_is_false(prefix) ? "never" : "always";
    marking->cut = !json_is_false(split);
    if (strcmp(text_of(step, "replacement"), MARK) != 0)
        return json_unsupported("pre_tokenizer", "another mark than U+2581", step, fault);
    marking->replaced = true;
    return true;
}

/* Gemma cuts at spaces when there are none any more. */
static bool cuts_nothing(const json_t *step, const struct marking *marking)
{
    return marking->replaced && strcmp(text_of(step, "type"), "Split") == 0 &&
           strcmp(text_of(json_object_get(step, "pattern"), "String"), " ") == 0;
}

static bool read_pre_tokenizer(const json_t *step, struct marking *marking, struct fault *fault)
{
    if (!step || cuts_nothing(step, marking))
        return true;
    if (strcmp(text_of(step, "type"), "Metaspace") == 0 && !marking->prepended)
        return read_metaspace(step, marking, fault);
    return json_unsupported("pre_tokenizer", "lichen does not know it in front of pieces", step,
                            fault);
}

static bool has_user_tokens(const struct tokenizer_import *import)
{
    for (uint32_t id = 0; id < import->count; id++)
        if (import->pieces[id].kind == PIECE_USER_DEFINED)
            return true;
    return false;
}

bool json_mark_read(struct tokenizer_import *import, const struct tokenizer_json *json, bool *cut,
                    struct fault *fault)
{
    struct marking marking = {.scheme = NULL};
    if (!read_normalizers(json->normalizer, &marking, fault) ||
        !read_pre_tokenizer(json->pre_tokenizer, &marking, fault))
        return false;
    if (!marking.replaced)
        return fault_set(fault, FAULT_UNSUPPORTED,
                         "neither byte-level nor with U+2581 for spaces: lichen does not know this "
                         "kind of BPE");
    *cut = marking.cut;
    bool first = marking.scheme && strcmp(marking.scheme, "first") == 0;
    bool always = marking.scheme && strcmp(marking.scheme, "always") == 0;
    import->add_space_prefix = marking.prepended || first || always;
    import->remove_extra_whitespaces = TRI_FALSE;
    if (first)
        import->space_prefix = "metaspace-first";
    else if (always)
        import->space_prefix = "metaspace";
    else if (marking.prepended && has_user_tokens(import))
        import->space_prefix = "prepend";
    return true;
}
