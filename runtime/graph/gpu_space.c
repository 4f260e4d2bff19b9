/* gpu_space.c: the device memory of an executor: KV cache, activations, tables, what is read back.
 * Placing and allocating are one walk, so that the memory plan and the truth agree. */
#include "gpu_exec.h"
#include <stdlib.h>
#include <string.h>

/* A walk over everything an executor needs: the first pass places ranges, the second, after
 * allocation, hands them out in the same order. */
struct walk {
    struct gpu_space *space;
    const struct exec_gpu_options *options;
    const struct gpu_shape *shape;
    bool resolve;     /* second pass */
    uint32_t next[4]; /* next item of each pool, second pass */
    bool failed;
    struct fault *fault;
};

static struct gpu_pool *walk_pool(struct walk *walk, uint32_t which)
{
    struct gpu_space *space = walk->space;
    struct gpu_pool *const pools[] = {&space->kv, &space->state, &space->results, &space->input};
    return pools[which];
}

enum { POOL_KV, POOL_STATE, POOL_RESULTS, POOL_INPUT };

static struct gpu_range take(struct walk *walk, uint32_t which, uint64_t size, const char *what)
{
    struct gpu_pool *pool = walk_pool(walk, which);
    uint32_t item;
    if (walk->failed)
        return (struct gpu_range){0};
    if (walk->resolve)
        return gpu_pool_range(pool, walk->next[which]++);
    walk->failed = !gpu_pool_add(pool, walk->options->device, size, what, &item, walk->fault);
    return (struct gpu_range){.size = size};
}

static struct gpu_area take_area(struct walk *walk, uint32_t which, uint64_t size, const char *what)
{
    return (struct gpu_area){take(walk, which, size, what), walk->space->area_count++};
}

/* ---- KV cache ---- */

/* Words of a key or value of a head, with its scales (shaders/cache.glsl). */
static uint64_t kv_row_words(enum kv_type kv, uint64_t head_dim)
{
    switch (kv) {
    case KV_F32:
        return head_dim;
    case KV_F16:
        return (head_dim + 1) / 2;
    case KV_Q8_0:
        break;
    }
    return (head_dim + 3) / 4 + (head_dim + 63) / 64;
}

static void take_kv(struct walk *walk)
{
    const struct exec_gpu_options *options = walk->options;
    for (uint32_t i = 0; i < options->plan->layer_count; i++) {
        const struct kv_layer *layer = &options->plan->layers[i];
        uint64_t size =
            4 * kv_row_words(options->kv, layer->head_dim) * layer->kv_heads * options->context;
        walk->space->keys[i] = take_area(walk, POOL_KV, size, "KV cache of a layer");
        walk->space->values[i] = take_area(walk, POOL_KV, size, "KV cache of a layer");
    }
}

/* ---- activations ---- */

/* True when a kernel of some bucket reads x of this weight in packed-dot form. */
static bool quants_wanted(const struct walk *walk, const struct plan_weight *weight)
{
    const struct gpu_shape *shape = walk->shape;
    bool wanted = false;
    for (uint32_t i = 0; i < shape->bucket_count && weight->cols % 32 == 0; i++)
        wanted = wanted || gpu_matmul_wants_quants(walk->options->device, weight->tensor->dtype,
                                                   shape->buckets[i], shape->format);
    return wanted;
}

/* Columns of the widest matmul input that lives in the slot and may be wanted in packed-dot form.
 */
static uint32_t quant_cols(const struct walk *walk, uint32_t slot)
{
    const struct plan *plan = walk->options->plan;
    uint32_t most = 0;
    for (uint32_t i = 0; i < plan->step_count; i++) {
        const struct step *step = &plan->steps[i];
        if (step->op != OP_MATMUL || plan->buffers[step->input[0]].slot != slot)
            continue;
        const struct plan_weight *weight = &plan->weights[step->weight[0].weight];
        if (weight->cols > most && quants_wanted(walk, weight))
            most = weight->cols;
    }
    return most;
}

static void take_slots(struct walk *walk)
{
    const struct plan *plan = walk->options->plan;
    struct gpu_space *space = walk->space;
    for (uint32_t i = 0; i < plan->slot_count; i++) {
        uint64_t rows =
            plan->slot_rows[i] == ROWS_TOKENS ? walk->shape->rows_max : walk->shape->outputs_max;
        space->slots[i] =
            take_area(walk, POOL_STATE, 4 * rows * plan->slot_width[i], "activations");
        uint32_t cols = quant_cols(walk, i);
        if (!cols)
            continue;
        space->quants[i] = take_area(
            walk, POOL_STATE, rows * gpu_quants_size(cols, walk->shape->format), "activations");
        space->scales[i] = take_area(walk, POOL_STATE, rows * gpu_scales_size(cols), "activations");
    }
}

