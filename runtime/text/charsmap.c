/* charsmap.c: SentencePiece's character map (tokenizer.ggml.precompiled_charsmap; sentencepiece
 * src/normalizer.cc): at every place of a text the longest key that begins there is replaced.
 *
 *   u32 size, a double-array trie of that many bytes, then the replacements, NUL-terminated
 *   trie: u32 units (darts-clone); a key's value is the byte at which its replacement begins */
#include "utf8.h"
#include "vocab.h"

#include <stdlib.h>
#include <string.h>

struct charsmap {
    const uint32_t *units; /* [unit_count] */
    uint32_t unit_count;
    const char *texts; /* [text_size], the last byte is NUL */
    size_t text_size;
};

bool charsmap_read(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault)
{
    const char *key = "tokenizer.ggml.precompiled_charsmap";
    const int32_t *items = NULL; /* the reader widens bytes */
    size_t count = 0;
    if (!gguf_i32_array(gguf, key, false, SIZE_MAX, &items, &count, fault))
        return false;
    if (count == 0)
        return true;
    uint8_t *bytes = arena_alloc(&tokenizer->arena, count, 1);
    struct charsmap *map = arena_alloc(&tokenizer->arena, 1, sizeof *map);
    if (!bytes || !map)
        return vocab_no_memory(fault);
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)items[i];
    uint32_t size = 0;
    for (unsigned i = 0; i < 4 && i < count; i++)
        size |= (uint32_t)bytes[i] << 8 * i;
    if (count < 9 || size < 4 || size % 4 != 0 || size > count - 5 || bytes[count - 1] != 0)
        return fault_set(fault, FAULT_FORMAT, "%s: a trie of %u bytes in %zu", key, size, count);
    uint32_t *units = arena_alloc(&tokenizer->arena, size / 4, sizeof *units);
    if (!units)
        return vocab_no_memory(fault);
    for (uint32_t i = 0; i < size; i++)
        units[i / 4] |= (uint32_t)bytes[4 + i] << 8 * (i % 4);
    *map = (struct charsmap){units, size / 4, (const char *)bytes + 4 + size, count - 4 - size};
    tokenizer->charsmap = map;
    return true;
}

static uint32_t child(uint32_t unit)
{
    return (unit >> 10) << ((unit & 0x200) >> 6);
}

/* The longest key that text begins with: its size in bytes (0 = none) and the replacement. */
static size_t find(const struct charsmap *map, const char *text, size_t size,
                   const char **replacement)
{
    size_t longest = 0;
    uint32_t at = child(map->units[0]);
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = (uint8_t)text[i];
        at ^= byte;
        if (at >= map->unit_count || (map->units[at] & 0x800000FFu) != byte)
            break;
        uint32_t unit = map->units[at];
        at ^= child(unit);
        if (!(unit >> 8 & 1) || at >= map->unit_count)
            continue;
        uint32_t value = map->units[at] & 0x7FFFFFFFu;
        if (value >= map->text_size)
            continue;
        *replacement = map->texts + value;
        longest = i + 1;
    }
    return longest;
}

struct grown {
    char *bytes;
    size_t size, capacity;
};

static bool append(struct grown *grown, const char *bytes, size_t size)
{
    if (grown->capacity - grown->size < size) {
        size_t capacity = 2 * grown->capacity + size + 64;
        char *larger = realloc(grown->bytes, capacity);
        if (!larger)
            return false;
        grown->bytes = larger;
        grown->capacity = capacity;
    }
    memcpy(grown->bytes + grown->size, bytes, size);
    grown->size += size;
    return true;
}

char *charsmap_apply(const struct tokenizer *tokenizer, const char *text, size_t size,
                     size_t *mapped_size)
{
    struct grown grown = {0};
    bool done = append(&grown, "", 1); /* never NULL, also of nothing */
    grown.size = 0;
    for (size_t at = 0, step; done && at < size; at += step) {
        const char *replacement;
        step = find(tokenizer->charsmap, text + at, size - at, &replacement);
        if (step > 0) {
            done = append(&grown, replacement, strlen(replacement));
            continue;
        }
        struct utf8_char next = utf8_read(text + at, size - at);
        step = next.size;
        done = next.state == UTF8_WHOLE ? append(&grown, text + at, step)
                                        : append(&grown, "\xEF\xBF\xBD", 3);
    }
    if (!done) {
        free(grown.bytes);
        return NULL;
    }
    *mapped_size = grown.size;
    return grown.bytes;
}
