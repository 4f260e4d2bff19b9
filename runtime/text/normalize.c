/* normalize.c: Unicode normal forms, where the vocabulary was made of normalized text:
 * tokenizer.ggml.normalizer.unicode = "nfc", "nfd", "nfkc" or "nfkd" (lichen's key; Hugging Face's
 * normalizers of these names). The work is utf8proc's. */
#include "vocab.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

bool normal_form_read(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault)
{
    static const struct {
        const char *name;
        unsigned options;
    } forms[] = {{"nfc", UTF8PROC_STABLE | UTF8PROC_COMPOSE},
                 {"nfd", UTF8PROC_STABLE | UTF8PROC_DECOMPOSE},
                 {"nfkc", UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT},
                 {"nfkd", UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT}};
    const char *key = "tokenizer.ggml.normalizer.unicode";
    struct gguf_string name = {"", 0};
    if (!gguf_text(gguf, key, false, &name, fault))
        return false;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (name.size == strlen(forms[i].name) && memcmp(name.bytes, forms[i].name, name.size) == 0)
            tokenizer->normal_form = forms[i].options;
    return tokenizer->normal_form || name.size == 0 ||
           fault_set(fault, FAULT_UNSUPPORTED, "%s: \"%.*s\", lichen knows nfc, nfd, nfkc, nfkd",
                     key, name.size < 60 ? (int)name.size : 60, name.bytes);
}

/* How much at the start of text no form changes: ASCII, but its last character, with which a mark
 * behind it may join. */
static size_t unchanged(const char *text, size_t size)
{
    size_t count = 0;
    while (count < size && (unsigned char)text[count] < 0x80)
        count++;
    return count < size && count > 0 ? count - 1 : count;
}

char *normalize_text(const struct tokenizer *tokenizer, const char *text, size_t size,
                     size_t *normal_size, struct fault *fault)
{
    size_t same = unchanged(text, size);
    utf8proc_uint8_t *rest = NULL;
    utf8proc_ssize_t rest_size = 0;
    if (same < size) {
        rest_size =
            utf8proc_map((const utf8proc_uint8_t *)text + same, (utf8proc_ssize_t)(size - same),
                         &rest, (utf8proc_option_t)tokenizer->normal_form);
        if (rest_size < 0) {
            fault_set(fault, rest_size == UTF8PROC_ERROR_NOMEM ? FAULT_MEMORY : FAULT_FORMAT,
                      "tokenizer: the text cannot be normalized: %s", utf8proc_errmsg(rest_size));
            return NULL;
        }
    }
    char *normal = malloc(same + (size_t)rest_size + 1);
    if (!normal)
        vocab_no_memory(fault);
    if (normal) {
        memcpy(normal, text, same);
        if (rest_size > 0)
            memcpy(normal + same, rest, (size_t)rest_size);
        *normal_size = same + (size_t)rest_size;
    }
    free(rest);
    return normal;
}
