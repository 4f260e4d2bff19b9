/* device.c: which device runs the model, its weights, and what happens when it is lost. */
#include "internal.h"
#include "platform.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOSSES_MAX = 3 };
static const uint64_t LOSS_WINDOW_NS = 600ull * 1000 * 1000 * 1000;

static const char *type_text(enum gpu_type type)
{
    switch (type) {
    case GPU_DISCRETE:
        return "discrete";
    case GPU_INTEGRATED:
        return "integrated";
    case GPU_VIRTUAL:
        return "virtual";
    case GPU_SOFTWARE:
        return "software";
    default:
        return "other";
    }
}

/* Appends ", word" when the feature is there. */
static void add_word(char *text, size_t size, bool present, const char *word)
{
    size_t used = strlen(text);
    if (present && used < size)
        snprintf(text + used, size - used, "%s%s", used ? ", " : "", word);
}

static void features_text(const struct gpu_info *info, char text[512])
{
    text[0] = 0;
    add_word(text, 512, info->packed_dot_accelerated, "packed dot (accelerated)");
    add_word(text, 512, info->packed_dot && !info->packed_dot_accelerated,
             "packed dot (not accelerated)");
    add_word(text, 512, info->subgroup_arithmetic, "subgroup arithmetic");
    add_word(text, 512, info->subgroup_size_control, "subgroup size control");
    add_word(text, 512, info->memory_budget, "memory budget");
    add_word(text, 512, info->timestamps, "timestamps");
    add_word(text, 512, info->unified_memory, "unified memory");
}

static void device_describe(const struct gpu_info *info, struct lichen_device *device)
{
    memset(device, 0, sizeof *device);
    device->index = (int32_t)info->index;
    snprintf(device->name, sizeof device->name, "%s", info->name);
    snprintf(device->uuid, sizeof device->uuid, "%s", info->uuid);
    snprintf(device->type, sizeof device->type, "%s", type_text(info->type));
    snprintf(device->driver, sizeof device->driver, "%s", info->driver);
    snprintf(device->api, sizeof device->api, "%u.%u.%u", (info->api_version >> 22) & 0x7F,
             (info->api_version >> 12) & 0x3FF, info->api_version & 0xFFF);
    features_text(info, device->features);
    snprintf(device->limits, sizeof device->limits,
             "storage buffer range %llu MiB, allocation %llu MiB, shared memory %u KiB, workgroup "
             "%u, subgroup %u",
             (unsigned long long)(info->storage_range_max >> 20),
             (unsigned long long)(info->allocation_max >> 20), info->shared_memory >> 10,
             info->invocations_max, info->subgroup_size);
    snprintf(device->reason, sizeof device->reason, "%s", info->reason);
    device->usable = info->usable;
    for (uint32_t i = 0; i < info->heap_count && i < LICHEN_HEAP_MAX; i++)
        device->heaps[device->heap_count++] = (struct lichen_heap){
            info->heaps[i].capacity, info->heaps[i].free, info->heaps[i].device_local,
            info->heaps[i].host_visible};
}

static void cpu_describe(struct lichen_device *device)
{
    memset(device, 0, sizeof *device);
    device->index = -1;
    snprintf(device->name, sizeof device->name, "C executor, %u processors", processor_count());
    snprintf(device->type, sizeof device->type, "cpu");
    snprintf(device->driver, sizeof device->driver, "lichen " LICHEN_VERSION);
    snprintf(device->reason, sizeof device->reason,
             "the reference in plain C; chosen only by --device cpu");
    device->usable = true;
    device->heap_count = 1;
    device->heaps[0] =
        (struct lichen_heap){memory_available(), memory_available(), false, true};
}

bool lichen_device_is_processor(const struct lichen_device *device)
{
    return strcmp(device->type, "software") == 0 || strcmp(device->type, "cpu") == 0;
}

bool lichen_devices(const char *choice, struct lichen_device **devices, size_t *count,
                    struct fault *fault)
{
    struct gpu_info *infos = calloc(GPU_DEVICE_MAX, sizeof *infos);
    struct lichen_device *list = calloc(GPU_DEVICE_MAX + 1, sizeof *list);
    uint32_t found = 0;
    bool cpu = choice && strcmp(choice, "cpu") == 0;
    bool listed = infos && list ? gpu_list(infos, &found, NULL, fault)
                                : fault_set(fault, FAULT_MEMORY, "no memory for devices");
    if (listed) {
        uint32_t chosen = PLAN_NONE;
        struct fault none = {0}; /* no match: the list itself shows that nothing is chosen */
        if (!cpu && found && !gpu_choose(infos, found, choice, &chosen, &none))
            chosen = PLAN_NONE;
        for (uint32_t i = 0; i < found; i++) {
            device_describe(&infos[i], &list[i]);
            list[i].chosen = i == chosen;
        }
        cpu_describe(&list[found]);
        list[found].chosen = cpu;
        *devices = list;
        *count = found + 1;
        list = NULL;
    }
    free(infos);
    free(list);
    return listed;
}

bool engine_device_open(struct lichen_engine *engine, struct fault *fault)
{
    if (engine->on_cpu) {
        cpu_describe(&engine->device_info);
        engine->device_info.chosen = true;
        return true;
    }
    const struct gpu_options options = {.device = engine->device_choice,
                                        .cache_folder = engine->cache_folder,
                                        .robust = true};
    if (!gpu_open(&options, &engine->device, fault))
        return false;
    device_describe(gpu_device_info(engine->device), &engine->device_info);
    engine->device_info.chosen = true;
    return true;
}

bool engine_weights_load(struct lichen_engine *engine, progress_fn progress, void *context,
                         struct fault *fault)
{
    bool loaded = engine->on_cpu
                      ? ref_weights_load(&engine->plan, engine->gguf, &engine->ref_weights, fault)
                      : gpu_weights_load(engine->device, &engine->plan, engine->gguf,
                                         engine->host_layers, engine->parallel, progress, context,
                                         &engine->gpu_weights, fault);
    return loaded || fault_file(fault, engine->model_path);
}

void engine_device_close(struct lichen_engine *engine)
{
    ref_weights_free(engine->ref_weights);
    engine->ref_weights = NULL;
    if (engine->device)
        gpu_weights_free(engine->device, engine->gpu_weights);
    engine->gpu_weights = NULL;
    gpu_close(engine->device);
    engine->device = NULL;
}

/* True when this loss may be answered by a rebuild; notes its time. */
static bool loss_allowed(struct lichen_engine *engine)
{
    uint64_t now = clock_ns(), oldest = engine->loss_times[LOSSES_MAX - 1];
    memmove(&engine->loss_times[1], &engine->loss_times[0],
            (LOSSES_MAX - 1) * sizeof engine->loss_times[0]);
    engine->loss_times[0] = now;
    return !oldest || now - oldest > LOSS_WINDOW_NS;
}

bool engine_recover(struct lichen_engine *engine, struct fault *fault)
{
    for (struct lichen_session *session = engine->sessions; session; session = session->next) {
        exec_destroy(session->exec);
        session->exec = NULL;
        session->fresh = false;
    }
    engine_device_close(engine);
    engine->generation++;
    if (!loss_allowed(engine))
        return fault_set(fault, FAULT_DEVICE_LOST,
                         "%s: the device was lost %d times in ten minutes; update the driver, or "
                         "use --device cpu",
                         engine->device_info.name, LOSSES_MAX);
    return engine_device_open(engine, fault) &&
           engine_weights_load(engine, NULL, NULL, fault);
}
