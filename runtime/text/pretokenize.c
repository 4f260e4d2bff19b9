/* pretokenize.c: compiles the stages of a recipe once and runs them over texts; see pretokenize.h.
 * Limits of reliability.md 7.1: a pattern that needs more is a fault, never a crash. */
#include "pretokenize.h"
#include "pre_patterns.h"
#include "utf8.h"
#include "vocab.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <utf8proc.h>

enum {
    MATCH_LIMIT = 50000000,
    HEAP_LIMIT_KIB = 256 * 1024,
    JIT_STACK_START = 32 * 1024,
    JIT_STACK_LIMIT = 1024 * 1024,
};

struct pretokenizer {
    const struct pre_recipe *recipe;
    pcre2_code *codes[PRE_STAGE_LIMIT]; /* owned; NULL = not a pattern */
};

/* What one call needs of PCRE2. */
struct matcher {
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

static void matcher_destroy(struct matcher *matcher)
{
    if (!matcher)
        return;
    pcre2_jit_stack_free(matcher->stack);
    pcre2_match_context_free(matcher->context);
    pcre2_match_data_free(matcher->data);
    free(matcher);
}

static struct matcher *matcher_create(void)
{
    struct matcher *matcher = calloc(1, sizeof *matcher);
    if (!matcher)
        return NULL;
    matcher->data = pcre2_match_data_create(1, NULL);
    matcher->context = pcre2_match_context_create(NULL);
    matcher->stack = pcre2_jit_stack_create(JIT_STACK_START, JIT_STACK_LIMIT, NULL);
    if (!matcher->data || !matcher->context) {
        matcher_destroy(matcher);
        return NULL;
    }
    pcre2_set_match_limit(matcher->context, MATCH_LIMIT);
    pcre2_set_heap_limit(matcher->context, HEAP_LIMIT_KIB);
    if (matcher->stack) /* there is none where PCRE2 was built without JIT */
        pcre2_jit_stack_assign(matcher->context, NULL, matcher->stack);
    return matcher;
}

/* The next match at or behind offset: PCRE2's result, 1 = found at *start .. *end. The compiled
 * code is tried first; where it runs out of stack, the interpreter has the heap. */
static int matcher_next(struct matcher *matcher, const pcre2_code *code, const char *text,
                        size_t size, size_t offset, size_t *start, size_t *end)
{
    PCRE2_SPTR subject = (PCRE2_SPTR)text;
    int result = pcre2_match(code, subject, size, offset, PCRE2_NO_UTF_CHECK, matcher->data,
                             matcher->context);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT)
        result = pcre2_match(code, subject, size, offset, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                             matcher->data, matcher->context);
    if (result < 0)
        return result;
    const size_t *range = pcre2_get_ovector_pointer(matcher->data);
    *start = range[0];
    *end = range[1];
    return 1;
}

/* ---- lists of pieces ---- */

void splitter_free(struct splitter *splitter)
{
    free(splitter->pieces.ends);
    free(splitter->other.ends);
    matcher_destroy(splitter->matcher);
    *splitter = (struct splitter){0};
}

static bool piece_push(struct piece_list *list, size_t end, struct fault *fault)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        uint32_t *ends = realloc(list->ends, capacity * sizeof *ends);
        if (!ends)
            return vocab_no_memory(fault);
        list->ends = ends;
        list->capacity = capacity;
    }
    list->ends[list->count++] = (uint32_t)end;
    return true;
}

/* ---- stages: each cuts one piece, the size bytes at text; base = where they are ---- */

static bool cut_pattern(struct matcher *matcher, const pcre2_code *code, const char *text,
                        size_t size, size_t base, struct piece_list *list, struct fault *fault)
{
    size_t done = 0, start, end;
    int result = 1;
    while (done < size &&
           (result = matcher_next(matcher, code, text, size, done, &start, &end)) > 0) {
        if (end <= done) /* empty: no pattern of ours does this */
            break;
        if (start > done && !piece_push(list, base + start, fault))
            return false;
        if (!piece_push(list, base + end, fault))
            return false;
        done = end;
    }
    if (result < 0 && result != PCRE2_ERROR_NOMATCH) {
        PCRE2_UCHAR message[128] = "";
        pcre2_get_error_message(result, message, sizeof message);
        return fault_set(fault, FAULT_UNSUPPORTED, "pre-tokenizer: %s", (char *)message);
    }
    return done == size || piece_push(list, base + size, fault);
}

static bool is_digit(enum pre_stage_kind kind, uint32_t code)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    if (kind != STAGE_DIGITS)
        return category == UTF8PROC_CATEGORY_ND;
    return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

/* \w of Oniguruma: letters, marks, numbers, connectors, which are the categories up to PC. */
static bool is_word(uint32_t code)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_PC;
}

/* The run of digits at text: its size in bytes and *count of digits. */
static size_t digit_run(enum pre_stage_kind kind, const char *text, size_t size, size_t *count)
{
    size_t run = 0;
    *count = 0;
    while (run < size) {
        struct utf8_char next = utf8_read(text + run, size - run);
        if (!is_digit(kind, next.code))
            break;
        run += next.size;
        ++*count;
    }
    return run;
}

