/* gpu_error.c: VkResult to fault. A lost device is remembered in the device. */
#include "gpu_private.h"

#include <string.h>

struct meaning {
    VkResult result;
    const char *name;
    const char *meaning;
};

static const struct meaning meanings[] = {
    {VK_NOT_READY, "VK_NOT_READY", "not ready"},
    {VK_TIMEOUT, "VK_TIMEOUT", "timed out"},
    {VK_INCOMPLETE, "VK_INCOMPLETE", "incomplete list"},
    {VK_ERROR_OUT_OF_HOST_MEMORY, "VK_ERROR_OUT_OF_HOST_MEMORY", "out of host memory"},
    {VK_ERROR_OUT_OF_DEVICE_MEMORY, "VK_ERROR_OUT_OF_DEVICE_MEMORY", "out of device memory"},
    {VK_ERROR_INITIALIZATION_FAILED, "VK_ERROR_INITIALIZATION_FAILED",
     "the driver could not be initialized"},
    {VK_ERROR_DEVICE_LOST, "VK_ERROR_DEVICE_LOST", "the GPU was reset or removed"},
    {VK_ERROR_MEMORY_MAP_FAILED, "VK_ERROR_MEMORY_MAP_FAILED", "memory could not be mapped"},
    {VK_ERROR_LAYER_NOT_PRESENT, "VK_ERROR_LAYER_NOT_PRESENT", "a layer is not installed"},
    {VK_ERROR_EXTENSION_NOT_PRESENT, "VK_ERROR_EXTENSION_NOT_PRESENT", "an extension is missing"},
    {VK_ERROR_FEATURE_NOT_PRESENT, "VK_ERROR_FEATURE_NOT_PRESENT", "a feature is missing"},
    {VK_ERROR_INCOMPATIBLE_DRIVER, "VK_ERROR_INCOMPATIBLE_DRIVER",
     "no Vulkan driver was found; install the GPU's driver, or try --device cpu"},
    {VK_ERROR_TOO_MANY_OBJECTS, "VK_ERROR_TOO_MANY_OBJECTS", "too many objects"},
    {VK_ERROR_FRAGMENTED_POOL, "VK_ERROR_FRAGMENTED_POOL", "a pool is fragmented"},
    {VK_ERROR_OUT_OF_POOL_MEMORY, "VK_ERROR_OUT_OF_POOL_MEMORY", "a pool is full"},
    {VK_ERROR_UNKNOWN, "VK_ERROR_UNKNOWN", "unknown error of the driver"},
};

static const struct meaning *find(VkResult result)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (meanings[i].result == result)
            return &meanings[i];
    return NULL;
}

static enum fault_kind kind_of(VkResult result)
{
    if (result == VK_ERROR_DEVICE_LOST)
        return FAULT_DEVICE_LOST;
    return result == VK_ERROR_OUT_OF_HOST_MEMORY ? FAULT_MEMORY : FAULT_DEVICE;
}

bool gpu_result_early(VkResult result, const char *call, struct fault *fault)
{
    if (result == VK_SUCCESS)
        return true;
    const struct meaning *known = find(result);
    if (known)
        return fault_set(fault, kind_of(result), "%s: %s, %s", call, known->name, known->meaning);
    return fault_set(fault, FAULT_DEVICE, "%s: VkResult %d", call, (int)result);
}

bool gpu_result(struct gpu_device *device, VkResult result, const char *call, struct fault *fault)
{
    if (result == VK_ERROR_DEVICE_LOST && !device->lost) {
        device->lost = true;
        /* Returns at once on a lost device; afterwards nothing uses the buffers any more. */
        device->vk.vkDeviceWaitIdle(device->handle);
    }
    return gpu_result_early(result, call, fault);
}

bool gpu_created(struct gpu_device *device, VkResult result, const char *call, void *handle,
                 size_t handle_size, struct fault *fault)
{
    if (gpu_result(device, result, call, fault))
        return true;
    memset(handle, 0, handle_size);
    return false;
}

bool gpu_alive(const struct gpu_device *device, struct fault *fault)
{
    if (!device->lost)
        return true;
    return fault_set(fault, FAULT_DEVICE_LOST, "%s was lost; it must be opened again",
                     device->probe.info.name);
}

bool gpu_hung(struct gpu_device *device, struct fault *fault)
{
    device->lost = true;
    return fault_set(fault, FAULT_DEVICE_LOST, "%s did not answer within %u s",
                     device->probe.info.name, (unsigned)(GPU_FENCE_TIMEOUT_NS / 1000000000u));
}

void gpu_settle(struct gpu_device *device)
{
    if (device->unsettled)
        device->vk.vkDeviceWaitIdle(device->handle);
    device->unsettled = false;
}

bool gpu_no_memory(const char *what, struct fault *fault)
{
    return fault_set(fault, FAULT_MEMORY, "out of host memory for %s", what);
}
