/* gpu_lower_store.c: ROPE and KV_STORE, with what a store absorbs, as calls (rope_store.comp). */
#include "gpu_lower.h"

struct store_part {           /* what happens to the heads of one input */
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
    kernel_push(kernel, store->rope && store->rope->two_streams);
}

static bool store_emit(struct lower *lower, const struct store *store)
{
    static const enum shader_id shaders[] = {[KV_F16] = SHADER_ROPE_STORE,
                                             [KV_F32] = SHADER_ROPE_STORE_F32,
                                             [KV_Q8_0] = SHADER_ROPE_STORE_Q8_0};
    uint32_t heads = store->q.heads + store->k.heads + store->v.heads;
    struct kernel_call kernel;
    kernel_begin(&kernel, shaders[lower->gpu->options.kv], lower->gpu->shape.attention_group);
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
    if (lower->fusions[index].finish)
        return lower_finish_store(lower, index);
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
