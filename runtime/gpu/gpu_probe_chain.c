/* gpu_probe_chain.c: what a physical device can do: the chained feature and property structs of
 * Vulkan, turned into the plain gpu_info. */
#include "gpu_private.h"

#include <stdio.h>
#include <string.h>

static void link_struct(void *head, void *item)
{
    VkBaseOutStructure *first = head;
    VkBaseOutStructure *added = item;
    added->pNext = first->pNext;
    first->pNext = added;
}

static bool core_13(const struct gpu_probe *probe)
{
    return probe->info.api_version >= VK_API_VERSION_1_3;
}

void gpu_chain_init(struct gpu_chain *chain, const struct gpu_probe *probe)
{
    memset(chain, 0, sizeof *chain);
    chain->core.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
    chain->v11.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES;
    chain->v12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES;
    chain->dot.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES;
    chain->size_control.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES;
    chain->priority.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PRIORITY_FEATURES_EXT;
    link_struct(&chain->core, &chain->v11);
    link_struct(&chain->core, &chain->v12);
    if (core_13(probe) || probe->has_dot)
        link_struct(&chain->core, &chain->dot);
    if (core_13(probe) || probe->has_size_control)
        link_struct(&chain->core, &chain->size_control);
    if (probe->has_priority)
        link_struct(&chain->core, &chain->priority);
}

struct properties {
    VkPhysicalDeviceProperties2 core;
    VkPhysicalDeviceVulkan11Properties v11;
    VkPhysicalDeviceVulkan12Properties v12;
    VkPhysicalDeviceShaderIntegerDotProductProperties dot;
    VkPhysicalDeviceSubgroupSizeControlProperties size_control;
};

static void properties_init(struct properties *chain, const struct gpu_probe *probe)
{
    memset(chain, 0, sizeof *chain);
    chain->core.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
    chain->v11.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES;
    chain->v12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES;
    chain->dot.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_PROPERTIES;
    chain->size_control.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES;
    link_struct(&chain->core, &chain->v11);
    link_struct(&chain->core, &chain->v12);
    if (core_13(probe) || probe->has_dot)
        link_struct(&chain->core, &chain->dot);
    if (core_13(probe) || probe->has_size_control)
        link_struct(&chain->core, &chain->size_control);
}

static void format_uuid(char text[37], const uint8_t bytes[VK_UUID_SIZE])
{
    size_t at = 0;
    for (size_t i = 0; i < VK_UUID_SIZE; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[at++] = '-';
        snprintf(text + at, 3, "%02x", (unsigned)bytes[i]);
        at += 2;
    }
}

static void read_limits(struct gpu_info *info, const struct properties *properties)
{
    const VkPhysicalDeviceLimits *limits = &properties->core.properties.limits;
    info->storage_range_max = limits->maxStorageBufferRange;
    info->allocation_max = properties->v11.maxMemoryAllocationSize;
    info->shared_memory = limits->maxComputeSharedMemorySize;
    info->invocations_max = limits->maxComputeWorkGroupInvocations;
    memcpy(info->group_count_max, limits->maxComputeWorkGroupCount, sizeof info->group_count_max);
    info->storage_alignment = (uint32_t)limits->minStorageBufferOffsetAlignment;
    info->storage_binding_max = limits->maxPerStageDescriptorStorageBuffers;
    info->timestamp_ns = (double)limits->timestampPeriod;
}

static void read_subgroups(struct gpu_info *info, const struct properties *properties,
                           const struct gpu_chain *features)
{
    const VkSubgroupFeatureFlags needed =
        VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_ARITHMETIC_BIT |
        VK_SUBGROUP_FEATURE_BALLOT_BIT; /* subgroupBroadcast is of the ballot group */
    info->subgroup_size = properties->v11.subgroupSize;
    info->subgroup_arithmetic =
        (properties->v11.subgroupSupportedStages & VK_SHADER_STAGE_COMPUTE_BIT) &&
        (properties->v11.subgroupSupportedOperations & needed) == needed;
    info->subgroup_size_control =
        features->size_control.subgroupSizeControl && features->size_control.computeFullSubgroups &&
        (properties->size_control.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT);
    bool known = info->subgroup_size_control;
    info->subgroup_min = known ? properties->size_control.minSubgroupSize : info->subgroup_size;
    info->subgroup_max = known ? properties->size_control.maxSubgroupSize : info->subgroup_size;
}

void gpu_probe_features(const struct gpu_instance *instance, struct gpu_probe *probe)
{
    struct gpu_info *info = &probe->info;
    struct gpu_chain features;
    struct properties properties;
    gpu_chain_init(&features, probe);
    properties_init(&properties, probe);
    instance->vk.vkGetPhysicalDeviceFeatures2(probe->handle, &features.core);
    instance->vk.vkGetPhysicalDeviceProperties2(probe->handle, &properties.core);

    read_limits(info, &properties);
    read_subgroups(info, &properties, &features);
    info->packed_dot = features.dot.shaderIntegerDotProduct;
    info->packed_dot_accelerated =
        info->packed_dot && properties.dot.integerDotProduct4x8BitPackedSignedAccelerated;
    info->float16 = features.v12.shaderFloat16;
    info->storage16 = features.v11.storageBuffer16BitAccess;
    info->storage8 = features.v12.storageBuffer8BitAccess;
    info->memory_budget = probe->has_budget;
    info->memory_priority = features.priority.memoryPriority;
    info->pipeline_statistics = probe->has_statistics;
    memcpy(probe->device_uuid, properties.v11.deviceUUID, VK_UUID_SIZE);
    format_uuid(info->uuid, probe->device_uuid);
    snprintf(info->driver, sizeof info->driver, "%.120s %.120s", properties.v12.driverName,
             properties.v12.driverInfo);
}
