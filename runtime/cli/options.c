/* options.c: option tables over getopt_long. */
#include "options.h"
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONG_ONLY = 256 }; /* getopt's value of spec i is LONG_ONLY + i */

void option_set_add(struct option_set *set, const struct option_spec *specs, size_t count)
{
    assert(set->count + count <= OPTION_MAX);
    for (size_t i = 0; i < count; i++)
        set->specs[set->count++] = specs[i];
}

const struct option_spec *option_set_find(const struct option_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->specs[i].name, name) == 0)
            return &set->specs[i];
    return NULL;
}

static unsigned unit_shift(char unit)
{
    switch (unit) {
    case 'K':
    case 'k':
        return 10;
    case 'M':
    case 'm':
        return 20;
    case 'G':
    case 'g':
        return 30;
    case 'T':
    case 't':
        return 40;
    default:
        return 0;
    }
}

bool parse_size(const char *text, uint64_t limit, uint64_t *value)
{
    if (*text < '0' || *text > '9')
        return false;
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    unsigned shift = unit_shift(*end);
    if (errno || end[shift ? 1 : 0] || number > UINT64_MAX >> shift)
        return false;
    *value = (uint64_t)number << shift;
    return *value <= limit;
}

static bool parse_count(const char *text, uint32_t *value)
{
    uint64_t number;
    if (!parse_size(text, UINT32_MAX, &number))
        return false;
    *value = (uint32_t)number;
    return true;
}

static bool parse_counts(const char *text, struct option_counts *counts)
{
    counts->count = 0;
    while (counts->count < OPTION_LIST_MAX) {
        char item[32];
        size_t length = strcspn(text, ",");
        if (length >= sizeof item)
            return false;
        memcpy(item, text, length);
        item[length] = 0;
        if (!parse_count(item, &counts->items[counts->count++]))
            return false;
        text += length;
        if (!*text++)
            return true;
    }
    return false;
}

static bool parse_signed(const char *text, int32_t *value)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno || end == text || *end || number < INT32_MIN || number > INT32_MAX)
        return false;
    *value = (int32_t)number;
    return true;
}

static bool parse_seed(const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && !errno && !*end;
}

static bool parse_real(const char *text, float *value)
{
    char *end;
    *value = strtof(text, &end);
    return end != text && !*end && isfinite(*value);
}

/* Word number *index of "a|b|c". */
static bool parse_choice(const char *text, const char *words, uint32_t *index)
{
    size_t length = strlen(text);
    for (uint32_t i = 0;; i++) {
        size_t word = strcspn(words, "|");
        if (word == length && memcmp(words, text, length) == 0) {
            *index = i;
            return true;
        }
        if (!words[word])
            return false;
        words += word + 1;
    }
}

static bool parse_flag(const char *text, bool *value)
{
    bool on = strcmp(text, "on") == 0 || strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
    bool off = strcmp(text, "off") == 0 || strcmp(text, "false") == 0 || strcmp(text, "0") == 0;
    *value = on;
    return on || off;
}

static bool wrong_value(const struct option_spec *spec, const char *expected, const char *text,
                        struct fault *fault)
{
    return fault_set(fault, FAULT_ARGUMENT, "--%s: expected %s, found '%.80s'", spec->name,
                     expected, text);
}

bool option_store(const struct option_spec *spec, const char *text, struct fault *fault)
{
    const char *expected = NULL;
    switch (spec->kind) {
    case OPTION_FLAG:
        expected = parse_flag(text, spec->target) ? NULL : "on or off";
        break;
    case OPTION_TEXT:
        *(const char **)spec->target = text;
        break;
    case OPTION_TEXTS: {
        struct option_texts *texts = spec->target;
        if (texts->count == OPTION_LIST_MAX)
            return fault_set(fault, FAULT_ARGUMENT, "--%s: at most %d of them", spec->name,
                             OPTION_LIST_MAX);
        texts->items[texts->count++] = text;
        break;
    }
    case OPTION_COUNT:
        expected = parse_count(text, spec->target) ? NULL : "a whole number below 4G";
        break;
    case OPTION_COUNTS:
        expected = parse_counts(text, spec->target) ? NULL : "whole numbers and commas, as 0,4096";
        break;
    case OPTION_SIGNED:
        expected = parse_signed(text, spec->target) ? NULL : "a whole number";
        break;
    case OPTION_SEED:
        expected = parse_seed(text, spec->target) ? NULL : "a whole number";
        break;
    case OPTION_REAL:
        expected = parse_real(text, spec->target) ? NULL : "a number";
        break;
    case OPTION_CHOICE:
        expected = parse_choice(text, spec->value, spec->target) ? NULL : spec->value;
        break;
    case OPTION_NOT_YET:
        return fault_set(fault, FAULT_ARGUMENT, "--%s: not yet in this version", spec->name);
    }
    if (expected)
        return wrong_value(spec, expected, text, fault);
    if (spec->given)
        *spec->given = true;
    return true;
}

