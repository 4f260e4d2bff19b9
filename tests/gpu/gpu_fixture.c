/* gpu_fixture.c: see gpu_fixture.h. */
#include "gpu_fixture.h"

#include <stdlib.h>

static uint32_t messages;

static void count_message(void *context, const char *text)
{
    messages++;
    if (context)
        print_message("%s: %s\n", (const char *)context, text);
}

static struct gpu_device *open_counting(const struct gpu_options *options, char *print,
                                        struct fault *fault)
{
    struct gpu_options counting = *options;
    struct gpu_device *device = NULL;
    messages = 0;
    counting.on_message = count_message;
    counting.message_context = print;
    return gpu_open(&counting, &device, fault) ? device : NULL;
}

struct gpu_device *fixture_try_open(const struct gpu_options *options, struct fault *fault)
{
    static char print[] = "validation";
    struct gpu_device *device = open_counting(options, print, fault);
    if (!device)
        assert_int_equal(messages, 0);
    return device;
}

struct gpu_device *fixture_open(const struct gpu_options *options)
{
    struct fault fault = {0};
    struct gpu_device *device = fixture_try_open(options, &fault);
    assert_ok(device != NULL, fault);
    return device;
}

struct gpu_device *fixture_open_noisy(const struct gpu_options *options)
{
    struct fault fault = {0};
    struct gpu_device *device = open_counting(options, NULL, &fault);
    assert_ok(device != NULL, fault);
    return device;
}

uint32_t fixture_messages(void)
{
    return messages;
}

void fixture_close(struct gpu_device *device)
{
    gpu_close(device);
    assert_int_equal(messages, 0);
}

struct gpu_kernel_request scale_request(const struct shader *shader, uint32_t factor)
{
    return (struct gpu_kernel_request){
        .code = shader->code,
        .code_size = shader->size,
        .name = shader->name,
        .binding_count = 2,
        .push_size = sizeof(struct scale_push),
        .spec = {factor},
        .spec_count = 1,
    };
}

static bool fill_input(struct gpu_device *device, struct scale *scale, struct fault *fault)
{
    uint32_t *x = malloc(scale->push.count * sizeof *x);
    assert_non_null(x);
    for (uint32_t i = 0; i < scale->push.count; i++)
        x[i] = i;
    bool ok = gpu_upload(device, scale->x, 0, x, scale->push.count * sizeof *x, fault) &&
              gpu_upload_finish(device, fault);
    free(x);
    return ok;
}

static bool record(struct scale *scale, struct fault *fault)
{
    if (!gpu_record_begin(scale->commands, fault))
        return false;
    gpu_record_timestamp(scale->commands, 0);
    gpu_record_dispatch(scale->commands, scale->kernel, scale->binding, &scale->push,
                        (scale->push.count + 63) / 64, 1, 1);
    gpu_record_timestamp(scale->commands, 1);
    gpu_record_host_barrier(scale->commands);
    return gpu_record_end(scale->commands, fault);
}

bool scale_create(struct gpu_device *device, uint32_t count, uint32_t factor, uint32_t offset,
                  struct scale *scale, struct fault *fault)
{
    struct gpu_kernel_request request = scale_request(&shader_TEST_SCALE, factor);
    scale->push = (struct scale_push){count, offset};
    if (!gpu_buffer_create(device, count * 4ull, GPU_MEMORY_DEVICE, "x", &scale->x, fault) ||
        !gpu_buffer_create(device, count * 4ull, GPU_MEMORY_DEVICE, "y", &scale->y, fault) ||
        !fill_input(device, scale, fault) ||
        !gpu_kernel_get(device, &request, &scale->kernel, fault))
        return false;
    const struct gpu_range ranges[] = {{scale->x, 0, 0}, {scale->y, 0, 0}};
    return gpu_bind(device, scale->kernel, ranges, 2, &scale->binding, fault) &&
           gpu_commands_create(device, &scale->commands, fault) && record(scale, fault);
}

void scale_destroy(struct gpu_device *device, struct scale *scale)
{
    gpu_commands_destroy(device, scale->commands);
    gpu_unbind(device, scale->binding);
    gpu_buffer_destroy(device, scale->x);
    gpu_buffer_destroy(device, scale->y);
    memset(scale, 0, sizeof *scale);
}

bool scale_run(struct gpu_device *device, struct scale *scale, struct fault *fault)
{
    return gpu_submit(device, scale->commands, fault) && gpu_wait(device, fault);
}

void scale_check(struct gpu_device *device, const struct scale *scale, uint32_t factor)
{
    struct fault fault = {0};
    uint32_t *y = malloc(scale->push.count * sizeof *y);
    assert_non_null(y);
    assert_ok(gpu_download(device, scale->y, 0, y, scale->push.count * sizeof *y, &fault), fault);
    for (uint32_t i = 0; i < scale->push.count; i++)
        assert_int_equal(y[i], factor * i + scale->push.offset);
    free(y);
}
