/* recipe.c: presets, fallbacks, overrides. Which tensor a preset raises or lowers is mixture.c. */
#include "recipe_private.h"
#include "encode.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRESETS(X)                                                                                 \
    X("f32", DTYPE_F32, 0)                                                                         \
    X("f16", DTYPE_F16, 1)                                                                         \
    X("bf16", DTYPE_BF16, 32)                                                                      \
    X("q8_0", DTYPE_Q8_0, 7)                                                                       \
    X("q4_0", DTYPE_Q4_0, 2)                                                                       \
    X("q4_1", DTYPE_Q4_1, 3)                                                                       \
    X("q5_0", DTYPE_Q5_0, 8)                                                                       \
    X("q5_1", DTYPE_Q5_1, 9)                                                                       \
    X("q4_k_s", DTYPE_Q4_K, 14)                                                                    \
    X("q4_k_m", DTYPE_Q4_K, 15)                                                                    \
    X("q5_k_s", DTYPE_Q5_K, 16)                                                                    \
    X("q5_k_m", DTYPE_Q5_K, 17)                                                                    \
    X("q6_k", DTYPE_Q6_K, 18)                                                                      \
    X("iq4_nl", DTYPE_IQ4_NL, 25)                                                                  \
    X("iq4_xs", DTYPE_IQ4_XS, 30)

#define PRESET(name, base, file_type) {name, base, file_type},
#define PRESET_NAME(name, base, file_type) name,
static const struct recipe_preset presets[] = {PRESETS(PRESET)};
static const char *const preset_names[] = {PRESETS(PRESET_NAME) NULL};

enum { PRESET_COUNT = sizeof presets / sizeof presets[0] };

const char *const *recipe_presets(void)
{
    return preset_names;
}

static bool same_word(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        char x = *a >= 'A' && *a <= 'Z' ? (char)(*a + 'a' - 'A') : *a;
        char y = *b >= 'A' && *b <= 'Z' ? (char)(*b + 'a' - 'A') : *b;
        if (x != y)
            return false;
    }
    return *a == *b;
}

static const struct recipe_preset *find_preset(const char *name, struct fault *fault)
{
    char list[256] = "";
    for (size_t i = 0; i < PRESET_COUNT; i++) {
        if (same_word(name, presets[i].name))
            return &presets[i];
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? " " : "",
                 presets[i].name);
    }
    fault_set(fault, FAULT_ARGUMENT, "'%.40s' is no type; there are: %s", name, list);
    return NULL;
}

/* types of one tensor */

static uint64_t size_of(const struct source_tensor *tensor, enum dtype dtype)
{
    const struct dtype_info *info = dtype_find(dtype);
    return tensor->dims[0] / info->block_weights * info->block_size * tensor->rows;
}

static bool fits(const struct source_tensor *tensor, enum dtype dtype)
{
    return tensor->dims[0] % dtype_find(dtype)->block_weights == 0;
}

bool recipe_set(struct recipe *recipe, uint32_t tensor, enum dtype dtype, enum recipe_reason reason,
                struct fault *fault)
{
    const struct source_tensor *about = source_tensor_at(recipe->source, tensor);
    if (!fits(about, dtype))
        return fault_set(fault, FAULT_ARGUMENT,
                         "tensor '%s': rows of %llu weights, %s needs a multiple of %u",
                         about->name, (unsigned long long)about->dims[0], dtype_find(dtype)->name,
                         dtype_find(dtype)->block_weights);
    recipe->choices[tensor] = (struct recipe_choice){
        .dtype = dtype, .reason = reason, .wanted = dtype, .size = size_of(about, dtype)};
    return true;
}

/* Rows that a block of 256 does not divide get blocks of 32, others half floats. */
static enum dtype fallback(const struct source_tensor *tensor, enum dtype wanted)
{
    enum dtype next = DTYPE_F16;
    switch (wanted) {
    case DTYPE_Q4_K:
        next = DTYPE_Q5_0;
        break;
    case DTYPE_Q5_K:
        next = DTYPE_Q5_1;
        break;
    case DTYPE_Q6_K:
        next = DTYPE_Q8_0;
        break;
    case DTYPE_IQ4_XS:
        next = DTYPE_IQ4_NL;
        break;
    default:
        break;
    }
    return fits(tensor, next) ? next : DTYPE_F16;
}

