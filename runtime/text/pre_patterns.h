/* pre_patterns.h: the table behind pretokenize.h: name -> stages. Regular expressions are PCRE2's,
 * UTF and UCP. Written out where PCRE2 differs from the engines the models were trained with:
 * white space (PCRE2's \s has U+180E more) and scripts (its \p{Han} means script extensions). */
#ifndef LICHEN_PRE_PATTERNS_H
#define LICHEN_PRE_PATTERNS_H

enum pre_stage_kind {
    STAGE_NONE,
    STAGE_PATTERN,
    /* Runs of digits in threes, counted from the right; linear, where a regular expression would
     * look ahead to the end of the run from every digit. */
    STAGE_DIGITS,         /* \p{N} runs (AFMoE) */
    STAGE_DIGITS_BOUNDED, /* \d{1,3}(?=(?:\d{3})*\b): runs that end at a word boundary */
    STAGE_DIGITS_CUT,     /* (?=(\d{3})+(?!\d)): cuts, what precedes stays in one piece */
};

struct pre_stage {
    enum pre_stage_kind kind;
    const char *pattern;
};

enum { PRE_STAGE_LIMIT = 6 };

struct pre_recipe {
    const char *name;
    const struct pre_stage *stages; /* [PRE_STAGE_LIMIT], ends with STAGE_NONE if shorter */
    unsigned flags;                 /* enum pre_flag */
};

/* NULL when there is none. */
const struct pre_recipe *pre_recipe_find(const char *name);
/* For tests: NULL behind the last. */
const struct pre_recipe *pre_recipe_at(unsigned index);

#endif
