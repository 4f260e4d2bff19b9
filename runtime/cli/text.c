/* text.c: growing text; the filter between what a model or a file says and the terminal. */
#include "text.h"
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

bool text_add(struct text *text, const char *bytes, size_t size, struct fault *fault)
{
    if (size >= SIZE_MAX / 2 - text->size)
        return fault_set(fault, FAULT_MEMORY, "a text grew beyond memory");
    if (text->size + size + 1 > text->capacity) {
        size_t capacity = 2 * (text->size + size + 1);
        char *grown = realloc(text->bytes, capacity);
        if (!grown)
            return fault_set(fault, FAULT_MEMORY, "out of memory for %zu bytes of text", capacity);
        text->bytes = grown;
        text->capacity = capacity;
    }
    if (size)
        memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
    text->bytes[text->size] = 0;
    return true;
}

void text_free(struct text *text)
{
    free(text->bytes);
    *text = (struct text){0};
}

bool text_read(struct text *text, FILE *stream, const char *name, size_t limit, struct fault *fault)
{
    char block[65536];
    size_t size;
    if (!text_add(text, "", 0, fault))
        return false;
    while ((size = fread(block, 1, sizeof block, stream)) > 0) {
        if (size > limit - text->size)
            return fault_set(fault, FAULT_FILE, "%s: larger than %zu bytes", name, limit);
        if (!text_add(text, block, size, fault))
            return false;
    }
    if (ferror(stream))
        return errno == EINTR ? fault_set(fault, FAULT_CANCELLED, "interrupted")
                              : fault_set(fault, FAULT_FILE, "%s: %s", name, strerror(errno));
    return true;
}

bool text_read_path(struct text *text, const char *path, size_t limit, struct fault *fault)
{
    if (!path || strcmp(path, "-") == 0)
        return text_read(text, stdin, "standard input", limit, fault);
    FILE *file = fopen(path, "rb");
    if (!file)
        return fault_set(fault, FAULT_FILE, "%s: %s", path, strerror(errno));
    bool done = text_read(text, file, path, limit, fault);
    fclose(file);
    return done;
}

/* Decodes one character of size bytes at most; returns its length, 0 where it is not UTF-8. */
static size_t decode(const unsigned char *bytes, size_t size, uint32_t *character)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = bytes[0] < 0x80   ? 1
                    : bytes[0] < 0xC2 ? 0
                    : bytes[0] < 0xE0 ? 2
                    : bytes[0] < 0xF0 ? 3
                    : bytes[0] < 0xF5 ? 4
                                      : 0;
    if (length == 0 || length > size)
        return 0;
    uint32_t value = length == 1 ? bytes[0] : bytes[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (bytes[i] & 0x3Fu);
    }
    if (value < least[length] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000))
        return 0;
    *character = value;
    return length;
}

static bool is_control(uint32_t x)
{
    return (x < 0x20 && x != '\n' && x != '\t') || (x >= 0x7F && x < 0xA0);
}

/* Embeddings, overrides and isolates; the plain marks of Arabic and Hebrew text are left alone. */
static bool is_direction(uint32_t x)
{
    return (x >= 0x202A && x <= 0x202E) || (x >= 0x2066 && x <= 0x2069);
}

bool text_add_safe(struct text *text, const char *bytes, size_t size, struct fault *fault)
{
    const unsigned char *at = (const unsigned char *)bytes;
    while (size) {
        uint32_t x = 0;
        size_t length = decode(at, size, &x);
        bool ok = true;
        if (length == 0) {
            length = 1;
            ok = text_add(text, "\xEF\xBF\xBD", 3, fault);
        } else if (is_direction(x)) {
            char name[16];
            int width = snprintf(name, sizeof name, "<U+%04X>", (unsigned)x);
            ok = text_add(text, name, (size_t)width, fault);
        } else if (!is_control(x)) {
            ok = text_add(text, (const char *)at, length, fault);
        }
        if (!ok)
            return false;
        at += length;
        size -= length;
    }
    return true;
}

bool text_print_safe(FILE *stream, const char *bytes, size_t size, struct fault *fault)
{
    struct text safe = {0};
    bool done = text_add_safe(&safe, bytes, size, fault);
    if (done && safe.size)
        fwrite(safe.bytes, 1, safe.size, stream);
    text_free(&safe);
    return done;
}
