/* test_gpu_validation.c: the validation modes see what they are for (one deliberate violation
 * each, for a mode that silently checks nothing looks like a clean program), and have nothing to
 * say about a correct program. */
#include "gpu_fixture.h"
#include "gpu_private.h"

#include <stdlib.h>

static const struct gpu_options core = {.validate = true, .robust = true};
static const struct gpu_options sync = {.validate = true, .validate_sync = true, .robust = true};
static const struct gpu_options assisted = {
    .validate = true, .validate_gpu = true, .exact_buffers = true};

static void run_clean(const struct gpu_options *options)
{
    struct fault fault = {0};
    struct scale scale = {0};
    struct gpu_device *device = fixture_open(options);
    assert_ok(scale_create(device, 1000, 3, 5, &scale, &fault), fault);
    for (int i = 0; i < 3; i++)
        assert_ok(scale_run(device, &scale, &fault), fault);
    scale_check(device, &scale, 3);
    scale_destroy(device, &scale);
    fixture_close(device);
}

static void test_clean(void **state)
{
    (void)state;
    const struct gpu_options both = {.validate = true, .validate_sync = true, .poison = true};
    run_clean(&core);
    run_clean(&sync);
    run_clean(&assisted);
    run_clean(&both);
}

/* A driver file that is not there makes the loader complain, which is not about lichen. */
static void test_loader_ignored(void **state)
{
    (void)state;
    char before[4096];
    char with_missing[4200];
    snprintf(before, sizeof before, "%s", getenv("VK_ICD_FILENAMES"));
    snprintf(with_missing, sizeof with_missing, "%s:/nonexistent.json", before);
    setenv("VK_ICD_FILENAMES", with_missing, 1);
    run_clean(&core);
    setenv("VK_ICD_FILENAMES", before, 1);
}

/* The count is over zero and the text holds the part; closes without asserting silence. */
static void expect_message(struct gpu_device *device, const char *part)
{
    const char *first = NULL;
    assert_true(gpu_validation_count(device, &first) > 0);
    if (!strstr(first, part))
        fail_msg("no '%s' in: %s", part, first);
    gpu_close(device);
}

static void test_core_reports(void **state)
{
    (void)state;
    struct gpu_device *device = fixture_open_noisy(&core);
    VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = 64};
    VkBuffer buffer = VK_NULL_HANDLE; /* without usage flags */
    device->vk.vkCreateBuffer(device->handle, &info, NULL, &buffer);
    device->vk.vkDestroyBuffer(device->handle, buffer, NULL);
    expect_message(device, "VUID-VkBufferCreateInfo-usage-requiredbitmask");
}

/* An object alive at gpu_close is reported by the callback. */
static void test_leak_reported(void **state)
{
    (void)state;
    struct gpu_device *device = fixture_open_noisy(&core);
    VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkFence fence = VK_NULL_HANDLE;
    assert_int_equal(device->vk.vkCreateFence(device->handle, &info, NULL, &fence), VK_SUCCESS);
    assert_int_equal(fixture_messages(), 0);
    gpu_close(device);
    assert_true(fixture_messages() > 0);
}

/* y = 3x + 5, then x = 3y + 5, with nothing between. */
static void test_sync_reports(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct scale scale = {0};
    struct gpu_binding *back = NULL;
    struct gpu_device *device = fixture_open_noisy(&sync);
    assert_ok(scale_create(device, 1000, 3, 5, &scale, &fault), fault);
    const struct gpu_range ranges[] = {{scale.y, 0, 0}, {scale.x, 0, 0}};
    assert_ok(gpu_bind(device, scale.kernel, ranges, 2, &back, &fault), fault);
    assert_int_equal(gpu_validation_count(device, NULL), 0);
    assert_ok(gpu_record_begin(scale.commands, &fault), fault);
    gpu_record_dispatch(scale.commands, scale.kernel, scale.binding, &scale.push, 16, 1, 1);
    gpu_record_dispatch(scale.commands, scale.kernel, back, &scale.push, 16, 1, 1);
    assert_ok(gpu_record_end(scale.commands, &fault), fault);
    scale_destroy(device, &scale);
    expect_message(device, "SYNC-HAZARD");
}

/* 64 threads write 10 words. */
static void test_assisted_reports(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct scale scale = {0};
    struct gpu_kernel *unchecked = NULL;
    struct gpu_device *device = fixture_open_noisy(&assisted);
    struct gpu_kernel_request request = scale_request(&shader_TEST_SCALE_UNCHECKED, 1);
    assert_ok(scale_create(device, 10, 1, 0, &scale, &fault), fault);
    assert_ok(scale_run(device, &scale, &fault), fault);
    assert_int_equal(gpu_validation_count(device, NULL), 0);
    assert_ok(gpu_kernel_get(device, &request, &unchecked, &fault), fault);
    assert_ok(gpu_record_begin(scale.commands, &fault), fault);
    gpu_record_dispatch(scale.commands, unchecked, scale.binding, &scale.push, 1, 1, 1);
    assert_ok(gpu_record_end(scale.commands, &fault), fault);
    assert_ok(scale_run(device, &scale, &fault), fault);
    scale_destroy(device, &scale);
    expect_message(device, "out of bounds");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean),        cmocka_unit_test(test_loader_ignored),
        cmocka_unit_test(test_core_reports), cmocka_unit_test(test_leak_reported),
        cmocka_unit_test(test_sync_reports), cmocka_unit_test(test_assisted_reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
