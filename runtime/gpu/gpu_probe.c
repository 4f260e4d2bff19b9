/* gpu_probe.c: lists physical devices, best first, and says of each why it can or cannot be used.
 */
#include "gpu_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHARED_MEMORY_MIN = 16384, INVOCATIONS_MIN = 128, VENDOR_AMD = 0x1002 };

static enum gpu_type type_of(VkPhysicalDeviceType type)
{
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
        return GPU_DISCRETE;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
        return GPU_INTEGRATED;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
        return GPU_VIRTUAL;
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
        return GPU_SOFTWARE;
    default:
        return GPU_OTHER;
    }
}

static void read_identity(const struct gpu_instance *instance, struct gpu_probe *probe)
{
    VkPhysicalDeviceProperties properties;
    instance->vk.vkGetPhysicalDeviceProperties(probe->handle, &properties);
    struct gpu_info *info = &probe->info;
    snprintf(info->name, sizeof info->name, "%.255s", properties.deviceName);
    info->type = type_of(properties.deviceType);
    info->api_version = properties.apiVersion;
    /* A device cannot be used beyond the version its instance was created for. */
    if (VK_API_VERSION_MINOR(info->api_version) > VK_API_VERSION_MINOR(instance->api_version))
        info->api_version = instance->api_version;
    info->driver_version = properties.driverVersion;
    info->vendor_id = properties.vendorID;
    info->device_id = properties.deviceID;
    memcpy(probe->cache_uuid, properties.pipelineCacheUUID, VK_UUID_SIZE);
}

static bool has(const VkExtensionProperties *list, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(list[i].extensionName, name) == 0)
            return true;
    return false;
}

static bool read_extensions(const struct gpu_instance *instance, struct gpu_probe *probe,
                            struct fault *fault)
{
    const struct gpu_table *vk = &instance->vk;
    uint32_t count = 0;
    VkResult result = vk->vkEnumerateDeviceExtensionProperties(probe->handle, NULL, &count, NULL);
    if (!gpu_result_early(result, "vkEnumerateDeviceExtensionProperties", fault))
        return false;
    VkExtensionProperties *list = calloc((size_t)count + 1, sizeof *list);
    if (!list)
        return gpu_no_memory("the list of device extensions", fault);
    result = vk->vkEnumerateDeviceExtensionProperties(probe->handle, NULL, &count, list);
    bool ok = result == VK_INCOMPLETE ||
              gpu_result_early(result, "vkEnumerateDeviceExtensionProperties", fault);
    if (ok) {
        probe->has_dot = has(list, count, VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME);
        probe->has_size_control = has(list, count, VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME);
        probe->has_budget = has(list, count, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
        probe->has_priority = has(list, count, VK_EXT_MEMORY_PRIORITY_EXTENSION_NAME);
        probe->has_statistics =
            has(list, count, VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME);
        probe->has_portability = has(list, count, "VK_KHR_portability_subset");
    }
    free(list);
    return ok;
}

static void read_budget(const struct gpu_instance *instance, struct gpu_probe *probe)
{
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT,
    };
    VkPhysicalDeviceMemoryProperties2 memory = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2,
        .pNext = &budget,
    };
    instance->vk.vkGetPhysicalDeviceMemoryProperties2(probe->handle, &memory);
    for (uint32_t i = 0; i < probe->info.heap_count; i++) {
        uint64_t limit = budget.heapBudget[i];
        uint64_t used = budget.heapUsage[i];
        probe->info.heaps[i].free = limit > used ? limit - used : 0;
    }
}

void gpu_probe_heaps(const struct gpu_instance *instance, struct gpu_probe *probe)
{
    struct gpu_info *info = &probe->info;
    instance->vk.vkGetPhysicalDeviceMemoryProperties(probe->handle, &probe->memory);
    info->heap_count = probe->memory.memoryHeapCount;
    for (uint32_t i = 0; i < info->heap_count; i++) {
        const VkMemoryHeap *heap = &probe->memory.memoryHeaps[i];
        info->heaps[i] = (struct gpu_heap){
            .capacity = heap->size,
            .free = heap->size,
            .device_local = heap->flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT,
        };
    }
    for (uint32_t i = 0; i < probe->memory.memoryTypeCount; i++)
        if (probe->memory.memoryTypes[i].propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT)
            info->heaps[probe->memory.memoryTypes[i].heapIndex].host_visible = true;
    if (probe->has_budget && info->heap_count > 0) /* RADV's null device has none and crashes */
        read_budget(instance, probe);
}

