/* test_gpu.c: the nouns of gpu.h on a software device: listing, buffers, kernels, commands. */
#include "gpu_fixture.h"

#include <stdlib.h>

static const struct gpu_options checked = {.validate = true, .robust = true};

/* ---- devices ---- */

static void test_list(void **state)
{
    (void)state;
    struct gpu_info *infos = calloc(GPU_DEVICE_MAX, sizeof *infos);
    uint32_t count = 0;
    char none[256];
    struct fault fault = {0};
    assert_non_null(infos);
    assert_ok(gpu_list(infos, &count, none, &fault), fault);
    assert_true(count > 0);
    assert_string_equal(none, "");
    for (uint32_t i = 0; i < count; i++) {
        print_message("%u %s | %s | %s | %s\n", infos[i].index, infos[i].name, infos[i].uuid,
                      infos[i].driver, infos[i].reason);
        assert_int_equal(strlen(infos[i].uuid), 36);
        assert_true(infos[i].heap_count > 0);
        assert_true(infos[i].storage_range_max >= 1 << 27);
    }
    free(infos);
}

/* Opens `wanted` and returns whether it is the device with that index. */
static bool opens(const char *wanted, uint32_t index)
{
    struct gpu_options options = {.device = wanted};
    struct gpu_device *device = fixture_open(&options);
    bool same = gpu_device_info(device)->index == index;
    gpu_close(device);
    return same;
}

static void test_choose(void **state)
{
    (void)state;
    struct gpu_options options = {0};
    struct fault fault = {0};
    struct gpu_device *device = fixture_open(&options);
    struct gpu_info info = *gpu_device_info(device);
    gpu_close(device);
    char part[6] = {0};
    memcpy(part, info.name, 5);
    part[0] = (char)(part[0] ^ 0x20); /* the other case of the letter */
    assert_true(opens("auto", info.index));
    assert_true(opens("0", 0));
    assert_true(opens(part, info.index));
    assert_true(opens(info.uuid, info.index));
    options.device = "no such device";
    assert_false(gpu_open(&options, &device, &fault));
    assert_int_equal(fault.kind, FAULT_ARGUMENT);
    assert_null(device);
}

/* The list of a machine with three GPUs, without a driver. */
static void test_choose_among(void **state)
{
    (void)state;
    struct gpu_info infos[] = {
        {.index = 1, .name = "Big 4090", .type = GPU_DISCRETE, .usable = true, .heap_count = 1},
        {.index = 2, .name = "small one", .type = GPU_INTEGRATED, .usable = true, .heap_count = 1},
        {.index = 0, .name = "old", .type = GPU_DISCRETE, .reason = "not usable: Vulkan 1.1"},
    };
    static const struct {
        const char *wanted;
        uint32_t chosen;
        enum fault_kind fault;
    } cases[] = {
        {NULL, 0, FAULT_NONE},    {"auto", 0, FAULT_NONE},   {"1", 0, FAULT_NONE},
        {"2", 1, FAULT_NONE},     {"SMALL", 1, FAULT_NONE},  {"4090", 0, FAULT_NONE},
        {"0", 0, FAULT_DEVICE},   {"old", 0, FAULT_DEVICE},  {"", 0, FAULT_ARGUMENT},
        {"7", 0, FAULT_ARGUMENT}, {"1x", 0, FAULT_ARGUMENT}, {"-1", 0, FAULT_ARGUMENT},
    };
    strcpy(infos[0].uuid, "00000000-0000-0000-0000-000000000000");
    strcpy(infos[1].uuid, "abcdef00-0000-0000-0000-000000000000");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fault fault = {0};
        uint32_t chosen = 99;
        bool ok = gpu_choose(infos, 3, cases[i].wanted, &chosen, &fault);
        assert_int_equal(ok, cases[i].fault == FAULT_NONE);
        assert_int_equal(fault.kind, cases[i].fault);
        assert_int_equal(chosen, ok ? cases[i].chosen : 99);
    }
    struct fault fault = {0};
    uint32_t chosen = 99;
    assert_true(gpu_choose(infos, 3, "ABCDEF00-0000-0000-0000-000000000000", &chosen, &fault));
    assert_int_equal(chosen, 1);
    assert_non_null(strstr(infos[1].reason, "asked for"));
    assert_non_null(strstr(infos[0].reason, "small one is used"));
    assert_string_equal(infos[2].reason, "not usable: Vulkan 1.1");
    assert_false(gpu_choose(infos, 0, NULL, &chosen, &fault));
}

