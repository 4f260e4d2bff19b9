/* fault_layer.c: a Vulkan layer that makes calls fail. It stands between the program and the driver
 * and is steered by environment variables, read at every call:
 *
 *   VKFAULT=FUNCTION:N:CODE   the N-th call of FUNCTION since vkCreateInstance returns the VkResult
 *                             CODE and is not passed on; VK_ERROR_DEVICE_LOST (-4) then sticks to
 *                             submissions and waits. What the call should have written is filled
 *                             with garbage. The layer sets VKFAULT_HIT=1 when it happens.
 *   VKFAULT=...:once            the same, but never a second time while VKFAULT_HIT is set
 *   VKFAULT_POISON=1          every fresh host-visible allocation is filled with 0xFF
 *   VKFAULT_HEAP=BYTES        the device's memory is a heap of that size that is not mapped, and
 * the driver's is a second one, host visible: a card. More than BYTES is out of device memory
 *   VKFAULT_SLOW=FACTOR       timestamps run that many times as fast: a slow device
 *
 * Counters are not atomic: one instance, one device and one submitting thread at a time. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vulkan.h>
#include <vulkan/vk_layer.h>

static PFN_vkGetInstanceProcAddr next_instance;
static PFN_vkGetDeviceProcAddr next_device;
static PFN_vkEnumeratePhysicalDevices next_enumerate;
static PFN_vkGetPhysicalDeviceMemoryProperties next_memory_properties;
static VkInstance current_instance;
static VkDevice current_device;
static PFN_vkGetPhysicalDeviceMemoryProperties2 next_memory_properties_2;
static VkPhysicalDeviceMemoryProperties memory_properties;
static int lost;

/* FUNCTION, sticky when lost, parameters, arguments, pointer and size of what it writes */
#define DEVICE_CALLS(X)                                                                            \
    X(vkQueueSubmit, 1, (VkQueue q, uint32_t n, const VkSubmitInfo *s, VkFence f), (q, n, s, f),   \
      NULL, 0)                                                                                     \
    X(vkWaitForFences, 1, (VkDevice d, uint32_t n, const VkFence *f, VkBool32 all, uint64_t t),    \
      (d, n, f, all, t), NULL, 0)                                                                  \
    X(vkResetFences, 0, (VkDevice d, uint32_t n, const VkFence *f), (d, n, f), NULL, 0)            \
    X(vkMapMemory, 0,                                                                              \
      (VkDevice d, VkDeviceMemory m, VkDeviceSize o, VkDeviceSize s, VkMemoryMapFlags f,           \
       void **out),                                                                                \
      (d, m, o, s, f, out), out, sizeof *out)                                                      \
    X(vkBindBufferMemory, 0, (VkDevice d, VkBuffer b, VkDeviceMemory m, VkDeviceSize o),           \
      (d, b, m, o), NULL, 0)                                                                       \
    X(vkGetPipelineCacheData, 0, (VkDevice d, VkPipelineCache c, size_t * size, void *data),       \
      (d, c, size, data), NULL, 0)                                                                 \
    X(vkCreateComputePipelines, 0,                                                                 \
      (VkDevice d, VkPipelineCache c, uint32_t n, const VkComputePipelineCreateInfo *i,            \
       const VkAllocationCallbacks *a, VkPipeline *out),                                           \
      (d, c, n, i, a, out), NULL, 0)                                                               \
    X(vkAllocateDescriptorSets, 0,                                                                 \
      (VkDevice d, const VkDescriptorSetAllocateInfo *i, VkDescriptorSet *out), (d, i, out), out,  \
      sizeof *out)                                                                                 \
    X(vkAllocateCommandBuffers, 0,                                                                 \
      (VkDevice d, const VkCommandBufferAllocateInfo *i, VkCommandBuffer *out), (d, i, out), out,  \
      sizeof *out)                                                                                 \
    X(vkBeginCommandBuffer, 0, (VkCommandBuffer c, const VkCommandBufferBeginInfo *i), (c, i),     \
      NULL, 0)                                                                                     \
    X(vkEndCommandBuffer, 0, (VkCommandBuffer c), (c), NULL, 0)

