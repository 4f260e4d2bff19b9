/* gpu_weights.c: where the weights of a plan lie on the device. Matrices (of MATMUL and EMBED) are
 * planes in shards of rows, so that no plane of a shard is larger than what can be bound; biases
 * and the vectors of NORM are float32. Filling them is gpu_weights_load.c. */
#include "gpu_weights.h"
#include <stdlib.h>

/* ---- what is used ---- */

static bool matrix_biased(const struct gpu_weights *weights, uint32_t matrix)
{
    for (uint32_t i = 0; i < weights->plan->step_count; i++) {
        const struct step *step = &weights->plan->steps[i];
        if (step->op == OP_MATMUL && step->weight[1].weight != PLAN_NONE &&
            weights->places[step->weight[0].weight].matrix == matrix)
            return true;
    }
    return false;
}

static bool is_norm_vector(const struct plan *plan, uint32_t weight)
{
    for (uint32_t i = 0; i < plan->step_count; i++)
        for (uint32_t j = 0; j < PLAN_WEIGHT_MAX; j++)
            if (plan->steps[i].op == OP_NORM && plan->steps[i].weight[j].weight == weight)
                return true;
    return false;
}

/* True when only steps of the last host_layers layers read the matrix. */
static bool matrix_hosted(const struct gpu_weights *weights, uint32_t matrix)
{
    const struct plan *plan = weights->plan;
    bool used = false, hosted = true;
    for (uint32_t i = 0; i < plan->step_count; i++)
        for (uint32_t j = 0; j < PLAN_WEIGHT_MAX; j++) {
            uint32_t weight = plan->steps[i].weight[j].weight, layer = plan->steps[i].layer;
            if (weight == PLAN_NONE || weights->places[weight].matrix != matrix)
                continue;
            used = true;
            hosted = hosted && layer != PLAN_NONE &&
                     (uint64_t)layer + weights->host_layers >= plan->layer_count;
        }
    return used && hosted;
}

/* The name of some weight in the matrix, for messages. */
static const char *matrix_name(const struct gpu_weights *weights, uint32_t matrix)
{
    for (uint32_t i = 0; i < weights->plan->weight_count; i++)
        if (weights->places[i].matrix == matrix)
            return weights->plan->weights[i].tensor->name;
    return "a matrix";
}

/* ---- shards ---- */

/* Most rows of which no plane is larger than the device binds; 0 when not even one group fits. */
static uint32_t shard_rows(const struct gpu_device *device, const struct gpu_matrix *matrix)
{
    uint64_t limit = gpu_range_limit(device), groups = UINT32_MAX;
    uint32_t group = planes_row_group(matrix->dtype, matrix->interleave);
    for (uint32_t p = 0; p < planes_count(matrix->dtype); p++) {
        uint64_t fit =
            limit / planes_size(matrix->dtype, matrix->interleave, matrix->cols, group, p);
        groups = fit < groups ? fit : groups;
    }
    return groups > UINT32_MAX / group ? UINT32_MAX : (uint32_t)(groups * group);
}

static bool matrix_cut(struct gpu_weights *weights, const struct gpu_device *device, uint32_t index,
                       struct fault *fault)
{
    struct gpu_matrix *matrix = &weights->matrices[index];
    const char *name = matrix_name(weights, index);
    if (!planes_supported(matrix->dtype, fault))
        return fault_context(fault, "tensor %s", name);
    uint32_t most = shard_rows(device, matrix);
    uint32_t count = most ? (matrix->rows - 1) / most + 1 : GPU_SHARD_MAX + 1;
    if (count > GPU_SHARD_MAX)
        return fault_set(fault, FAULT_DEVICE, "tensor %s is too large for this device", name);
    matrix->shards = calloc(count, sizeof *matrix->shards);
    if (!matrix->shards)
        return fault_set(fault, FAULT_MEMORY, "no memory for tensor %s", name);
    matrix->shard_count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t first = i * most, left = matrix->rows - first;
        matrix->shards[i].row_first = first;
        matrix->shards[i].row_count = left < most ? left : most;
    }
    return true;
}

/* ---- placing ---- */

