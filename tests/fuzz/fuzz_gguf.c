/* fuzz_gguf.c: any bytes as a GGUF file. What is accepted must hold together: every tensor inside
 * the file and found by its name, every entry readable by a getter or refused with a fault. */
#include "fuzz.h"

#include "gguf.h"

#include <stdlib.h>
#include <string.h>

/* assert without NDEBUG */
static void must(bool condition)
{
    if (!condition)
        abort();
}

static void check_tensors(const struct gguf *gguf)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < gguf_tensor_count(gguf); i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(gguf, i);
        must(gguf_tensor_find(gguf, tensor->name) == tensor);
        must(dtype_find(tensor->dtype) != NULL);
        must(tensor->offset >= end && tensor->offset % gguf_alignment(gguf) == 0);
        must(tensor->size > 0 && tensor->size <= gguf_size(gguf) - tensor->offset);
        end = tensor->offset + tensor->size;
        must(!gguf_read(gguf, tensor, tensor->size, &(char){0}, 1, NULL));
    }
}

static void touch(const void *bytes, size_t size)
{
    static volatile uint8_t sum;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)bytes)[i]);
}

static void get_arrays(const struct gguf *gguf, const struct gguf_entry *entry)
{
    const char *key = entry->key;
    const int32_t *i32s;
    const float *f32s;
    const struct gguf_string *texts;
    size_t count;
    if (gguf_i32_array(gguf, key, true, (size_t)entry->count, &i32s, &count, NULL))
        touch(i32s, count * sizeof *i32s);
    if (gguf_f32_array(gguf, key, true, (size_t)entry->count, &f32s, &count, NULL))
        touch(f32s, count * sizeof *f32s);
    if (gguf_text_array(gguf, key, true, (size_t)entry->count, &texts, &count, NULL))
        for (size_t i = 0; i < count; i++)
            touch(texts[i].bytes, texts[i].size);
}

static void check_entry(const struct gguf *gguf, const struct gguf_entry *entry)
{
    const char *key = entry->key;
    struct fault fault = {0};
    uint32_t u32;
    uint64_t u64;
    float f32;
    bool flag;
    struct gguf_string text;
    char line[24];
    must(gguf_entry_find(gguf, key) == entry);
    must(gguf_u32(gguf, key, true, &u32, &fault) == (fault.kind == FAULT_NONE));
    gguf_u64(gguf, key, true, &u64, NULL);
    gguf_f32(gguf, key, true, &f32, NULL);
    gguf_bool(gguf, key, true, &flag, NULL);
    if (gguf_text(gguf, key, true, &text, NULL))
        touch(text.bytes, text.size);
    get_arrays(gguf, entry);
    for (uint64_t item = 0; item < entry->count && item < 16; item++) {
        gguf_format(gguf, entry, item, line, sizeof line);
        must(memchr(line, 0, sizeof line) != NULL);
    }
}

static void parse(const uint8_t *bytes, size_t size, uint64_t file_size)
{
    struct gguf *gguf;
    struct fault fault = {0};
    if (!gguf_parse(bytes, size, file_size, &gguf, &fault)) {
        must(!gguf && fault.kind != FAULT_NONE && fault.text[0] != 0);
        must(memchr(fault.text, '\n', strlen(fault.text)) == NULL);
        return;
    }
    must(fault.kind == FAULT_NONE);
    check_tensors(gguf);
    for (uint32_t i = 0; i < gguf_entry_count(gguf); i++)
        check_entry(gguf, gguf_entry_at(gguf, i));
    gguf_close(gguf);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    parse(bytes, size, size);
    parse(bytes, size, (uint64_t)size + (1 << 20)); /* as if the tensors' data followed */
    return 0;
}