/* Cuts a run of count digits at base: 1 to 3 digits first, then threes. */
static bool cut_run(const char *text, size_t base, size_t count, struct piece_list *list,
                    struct fault *fault)
{
    size_t offset = 0;
    for (; count > 0; count--) {
        offset += utf8_read(text + offset, 4).size;
        if (count % 3 == 1 && !piece_push(list, base + offset, fault))
            return false;
    }
    return true;
}

static bool cut_digits(enum pre_stage_kind kind, const char *text, size_t size, size_t base,
                       struct piece_list *list, struct fault *fault)
{
    size_t done = 0;
    for (size_t at = 0, run, count; at < size; at += run) {
        run = digit_run(kind, text + at, size - at, &count);
        if (run == 0) {
            run = utf8_read(text + at, size - at).size;
            continue;
        }
        size_t end = at + run;
        if (kind == STAGE_DIGITS_BOUNDED && end < size &&
            is_word(utf8_read(text + end, size - end).code))
            continue;
        if (at > done && !piece_push(list, base + at, fault))
            return false;
        if (!cut_run(text + at, base + at, count, list, fault))
            return false;
        done = end;
    }
    return done == size || piece_push(list, base + size, fault);
}

/* Cuts in front of every three digits of a run, counted from its end, and nowhere else. */
static bool cut_before_threes(const char *text, size_t size, size_t base, struct piece_list *list,
                              struct fault *fault)
{
    for (size_t at = 0; at < size;) {
        size_t count;
        if (digit_run(STAGE_DIGITS_CUT, text + at, size - at, &count) == 0)
            at += utf8_read(text + at, size - at).size;
        for (; count > 0; count--) {
            if (count % 3 == 0 && at > 0 && !piece_push(list, base + at, fault))
                return false;
            at += utf8_read(text + at, size - at).size;
        }
    }
    return piece_push(list, base + size, fault);
}

/* ---- public ---- */

bool pretokenizer_create(const char *name, struct pretokenizer **out, struct fault *fault)
{
    const struct pre_recipe *recipe = pre_recipe_find(*name ? name : "default");
    if (!recipe)
        return fault_set(fault, FAULT_UNSUPPORTED,
                         "tokenizer.ggml.pre: lichen does not know the pre-tokenizer \"%s\"", name);
    struct pretokenizer *pretokenizer = calloc(1, sizeof *pretokenizer);
    if (!pretokenizer)
        return vocab_no_memory(fault);
    pretokenizer->recipe = recipe;
    for (int i = 0; i < PRE_STAGE_LIMIT; i++) {
        if (recipe->stages[i].kind != STAGE_PATTERN)
            continue;
        int error;
        size_t offset;
        pcre2_code *code =
            pcre2_compile((PCRE2_SPTR)recipe->stages[i].pattern, PCRE2_ZERO_TERMINATED,
                          PCRE2_UTF | PCRE2_UCP, &error, &offset, NULL);
        if (!code) {
            pretokenizer_destroy(pretokenizer);
            return fault_set(fault, FAULT_UNSUPPORTED,
                             "pre-tokenizer \"%s\": PCRE2 refuses pattern %d (error %d at %zu)",
                             recipe->name, i, error, offset);
        }
        pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* without it the interpreter runs */
        pretokenizer->codes[i] = code;
    }
    *out = pretokenizer;
    return true;
}

void pretokenizer_destroy(struct pretokenizer *pretokenizer)
{
    if (!pretokenizer)
        return;
    for (int i = 0; i < PRE_STAGE_LIMIT; i++)
        pcre2_code_free(pretokenizer->codes[i]);
    free(pretokenizer);
}

unsigned pretokenizer_flags(const struct pretokenizer *pretokenizer)
{
    return pretokenizer->recipe->flags;
}

/* Runs stage over every piece of from, into to. */
static bool run_stage(const struct pretokenizer *pretokenizer, int stage, struct matcher *matcher,
                      const char *text, const struct piece_list *from, struct piece_list *to,
                      struct fault *fault)
{
    enum pre_stage_kind kind = pretokenizer->recipe->stages[stage].kind;
    const pcre2_code *code = pretokenizer->codes[stage];
    bool cut = true;
    to->count = 0;
    size_t start = 0;
    for (size_t i = 0; cut && i < from->count; i++) {
        size_t size = from->ends[i] - start;
        if (kind == STAGE_PATTERN)
            cut = cut_pattern(matcher, code, text + start, size, start, to, fault);
        else if (kind == STAGE_DIGITS_CUT)
            cut = cut_before_threes(text + start, size, start, to, fault);
        else
            cut = cut_digits(kind, text + start, size, start, to, fault);
        start = from->ends[i];
    }
    return cut;
}

bool pretokenizer_split(const struct pretokenizer *pretokenizer, const char *text, size_t size,
                        struct splitter *splitter, struct fault *fault)
{
    splitter->pieces.count = 0;
    if (size == 0)
        return true;
    if (!splitter->matcher && !(splitter->matcher = matcher_create()))
        return vocab_no_memory(fault);
    bool done = piece_push(&splitter->pieces, size, fault);
    for (int i = 0; done && i < PRE_STAGE_LIMIT; i++) {
        if (pretokenizer->recipe->stages[i].kind == STAGE_NONE)
            break;
        done = run_stage(pretokenizer, i, splitter->matcher, text, &splitter->pieces,
                         &splitter->other, fault);
        struct piece_list swap = splitter->pieces;
        splitter->pieces = splitter->other;
        splitter->other = swap;
    }
    return done;
}
