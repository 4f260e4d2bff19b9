/* test_gpu_null.c: Mesa's RADV without hardware: a device that builds kernels to real AMD code but
 * has no memory. The product's own requests can be compiled there; buffers are refused. */
#include "gpu_fixture.h"

#include <stdlib.h>

static void test_builds_kernels(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {32, 64};
    struct fault fault = {0};
    struct gpu_kernel *kernel = NULL;
    struct gpu_buffer *buffer = NULL;
    struct gpu_device *device = NULL;
    struct gpu_options options = {0};
    if (!test_file_exists(getenv("VK_ICD_FILENAMES")))
        SKIP("no RADV driver");
    assert_ok(gpu_open(&options, &device, &fault), fault);
    print_message("%s: %s\n", gpu_device_info(device)->name, gpu_device_info(device)->reason);
    assert_true(gpu_device_info(device)->packed_dot_accelerated);
    for (size_t i = 0; i < 2; i++) {
        struct gpu_kernel_request request = {
            .code = shader_TEST_SUBGROUP.code,
            .code_size = shader_TEST_SUBGROUP.size,
            .name = shader_TEST_SUBGROUP.name,
            .binding_count = 1,
            .spec = {sizes[i]},
            .spec_count = 1,
            .subgroup_size = sizes[i],
        };
        assert_ok(gpu_kernel_get(device, &request, &kernel, &fault), fault);
    }
    assert_false(gpu_buffer_create(device, 64, GPU_MEMORY_DEVICE, "b", &buffer, &fault));
    assert_int_equal(fault.kind, FAULT_DEVICE);
    assert_non_null(strstr(fault.text, "no memory"));
    gpu_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_builds_kernels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
