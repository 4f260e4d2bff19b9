/* memory.c: the memory plan: what opening a model allocates, before it does and after. */
#include "internal.h"
#include "platform.h"
#include <stdio.h>
#include <string.h>

enum { CONTEXT_DEFAULT = 4096, CONTEXT_LEAST = 256, BATCH_GPU = 512, BATCH_CPU = 128 };

void session_shape(const struct lichen_engine *engine,
                   const struct lichen_session_options *options, uint32_t *context,
                   uint32_t *batch, uint32_t *outputs)
{
    uint32_t trained = engine->plan.context_max;
    *context = options->context;
    if (!*context)
        *context = trained && trained < CONTEXT_DEFAULT ? trained : CONTEXT_DEFAULT;
    *batch = options->batch;
    if (!*batch)
        *batch = engine->on_cpu ? BATCH_CPU : BATCH_GPU;
    if (*batch > *context || engine->plan.prefix_mask)
        *batch = *context;
    *outputs = options->outputs ? options->outputs : 1;
    if (*outputs > *batch)
        *outputs = *batch;
}

static void heap_total(struct lichen_plan_heap *heap)
{
    heap->total = heap->weights + heap->kv + heap->activations + heap->staging;
}

/* ---- the C executor: one heap, the memory of this process ---- */

static void cpu_plan(const struct lichen_engine *engine, enum kv_type kv, struct lichen_plan *plan,
                     uint32_t outputs)
{
    const struct exec_ref_options options = {.plan = &engine->plan,
                                             .parallel = engine->parallel,
                                             .context = plan->context,
                                             .batch_max = plan->batch,
                                             .outputs_max = outputs,
                                             .kv = kv};
    struct lichen_plan_heap *heap = &plan->heaps[0];
    plan->heap_count = 1;
    snprintf(heap->name, sizeof heap->name, "process memory");
    heap->capacity = heap->free = memory_available();
    heap->weights = ref_weights_memory(&engine->plan);
    exec_ref_memory(&options, &heap->kv, &heap->activations);
    heap_total(heap);
}

/* ---- a Vulkan device: its heaps ---- */

static void gpu_heaps(const struct gpu_info *info, const struct gpu_memory_plan *memory,
                      struct lichen_plan *plan)
{
    plan->heap_count = info->heap_count;
    for (uint32_t i = 0; i < info->heap_count; i++) {
        struct lichen_plan_heap *heap = &plan->heaps[i];
        snprintf(heap->name, sizeof heap->name, "%s%s",
                 info->heaps[i].device_local ? "device-local" : "host",
                 info->heaps[i].device_local && info->heaps[i].host_visible ? " (host visible)"
                                                                            : "");
        heap->capacity = info->heaps[i].capacity;
        heap->free = info->heaps[i].free;
        heap->weights = memory->heap[i].weights;
        heap->kv = memory->heap[i].kv;
        heap->activations = memory->heap[i].activations;
        heap->staging = memory->heap[i].staging;
        heap_total(heap);
    }
}

static bool gpu_plan(const struct lichen_engine *engine, enum kv_type kv, uint32_t outputs,
                     struct lichen_plan *plan, struct fault *fault)
{
    const struct exec_gpu_options options = {.device = engine->device,
                                             .plan = &engine->plan,
                                             .context = plan->context,
                                             .batch_max = plan->batch,
                                             .outputs_max = outputs,
                                             .kv = kv,
                                             .activations = engine->activations,
                                             .exact = engine->exact};
    struct gpu_memory_plan memory;
    memset(&memory, 0, sizeof memory);
    if (!exec_gpu_memory(engine->device, &engine->plan, &options, &memory, fault))
        return false;
    gpu_heaps(gpu_device_info(engine->device), &memory, plan);
    return true;
}

static bool plan_for(const struct lichen_engine *engine,
                     const struct lichen_session_options *session, struct lichen_plan *plan,
                     struct fault *fault)
{
    uint32_t outputs;
    enum kv_type kv = session->kv == LICHEN_KV_F32    ? KV_F32
                      : session->kv == LICHEN_KV_Q8_0 ? KV_Q8_0
                                                      : KV_F16;
    memset(plan, 0, sizeof *plan);
    session_shape(engine, session, &plan->context, &plan->batch, &outputs);
    if (engine->on_cpu)
        cpu_plan(engine, kv, plan, outputs);
    else if (!gpu_plan(engine, kv, outputs, plan, fault))
        return false;
    plan->fits = true;
    for (uint32_t i = 0; i < plan->heap_count; i++)
        if (plan->heaps[i].free && plan->heaps[i].total > plan->heaps[i].free)
            plan->fits = false;
    return true;
}

/* Halves the context until it fits. */
static bool find_nearest(const struct lichen_engine *engine,
                         const struct lichen_session_options *session, struct lichen_plan *plan,
                         struct fault *fault)
{
    struct lichen_session_options smaller = *session;
    struct lichen_plan trial = *plan;
    smaller.context = plan->context;
    while (!trial.fits && smaller.context / 2 >= CONTEXT_LEAST) {
        smaller.context /= 2;
        if (!plan_for(engine, &smaller, &trial, fault))
            return false;
    }
    if (trial.fits)
        snprintf(plan->nearest, sizeof plan->nearest, "--ctx %u", smaller.context);
    return true;
}

bool lichen_plan(const struct lichen_engine_options *options,
                 const struct lichen_session_options *session, struct lichen_plan *plan,
                 struct fault *fault)
{
    struct lichen_engine *engine = engine_new(options, fault);
    if (!engine)
        return false;
    bool planned = engine_header(engine, options, fault) && engine_device_open(engine, fault) &&
                   plan_for(engine, session, plan, fault) &&
                   (plan->fits || find_nearest(engine, session, plan, fault));
    lichen_engine_close(engine);
    return planned;
}

void lichen_plan_used(const struct lichen_session *session, struct lichen_plan *plan)
{
    const struct lichen_engine *engine = session->engine;
    memset(plan, 0, sizeof *plan);
    plan->context = session->context;
    plan->batch = session->batch;
    plan->fits = true;
    if (engine->on_cpu) {
        cpu_plan(engine, session->kv, plan, session->outputs);
        plan->heaps[0].weights = ref_weights_size(engine->ref_weights);
        heap_total(&plan->heaps[0]);
        return;
    }
    struct gpu_memory_plan memory;
    memset(&memory, 0, sizeof memory);
    exec_gpu_memory_used(session->exec, engine->gpu_weights, &memory);
    gpu_heaps(gpu_device_info(engine->device), &memory, plan);
}
