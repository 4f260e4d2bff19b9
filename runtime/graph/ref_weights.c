/* ref_weights.c: the weights of a plan in host memory, as the file has them. Rows are decoded when
 * they are used; weights of one row (norms, biases) are decoded once, here. */
#include "ref.h"
#include <stdlib.h>

static bool weight_load(struct ref_weights *weights, const struct gguf *gguf, uint32_t index,
                        struct fault *fault)
{
    const struct plan_weight *weight = &weights->plan->weights[index];
    const struct gguf_tensor *tensor = weight->tensor;
    uint8_t *blocks = arena_alloc(&weights->arena, tensor->size, 1);
    if (!blocks)
        return fault_set(fault, FAULT_MEMORY, "no memory for the %llu bytes of tensor %s",
                         (unsigned long long)tensor->size, tensor->name);
    weights->blocks[index] = blocks;
    if (!gguf_read(gguf, tensor, 0, blocks, tensor->size, fault))
        return false;
    if (weight->rows != 1)
        return true;
    weights->vectors[index] = arena_alloc(&weights->arena, weight->cols, sizeof(float));
    if (!weights->vectors[index])
        return fault_set(fault, FAULT_MEMORY, "no memory for tensor %s", tensor->name);
    ref_weights_decode(weights, index, 0, 1, weights->vectors[index]);
    return true;
}

static bool weights_load(struct ref_weights *weights, const struct gguf *gguf, struct fault *fault)
{
    uint32_t count = weights->plan->weight_count;
    weights->blocks = arena_alloc(&weights->arena, count, sizeof *weights->blocks);
    weights->vectors = arena_alloc(&weights->arena, count, sizeof *weights->vectors);
    weights->replaced = arena_alloc(&weights->arena, count, sizeof *weights->replaced);
    if (!weights->blocks || !weights->vectors || !weights->replaced)
        return fault_set(fault, FAULT_MEMORY, "no memory for a table of %u weights", count);
    for (uint32_t i = 0; i < count; i++)
        if (!weight_load(weights, gguf, i, fault))
            return false;
    return true;
}

bool ref_weights_load(const struct plan *plan, const struct gguf *gguf, struct ref_weights **out,
                      struct fault *fault)
{
    *out = NULL;
    struct ref_weights *weights = calloc(1, sizeof *weights);
    if (!weights)
        return fault_set(fault, FAULT_MEMORY, "no memory for the weights");
    weights->plan = plan;
    arena_init(&weights->arena, 0);
    if (!weights_load(weights, gguf, fault)) {
        ref_weights_free(weights);
        return false;
    }
    *out = weights;
    return true;
}

void ref_weights_free(struct ref_weights *weights)
{
    if (!weights)
        return;
    arena_free(&weights->arena);
    free(weights);
}

uint64_t ref_weights_size(const struct ref_weights *weights)
{
    return weights->arena.used;
}

uint64_t ref_weights_memory(const struct plan *plan)
{
    const struct ref_weights *tables = NULL; /* for sizeof alone */
    uint64_t size = plan->weight_count *
                    (sizeof *tables->blocks + sizeof *tables->vectors + sizeof *tables->replaced);
    for (uint32_t i = 0; i < plan->weight_count; i++) {
        size += plan->weights[i].tensor->size;
        if (plan->weights[i].rows == 1)
            size += plan->weights[i].cols * sizeof **tables->vectors;
    }
    return size;
}

void ref_weights_replace(struct ref_weights *weights, uint32_t weight,
                         const struct dtype_info *info, const void *blocks)
{
    weights->replaced[weight] = (struct ref_replacement){blocks ? info : NULL, blocks};
}

void ref_weights_decode(const struct ref_weights *weights, uint32_t index, uint32_t row,
                        uint32_t count, float *dst)
{
    const struct ref_replacement *replaced = &weights->replaced[index];
    uint32_t cols = weights->plan->weights[index].cols;
    if (!replaced->info) {
        ref_weights_read(weights, index, row, count, dst);
        return;
    }
    size_t blocks = cols / replaced->info->block_weights;
    replaced->info->decode((const uint8_t *)replaced->blocks +
                               row * blocks * replaced->info->block_size,
                           dst, count * blocks);
}

void ref_weights_read(const struct ref_weights *weights, uint32_t index, uint32_t row,
                      uint32_t count, float *dst)
{
    const struct plan_weight *weight = &weights->plan->weights[index];
    const struct dtype_info *info = dtype_find(weight->tensor->dtype);
    const uint8_t *rows = weights->blocks[index] + row * weight->tensor->row_size;
    info->decode(rows, dst, (size_t)count * weight->cols / info->block_weights);
}
