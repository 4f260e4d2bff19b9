/* tokenizer_pre.c: see tokenizer_pre.h. The patterns are those of the published tokenizer.json
 * files, the names llama.cpp's (src/llama-vocab.cpp). */
#include "tokenizer_pre.h"
#include "strict_json.h"

#include <stdlib.h>
#include <string.h>

#define ENGLISH "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define BLANKS "\\s+(?!\\S)|\\s+"
#define LINES "\\s*[\\r\\n]+|" BLANKS
#define LETTERS "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define MARKS " ?[^\\s\\p{L}\\p{N}]+"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED(contraction)                                                                         \
    "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" contraction "|[^\\r\\n\\p{L}\\p{N}]?" UPPER       \
    "+" LOWER "*" contraction "|"

#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+|" MARKS "|" BLANKS
#define LLAMA3 ENGLISH "|" LETTERS "\\p{N}{1,3}|" MARKS "[\\r\\n]*|" LINES
#define QWEN2 ENGLISH "|" LETTERS "\\p{N}|" MARKS "[\\r\\n]*|" LINES
#define O200K CASED(ENGLISH "?") "\\p{N}{1,3}|" MARKS "[\\r\\n/]*|" LINES
#define CJK "[一-龥぀-ゟ゠-ヿ]+"
#define DEEPSEEK_WORDS                                                                             \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"                                       \
    "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
#define DEEPSEEK_LETTERS                                                                           \
    "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ"        \
    "-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅ"        \
    "Ὀ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ"        \
    "-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ"       \
    "-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚ"      \
    "ａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+"
#define BLOOM " ?[^(\\s|[.,!?…。，、।۔،])]+"
/* Steps that are no patterns. */
#define PUNCTUATION "(Punctuation, contiguous)"
#define BYTES "(bytes)" /* what follows sees the byte alphabet */

static const struct pre_known known[] = {
    {"llama-bpe", false, true, {LLAMA3}},
    {"glm4", false, false, {LLAMA3}},
    {"qwen2", false, false, {QWEN2}},
    {"gpt-2", false, false, {GPT2}},
    {"gpt-2", false, false, {"'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+|" MARKS "|" BLANKS}},
    {"dbrx",
     false,
     false,
     {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| "
      "?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|"
      "\\s*[\\r\\n]|" BLANKS}},
    {"smollm", false, false, {"\\p{N}", GPT2}},
    {"gpt-4o", false, false, {O200K}},
    {"granite-embed-multi-97m", true, true, {O200K}},
    {"deepseek-v3",
     false,
     false,
     {"\\p{N}{1,3}", CJK, DEEPSEEK_WORDS " ?[\\p{P}\\p{S}]+[\\r\\n]*|" LINES}},
    {"deepseek-coder",
     false,
     false,
     {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "[一-龥ࠀ-一가-퟿]+", "\\p{N}"}},
    {"falcon", false, false, {PUNCTUATION, GPT2, BYTES, "\\p{N}+", "[0-9][0-9][0-9]"}},
    {"tekken", false, true, {CASED("") "\\p{N}|" MARKS "[\\r\\n/]*|" LINES}},
    {"bloom", false, false, {BLOOM}},
    {"viking", false, false, {BLOOM, "\\p{N}"}},
    {"qwen35",
     false,
     false,
     {ENGLISH "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|"
              "" LINES}},
    {"bailingmoe",
     false,
     false,
     {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|"
      "\\s*[\\r\\n]|" BLANKS}},
    {"seed-coder",
     false,
     false,
     {ENGLISH "|" LETTERS "\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" LINES}},
    {"deepseek-llm",
     false,
     false,
     {"[\\r\\n]", DEEPSEEK_LETTERS, "\\s?[!-/:-~！-／：-～‘-‟　-。]+", "\\s+$",
      "[一-龥ࠀ-一가-퟿]+", "\\p{N}+"}},
    {"minicpm5",
     false,
     true,
     {"\\p{N}{1,3}", ENGLISH "|" LETTERS "\\p{N}+|" MARKS "[\\r\\n]*|" LINES}},
    {"ufakzeka", false, false, {LETTERS "\\p{N}|" MARKS "[\\r\\n]*|" LINES}},
    {"laguna", false, false, {"[^\\n]+|[\\n]+", QWEN2}},
    {"jais-2",
     false,
     false,
     {ENGLISH "|" LETTERS "\\p{N}{1,3}|" MARKS
              "[\\r\\n]*|\\s*[\\r\\n]+|\\s{512}(?!\\S)|\\s{256}(?!\\S)|\\s{128}(?!\\S)|\\s{64}(?!"
              "\\S)|\\s{32}(?!\\S)|\\s{16}(?!\\S)|\\s{8}(?!\\S)|\\s{4}(?!\\S)|\\s{1,2}(?!\\S)|"
              "\\s{1}"}},
    {"exaone-moe",
     false,
     false,
     {ENGLISH "|[^\\r\\n\\p{L}\\p{N}]?(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+|\\p{N}|" MARKS
              "[\\r\\n/]?|\\s*[\\r\\n]|" BLANKS}},
    {"spark2_5",
     false,
     false,
     {"\\p{N}{1,3}", CJK, DEEPSEEK_WORDS " ?[\\p{P}\\p{S}]+|[\\r\\n]|" BLANKS, "\\p{N}"}},
    {"tiny_aya", false, false, {"\\d{1,3}(?=(?:\\d{3})*\\b)", O200K}},
    {"superbpe", false, false, {"\\p{N}+", "(?=(\\d{3})+(?!\\d))"}},
};

const struct pre_known *pre_known_at(unsigned index)
{
    return index < sizeof known / sizeof *known ? &known[index] : NULL;
}

