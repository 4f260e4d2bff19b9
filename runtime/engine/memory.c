/* memory.c: the memory plan: what opening a model allocates, before it does and after. */
#include "internal.h"
#include "platform.h"
#include <stdio.h>
#include <string.h>

enum { CONTEXT_DEFAULT = 4096, CONTEXT_LEAST = 256, BATCH_GPU = 512, BATCH_CPU = 128 };

void session_shape(const struct lichen_engine *engine, const struct lichen_session_options *options,
                   uint32_t *context, uint32_t *batch, uint32_t *outputs)
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

/* Heaps that are this machine's memory: a limit of the process holds for them too. */
static uint64_t heap_free(const struct lichen_engine *engine, uint32_t index)
{
    const struct gpu_info *info = gpu_device_info(engine->device);
    uint64_t available = memory_available(), most = info->heaps[index].free;
    bool machine = info->unified_memory || !info->heaps[index].device_local;
    if (machine && available && available < most)
        most = available;
    if (engine->memory_limit && index == gpu_memory_heap(engine->device, GPU_MEMORY_DEVICE) &&
        engine->memory_limit < most)
        most = engine->memory_limit;
    return most;
}

static void gpu_heaps(const struct lichen_engine *engine, const struct gpu_memory_plan *memory,
                      struct lichen_plan *plan)
{
    const struct gpu_info *info = gpu_device_info(engine->device);
    plan->heap_count = info->heap_count;
    for (uint32_t i = 0; i < info->heap_count; i++) {
        struct lichen_plan_heap *heap = &plan->heaps[i];
        snprintf(heap->name, sizeof heap->name, "%s%s",
                 info->heaps[i].device_local ? "device-local" : "host",
                 info->heaps[i].device_local && info->heaps[i].host_visible ? " (host visible)"
                                                                            : "");
        heap->capacity = info->heaps[i].capacity;
        heap->free = heap_free(engine, i);
        heap->weights = memory->heap[i].weights;
        heap->kv = memory->heap[i].kv;
        heap->activations = memory->heap[i].activations;
        heap->staging = memory->heap[i].staging;
        heap_total(heap);
    }
}

/* For plan->host_layers. */
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
    if (!exec_gpu_memory(engine->device, &engine->plan, plan->host_layers, &options, &memory,
                         fault))
        return false;
    gpu_heaps(engine, &memory, plan);
    return true;
}

static bool heap_holds(const struct lichen_plan_heap *heap)
{
    return !heap->free || heap->total <= heap->free;
}

/* With so many layers in host memory. */
static bool plan_layers(const struct lichen_engine *engine,
                        const struct lichen_session_options *session, uint32_t host_layers,
                        struct lichen_plan *plan, struct fault *fault)
{
    uint32_t outputs;
    enum kv_type kv = session->kv == LICHEN_KV_F32    ? KV_F32
                      : session->kv == LICHEN_KV_Q8_0 ? KV_Q8_0
                                                      : KV_F16;
    memset(plan, 0, sizeof *plan);
    plan->layers = engine->plan.layer_count;
    plan->host_layers = host_layers;
    session_shape(engine, session, &plan->context, &plan->batch, &outputs);
    if (engine->on_cpu)
        cpu_plan(engine, kv, plan, outputs);
    else if (!gpu_plan(engine, kv, outputs, plan, fault))
        return false;
    plan->fits = true;
    for (uint32_t i = 0; i < plan->heap_count; i++)
        plan->fits = plan->fits && heap_holds(&plan->heaps[i]);
    return true;
}