/* The calls of the form (device, info, allocator, out). */
#define CREATE_CALLS(X)                                                                            \
    X(vkCreateBuffer, VkBufferCreateInfo, VkBuffer)                                                \
    X(vkCreateShaderModule, VkShaderModuleCreateInfo, VkShaderModule)                              \
    X(vkCreateDescriptorSetLayout, VkDescriptorSetLayoutCreateInfo, VkDescriptorSetLayout)         \
    X(vkCreatePipelineLayout, VkPipelineLayoutCreateInfo, VkPipelineLayout)                        \
    X(vkCreatePipelineCache, VkPipelineCacheCreateInfo, VkPipelineCache)                           \
    X(vkCreateDescriptorPool, VkDescriptorPoolCreateInfo, VkDescriptorPool)                        \
    X(vkCreateCommandPool, VkCommandPoolCreateInfo, VkCommandPool)                                 \
    X(vkCreateQueryPool, VkQueryPoolCreateInfo, VkQueryPool)                                       \
    X(vkCreateFence, VkFenceCreateInfo, VkFence)

/* One counter a function, all reset by vkCreateInstance. */
enum call {
#define X(NAME, ...) CALL_##NAME,
    DEVICE_CALLS(X) CREATE_CALLS(X)
#undef X
        CALL_vkCreateInstance,
    CALL_vkCreateDevice,
    CALL_vkEnumeratePhysicalDevices,
    CALL_vkAllocateMemory,
    CALL_COUNT
};
static int counts[CALL_COUNT];

/* VK_SUCCESS = pass the call on. */
static VkResult hit(enum call call, const char *name, int sticky, void *out, size_t size)
{
    char wanted[64];
    int at = 0;
    int code = 0;
    const char *order = getenv("VKFAULT");
    int count = ++counts[call];
    if (lost && sticky)
        return VK_ERROR_DEVICE_LOST;
    if (!order || sscanf(order, "%63[^:]:%d:%d", wanted, &at, &code) != 3)
        return VK_SUCCESS;
    if (strcmp(wanted, name) != 0 || count != at)
        return VK_SUCCESS;
    if (strstr(order, ":once") && getenv("VKFAULT_HIT"))
        return VK_SUCCESS; /* a rebuilt instance counts from one again */
    setenv("VKFAULT_HIT", "1", 1);
    lost |= code == VK_ERROR_DEVICE_LOST;
    if (out)
        memset(out, 0xA5, size);
    return (VkResult)code;
}
#define HIT(NAME, STICKY, OUT, SIZE) hit(CALL_##NAME, #NAME, STICKY, OUT, SIZE)

/* ---- device functions ---- */