bool recipe_quantizes(const struct source_tensor *tensor)
{
    static const char *const never[] = {
        "_norm.weight",
        "ffn_gate_inp.weight",
        "ffn_gate_tid2eid.weight",
        "altup",
        "laurel",
        "per_layer_model_proj",
        "ssm_conv1d",
        "shortconv.conv.weight",
        "indexer.k_proj.weight",
        "attn_rel_b.weight",
        "indexer.q_proj.weight",
        "time_mix_first.weight",
        ".position_embd",
        "time_mix_lerp_fused.weight",
        "time_mix_decay_w1.weight",
        ".rel_pos",
        "time_mix_decay_w2.weight",
        ".patch_embd",
        "sam.pos_embd",
        "time_mix_w0.weight",
        "time_mix_w1.weight",
        "sam.neck.",
        "time_mix_w2.weight",
        "time_mix_v0.weight",
        "sam.net_",
        "time_mix_v1.weight",
        "time_mix_v2.weight",
        ".patch_merger",
        "time_mix_a0.weight",
        "time_mix_a1.weight",
        "a.rvq.codebook",
        "time_mix_a2.weight",
        "time_mix_g1.weight",
        "mm.a.code_embd",
        "time_mix_g2.weight",
    };
    size_t size = strlen(tensor->name);
    if (tensor->rows < 2 || size < 6 || strcmp(tensor->name + size - 6, "weight") != 0 ||
        strcmp(tensor->name, "position_embd.weight") == 0 ||
        strcmp(tensor->name, "token_types.weight") == 0)
        return false;
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        if (strstr(tensor->name, never[i]))
            return false;
    return true;
}

/* the recipe */

static bool settle(struct recipe *recipe, uint32_t index, struct fault *fault)
{
    const struct source_tensor *tensor = source_tensor_at(recipe->source, index);
    struct recipe_choice choice = recipe->choices[index];
    if (!recipe_quantizes(tensor)) {
        enum dtype kept = tensor->lossless != DTYPE_ID_COUNT ? tensor->lossless : DTYPE_F32;
        return recipe_set(recipe, index, kept, RECIPE_UNCHANGED, fault);
    }
    if (fits(tensor, choice.dtype))
        return recipe_set(recipe, index, choice.dtype, choice.reason, fault);
    if (!recipe_set(recipe, index, fallback(tensor, choice.dtype), RECIPE_FALLBACK, fault))
        return false;
    recipe->choices[index].wanted = choice.dtype;
    return true;
}

bool recipe_create(const struct source *source, const char *preset, bool with_imatrix,
                   struct recipe **out, struct fault *fault)
{
    *out = NULL;
    const struct recipe_preset *found = find_preset(preset, fault);
    if (!found)
        return false;
    struct recipe *recipe = calloc(1, sizeof *recipe);
    uint32_t count = source_tensor_count(source);
    if (recipe)
        recipe->choices = calloc(count ? count : 1, sizeof *recipe->choices);
    if (!recipe || !recipe->choices) {
        recipe_destroy(recipe);
        return fault_set(fault, FAULT_MEMORY, "no memory for the types of %u tensors", count);
    }
    recipe->source = source;
    recipe->preset = found;
    snprintf(recipe->text, sizeof recipe->text, "%s", found->name);
    bool done = mixture_choose(source, found, with_imatrix, recipe->choices, fault);
    for (uint32_t i = 0; done && i < count; i++)
        done = settle(recipe, i, fault);
    if (!done) {
        recipe_destroy(recipe);
        return false;
    }
    *out = recipe;
    return true;
}

void recipe_destroy(struct recipe *recipe)
{
    if (!recipe)
        return;
    free(recipe->choices);
    free(recipe);
}

void recipe_say(struct recipe *recipe, const char *words)
{
    size_t size = strlen(recipe->text);
    snprintf(recipe->text + size, sizeof recipe->text - size, "; %s", words);
}

/* overrides */

static bool find_type(const char *name, enum dtype *dtype, struct fault *fault)
{
    for (uint32_t i = 0; i < DTYPE_ID_COUNT; i++)
        if (dtype_find(i) && encode_supported((enum dtype)i) &&
            same_word(name, dtype_find(i)->name)) {
            *dtype = (enum dtype)i;
            return true;
        }
    return fault_set(fault, FAULT_ARGUMENT,
                     "'%.40s' is no type of a tensor; there are f32 f16 bf16 q8_0 q4_0 q4_1 q5_0 "
                     "q5_1 q4_k q5_k q6_k iq4_nl iq4_xs",
                     name);
}