/* As few layers in host memory as leave room on the device; none when that does not help. */
static bool plan_spilled(const struct lichen_engine *engine,
                         const struct lichen_session_options *session, struct lichen_plan *plan,
                         struct fault *fault)
{
    uint32_t device = gpu_memory_heap(engine->device, GPU_MEMORY_DEVICE);
    uint32_t low = 0, high = engine->plan.layer_count; /* low does not fit on the device */
    struct lichen_plan trial, best;
    if (!plan_layers(engine, session, high, &best, fault))
        return false;
    if (!heap_holds(&best.heaps[device]))
        return true;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (!plan_layers(engine, session, middle, &trial, fault))
            return false;
        bool holds = heap_holds(&trial.heaps[device]);
        *(holds ? &high : &low) = middle;
        best = holds ? trial : best;
    }
    if (best.fits)
        *plan = best;
    return true;
}

static bool plan_for(const struct lichen_engine *engine,
                     const struct lichen_session_options *session, struct lichen_plan *plan,
                     struct fault *fault)
{
    uint32_t layers = engine->plan.layer_count, chosen = layers;
    if (engine->layers_chosen && engine->gpu_layers < layers)
        chosen = engine->gpu_layers;
    if (!plan_layers(engine, session, engine->on_cpu ? 0 : layers - chosen, plan, fault))
        return false;
    return plan->fits || engine->on_cpu || engine->layers_chosen ||
           gpu_memory_heap(engine->device, GPU_MEMORY_DEVICE) ==
               gpu_memory_heap(engine->device, GPU_MEMORY_HOST) ||
           plan_spilled(engine, session, plan, fault);
}

/* Halves the context until it fits, unless only the chosen layers are too many. */
static bool find_nearest(const struct lichen_engine *engine,
                         const struct lichen_session_options *session, struct lichen_plan *plan,
                         struct fault *fault)
{
    struct lichen_session_options smaller = *session;
    struct lichen_plan trial = *plan;
    if (engine->layers_chosen && !engine->on_cpu) {
        if (!plan_spilled(engine, session, &trial, fault))
            return false;
        if (trial.fits) {
            snprintf(plan->nearest, sizeof plan->nearest, "--gpu-layers %u",
                     trial.layers - trial.host_layers);
            return true;
        }
    }
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

/* "1234.5 MB of device-local memory, 1000.0 are free" of the first heap that is too small. */
static bool no_room(const struct lichen_plan *plan, struct fault *fault)
{
    uint32_t i = 0;
    while (i + 1 < plan->heap_count && heap_holds(&plan->heaps[i]))
        i++;
    return fault_set(fault, FAULT_MEMORY,
                     "a context of %u needs %.1f MB of %s memory, %.1f are free; %s%s",
                     plan->context, (double)plan->heaps[i].total / 1e6, plan->heaps[i].name,
                     (double)plan->heaps[i].free / 1e6,
                     plan->nearest[0] ? "what fits: " : "use a smaller model", plan->nearest);
}

bool engine_layers_place(struct lichen_engine *engine, const struct lichen_session_options *session,
                         struct fault *fault)
{
    struct lichen_session_options usual;
    struct lichen_plan plan;
    lichen_session_defaults(&usual);
    if (!plan_for(engine, session ? session : &usual, &plan, fault))
        return fault_file(fault, engine->model_path);
    engine->host_layers = plan.host_layers;
    if (plan.fits || !session)
        return true;
    if (find_nearest(engine, session, &plan, fault))
        no_room(&plan, fault);
    return fault_file(fault, engine->model_path);
}

void lichen_plan_used(const struct lichen_session *session, struct lichen_plan *plan)
{
    const struct lichen_engine *engine = session->engine;
    memset(plan, 0, sizeof *plan);
    plan->context = session->context;
    plan->batch = session->batch;
    plan->fits = true;
    plan->layers = engine->plan.layer_count;
    plan->host_layers = engine->host_layers;
    if (engine->on_cpu) {
        cpu_plan(engine, session->kv, plan, session->outputs);
        plan->heaps[0].weights = ref_weights_size(engine->ref_weights);
        heap_total(&plan->heaps[0]);
        return;
    }
    struct gpu_memory_plan memory;
    memset(&memory, 0, sizeof memory);
    exec_gpu_memory_used(session->exec, engine->gpu_weights, &memory);
    gpu_heaps(engine, &memory, plan);
}
