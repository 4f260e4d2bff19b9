/* mixture.c: which type of a preset's mixture each tensor gets, as llama.cpp decides it, so that
 * files can be compared (quantization.md section 2).
 *
 * Tensors are visited layer by layer, by name within a layer; those without a layer come first.
 * Values and fused qkv share one count, i of n; down projections have theirs, of the layers.
 *   more(i, n) = i < n/8, or i >= 7n/8, or (i - n/8) mod 3 = 2 */
#include "recipe_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum place {
    PLACE_EMBEDDING,
    PLACE_OUTPUT,
    PLACE_QKV,
    PLACE_KV_B,
    PLACE_V,
    PLACE_K,
    PLACE_ATTENTION_OUTPUT,
    PLACE_DOWN,
    PLACE_OTHER,
};

enum file_type { /* enum llama_ftype, of presets that have rules of their own */
                 FILE_Q4_0 = 2,
                 FILE_Q5_0 = 8,
                 FILE_Q4_K_S = 14,
                 FILE_Q4_K_M = 15,
                 FILE_Q5_K_M = 17,
                 FILE_IQ4_NL = 25,
                 FILE_IQ4_XS = 30,
};

struct mixture {
    const struct recipe_preset *preset;
    bool with_imatrix, tied, is_falcon, is_70b;
    uint32_t gqa, experts;
    int layers;
    int values, value; /* how many there are, which comes next */
    int down;          /* which comes next */
};

static bool has(const char *name, const char *part)
{
    return strstr(name, part) != NULL;
}

