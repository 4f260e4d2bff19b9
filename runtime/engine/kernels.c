/* kernels.c: the times of the kernels of a session's last run. */
#include "internal.h"
#include <stdio.h>
#include <stdlib.h>

static bool times_copy(const struct gpu_times *times, struct lichen_kernels *kernels,
                       struct fault *fault)
{
    kernels->items = calloc(times->count + 1, sizeof *kernels->items);
    if (!kernels->items)
        return fault_set(fault, FAULT_MEMORY, "no memory for the times of %u kernels",
                         times->count);
    for (uint32_t i = 0; i < times->count; i++) {
        const struct gpu_kernel_time *time = &times->items[i];
        struct lichen_kernel *kernel = &kernels->items[i];
        *kernel = (struct lichen_kernel){.rows = time->rows,
                                         .cols = time->cols,
                                         .dispatches = time->dispatches,
                                         .time_ns = time->time_ns,
                                         .bytes = time->bytes,
                                         .products = time->products};
        snprintf(kernel->kernel, sizeof kernel->kernel, "%s", time->kernel);
        snprintf(kernel->operation, sizeof kernel->operation, "%s", time->operation);
        snprintf(kernel->weights, sizeof kernel->weights, "%s", time->weights);
    }
    kernels->count = times->count;
    kernels->tokens = times->tokens;
    kernels->empty_ns = times->empty_ns;
    return true;
}

bool lichen_kernels(struct lichen_session *session, struct lichen_kernels *kernels,
                    struct fault *fault)
{
    struct lichen_engine *engine = session->engine;
    struct gpu_times times = {0};
    *kernels = (struct lichen_kernels){0};
    if (engine->on_cpu)
        return fault_set(fault, FAULT_UNSUPPORTED,
                         "cpu: the C executor has no kernels to time; choose a Vulkan device");
    mtx_lock(&engine->lock);
    bool timed = session->exec && session->generation == engine->generation
                     ? exec_gpu_times(session->exec, &times, fault)
                     : fault_set(fault, FAULT_ARGUMENT, "nothing was run that could be timed");
    timed = timed && times_copy(&times, kernels, fault);
    mtx_unlock(&engine->lock);
    free(times.items);
    return timed;
}
