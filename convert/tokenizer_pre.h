/* tokenizer_pre.h: which tokenizer.ggml.pre stands for a tokenizer.json's pre_tokenizer. The
 * pre_tokenizer is told as a list of patterns that run one after another, each cutting out what it
 * matches, and looked up in a table of published ones; the runtime has the same under these names.
 */
#ifndef LICHEN_TOKENIZER_PRE_H
#define LICHEN_TOKENIZER_PRE_H

#include "fault.h"
#include <jansson.h>
#include <stdint.h>

enum { PRE_PATTERN_MAX = 8 };

struct pre_list {
    /* Texts of the JSON or static; "\\p{N}" for Digits, GPT-2's pattern for ByteLevel. */
    const char *patterns[PRE_PATTERN_MAX];
    char *owned[PRE_PATTERN_MAX]; /* freed by pre_list_free */
    uint32_t count;
    bool byte_level;   /* one of the steps is ByteLevel */
    bool behind_bytes; /* and others follow it */
};

struct pre_known {
    const char *name;
    bool uncommon;      /* a name that few readers know: another with the pattern is better */
    bool ignore_merges; /* model.ignore_merges: a pre-token that is a token is taken whole */
    const char *patterns[PRE_PATTERN_MAX]; /* ends with NULL if shorter */
};

/* The list of a byte-level pre_tokenizer. A step that the runtime has none for is
 * FAULT_UNSUPPORTED. */
bool pre_list_read(const json_t *pre_tokenizer, struct pre_list *list, struct fault *fault);
void pre_list_free(struct pre_list *list);

/* Falcon cuts at digits when bytes are letters already, six of which are digits too ("¼"); the name
 * stands for a list without that. */
bool pre_known_cuts_bytes(const struct pre_known *known);

/* The name for the list, NULL when none of the table has it. ignore_merges: -1 = either way. */
const struct pre_known *pre_known_find(const struct pre_list *list, int ignore_merges);
/* For tests: NULL behind the last. */
const struct pre_known *pre_known_at(unsigned index);

#endif