static bool matrix_place(struct gpu_weights *weights, const struct gpu_device *device,
                         uint32_t index, struct fault *fault)
{
    const char *name = matrix_name(weights, index);
    struct gpu_matrix *matrix = &weights->matrices[index];
    uint32_t item;
    weights->hosted[index] = matrix_hosted(weights, index);
    struct gpu_pool *pool = weights_pool(weights, index);
    weights->matrix_items[index] = pool->item_count;
    if (!matrix_cut(weights, device, index, fault))
        return false;
    for (uint32_t i = 0; i < matrix->shard_count; i++)
        for (uint32_t p = 0; p < planes_count(matrix->dtype); p++) {
            uint64_t size = planes_size(matrix->dtype, matrix->interleave, matrix->cols,
                                        matrix->shards[i].row_count, p);
            if (!gpu_pool_add(pool, device, size, name, &item, fault))
                return false;
        }
    if (!matrix_biased(weights, index))
        return true;
    weights->biases[index].size = (uint64_t)matrix->rows * sizeof(float);
    return gpu_pool_add(&weights->pool, device, weights->biases[index].size, name,
                        &weights->bias_items[index], fault);
}

static bool vector_place(struct gpu_weights *weights, const struct gpu_device *device,
                         uint32_t index, struct fault *fault)
{
    const struct plan_weight *weight = &weights->plan->weights[index];
    if (!is_norm_vector(weights->plan, index))
        return true;
    weights->vectors[index].size = (uint64_t)weight->cols * sizeof(float);
    return gpu_pool_add(&weights->pool, device, weights->vectors[index].size, weight->tensor->name,
                        &weights->vector_items[index], fault);
}

static bool arrays_create(struct gpu_weights *weights, struct fault *fault)
{
    uint32_t count = weights->plan->weight_count ? weights->plan->weight_count : 1;
    weights->matrices = calloc(count, sizeof *weights->matrices);
    weights->biases = calloc(count, sizeof *weights->biases);
    weights->matrix_items = calloc(count, sizeof *weights->matrix_items);
    weights->hosted = calloc(count, sizeof *weights->hosted);
    weights->bias_items = calloc(count, sizeof *weights->bias_items);
    weights->places = calloc(count, sizeof *weights->places);
    weights->vectors = calloc(count, sizeof *weights->vectors);
    weights->vector_items = calloc(count, sizeof *weights->vector_items);
    return (weights->matrices && weights->biases && weights->matrix_items && weights->hosted &&
            weights->bias_items && weights->places && weights->vectors && weights->vector_items) ||
           fault_set(fault, FAULT_MEMORY, "no memory for a table of %u weights", count);
}

bool gpu_weights_place(struct gpu_device *device, const struct plan *plan, uint32_t host_layers,
                       struct gpu_weights **out, struct fault *fault)
{
    struct gpu_weights *weights = *out = calloc(1, sizeof *weights);
    if (!weights)
        return fault_set(fault, FAULT_MEMORY, "no memory for the weights");
    weights->plan = plan;
    weights->host_layers = host_layers;
    if (!arrays_create(weights, fault))
        return false;
    gpu_pool_init(&weights->pool, device, "weights", GPU_MEMORY_DEVICE);
    gpu_pool_init(&weights->host, device, "weights in host memory", GPU_MEMORY_HOST);
    weights->pool.unfilled = weights->host.unfilled = true;
    weights->matrix_count = gpu_join_weights(plan, gpu_matmul_interleave(gpu_device_info(device)),
                                             weights->places, weights->matrices);
    for (uint32_t i = 0; i < weights->matrix_count; i++)
        if (!matrix_place(weights, device, i, fault))
            return false;
    for (uint32_t i = 0; i < plan->weight_count; i++)
        if (!vector_place(weights, device, i, fault))
            return false;
    return true;
}

void gpu_weights_free(struct gpu_device *device, struct gpu_weights *weights)
{
    if (!weights)
        return;
    gpu_pool_free(&weights->pool, device);
    gpu_pool_free(&weights->host, device);
    for (uint32_t i = 0; i < weights->matrix_count; i++)
        free(weights->matrices[i].shards);
    free(weights->matrices);
    free(weights->biases);
    free(weights->matrix_items);
    free(weights->hosted);
    free(weights->bias_items);
    free(weights->places);
    free(weights->vectors);
    free(weights->vector_items);
    free(weights);
}