static pcre2_code *compile(const char *pattern, size_t size, struct fault *fault)
{
    int number;
    PCRE2_SIZE at;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, size, PCRE2_UTF, &number, &at, NULL);
    if (!code) {
        char text[120] = "";
        pcre2_get_error_message(number, (PCRE2_UCHAR *)text, sizeof text);
        fault_set(fault, FAULT_ARGUMENT, "the pattern '%.*s' at %zu: %s", (int)size, pattern, at,
                  text);
    }
    return code;
}

static bool apply(struct recipe *recipe, const pcre2_code *code, enum dtype dtype, const char *rule,
                  struct fault *fault)
{
    uint32_t changed = 0, kept = 0;
    pcre2_match_data *match = pcre2_match_data_create_from_pattern(code, NULL);
    bool done = match || fault_set(fault, FAULT_MEMORY, "no memory for a pattern");
    for (uint32_t i = 0; done && i < source_tensor_count(recipe->source); i++) {
        const struct source_tensor *tensor = source_tensor_at(recipe->source, i);
        int result =
            pcre2_match(code, (PCRE2_SPTR)tensor->name, PCRE2_ZERO_TERMINATED, 0, 0, match, NULL);
        if (result < 0 && result != PCRE2_ERROR_NOMATCH)
            done = fault_set(fault, FAULT_ARGUMENT, "the pattern takes too long on '%s'",
                             tensor->name);
        if (!done || result < 0)
            continue;
        kept += !recipe_quantizes(tensor);
        changed += recipe_quantizes(tensor);
        if (recipe_quantizes(tensor))
            done = recipe_set(recipe, i, dtype, RECIPE_OVERRIDE, fault);
    }
    pcre2_match_data_free(match);
    if (done && changed == 0)
        done = fault_set(fault, FAULT_ARGUMENT, "'%.200s': %s", rule,
                         kept ? "only tensors match that are never quantized (vectors, norms, "
                                "routers, positions)"
                              : "no tensor matches; lichen convert --dry-run lists them");
    return done;
}

bool recipe_override(struct recipe *recipe, const char *rule, struct fault *fault)
{
    const char *equals = strrchr(rule, '=');
    enum dtype dtype = DTYPE_F32;
    if (!equals || equals == rule)
        return fault_set(fault, FAULT_ARGUMENT, "'%.200s': expected REGEX=TYPE", rule);
    if (!find_type(equals + 1, &dtype, fault))
        return false;
    pcre2_code *code = compile(rule, (size_t)(equals - rule), fault);
    if (!code)
        return false;
    bool done = apply(recipe, code, dtype, rule, fault);
    pcre2_code_free(code);
    if (done)
        recipe_say(recipe, rule);
    return done;
}

bool recipe_keep_codes(struct recipe *recipe, struct fault *fault)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < source_tensor_count(recipe->source); i++) {
        enum dtype lossless = source_tensor_at(recipe->source, i)->lossless;
        bool codes = lossless != DTYPE_ID_COUNT && dtype_find(lossless)->block_weights > 1;
        if (!codes || recipe->choices[i].reason == RECIPE_OVERRIDE)
            continue;
        if (!recipe_set(recipe, i, lossless, RECIPE_LOSSLESS, fault))
            return false;
        kept++;
    }
    if (kept == 0)
        return fault_set(fault, FAULT_ARGUMENT,
                         "no tensor of the checkpoint is made of 4- or 8-bit codes that could be "
                         "kept");
    recipe_say(recipe, "codes kept");
    return true;
}

/* what it says */

const char *recipe_preset(const struct recipe *recipe)
{
    return recipe->preset->name;
}

const char *recipe_text(const struct recipe *recipe)
{
    return recipe->text;
}

uint32_t recipe_file_type(const struct recipe *recipe)
{
    return recipe->preset->file_type;
}

const struct recipe_choice *recipe_choice(const struct recipe *recipe, uint32_t tensor)
{
    return &recipe->choices[tensor];
}

uint64_t recipe_size(const struct recipe *recipe)
{
    uint64_t size = 0;
    for (uint32_t i = 0; i < source_tensor_count(recipe->source); i++)
        size += recipe->choices[i].size;
    return size;
}

double recipe_bits_per_weight(const struct recipe *recipe)
{
    double weights = 0;
    for (uint32_t i = 0; i < source_tensor_count(recipe->source); i++) {
        const struct source_tensor *tensor = source_tensor_at(recipe->source, i);
        weights += (double)tensor->dims[0] * (double)tensor->rows;
    }
    return weights > 0 ? 8.0 * (double)recipe_size(recipe) / weights : 0;
}
