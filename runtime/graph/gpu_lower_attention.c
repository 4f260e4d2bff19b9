/* gpu_lower_attention.c: ATTENTION as calls: one kernel over all keys, or chunks (attention.comp,
 * attention_lane.comp) and their sum (combine.comp). */
#include "gpu_lower.h"

/* attention_lane.comp: software devices, f16 and 8-bit caches, heads of whole fetches. */
static bool attention_by_lane(const struct lower *lower, const struct attention_params *params)
{
    const struct gpu_shape *shape = &lower->gpu->shape;
    return shape->software && gpu_device_info(exec_device(lower->gpu))->subgroup_arithmetic &&
           lower->gpu->options.kv != KV_F32 && params->head_dim % 8 == 0 &&
           params->head_dim % shape->attention_group == 0;
}

/* head_dim when attention can write quants itself, else 1. */
uint32_t lower_attention_unit(const struct lower *lower, const struct attention_params *params)
{
    return attention_by_lane(lower, params) && !lower->program->split ? 1 : params->head_dim;
}

/* Query rows of a workgroup: for one token the heads that share a K/V head; fewer when shared
 * memory is small. */
static uint32_t tile_rows(const struct lower *lower, const struct attention_params *params)
{
    const struct gpu_shape *shape = &lower->gpu->shape;
    uint32_t memory = gpu_device_info(exec_device(lower->gpu))->shared_memory;
    uint32_t rows = shape->attention_rows, group = params->heads / params->kv_heads;
    uint32_t row_size = 4 * (params->head_dim + shape->attention_keys + 8) +
                        8 * shape->attention_group; /* attention.comp's shared arrays, at most */
    if (lower->program->tokens == 1 && group < rows)
        rows = group;
    while (rows > 1 && rows * row_size > memory)
        rows--;
    return rows;
}

static enum shader_id attention_shader(const struct lower *lower, bool lane)
{
    switch (lower->gpu->options.kv) {
    case KV_F16:
        return lane ? SHADER_ATTENTION_LANE : SHADER_ATTENTION;
    case KV_Q8_0:
        return lane ? SHADER_ATTENTION_LANE_Q8_0 : SHADER_ATTENTION_Q8_0;
    case KV_F32:
        break;
    }
    return SHADER_ATTENTION_F32;
}

static void attention_push(struct lower *lower, struct kernel_call *kernel,
                           const struct attention_params *params)
{
    uint32_t keys = lower->gpu->shape.attention_keys;
    uint32_t whole = (lower->gpu->exec.context + keys - 1) / keys * keys;
    kernel_push(kernel, params->kv_heads);
    kernel_push(kernel, lower->gpu->exec.context);
    if (lower->program->split) {
        kernel->call.chunked = kernel->call.chunk_groups = true;
        kernel->call.chunk_word = kernel->push_count;
    }
    kernel_push(kernel, whole); /* chunk */
    kernel_push(kernel, 1);     /* chunk_max */
    kernel_push(kernel, params->window);
    kernel_push(kernel, params->mask == MASK_PREFIX);
    kernel_push(kernel, params->alibi_slopes != NULL);
    kernel_push_float(kernel, params->scale);
    kernel_push_float(kernel, params->softcap);
}

/* Specialization constants; `quant` as in lower_own_quants. */
static void attention_begin(const struct lower *lower, struct kernel_call *kernel,
                            const struct attention_params *params, bool floats, uint32_t quant)
{
    const struct gpu_shape *shape = &lower->gpu->shape;
    uint32_t group = params->heads / params->kv_heads;
    bool lane = attention_by_lane(lower, params), split = lower->program->split;
    kernel_begin(kernel, attention_shader(lower, lane), shape->attention_group);
    kernel_spec(kernel, tile_rows(lower, params));
    kernel_spec(kernel, params->head_dim);
    kernel_spec(kernel, group);
    if (!lane)
        kernel_spec(kernel, shape->attention_keys);
    kernel_spec(kernel, split);
    if (!lane) {
        kernel_spec(kernel, !split && floats);
        kernel_spec(kernel, split ? 0 : quant);
    }
}

