/* pretokenize.h: cuts text into the pre-tokens inside which byte-level BPE joins bytes, by the
 * patterns that tokenizer.ggml.pre names. Patterns run one after another, each on the pieces of the
 * one before; what a pattern does not match becomes a piece of its own ("isolated" splitting).
 * The names are llama.cpp's (src/llama-vocab.cpp), the patterns those of the tokenizer.json files
 * that the names stand for. */
#ifndef LICHEN_PRETOKENIZE_H
#define LICHEN_PRETOKENIZE_H

#include "fault.h"
#include <stddef.h>
#include <stdint.h>

enum pre_flag {
    PRE_IGNORE_MERGES = 1, /* a pre-token that is a token is taken whole */
    PRE_ADD_BOS = 2,       /* add_bos_token where the file is silent */
    PRE_RAW = 4,           /* BPE over characters, not over GPT-2's byte alphabet */
    PRE_MARK_SPACES = 8,   /* U+2581 for space, before the patterns */
    PRE_NO_MERGES = 16,    /* the file may have no merges */
};

struct pretokenizer;

/* name: NUL-terminated; "" = the file names none, then "default" as in llama.cpp. An unknown name
 * is a fault. */
bool pretokenizer_create(const char *name, struct pretokenizer **out, struct fault *fault);
void pretokenizer_destroy(struct pretokenizer *pretokenizer); /* NULL is allowed */
unsigned pretokenizer_flags(const struct pretokenizer *pretokenizer);

struct piece_list {
    uint32_t *ends; /* [count], bytes from the start of the text, ascending; the last = its size */
    size_t count;
    size_t capacity;
};

struct splitter { /* the result and scratch of one thread; init by zeroing */
    struct piece_list pieces;
    struct piece_list other;
    struct matcher *matcher;
};
void splitter_free(struct splitter *splitter);

/* Puts the pieces of size bytes of valid UTF-8 (size below 2^31) in splitter->pieces. Fails for
 * lack of memory or when a pattern reaches its match limit. */
bool pretokenizer_split(const struct pretokenizer *pretokenizer, const char *text, size_t size,
                        struct splitter *splitter, struct fault *fault);

#endif