static void show_choice(const char *words, uint32_t index, char *text, size_t size)
{
    while (index-- > 0)
        words += strcspn(words, "|") + 1;
    snprintf(text, size, "%.*s", (int)strcspn(words, "|"), words);
}

void option_show(const struct option_spec *spec, char *text, size_t size)
{
    switch (spec->kind) {
    case OPTION_FLAG:
        snprintf(text, size, "%s", *(const bool *)spec->target ? "on" : "off");
        break;
    case OPTION_TEXT: {
        const char *value = *(const char **)spec->target;
        snprintf(text, size, "%s", value ? value : "");
        break;
    }
    case OPTION_CHOICE:
        show_choice(spec->value, *(const uint32_t *)spec->target, text, size);
        break;
    case OPTION_COUNT:
        snprintf(text, size, "%" PRIu32, *(const uint32_t *)spec->target);
        break;
    case OPTION_SIGNED:
        snprintf(text, size, "%" PRId32, *(const int32_t *)spec->target);
        break;
    case OPTION_SEED:
        snprintf(text, size, "%" PRIu64, *(const uint64_t *)spec->target);
        break;
    case OPTION_REAL:
        snprintf(text, size, "%g", (double)*(const float *)spec->target);
        break;
    default:
        snprintf(text, size, "(list)");
        break;
    }
}

static bool takes_value(const struct option_spec *spec)
{
    return spec->kind != OPTION_FLAG && (spec->kind != OPTION_NOT_YET || spec->value);
}

/* Tables for getopt_long; `letters` begins with ':' so that a missing value is told apart. */
static void getopt_tables(const struct option_set *set, struct option *longs, char *letters)
{
    *letters++ = ':';
    for (size_t i = 0; i < set->count; i++) {
        const struct option_spec *spec = &set->specs[i];
        longs[i] = (struct option){spec->name, takes_value(spec), NULL, LONG_ONLY + (int)i};
        if (!spec->letter)
            continue;
        *letters++ = spec->letter;
        if (takes_value(spec))
            *letters++ = ':';
    }
    longs[set->count] = (struct option){NULL, 0, NULL, 0};
    *letters = 0;
}

static const struct option_spec *chosen_spec(const struct option_set *set, int code)
{
    if (code >= LONG_ONLY && (size_t)(code - LONG_ONLY) < set->count)
        return &set->specs[code - LONG_ONLY];
    for (size_t i = 0; i < set->count; i++)
        if (code && set->specs[i].letter == code)
            return &set->specs[i];
    return NULL;
}

bool options_parse(const struct option_set *set, int argc, char **argv, int *first,
                   struct fault *fault)
{
    struct option longs[OPTION_MAX + 1];
    char letters[2 * OPTION_MAX + 2];
    getopt_tables(set, longs, letters);
    opterr = 0;
    optind = 0; /* glibc: start anew */
    int code;
    while ((code = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        if (code == '?' || code == ':') {
            const struct option_spec *spec = chosen_spec(set, optopt);
            if (code == ':' && spec)
                return fault_set(fault, FAULT_ARGUMENT, "--%s: expected a value (%s), found none",
                                 spec->name, spec->value);
            if (optopt && optopt < LONG_ONLY)
                return fault_set(fault, FAULT_ARGUMENT, "-%c: no such option", optopt);
            return fault_set(fault, FAULT_ARGUMENT,
                             "%.80s: no such option, or an ambiguous or "
                             "superfluous value",
                             argv[optind - 1]);
        }
        const struct option_spec *spec = chosen_spec(set, code);
        assert(spec);
        if (!option_store(spec, takes_value(spec) ? optarg : "on", fault))
            return false;
    }
    *first = optind;
    return true;
}