static void attention_bind(const struct lower *lower, struct kernel_call *kernel,
                           const struct step *step, bool floats, uint32_t quant)
{
    const struct attention_params *params = &step->attention;
    const struct gpu_space *space = &lower->gpu->space;
    kernel_bind(kernel, 0, space->run, ACCESS_READ);
    kernel_bind(kernel, 1, lower_floats(lower, step->input[0]), ACCESS_READ);
    kernel_bind(kernel, 2, space->keys[params->layer], ACCESS_READ);
    kernel_bind(kernel, 3, space->values[params->layer], ACCESS_READ);
    kernel_bind(kernel, 4, gpu_space_slopes(space, params->alibi_slopes), ACCESS_READ);
    if (lower->program->split) {
        kernel_bind(kernel, 6, space->partials, ACCESS_WRITE);
        return;
    }
    if (floats)
        kernel_bind(kernel, 5, lower_floats(lower, step->output), ACCESS_WRITE);
    if (quant) {
        kernel_bind(kernel, 7, lower_quants(lower, step->output), ACCESS_WRITE);
        kernel_bind(kernel, 8, lower_scales(lower, step->output), ACCESS_WRITE);
    }
}

static bool attention_emit(struct lower *lower, uint32_t index, uint32_t quant)
{
    const struct step *step = &lower->plan->steps[index];
    const struct attention_params *params = &step->attention;
    uint32_t group = params->heads / params->kv_heads, rows = tile_rows(lower, params);
    bool floats = lower->fusions[index].write_float || !quant;
    struct kernel_call kernel;
    attention_begin(lower, &kernel, params, floats, quant);
    attention_bind(lower, &kernel, step, floats, quant);
    attention_push(lower, &kernel, params);
    kernel.call.groups[0] = (lower->program->tokens * group + rows - 1) / rows;
    kernel.call.groups[1] = params->kv_heads;
    kernel.call.key_cost = 2ULL * params->heads * params->head_dim * lower->program->tokens;
    return kernel_emit(lower, &kernel);
}

static bool combine_emit(struct lower *lower, uint32_t index, uint32_t quant)
{
    const struct step *step = &lower->plan->steps[index];
    const struct attention_params *params = &step->attention;
    bool floats = lower->fusions[index].write_float || !quant;
    struct kernel_call kernel;
    kernel_begin(&kernel, SHADER_COMBINE, lower->gpu->shape.attention_group);
    kernel_spec(&kernel, params->head_dim);
    kernel_spec(&kernel, floats);
    kernel_spec(&kernel, quant);
    kernel_bind(&kernel, 0, lower->gpu->space.run, ACCESS_READ);
    kernel_bind(&kernel, 1, lower->gpu->space.partials, ACCESS_READ);
    if (floats)
        kernel_bind(&kernel, 2, lower_floats(lower, step->output), ACCESS_WRITE);
    if (quant) {
        kernel_bind(&kernel, 3, lower_quants(lower, step->output), ACCESS_WRITE);
        kernel_bind(&kernel, 4, lower_scales(lower, step->output), ACCESS_WRITE);
    }
    kernel.call.chunked = true;
    kernel.call.chunk_word = kernel.push_count;
    kernel_push(&kernel, 0); /* chunk */
    kernel_push(&kernel, 0); /* chunk_max */
    kernel_push(&kernel, params->mask == MASK_PREFIX);
    kernel.call.groups[0] = params->heads;
    kernel.call.groups[1] = lower->program->tokens;
    kernel.call.cost = 8ULL * params->heads * params->head_dim * lower->program->tokens;
    return kernel_emit(lower, &kernel);
}

bool lower_attention(struct lower *lower, uint32_t index)
{
    const struct step *step = &lower->plan->steps[index];
    uint32_t quant = lower_own_quants(lower, index, lower_attention_unit(lower, &step->attention));
    if (!attention_emit(lower, index, quant))
        return false;
    return !lower->program->split || combine_emit(lower, index, quant);
}
