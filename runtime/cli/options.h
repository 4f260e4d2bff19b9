/* options.h: command-line options as a table: parsed with getopt_long, printed by --help, and the
 * same values set one at a time by /set in a chat. Numbers take units: 8K, 512M, 8G (powers of
 * 1024). A wrong option or value is a FAULT_ARGUMENT that names it. */
#ifndef LICHEN_OPTIONS_H
#define LICHEN_OPTIONS_H

#include "fault.h"
#include <stddef.h>
#include <stdint.h>

enum { OPTION_MAX = 64, OPTION_LIST_MAX = 64 };

struct option_texts { /* --stop A --stop B */
    const char *items[OPTION_LIST_MAX];
    size_t count;
};

struct option_counts { /* -d 0,4096 */
    uint32_t items[OPTION_LIST_MAX];
    size_t count;
};

enum option_kind {
    OPTION_FLAG,    /* bool * */
    OPTION_TEXT,    /* const char ** */
    OPTION_TEXTS,   /* struct option_texts *, one a use */
    OPTION_COUNT,   /* uint32_t * */
    OPTION_COUNTS,  /* struct option_counts *, separated by commas */
    OPTION_SIGNED,  /* int32_t * */
    OPTION_SEED,    /* uint64_t * */
    OPTION_REAL,    /* float * */
    OPTION_CHOICE,  /* uint32_t *: which of the words of `value` ("f16|f32|q8_0") */
    OPTION_NOT_YET, /* known, and refused by name */
};

struct option_spec {
    const char *name; /* long name without "--" */
    char letter;      /* short name, 0 = none */
    enum option_kind kind;
    void *target;
    const char *value; /* what --help calls the value; the words of a choice; NULL for flags */
    const char *help;
    bool *given; /* set to true when the option was used; may be NULL */
};

struct option_set {
    struct option_spec specs[OPTION_MAX];
    size_t count;
};

void option_set_add(struct option_set *set, const struct option_spec *specs, size_t count);
/* The option of that long name, NULL when there is none. */
const struct option_spec *option_set_find(const struct option_set *set, const char *name);

/* Parses argv[1..]; operands are moved behind the options and counted from argv[*first]. */
bool options_parse(const struct option_set *set, int argc, char **argv, int *first,
                   struct fault *fault);
/* Sets one option from a text. The fault begins with the option's name. */
bool option_store(const struct option_spec *spec, const char *text, struct fault *fault);
/* The present value as a text of at most size bytes. */
void option_show(const struct option_spec *spec, char *text, size_t size);

/* Whole number with an optional unit K, M, G or T; false when text is anything else. */
bool parse_size(const char *text, uint64_t limit, uint64_t *value);

#endif
