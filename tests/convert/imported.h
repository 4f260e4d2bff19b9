/* imported.h: a published tokenizer's files, imported, written as a GGUF file without tensors and
 * read by the runtime. */
#ifndef LICHEN_IMPORTED_H
#define LICHEN_IMPORTED_H

#include "tokenizer.h"
#include "tokenizer_import.h"

/* Hints of a config.json that says nothing. */
struct tokenizer_hints imported_no_hints(void);
/* Writes gguf_path. NULL and the fault when the folder is refused. The caller closes both. */
struct tokenizer *imported_tokenizer(const char *folder, const struct tokenizer_hints *hints,
                                     const char *gguf_path, struct gguf **gguf,
                                     struct fault *fault);

/* Removes the files of a tokenizer from the folder; writes one of them. */
void imported_clear(const char *folder);
void imported_save(const char *folder, const char *name, const void *bytes, size_t size);

#endif
