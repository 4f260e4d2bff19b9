/* tokenizer.h: text to token ids and back, from the vocabulary in a GGUF file's metadata
 * (tokenizer.ggml.*). Three models: byte-level BPE ("gpt2", with a pre-tokenizer named by
 * tokenizer.ggml.pre), SentencePiece ("llama": BPE by scores with byte fallback; "t5": unigram),
 * WordPiece ("bert"). Immutable after create; safe to share between threads.
 *
 * User text can never become a control token: control and unknown tokens are recognised only where
 * the caller says `special`, and a token that ends answers is made a control token whatever kind
 * the file gives it. User-defined tokens (runs of spaces, "<tool_call>") are always recognised. */
#ifndef LICHEN_TOKENIZER_H
#define LICHEN_TOKENIZER_H

#include "gguf.h"

struct tokenizer;

enum token_kind { /* tokenizer.ggml.token_type */
    TOKEN_NORMAL = 1,
    TOKEN_UNKNOWN = 2,
    TOKEN_CONTROL = 3,
    TOKEN_USER_DEFINED = 4,
    TOKEN_UNUSED = 5,
    TOKEN_BYTE = 6,
};

struct token_list { /* grows; init by zeroing, free by token_list_free */
    int32_t *ids;
    size_t count;
    size_t capacity;
};

bool token_list_push(struct token_list *list, int32_t id, struct fault *fault);
void token_list_free(struct token_list *list);

/* A missing or contradictory vocabulary, an unknown model or an unknown `pre` is a fault that
 * names it (never guessed). */
bool tokenizer_create(const struct gguf *gguf, struct tokenizer **out, struct fault *fault);
void tokenizer_destroy(struct tokenizer *tokenizer); /* NULL is allowed */

uint32_t tokenizer_count(const struct tokenizer *tokenizer);
const char *tokenizer_model(const struct tokenizer *tokenizer); /* "gpt2", "llama", "bert", "t5" */
const char *tokenizer_pre(const struct tokenizer *tokenizer);   /* "smollm", "" when none */
enum token_kind tokenizer_kind(const struct tokenizer *tokenizer, int32_t id);
/* The token as the file spells it ("Ġthe", "▁the", "<0x0A>"). id must be < count. */
struct gguf_string tokenizer_spelling(const struct tokenizer *tokenizer, int32_t id);
/* id of a token by its spelling, -1 when there is none. */
int32_t tokenizer_find(const struct tokenizer *tokenizer, const char *bytes, size_t size);

/* Special ids, -1 when the file has none. */
struct tokenizer_specials {
    int32_t bos, eos, eot, eom, unknown, separator, padding, mask, cls;
    bool add_bos, add_eos; /* defaults of the model kind where the file is silent */
};
const struct tokenizer_specials *tokenizer_specials(const struct tokenizer *tokenizer);
/* True for every token that ends an answer: eos, eot, eom and control tokens with the well-known
 * spellings ("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<|end|>", "<eom>", ...). */
bool tokenizer_ends(const struct tokenizer *tokenizer, int32_t id);

struct tokenize_options {
    bool bos;     /* add BOS/CLS and EOS/SEP as the file says (add_bos_token, add_eos_token) */
    bool special; /* spellings of control tokens in the text become those tokens */
};

/* Appends the ids of size bytes of text. Text that is not UTF-8 is tokenized byte by byte where it
 * is broken (WordPiece has no bytes and drops them). What no token spells becomes the unknown
 * token, or nothing where the vocabulary has none that is not a control token. Fails only for lack
 * of memory, a match limit or a text above 256 MiB (fault says which). Byte-level BPE is
 * O(n log n) per pre-token; 1 MB of any one character takes < 1 s. */
bool tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t size,
                      struct tokenize_options options, struct token_list *out,
                      struct fault *fault);

/* Length in bytes of the control token's spelling that text begins with (the longest), 0 = none. */
size_t tokenizer_control_at(const struct tokenizer *tokenizer, const char *text, size_t size);

struct text_range {
    size_t offset, size; /* bytes */
};

/* A rendered chat: like tokenizer_encode with special, without bos, except that no control token
 * is recognised where it would touch one of the plain ranges (ascending, what a person typed). */
bool tokenizer_encode_chat(const struct tokenizer *tokenizer, const char *text, size_t size,
                           const struct text_range *plain, size_t plain_count,
                           struct token_list *out, struct fault *fault);

/* Writes the bytes of one token as it stands inside a text (a SentencePiece "▁" becomes a space, a
 * byte token its byte). Control tokens give nothing unless special. Returns the number of bytes,
 * which may be larger than capacity; then nothing is written. The leading dummy space of
 * SentencePiece is removed by stream.h, which knows what came first. */
size_t tokenizer_decode(const struct tokenizer *tokenizer, int32_t id, bool special, char *dst,
                        size_t capacity);

/* Whole lists: malloc'd bytes with a NUL behind them; drops the dummy prefix space and, for
 * WordPiece, tidies the spaces around punctuation. */
bool tokenizer_decode_all(const struct tokenizer *tokenizer, const int32_t *ids, size_t count,
                          bool special, char **text, size_t *size, struct fault *fault);

#endif