static bool matches(const struct pre_known *row, const struct pre_list *list)
{
    for (uint32_t i = 0; i < PRE_PATTERN_MAX; i++) {
        const char *here = i < list->count ? list->patterns[i] : NULL;
        if (!here || !row->patterns[i])
            return here == row->patterns[i];
        if (strcmp(here, row->patterns[i]) != 0)
            return false;
    }
    return true;
}

const struct pre_known *pre_known_find(const struct pre_list *list, int ignore_merges)
{
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        if ((ignore_merges < 0 || known[i].ignore_merges == ignore_merges) &&
            matches(&known[i], list))
            return &known[i];
    return NULL;
}

bool pre_known_cuts_bytes(const struct pre_known *row)
{
    for (uint32_t i = 0; i < PRE_PATTERN_MAX && row->patterns[i]; i++)
        if (strcmp(row->patterns[i], BYTES) == 0)
            return true;
    return false;
}

/* ---- reading ---- */

void pre_list_free(struct pre_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        free(list->owned[i]);
    *list = (struct pre_list){0};
}

static bool unsupported(const json_t *step, const char *why, struct fault *fault)
{
    char *text = json_dumps(step, JSON_COMPACT | JSON_ENCODE_ANY);
    fault_set(fault, FAULT_UNSUPPORTED, "pre_tokenizer: %s: %.600s", why, text ? text : "");
    free(text);
    return false;
}

static bool list_push(struct pre_list *list, const char *pattern, char *owned, const json_t *step,
                      struct fault *fault)
{
    if (list->count == PRE_PATTERN_MAX) {
        free(owned);
        return unsupported(step, "more steps than lichen knows", fault);
    }
    list->patterns[list->count] = owned ? owned : pattern;
    list->owned[list->count++] = owned;
    return true;
}

static bool is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

/* A line end, tab or quote may stand in the JSON as itself or as an escape of the pattern's. */
static char *spelled(const char *pattern)
{
    char *copy = malloc(2 * strlen(pattern) + 1), *end = copy;
    for (; copy && *pattern; pattern++) {
        const char *plain = "\r\n\t", *letters = "rnt";
        const char *found = strchr(plain, *pattern);
        if (found)
            *end++ = '\\';
        *end++ = found ? letters[found - plain] : *pattern;
    }
    if (copy)
        *end = 0;
    return copy;
}

/* What a pattern matches must stay, as a piece of its own. "Removed" and inverted keeps what it
 * matches and drops the rest; the patterns of the table that are published so leave no rest. */
static bool read_split(const json_t *step, struct pre_list *list, struct fault *fault)
{
    const char *behavior = json_string_value(json_object_get(step, "behavior"));
    bool invert = is_true(step, "invert");
    const json_t *pattern = json_object_get(step, "pattern");
    const char *regex = json_string_value(json_object_get(pattern, "Regex"));
    if (!regex || !behavior)
        return unsupported(step, "lichen does not know this step", fault);
    if (!(strcmp(behavior, "Isolated") == 0 && !invert) &&
        !(strcmp(behavior, "Removed") == 0 && invert))
        return unsupported(step, "lichen does not know this behavior", fault);
    char *copy = spelled(regex);
    if (!copy)
        return fault_set(fault, FAULT_MEMORY, "pre_tokenizer: no memory");
    return list_push(list, NULL, copy, step, fault);
}

static bool read_byte_level(const json_t *step, struct pre_list *list, struct fault *fault)
{
    if (is_true(step, "add_prefix_space"))
        return unsupported(step, "lichen adds no space in front of byte-level text", fault);
    list->byte_level = true;
    const json_t *use_regex = json_object_get(step, "use_regex"); /* absent: true */
    return (use_regex && !json_is_true(use_regex)) || list_push(list, GPT2, NULL, step, fault);
}

static bool read_punctuation(const json_t *step, struct pre_list *list, struct fault *fault)
{
    const char *behavior = json_string_value(json_object_get(step, "behavior"));
    if (!behavior || strcmp(behavior, "Contiguous") != 0)
        return unsupported(step, "lichen does not know this behavior", fault);
    return list_push(list, PUNCTUATION, NULL, step, fault);
}

static bool read_step(const json_t *step, struct pre_list *list, struct fault *fault)
{
    const char *type = json_string_value(json_object_get(step, "type"));
    if (!type)
        return unsupported(step, "a step without a type", fault);
    if (strcmp(type, "ByteLevel") == 0 && !list->byte_level)
        return read_byte_level(step, list, fault);
    if (list->byte_level && list->count > 0 && !list->behind_bytes) {
        list->behind_bytes = true;
        if (!list_push(list, BYTES, NULL, step, fault))
            return false;
    }
    if (strcmp(type, "Split") == 0)
        return read_split(step, list, fault);
    if (strcmp(type, "Digits") == 0)
        return list_push(list, is_true(step, "individual_digits") ? "\\p{N}" : "\\p{N}+", NULL,
                         step, fault);
    if (strcmp(type, "Punctuation") == 0)
        return read_punctuation(step, list, fault);
    return unsupported(step, "lichen does not know this step", fault);
}

bool pre_list_read(const json_t *pre_tokenizer, struct pre_list *list, struct fault *fault)
{
    *list = (struct pre_list){.count = 0};
    const char *type = json_string_value(json_object_get(pre_tokenizer, "type"));
    const json_t *steps = json_object_get(pre_tokenizer, "pretokenizers"), *step;
    if (!type || strcmp(type, "Sequence") != 0)
        return read_step(pre_tokenizer, list, fault);
    size_t i;
    if (!json_is_array(steps))
        return unsupported(pre_tokenizer, "a Sequence without steps", fault);
    json_array_foreach(steps, i, step)
    {
        if (!read_step(step, list, fault))
            return false;
    }
    return true;
}