/* ---- buffers ---- */

static void check_buffer(struct gpu_device *device, uint64_t size, enum gpu_memory memory)
{
    struct fault fault = {0};
    struct gpu_buffer *buffer = NULL;
    uint64_t estimate = 0;
    uint32_t heap = 99;
    assert_ok(gpu_buffer_estimate(device, size, memory, &estimate, &heap, &fault), fault);
    uint64_t before = gpu_memory_used(device, heap);
    assert_ok(gpu_buffer_create(device, size, memory, "test", &buffer, &fault), fault);
    assert_int_equal(gpu_buffer_size(buffer), size);
    assert_int_equal(gpu_buffer_allocated(buffer), estimate);
    assert_int_equal(gpu_buffer_heap(buffer), heap);
    assert_int_equal(gpu_memory_used(device, heap), before + estimate);
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    assert_ok(gpu_download(device, buffer, 0, bytes, size, &fault), fault);
    for (uint64_t i = 0; i < size; i++)
        assert_int_equal(bytes[i], 0);
    free(bytes);
    gpu_buffer_destroy(device, buffer);
    assert_int_equal(gpu_memory_used(device, heap), before);
}

static void check_buffers(struct gpu_device *device)
{
    static const uint64_t sizes[] = {1, 3, 4, 255, 4096, 4097, 1000003};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        check_buffer(device, sizes[i], GPU_MEMORY_DEVICE);
        check_buffer(device, sizes[i], GPU_MEMORY_HOST);
        check_buffer(device, sizes[i], GPU_MEMORY_READBACK);
    }
}

static void test_buffers(void **state)
{
    (void)state;
    for (int hidden = 0; hidden < 2; hidden++) {
        struct gpu_options options = checked;
        options.poison = true;
        options.hide_mapped = hidden;
        struct gpu_device *device = fixture_open(&options);
        check_buffers(device);
        assert_true(gpu_memory_free(device) > 0);
        fixture_close(device);
    }
}

static void test_buffer_too_big(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct gpu_buffer *buffer = NULL;
    struct gpu_device *device = fixture_open(&checked);
    assert_false(gpu_buffer_create(device, (1ull << 30) + 4, GPU_MEMORY_DEVICE, "blk.0.weight",
                                   &buffer, &fault));
    assert_int_equal(fault.kind, FAULT_DEVICE);
    assert_non_null(strstr(fault.text, "blk.0.weight"));
    fixture_close(device);
}

/* 80 MB in uneven parts, read back in others: more than the ring of staging buffers in flight. */
static void check_round_trip(struct gpu_device *device)
{
    const uint64_t size = 80000001;
    struct fault fault = {0};
    struct gpu_buffer *buffer = NULL;
    uint64_t seed = 7;
    uint8_t *sent = malloc(size);
    uint8_t *received = calloc(size, 1);
    assert_true(sent && received);
    for (uint64_t i = 0; i < size; i++)
        sent[i] = (uint8_t)(test_random(&seed) >> 56);
    assert_ok(gpu_buffer_create(device, size, GPU_MEMORY_DEVICE, "test", &buffer, &fault), fault);
    for (uint64_t at = 0, part = 1; at < size; at += part, part = part * 5 + 3) {
        if (part > size - at)
            part = size - at;
        assert_ok(gpu_upload(device, buffer, at, sent + at, part, &fault), fault);
    }
    assert_ok(gpu_upload_finish(device, &fault), fault);
    assert_ok(gpu_download(device, buffer, 0, received, size, &fault), fault);
    assert_memory_equal(sent, received, size);
    assert_ok(gpu_download(device, buffer, 12345, received, 17, &fault), fault);
    assert_memory_equal(sent + 12345, received, 17);
    assert_ok(gpu_buffer_clear(device, buffer, &fault), fault);
    assert_ok(gpu_download(device, buffer, size - 8, received, 8, &fault), fault);
    assert_memory_equal(received, "\0\0\0\0\0\0\0", 8);
    gpu_buffer_destroy(device, buffer);
    free(sent);
    free(received);
}