/* Floats that the chunks of one token need at most, over all layers and context buckets. */
static uint64_t partials_floats(const struct walk *walk)
{
    const struct exec_gpu_options *options = walk->options;
    uint64_t most = 0;
    for (uint32_t i = 0; i < options->plan->step_count; i++) {
        const struct attention_params *attention = &options->plan->steps[i].attention;
        if (options->plan->steps[i].op != OP_ATTENTION)
            continue;
        uint32_t last = gpu_shape_context(walk->shape, options->context);
        for (uint32_t bucket = gpu_shape_context(walk->shape, 1); bucket <= last; bucket *= 2) {
            uint32_t chunk = gpu_shape_chunk(walk->shape, bucket, options->exact);
            uint64_t chunks = (bucket + chunk - 1) / chunk;
            uint64_t floats = chunks * attention->heads * (attention->head_dim + 2);
            most = floats > most ? floats : most;
        }
    }
    return most;
}

/* Rows of all products of a layer: more than any joined one has. */
static uint64_t joined_floats(const struct plan *plan)
{
    uint64_t most = 1;
    for (uint32_t layer = 0; layer < plan->layer_count; layer++) {
        uint64_t rows = 0;
        for (uint32_t i = 0; i < plan->step_count; i++)
            if (plan->steps[i].op == OP_MATMUL && plan->steps[i].layer == layer)
                rows += plan->steps[i].weight[0].row_count;
        most = rows > most ? rows : most;
    }
    return most;
}

static void take_normed(struct walk *walk)
{
    const struct plan *plan = walk->options->plan;
    struct gpu_space *space = walk->space;
    uint32_t width = 1;
    for (uint32_t i = 0; i < plan->step_count; i++)
        if (plan->steps[i].op == OP_NORM && plan->steps[i].norm.group > width)
            width = plan->steps[i].norm.group;
    space->normed = take_area(walk, POOL_STATE, 4 * (uint64_t)width, "norm");
    space->squares = take_area(walk, POOL_STATE, 4 * (uint64_t)width, "norm");
    if (walk->shape->format == ACTIVATIONS_FLOAT)
        return;
    space->normed_quants =
        take_area(walk, POOL_STATE, gpu_quants_size(width, walk->shape->format), "norm");
    space->normed_scales = take_area(walk, POOL_STATE, gpu_scales_size(width), "norm");
}

static void take_scratch(struct walk *walk)
{
    struct gpu_space *space = walk->space;
    uint64_t rows = walk->shape->outputs_max;
    for (uint32_t i = 0; i < JOINED_COUNT; i++)
        space->joined[i] =
            take_area(walk, POOL_STATE, 4 * joined_floats(walk->options->plan), "joined products");
    take_normed(walk);
    space->partials = take_area(walk, POOL_STATE, 4 * partials_floats(walk), "attention");
    space->maxima = take_area(walk, POOL_STATE, 4 * GPU_TOP_SEGMENTS, "top-k");
    space->dummy = take_area(walk, POOL_STATE, 4 * rows, "unused bindings");
    space->lent = space->dummy.range;
    space->found = take_area(walk, POOL_RESULTS, 8 * (GPU_TOP_MAX + 1), "top-k");
}

/* ---- tables ---- */

static void take_rope(struct walk *walk)
{
    const struct exec_gpu_options *options = walk->options;
    for (uint32_t i = 0; i < PLAN_ROPE_MAX; i++) {
        uint64_t size = 4ULL * options->context * options->plan->rope[i].dims;
        if (size)
            walk->space->rope[i] =
                (struct gpu_area){take(walk, POOL_STATE, size, "rope table"), AREA_CONSTANT};
    }
}

static void slopes_add(struct gpu_space *space, const struct attention_params *attention)
{
    for (uint32_t i = 0; i < space->slopes_count; i++)
        if (space->slopes[i].host == attention->alibi_slopes)
            return;
    space->slopes[space->slopes_count++] =
        (struct gpu_slopes){attention->alibi_slopes, attention->heads, 0};
}

static void take_slopes(struct walk *walk)
{
    const struct plan *plan = walk->options->plan;
    struct gpu_space *space = walk->space;
    for (uint32_t i = 0; i < plan->step_count && !walk->resolve; i++)
        if (plan->steps[i].op == OP_ATTENTION && plan->steps[i].attention.alibi_slopes)
            slopes_add(space, &plan->steps[i].attention);
    for (uint32_t i = 0; i < space->slopes_count; i++) {
        space->slopes[i].item = walk->next[POOL_STATE];
        take(walk, POOL_STATE, 4ULL * space->slopes[i].count, "alibi slopes");
    }
}

/* Run parameters and tokens: one range on the device; another in host memory when that one is not
 * mapped. */
static void take_run(struct walk *walk)
{
    struct gpu_space *space = walk->space;
    bool unified = gpu_device_info(walk->options->device)->unified_memory;
    space->tokens_offset = (uint32_t)space->state.alignment;
    space->run_size = space->tokens_offset + 4ULL * walk->shape->rows_max;
    struct gpu_area run = {take(walk, POOL_STATE, space->run_size, "run parameters"),
                           AREA_CONSTANT};
    space->run = space->tokens = run;
    space->run.range.size = sizeof(struct run_params);
    space->tokens.range.offset += space->tokens_offset;
    space->tokens.range.size -= space->tokens_offset;
    space->run_host =
        unified ? run.range : take(walk, POOL_INPUT, space->run_size, "run parameters");
}

