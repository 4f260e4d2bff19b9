/* gpu_lower_attention.c: rope, KV store and attention as calls (rope_store.comp, attention.comp,
 * combine.comp). */
#include "gpu_lower.h"

/* ---- rope and store ---- */

struct store_part { /* what happens to the heads of one input */
    uint32_t source; /* buffer before the norm, or PLAN_NONE: no such heads */
    uint32_t heads;
    uint32_t norm; /* step, or PLAN_NONE */
};

static bool store_emit(struct lower *lower, const struct store_part *q, uint32_t q_output,
                       const struct store_part *k, uint32_t v_buffer, uint32_t head_dim,
                       const struct rope_params *rope, uint32_t layer)
{
    const struct plan *plan = lower->plan;
    const struct gpu_space *space = &lower->gpu->space;
    bool half = lower->gpu->options.kv == KV_F16;
    struct gpu_area table = {.id = AREA_CONSTANT};
    struct kernel_call kernel;
    kernel_begin(&kernel, half ? SHADER_ROPE_STORE : SHADER_ROPE_STORE_F32,
                 head_dim / 2 < 32 && !lower->gpu->shape.software
                     ? 32
                     : lower->gpu->shape.attention_group);
    kernel_spec(&kernel, head_dim);
    if (rope)
        table = space->rope[rope->table];
    kernel_bind(&kernel, 0, space->run, ACCESS_READ);
    kernel_bind(&kernel, 1, lower_floats(lower, q->source), ACCESS_READ);
    kernel_bind(&kernel, 2, lower_floats(lower, k->source), ACCESS_READ);
    kernel_bind(&kernel, 3, lower_floats(lower, v_buffer), ACCESS_READ);
    kernel_bind(&kernel, 4, table, ACCESS_READ);
    if (q->norm != PLAN_NONE)
        kernel_bind(&kernel, 5, lower_vector(lower, plan->steps[q->norm].weight[0].weight),
                    ACCESS_READ);
    if (k->norm != PLAN_NONE)
        kernel_bind(&kernel, 6, lower_vector(lower, plan->steps[k->norm].weight[0].weight),
                    ACCESS_READ);
    if (k->heads) {
        kernel_bind(&kernel, 7, space->keys[layer], ACCESS_WRITE);
        kernel_bind(&kernel, 8, space->values[layer], ACCESS_WRITE);
    }
    kernel_bind(&kernel, 9, lower_floats(lower, q_output), ACCESS_WRITE);
    kernel_push(&kernel, q->heads);
    kernel_push(&kernel, k->heads);
    kernel_push(&kernel, k->heads);
    kernel_push(&kernel, rope ? rope->dims : 0);
    kernel_push(&kernel, rope && rope->style == ROPE_ADJACENT);
    kernel_push(&kernel, lower->gpu->exec.context);
    kernel_push(&kernel, (q->norm != PLAN_NONE) | (uint32_t)(k->norm != PLAN_NONE) << 1);
    kernel_push_float(&kernel, q->norm != PLAN_NONE ? plan->steps[q->norm].norm.eps : 0);
    kernel_push_float(&kernel, k->norm != PLAN_NONE ? plan->steps[k->norm].norm.eps : 0);
    kernel.call.groups[0] = q->heads + 2 * k->heads;
    kernel.call.groups[1] = lower->program->tokens;
    kernel.call.cost = 8ULL * kernel.call.groups[0] * head_dim * lower->program->tokens;
    return kernel_emit(lower, &kernel);
}

bool lower_rope(struct lower *lower, uint32_t index)
{
    const struct step *step = &lower->plan->steps[index];
    const struct store_part q = {step->input[0], step->rope.head_count, PLAN_NONE};
    const struct store_part none = {PLAN_NONE, 0, PLAN_NONE};
    return store_emit(lower, &q, step->output, &none, PLAN_NONE, step->rope.head_dim, &step->rope,
                      0);
}

/* The input of a chain [norm] [rope] that ends in `buffer`. */
static uint32_t chain_source(const struct lower *lower, uint32_t norm, uint32_t buffer)
{
    return norm != PLAN_NONE ? lower->plan->steps[norm].input[0] : buffer;
}

