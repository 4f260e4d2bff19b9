/* gpu_pipeline.c: kernels, found by request or built. Layouts depend on the binding count alone:
 * that many storage buffers and the largest push range. */
#include "gpu_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- layouts ---- */

static bool create_set_layout(struct gpu_device *device, uint32_t count, struct fault *fault)
{
    VkDescriptorSetLayoutBinding bindings[GPU_BINDING_MAX];
    for (uint32_t i = 0; i < count; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){
            .binding = i,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .descriptorCount = 1,
            .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
        };
    VkDescriptorSetLayoutCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = count,
        .pBindings = bindings,
    };
    VkResult result = device->vk.vkCreateDescriptorSetLayout(device->handle, &info, NULL,
                                                             &device->kernels.set_layout[count]);
    return GPU_CREATED(device, result, "vkCreateDescriptorSetLayout",
                       &device->kernels.set_layout[count], fault);
}

static bool create_layout(struct gpu_device *device, uint32_t count, struct fault *fault)
{
    VkPushConstantRange push = {VK_SHADER_STAGE_COMPUTE_BIT, 0, GPU_PUSH_MAX};
    VkPipelineLayoutCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
        .setLayoutCount = 1,
        .pSetLayouts = &device->kernels.set_layout[count],
        .pushConstantRangeCount = 1,
        .pPushConstantRanges = &push,
    };
    VkResult result = device->vk.vkCreatePipelineLayout(device->handle, &info, NULL,
                                                        &device->kernels.layout[count]);
    return GPU_CREATED(device, result, "vkCreatePipelineLayout", &device->kernels.layout[count],
                       fault);
}

bool gpu_layout_get(struct gpu_device *device, uint32_t binding_count, struct fault *fault)
{
    assert(binding_count <= GPU_BINDING_MAX);
    struct gpu_kernel_store *store = &device->kernels;
    return (store->set_layout[binding_count] || create_set_layout(device, binding_count, fault)) &&
           (store->layout[binding_count] || create_layout(device, binding_count, fault));
}

/* ---- pipelines ---- */

static bool create_module(struct gpu_device *device, const struct gpu_kernel_request *request,
                          VkShaderModule *module, struct fault *fault)
{
    VkShaderModuleCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
        .codeSize = request->code_size,
        .pCode = request->code,
    };
    VkResult result = device->vk.vkCreateShaderModule(device->handle, &info, NULL, module);
    return gpu_result(device, result, "vkCreateShaderModule", fault);
}

static bool create_pipeline(struct gpu_device *device, struct gpu_kernel *kernel,
                            VkShaderModule module, struct fault *fault)
{
    const struct gpu_kernel_request *request = &kernel->request;
    VkSpecializationMapEntry entries[GPU_SPEC_MAX];
    for (uint32_t i = 0; i < request->spec_count; i++)
        entries[i] = (VkSpecializationMapEntry){i, i * 4, 4};
    VkSpecializationInfo spec = {
        .mapEntryCount = request->spec_count,
        .pMapEntries = entries,
        .dataSize = (size_t)request->spec_count * 4,
        .pData = request->spec,
    };
    VkPipelineShaderStageRequiredSubgroupSizeCreateInfo subgroup = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
        .requiredSubgroupSize = request->subgroup_size,
    };
    bool sized = request->subgroup_size > 0;
    VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage =
            {
                .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                .pNext = sized ? &subgroup : NULL,
                .flags = sized ? VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT : 0,
                .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                .module = module,
                .pName = "main",
                .pSpecializationInfo = &spec,
            },
        .layout = kernel->layout,
    };
    VkResult result = device->vk.vkCreateComputePipelines(device->handle, device->kernels.cache, 1,
                                                          &info, NULL, &kernel->handle);
    return gpu_result(device, result, "vkCreateComputePipelines", fault);
}

