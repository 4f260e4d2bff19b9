/* gpu_time.c: the last run once more, every call between two timestamps. Calls are cut into
 * submissions as in a run, and also where the slots end. */
#include "block.h"
#include "gpu_exec.h"
#include <stdlib.h>
#include <string.h>

enum { CALLS_MAX = GPU_TIMESTAMP_MAX - 2 }; /* of a submission; two slots for the empty bracket */

/* Rows of tokens or outputs that a call of a program is made for. */
static uint32_t rows_of(const struct gpu_program *program, const struct gpu_call *call)
{
    return call->outputs ? program->outputs : program->tokens;
}

/* A product may be of several steps' matrices, one behind the other: its cost tells the rows. */
static struct gpu_kernel_time
describe(const struct exec_gpu *gpu, const struct gpu_program *program, const struct gpu_call *call)
{
    const struct plan *plan = gpu->exec.plan;
    const struct step *step = call->step == PLAN_NONE ? NULL : &plan->steps[call->step];
    struct gpu_kernel_time item = {
        .kernel = call->matmul ? gpu_matmul_name(call->matmul) : gpu_kernel_name(call->kernel),
        .operation = step ? op_name(step->op) : "top",
        .weights = "",
    };
    if (!call->matmul)
        return item;
    const struct plan_weight *weight = &plan->weights[step->weight[0].weight];
    item.weights = dtype_find(weight->tensor->dtype)->name;
    item.cols = weight->cols;
    item.rows = (uint32_t)(call->cost / item.cols / rows_of(program, call));
    return item;
}

/* Bytes of the keys and values that one token reads. */
static uint64_t cache_bytes(const struct exec_gpu *gpu, const struct gpu_call *call,
                            uint32_t position)
{
    const struct attention_params *params = &gpu->exec.plan->steps[call->step].attention;
    uint64_t keys = position + 1, width = (uint64_t)params->kv_heads * params->head_dim;
    if (params->window && keys > params->window)
        keys = params->window;
    switch (gpu->options.kv) {
    case KV_F32:
        return 2 * keys * width * sizeof(float);
    case KV_Q8_0:
        return 2 * keys * width / BLOCK_WEIGHTS * BLOCK_Q8_0_SIZE;
    default:
        return 2 * keys * width * sizeof(uint16_t);
    }
}

static bool same_group(const struct gpu_kernel_time *a, const struct gpu_kernel_time *b)
{
    return strcmp(a->kernel, b->kernel) == 0 && strcmp(a->operation, b->operation) == 0 &&
           strcmp(a->weights, b->weights) == 0 && a->rows == b->rows && a->cols == b->cols;
}

static bool group_add(struct gpu_times *times, const struct gpu_kernel_time *item,
                      struct fault *fault)
{
    uint32_t i = 0;
    while (i < times->count && !same_group(&times->items[i], item))
        i++;
    if (i == times->count) {
        struct gpu_kernel_time *items =
            realloc(times->items, (times->count + 1) * sizeof *times->items);
        if (!items)
            return fault_set(fault, FAULT_MEMORY, "no memory for the times of kernels");
        times->items = items;
        times->items[times->count++] = *item;
        return true;
    }
    struct gpu_kernel_time *group = &times->items[i];
    group->dispatches += item->dispatches;
    group->time_ns += item->time_ns;
    group->bytes += item->bytes;
    group->products += item->products;
    return true;
}

struct timing {
    struct exec_gpu *gpu;
    const struct gpu_recording *recording;
    struct gpu_part part;
    struct gpu_times *times;
};

static bool call_add(const struct timing *timing, const struct gpu_call *call, uint32_t slot,
                     struct fault *fault)
{
    struct exec_gpu *gpu = timing->gpu;
    const struct gpu_program *program = timing->recording->program;
    struct gpu_kernel_time item = describe(gpu, program, call);
    item.dispatches = call->matmul ? gpu_matmul_dispatches(call->matmul) : 1;
    item.time_ns = gpu_timing_read(exec_device(gpu), slot - 1, slot);
    item.bytes = call->weight_bytes;
    if (call->matmul)
        item.products = (uint64_t)item.rows * item.cols *
                        (call->outputs ? timing->part.outputs : timing->part.count);
    if (call->key_cost && timing->part.count == 1)
        item.bytes += cache_bytes(gpu, call, gpu->batch.position + timing->part.first);
    return group_add(timing->times, &item, fault);
}

/* Calls first .. end as one submission. */
static bool calls_time(const struct timing *timing, uint32_t first, uint32_t end,
                       struct fault *fault)
{
    struct gpu_device *device = exec_device(timing->gpu);
    const struct gpu_program *program = timing->recording->program;
    struct gpu_commands *commands;
    if (!gpu_record_calls(timing->gpu, program, first, end, timing->recording->context_bucket, true,
                          &commands, fault))
        return false;
    bool done = gpu_submit(device, commands, fault) && gpu_wait(device, fault);
    if (done)
        timing->times->empty_ns = gpu_timing_read(device, 0, 1);
    for (uint32_t i = first; done && i < end; i++)
        done = call_add(timing, &program->calls[i], i - first + 2, fault);
    gpu_commands_destroy(device, commands);
    return done;
}

static bool part_time(const struct timing *timing, struct fault *fault)
{
    const struct gpu_recording *recording = timing->recording;
    const struct gpu_program *program = recording->program;
    uint32_t first = 0, count = program->call_count;
    while (!recording->outputs && count > 0 && program->calls[count - 1].outputs)
        count--;
    while (first < count) {
        uint32_t end = first;
        uint64_t cost = 0;
        do
            cost += gpu_call_cost(timing->gpu, &program->calls[end++], recording->context_bucket);
        while (end < count && cost < recording->budget && end - first < CALLS_MAX);
        if (!calls_time(timing, first, end, fault))
            return false;
        first = end;
    }
    return true;
}

bool exec_gpu_times(struct exec *exec, struct gpu_times *times, struct fault *fault)
{
    struct exec_gpu *gpu = (struct exec_gpu *)exec;
    const struct gpu_info *info = gpu_device_info(exec_device(gpu));
    *times = (struct gpu_times){.tokens = gpu->batch.count};
    if (!info->timestamps)
        return fault_set(fault, FAULT_UNSUPPORTED,
                         "%s: its queue has no timestamps, so kernels cannot be timed", info->name);
    if (gpu->batch.count == 0)
        return fault_set(fault, FAULT_ARGUMENT, "nothing was run that could be timed");
    struct timing timing = {.gpu = gpu, .times = times};
    for (uint32_t first = 0; first < gpu->batch.count; first += timing.part.count) {
        struct gpu_recording *recording;
        if (!gpu_part_prepare(gpu, first, &timing.part, &recording, fault))
            return false;
        timing.recording = recording;
        if (!part_time(&timing, fault))
            return false;
    }
    return true;
}
