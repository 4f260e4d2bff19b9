/* gpu_lower_attention.c: rope, KV store and attention as calls (rope_store.comp, attention.comp,
 * combine.comp). */
#include "gpu_lower.h"

/* ---- rope and store ---- */

struct store_part { /* what happens to the heads of one input */
    struct gpu_source source; /* before the norm */
    uint32_t heads;           /* 0: no such input */
    uint32_t norm;            /* step, or PLAN_NONE */
};

struct store {
    struct store_part q, k, v;
    struct gpu_area q_target;
    const struct rope_params *rope; /* NULL: no rotation */
    uint32_t head_dim, layer;
};

static void bind_norm(const struct lower *lower, struct kernel_call *kernel, uint32_t binding,
                      const struct store_part *part)
{
    if (part->norm != PLAN_NONE)
        kernel_bind(kernel, binding,
                    lower_vector(lower, lower->plan->steps[part->norm].weight[0].weight),
                    ACCESS_READ);
}

static void store_bind(const struct lower *lower, struct kernel_call *kernel,
                       const struct store *store)
{
    const struct gpu_space *space = &lower->gpu->space;
    kernel_bind(kernel, 0, space->run, ACCESS_READ);
    kernel_bind(kernel, 1, store->q.source.area, ACCESS_READ);
    kernel_bind(kernel, 2, store->k.source.area, ACCESS_READ);
    kernel_bind(kernel, 3, store->v.source.area, ACCESS_READ);
    if (store->rope)
        kernel_bind(kernel, 4, space->rope[store->rope->table], ACCESS_READ);
    bind_norm(lower, kernel, 5, &store->q);
    bind_norm(lower, kernel, 6, &store->k);
    if (store->k.heads) {
        kernel_bind(kernel, 7, space->keys[store->layer], ACCESS_WRITE);
        kernel_bind(kernel, 8, space->values[store->layer], ACCESS_WRITE);
    }
    if (store->q.heads)
        kernel_bind(kernel, 9, store->q_target, ACCESS_WRITE);
}

static float norm_eps(const struct lower *lower, const struct store_part *part)
{
    return part->norm == PLAN_NONE ? 0 : lower->plan->steps[part->norm].norm.eps;
}

static void store_push(const struct lower *lower, struct kernel_call *kernel,
                       const struct store *store)
{
    kernel_push(kernel, store->q.heads);
    kernel_push(kernel, store->k.heads);
    kernel_push(kernel, store->v.heads);
    kernel_push(kernel, store->rope ? store->rope->dims : 0);
    kernel_push(kernel, store->rope && store->rope->style == ROPE_ADJACENT);
    kernel_push(kernel, lower->gpu->exec.context);
    kernel_push(kernel, (store->q.norm != PLAN_NONE) | (uint32_t)(store->k.norm != PLAN_NONE) << 1);
    kernel_push_float(kernel, norm_eps(lower, &store->q));
    kernel_push_float(kernel, norm_eps(lower, &store->k));
    kernel_push(kernel, store->q.source.first);
    kernel_push(kernel, store->k.source.first);
    kernel_push(kernel, store->v.source.first);
}

static bool store_emit(struct lower *lower, const struct store *store)
{
    bool half = lower->gpu->options.kv == KV_F16;
    uint32_t heads = store->q.heads + store->k.heads + store->v.heads;
    struct kernel_call kernel;
    kernel_begin(&kernel, half ? SHADER_ROPE_STORE : SHADER_ROPE_STORE_F32,
                 lower->gpu->shape.attention_group);
    kernel_spec(&kernel, store->head_dim);
    store_bind(lower, &kernel, store);
    store_push(lower, &kernel, store);
    kernel.call.groups[0] = heads;
    kernel.call.groups[1] = lower->program->tokens;
    kernel.call.cost = 8ULL * heads * store->head_dim * lower->program->tokens;
    return kernel_emit(lower, &kernel);
}

bool lower_rope(struct lower *lower, uint32_t index)
{
    const struct step *step = &lower->plan->steps[index];
    const struct store_part none = {.norm = PLAN_NONE};
    const struct store store = {
        .q = {{lower_floats(lower, step->input[0]), 0}, step->rope.head_count, PLAN_NONE},
        .k = none,
        .v = none,
        .q_target = lower_floats(lower, step->output),
        .rope = &step->rope,
        .head_dim = step->rope.head_dim,
    };
    return store_emit(lower, &store);
}

/* The part that begins in front of an optional norm and ends in `buffer`. */
static struct store_part part_from(const struct lower *lower, uint32_t store, uint32_t i,
                                   uint32_t norm, uint32_t buffer, uint32_t heads)
{
    uint32_t source = norm != PLAN_NONE ? lower->plan->steps[norm].input[0] : buffer;
    return (struct store_part){lower_source(lower, store, i, source), heads, norm};
}

bool lower_kv_store(struct lower *lower, uint32_t index)
{
    const struct plan *plan = lower->plan;
    const struct step *step = &plan->steps[index];
    const struct gpu_store *fused = &lower->fusions[index].store;
    uint32_t heads = step->kv_store.kv_heads;
    struct store store = {
        .q = {.norm = PLAN_NONE},
        .k = part_from(lower, index, 1, fused->k_norm, step->input[0], heads),
        .v = part_from(lower, index, 2, PLAN_NONE, step->input[1], heads),
        .rope = fused->k_rope != PLAN_NONE ? &plan->steps[fused->k_rope].rope : NULL,
        .head_dim = step->kv_store.head_dim,
        .layer = step->kv_store.layer,
    };
    if (fused->q_rope != PLAN_NONE) {
        const struct step *rope = &plan->steps[fused->q_rope];
        store.q = part_from(lower, index, 0, fused->q_norm, rope->output, rope->rope.head_count);
        store.q_target = lower_floats(lower, rope->output);
    }
    return store_emit(lower, &store);
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