static bool check_subgroup(const struct gpu_device *device, uint32_t size, struct fault *fault)
{
    const struct gpu_info *info = &device->probe.info;
    if (size == 0)
        return true;
    if (!info->subgroup_size_control)
        return fault_set(fault, FAULT_DEVICE, "%s cannot fix the subgroup size", info->name);
    bool power = (size & (size - 1)) == 0;
    return (power && size >= info->subgroup_min && size <= info->subgroup_max) ||
           fault_set(fault, FAULT_DEVICE, "subgroups of %u, %s has %u to %u", size, info->name,
                     info->subgroup_min, info->subgroup_max);
}

static bool build(struct gpu_device *device, struct gpu_kernel *kernel, struct fault *fault)
{
    const struct gpu_kernel_request *request = &kernel->request;
    VkShaderModule module = VK_NULL_HANDLE;
    if (!check_subgroup(device, request->subgroup_size, fault) ||
        !gpu_layout_get(device, request->binding_count, fault) ||
        !create_module(device, request, &module, fault))
        return false;
    kernel->layout = device->kernels.layout[request->binding_count];
    bool ok = create_pipeline(device, kernel, module, fault);
    device->vk.vkDestroyShaderModule(device->handle, module, NULL);
    return ok;
}

/* ---- the store ---- */

static bool equal(const struct gpu_kernel_request *left, const struct gpu_kernel_request *right)
{
    return left->code == right->code && left->code_size == right->code_size &&
           left->binding_count == right->binding_count && left->push_size == right->push_size &&
           left->subgroup_size == right->subgroup_size && left->spec_count == right->spec_count &&
           memcmp(left->spec, right->spec, left->spec_count * sizeof left->spec[0]) == 0;
}

static bool reserve(struct gpu_kernel_store *store, struct fault *fault)
{
    if (store->count < store->capacity)
        return true;
    uint32_t capacity = store->capacity ? store->capacity * 2 : 32;
    struct gpu_kernel **items = realloc(store->items, capacity * sizeof *items);
    if (!items)
        return gpu_no_memory("the list of kernels", fault);
    store->items = items;
    store->capacity = capacity;
    return true;
}

bool gpu_kernel_get(struct gpu_device *device, const struct gpu_kernel_request *request,
                    struct gpu_kernel **out, struct fault *fault)
{
    struct gpu_kernel_store *store = &device->kernels;
    assert(request->spec_count <= GPU_SPEC_MAX && request->push_size <= GPU_PUSH_MAX);
    *out = NULL;
    if (!gpu_alive(device, fault))
        return false;
    for (uint32_t i = 0; i < store->count; i++) {
        if (equal(&store->items[i]->request, request)) {
            *out = store->items[i];
            return true;
        }
    }
    if (!reserve(store, fault))
        return false;
    struct gpu_kernel *kernel = calloc(1, sizeof *kernel);
    if (!kernel)
        return gpu_no_memory("a kernel", fault);
    kernel->request = *request;
    if (!build(device, kernel, fault)) {
        free(kernel);
        return fault_context(fault, "kernel %s", request->name);
    }
    store->items[store->count++] = kernel;
    *out = kernel;
    return true;
}

const char *gpu_kernel_name(const struct gpu_kernel *kernel)
{
    return kernel->request.name;
}

uint32_t gpu_kernel_count(const struct gpu_device *device)
{
    return device->kernels.count;
}

bool gpu_kernels_init(struct gpu_device *device, const char *cache_folder, struct fault *fault)
{
    return gpu_cache_load(device, cache_folder, fault);
}

void gpu_kernels_free(struct gpu_device *device)
{
    struct gpu_kernel_store *store = &device->kernels;
    gpu_cache_save(device, NULL);
    for (uint32_t i = 0; i < store->count; i++) {
        device->vk.vkDestroyPipeline(device->handle, store->items[i]->handle, NULL);
        free(store->items[i]);
    }
    for (uint32_t i = 0; i <= GPU_BINDING_MAX; i++) {
        device->vk.vkDestroyPipelineLayout(device->handle, store->layout[i], NULL);
        device->vk.vkDestroyDescriptorSetLayout(device->handle, store->set_layout[i], NULL);
    }
    device->vk.vkDestroyPipelineCache(device->handle, store->cache, NULL);
    free(store->items);
    free(store->cache_path);
    memset(store, 0, sizeof *store);
}
