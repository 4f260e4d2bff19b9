/* isa_dump.c: compiles one compute shader on the first Vulkan device and prints what the driver
 * says of it: statistics, then machine code. Made for RADV's null device (RADV_FORCE_FAMILY), which
 * compiles for a GPU that is not there.
 *
 *   isa_dump FILE.spv SUBGROUP [ID=VALUE ...]      specialization constants
 *
 * Exit 0 when printed, 2 for a wrong call, 77 when the driver cannot tell (the test skips). */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vulkan.h>

enum { BINDINGS = 15, PUSH_SIZE = 128, SPEC_MAX = 16, EXECUTABLE_MAX = 4, STATISTIC_MAX = 64 };
enum { EXIT_SKIP = 77 };

struct target {
    VkInstance instance;
    VkPhysicalDevice physical;
    VkDevice device;
    VkPipeline pipeline;
};

static void require(bool condition, int code, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "isa_dump: %s\n", what);
    exit(code);
}

static void open_device(struct target *target)
{
    VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                     .apiVersion = VK_API_VERSION_1_3};
    VkInstanceCreateInfo instance = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                     .pApplicationInfo = &application};
    require(vkCreateInstance(&instance, NULL, &target->instance) == VK_SUCCESS, EXIT_SKIP,
            "no Vulkan instance");
    uint32_t count = 1;
    VkResult listed = vkEnumeratePhysicalDevices(target->instance, &count, &target->physical);
    require(listed >= VK_SUCCESS && count > 0, EXIT_SKIP, "no device");

    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR executable = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR,
        .pipelineExecutableInfo = VK_TRUE};
    VkPhysicalDeviceVulkan13Features features = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES,
        .pNext = &executable,
        .shaderIntegerDotProduct = VK_TRUE,
        .subgroupSizeControl = VK_TRUE,
        .computeFullSubgroups = VK_TRUE};
    float priority = 1;
    VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                     .queueCount = 1,
                                     .pQueuePriorities = &priority};
    const char *extension = VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME;
    VkDeviceCreateInfo device = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                 .pNext = &features,
                                 .queueCreateInfoCount = 1,
                                 .pQueueCreateInfos = &queue,
                                 .enabledExtensionCount = 1,
                                 .ppEnabledExtensionNames = &extension};
    require(vkCreateDevice(target->physical, &device, NULL, &target->device) == VK_SUCCESS,
            EXIT_SKIP, "the device has no pipeline executable properties");
}

static VkShaderModule load_shader(const struct target *target, const char *path)
{
    static uint32_t code[1 << 16];
    FILE *file = fopen(path, "rb");
    require(file != NULL, 2, "cannot open the shader");
    size_t size = fread(code, 1, sizeof code, file);
    fclose(file);
    VkShaderModuleCreateInfo create = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = size, .pCode = code};
    VkShaderModule module;
    require(vkCreateShaderModule(target->device, &create, NULL, &module) == VK_SUCCESS, 2,
            "the driver refuses the shader");
    return module;
}

static VkPipelineLayout create_layout(const struct target *target)
{
    VkDescriptorSetLayoutBinding bindings[BINDINGS];
    for (uint32_t i = 0; i < BINDINGS; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){i, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1,
                                                     VK_SHADER_STAGE_COMPUTE_BIT, NULL};
    VkDescriptorSetLayoutCreateInfo create_set = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = BINDINGS,
        .pBindings = bindings};
    VkDescriptorSetLayout set;
    require(vkCreateDescriptorSetLayout(target->device, &create_set, NULL, &set) == VK_SUCCESS, 2,
            "no descriptor set layout");
    VkPushConstantRange push = {VK_SHADER_STAGE_COMPUTE_BIT, 0, PUSH_SIZE};
    VkPipelineLayoutCreateInfo create = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                         .setLayoutCount = 1,
                                         .pSetLayouts = &set,
                                         .pushConstantRangeCount = 1,
                                         .pPushConstantRanges = &push};
    VkPipelineLayout layout;
    require(vkCreatePipelineLayout(target->device, &create, NULL, &layout) == VK_SUCCESS, 2,
            "no pipeline layout");
    return layout;
}

