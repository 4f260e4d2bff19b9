/* kernel_run.c: see kernel_run.h. */
#include "kernel_run.h"

static struct gpu_buffer *buffer_open(struct gpu_device *device, const struct kernel_buffer *from,
                                      struct fault *fault)
{
    struct gpu_buffer *buffer;
    uint64_t size = from->words ? 4ull * from->count : 4;
    assert_ok(gpu_buffer_create(device, size, GPU_MEMORY_DEVICE, "test", &buffer, fault), *fault);
    if (from->words)
        assert_ok(gpu_upload(device, buffer, 0, from->words, size, fault), *fault);
    return buffer;
}

static void dispatch(struct gpu_device *device, const struct kernel_run *run,
                     struct gpu_kernel *kernel, struct gpu_binding *binding, struct fault *fault)
{
    struct gpu_commands *commands;
    uint32_t groups[3];
    for (int i = 0; i < 3; i++)
        groups[i] = run->groups[i] ? run->groups[i] : 1;
    assert_ok(gpu_commands_create(device, &commands, fault), *fault);
    assert_ok(gpu_record_begin(commands, fault), *fault);
    gpu_record_dispatch(commands, kernel, binding, run->push, groups[0], groups[1], groups[2]);
    gpu_record_host_barrier(commands);
    assert_ok(gpu_record_end(commands, fault), *fault);
    assert_ok(gpu_submit(device, commands, fault) && gpu_wait(device, fault), *fault);
    gpu_commands_destroy(device, commands);
}

void kernel_run(struct gpu_device *device, const struct kernel_run *run)
{
    const struct shader *shader = shader_get(run->shader);
    struct fault fault = {0};
    struct gpu_range ranges[GPU_BINDING_MAX];
    struct gpu_kernel *kernel;
    struct gpu_binding *binding;
    struct gpu_kernel_request request = {
        .code = shader->code,
        .code_size = shader->size,
        .name = shader->name,
        .binding_count = shader->binding_count,
        .push_size = 4 * run->push_count,
        .spec_count = run->spec_count,
    };
    memcpy(request.spec, run->spec, sizeof request.spec);
    for (uint32_t i = 0; i < shader->binding_count; i++)
        ranges[i] = (struct gpu_range){buffer_open(device, &run->buffers[i], &fault), 0, 0};
    assert_ok(gpu_upload_finish(device, &fault), fault);
    assert_ok(gpu_kernel_get(device, &request, &kernel, &fault), fault);
    assert_ok(gpu_bind(device, kernel, ranges, shader->binding_count, &binding, &fault), fault);
    dispatch(device, run, kernel, binding, &fault);
    gpu_unbind(device, binding);
    for (uint32_t i = 0; i < shader->binding_count; i++) {
        if (run->buffers[i].words)
            assert_ok(gpu_download(device, ranges[i].buffer, 0, run->buffers[i].words,
                                   4ull * run->buffers[i].count, &fault),
                      fault);
        gpu_buffer_destroy(device, ranges[i].buffer);
    }
}
