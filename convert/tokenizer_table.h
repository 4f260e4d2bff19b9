/* tokenizer_table.h: what the readers of tokenizer files fill and tokenizer_import.c writes; for
 * the tokenizer_*.c alone. Pieces are spelled as GGUF spells them. Nothing here trusts a file: an
 * id that is used twice, negative or beyond the rows, a piece that occurs twice, are faults. */
#ifndef LICHEN_TOKENIZER_TABLE_H
#define LICHEN_TOKENIZER_TABLE_H

#include "arena.h"
#include "tokenizer_import.h"
#include <jansson.h>

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
    unsigned strips;      /* ADDED_LSTRIP, ADDED_RSTRIP */
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

    const char *model;        /* tokenizer.ggml.model */
    const char *pre;          /* tokenizer.ggml.pre, NULL = none */
    const char *normalizer;   /* tokenizer.ggml.normalizer.unicode, "nfc", NULL = none */
    bool from_json, from_ice; /* a tokenizer.json, ice_text.model */
    bool has_scores;
    bool model_has_separator; /* what ends a text is [SEP], not eos (WordPiece) */
    const char *charsmap;     /* [charsmap_size], arena, tokenizer.ggml.precompiled_charsmap */
    size_t charsmap_size;
    int64_t specials[SPECIAL_COUNT]; /* -1 = none */
    int add_bos, add_eos;            /* TRI_; add_eos: [SEP] where model_has_separator */
    int add_space_prefix, remove_extra_whitespaces, lowercase, strip_accents;
    int ignore_merges;        /* TRI_UNKNOWN: as pre has it */
    const char *space_prefix; /* tokenizer.ggml.space_prefix_scheme, NULL = SentencePiece's */
    uint32_t word_chars;      /* WordPiece: a longer word is unknown, 0 = not said */
    int32_t *ends;            /* [end_count], arena: what ends an answer besides eos */
    uint32_t end_count;

    json_t *config; /* tokenizer_config.json, owned; NULL = there is none */
    json_t *map;    /* special_tokens_map.json, the same */

    struct chat_template templates[TEMPLATE_MAX];
    uint32_t template_count;
    const char *files[IMPORT_FILE_MAX]; /* arena */
    uint32_t file_count;
};

bool import_no_memory(struct fault *fault);

/* Empty, for a reader to fill; closed by tokenizer_import_close. */
struct tokenizer_import *import_create(const struct tokenizer_hints *hints, struct fault *fault);
/* After the readers: special ids of the hints, padding. */
bool import_finish(struct tokenizer_import *import, struct fault *fault);

/* bytes are copied. */
bool piece_add(struct tokenizer_import *import, const char *bytes, size_t size, int64_t id,
               enum piece_kind kind, float score, struct fault *fault);
/* Its id, -1 when there is none. */
int64_t piece_find(const struct tokenizer_import *import, const char *bytes, size_t size);
/* "<0x0A>" and its like, where they are normal pieces, become PIECE_BYTE. */
void mark_bytes(struct tokenizer_import *import);

/* Another spelling for a piece; the pieces are found by the new ones after pieces_reindex. */
bool piece_respell(struct tokenizer_import *import, uint32_t id, const char *bytes, size_t size,
                   struct fault *fault);
bool pieces_reindex(struct tokenizer_import *import, struct fault *fault);

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
/* Merges out of the ids, where the id is the rank: each normal piece of more than one character is
 * joined out of the two parts that its characters come down to by pairs of a lower id (tiktoken).
 * *missed: the first that comes down to more, which only a pre-token as a whole can be; -1 = none.
 */
bool merges_from_ids(struct tokenizer_import *import, int64_t *missed, struct fault *fault);
/* Scores out of the order of the merges, such that joining the two neighbours whose piece has the
 * highest score gives what the merges give; proven on every piece. Where a piece shows that it does
 * not, FAULT_UNSUPPORTED. first_mark_only: merges do not go across a U+2581. */
bool scores_from_merges(struct tokenizer_import *import, bool first_mark_only, struct fault *fault);

enum added_flag {
    ADDED_SPECIAL = 1,
    ADDED_LSTRIP = 2, /* takes the white space in front of it, behind it */
    ADDED_RSTRIP = 4,
};

/* A token that was added to the vocabulary: its kind, and the token where there is none yet; one
 * beyond the embedding is left out, for no model can take it. flags: enum added_flag. */
bool added_token(struct tokenizer_import *import, const char *text, size_t size, int64_t id,
                 unsigned flags, struct fault *fault);
/* The flags of an entry of added_tokens or added_tokens_decoder; what lichen cannot express is
 * FAULT_UNSUPPORTED. */
bool added_flags(const json_t *item, unsigned *flags, struct fault *fault);

/* Loads a file of the folder and notes it. False without a fault when it is not there. */
bool import_load(struct tokenizer_import *import, const char *folder, const char *name,
                 char **bytes, size_t *size, struct fault *fault);

/* The readers. Each fills pieces, merges or scores, model, pre and switches. */
bool tokenizer_json_read(struct tokenizer_import *import, const char *bytes, size_t size,
                         struct fault *fault);
bool tokenizer_spm_read(struct tokenizer_import *import, const char *bytes, size_t size,
                        struct fault *fault);
/* "base64 rank" a line. */
bool tokenizer_tiktoken_read(struct tokenizer_import *import, const char *bytes, size_t size,
                             struct fault *fault);
bool tokenizer_is_tiktoken(const char *bytes, size_t size);
/* vocab.json; its merges are in another file. */
bool tokenizer_vocab_read(struct tokenizer_import *import, const char *bytes, size_t size,
                          struct fault *fault);
bool tokenizer_merges_read(struct tokenizer_import *import, const char *bytes, size_t size,
                           struct fault *fault);
/* A chat template, unless there is one of that name. */
bool template_add(struct tokenizer_import *import, const char *name, const char *text, size_t size,
                  struct fault *fault);
/* ChatGLM-6B's, which no file of its folder has. */
bool tokenizer_ice_template(struct tokenizer_import *import, struct fault *fault);
/* ice_text.model of ChatGLM-6B, a SentencePiece model with names for spaces, tabs and line ends. */
bool tokenizer_ice_read(struct tokenizer_import *import, const char *bytes, size_t size,
                        struct fault *fault);

/* What stands beside the vocabulary: open before the vocabulary is read, for it may say which kind
 * it is; then its added tokens, special ids and templates. */
bool tokenizer_config_open(struct tokenizer_import *import, const char *folder,
                           struct fault *fault);
bool tokenizer_config_apply(struct tokenizer_import *import, const char *folder,
                            struct fault *fault);
/* Control tokens whose names only the code of a model has (ChatGLM2 to 4, Qwen 1). */
bool tokenizer_names_add(struct tokenizer_import *import, struct fault *fault);
/* tokenizer_class, "" when it is not said. */
const char *tokenizer_class(const struct tokenizer_import *import);

#endif