static enum place place_of(const char *name)
{
    if (strcmp(name, "output.weight") == 0)
        return PLACE_OUTPUT;
    if (strcmp(name, "token_embd.weight") == 0 || strcmp(name, "per_layer_token_embd.weight") == 0)
        return PLACE_EMBEDDING;
    static const struct {
        const char *part;
        enum place place;
    } parts[] = {
        {"attn_qkv.weight", PLACE_QKV}, {"attn_kv_b.weight", PLACE_KV_B},
        {"attn_v.weight", PLACE_V},     {"attn_k.weight", PLACE_K},
        {"attn_q.weight", PLACE_OTHER}, {"attn_output.weight", PLACE_ATTENTION_OUTPUT},
        {"ffn_up", PLACE_OTHER},        {"ffn_gate", PLACE_OTHER},
        {"ffn_down", PLACE_DOWN},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (has(name, parts[i].part))
            return parts[i].place;
    return PLACE_OTHER;
}

static bool is_value(enum place place)
{
    return place == PLACE_V || place == PLACE_QKV || place == PLACE_KV_B;
}

static bool more(int i, int n)
{
    return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
}

static enum dtype output_type(const struct mixture *mixture, const struct source_tensor *tensor)
{
    enum dtype base = mixture->preset->base;
    bool whole = tensor->dims[0] % dtype_find(base)->block_weights == 0;
    return mixture->is_falcon || !whole || base == DTYPE_Q8_0 ? DTYPE_Q8_0 : DTYPE_Q6_K;
}

static enum dtype value_type(struct mixture *mixture)
{
    enum dtype type = mixture->preset->base;
    int i = mixture->value++;
    switch (mixture->preset->file_type) {
    case FILE_IQ4_NL:
    case FILE_IQ4_XS:
        type = mixture->gqa >= 4 ? DTYPE_Q5_K : type;
        break;
    case FILE_Q4_K_M:
    case FILE_Q5_K_M:
        type = more(i, mixture->values) ? DTYPE_Q6_K : type;
        break;
    case FILE_Q4_K_S:
        type = i < 4 ? DTYPE_Q5_K : type;
        break;
    default:
        break;
    }
    if (mixture->is_70b && type == DTYPE_Q4_K)
        type = DTYPE_Q5_K;
    return mixture->experts == 8 ? DTYPE_Q8_0 : type;
}

static enum dtype falcon_down_type(int i, int n)
{
    return i < n / 16 ? DTYPE_Q6_K : more(i, n) ? DTYPE_Q5_K : DTYPE_Q4_K;
}

/* Where there are experts the order of the names tells nothing, so the layer counts. */
static bool down_layer(struct mixture *mixture, const char *name, int *layer, struct fault *fault)
{
    *layer = mixture->down++;
    if (mixture->experts <= 1)
        return true;
    if (sscanf(name, "blk.%d.", layer) == 1 && *layer >= 0 && *layer < mixture->layers)
        return true;
    return fault_set(fault, FAULT_FORMAT, "tensor '%s': expected blk.N. with N below %d", name,
                     mixture->layers);
}

static bool down_type(struct mixture *mixture, const char *name, enum dtype *type,
                      struct fault *fault)
{
    int i, n = mixture->layers;
    if (!down_layer(mixture, name, &i, fault))
        return false;
    bool first = i < n / 8;
    switch (mixture->preset->file_type) {
    case FILE_Q4_K_M:
        *type = mixture->is_falcon ? falcon_down_type(i, n) : more(i, n) ? DTYPE_Q6_K : *type;
        break;
    case FILE_Q5_K_M:
        *type = more(i, n) ? DTYPE_Q6_K : *type;
        break;
    case FILE_Q4_K_S:
        *type = first && !mixture->is_falcon ? DTYPE_Q5_K : *type;
        break;
    case FILE_IQ4_NL:
    case FILE_IQ4_XS:
        *type = first && !mixture->with_imatrix ? DTYPE_Q5_K : *type;
        break;
    case FILE_Q4_0:
        *type = first && mixture->with_imatrix ? DTYPE_Q4_1 : *type;
        break;
    case FILE_Q5_0:
        *type = first && mixture->with_imatrix ? DTYPE_Q5_1 : *type;
        break;
    default:
        break;
    }
    return true;
}

static enum dtype attention_output_type(const struct mixture *mixture)
{
    uint32_t file = mixture->preset->file_type;
    bool raised =
        file == FILE_Q4_K_S || file == FILE_Q4_K_M || file == FILE_IQ4_NL || file == FILE_IQ4_XS;
    return raised && mixture->experts == 8 && !mixture->is_falcon ? DTYPE_Q5_K
                                                                  : mixture->preset->base;
}

static bool choose(struct mixture *mixture, const struct source_tensor *tensor, enum dtype *type,
                   struct fault *fault)
{
    enum place place = place_of(tensor->name);
    *type = mixture->preset->base;
    if (dtype_find(*type)->block_weights == 1) /* f32, f16, bf16: one type for all */
        return true;
    if (place == PLACE_OUTPUT || (place == PLACE_EMBEDDING && mixture->tied))
        *type = output_type(mixture, tensor);
    else if (is_value(place))
        *type = value_type(mixture);
    else if (place == PLACE_K && mixture->experts == 8)
        *type = DTYPE_Q8_0;
    else if (place == PLACE_DOWN)
        return down_type(mixture, tensor->name, type, fault);
    else if (place == PLACE_ATTENTION_OUTPUT)
        *type = attention_output_type(mixture);
    return true;
}

/* order of visit */

struct visit {
    int layer; /* -1 without */
    uint32_t index;
    const char *name;
};

static int compare_visits(const void *a, const void *b)
{
    const struct visit *x = a, *y = b;
    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    return strcmp(x->name, y->name);
}

static struct visit *plan_visits(const struct source *source)
{
    uint32_t count = source_tensor_count(source);
    struct visit *visits = calloc(count ? count : 1, sizeof *visits);
    for (uint32_t i = 0; visits && i < count; i++) {
        visits[i] = (struct visit){-1, i, source_tensor_at(source, i)->name};
        if (sscanf(visits[i].name, "blk.%d.", &visits[i].layer) != 1)
            visits[i].layer = -1;
    }
    if (visits)
        qsort(visits, count, sizeof *visits, compare_visits);
    return visits;
}

static struct mixture survey(const struct source *source, const struct recipe_preset *preset,
                             bool with_imatrix)
{
    const char *architecture = source_architecture(source);
    bool has_70b = strcmp(architecture, "llama") == 0 || strcmp(architecture, "qwen2") == 0;
    struct mixture mixture = {
        .preset = preset,
        .with_imatrix = with_imatrix,
        .tied = true,
        .is_falcon = strcmp(architecture, "falcon") == 0,
        .gqa = source_gqa(source),
        .experts = source_expert_count(source),
        .layers = (int)source_layer_count(source),
    };
    mixture.is_70b =
        has_70b && mixture.layers == 80 && (mixture.gqa > 1 || strcmp(architecture, "qwen2") == 0);
    for (uint32_t i = 0; i < source_tensor_count(source); i++) {
        enum place place = place_of(source_tensor_at(source, i)->name);
        mixture.values += is_value(place);
        if (place == PLACE_OUTPUT)
            mixture.tied = false;
    }
    return mixture;
}

bool mixture_choose(const struct source *source, const struct recipe_preset *preset,
                    bool with_imatrix, struct recipe_choice *choices, struct fault *fault)
{
    struct mixture mixture = survey(source, preset, with_imatrix);
    struct visit *visits = plan_visits(source);
    bool done = visits || fault_set(fault, FAULT_MEMORY, "no memory for the order of tensors");
    for (uint32_t i = 0; done && i < source_tensor_count(source); i++) {
        const struct source_tensor *tensor = source_tensor_at(source, visits[i].index);
        struct recipe_choice *choice = &choices[visits[i].index];
        if (!recipe_quantizes(tensor))
            continue;
        done = choose(&mixture, tensor, &choice->dtype, fault);
        choice->reason = choice->dtype == preset->base ? RECIPE_PRESET : RECIPE_MIXTURE;
    }
    free(visits);
    return done;
}
