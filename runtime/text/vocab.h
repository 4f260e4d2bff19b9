/* vocab.h: the tables of a tokenizer and the functions of its models; for this folder only.
 * Everything is copied out of the GGUF file once, checked, and read-only afterwards. */
#ifndef LICHEN_VOCAB_H
#define LICHEN_VOCAB_H

#include "arena.h"
#include "merge.h"
#include "pretokenize.h"
#include "tokenizer.h"

enum vocab_model {
    MODEL_BPE,       /* "gpt2" */
    MODEL_SPM,       /* "llama" */
    MODEL_UNIGRAM,   /* "t5" */
    MODEL_WORDPIECE, /* "bert" */
};

/* Which stretches of text get a dummy space in front. */
enum space_scheme {
    SPACE_SENTENCEPIECE,   /* each between two control tokens, before user tokens are looked for */
    SPACE_OPENING,         /* the same, but user tokens are found first */
    SPACE_PREPEND,         /* each between two tokens that are found in the text */
    SPACE_METASPACE,       /* the same, unless it begins with a space */
    SPACE_METASPACE_FIRST, /* the start of the text, unless it begins with a space */
};

/* Spellings in byte order: finds the tokens that a text begins with. */
struct prefix_entry {
    struct gguf_string spelling; /* tokenizer's */
    int32_t id;
};
struct prefix_index {
    struct prefix_entry *entries; /* [count], by spelling, then id; arena */
    uint32_t count;
    uint32_t first[257]; /* entries that begin with byte b: first[b] .. first[b + 1] */
};

/* (left id, right id) -> rank and id of the joined token. Open addressing, rank + 1, 0 = empty. */
struct merge_table {
    uint64_t *pairs; /* [mask + 1], left << 32 | right */
    uint32_t *ranks; /* [mask + 1] */
    int32_t *joined; /* [mask + 1] */
    uint64_t mask;
};

struct tokenizer {
    struct arena arena; /* owns every table */
    enum vocab_model model;
    const char *model_name;
    const char *pre_name;
    uint32_t count;
    struct gguf_string *spellings; /* [count] */
    uint8_t *kinds;                /* [count], enum token_kind */
    bool *ends;                    /* [count] */
    uint8_t *strips;               /* [count], STRIP_; NULL = no token takes white space */
    uint32_t *slots;               /* [slot_mask + 1], spelling -> id + 1, 0 = empty */
    uint32_t slot_mask;
    int32_t byte_ids[256]; /* the token of one byte, -1 = none */
    struct tokenizer_specials specials;
    struct prefix_index control; /* control and unknown tokens */
    struct prefix_index user;    /* user-defined tokens */
    struct prefix_index pieces;  /* unigram, WordPiece: what text is made of */
    bool dummy_space;            /* SentencePiece: a text begins with a space */
    enum space_scheme space_scheme;
    const struct charsmap *charsmap; /* SentencePiece, arena; NULL = none */
    bool trim_spaces;                /* SentencePiece: no space at the ends, none doubled */
    /* BPE */
    struct pretokenizer *pre; /* owned */
    struct merge_table merges;
    bool ignore_merges;   /* a whole pre-token that is a token is taken as it is */
    bool raw;             /* symbols are characters, not the letters of GPT-2's byte alphabet */
    bool mark_spaces;     /* U+2581 stands for a space */
    unsigned normal_form; /* utf8proc's options, 0 = text is taken as it is */
    /* SentencePiece BPE, unigram */
    uint32_t *ranks; /* [count], place of the token's score, 0 = highest */
    float *scores;   /* [count] */
    float unknown_score;
    /* WordPiece */
    bool lowercase, strip_accents;
    uint32_t word_chars; /* a longer word is unknown, 0 = no limit */
};

/* A token found in text that takes the white space in front of it or behind it with it. */
enum { STRIP_LEFT = 1, STRIP_RIGHT = 2 };

enum { TOKEN_SIZE_LIMIT = 65536 };
#define KIND_BIT(kind) (1u << (kind))
/* What a text may turn into without being asked for: never control, unknown or byte tokens. */
#define KINDS_TEXT (KIND_BIT(TOKEN_NORMAL) | KIND_BIT(TOKEN_USER_DEFINED) | KIND_BIT(TOKEN_UNUSED))

#define SPACE_MARK "\xE2\x96\x81" /* U+2581, SentencePiece's space */
enum { SPACE_MARK_SIZE = 3 };

bool vocab_no_memory(struct fault *fault); /* records FAULT_MEMORY, returns false */

/* tokens, kinds, spelling -> id. tokenizer->model is set before. */
bool vocab_read(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault);
/* scores and ranks; every score must be finite. */
bool vocab_read_scores(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault);
/* special ids, which tokens end an answer (specials.c). Makes tokens that end an answer control
 * tokens, so that no text turns into them. */
bool specials_read(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault);
/* byte tokens "<0x0A>", by kind and then by spelling. */
bool vocab_read_bytes(struct tokenizer *tokenizer, struct fault *fault);

/* A token of one of the kinds (KIND_BIT) by its spelling, -1 when there is none. */
int32_t vocab_find(const struct tokenizer *tokenizer, const char *bytes, size_t size,
                   unsigned kinds);
