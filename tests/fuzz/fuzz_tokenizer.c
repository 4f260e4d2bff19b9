/* fuzz_tokenizer.c: see fuzz_tokenizer.h. */
#include "fuzz_tokenizer.h"

#include <stdlib.h>
#include <string.h>

/* assert without NDEBUG */
static void must(bool condition)
{
    if (!condition)
        abort();
}

static void check(const struct tokenizer_import *import)
{
    must(import->model != NULL && import->count > 0);
    for (uint32_t id = 0; id < import->count; id++) {
        const struct piece *piece = &import->pieces[id];
        must(piece->kind >= PIECE_NORMAL && piece->kind <= PIECE_BYTE);
        must(piece_find(import, piece->bytes, piece->size) == id);
    }
    for (uint32_t i = 0; i < import->merge_count; i++) {
        const struct piece_pair *pair = &import->merges[i];
        must(pair->left < import->count && pair->right < import->count &&
             pair->joined < import->count);
        must(import->pieces[pair->left].size + import->pieces[pair->right].size ==
             import->pieces[pair->joined].size);
    }
    for (int i = 0; i < SPECIAL_COUNT; i++)
        must(import->specials[i] < (int64_t)import->count);
}

/* Writing may meet a limit of GGUF, but nothing else. */
static void put(const struct tokenizer_import *import)
{
    struct gguf_writer *writer = NULL;
    struct fault fault = {0};
    must(gguf_writer_create(&writer, &fault));
    if (!tokenizer_import_put(import, writer, &fault))
        must(fault.kind != FAULT_NONE);
    gguf_writer_destroy(writer);
}

void fuzz_tokenizer(const uint8_t *bytes, size_t size,
                    bool (*read)(struct tokenizer_import *import, const char *bytes, size_t size,
                                 struct fault *fault))
{
    const struct tokenizer_hints hints = {"llama", "qwen", 4096, 1, 2, 3, NULL, 0};
    struct fault fault = {0};
    struct tokenizer_import *import = import_create(&hints, &fault);
    must(import != NULL);
    if (read(import, (const char *)bytes, size, &fault) && import_finish(import, &fault)) {
        must(fault.kind == FAULT_NONE);
        check(import);
        put(import);
    } else {
        must(fault.kind != FAULT_NONE && fault.text[0] != 0);
        must(memchr(fault.text, '\n', strlen(fault.text)) == NULL);
    }
    tokenizer_import_close(import);
}
