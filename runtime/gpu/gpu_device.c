/* gpu_device.c: opens the chosen device with the features lichen uses. */
#include "gpu_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- listing ---- */

bool gpu_list(struct gpu_info infos[GPU_DEVICE_MAX], uint32_t *count, char none[256],
              struct fault *fault)
{
    struct gpu_instance instance;
    struct fault absent = {0};
    *count = 0;
    if (none)
        none[0] = 0;
    if (!gpu_instance_open(&instance, NULL, &absent)) {
        if (absent.kind != FAULT_DEVICE)
            return fault_set(fault, absent.kind, "%s", absent.text);
        if (none)
            snprintf(none, 256, "%.255s", absent.text);
        return true;
    }
    struct gpu_probe *probes = NULL;
    bool ok = gpu_probe_all(&instance, &probes, count, fault);
    for (uint32_t i = 0; ok && i < *count; i++)
        infos[i] = probes[i].info;
    if (ok && *count == 0 && none)
        snprintf(none, 256, "the Vulkan drivers list no device");
    free(probes);
    gpu_instance_close(&instance);
    return ok;
}

/* ---- creation ---- */

static void hide_features(struct gpu_info *info, const struct gpu_options *options)
{
    if (options->hide_packed_dot)
        info->packed_dot = info->packed_dot_accelerated = false;
    if (options->hide_subgroups)
        info->subgroup_arithmetic = info->subgroup_size_control = false;
}

static bool choose_probe(struct gpu_device *device, const struct gpu_probe *probes, uint32_t count,
                         const char *wanted, struct fault *fault)
{
    uint32_t chosen = 0;
    struct gpu_info *infos = calloc((size_t)count + 1, sizeof *infos);
    if (!infos)
        return gpu_no_memory("the list of devices", fault);
    for (uint32_t i = 0; i < count; i++)
        infos[i] = probes[i].info;
    bool ok = gpu_choose(infos, count, wanted, &chosen, fault);
    if (ok) {
        device->probe = probes[chosen];
        device->probe.info = infos[chosen]; /* with its reason */
    }
    free(infos);
    return ok;
}

static bool select_device(struct gpu_device *device, const struct gpu_options *options,
                          struct fault *fault)
{
    struct gpu_probe *probes = NULL;
    uint32_t count = 0;
    bool ok = gpu_probe_all(&device->instance, &probes, &count, fault) &&
              choose_probe(device, probes, count, options->device, fault);
    free(probes);
    hide_features(&device->probe.info, options);
    return ok;
}

/* Of what the driver has, what lichen uses. */
static void want_features(struct gpu_chain *wanted, const struct gpu_chain *present,
                          const struct gpu_info *info, const struct gpu_options *options)
{
    const VkPhysicalDeviceFeatures *core = &present->core.features;
    wanted->core.features.robustBufferAccess = options->robust && core->robustBufferAccess;
    wanted->v11.storageBuffer16BitAccess = info->storage16;
    wanted->v12.storageBuffer8BitAccess = info->storage8;
    wanted->v12.shaderFloat16 = info->float16;
    wanted->v12.shaderInt8 = info->storage8 && present->v12.shaderInt8;
    wanted->core.features.shaderInt16 = info->storage16 && core->shaderInt16;
    wanted->dot.shaderIntegerDotProduct = info->packed_dot;
    wanted->size_control.subgroupSizeControl = info->subgroup_size_control;
    wanted->size_control.computeFullSubgroups = info->subgroup_size_control;
    wanted->priority.memoryPriority = info->memory_priority;
    if (options->validate_gpu) { /* the layer's own shaders use these */
        wanted->core.features.vertexPipelineStoresAndAtomics = core->vertexPipelineStoresAndAtomics;
        wanted->core.features.fragmentStoresAndAtomics = core->fragmentStoresAndAtomics;
        wanted->core.features.shaderInt64 = core->shaderInt64;
    }
}