static bool walk_run(struct walk *walk)
{
    walk->space->area_count = 0;
    take_kv(walk);
    take_slots(walk);
    take_scratch(walk);
    take_rope(walk);
    take_slopes(walk);
    take_run(walk);
    return !walk->failed;
}

/* ---- allocation ---- */

static bool space_arrays(struct gpu_space *space, const struct plan *plan, struct fault *fault)
{
    size_t slots = plan->slot_count + 1, layers = plan->layer_count + 1;
    space->slots = calloc(slots, sizeof *space->slots);
    space->quants = calloc(slots, sizeof *space->quants);
    space->scales = calloc(slots, sizeof *space->scales);
    space->keys = calloc(layers, sizeof *space->keys);
    space->values = calloc(layers, sizeof *space->values);
    space->slopes = calloc(plan->step_count + 1, sizeof *space->slopes);
    return (space->slots && space->quants && space->scales && space->keys && space->values &&
            space->slopes) ||
           fault_set(fault, FAULT_MEMORY, "no memory for an executor");
}

static bool rope_upload(struct gpu_space *space, const struct exec_gpu_options *options,
                        uint32_t index, struct fault *fault)
{
    const struct gpu_range *range = &space->rope[index].range;
    float *table = malloc(range->size);
    if (!table)
        return fault_set(fault, FAULT_MEMORY, "no memory for a rope table");
    rope_table_fill(&options->plan->rope[index], options->context, table);
    bool uploaded =
        gpu_upload(options->device, range->buffer, range->offset, table, range->size, fault);
    free(table);
    return uploaded;
}

static bool tables_upload(struct gpu_space *space, const struct exec_gpu_options *options,
                          struct fault *fault)
{
    for (uint32_t i = 0; i < PLAN_ROPE_MAX; i++)
        if (space->rope[i].range.size && !rope_upload(space, options, i, fault))
            return false;
    for (uint32_t i = 0; i < space->slopes_count; i++) {
        struct gpu_range range = gpu_pool_range(&space->state, space->slopes[i].item);
        if (!gpu_upload(options->device, range.buffer, range.offset, space->slopes[i].host,
                        range.size, fault))
            return false;
    }
    return gpu_upload_finish(options->device, fault);
}

static bool space_allocate(struct gpu_space *space, const struct exec_gpu_options *options,
                           struct walk *walk, struct fault *fault)
{
    struct gpu_device *device = options->device;
    if (!gpu_pool_allocate(&space->kv, device, fault) ||
        !gpu_pool_allocate(&space->state, device, fault) ||
        !gpu_pool_allocate(&space->results, device, fault) ||
        !gpu_pool_allocate(&space->input, device, fault))
        return false;
    walk->resolve = true;
    walk_run(walk);
    if (!gpu_buffer_map(space->run_host.buffer) || !gpu_buffer_map(space->found.range.buffer))
        return fault_set(fault, FAULT_DEVICE, "the device's shared memory is not mapped");
    return tables_upload(space, options, fault);
}

bool gpu_space_init(struct gpu_space *space, const struct exec_gpu_options *options,
                    const struct gpu_shape *shape, bool allocate, struct fault *fault)
{
    struct walk walk = {.space = space, .options = options, .shape = shape, .fault = fault};
    memset(space, 0, sizeof *space);
    gpu_pool_init(&space->kv, options->device, "KV cache", GPU_MEMORY_DEVICE);
    gpu_pool_init(&space->state, options->device, "activations", GPU_MEMORY_DEVICE);
    gpu_pool_init(&space->results, options->device, "results", GPU_MEMORY_READBACK);
    gpu_pool_init(&space->input, options->device, "run parameters", GPU_MEMORY_HOST);
    return space_arrays(space, options->plan, fault) && walk_run(&walk) &&
           (!allocate || space_allocate(space, options, &walk, fault));
}

void gpu_space_free(struct gpu_space *space, struct gpu_device *device)
{
    gpu_pool_free(&space->kv, device);
    gpu_pool_free(&space->state, device);
    gpu_pool_free(&space->results, device);
    gpu_pool_free(&space->input, device);
    free(space->slots);
    free(space->quants);
    free(space->scales);
    free(space->keys);
    free(space->values);
    free(space->slopes);
    memset(space, 0, sizeof *space);
}

struct gpu_area gpu_space_slopes(const struct gpu_space *space, const float *slopes)
{
    for (uint32_t i = 0; i < space->slopes_count; i++)
        if (space->slopes[i].host == slopes)
            return (struct gpu_area){gpu_pool_range(&space->state, space->slopes[i].item),
                                     AREA_CONSTANT};
    return (struct gpu_area){.id = AREA_CONSTANT};
}
