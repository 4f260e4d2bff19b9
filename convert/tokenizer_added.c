/* tokenizer_added.c: tokens that were added to a vocabulary: in a tokenizer.json, in
 * added_tokens.json and in tokenizer_config.json's added_tokens_decoder. */
#include "tokenizer_table.h"

#include <stdlib.h>
#include <string.h>

/* What llama.cpp's converter takes for a control token whatever the file says of it: a person must
 * not be able to type it. */
static bool looks_special(const char *text, size_t size)
{
    static const char *const whole[] = {"<pad>", "<mask>", "<2mass>", "[@BOS@]",
                                        /* MOSS: the marks that end the parts of a turn */
                                        "<eoh>", "<eom>", "<eot>", "<eoc>", "<eor>"};
    static const struct {
        const char *start, *end;
    } brackets[] = {{"<|", "|>"}, {"<｜", "｜>"}, {"<unused", ">"}};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (size == strlen(whole[i]) && memcmp(text, whole[i], size) == 0)
            return true;
    for (size_t i = 0; i < sizeof brackets / sizeof *brackets; i++) {
        size_t start = strlen(brackets[i].start), end = strlen(brackets[i].end);
        if (size >= start + end && memcmp(text, brackets[i].start, start) == 0 &&
            memcmp(text + size - end, brackets[i].end, end) == 0)
            return true;
    }
    return false;
}

bool added_token(struct tokenizer_import *import, const char *text, size_t size, int64_t id,
                 unsigned flags, struct fault *fault)
{
    int64_t found = piece_find(import, text, size);
    enum piece_kind kind =
        (flags & ADDED_SPECIAL) || looks_special(text, size) ? PIECE_CONTROL : PIECE_USER_DEFINED;
    if (size == 0)
        return fault_set(fault, FAULT_FORMAT, "an added token without text, id %lld",
                         (long long)id);
    if (found >= 0 && found != id)
        return fault_set(fault, FAULT_FORMAT, "token \"%.*s\": id %lld, and %lld as added token",
                         size < 60 ? (int)size : 60, text, (long long)found, (long long)id);
    if (found >= 0) {
        enum piece_kind *have = &import->pieces[found].kind;
        if (*have == PIECE_NORMAL || *have == PIECE_USER_DEFINED || *have == PIECE_UNUSED)
            *have = kind;
        import->pieces[found].strips |= flags & (ADDED_LSTRIP | ADDED_RSTRIP);
        return true;
    }
    if (import->hints.vocab_size > 0 && id >= import->hints.vocab_size)
        return true;
    if (!piece_add(import, text, size, id, kind, 0, fault))
        return false;
    import->pieces[id].strips = flags & (ADDED_LSTRIP | ADDED_RSTRIP);
    return true;
}

bool added_flags(const json_t *item, unsigned *flags, struct fault *fault)
{
    *flags = json_is_true(json_object_get(item, "special")) ? ADDED_SPECIAL : 0;
    *flags |= json_is_true(json_object_get(item, "lstrip")) ? ADDED_LSTRIP : 0;
    *flags |= json_is_true(json_object_get(item, "rstrip")) ? ADDED_RSTRIP : 0;
    if (!json_is_true(json_object_get(item, "single_word")))
        return true;
    const char *text = json_string_value(json_object_get(item, "content"));
    return fault_set(fault, FAULT_UNSUPPORTED,
                     "added token \"%.60s\": single_word, which lichen does not do",
                     text ? text : "");
}
