/* gpu_memory_plan.c: what loading and an executor take on the device: placed as for real, then
 * estimated instead of allocated; and what is really there. */
#include "gpu_exec.h"
#include <string.h>

enum purpose { PURPOSE_WEIGHTS, PURPOSE_KV, PURPOSE_ACTIVATIONS };

static void plan_add(struct gpu_memory_plan *memory, enum purpose purpose,
                     const uint64_t total[GPU_HEAP_MAX])
{
    for (uint32_t i = 0; i < GPU_HEAP_MAX; i++)
        if (purpose == PURPOSE_WEIGHTS)
            memory->heap[i].weights += total[i];
        else if (purpose == PURPOSE_KV)
            memory->heap[i].kv += total[i];
        else
            memory->heap[i].activations += total[i];
}

static bool estimate_add(const struct gpu_pool *pool, struct gpu_device *device,
                         enum purpose purpose, struct gpu_memory_plan *memory, struct fault *fault)
{
    uint64_t total[GPU_HEAP_MAX] = {0};
    if (!gpu_pool_estimate(pool, device, total, fault))
        return false;
    plan_add(memory, purpose, total);
    return true;
}

static bool estimate_weights(struct gpu_device *device, const struct plan *plan,
                             uint32_t host_layers, struct gpu_memory_plan *memory,
                             struct fault *fault)
{
    struct gpu_weights *weights;
    bool estimated = gpu_weights_place(device, plan, host_layers, &weights, fault) &&
                     estimate_add(&weights->pool, device, PURPOSE_WEIGHTS, memory, fault) &&
                     estimate_add(&weights->host, device, PURPOSE_WEIGHTS, memory, fault);
    gpu_weights_free(device, weights);
    return estimated;
}

static bool estimate_space(struct gpu_device *device, const struct exec_gpu_options *options,
                           struct gpu_memory_plan *memory, struct fault *fault)
{
    struct gpu_shape shape;
    struct gpu_space space;
    if (!gpu_shape_init(&shape, options, fault))
        return false;
    bool estimated = gpu_space_init(&space, options, &shape, false, fault) &&
                     estimate_add(&space.kv, device, PURPOSE_KV, memory, fault) &&
                     estimate_add(&space.state, device, PURPOSE_ACTIVATIONS, memory, fault) &&
                     estimate_add(&space.results, device, PURPOSE_ACTIVATIONS, memory, fault) &&
                     estimate_add(&space.input, device, PURPOSE_ACTIVATIONS, memory, fault);
    gpu_space_free(&space, device);
    return estimated;
}

/* The staging ring lies in host-visible memory, where a small host buffer would. */
static bool staging_add(struct gpu_device *device, struct gpu_memory_plan *memory,
                        struct fault *fault)
{
    uint64_t size = gpu_upload_staging(device), allocated;
    uint32_t heap;
    if (!size)
        return true;
    if (!gpu_buffer_estimate(device, 4, GPU_MEMORY_HOST, &allocated, &heap, fault))
        return false;
    memory->heap[heap].staging += size;
    return true;
}

bool exec_gpu_memory(struct gpu_device *device, const struct plan *plan, uint32_t host_layers,
                     const struct exec_gpu_options *options, struct gpu_memory_plan *memory,
                     struct fault *fault)
{
    memset(memory, 0, sizeof *memory);
    struct exec_gpu_options all = *options;
    all.device = device;
    all.plan = plan;
    return estimate_weights(device, plan, host_layers, memory, fault) &&
           estimate_space(device, &all, memory, fault) && staging_add(device, memory, fault);
}

void exec_gpu_memory_used(const struct exec *exec, const struct gpu_weights *weights,
                          struct gpu_memory_plan *memory)
{
    const struct exec_gpu *gpu = (const struct exec_gpu *)exec;
    uint64_t held[GPU_HEAP_MAX] = {0}, kv[GPU_HEAP_MAX] = {0}, rest[GPU_HEAP_MAX] = {0};
    memset(memory, 0, sizeof *memory);
    if (weights) {
        gpu_pool_used(&weights->pool, held);
        gpu_pool_used(&weights->host, held);
    }
    if (gpu) {
        gpu_pool_used(&gpu->space.kv, kv);
        gpu_pool_used(&gpu->space.state, rest);
        gpu_pool_used(&gpu->space.results, rest);
        gpu_pool_used(&gpu->space.input, rest);
        staging_add(exec_device(gpu), memory, NULL);
    }
    plan_add(memory, PURPOSE_WEIGHTS, held);
    plan_add(memory, PURPOSE_KV, kv);
    plan_add(memory, PURPOSE_ACTIVATIONS, rest);
}
