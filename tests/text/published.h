/* published.h: tokenizers of the published files in ../shared/golden, which are read in place. */
#ifndef LICHEN_PUBLISHED_H
#define LICHEN_PUBLISHED_H

#include "tokenizer.h"

#define GOLDEN LICHEN_SHARED "/golden/"

/* A tokenizer by a short name: "gpt-2", "llama-bpe", "qwen2", "minimind", ... NULL when its files
 * are not there. A file that is there and is refused fails the test. */
struct tokenizer *published_tokenizer(const char *name);

#endif
