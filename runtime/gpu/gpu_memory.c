/* gpu_memory.c: buffers, each one VkBuffer with its own memory, its size rounded up to a word. */
#include "gpu_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const VkMemoryPropertyFlags coherent =
    VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
static const VkMemoryPropertyFlags known =
    VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
    VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;

enum { NO_TYPE = VK_MAX_MEMORY_TYPES };

/* ---- memory types ---- */

/* How well a type suits; negative = not at all. */
static int suitability(VkMemoryPropertyFlags flags, enum gpu_memory memory, bool unified)
{
    bool local = flags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
    bool mapped = (flags & coherent) == coherent;
    bool cached = flags & VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    if (flags & ~known) /* protected, lazily allocated, vendor kinds */
        return -1;
    switch (memory) {
    case GPU_MEMORY_DEVICE:
        return (local ? 8 : 0) + (mapped == unified ? 4 : 0);
    case GPU_MEMORY_HOST: /* the GPU reads uncached system memory faster over a bus */
        return mapped ? (local == unified ? 4 : 0) + (cached ? 0 : 2) : -1;
    case GPU_MEMORY_READBACK:
        return mapped ? (cached ? 4 : 0) + (local == unified ? 2 : 0) : -1;
    }
    return -1;
}

static uint64_t heap_size(const VkPhysicalDeviceMemoryProperties *memory, uint32_t type)
{
    return memory->memoryHeaps[memory->memoryTypes[type].heapIndex].size;
}

/* Index of the best type; NO_TYPE on a device that only compiles, like RADV's null device. */
static uint32_t choose_type(const struct gpu_device *device, uint32_t allowed, enum gpu_memory kind)
{
    const VkPhysicalDeviceMemoryProperties *memory = &device->probe.memory;
    int best = -1;
    uint32_t chosen = NO_TYPE;
    for (uint32_t i = 0; i < memory->memoryTypeCount; i++) {
        if (!(allowed >> i & 1))
            continue;
        int score = suitability(memory->memoryTypes[i].propertyFlags, kind,
                                device->probe.info.unified_memory);
        if (score > best ||
            (score == best && score >= 0 && heap_size(memory, i) > heap_size(memory, chosen))) {
            best = score;
            chosen = i;
        }
    }
    return chosen;
}

bool gpu_memory_mapped(const struct gpu_device *device, enum gpu_memory memory)
{
    if (device->hide_mapped && memory == GPU_MEMORY_DEVICE)
        return false;
    uint32_t type = device->memory.type[memory];
    if (type == NO_TYPE)
        return false;
    VkMemoryPropertyFlags flags = device->probe.memory.memoryTypes[type].propertyFlags;
    return (flags & coherent) == coherent;
}

uint32_t gpu_memory_heap(const struct gpu_device *device, enum gpu_memory memory)
{
    uint32_t type = device->memory.type[memory];
    return type == NO_TYPE ? 0 : device->probe.memory.memoryTypes[type].heapIndex;
}

/* ---- creation ---- */

static bool create_handle(struct gpu_device *device, uint64_t size, VkBuffer *handle,
                          VkMemoryRequirements *requirements, struct fault *fault)
{
    VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = (size + 3) & ~(uint64_t)3, /* shaders and fills work on words */
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                 VK_BUFFER_USAGE_TRANSFER_DST_BIT,
    };
    VkResult result = device->vk.vkCreateBuffer(device->handle, &info, NULL, handle);
    if (!GPU_CREATED(device, result, "vkCreateBuffer", handle, fault))
        return false;
    device->vk.vkGetBufferMemoryRequirements(device->handle, *handle, requirements);
    return true;
}

/* Buffers of one usage all allow the same memory types, so they are chosen once. */
bool gpu_memory_init(struct gpu_device *device, struct fault *fault)
{
    VkBuffer handle;
    VkMemoryRequirements requirements;
    if (!create_handle(device, 4, &handle, &requirements, fault))
        return false;
    device->vk.vkDestroyBuffer(device->handle, handle, NULL);
    for (uint32_t i = 0; i < GPU_MEMORY_KIND_COUNT; i++)
        device->memory.type[i] = choose_type(device, requirements.memoryTypeBits, i);
    return true;
}

