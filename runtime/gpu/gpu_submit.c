/* gpu_submit.c: the queue: submitting, waiting and reading timestamps. */
#include "gpu_private.h"

#include <assert.h>
#include <string.h>

/* ---- the queue ---- */

static bool create_pool(struct gpu_device *device, struct fault *fault)
{
    VkCommandPoolCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
        .queueFamilyIndex = device->probe.queue_family,
    };
    VkResult result =
        device->vk.vkCreateCommandPool(device->handle, &info, NULL, &device->queue.pool);
    return GPU_CREATED(device, result, "vkCreateCommandPool", &device->queue.pool, fault);
}

static bool create_timestamps(struct gpu_device *device, struct fault *fault)
{
    if (!device->probe.info.timestamps)
        return true;
    VkQueryPoolCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
        .queryType = VK_QUERY_TYPE_TIMESTAMP,
        .queryCount = GPU_TIMESTAMP_MAX,
    };
    VkResult result =
        device->vk.vkCreateQueryPool(device->handle, &info, NULL, &device->queue.timestamps);
    return GPU_CREATED(device, result, "vkCreateQueryPool", &device->queue.timestamps, fault);
}

bool gpu_queue_init(struct gpu_device *device, struct fault *fault)
{
    struct gpu_queue *queue = &device->queue;
    device->vk.vkGetDeviceQueue(device->handle, device->probe.queue_family, 0, &queue->handle);
    return create_pool(device, fault) && create_timestamps(device, fault);
}

void gpu_queue_free(struct gpu_device *device)
{
    struct gpu_queue *queue = &device->queue;
    gpu_commands_destroy(device, queue->internal);
    device->vk.vkDestroyQueryPool(device->handle, queue->timestamps, NULL);
    device->vk.vkDestroyCommandPool(device->handle, queue->pool, NULL);
    memset(queue, 0, sizeof *queue);
}

/* ---- submitting and waiting ---- */

static bool reset_fence(struct gpu_device *device, struct gpu_commands *commands,
                        struct fault *fault)
{
    if (!commands->fence_used)
        return true;
    VkResult result = device->vk.vkResetFences(device->handle, 1, &commands->fence);
    commands->fence_used = result != VK_SUCCESS;
    return gpu_result(device, result, "vkResetFences", fault);
}

bool gpu_submit(struct gpu_device *device, struct gpu_commands *commands, struct fault *fault)
{
    struct gpu_queue *queue = &device->queue;
    if (!gpu_alive(device, fault))
        return false;
    assert(!commands->pending);
    if (!reset_fence(device, commands, fault))
        return false;
    VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .commandBufferCount = 1,
        .pCommandBuffers = &commands->handle,
    };
    VkResult result = device->vk.vkQueueSubmit(queue->handle, 1, &info, commands->fence);
    if (!gpu_result(device, result, "vkQueueSubmit", fault))
        return false;
    queue->submit_count++;
    commands->fence_used = true;
    commands->pending = true;
    commands->next = queue->pending;
    queue->pending = commands;
    return true;
}

void gpu_commands_forget(struct gpu_device *device, struct gpu_commands *commands)
{
    struct gpu_commands **link = &device->queue.pending;
    while (*link && *link != commands)
        link = &(*link)->next;
    if (*link)
        *link = commands->next;
    commands->pending = false;
}

bool gpu_commands_wait(struct gpu_device *device, struct gpu_commands *commands,
                       struct fault *fault)
{
    if (!gpu_alive(device, fault))
        return false;
    if (!commands->pending)
        return true;
    VkResult result = device->vk.vkWaitForFences(device->handle, 1, &commands->fence, VK_TRUE,
                                                 GPU_FENCE_TIMEOUT_NS);
    if (result == VK_SUCCESS) {
        gpu_commands_forget(device, commands);
        return true;
    }
    device->unsettled = true;
    return result == VK_TIMEOUT ? gpu_hung(device, fault)
                                : gpu_result(device, result, "vkWaitForFences", fault);
}

bool gpu_wait(struct gpu_device *device, struct fault *fault)
{
    while (device->queue.pending)
        if (!gpu_commands_wait(device, device->queue.pending, fault))
            return false;
    return gpu_alive(device, fault);
}

uint64_t gpu_submit_count(const struct gpu_device *device)
{
    return device->queue.submit_count;
}

/* ---- internal work ---- */

struct gpu_commands *gpu_internal_begin(struct gpu_device *device, struct fault *fault)
{
    struct gpu_queue *queue = &device->queue;
    bool ok = (queue->internal || gpu_commands_create(device, &queue->internal, fault)) &&
              gpu_commands_wait(device, queue->internal, fault) &&
              gpu_record_begin(queue->internal, fault);
    return ok ? queue->internal : NULL;
}

bool gpu_internal_finish(struct gpu_device *device, struct fault *fault)
{
    struct gpu_commands *commands = device->queue.internal;
    return gpu_record_end(commands, fault) && gpu_submit(device, commands, fault) &&
           gpu_commands_wait(device, commands, fault);
}

/* ---- timing ---- */

static bool recorded(const struct gpu_queue *queue, uint32_t slot)
{
    return queue->timestamp_recorded[slot / 8] >> slot % 8 & 1;
}

static bool read_slot(struct gpu_device *device, uint32_t slot, uint64_t *ticks)
{
    VkResult result = device->vk.vkGetQueryPoolResults(device->handle, device->queue.timestamps,
                                                       slot, 1, sizeof *ticks, ticks, sizeof *ticks,
                                                       VK_QUERY_RESULT_64_BIT);
    if (result == VK_NOT_READY)
        return false;
    return gpu_result(device, result, "vkGetQueryPoolResults", NULL);
}

double gpu_timing_read(struct gpu_device *device, uint32_t from_slot, uint32_t to_slot)
{
    const struct gpu_queue *queue = &device->queue;
    uint64_t from = 0;
    uint64_t to = 0;
    assert(from_slot < GPU_TIMESTAMP_MAX && to_slot < GPU_TIMESTAMP_MAX);
    if (!queue->timestamps || device->lost || !recorded(queue, from_slot) ||
        !recorded(queue, to_slot) || !read_slot(device, from_slot, &from) ||
        !read_slot(device, to_slot, &to))
        return 0;
    uint32_t bits = device->probe.timestamp_bits;
    uint64_t mask = bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    return (double)((to - from) & mask) * device->probe.info.timestamp_ns;
}