static void test_round_trip(void **state)
{
    (void)state;
    for (int hidden = 0; hidden < 2; hidden++) {
        struct gpu_options options = checked;
        options.validate_sync = true;
        options.poison = true;
        options.hide_mapped = hidden;
        struct gpu_device *device = fixture_open(&options);
        bool direct = !hidden && gpu_device_info(device)->unified_memory;
        assert_int_equal(gpu_upload_staging(device), direct ? 0 : 96 << 20);
        check_round_trip(device);
        fixture_close(device);
    }
}

/* ---- kernels and commands ---- */

static void test_kernel_shared(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct gpu_kernel *first = NULL;
    struct gpu_kernel *same = NULL;
    struct gpu_kernel *other = NULL;
    struct gpu_device *device = fixture_open(&checked);
    struct gpu_kernel_request request = scale_request(&shader_TEST_SCALE, 1);
    assert_ok(gpu_kernel_get(device, &request, &first, &fault), fault);
    assert_ok(gpu_kernel_get(device, &request, &same, &fault), fault);
    request.spec[0] = 2;
    assert_ok(gpu_kernel_get(device, &request, &other, &fault), fault);
    assert_ptr_equal(first, same);
    assert_ptr_not_equal(first, other);
    assert_int_equal(gpu_kernel_count(device), 2);
    fixture_close(device);
}

static void test_submit_many(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct scale scale = {0};
    struct gpu_options options = checked;
    options.validate_sync = true;
    struct gpu_device *device = fixture_open(&options);
    assert_ok(scale_create(device, 1000, 3, 5, &scale, &fault), fault);
    assert_int_equal(gpu_recorded_dispatches(scale.commands), 1);
    assert_int_equal(gpu_recorded_barriers(scale.commands), 1);
    uint64_t before = gpu_submit_count(device);
    for (int i = 0; i < 100; i++)
        assert_ok(scale_run(device, &scale, &fault), fault);
    assert_int_equal(gpu_submit_count(device), before + 100);
    scale_check(device, &scale, 3);
    scale_destroy(device, &scale);
    fixture_close(device);
}

/* Two recordings in flight, the second reads what the first wrote. */
static void test_submit_in_order(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct scale first = {0};
    struct scale second = {0};
    struct gpu_options options = checked;
    options.validate_sync = true;
    struct gpu_device *device = fixture_open(&options);
    assert_ok(scale_create(device, 5000, 2, 1, &first, &fault), fault);
    assert_ok(scale_create(device, 5000, 5, 7, &second, &fault), fault);
    assert_ok(gpu_record_begin(second.commands, &fault), fault);
    gpu_record_copy(second.commands, (struct gpu_range){first.y, 0, 0},
                    (struct gpu_range){second.x, 0, 0});
    gpu_record_barrier(second.commands);
    gpu_record_dispatch(second.commands, second.kernel, second.binding, &second.push, 79, 1, 1);
    assert_ok(gpu_record_end(second.commands, &fault), fault);
    assert_ok(gpu_submit(device, first.commands, &fault), fault);
    assert_ok(gpu_submit(device, second.commands, &fault), fault);
    assert_ok(gpu_wait(device, &fault), fault);
    uint32_t last = 0;
    assert_ok(gpu_download(device, second.y, 4999 * 4, &last, 4, &fault), fault);
    assert_int_equal(last, 5 * (2 * 4999 + 1) + 7);
    scale_destroy(device, &first);
    scale_destroy(device, &second);
    fixture_close(device);
}

static void test_timestamps(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct scale scale = {0};
    struct gpu_device *device = fixture_open(&checked);
    assert_true(gpu_timing_read(device, 0, 1) == 0);
    assert_ok(scale_create(device, 1 << 20, 3, 5, &scale, &fault), fault);
    assert_ok(scale_run(device, &scale, &fault), fault);
    double time_ns = gpu_timing_read(device, 0, 1);
    print_message("1 Mi multiplications in %.0f us\n", time_ns / 1000);
    if (gpu_device_info(device)->timestamps)
        assert_true(time_ns > 0 && time_ns < 1e10);
    scale_destroy(device, &scale);
    fixture_close(device);
}

