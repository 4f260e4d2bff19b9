/* gpu_command.c: command buffers and what is recorded into them. */
#include "gpu_private.h"

#include <assert.h>
#include <stdlib.h>

static const VkPipelineStageFlags work_stages =
    VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
static const VkAccessFlags work_writes = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
static const VkAccessFlags work_accesses = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT |
                                           VK_ACCESS_TRANSFER_READ_BIT |
                                           VK_ACCESS_TRANSFER_WRITE_BIT;

/* ---- lifetime ---- */

static bool create_fence(struct gpu_device *device, VkFence *fence, struct fault *fault)
{
    VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkResult result = device->vk.vkCreateFence(device->handle, &info, NULL, fence);
    return GPU_CREATED(device, result, "vkCreateFence", fence, fault);
}

static bool create_handle(struct gpu_device *device, VkCommandBuffer *handle, struct fault *fault)
{
    VkCommandBufferAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = device->queue.pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 1,
    };
    VkResult result = device->vk.vkAllocateCommandBuffers(device->handle, &info, handle);
    return GPU_CREATED(device, result, "vkAllocateCommandBuffers", handle, fault);
}

bool gpu_commands_create(struct gpu_device *device, struct gpu_commands **out, struct fault *fault)
{
    *out = NULL;
    if (!gpu_alive(device, fault))
        return false;
    struct gpu_commands *commands = calloc(1, sizeof *commands);
    if (!commands)
        return gpu_no_memory("a command buffer", fault);
    commands->device = device;
    if (!create_handle(device, &commands->handle, fault) ||
        !create_fence(device, &commands->fence, fault)) {
        gpu_commands_destroy(device, commands);
        return false;
    }
    *out = commands;
    return true;
}

void gpu_commands_destroy(struct gpu_device *device, struct gpu_commands *commands)
{
    if (!commands)
        return;
    if (commands->pending)
        gpu_commands_wait(device, commands, NULL);
    gpu_settle(device);
    gpu_commands_forget(device, commands);
    device->vk.vkDestroyFence(device->handle, commands->fence, NULL);
    if (commands->handle)
        device->vk.vkFreeCommandBuffers(device->handle, device->queue.pool, 1, &commands->handle);
    free(commands);
}

/* ---- recording ---- */

static void record_memory_barrier(struct gpu_commands *commands, VkPipelineStageFlags stages,
                                  VkAccessFlags accesses)
{
    VkMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = work_writes,
        .dstAccessMask = accesses,
    };
    commands->device->vk.vkCmdPipelineBarrier(commands->handle, work_stages, stages, 0, 1, &barrier,
                                              0, NULL, 0, NULL);
}

bool gpu_record_begin(struct gpu_commands *commands, struct fault *fault)
{
    struct gpu_device *device = commands->device;
    if (!gpu_alive(device, fault))
        return false;
    assert(!commands->pending);
    VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    VkResult result = device->vk.vkBeginCommandBuffer(commands->handle, &info);
    if (!gpu_result(device, result, "vkBeginCommandBuffer", fault))
        return false;
    commands->bound = VK_NULL_HANDLE;
    commands->dispatch_count = 0;
    commands->barrier_count = 0;
    commands->empty_slots = 0;
    record_memory_barrier(commands, work_stages, work_accesses);
    return true;
}

bool gpu_record_end(struct gpu_commands *commands, struct fault *fault)
{
    VkResult result = commands->device->vk.vkEndCommandBuffer(commands->handle);
    return gpu_result(commands->device, result, "vkEndCommandBuffer", fault);
}

void gpu_record_dispatch(struct gpu_commands *commands, struct gpu_kernel *kernel,
                         struct gpu_binding *binding, const void *push, uint32_t x, uint32_t y,
                         uint32_t z)
{
    const struct gpu_table *vk = &commands->device->vk;
    const uint32_t *most = commands->device->probe.info.group_count_max;
    assert(x > 0 && y > 0 && z > 0 && x <= most[0] && y <= most[1] && z <= most[2]);
    (void)most;
    if (commands->bound != kernel->handle)
        vk->vkCmdBindPipeline(commands->handle, VK_PIPELINE_BIND_POINT_COMPUTE, kernel->handle);
    commands->bound = kernel->handle;
    if (binding)
        vk->vkCmdBindDescriptorSets(commands->handle, VK_PIPELINE_BIND_POINT_COMPUTE,
                                    kernel->layout, 0, 1, &binding->set, 0, NULL);
    if (kernel->request.push_size > 0)
        vk->vkCmdPushConstants(commands->handle, kernel->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                               kernel->request.push_size, push);
    vk->vkCmdDispatch(commands->handle, x, y, z);
    commands->dispatch_count++;
}

void gpu_record_barrier(struct gpu_commands *commands)
{
    record_memory_barrier(commands, work_stages, work_accesses);
    commands->barrier_count++;
}

void gpu_record_host_barrier(struct gpu_commands *commands)
{
    record_memory_barrier(commands, VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    commands->barrier_count++;
}

static uint64_t range_size(const struct gpu_range *range)
{
    return range->size ? range->size : range->buffer->size - range->offset;
}

void gpu_record_copy(struct gpu_commands *commands, struct gpu_range source,
                     struct gpu_range target)
{
    VkBufferCopy region = {source.offset, target.offset, range_size(&source)};
    assert(region.size == range_size(&target));
    assert(source.offset + region.size <= source.buffer->size);
    assert(target.offset + region.size <= target.buffer->size);
    commands->device->vk.vkCmdCopyBuffer(commands->handle, source.buffer->handle,
                                         target.buffer->handle, 1, &region);
}

void gpu_record_fill(struct gpu_commands *commands, struct gpu_buffer *buffer, uint32_t word)
{
    commands->device->vk.vkCmdFillBuffer(commands->handle, buffer->handle, 0, VK_WHOLE_SIZE, word);
}

void gpu_record_timing(struct gpu_commands *commands, uint32_t count)
{
    struct gpu_queue *queue = &commands->device->queue;
    assert(count <= GPU_TIMESTAMP_MAX);
    if (!queue->timestamps || count == 0)
        return;
    commands->device->vk.vkCmdResetQueryPool(commands->handle, queue->timestamps, 0, count);
    commands->empty_slots = count;
}

void gpu_record_timestamp(struct gpu_commands *commands, uint32_t slot)
{
    struct gpu_queue *queue = &commands->device->queue;
    const struct gpu_table *vk = &commands->device->vk;
    assert(slot < GPU_TIMESTAMP_MAX);
    if (!queue->timestamps)
        return;
    if (slot >= commands->empty_slots)
        vk->vkCmdResetQueryPool(commands->handle, queue->timestamps, slot, 1);
    vk->vkCmdWriteTimestamp(commands->handle, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT,
                            queue->timestamps, slot);
    queue->timestamp_recorded[slot / 8] |= (uint8_t)(1u << slot % 8);
}

uint32_t gpu_recorded_dispatches(const struct gpu_commands *commands)
{
    return commands->dispatch_count;
}

uint32_t gpu_recorded_barriers(const struct gpu_commands *commands)
{
    return commands->barrier_count;
}