static bool check(const struct gpu_device *device, uint64_t size, enum gpu_memory memory,
                  struct fault *fault)
{
    if (!gpu_alive(device, fault))
        return false;
    if (device->memory.type[memory] == NO_TYPE)
        return fault_set(fault, FAULT_DEVICE, "%s has no memory for buffers",
                         device->probe.info.name);
    uint64_t limit = device->probe.info.allocation_max;
    if (limit > GPU_BUFFER_MAX)
        limit = GPU_BUFFER_MAX;
    assert(size > 0);
    return size <= limit ||
           fault_set(fault, FAULT_DEVICE, "a buffer of %llu bytes, at most %llu are possible",
                     (unsigned long long)size, (unsigned long long)limit);
}

static bool allocate(struct gpu_device *device, struct gpu_buffer *buffer, enum gpu_memory memory,
                     struct fault *fault)
{
    VkMemoryPriorityAllocateInfoEXT priority = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_PRIORITY_ALLOCATE_INFO_EXT,
        .priority = memory == GPU_MEMORY_DEVICE ? 1.0f : 0.5f,
    };
    VkMemoryAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = device->probe.info.memory_priority ? &priority : NULL,
        .allocationSize = buffer->allocated,
        .memoryTypeIndex = device->memory.type[memory],
    };
    VkResult result = device->vk.vkAllocateMemory(device->handle, &info, NULL, &buffer->memory);
    if (!GPU_CREATED(device, result, "vkAllocateMemory", &buffer->memory, fault))
        return false;
    device->memory.used[buffer->heap] += buffer->allocated;
    return true;
}

static bool bind_and_map(struct gpu_device *device, struct gpu_buffer *buffer,
                         enum gpu_memory memory, struct fault *fault)
{
    VkResult result =
        device->vk.vkBindBufferMemory(device->handle, buffer->handle, buffer->memory, 0);
    if (!gpu_result(device, result, "vkBindBufferMemory", fault))
        return false;
    if (!gpu_memory_mapped(device, memory))
        return true;
    result = device->vk.vkMapMemory(device->handle, buffer->memory, 0, VK_WHOLE_SIZE, 0,
                                    &buffer->mapped);
    return GPU_CREATED(device, result, "vkMapMemory", &buffer->mapped, fault);
}

static bool fill_wait(struct gpu_device *device, struct gpu_buffer *buffer, bool poison,
                      struct fault *fault)
{
    struct gpu_commands *commands = gpu_internal_begin(device, fault);
    if (!commands)
        return false;
    if (poison) {
        gpu_record_fill(commands, buffer, 0xFFFFFFFFu);
        gpu_record_barrier(commands);
    }
    gpu_record_fill(commands, buffer, 0);
    return gpu_internal_finish(device, fault);
}

/* Fresh memory may hold other programs' data: cleared, unless the owner fills it; in tests poisoned
 * before. */
static bool clear(struct gpu_device *device, struct gpu_buffer *buffer, bool unfilled,
                  struct fault *fault)
{
    if (!buffer->mapped)
        return fill_wait(device, buffer, device->poison, fault);
    if (device->poison)
        memset(buffer->mapped, 0xFF, (size_t)buffer->allocated);
    if (!unfilled)
        memset(buffer->mapped, 0, (size_t)buffer->size);
    return true;
}

static void set_name(struct gpu_device *device, const struct gpu_buffer *buffer, const char *name)
{
    if (!device->validate || !name || !device->vk.vkSetDebugUtilsObjectNameEXT)
        return;
    uint64_t handle = 0;
    memcpy(&handle, &buffer->handle, sizeof buffer->handle);
    VkDebugUtilsObjectNameInfoEXT info = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_NAME_INFO_EXT,
        .objectType = VK_OBJECT_TYPE_BUFFER,
        .objectHandle = handle,
        .pObjectName = name,
    };
    device->vk.vkSetDebugUtilsObjectNameEXT(device->handle, &info);
}

static bool build(struct gpu_device *device, struct gpu_buffer *buffer, enum gpu_memory memory,
                  bool unfilled, const char *name, struct fault *fault)
{
    VkMemoryRequirements requirements;
    if (!create_handle(device, buffer->size, &buffer->handle, &requirements, fault))
        return false;
    set_name(device, buffer, name);
    buffer->allocated = requirements.size;
    buffer->heap = gpu_memory_heap(device, memory);
    return allocate(device, buffer, memory, fault) && bind_and_map(device, buffer, memory, fault) &&
           clear(device, buffer, unfilled, fault);
}

