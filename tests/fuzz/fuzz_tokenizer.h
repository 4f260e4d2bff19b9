/* fuzz_tokenizer.h: a tokenizer file of any bytes: either a fault of one line, or a vocabulary
 * whose parts agree and which can be written. */
#ifndef LICHEN_FUZZ_TOKENIZER_H
#define LICHEN_FUZZ_TOKENIZER_H

#include "fuzz.h"
#include "tokenizer_table.h"

void fuzz_tokenizer(const uint8_t *bytes, size_t size,
                    bool (*read)(struct tokenizer_import *import, const char *bytes, size_t size,
                                 struct fault *fault));

#endif