/* More sets than a pool holds, released in another order, made again. */
static void test_bindings_grow(void **state)
{
    (void)state;
    enum { COUNT = 600 };
    struct fault fault = {0};
    struct scale scale = {0};
    struct gpu_binding *bindings[COUNT];
    struct gpu_device *device = fixture_open(&checked);
    assert_ok(scale_create(device, 64, 1, 0, &scale, &fault), fault);
    const struct gpu_range ranges[] = {{scale.x, 0, 128}, {scale.y, 0, 0}};
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < COUNT; i++)
            assert_ok(gpu_bind(device, scale.kernel, ranges, 2, &bindings[i], &fault), fault);
        for (int i = 0; i < COUNT; i += 2)
            gpu_unbind(device, bindings[i]);
        for (int i = 1; i < COUNT && round == 0; i += 2)
            gpu_unbind(device, bindings[i]);
    }
    scale_destroy(device, &scale);
    fixture_close(device); /* frees the rest */
}

static void test_packed_dot(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct gpu_kernel *kernel = NULL;
    struct gpu_buffer *buffers[3];
    struct gpu_binding *binding = NULL;
    struct gpu_commands *commands = NULL;
    const int8_t left[8] = {-128, 127, 3, -4, 1, 0, 0, 0};
    const int8_t right[8] = {-128, -128, -5, 6, 100, 1, 1, 1};
    int32_t sums[2] = {0};
    struct gpu_device *device = fixture_open(&checked);
    if (!gpu_device_info(device)->packed_dot) {
        gpu_close(device);
        SKIP("no packed dot");
    }
    for (int i = 0; i < 3; i++)
        assert_ok(gpu_buffer_create(device, 8, GPU_MEMORY_DEVICE, "test", &buffers[i], &fault),
                  fault);
    assert_ok(gpu_upload(device, buffers[0], 0, left, 8, &fault), fault);
    assert_ok(gpu_upload(device, buffers[1], 0, right, 8, &fault), fault);
    struct gpu_kernel_request request = {.code = shader_TEST_DOT.code,
                                         .code_size = shader_TEST_DOT.size,
                                         .name = shader_TEST_DOT.name,
                                         .binding_count = shader_TEST_DOT.binding_count};
    const struct gpu_range ranges[] = {{buffers[0], 0, 0}, {buffers[1], 0, 0}, {buffers[2], 0, 0}};
    assert_ok(gpu_kernel_get(device, &request, &kernel, &fault), fault);
    assert_ok(gpu_bind(device, kernel, ranges, 3, &binding, &fault), fault);
    assert_ok(gpu_commands_create(device, &commands, &fault), fault);
    assert_ok(gpu_record_begin(commands, &fault), fault);
    gpu_record_dispatch(commands, kernel, binding, NULL, 1, 1, 1);
    assert_ok(gpu_record_end(commands, &fault), fault);
    assert_ok(gpu_submit(device, commands, &fault), fault);
    assert_ok(gpu_download(device, buffers[2], 0, sums, 8, &fault), fault);
    assert_int_equal(sums[0], 128 * 128 - 127 * 128 - 15 - 24);
    assert_int_equal(sums[1], 100);
    gpu_commands_destroy(device, commands);
    for (int i = 0; i < 3; i++)
        gpu_buffer_destroy(device, buffers[i]);
    fixture_close(device);
}

static struct gpu_kernel_request subgroup_request(uint32_t size)
{
    return (struct gpu_kernel_request){
        .code = shader_TEST_SUBGROUP.code,
        .code_size = shader_TEST_SUBGROUP.size,
        .name = shader_TEST_SUBGROUP.name,
        .binding_count = 1,
        .spec = {size},
        .spec_count = 1,
        .subgroup_size = size,
    };
}

