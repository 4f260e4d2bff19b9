/* test_gpu_faults.c: the world fails: no driver, and every Vulkan call failing in turn through the
 * fault layer. Each failure must come out as a fault that names the call, with nothing leaked (the
 * validation layer below and LeakSanitizer watch) and nothing used after it was freed. */
#include "gpu_fixture.h"
#include "gpu_private.h"

#include <stdlib.h>

enum { WORDS = 3000 };

/* ---- no driver ---- */

static void test_no_driver(void **state)
{
    (void)state;
    char icd[4096];
    char none[256];
    uint32_t count = 99;
    struct fault fault = {0};
    struct gpu_device *device = NULL;
    struct gpu_options options = {0};
    struct gpu_info *infos = calloc(GPU_DEVICE_MAX, sizeof *infos);
    assert_non_null(infos);
    snprintf(icd, sizeof icd, "%s", getenv("VK_ICD_FILENAMES"));
    setenv("VK_ICD_FILENAMES", "/nonexistent", 1);
    assert_ok(gpu_list(infos, &count, none, &fault), fault);
    print_message("%s\n", none);
    assert_int_equal(count, 0);
    assert_non_null(strstr(none, "driver"));
    assert_false(gpu_open(&options, &device, &fault));
    assert_int_equal(fault.kind, FAULT_DEVICE);
    assert_string_equal(fault.text, none);
    assert_null(device);
    setenv("VK_ICD_FILENAMES", icd, 1);
    free(infos);
}

/* ---- every call ---- */

static bool transfer(struct gpu_device *device, struct scale *scale, struct fault *fault)
{
    uint32_t words[WORDS] = {1, 2, 3};
    return gpu_upload(device, scale->x, 0, words, sizeof words, fault) &&
           gpu_upload_finish(device, fault) && scale_run(device, scale, fault) &&
           gpu_download(device, scale->y, 0, words, sizeof words, fault);
}

/* A small life of a device, staging included. */
static bool live(bool hide_mapped, bool validate, struct fault *fault)
{
    struct gpu_options options = {.validate = validate,
                                  .hide_mapped = hide_mapped,
                                  .cache_folder = LICHEN_TEST_OUTPUT "/fault_cache"};
    struct scale scale = {0};
    struct gpu_device *device = fixture_try_open(&options, fault);
    if (!device)
        return false;
    bool ok = scale_create(device, WORDS, 3, 5, &scale, fault) &&
              scale_run(device, &scale, fault) && scale_run(device, &scale, fault) &&
              transfer(device, &scale, fault);
    scale_destroy(device, &scale);
    fixture_close(device);
    return ok;
}

static enum fault_kind kind_of(int code)
{
    return code == VK_ERROR_DEVICE_LOST          ? FAULT_DEVICE_LOST
           : code == VK_ERROR_OUT_OF_HOST_MEMORY ? FAULT_MEMORY
                                                 : FAULT_DEVICE;
}

/* Fails the n-th call for n = 1, 2, ... until there is no such call. */
static uint32_t fail_each(const char *function, int code, bool hide_mapped, bool validate)
{
    for (uint32_t n = 1;; n++) {
        char order[128];
        struct fault fault = {0};
        snprintf(order, sizeof order, "%s:%u:%d", function, n, code);
        setenv("VKFAULT", order, 1);
        unsetenv("VKFAULT_HIT");
        bool ok = live(hide_mapped, validate, &fault);
        bool hit = getenv("VKFAULT_HIT") != NULL;
        unsetenv("VKFAULT");
        if (!hit) {
            assert_ok(ok, fault);
            return n - 1;
        }
        if (ok) /* only saving the cache may fail unnoticed */
            assert_string_equal(function, "vkGetPipelineCacheData");
        else if (!strstr(fault.text, function) || fault.kind != kind_of(code))
            fail_msg("%s gave kind %d: %s", order, (int)fault.kind, fault.text);
    }
}

