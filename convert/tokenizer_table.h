/* tokenizer_table.h: what the readers of tokenizer files fill and tokenizer_import.c writes; for
 * the tokenizer_*.c alone. Pieces are spelled as GGUF spells them. Nothing here trusts a file: an
 * id that is used twice, negative or beyond the rows, a piece that occurs twice, are faults. */
#ifndef LICHEN_TOKENIZER_TABLE_H
#define LICHEN_TOKENIZER_TABLE_H

#include "arena.h"
#include "tokenizer_import.h"

enum piece_kind { /* tokenizer.ggml.token_type */
                  PIECE_NONE = 0,
                  PIECE_NORMAL = 1,
                  PIECE_UNKNOWN = 2,
                  PIECE_CONTROL = 3,
                  PIECE_USER_DEFINED = 4,
                  PIECE_UNUSED = 5,
                  PIECE_BYTE = 6,
};

struct piece {
    const char *bytes; /* [size], arena */
    uint32_t size;
    float score;
    enum piece_kind kind; /* PIECE_NONE: no piece has this id */
};

struct piece_pair { /* a merge of two pieces into a third */
    uint32_t left, right, joined;
};

enum tokenizer_special {
    SPECIAL_BOS,
    SPECIAL_EOS,
    SPECIAL_UNKNOWN,
    SPECIAL_SEPARATOR,
    SPECIAL_PADDING,
    SPECIAL_CLS,
    SPECIAL_MASK,
    SPECIAL_COUNT,
};

struct chat_template {
    const char *name; /* "default", ...; arena */
    const char *text; /* arena */
    size_t size;      /* bytes of text */
};

enum { TRI_UNKNOWN = -1, TRI_FALSE = 0, TRI_TRUE = 1 };
enum { PIECE_SIZE_MAX = 65536, PIECE_COUNT_MAX = 1 << 22, IMPORT_FILE_MAX = 16, TEMPLATE_MAX = 32 };

struct tokenizer_import {
    struct arena arena;
    struct tokenizer_hints hints; /* its pointers are not kept */
    struct piece *pieces;         /* [capacity], owned */
    uint32_t count;               /* one more than the highest id */
    uint32_t capacity;
    uint32_t *slots; /* [slot_mask + 1], owned; spelling -> id + 1, 0 = empty */
    uint32_t slot_mask, slot_count;

    struct piece_pair *merges; /* [merge_count], owned, the first is joined first */
    uint32_t merge_count, merge_capacity;
    uint32_t *pair_slots; /* [pair_mask + 1], owned; pair -> index + 1, after merges_settle */
    uint32_t pair_mask;

    const char *model;      /* tokenizer.ggml.model */
    const char *pre;        /* tokenizer.ggml.pre, NULL = none */
    const char *normalizer; /* tokenizer.ggml.normalizer.unicode, "nfc", NULL = none */
    bool has_scores;
    bool model_has_separator; /* what ends a text is [SEP], not eos (WordPiece) */
    const char *charsmap;     /* [charsmap_size], arena, tokenizer.ggml.precompiled_charsmap */
    size_t charsmap_size;
    int64_t specials[SPECIAL_COUNT]; /* -1 = none */
    int add_bos, add_eos;            /* TRI_; add_eos: [SEP] where model_has_separator */
    int add_space_prefix, remove_extra_whitespaces, lowercase, strip_accents;
    const char *space_prefix; /* tokenizer.ggml.space_prefix_scheme, NULL = SentencePiece's */
    uint32_t word_chars;      /* WordPiece: a longer word is unknown, 0 = not said */
    int32_t *ends;            /* [end_count], arena: what ends an answer besides eos */
    uint32_t end_count;

    struct chat_template templates[TEMPLATE_MAX];
    uint32_t template_count;
    const char *files[IMPORT_FILE_MAX]; /* arena */
    uint32_t file_count;
};

bool import_no_memory(struct fault *fault);

/* bytes are copied. */
bool piece_add(struct tokenizer_import *import, const char *bytes, size_t size, int64_t id,
               enum piece_kind kind, float score, struct fault *fault);
/* Its id, -1 when there is none. */
int64_t piece_find(const struct tokenizer_import *import, const char *bytes, size_t size);
/* "<0x0A>" and its like, where they are normal pieces, become PIECE_BYTE. */
void mark_bytes(struct tokenizer_import *import);

/* The merge of two pieces, by their spelling. Both parts and the whole must be pieces. */
bool merge_add(struct tokenizer_import *import, const char *left, size_t left_size,
               const char *right, size_t right_size, struct fault *fault);
/* The same from "left right". */
bool merge_text_add(struct tokenizer_import *import, const char *text, size_t size,
                    struct fault *fault);
/* Of equal pairs only the last stays, as in Hugging Face's map of merges. */
bool merges_settle(struct tokenizer_import *import, struct fault *fault);
/* Place of the merge among all, -1 when the two are not joined. */
int64_t merge_find(const struct tokenizer_import *import, uint32_t left, uint32_t right);
/* True when merges alone make every normal piece out of its characters: then it is all the same
 * whether a pre-token that is a token is taken whole. */
bool merges_reach_all(const struct tokenizer_import *import);
/* Scores out of the order of the merges, such that joining the two neighbours whose piece has the
 * highest score gives what the merges give; proven on every piece. Where a piece shows that it does
 * not, FAULT_UNSUPPORTED. first_mark_only: merges do not go across a U+2581. */
bool scores_from_merges(struct tokenizer_import *import, bool first_mark_only, struct fault *fault);

/* A token that was added to the vocabulary: its kind, and the token where there is none yet; one
 * beyond the embedding is left out, for no model can take it. */
bool added_token(struct tokenizer_import *import, const char *text, size_t size, int64_t id,
                 bool special, struct fault *fault);

/* Loads a file of the folder and notes it. False without a fault when it is not there. */
bool import_load(struct tokenizer_import *import, const char *folder, const char *name,
                 char **bytes, size_t *size, struct fault *fault);

/* The readers. Each fills pieces, merges or scores, model, pre and switches. */
bool tokenizer_json_read(struct tokenizer_import *import, const char *bytes, size_t size,
                         struct fault *fault);
bool tokenizer_spm_read(struct tokenizer_import *import, const char *bytes, size_t size,
                        struct fault *fault);
/* tokenizer_config.json and what else stands beside it: special ids, templates. */
bool tokenizer_config_read(struct tokenizer_import *import, const char *folder,
                           struct fault *fault);

#endif