/* Text that no token spells: its byte tokens; where one is missing the unknown token, unless that
 * is a control token (no text turns into one), then nothing. */
bool vocab_push_bytes(const struct tokenizer *tokenizer, const char *bytes, size_t size,
                      struct token_list *out, struct fault *fault);
/* "<0x0A>" -> 10, -1 when it is not of this form. */
int vocab_byte_of(struct gguf_string spelling);

bool prefix_index_create(struct tokenizer *tokenizer, unsigned kinds, struct prefix_index *index,
                         struct fault *fault);
/* One step down the index; begin with the whole index. */
struct prefix_walk {
    const struct prefix_index *index;
    uint32_t low, high; /* entries that begin with the bytes walked so far */
    size_t depth;       /* bytes walked */
};
void prefix_walk_begin(struct prefix_walk *walk, const struct prefix_index *index);
/* False when no spelling goes on with byte. */
bool prefix_walk_step(struct prefix_walk *walk, char byte);
/* The token whose spelling is exactly the bytes walked, -1 when there is none. */
int32_t prefix_walk_token(const struct prefix_walk *walk);
/* The longest token that text begins with: its id (-1 = none) and size in bytes. */
int32_t prefix_longest(const struct prefix_index *index, const char *text, size_t size,
                       size_t *token_size);

struct scratch { /* of one call; init by zeroing */
    struct merger merger;
    struct splitter splitter;
    char *spelling; /* [TOKEN_SIZE_LIMIT], BPE's, of a whole pre-token */
};

/* The models. create: reads what the model alone needs. encode: a piece of text without special
 * tokens. */
bool bpe_create(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault);
bool bpe_encode(const struct tokenizer *tokenizer, const char *text, size_t size,
                struct scratch *scratch, struct token_list *out, struct fault *fault);
bool spm_create(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault);
bool spm_encode(const struct tokenizer *tokenizer, const char *text, size_t size,
                struct scratch *scratch, struct token_list *out, struct fault *fault);
bool unigram_create(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault);
bool unigram_encode(const struct tokenizer *tokenizer, const char *text, size_t size,
                    struct scratch *scratch, struct token_list *out, struct fault *fault);
bool wordpiece_create(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault);
bool wordpiece_encode(const struct tokenizer *tokenizer, const char *text, size_t size,
                      struct scratch *scratch, struct token_list *out, struct fault *fault);

/* Spaces around and in stretches of text (space.c). */
struct stretch { /* between two tokens that were found in the text */
    const char *text;
    size_t size;
    bool first_of_all;  /* nothing of the whole text is before it */
    bool opens, closes; /* at the start, the end of what lies between two control tokens */
};
bool space_scheme_read(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault);
bool space_takes_dummy(const struct tokenizer *tokenizer, const struct stretch *stretch);
/* A copy with the dummy space in front and, where the file wants it, no needless spaces; empty when
 * it is the whole text and only a dummy space is left. malloc'd. */
char *space_prepare(const struct tokenizer *tokenizer, const struct stretch *stretch,
                    size_t *prepared_size);
/* Text between two control tokens as SentencePiece normalizes it: the character map, no needless
 * spaces, the dummy space. malloc'd. */
char *space_normalize(const struct tokenizer *tokenizer, const char *text, size_t size,
                      size_t *normal_size);
/* The user-defined token at or behind *at, the leftmost and of those the longest: its id, -1 =
 * none, and *at, *token_size. */
int32_t user_next(const struct tokenizer *tokenizer, const char *text, size_t size, size_t *at,
                  size_t *token_size);

/* Which tokens take white space with them (strip.c). */
bool strips_read(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault);
bool strips_space(const struct tokenizer *tokenizer, int32_t id, uint8_t bit);
/* White space (Unicode's) at the end and at the start of text: its size in bytes. */
size_t space_before(const char *text, size_t size);
size_t space_behind(const char *text, size_t size);

/* Unicode normal forms (normalize.c): which one the file asks for, and valid UTF-8 in that form,
 * malloc'd (NULL and the fault for lack of memory). */
bool normal_form_read(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault);
char *normalize_text(const struct tokenizer *tokenizer, const char *text, size_t size,
                     size_t *normal_size, struct fault *fault);

/* SentencePiece's character map (charsmap.c): reads tokenizer->charsmap, if there is one; text by
 * it, malloc'd. */
bool charsmap_read(struct tokenizer *tokenizer, const struct gguf *gguf, struct fault *fault);
char *charsmap_apply(const struct tokenizer *tokenizer, const char *text, size_t size,
                     size_t *mapped_size);

/* GPT-2's byte alphabet (bpe.c): the character that stands for a byte, and the byte that a
 * character stands for (-1 = none). */
uint32_t byte_to_code(uint8_t byte);
int byte_from_code(uint32_t code);

/* How many spaces at the start of an answer are not the text's own (decode.c): SentencePiece's
 * dummy space, the space in front of WordPiece's first word; all of them where the file trims
 * spaces. */
size_t decode_dummy(const struct tokenizer *tokenizer, const char *bytes, size_t size);

/* SentencePiece (spm.c): text with U+2581 for every space, malloc'd. */
char *spm_mark_spaces(const char *text, size_t size, size_t *marked_size);

#endif