static void test_every_call(void **state)
{
    (void)state;
    static const char *const functions[] = {
        "vkCreateInstance",
        "vkEnumeratePhysicalDevices",
        "vkCreateDevice",
        "vkCreateCommandPool",
        "vkCreateQueryPool",
        "vkCreateFence",
        "vkAllocateCommandBuffers",
        "vkBeginCommandBuffer",
        "vkEndCommandBuffer",
        "vkCreateBuffer",
        "vkAllocateMemory",
        "vkBindBufferMemory",
        "vkMapMemory",
        "vkCreateShaderModule",
        "vkCreateDescriptorSetLayout",
        "vkCreatePipelineLayout",
        "vkCreatePipelineCache",
        "vkCreateComputePipelines",
        "vkGetPipelineCacheData",
        "vkCreateDescriptorPool",
        "vkAllocateDescriptorSets",
        "vkQueueSubmit",
        "vkWaitForFences",
        "vkResetFences",
    };
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        uint32_t count = fail_each(functions[i], VK_ERROR_OUT_OF_HOST_MEMORY, true, true);
        print_message("%s failed at each of %u calls\n", functions[i], count);
        assert_true(count > 0);
    }
}

/* Device memory runs out at the k-th allocation, with and without staging. */
static void test_out_of_memory(void **state)
{
    (void)state;
    assert_true(fail_each("vkAllocateMemory", VK_ERROR_OUT_OF_DEVICE_MEMORY, true, true) >= 4);
    assert_true(fail_each("vkAllocateMemory", VK_ERROR_OUT_OF_DEVICE_MEMORY, false, true) >= 2);
    assert_true(fail_each("vkAllocateMemory", VK_ERROR_TOO_MANY_OBJECTS, false, false) >= 2);
    assert_true(fail_each("vkMapMemory", VK_ERROR_MEMORY_MAP_FAILED, false, false) >= 2);
}

/* The device is lost at the k-th submission or wait. */
static void test_device_lost(void **state)
{
    (void)state;
    for (int hide = 0; hide < 2; hide++) {
        assert_true(fail_each("vkQueueSubmit", VK_ERROR_DEVICE_LOST, hide, true) >= 3);
        assert_true(fail_each("vkWaitForFences", VK_ERROR_DEVICE_LOST, hide, true) >= 3);
    }
    assert_int_equal(fail_each("vkCreateDevice", VK_ERROR_DEVICE_LOST, false, true), 1);
}

/* ---- after a loss ---- */

static void expect_lost(bool ok, const struct fault *fault)
{
    assert_false(ok);
    assert_int_equal(fault->kind, FAULT_DEVICE_LOST);
}
#define EXPECT_LOST(CALL)                                                                          \
    do {                                                                                           \
        struct fault fault = {0};                                                                  \
        expect_lost(CALL, &fault);                                                                 \
    } while (0)

static void check_lost(struct gpu_device *device, struct scale *scale)
{
    struct gpu_kernel_request request = scale_request(&shader_TEST_SCALE, 9);
    struct gpu_range ranges[] = {{scale->x, 0, 0}, {scale->y, 0, 0}};
    struct gpu_buffer *buffer = NULL;
    struct gpu_kernel *kernel = NULL;
    struct gpu_binding *binding = NULL;
    struct gpu_commands *commands = NULL;
    uint64_t size = 0;
    uint32_t heap = 0;
    char word[4] = {0};
    assert_true(gpu_lost(device));
    EXPECT_LOST(gpu_submit(device, scale->commands, &fault));
    EXPECT_LOST(gpu_wait(device, &fault));
    EXPECT_LOST(gpu_upload(device, scale->x, 0, word, 4, &fault));
    EXPECT_LOST(gpu_upload_finish(device, &fault));
    EXPECT_LOST(gpu_download(device, scale->x, 0, word, 4, &fault));
    EXPECT_LOST(gpu_buffer_clear(device, scale->x, &fault));
    EXPECT_LOST(gpu_buffer_create(device, 4, GPU_MEMORY_HOST, "b", &buffer, &fault));
    EXPECT_LOST(gpu_buffer_estimate(device, 4, GPU_MEMORY_HOST, &size, &heap, &fault));
    EXPECT_LOST(gpu_kernel_get(device, &request, &kernel, &fault));
    EXPECT_LOST(gpu_bind(device, scale->kernel, ranges, 2, &binding, &fault));
    EXPECT_LOST(gpu_commands_create(device, &commands, &fault));
    EXPECT_LOST(gpu_record_begin(scale->commands, &fault));
    EXPECT_LOST(gpu_cache_save(device, &fault));
    assert_true(gpu_timing_read(device, 0, 1) == 0);
}

