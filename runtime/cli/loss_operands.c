/* loss_operands.c: words to variants. */
#include "loss_operands.h"
#include <string.h>

static bool parse_word(const char *word, size_t size, const char *const *names, size_t count,
                       uint32_t *value)
{
    for (uint32_t i = 0; i < count; i++)
        if (strlen(names[i]) == size && memcmp(names[i], word, size) == 0) {
            *value = i;
            return true;
        }
    return false;
}

static const char *const kv_names[] = {"f16", "f32", "q8_0"};
static const char *const activation_names[] = {"auto", "16", "8", "float"};

static bool parse_kv(const char *word, size_t size, enum lichen_kv *kv, struct fault *fault)
{
    uint32_t value = 0;
    if (!parse_word(word, size, kv_names, 3, &value))
        return fault_set(fault, FAULT_ARGUMENT, "loss: kv: expected f16, f32 or q8_0, found '%.*s'",
                         size > 40 ? 40 : (int)size, word);
    *kv = (enum lichen_kv)value;
    return true;
}

static bool parse_activations(const char *word, size_t size, enum lichen_activations *activations,
                              struct fault *fault)
{
    uint32_t value = 0;
    if (!parse_word(word, size, activation_names, 4, &value))
        return fault_set(fault, FAULT_ARGUMENT,
                         "loss: activations: expected auto, 16, 8 or float, found '%.*s'",
                         size > 40 ? 40 : (int)size, word);
    *activations = (enum lichen_activations)value;
    return true;
}

/* "kv=q8_0" and the like at the end of an operand; false when it is none. */
static bool is_setting(const char *text)
{
    return strncmp(text, "kv=", 3) == 0 || strncmp(text, "device=", 7) == 0 ||
           strncmp(text, "activations=", 12) == 0;
}

static bool apply_setting(struct loss_variant *variant, char *text, struct fault *fault)
{
    char *value = strchr(text, '=') + 1;
    if (text[0] == 'k')
        return parse_kv(value, strlen(value), &variant->kv, fault);
    if (text[0] == 'a')
        return parse_activations(value, strlen(value), &variant->activations, fault);
    variant->device = value;
    return true;
}

/* FILE, FILE,kv=q8_0 or kv=q8_0 (of the base). The operand is cut at its commas. */
static bool parse_operand(struct loss_operands *loss, char *operand, struct loss_variant *variant,
                          struct fault *fault)
{
    *variant = loss->base;
    char *comma;
    while ((comma = strrchr(operand, ',')) && is_setting(comma + 1)) {
        if (!apply_setting(variant, comma + 1, fault))
            return false;
        *comma = 0;
    }
    if (is_setting(operand))
        return apply_setting(variant, operand, fault);
    char *path = loss->paths[loss->candidate_count + 1];
    variant->path = path;
    return model_find(operand, path, fault);
}

static bool add_candidate(struct loss_operands *loss, const struct loss_variant *variant,
                          struct fault *fault)
{
    if (loss->candidate_count == LOSS_STREAM_MAX - 2)
        return fault_set(fault, FAULT_ARGUMENT, "loss: at most %d candidates", LOSS_STREAM_MAX - 2);
    loss->candidates[loss->candidate_count++] = *variant;
    return true;
}

/* The candidates so far, each once with every word of a list. */
static bool multiply(struct loss_operands *loss, const char *list, bool kv, struct fault *fault)
{
    struct loss_variant before[LOSS_STREAM_MAX];
    size_t count = loss->candidate_count;
    memcpy(before, loss->candidates, sizeof before);
    loss->candidate_count = 0;
    for (size_t i = 0; i < count; i++) {
        for (const char *word = list; word;) {
            size_t size = strcspn(word, ",");
            struct loss_variant variant = before[i];
            if (!(kv ? parse_kv(word, size, &variant.kv, fault)
                     : parse_activations(word, size, &variant.activations, fault)) ||
                !add_candidate(loss, &variant, fault))
                return false;
            word = word[size] ? word + size + 1 : NULL;
        }
    }
    return true;
}

bool loss_operands_parse(struct loss_operands *loss, const struct loss_choice *choice,
                         char **operands, int count, struct fault *fault)
{
    loss->base = (struct loss_variant){.path = loss->paths[0],
                                       .device = choice->device,
                                       .activations = LICHEN_ACTIVATIONS_FLOAT,
                                       .kv = LICHEN_KV_F16};
    int first = 0;
    if (!choice->no_base) {
        if (count == 0)
            return fault_set(fault, FAULT_ARGUMENT,
                             "loss: BASE is needed: the model as it was before quantization");
        if (!model_find(operands[first++], loss->paths[0], fault))
            return false;
    }
    for (int i = first; i < count; i++) {
        struct loss_variant variant;
        if (!parse_operand(loss, operands[i], &variant, fault) ||
            !add_candidate(loss, &variant, fault))
            return false;
    }
    if (loss->candidate_count == 0 && choice->no_base)
        return fault_set(fault, FAULT_ARGUMENT, "loss: --base-logits needs a CANDIDATE");
    if (loss->candidate_count == 0 && (choice->kv || choice->activations))
        add_candidate(loss, &loss->base, fault); /* what do these cost this file? */
    return (!choice->kv || multiply(loss, choice->kv, true, fault)) &&
           (!choice->activations || multiply(loss, choice->activations, false, fault));
}
