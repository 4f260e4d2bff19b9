/* model.c: metadata -> hyperparameters -> plan, and the check that the plan uses every tensor. */
#include "model.h"
#include "layers.h"
#include "rope.h"
#include <stdio.h>
#include <string.h>

const char *const *model_architectures(void)
{
    return family_architectures();
}

static bool copy_text(const struct gguf *gguf, const char *key, bool required, char *dst,
                      size_t size, struct fault *fault)
{
    struct gguf_string text = {"", 0};
    if (!gguf_text(gguf, key, required, &text, fault))
        return false;
    size_t count = text.size < size ? text.size : size - 1;
    memcpy(dst, text.bytes, count);
    dst[count] = 0;
    return true;
}

static bool refuse_architecture(const char *architecture, struct fault *fault)
{
    char list[512] = "";
    size_t used = 0;
    for (const char *const *name = family_architectures(); *name && used < sizeof list; name++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", *name);
    return fault_set(fault, FAULT_UNSUPPORTED, "architecture %s is not supported; lichen runs %s",
                     architecture, list);
}

static void info_fill(const struct gguf *gguf, const struct hparams *hparams,
                      struct model_info *info)
{
    for (uint32_t i = 0; i < gguf_tensor_count(gguf); i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(gguf, i);
        info->parameters += tensor->dims[0] * tensor->rows;
        info->tensor_bytes += tensor->size;
    }
    info->layers = hparams->layers;
    info->dim = hparams->dim;
    info->heads = hparams->heads;
    info->kv_heads = hparams->kv_heads;
    info->head_dim = hparams->head_dim;
    info->ffn_dim = hparams->ffn_dim;
    info->context_trained = hparams->context;
}

/* The embedding's rows are the vocabulary; a head tied or not must have as many (plan_finish). */
static bool vocab_check(const struct gguf *gguf, uint32_t vocab_count, struct plan *plan,
                        struct fault *fault)
{
    const struct gguf_tensor *embedding = gguf_tensor_find(gguf, "token_embd.weight");
    if (!embedding)
        return fault_set(fault, FAULT_FORMAT, "tensor token_embd.weight is missing");
    if (embedding->rows == 0 || embedding->rows > INT32_MAX)
        return fault_set(fault, FAULT_FORMAT, "tensor token_embd.weight has %llu rows",
                         (unsigned long long)embedding->rows);
    if (vocab_count != 0 && vocab_count != embedding->rows)
        return fault_set(fault, FAULT_FORMAT,
                         "the vocabulary has %u tokens, tensor token_embd.weight has %llu rows",
                         vocab_count, (unsigned long long)embedding->rows);
    plan->vocab = (uint32_t)embedding->rows;
    return true;
}

static bool kv_layers(const struct hparams *hparams, struct plan *plan, struct fault *fault)
{
    plan->layers = arena_alloc(&plan->arena, hparams->layers, sizeof *plan->layers);
    if (!plan->layers)
        return fault_set(fault, FAULT_MEMORY, "no memory for %u layers", hparams->layers);
    plan->layer_count = hparams->layers;
    for (uint32_t i = 0; i < hparams->layers; i++)
        plan->layers[i] = (struct kv_layer){
            .kv_heads = hparams->kv_heads,
            .head_dim = hparams->head_dim,
            .window = hparams_layer_local(hparams, i) ? hparams->window : 0,
        };
    return true;
}

static bool plan_uses(const struct plan *plan, const struct gguf_tensor *tensor)
{
    for (uint32_t i = 0; i < plan->weight_count; i++)
        if (plan->weights[i].tensor == tensor)
            return true;
    return false;
}

/* What rope_build reads, and the long factors that its context does not reach. */
static bool rope_uses(const struct plan *plan, const char *name)
{
    return plan->rope[0].dims != 0 && (strcmp(name, "rope_freqs.weight") == 0 ||
                                       strcmp(name, "rope_factors_short.weight") == 0 ||
                                       strcmp(name, "rope_factors_long.weight") == 0);
}

/* A tensor that no step reads means that the file computes something that the plan does not. */
static bool all_used(const struct gguf *gguf, const struct plan *plan, const char *architecture,
                     struct fault *fault)
{
    for (uint32_t i = 0; i < gguf_tensor_count(gguf); i++) {
        const struct gguf_tensor *tensor = gguf_tensor_at(gguf, i);
        if (!rope_uses(plan, tensor->name) && !plan_uses(plan, tensor))
            return fault_set(fault, FAULT_UNSUPPORTED,
                             "tensor %s has no place in lichen's %s: the result would be wrong",
                             tensor->name, architecture);
    }
    return true;
}

static bool build(const struct gguf *gguf, uint32_t vocab_count, struct plan *plan,
                  struct model_info *info, struct fault *fault)
{
    struct hparams hparams;
    if (!copy_text(gguf, "general.architecture", true, info->architecture,
                   sizeof info->architecture, fault) ||
        !copy_text(gguf, "general.name", false, info->name, sizeof info->name, fault))
        return false;
    const struct family *family = family_find(info->architecture);
    if (!family)
        return refuse_architecture(info->architecture, fault);
    if (!hparams_read(gguf, family, &hparams, fault) ||
        !vocab_check(gguf, vocab_count, plan, fault) || !kv_layers(&hparams, plan, fault) ||
        !rope_build(gguf, &hparams, plan, fault))
        return false;
    plan->dim = hparams.dim;
    plan->context_max = hparams.context;
    plan->prefix_end = (int32_t)hparams.prefix_end; /* PLAN_NONE: -1 */
    plan->prefix_blanks[0] = (int32_t)hparams.prefix_mask;
    plan->prefix_blanks[1] = (int32_t)hparams.prefix_gmask;
    info->vocab = plan->vocab;
    info_fill(gguf, &hparams, info);
    struct builder builder = {
        .gguf = gguf, .family = family, .hparams = &hparams, .plan = plan, .fault = fault};
    return layers_build(&builder) && plan_finish(plan, fault) &&
           all_used(gguf, plan, info->architecture, fault);
}

bool model_build(const struct gguf *gguf, uint32_t vocab_count, struct plan *plan,
                 struct model_info *info, struct fault *fault)
{
    plan_init(plan);
    memset(info, 0, sizeof *info);
    return build(gguf, vocab_count, plan, info, fault) || fault_file(fault, gguf_path(gguf));
}