static void summarize_memory(struct gpu_probe *probe)
{
    struct gpu_info *info = &probe->info;
    probe->local_size = 0;
    if (info->heap_count == 0) /* RADV's null device: a choice of last resort */
        info->type = GPU_OTHER;
    info->unified_memory = info->type != GPU_DISCRETE;
    for (uint32_t i = 0; i < info->heap_count; i++) {
        if (!info->heaps[i].device_local)
            continue;
        probe->local_size += info->heaps[i].capacity;
        info->unified_memory &= info->heaps[i].host_visible;
    }
}

/* A family with compute; on AMD one that has graphics too, which was measured faster there. */
static bool choose_queue(const struct gpu_instance *instance, struct gpu_probe *probe)
{
    VkQueueFamilyProperties families[32];
    uint32_t count = sizeof families / sizeof families[0];
    instance->vk.vkGetPhysicalDeviceQueueFamilyProperties(probe->handle, &count, families);
    bool found = false;
    for (uint32_t i = count; i-- > 0;) {
        if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) || families[i].queueCount == 0)
            continue;
        bool graphics = families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT;
        if (found && probe->info.vendor_id == VENDOR_AMD && !graphics)
            continue;
        found = true;
        probe->queue_family = i;
        probe->timestamp_bits = families[i].timestampValidBits;
    }
    probe->info.timestamps = found && probe->timestamp_bits > 0;
    return found;
}

static bool refuse(struct gpu_info *info, const char *why, uint32_t found, uint32_t needed)
{
    snprintf(info->reason, sizeof info->reason, "not usable: %s %u, %u needed", why, found, needed);
    return false;
}

static bool judge(struct gpu_probe *probe)
{
    struct gpu_info *info = &probe->info;
    if (info->shared_memory < SHARED_MEMORY_MIN)
        return refuse(info, "shared memory", info->shared_memory, SHARED_MEMORY_MIN);
    if (info->invocations_max < INVOCATIONS_MIN)
        return refuse(info, "workgroup size", info->invocations_max, INVOCATIONS_MIN);
    if (info->storage_binding_max < GPU_BINDING_MAX)
        return refuse(info, "storage buffers", info->storage_binding_max, GPU_BINDING_MAX);
    gpu_describe(info, "");
    return true;
}

static bool read_device(const struct gpu_instance *instance, struct gpu_probe *probe,
                        struct fault *fault)
{
    struct gpu_info *info = &probe->info;
    read_identity(instance, probe);
    if (info->api_version < VK_API_VERSION_1_2) {
        snprintf(info->reason, sizeof info->reason, "not usable: Vulkan %u.%u, 1.2 needed",
                 VK_API_VERSION_MAJOR(info->api_version), VK_API_VERSION_MINOR(info->api_version));
        return true;
    }
    if (!read_extensions(instance, probe, fault))
        return false;
    gpu_probe_features(instance, probe);
    gpu_probe_heaps(instance, probe);
    summarize_memory(probe);
    if (!choose_queue(instance, probe))
        snprintf(info->reason, sizeof info->reason, "not usable: no compute queue");
    else
        info->usable = judge(probe);
    return true;
}

static bool better(const struct gpu_probe *left, const struct gpu_probe *right)
{
    if (left->info.usable != right->info.usable)
        return left->info.usable;
    if (left->info.type != right->info.type)
        return left->info.type < right->info.type;
    return left->local_size > right->local_size;
}

/* Stable insertion sort: equal devices stay in the driver's order. */
static void sort_best_first(struct gpu_probe *probes, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct gpu_probe moved = probes[i];
        uint32_t at = i;
        for (; at > 0 && better(&moved, &probes[at - 1]); at--)
            probes[at] = probes[at - 1];
        probes[at] = moved;
    }
}

bool gpu_probe_all(const struct gpu_instance *instance, struct gpu_probe **probes, uint32_t *count,
                   struct fault *fault)
{
    VkPhysicalDevice handles[GPU_DEVICE_MAX];
    *count = GPU_DEVICE_MAX;
    *probes = NULL;
    VkResult result = instance->vk.vkEnumeratePhysicalDevices(instance->handle, count, handles);
    if (result != VK_INCOMPLETE && !gpu_result_early(result, "vkEnumeratePhysicalDevices", fault))
        return false;
    struct gpu_probe *list = calloc((size_t)*count + 1, sizeof *list);
    if (!list)
        return gpu_no_memory("the list of devices", fault);
    for (uint32_t i = 0; i < *count; i++) {
        list[i].handle = handles[i];
        list[i].info.index = i;
        if (!read_device(instance, &list[i], fault)) {
            free(list);
            return false;
        }
    }
    sort_best_first(list, *count);
    *probes = list;
    return true;
}
