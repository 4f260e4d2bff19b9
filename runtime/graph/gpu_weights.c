/* gpu_weights.c: where the weights of a plan lie on the device. Matrices (of MATMUL and EMBED) are
 * planes in shards of rows, so that no plane of a shard is larger than what can be bound; vectors
 * (of NORM, and biases) are float32. Filling them is gpu_weights_load.c. */
#include "gpu_weights.h"
#include <stdlib.h>

/* ---- which weights are used as what ---- */

static bool step_uses(const struct step *step, uint32_t index, bool matrix)
{
    for (uint32_t i = 0; i < PLAN_WEIGHT_MAX; i++) {
        bool is_matrix = step->op == OP_EMBED || (step->op == OP_MATMUL && i == 0);
        if (step->weight[i].weight == index && is_matrix == matrix)
            return true;
    }
    return false;
}

static bool weight_used(const struct plan *plan, uint32_t index, bool matrix)
{
    for (uint32_t i = 0; i < plan->step_count; i++)
        if (step_uses(&plan->steps[i], index, matrix))
            return true;
    return false;
}

/* ---- shards ---- */

/* Most rows of which no plane is larger than the device binds; 0 when not even one group fits. */
static uint32_t shard_rows(const struct gpu_device *device, enum dtype dtype, uint32_t interleave,
                           uint32_t cols)
{
    uint64_t limit = gpu_range_limit(device), groups = UINT32_MAX;
    uint32_t group = planes_row_group(dtype, interleave);
    for (uint32_t p = 0; p < planes_count(dtype); p++) {
        uint64_t fit = limit / planes_size(dtype, interleave, cols, group, p);
        groups = fit < groups ? fit : groups;
    }
    return groups > UINT32_MAX / group ? UINT32_MAX : (uint32_t)(groups * group);
}

static bool matrix_describe(struct gpu_weights *weights, const struct gpu_device *device,
                            uint32_t index, struct fault *fault)
{
    const struct plan_weight *weight = &weights->plan->weights[index];
    enum dtype dtype = weight->tensor->dtype;
    if (!planes_supported(dtype, fault))
        return fault_context(fault, "tensor %s", weight->tensor->name);
    uint32_t interleave = gpu_matmul_interleave(gpu_device_info(device));
    uint32_t most = shard_rows(device, dtype, interleave, weight->cols);
    uint32_t count = most ? (weight->rows - 1) / most + 1 : GPU_SHARD_MAX + 1;
    if (count > GPU_SHARD_MAX)
        return fault_set(fault, FAULT_DEVICE, "tensor %s is too large for this device",
                         weight->tensor->name);
    struct gpu_matrix *matrix = &weights->matrices[index];
    *matrix = (struct gpu_matrix){.dtype = dtype,
                                  .rows = weight->rows,
                                  .cols = weight->cols,
                                  .interleave = interleave,
                                  .shard_count = count,
                                  .shards = calloc(count, sizeof *matrix->shards)};
    if (!matrix->shards)
        return fault_set(fault, FAULT_MEMORY, "no memory for tensor %s", weight->tensor->name);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t first = i * most, left = weight->rows - first;
        matrix->shards[i].row_first = first;
        matrix->shards[i].row_count = left < most ? left : most;
    }
    return true;
}

static bool matrix_place(struct gpu_weights *weights, const struct gpu_device *device,
                         uint32_t index, struct fault *fault)
{
    if (!matrix_describe(weights, device, index, fault))
        return false;
    const struct gpu_matrix *matrix = &weights->matrices[index];
    const char *name = weights->plan->weights[index].tensor->name;
    for (uint32_t i = 0; i < matrix->shard_count; i++)
        for (uint32_t p = 0; p < planes_count(matrix->dtype); p++) {
            uint32_t item;
            uint64_t size = planes_size(matrix->dtype, matrix->interleave, matrix->cols,
                                        matrix->shards[i].row_count, p);
            if (!gpu_pool_add(&weights->pool, device, size, name, &item, fault))
                return false;
        }
    return true;
}

static bool weight_place(struct gpu_weights *weights, const struct gpu_device *device,
                         uint32_t index, struct fault *fault)
{
    const struct plan_weight *weight = &weights->plan->weights[index];
    uint32_t item;
    weights->first_item[index] = weights->pool.item_count;
    if (weight_used(weights->plan, index, true) && !matrix_place(weights, device, index, fault))
        return false;
    if (!weight_used(weights->plan, index, false))
        return true;
    if (weight->rows != 1)
        return fault_set(fault, FAULT_FORMAT, "tensor %s: %u rows, expected a vector",
                         weight->tensor->name, weight->rows);
    weights->vectors[index].size = (uint64_t)weight->cols * sizeof(float);
    return gpu_pool_add(&weights->pool, device, weights->vectors[index].size, weight->tensor->name,
                        &item, fault);
}

bool gpu_weights_place(struct gpu_device *device, const struct plan *plan, struct gpu_weights **out,
                       struct fault *fault)
{
    struct gpu_weights *weights = *out = calloc(1, sizeof *weights);
    if (!weights)
        return fault_set(fault, FAULT_MEMORY, "no memory for the weights");
    uint32_t count = plan->weight_count ? plan->weight_count : 1;
    weights->plan = plan;
    weights->matrices = calloc(count, sizeof *weights->matrices);
    weights->vectors = calloc(count, sizeof *weights->vectors);
    weights->first_item = calloc(count, sizeof *weights->first_item);
    if (!weights->matrices || !weights->vectors || !weights->first_item)
        return fault_set(fault, FAULT_MEMORY, "no memory for a table of %u weights", count);
    gpu_pool_init(&weights->pool, device, "weights", GPU_MEMORY_DEVICE);
    for (uint32_t i = 0; i < plan->weight_count; i++)
        if (!weight_place(weights, device, i, fault))
            return false;
    return true;
}

void gpu_weights_free(struct gpu_device *device, struct gpu_weights *weights)
{
    if (!weights)
        return;
    gpu_pool_free(&weights->pool, device);
    for (uint32_t i = 0; weights->matrices && i < weights->plan->weight_count; i++)
        free(weights->matrices[i].shards);
    free(weights->matrices);
    free(weights->vectors);
    free(weights->first_item);
    free(weights);
}
