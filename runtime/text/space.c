/* space.c: the spaces of SentencePiece and its relatives: which stretch of text gets a dummy space
 * in front, which needless ones go. */
#include "vocab.h"

#include <stdlib.h>
#include <string.h>

/* lichen's key; absent: as SentencePiece does. */
bool space_scheme_read(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault)
{
    const char *key = "tokenizer.ggml.space_prefix_scheme";
    struct gguf_string name = {"", 0};
    if (!gguf_text(gguf, key, false, &name, fault))
        return false;
    static const char *const names[] = {
        [SPACE_SENTENCEPIECE] = "",
        [SPACE_OPENING] = "opening",
        [SPACE_PREPEND] = "prepend",
        [SPACE_METASPACE] = "metaspace",
        [SPACE_METASPACE_FIRST] = "metaspace-first",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (name.size == strlen(names[i]) && memcmp(name.bytes, names[i], name.size) == 0) {
            tokenizer->space_scheme = (enum space_scheme)i;
            return true;
        }
    }
    return fault_set(fault, FAULT_UNSUPPORTED, "%s: lichen does not know \"%.*s\"", key,
                     name.size < 60 ? (int)name.size : 60, name.bytes);
}

bool space_takes_dummy(const struct tokenizer *tokenizer, const struct stretch *stretch)
{
    bool marked = stretch->size > 0 && (stretch->text[0] == ' ' ||
                                        (stretch->size >= SPACE_MARK_SIZE &&
                                         memcmp(stretch->text, SPACE_MARK, SPACE_MARK_SIZE) == 0));
    if (!tokenizer->dummy_space)
        return false;
    switch (tokenizer->space_scheme) {
    case SPACE_SENTENCEPIECE:
    case SPACE_OPENING: /* also in front of a token that opens the text */
        return stretch->opens;
    case SPACE_PREPEND:
        return stretch->size > 0;
    case SPACE_METASPACE:
        return stretch->size > 0 && !marked;
    case SPACE_METASPACE_FIRST:
        return stretch->size > 0 && !marked && stretch->first_of_all;
    }
    return false;
}

/* The size without the spaces at the end, of which only start bytes stay. SentencePiece takes away
 * U+2581 that the text itself has as well. */
static size_t without_spaces(const char *text, size_t start, size_t size)
{
    for (;;) {
        if (size > start && text[size - 1] == ' ')
            size--;
        else if (size >= start + SPACE_MARK_SIZE &&
                 memcmp(text + size - SPACE_MARK_SIZE, SPACE_MARK, SPACE_MARK_SIZE) == 0)
            size -= SPACE_MARK_SIZE;
        else
            return size;
    }
}

char *space_prepare(const struct tokenizer *tokenizer, const struct stretch *stretch,
                    size_t *prepared_size)
{
    char *prepared = malloc(stretch->size + 2);
    if (!prepared)
        return NULL;
    size_t used = 0, start = space_takes_dummy(tokenizer, stretch);
    if (start > 0)
        prepared[used++] = ' ';
    bool behind_space = stretch->opens;
    for (size_t i = 0; i < stretch->size; i++) {
        bool space = stretch->text[i] == ' ';
        if (!tokenizer->trim_spaces || !space || !behind_space)
            prepared[used++] = stretch->text[i];
        behind_space = space;
    }
    if (tokenizer->trim_spaces && stretch->closes)
        used = without_spaces(prepared, start, used);
    *prepared_size = used > start || !stretch->closes ? used : 0;
    return prepared;
}

int32_t user_next(const struct tokenizer *tokenizer, const char *text, size_t size, size_t *at,
                  size_t *token_size)
{
    for (; *at < size && tokenizer->user.count > 0; ++*at) {
        int32_t id = prefix_longest(&tokenizer->user, text + *at, size - *at, token_size);
        if (id >= 0)
            return id;
    }
    return -1;
}

/* The text by the character map, which leaves user-defined tokens alone; malloc'd. */
static char *map_between(const struct tokenizer *tokenizer, const char *text, size_t size,
                         size_t *mapped_size)
{
    char *mapped = NULL;
    size_t used = 0;
    for (size_t at = 0, done = 0, token_size = 0;; done = at) {
        int32_t id = user_next(tokenizer, text, size, &at, &token_size);
        size_t part_size, end = id < 0 ? size : at;
        char *part = charsmap_apply(tokenizer, text + done, end - done, &part_size);
        char *grown = part ? realloc(mapped, used + part_size + token_size + 1) : NULL;
        if (!grown) {
            free(part);
            free(mapped);
            return NULL;
        }
        mapped = grown;
        memcpy(mapped + used, part, part_size);
        free(part);
        used += part_size;
        *mapped_size = used;
        if (id < 0)
            return mapped;
        memcpy(mapped + used, text + at, token_size);
        used += token_size;
        at += token_size;
    }
}

char *space_normalize(const struct tokenizer *tokenizer, const char *text, size_t size,
                      size_t *normal_size)
{
    struct stretch whole = {text, size, true, true, true};
    char *mapped = NULL;
    if (tokenizer->charsmap) {
        mapped = map_between(tokenizer, text, size, &whole.size);
        if (!mapped)
            return NULL;
        whole.text = mapped;
    }
    char *normal = space_prepare(tokenizer, &whole, normal_size);
    free(mapped);
    return normal;
}
