/* gpu_loader.h: every Vulkan entry point lichen calls, in one table. All calls go through a table,
 * so a test can replace an entry and nothing links against libvulkan. */
#ifndef LICHEN_GPU_LOADER_H
#define LICHEN_GPU_LOADER_H

#ifndef VK_NO_PROTOTYPES
#define VK_NO_PROTOTYPES
#endif
#include <vulkan/vulkan.h>

#include "fault.h"

/* Found without an instance. */
#define GPU_GLOBAL_FUNCTIONS(X)                                                                    \
    X(vkCreateInstance)                                                                            \
    X(vkEnumerateInstanceVersion)                                                                  \
    X(vkEnumerateInstanceLayerProperties)

/* Found by vkGetInstanceProcAddr; core 1.1. */
#define GPU_INSTANCE_FUNCTIONS(X)                                                                  \
    X(vkDestroyInstance)                                                                           \
    X(vkEnumeratePhysicalDevices)                                                                  \
    X(vkGetPhysicalDeviceProperties)                                                               \
    X(vkGetPhysicalDeviceProperties2)                                                              \
    X(vkGetPhysicalDeviceFeatures2)                                                                \
    X(vkGetPhysicalDeviceMemoryProperties)                                                         \
    X(vkGetPhysicalDeviceMemoryProperties2)                                                        \
    X(vkGetPhysicalDeviceQueueFamilyProperties)                                                    \
    X(vkEnumerateDeviceExtensionProperties)                                                        \
    X(vkCreateDevice)                                                                              \
    X(vkGetDeviceProcAddr)

/* VK_EXT_debug_utils, only with validation; may be NULL. */
#define GPU_DEBUG_FUNCTIONS(X)                                                                     \
    X(vkCreateDebugUtilsMessengerEXT)                                                              \
    X(vkDestroyDebugUtilsMessengerEXT)                                                             \
    X(vkSetDebugUtilsObjectNameEXT)

/* Found by vkGetDeviceProcAddr; core 1.0. */
#define GPU_DEVICE_FUNCTIONS(X)                                                                    \
    X(vkDestroyDevice)                                                                             \
    X(vkDeviceWaitIdle)                                                                            \
    X(vkGetDeviceQueue)                                                                            \
    X(vkQueueSubmit)                                                                               \
    X(vkAllocateMemory)                                                                            \
    X(vkFreeMemory)                                                                                \
    X(vkMapMemory)                                                                                 \
    X(vkCreateBuffer)                                                                              \
    X(vkDestroyBuffer)                                                                             \
    X(vkGetBufferMemoryRequirements)                                                               \
    X(vkBindBufferMemory)                                                                          \
    X(vkCreateShaderModule)                                                                        \
    X(vkDestroyShaderModule)                                                                       \
    X(vkCreateDescriptorSetLayout)                                                                 \
    X(vkDestroyDescriptorSetLayout)                                                                \
    X(vkCreatePipelineLayout)                                                                      \
    X(vkDestroyPipelineLayout)                                                                     \
    X(vkCreatePipelineCache)                                                                       \
    X(vkDestroyPipelineCache)                                                                      \
    X(vkGetPipelineCacheData)                                                                      \
    X(vkCreateComputePipelines)                                                                    \
    X(vkDestroyPipeline)                                                                           \
    X(vkCreateDescriptorPool)                                                                      \
    X(vkDestroyDescriptorPool)                                                                     \
    X(vkAllocateDescriptorSets)                                                                    \
    X(vkFreeDescriptorSets)                                                                        \
    X(vkUpdateDescriptorSets)                                                                      \
    X(vkCreateCommandPool)                                                                         \
    X(vkDestroyCommandPool)                                                                        \
    X(vkAllocateCommandBuffers)                                                                    \
    X(vkFreeCommandBuffers)                                                                        \
    X(vkBeginCommandBuffer)                                                                        \
    X(vkEndCommandBuffer)                                                                          \
    X(vkCmdBindPipeline)                                                                           \
    X(vkCmdBindDescriptorSets)                                                                     \
    X(vkCmdPushConstants)                                                                          \
    X(vkCmdDispatch)                                                                               \
    X(vkCmdPipelineBarrier)                                                                        \
    X(vkCmdCopyBuffer)                                                                             \
    X(vkCmdFillBuffer)                                                                             \
    X(vkCmdResetQueryPool)                                                                         \
    X(vkCmdWriteTimestamp)                                                                         \
    X(vkCreateQueryPool)                                                                           \
    X(vkDestroyQueryPool)                                                                          \
    X(vkGetQueryPoolResults)                                                                       \
    X(vkCreateFence)                                                                               \
    X(vkDestroyFence)                                                                              \
    X(vkResetFences)                                                                               \
    X(vkWaitForFences)

struct gpu_table {
    PFN_vkGetInstanceProcAddr vkGetInstanceProcAddr;
#define X(NAME) PFN_##NAME NAME;
    GPU_GLOBAL_FUNCTIONS(X)
    GPU_INSTANCE_FUNCTIONS(X)
    GPU_DEBUG_FUNCTIONS(X)
    GPU_DEVICE_FUNCTIONS(X)
#undef X
};

/* Opens the loader library and fills the entries that need no instance. FAULT_DEVICE: no loader or
 * one older than Vulkan 1.1. The library is closed by library_close (platform_library.h). */
bool gpu_loader_open(void **library, struct gpu_table *vk, struct fault *fault);
bool gpu_loader_instance(struct gpu_table *vk, VkInstance instance, struct fault *fault);
bool gpu_loader_device(struct gpu_table *vk, VkDevice device, struct fault *fault);

#endif