static uint32_t want_extensions(const struct gpu_probe *probe, const char *names[8])
{
    uint32_t count = 0;
    if (probe->has_dot && probe->info.packed_dot)
        names[count++] = VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME;
    if (probe->has_size_control && probe->info.subgroup_size_control)
        names[count++] = VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME;
    if (probe->has_budget)
        names[count++] = VK_EXT_MEMORY_BUDGET_EXTENSION_NAME;
    if (probe->has_priority)
        names[count++] = VK_EXT_MEMORY_PRIORITY_EXTENSION_NAME;
    if (probe->has_portability) /* must be enabled where it is present */
        names[count++] = "VK_KHR_portability_subset";
    return count;
}

static bool create_device(struct gpu_device *device, const struct gpu_options *options,
                          struct fault *fault)
{
    const struct gpu_table *vk = &device->instance.vk;
    struct gpu_chain present;
    struct gpu_chain wanted;
    gpu_chain_init(&present, &device->probe);
    gpu_chain_init(&wanted, &device->probe);
    vk->vkGetPhysicalDeviceFeatures2(device->probe.handle, &present.core);
    want_features(&wanted, &present, &device->probe.info, options);
    const char *extensions[8];
    const float priority = 1.0f;
    VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueFamilyIndex = device->probe.queue_family,
        .queueCount = 1,
        .pQueuePriorities = &priority,
    };
    VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .pNext = &wanted.core,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
        .enabledExtensionCount = want_extensions(&device->probe, extensions),
        .ppEnabledExtensionNames = extensions,
    };
    VkResult result = vk->vkCreateDevice(device->probe.handle, &info, NULL, &device->handle);
    if (!gpu_result_early(result, "vkCreateDevice", fault)) {
        device->handle = VK_NULL_HANDLE;
        return fault_context(fault, "%s", device->probe.info.name);
    }
    if (gpu_loader_device(&device->instance.vk, device->handle, fault)) {
        device->vk = device->instance.vk;
        return true;
    }
    if (vk->vkDestroyDevice)
        vk->vkDestroyDevice(device->handle, NULL);
    device->handle = VK_NULL_HANDLE;
    return false;
}

static bool open_parts(struct gpu_device *device, const struct gpu_options *options,
                       struct fault *fault)
{
    return gpu_instance_open(&device->instance, options, fault) &&
           select_device(device, options, fault) && create_device(device, options, fault) &&
           gpu_memory_init(device, fault) && gpu_queue_init(device, fault) &&
           gpu_kernels_init(device, options->cache_folder, fault);
}

bool gpu_open(const struct gpu_options *options, struct gpu_device **out, struct fault *fault)
{
    *out = NULL;
    struct gpu_device *device = calloc(1, sizeof *device);
    if (!device)
        return gpu_no_memory("a device", fault);
    device->exact_buffers = options->exact_buffers;
    device->validate = options->validate;
    device->poison = options->poison;
    device->hide_mapped = options->hide_mapped;
    if (!open_parts(device, options, fault)) {
        gpu_close(device);
        return false;
    }
    *out = device;
    return true;
}

void gpu_close(struct gpu_device *device)
{
    if (!device)
        return;
    if (device->handle) {
        device->unsettled |= device->queue.pending != NULL;
        gpu_settle(device);
        gpu_upload_free(device);
        assert(device->memory.buffer_count == 0); /* the caller destroys its buffers first */
        gpu_bindings_free(device);
        gpu_kernels_free(device);
        gpu_queue_free(device);
        device->vk.vkDestroyDevice(device->handle, NULL);
    }
    gpu_instance_close(&device->instance);
    free(device);
}

/* ---- facts ---- */

const struct gpu_info *gpu_device_info(const struct gpu_device *device)
{
    return &device->probe.info;
}

bool gpu_lost(const struct gpu_device *device)
{
    return device->lost;
}

bool gpu_exact_buffers(const struct gpu_device *device)
{
    return device->exact_buffers;
}

uint32_t gpu_validation_count(const struct gpu_device *device, const char **first)
{
    if (first)
        *first = device->instance.first_message;
    return device->instance.message_count;
}