/* A kernel with the largest subgroup runs with it; one that is too large is refused. */
static void test_subgroup_size(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct gpu_kernel *kernel = NULL;
    struct gpu_buffer *buffer = NULL;
    struct gpu_binding *binding = NULL;
    struct gpu_commands *commands = NULL;
    uint32_t sizes[3] = {0};
    struct gpu_device *device = fixture_open(&checked);
    uint32_t largest = gpu_device_info(device)->subgroup_max;
    if (!gpu_device_info(device)->subgroup_size_control) {
        gpu_close(device);
        SKIP("no subgroup size control");
    }
    struct gpu_kernel_request request = subgroup_request(largest * 2);
    assert_false(gpu_kernel_get(device, &request, &kernel, &fault));
    assert_non_null(strstr(fault.text, "TEST_SUBGROUP"));
    request = subgroup_request(largest);
    assert_ok(gpu_kernel_get(device, &request, &kernel, &fault), fault);
    assert_ok(gpu_buffer_create(device, 12, GPU_MEMORY_DEVICE, "y", &buffer, &fault), fault);
    const struct gpu_range range = {buffer, 0, 0};
    assert_ok(gpu_bind(device, kernel, &range, 1, &binding, &fault), fault);
    assert_ok(gpu_commands_create(device, &commands, &fault), fault);
    assert_ok(gpu_record_begin(commands, &fault), fault);
    gpu_record_dispatch(commands, kernel, binding, NULL, 3, 1, 1);
    assert_ok(gpu_record_end(commands, &fault), fault);
    assert_ok(gpu_submit(device, commands, &fault), fault);
    assert_ok(gpu_download(device, buffer, 0, sizes, 12, &fault), fault);
    for (int i = 0; i < 3; i++)
        assert_int_equal(sizes[i], largest);
    gpu_commands_destroy(device, commands);
    gpu_buffer_destroy(device, buffer);
    fixture_close(device);
}

static void test_hidden_features(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct gpu_kernel *kernel = NULL;
    struct gpu_options options = checked;
    options.hide_packed_dot = true;
    options.hide_subgroups = true;
    options.exact_buffers = true;
    struct gpu_device *device = fixture_open(&options);
    const struct gpu_info *info = gpu_device_info(device);
    assert_false(info->packed_dot || info->packed_dot_accelerated);
    assert_false(info->subgroup_arithmetic || info->subgroup_size_control);
    assert_true(gpu_exact_buffers(device));
    struct gpu_kernel_request request = subgroup_request(info->subgroup_max);
    assert_false(gpu_kernel_get(device, &request, &kernel, &fault));
    assert_int_equal(fault.kind, FAULT_DEVICE);
    fixture_close(device);
}

/* A buffer may be larger than what one binding may show. */
static void test_binding_too_big(void **state)
{
    (void)state;
    struct fault fault = {0};
    struct gpu_kernel *kernel = NULL;
    struct gpu_buffer *buffer = NULL;
    struct gpu_binding *binding = NULL;
    struct gpu_device *device = fixture_open(&checked);
    uint64_t limit = gpu_device_info(device)->storage_range_max;
    if (limit > 1 << 28) {
        gpu_close(device);
        SKIP("bindings of %llu MiB", (unsigned long long)limit >> 20);
    }
    struct gpu_kernel_request request = scale_request(&shader_TEST_SCALE, 1);
    assert_ok(gpu_buffer_create(device, limit + 256, GPU_MEMORY_DEVICE, "b", &buffer, &fault),
              fault);
    assert_ok(gpu_kernel_get(device, &request, &kernel, &fault), fault);
    const struct gpu_range whole[] = {{buffer, 0, 0}, {buffer, 0, 64}};
    assert_false(gpu_bind(device, kernel, whole, 2, &binding, &fault));
    assert_int_equal(fault.kind, FAULT_DEVICE);
    const struct gpu_range parts[] = {{buffer, 0, limit}, {buffer, 256, 0}};
    fault = (struct fault){0};
    assert_ok(gpu_bind(device, kernel, parts, 2, &binding, &fault), fault);
    gpu_buffer_destroy(device, buffer);
    fixture_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_choose),
        cmocka_unit_test(test_choose_among),
        cmocka_unit_test(test_buffers),
        cmocka_unit_test(test_buffer_too_big),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_kernel_shared),
        cmocka_unit_test(test_submit_many),
        cmocka_unit_test(test_submit_in_order),
        cmocka_unit_test(test_timestamps),
        cmocka_unit_test(test_bindings_grow),
        cmocka_unit_test(test_packed_dot),
        cmocka_unit_test(test_subgroup_size),
        cmocka_unit_test(test_hidden_features),
        cmocka_unit_test(test_binding_too_big),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
