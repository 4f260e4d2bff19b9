/* gpu_loader.c: fills the table of Vulkan entry points, in three steps as Vulkan gives them out. */
#include "gpu_loader.h"

#include "platform_library.h"

static bool missing(const char *name, struct fault *fault)
{
    return fault_set(fault, FAULT_DEVICE, "the Vulkan loader or driver lacks %s; update it", name);
}

static bool load_global(struct gpu_table *vk, struct fault *fault)
{
#define X(NAME)                                                                                    \
    vk->NAME = (PFN_##NAME)vk->vkGetInstanceProcAddr(NULL, #NAME);                                 \
    if (!vk->NAME)                                                                                 \
        return missing(#NAME, fault);
    GPU_GLOBAL_FUNCTIONS(X)
#undef X
    return true;
}

bool gpu_loader_open(void **library, struct gpu_table *vk, struct fault *fault)
{
    *library = library_open_vulkan(fault);
    if (!*library)
        return false;
    if (!library_function(*library, "vkGetInstanceProcAddr", &vk->vkGetInstanceProcAddr))
        missing("vkGetInstanceProcAddr", fault);
    else if (load_global(vk, fault))
        return true;
    library_close(*library);
    *library = NULL;
    return false;
}

bool gpu_loader_instance(struct gpu_table *vk, VkInstance instance, struct fault *fault)
{
#define X(NAME)                                                                                    \
    vk->NAME = (PFN_##NAME)vk->vkGetInstanceProcAddr(instance, #NAME);                             \
    if (!vk->NAME)                                                                                 \
        return missing(#NAME, fault);
    GPU_INSTANCE_FUNCTIONS(X)
#undef X
#define X(NAME) vk->NAME = (PFN_##NAME)vk->vkGetInstanceProcAddr(instance, #NAME);
    GPU_DEBUG_FUNCTIONS(X)
#undef X
    return true;
}

bool gpu_loader_device(struct gpu_table *vk, VkDevice device, struct fault *fault)
{
#define X(NAME)                                                                                    \
    vk->NAME = (PFN_##NAME)vk->vkGetDeviceProcAddr(device, #NAME);                                 \
    if (!vk->NAME)                                                                                 \
        return missing(#NAME, fault);
    GPU_DEVICE_FUNCTIONS(X)
#undef X
    return true;
}