static void open_with_scale(struct gpu_device **device, struct scale *scale)
{
    struct gpu_options options = {.validate = true,
                                  .cache_folder = LICHEN_TEST_OUTPUT "/fault_cache"};
    struct fault fault = {0};
    *device = fixture_open(&options);
    assert_ok(scale_create(*device, WORDS, 3, 5, scale, &fault), fault);
}

static void test_loss_sticks(void **state)
{
    (void)state;
    struct scale scale = {0};
    struct gpu_device *device = NULL;
    open_with_scale(&device, &scale);
    setenv("VKFAULT", "vkQueueSubmit:1:-4", 1);
    EXPECT_LOST(gpu_submit(device, scale.commands, &fault));
    unsetenv("VKFAULT");
    check_lost(device, &scale);
    scale_destroy(device, &scale);
    fixture_close(device);
}

static VKAPI_ATTR VkResult VKAPI_CALL no_answer(VkDevice device, uint32_t count,
                                                const VkFence *fences, VkBool32 all,
                                                uint64_t timeout_ns)
{
    (void)device, (void)count, (void)fences, (void)all;
    assert_true(timeout_ns >= 100000000000);
    return VK_TIMEOUT;
}

static void test_hang_is_loss(void **state)
{
    (void)state;
    struct scale scale = {0};
    struct gpu_device *device = NULL;
    struct fault fault = {0};
    open_with_scale(&device, &scale);
    device->vk.vkWaitForFences = no_answer;
    assert_ok(gpu_submit(device, scale.commands, &fault), fault);
    assert_false(gpu_wait(device, &fault));
    assert_int_equal(fault.kind, FAULT_DEVICE_LOST);
    assert_non_null(strstr(fault.text, "did not answer"));
    check_lost(device, &scale);
    scale_destroy(device, &scale);
    fixture_close(device);
}

/* A hundred losses in one process: open again, go on. */
static void test_lost_again_and_again(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct fault fault = {0};
        setenv("VKFAULT", "vkWaitForFences:2:-4", 1);
        assert_false(live(false, false, &fault));
        assert_int_equal(fault.kind, FAULT_DEVICE_LOST);
    }
    unsetenv("VKFAULT");
    struct fault fault = {0};
    assert_ok(live(false, false, &fault), fault);
}

/* ---- poison and a slow device ---- */

static void test_poisoned_memory(void **state)
{
    (void)state;
    struct fault fault = {0};
    setenv("VKFAULT_POISON", "1", 1);
    for (int hide = 0; hide < 2; hide++) {
        struct gpu_options options = {.validate = true, .hide_mapped = hide};
        struct gpu_buffer *buffer = NULL;
        char bytes[1001];
        struct gpu_device *device = fixture_open(&options);
        assert_ok(gpu_buffer_create(device, 1001, GPU_MEMORY_DEVICE, "b", &buffer, &fault), fault);
        assert_ok(gpu_download(device, buffer, 0, bytes, 1001, &fault), fault);
        for (int i = 0; i < 1001; i++)
            assert_int_equal(bytes[i], 0);
        gpu_buffer_destroy(device, buffer);
        fixture_close(device);
    }
    unsetenv("VKFAULT_POISON");
}

static void test_slow_clock(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct scale scale = {0};
    struct gpu_device *device = NULL;
    open_with_scale(&device, &scale);
    if (!gpu_device_info(device)->timestamps) {
        gpu_close(device);
        SKIP("no timestamps");
    }
    assert_ok(scale_run(device, &scale, &fault), fault);
    double time_ns = gpu_timing_read(device, 0, 1);
    setenv("VKFAULT_SLOW", "1000", 1);
    double slow_ns = gpu_timing_read(device, 0, 1);
    unsetenv("VKFAULT_SLOW");
    assert_true(slow_ns > 900 * time_ns && slow_ns < 1100 * time_ns);
    scale_destroy(device, &scale);
    fixture_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_driver),
        cmocka_unit_test(test_every_call),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_device_lost),
        cmocka_unit_test(test_loss_sticks),
        cmocka_unit_test(test_hang_is_loss),
        cmocka_unit_test(test_poisoned_memory),
        cmocka_unit_test(test_slow_clock),
        cmocka_unit_test(test_lost_again_and_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