bool lower_kv_store(struct lower *lower, uint32_t index)
{
    const struct plan *plan = lower->plan;
    const struct step *step = &plan->steps[index];
    const struct gpu_store *store = &lower->fusions[index].store;
    const struct rope_params *rope =
        store->k_rope != PLAN_NONE ? &plan->steps[store->k_rope].rope : NULL;
    struct store_part q = {PLAN_NONE, 0, PLAN_NONE};
    const struct store_part k = {chain_source(lower, store->k_norm, step->input[0]),
                                 step->kv_store.kv_heads, store->k_norm};
    uint32_t q_output = PLAN_NONE;
    if (store->q_rope != PLAN_NONE) {
        q_output = plan->steps[store->q_rope].output;
        q = (struct store_part){chain_source(lower, store->q_norm, q_output),
                                plan->steps[store->q_rope].rope.head_count, store->q_norm};
    }
    return store_emit(lower, &q, q_output, &k, step->input[1], step->kv_store.head_dim, rope,
                      step->kv_store.layer);
}

/* ---- attention ---- */

/* attention_lane.comp: software devices, f16 caches, heads of whole fetches. */
static bool attention_by_lane(const struct lower *lower, const struct attention_params *params)
{
    const struct gpu_shape *shape = &lower->gpu->shape;
    return shape->software && gpu_device_info(exec_device(lower->gpu))->subgroup_arithmetic &&
           lower->gpu->options.kv == KV_F16 && params->head_dim % 8 == 0 &&
           params->head_dim % shape->attention_group == 0;
}

/* head_dim when attention can write quants itself, else 1. */
uint32_t lower_attention_unit(const struct lower *lower, const struct attention_params *params)
{
    return attention_by_lane(lower, params) && !lower->program->split ? 1 : params->head_dim;
}

/* Query rows of a workgroup: for one token the heads that share a K/V head. */
static uint32_t tile_rows(const struct lower *lower, uint32_t group)
{
    uint32_t rows = lower->gpu->shape.attention_rows;
    return lower->program->tokens == 1 && group < rows ? group : rows;
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

static bool attention_emit(struct lower *lower, uint32_t index, uint32_t quant)
{
    const struct step *step = &lower->plan->steps[index];
    const struct attention_params *params = &step->attention;
    const struct gpu_shape *shape = &lower->gpu->shape;
    const struct gpu_space *space = &lower->gpu->space;
    uint32_t group = params->heads / params->kv_heads, rows = tile_rows(lower, group);
    bool split = lower->program->split, floats = lower->fusions[index].write_float || !quant;
    bool lane = attention_by_lane(lower, params);
    struct kernel_call kernel;
    kernel_begin(&kernel,
                 lane                                ? SHADER_ATTENTION_LANE
                 : lower->gpu->options.kv == KV_F16 ? SHADER_ATTENTION
                                                     : SHADER_ATTENTION_F32,
                 shape->attention_group);
    kernel_spec(&kernel, rows);
    kernel_spec(&kernel, params->head_dim);
    kernel_spec(&kernel, group);
    if (!lane)
        kernel_spec(&kernel, shape->attention_keys);
    kernel_spec(&kernel, split);
    if (!lane) {
        kernel_spec(&kernel, !split && floats);
        kernel_spec(&kernel, split ? 0 : quant);
    }
    kernel_bind(&kernel, 0, space->run, ACCESS_READ);
    kernel_bind(&kernel, 1, lower_floats(lower, step->input[0]), ACCESS_READ);
    kernel_bind(&kernel, 2, space->keys[params->layer], ACCESS_READ);
    kernel_bind(&kernel, 3, space->values[params->layer], ACCESS_READ);
    kernel_bind(&kernel, 4, gpu_space_slopes(space, params->alibi_slopes), ACCESS_READ);
    if (split) {
        kernel_bind(&kernel, 6, space->partials, ACCESS_WRITE);
    } else {
        if (floats)
            kernel_bind(&kernel, 5, lower_floats(lower, step->output), ACCESS_WRITE);
        if (quant) {
            kernel_bind(&kernel, 7, lower_quants(lower, step->output), ACCESS_WRITE);
            kernel_bind(&kernel, 8, lower_scales(lower, step->output), ACCESS_WRITE);
        }
    }
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
    uint32_t quant =
        lower_own_quants(lower, index, lower_attention_unit(lower, &step->attention));
    if (!attention_emit(lower, index, quant))
        return false;
    return !lower->program->split || combine_emit(lower, index, quant);
}
