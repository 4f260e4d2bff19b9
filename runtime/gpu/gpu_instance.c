/* gpu_instance.c: the Vulkan instance, with the validation layer when a test asks for it. */
#include "gpu_private.h"

#include "platform_library.h"
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#define VALIDATION_LAYER "VK_LAYER_KHRONOS_validation"

/* Messages that say nothing about lichen. Each line names why. */
static bool harmless(const VkDebugUtilsMessengerCallbackDataEXT *data)
{
    const char *id = data->pMessageIdName ? data->pMessageIdName : "";
    /* The loader talks about drivers and layers it cannot load: state of the machine. */
    return strcmp(id, "Loader Message") == 0;
}

static VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                                 VkDebugUtilsMessageTypeFlagsEXT types,
                                                 const VkDebugUtilsMessengerCallbackDataEXT *data,
                                                 void *context)
{
    struct gpu_instance *instance = context;
    (void)types;
    if (severity < VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT || harmless(data))
        return VK_FALSE;
    if (instance->message_count == 0)
        snprintf(instance->first_message, sizeof instance->first_message, "%s", data->pMessage);
    instance->message_count++;
    if (instance->on_message)
        instance->on_message(instance->message_context, data->pMessage);
    return VK_FALSE;
}

static VkDebugUtilsMessengerCreateInfoEXT messenger_info(struct gpu_instance *instance)
{
    return (VkDebugUtilsMessengerCreateInfoEXT){
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                           VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_GENERAL_BIT_EXT |
                       VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT |
                       VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT,
        .pfnUserCallback = on_message,
        .pUserData = instance,
    };
}

static bool layer_installed(const struct gpu_table *vk)
{
    uint32_t count = 0;
    if (vk->vkEnumerateInstanceLayerProperties(&count, NULL) != VK_SUCCESS || count == 0)
        return false;
    VkLayerProperties *layers = calloc(count, sizeof *layers);
    bool found = false;
    if (layers && vk->vkEnumerateInstanceLayerProperties(&count, layers) >= VK_SUCCESS)
        for (uint32_t i = 0; i < count; i++)
            found |= strcmp(layers[i].layerName, VALIDATION_LAYER) == 0;
    free(layers);
    return found;
}

static bool choose_version(struct gpu_instance *instance, struct fault *fault)
{
    uint32_t version = 0;
    VkResult result = instance->vk.vkEnumerateInstanceVersion(&version);
    if (!gpu_result_early(result, "vkEnumerateInstanceVersion", fault))
        return false;
    if (version < VK_API_VERSION_1_2)
        return fault_set(fault, FAULT_DEVICE, "the Vulkan loader is version %u.%u, 1.2 is needed",
                         VK_API_VERSION_MAJOR(version), VK_API_VERSION_MINOR(version));
    instance->api_version = version < VK_API_VERSION_1_3 ? VK_API_VERSION_1_2 : VK_API_VERSION_1_3;
    return true;
}

static bool create_instance(struct gpu_instance *instance, const VkInstanceCreateInfo *info,
                            struct fault *fault)
{
    VkResult result = instance->vk.vkCreateInstance(info, NULL, &instance->handle);
    if (gpu_result_early(result, "vkCreateInstance", fault))
        return true;
    instance->handle = VK_NULL_HANDLE;
    return false;
}

static bool create_plain(struct gpu_instance *instance, const VkApplicationInfo *application,
                         struct fault *fault)
{
    VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pApplicationInfo = application,
    };
    return create_instance(instance, &info, fault);
}

static bool create_validated(struct gpu_instance *instance, const VkApplicationInfo *application,
                             const struct gpu_options *options, struct fault *fault)
{
    if (!layer_installed(&instance->vk))
        return fault_set(fault, FAULT_DEVICE, "the layer " VALIDATION_LAYER " is not installed");
    VkValidationFeatureEnableEXT enables[3];
    uint32_t enable_count = 0;
    if (options->validate_sync)
        enables[enable_count++] = VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
    if (options->validate_gpu) {
        enables[enable_count++] = VK_VALIDATION_FEATURE_ENABLE_GPU_ASSISTED_EXT;
        enables[enable_count++] =
            VK_VALIDATION_FEATURE_ENABLE_GPU_ASSISTED_RESERVE_BINDING_SLOT_EXT;
    }
    static const char *const layers[] = {VALIDATION_LAYER};
    static const char *const extensions[] = {VK_EXT_DEBUG_UTILS_EXTENSION_NAME,
                                             VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME};
    VkDebugUtilsMessengerCreateInfoEXT messenger = messenger_info(instance);
    VkValidationFeaturesEXT features = {
        .sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
        .pNext = &messenger,
        .enabledValidationFeatureCount = enable_count,
        .pEnabledValidationFeatures = enables,
    };
    VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pNext = &features,
        .pApplicationInfo = application,
        .enabledLayerCount = 1,
        .ppEnabledLayerNames = layers,
        .enabledExtensionCount = 2,
        .ppEnabledExtensionNames = extensions,
    };
    return create_instance(instance, &info, fault);
}

static bool create_messenger(struct gpu_instance *instance, struct fault *fault)
{
    if (!instance->vk.vkCreateDebugUtilsMessengerEXT)
        return fault_set(fault, FAULT_DEVICE, "VK_EXT_debug_utils is missing");
    VkDebugUtilsMessengerCreateInfoEXT info = messenger_info(instance);
    VkResult result = instance->vk.vkCreateDebugUtilsMessengerEXT(instance->handle, &info, NULL,
                                                                  &instance->messenger);
    if (gpu_result_early(result, "vkCreateDebugUtilsMessengerEXT", fault))
        return true;
    instance->messenger = VK_NULL_HANDLE;
    return false;
}

static bool create(struct gpu_instance *instance, const struct gpu_options *options,
                   struct fault *fault)
{
    VkApplicationInfo application = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
        .pApplicationName = "lichen",
        .pEngineName = "lichen",
        .apiVersion = instance->api_version,
    };
    bool validate = options && options->validate;
    if (validate ? !create_validated(instance, &application, options, fault)
                 : !create_plain(instance, &application, fault))
        return false;
    if (!gpu_loader_instance(&instance->vk, instance->handle, fault))
        return false;
    return !validate || create_messenger(instance, fault);
}

bool gpu_instance_open(struct gpu_instance *instance, const struct gpu_options *options,
                       struct fault *fault)
{
    memset(instance, 0, sizeof *instance);
    if (options) {
        instance->on_message = options->on_message;
        instance->message_context = options->message_context;
    }
    if (gpu_loader_open(&instance->library, &instance->vk, fault) &&
        choose_version(instance, fault) && create(instance, options, fault))
        return true;
    gpu_instance_close(instance);
    return false;
}

void gpu_instance_close(struct gpu_instance *instance)
{
    if (instance->messenger)
        instance->vk.vkDestroyDebugUtilsMessengerEXT(instance->handle, instance->messenger, NULL);
    if (instance->handle && instance->vk.vkDestroyInstance)
        instance->vk.vkDestroyInstance(instance->handle, NULL);
    library_close(instance->library);
    instance->messenger = VK_NULL_HANDLE;
    instance->handle = VK_NULL_HANDLE;
    instance->library = NULL;
}