static bool create(struct gpu_device *device, uint64_t size, enum gpu_memory memory, bool unfilled,
                   const char *name, struct gpu_buffer **out, struct fault *fault)
{
    *out = NULL;
    if (!check(device, size, memory, fault))
        return fault_context(fault, "%s", name ? name : "buffer");
    struct gpu_buffer *buffer = calloc(1, sizeof *buffer);
    if (!buffer)
        return gpu_no_memory("a buffer", fault);
    buffer->size = size;
    device->memory.buffer_count++;
    if (!build(device, buffer, memory, unfilled, name, fault)) {
        fault_context(
            fault, "%s (%.1f MiB, heap %u: %.1f of %.1f MiB taken)", name ? name : "buffer",
            (double)size / 1048576.0, gpu_memory_heap(device, memory),
            (double)device->memory.used[gpu_memory_heap(device, memory)] / 1048576.0,
            (double)device->probe.info.heaps[gpu_memory_heap(device, memory)].capacity / 1048576.0);
        gpu_buffer_destroy(device, buffer);
        return false;
    }
    *out = buffer;
    return true;
}

bool gpu_buffer_create(struct gpu_device *device, uint64_t size, enum gpu_memory memory,
                       const char *name, struct gpu_buffer **out, struct fault *fault)
{
    return create(device, size, memory, false, name, out, fault);
}

bool gpu_buffer_create_unfilled(struct gpu_device *device, uint64_t size, enum gpu_memory memory,
                                const char *name, struct gpu_buffer **out, struct fault *fault)
{
    return create(device, size, memory, true, name, out, fault);
}

void gpu_buffer_destroy(struct gpu_device *device, struct gpu_buffer *buffer)
{
    if (!buffer)
        return;
    gpu_settle(device);
    device->vk.vkDestroyBuffer(device->handle, buffer->handle, NULL);
    if (buffer->memory) {
        device->vk.vkFreeMemory(device->handle, buffer->memory, NULL);
        device->memory.used[buffer->heap] -= buffer->allocated;
    }
    device->memory.buffer_count--;
    free(buffer);
}

bool gpu_buffer_clear(struct gpu_device *device, struct gpu_buffer *buffer, struct fault *fault)
{
    return gpu_alive(device, fault) && fill_wait(device, buffer, false, fault);
}

bool gpu_buffer_estimate(struct gpu_device *device, uint64_t size, enum gpu_memory memory,
                         uint64_t *allocated, uint32_t *heap, struct fault *fault)
{
    VkBuffer handle;
    VkMemoryRequirements requirements;
    if (!check(device, size, memory, fault) ||
        !create_handle(device, size, &handle, &requirements, fault))
        return false;
    device->vk.vkDestroyBuffer(device->handle, handle, NULL);
    *allocated = requirements.size;
    *heap = gpu_memory_heap(device, memory);
    return true;
}

/* ---- facts ---- */

uint64_t gpu_buffer_size(const struct gpu_buffer *buffer)
{
    return buffer->size;
}

uint64_t gpu_buffer_allocated(const struct gpu_buffer *buffer)
{
    return buffer->allocated;
}

uint32_t gpu_buffer_heap(const struct gpu_buffer *buffer)
{
    return buffer->heap;
}

void *gpu_buffer_map(const struct gpu_buffer *buffer)
{
    return buffer->mapped;
}

uint64_t gpu_memory_used(const struct gpu_device *device, uint32_t heap)
{
    return heap < GPU_HEAP_MAX ? device->memory.used[heap] : 0;
}

uint64_t gpu_memory_free(struct gpu_device *device)
{
    gpu_probe_heaps(&device->instance, &device->probe);
    uint32_t index = gpu_memory_heap(device, GPU_MEMORY_DEVICE);
    const struct gpu_heap *heap = &device->probe.info.heaps[index];
    if (device->probe.has_budget)
        return heap->free;
    uint64_t used = device->memory.used[index];
    return heap->capacity > used ? heap->capacity - used : 0;
}
