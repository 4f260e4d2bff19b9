/* gpu_binding.c: descriptor sets, written once, from pools that are added in chunks. */
#include "gpu_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SETS_PER_POOL = 256 };

static bool add_pool(struct gpu_device *device, struct fault *fault)
{
    struct gpu_binding_store *store = &device->bindings;
    struct gpu_binding_pool *pools =
        realloc(store->pools, (store->pool_count + 1u) * sizeof *pools);
    if (!pools)
        return gpu_no_memory("descriptor pools", fault);
    store->pools = pools;
    VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                 SETS_PER_POOL * GPU_BINDING_MAX};
    VkDescriptorPoolCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
        .flags = VK_DESCRIPTOR_POOL_CREATE_FREE_DESCRIPTOR_SET_BIT,
        .maxSets = SETS_PER_POOL,
        .poolSizeCount = 1,
        .pPoolSizes = &size,
    };
    struct gpu_binding_pool *pool = &pools[store->pool_count];
    VkResult result = device->vk.vkCreateDescriptorPool(device->handle, &info, NULL, &pool->handle);
    if (!gpu_result(device, result, "vkCreateDescriptorPool", fault))
        return false;
    pool->free_sets = SETS_PER_POOL;
    store->pool_count++;
    return true;
}

static VkResult allocate_from(struct gpu_device *device, uint32_t pool, uint32_t binding_count,
                              VkDescriptorSet *set)
{
    VkDescriptorSetAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
        .descriptorPool = device->bindings.pools[pool].handle,
        .descriptorSetCount = 1,
        .pSetLayouts = &device->kernels.set_layout[binding_count],
    };
    return device->vk.vkAllocateDescriptorSets(device->handle, &info, set);
}

/* The newest pool with room; a fragmented one counts as full. */
static bool allocate(struct gpu_device *device, struct gpu_binding *binding, uint32_t count,
                     struct fault *fault)
{
    struct gpu_binding_store *store = &device->bindings;
    for (uint32_t i = store->pool_count; i-- > 0;) {
        if (store->pools[i].free_sets == 0)
            continue;
        binding->pool = i;
        VkResult result = allocate_from(device, i, count, &binding->set);
        if (result == VK_SUCCESS)
            return true;
        if (result != VK_ERROR_FRAGMENTED_POOL && result != VK_ERROR_OUT_OF_POOL_MEMORY)
            return gpu_result(device, result, "vkAllocateDescriptorSets", fault);
    }
    if (!add_pool(device, fault))
        return false;
    binding->pool = store->pool_count - 1;
    return gpu_result(device, allocate_from(device, binding->pool, count, &binding->set),
                      "vkAllocateDescriptorSets", fault);
}

static bool describe(const struct gpu_device *device, const struct gpu_range *range,
                     VkDescriptorBufferInfo *info, struct fault *fault)
{
    assert(range->buffer && range->offset < range->buffer->size);
    assert(range->offset % device->probe.info.storage_alignment == 0);
    uint64_t rest = range->buffer->size - range->offset;
    uint64_t size = range->size ? range->size : rest;
    assert(size <= rest);
    *info = (VkDescriptorBufferInfo){range->buffer->handle, range->offset, size};
    return size <= device->probe.info.storage_range_max ||
           fault_set(fault, FAULT_DEVICE, "a binding of %llu bytes, %s allows %llu",
                     (unsigned long long)size, device->probe.info.name,
                     (unsigned long long)device->probe.info.storage_range_max);
}

static bool write_set(struct gpu_device *device, VkDescriptorSet set,
                      const struct gpu_range *ranges, uint32_t count, struct fault *fault)
{
    VkDescriptorBufferInfo infos[GPU_BINDING_MAX];
    VkWriteDescriptorSet writes[GPU_BINDING_MAX];
    for (uint32_t i = 0; i < count; i++) {
        if (!describe(device, &ranges[i], &infos[i], fault))
            return false;
        writes[i] = (VkWriteDescriptorSet){
            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
            .dstSet = set,
            .dstBinding = i,
            .descriptorCount = 1,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .pBufferInfo = &infos[i],
        };
    }
    device->vk.vkUpdateDescriptorSets(device->handle, count, writes, 0, NULL);
    return true;
}

static void link_binding(struct gpu_binding_store *store, struct gpu_binding *binding)
{
    store->pools[binding->pool].free_sets--;
    binding->next = store->first;
    if (binding->next)
        binding->next->previous = binding;
    store->first = binding;
}

static void unlink_binding(struct gpu_binding_store *store, struct gpu_binding *binding)
{
    store->pools[binding->pool].free_sets++;
    if (binding->next)
        binding->next->previous = binding->previous;
    if (binding->previous)
        binding->previous->next = binding->next;
    else
        store->first = binding->next;
}

bool gpu_bind(struct gpu_device *device, struct gpu_kernel *kernel, const struct gpu_range *ranges,
              uint32_t count, struct gpu_binding **out, struct fault *fault)
{
    assert(count == kernel->request.binding_count);
    *out = NULL;
    if (!gpu_alive(device, fault))
        return false;
    struct gpu_binding *binding = calloc(1, sizeof *binding);
    if (!binding)
        return gpu_no_memory("a binding", fault);
    if (!allocate(device, binding, count, fault)) {
        free(binding);
        return fault_context(fault, "bindings of kernel %s", kernel->request.name);
    }
    link_binding(&device->bindings, binding);
    if (!write_set(device, binding->set, ranges, count, fault)) {
        gpu_unbind(device, binding);
        return fault_context(fault, "bindings of kernel %s", kernel->request.name);
    }
    *out = binding;
    return true;
}

void gpu_unbind(struct gpu_device *device, struct gpu_binding *binding)
{
    if (!binding)
        return;
    gpu_settle(device);
    struct gpu_binding_store *store = &device->bindings;
    /* Freeing from a pool never fails. */
    device->vk.vkFreeDescriptorSets(device->handle, store->pools[binding->pool].handle, 1,
                                    &binding->set);
    unlink_binding(store, binding);
    free(binding);
}

void gpu_bindings_free(struct gpu_device *device)
{
    struct gpu_binding_store *store = &device->bindings;
    while (store->first)
        gpu_unbind(device, store->first);
    for (uint32_t i = 0; i < store->pool_count; i++)
        device->vk.vkDestroyDescriptorPool(device->handle, store->pools[i].handle, NULL);
    free(store->pools);
    memset(store, 0, sizeof *store);
}