static void compile(struct target *target, VkShaderModule module, uint32_t subgroup,
                    const VkSpecializationInfo *specialization)
{
    VkPipelineShaderStageRequiredSubgroupSizeCreateInfo size = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
        .requiredSubgroupSize = subgroup};
    VkComputePipelineCreateInfo create = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .flags = VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR |
                 VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .pNext = &size,
                  .flags = VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module,
                  .pName = "main",
                  .pSpecializationInfo = specialization},
        .layout = create_layout(target)};
    require(vkCreateComputePipelines(target->device, VK_NULL_HANDLE, 1, &create, NULL,
                                     &target->pipeline) == VK_SUCCESS,
            2, "the driver cannot compile the shader");
}

static void print_statistics(const struct target *target, const VkPipelineExecutableInfoKHR *info)
{
    PFN_vkGetPipelineExecutableStatisticsKHR get =
        (PFN_vkGetPipelineExecutableStatisticsKHR)vkGetDeviceProcAddr(
            target->device, "vkGetPipelineExecutableStatisticsKHR");
    VkPipelineExecutableStatisticKHR statistics[STATISTIC_MAX];
    uint32_t count = STATISTIC_MAX;
    for (uint32_t i = 0; i < STATISTIC_MAX; i++)
        statistics[i] = (VkPipelineExecutableStatisticKHR){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR};
    require(get(target->device, info, &count, statistics) >= VK_SUCCESS, EXIT_SKIP,
            "no statistics");
    for (uint32_t i = 0; i < count; i++)
        if (statistics[i].format == VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR)
            printf("statistic %s = %llu\n", statistics[i].name,
                   (unsigned long long)statistics[i].value.u64);
}

static void print_code(const struct target *target, const VkPipelineExecutableInfoKHR *info)
{
    PFN_vkGetPipelineExecutableInternalRepresentationsKHR get =
        (PFN_vkGetPipelineExecutableInternalRepresentationsKHR)vkGetDeviceProcAddr(
            target->device, "vkGetPipelineExecutableInternalRepresentationsKHR");
    VkPipelineExecutableInternalRepresentationKHR texts[STATISTIC_MAX];
    uint32_t count = STATISTIC_MAX;
    for (uint32_t i = 0; i < STATISTIC_MAX; i++)
        texts[i] = (VkPipelineExecutableInternalRepresentationKHR){
            .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR};
    require(get(target->device, info, &count, texts) >= VK_SUCCESS, EXIT_SKIP, "no listings");
    for (uint32_t i = 0; i < count; i++) {
        texts[i].pData = calloc(1, texts[i].dataSize + 1);
        require(texts[i].pData != NULL, 2, "no memory");
    }
    require(get(target->device, info, &count, texts) >= VK_SUCCESS, EXIT_SKIP, "no listings");
    for (uint32_t i = 0; i < count; i++)
        if (texts[i].isText && strcmp(texts[i].name, "Assembly") == 0)
            printf("assembly\n%s\n", (const char *)texts[i].pData);
}

int main(int argc, char **argv)
{
    require(argc >= 3, 2, "usage: isa_dump FILE.spv SUBGROUP [ID=VALUE ...]");
    VkSpecializationMapEntry entries[SPEC_MAX];
    uint32_t values[SPEC_MAX], count = 0;
    for (int i = 3; i < argc && count < SPEC_MAX; i++, count++) {
        unsigned id;
        require(sscanf(argv[i], "%u=%u", &id, &values[count]) == 2, 2, "want ID=VALUE");
        entries[count] = (VkSpecializationMapEntry){id, count * 4, 4};
    }
    VkSpecializationInfo specialization = {count, entries, count * sizeof *values, values};
    struct target target;
    open_device(&target);
    compile(&target, load_shader(&target, argv[1]), (uint32_t)strtoul(argv[2], NULL, 10),
            &specialization);
    VkPipelineExecutableInfoKHR info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR,
                                        .pipeline = target.pipeline};
    print_statistics(&target, &info);
    print_code(&target, &info);
    fflush(stdout);
    _Exit(0); /* the null device crashes when it is torn down */
}