#define X(NAME, STICKY, PARAMETERS, ARGUMENTS, OUT, SIZE)                                          \
    static VKAPI_ATTR VkResult VKAPI_CALL my_##NAME PARAMETERS                                     \
    {                                                                                              \
        VkResult result = HIT(NAME, STICKY, OUT, SIZE);                                            \
        return result ? result : ((PFN_##NAME)next_device(current_device, #NAME))ARGUMENTS;        \
    }
DEVICE_CALLS(X)
#undef X

#define X(NAME, INFO, HANDLE)                                                                      \
    static VKAPI_ATTR VkResult VKAPI_CALL my_##NAME(                                               \
        VkDevice device, const INFO *info, const VkAllocationCallbacks *allocator, HANDLE *out)    \
    {                                                                                              \
        VkResult result = HIT(NAME, 0, out, sizeof *out);                                          \
        return result ? result                                                                     \
                      : ((PFN_##NAME)next_device(current_device, #NAME))(device, info, allocator,  \
                                                                         out);                     \
    }
CREATE_CALLS(X)
#undef X

/* ---- a card: type 0 in heap 0 is the device's, type 1 in heap 1 the host's ---- */

static VkDeviceSize card_used; /* never given back: one device a test */
static uint32_t card_type;     /* the driver's type that both stand for */

static VkDeviceSize card_size(void)
{
    const char *size = getenv("VKFAULT_HEAP");
    return size ? (VkDeviceSize)atoll(size) : 0;
}

static void card_properties(VkPhysicalDeviceMemoryProperties *memory)
{
    if (!card_size())
        return;
    const VkMemoryPropertyFlags host =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    VkDeviceSize size = memory->memoryHeaps[0].size;
    card_type = 0;
    while (card_type + 1 < memory->memoryTypeCount &&
           (memory->memoryTypes[card_type].propertyFlags & host) != host)
        card_type++;
    memset(memory, 0, sizeof *memory);
    memory->memoryHeapCount = memory->memoryTypeCount = 2;
    memory->memoryHeaps[0] = (VkMemoryHeap){card_size(), VK_MEMORY_HEAP_DEVICE_LOCAL_BIT};
    memory->memoryHeaps[1] = (VkMemoryHeap){size, 0};
    memory->memoryTypes[0] = (VkMemoryType){VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, 0};
    memory->memoryTypes[1] = (VkMemoryType){host, 1};
}

static VKAPI_ATTR void VKAPI_CALL my_vkGetPhysicalDeviceMemoryProperties(
    VkPhysicalDevice physical, VkPhysicalDeviceMemoryProperties *memory)
{
    next_memory_properties(physical, memory);
    card_properties(memory);
}

static VKAPI_ATTR void VKAPI_CALL my_vkGetPhysicalDeviceMemoryProperties2(
    VkPhysicalDevice physical, VkPhysicalDeviceMemoryProperties2 *memory)
{
    next_memory_properties_2(physical, memory);
    card_properties(&memory->memoryProperties);
    for (VkBaseOutStructure *next = memory->pNext; next && card_size(); next = next->pNext)
        if (next->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT) {
            VkPhysicalDeviceMemoryBudgetPropertiesEXT *budget = (void *)next;
            budget->heapBudget[1] = budget->heapBudget[0];
            budget->heapUsage[1] = budget->heapUsage[0];
            budget->heapBudget[0] = card_size();
            budget->heapUsage[0] = card_used;
        }
}

static VKAPI_ATTR void VKAPI_CALL my_vkGetBufferMemoryRequirements(
    VkDevice device, VkBuffer buffer, VkMemoryRequirements *requirements)
{
    ((PFN_vkGetBufferMemoryRequirements)next_device(device, "vkGetBufferMemoryRequirements"))(
        device, buffer, requirements);
    if (card_size())
        requirements->memoryTypeBits = 3;
}

static void poison(VkDevice device, const VkMemoryAllocateInfo *info, VkDeviceMemory memory)
{
    PFN_vkMapMemory map = (PFN_vkMapMemory)next_device(device, "vkMapMemory");
    PFN_vkUnmapMemory unmap = (PFN_vkUnmapMemory)next_device(device, "vkUnmapMemory");
    void *bytes = NULL;
    if (!(memory_properties.memoryTypes[info->memoryTypeIndex].propertyFlags &
          VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT) ||
        map(device, memory, 0, VK_WHOLE_SIZE, 0, &bytes) != VK_SUCCESS)
        return;
    memset(bytes, 0xFF, (size_t)info->allocationSize);
    unmap(device, memory);
}

static VKAPI_ATTR VkResult VKAPI_CALL my_vkAllocateMemory(VkDevice device,
                                                          const VkMemoryAllocateInfo *info,
                                                          const VkAllocationCallbacks *allocator,
                                                          VkDeviceMemory *out)
{
    VkResult result = HIT(vkAllocateMemory, 0, out, sizeof *out);
    VkMemoryAllocateInfo passed = *info;
    if (result)
        return result;
    if (card_size() && info->memoryTypeIndex == 0 && info->allocationSize > card_size() - card_used)
        return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    if (card_size())
        passed.memoryTypeIndex = card_type;
    result = ((PFN_vkAllocateMemory)next_device(device, "vkAllocateMemory"))(device, &passed,
                                                                             allocator, out);
    if (result == VK_SUCCESS && card_size() && info->memoryTypeIndex == 0)
        card_used += info->allocationSize;
    info = &passed;
    if (result == VK_SUCCESS && getenv("VKFAULT_POISON"))
        poison(device, info, *out);
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL my_vkGetQueryPoolResults(VkDevice device, VkQueryPool pool,
                                                               uint32_t first, uint32_t count,
                                                               size_t size, void *data,
                                                               VkDeviceSize stride,
                                                               VkQueryResultFlags flags)
{
    const char *slow = getenv("VKFAULT_SLOW");
    VkResult result = ((PFN_vkGetQueryPoolResults)next_device(device, "vkGetQueryPoolResults"))(
        device, pool, first, count, size, data, stride, flags);
    if (slow && (flags & VK_QUERY_RESULT_64_BIT))
        for (uint32_t i = 0; i < count; i++)
            *(uint64_t *)((char *)data + i * stride) *= (uint64_t)atoll(slow);
    return result;
}

/* ---- instance functions and the loader's interface ---- */

static PFN_vkVoidFunction VKAPI_CALL get_instance(VkInstance instance, const char *name);
static PFN_vkVoidFunction VKAPI_CALL get_device(VkDevice device, const char *name);

static VkLayerInstanceCreateInfo *instance_link(const VkInstanceCreateInfo *info)
{
    VkLayerInstanceCreateInfo *link = (void *)(uintptr_t)info->pNext;
    while (link && !(link->sType == VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO &&
                     link->function == VK_LAYER_LINK_INFO))
        link = (void *)(uintptr_t)link->pNext;
    return link;
}

static VkLayerDeviceCreateInfo *device_link(const VkDeviceCreateInfo *info)
{
    VkLayerDeviceCreateInfo *link = (void *)(uintptr_t)info->pNext;
    while (link && !(link->sType == VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO &&
                     link->function == VK_LAYER_LINK_INFO))
        link = (void *)(uintptr_t)link->pNext;
    return link;
}

static VKAPI_ATTR VkResult VKAPI_CALL my_vkCreateInstance(const VkInstanceCreateInfo *info,
                                                          const VkAllocationCallbacks *allocator,
                                                          VkInstance *out)
{
    memset(counts, 0, sizeof counts);
    lost = 0;
    VkResult result = HIT(vkCreateInstance, 0, out, sizeof *out);
    VkLayerInstanceCreateInfo *link = instance_link(info);
    if (result || !link)
        return result ? result : VK_ERROR_INITIALIZATION_FAILED;
    next_instance = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    result = ((PFN_vkCreateInstance)next_instance(NULL, "vkCreateInstance"))(info, allocator, out);
    if (result)
        return result;
    current_instance = *out;
    /* Asked for later, the loader would answer with the head of the chain. */
    next_enumerate =
        (PFN_vkEnumeratePhysicalDevices)next_instance(*out, "vkEnumeratePhysicalDevices");
    next_memory_properties = (PFN_vkGetPhysicalDeviceMemoryProperties)next_instance(
        *out, "vkGetPhysicalDeviceMemoryProperties");
    next_memory_properties_2 = (PFN_vkGetPhysicalDeviceMemoryProperties2)next_instance(
        *out, "vkGetPhysicalDeviceMemoryProperties2");
    card_used = 0;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL my_vkEnumeratePhysicalDevices(VkInstance instance,
                                                                    uint32_t *count,
                                                                    VkPhysicalDevice *devices)
{
    VkResult result = HIT(vkEnumeratePhysicalDevices, 0, NULL, 0);
    return result ? result : next_enumerate(instance, count, devices);
}

static VKAPI_ATTR VkResult VKAPI_CALL my_vkCreateDevice(VkPhysicalDevice physical,
                                                        const VkDeviceCreateInfo *info,
                                                        const VkAllocationCallbacks *allocator,
                                                        VkDevice *out)
{
    VkResult result = HIT(vkCreateDevice, 0, out, sizeof *out);
    VkLayerDeviceCreateInfo *link = device_link(info);
    if (result || !link)
        return result ? result : VK_ERROR_INITIALIZATION_FAILED;
    PFN_vkGetInstanceProcAddr next = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    next_device = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    next_memory_properties(physical, &memory_properties);
    result = ((PFN_vkCreateDevice)next(current_instance, "vkCreateDevice"))(physical, info,
                                                                            allocator, out);
    current_device = *out;
    return result;
}

static PFN_vkVoidFunction mine(const char *name)
{
#define MINE(NAME)                                                                                 \
    if (strcmp(name, #NAME) == 0)                                                                  \
        return (PFN_vkVoidFunction)my_##NAME;
#define X(NAME, ...) MINE(NAME)
    DEVICE_CALLS(X)
    CREATE_CALLS(X)
#undef X
    MINE(vkAllocateMemory)
    MINE(vkGetQueryPoolResults)
    MINE(vkCreateInstance)
    MINE(vkEnumeratePhysicalDevices)
    MINE(vkGetPhysicalDeviceMemoryProperties)
    MINE(vkGetPhysicalDeviceMemoryProperties2)
    MINE(vkGetBufferMemoryRequirements)
    MINE(vkCreateDevice)
#undef MINE
    if (strcmp(name, "vkGetDeviceProcAddr") == 0)
        return (PFN_vkVoidFunction)get_device;
    return NULL;
}

static PFN_vkVoidFunction VKAPI_CALL get_device(VkDevice device, const char *name)
{
    PFN_vkVoidFunction function = mine(name);
    return function ? function : next_device(device, name);
}

static PFN_vkVoidFunction VKAPI_CALL get_instance(VkInstance instance, const char *name)
{
    PFN_vkVoidFunction function = mine(name);
    return function ? function : next_instance(instance, name);
}

__attribute__((visibility("default"))) VKAPI_ATTR VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *version)
{
    if (version->loaderLayerInterfaceVersion > 2)
        version->loaderLayerInterfaceVersion = 2;
    version->pfnGetInstanceProcAddr = get_instance;
    version->pfnGetDeviceProcAddr = get_device;
    version->pfnGetPhysicalDeviceProcAddr = NULL;
    return VK_SUCCESS;
}
