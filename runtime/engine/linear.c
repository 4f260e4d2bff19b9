/* linear.c: a model's linear layers for calibration: what they are given, and what happens when
 * other weights take the place of theirs. Only with the C executor, which keeps the weights where
 * they can be read and replaced. */
#include "internal.h"
#include <string.h>

bool engine_linears(struct lichen_engine *engine, struct fault *fault)
{
    engine->linears = arena_alloc(&engine->arena, engine->plan.step_count, sizeof *engine->linears);
    if (!engine->linears)
        return fault_set(fault, FAULT_MEMORY, "no memory for a table of linear layers");
    engine->linear_count = plan_linears(&engine->plan, engine->linears);
    return true;
}

uint32_t lichen_linear_count(const struct lichen_engine *engine)
{
    return engine->linear_count;
}

void lichen_linear(const struct lichen_engine *engine, uint32_t index, struct lichen_linear *linear)
{
    const struct plan_linear *found = &engine->linears[index];
    const struct plan_weight *weight = &engine->plan.weights[found->weight];
    *linear = (struct lichen_linear){
        .weight = weight->tensor->name,
        .rows = weight->rows,
        .columns = weight->cols,
        .source = found->source,
        .layer = engine->plan.steps[found->step].layer,
    };
}

static bool check_executor(const struct lichen_engine *engine, const char *what,
                           struct fault *fault)
{
    return engine->on_cpu || fault_set(fault, FAULT_UNSUPPORTED,
                                       "%s: only the C executor does that; open the engine with "
                                       "the device \"cpu\"",
                                       what);
}

bool lichen_session_watch(struct lichen_session *session, lichen_watch *watch, void *context,
                          struct fault *fault)
{
    struct lichen_engine *engine = session->engine;
    if (!check_executor(engine, "watching the inputs of linear layers", fault))
        return false;
    mtx_lock(&engine->lock);
    exec_ref_watch(session->exec, engine->linears, engine->linear_count, watch, context);
    mtx_unlock(&engine->lock);
    return true;
}

static bool find_weight(const struct lichen_engine *engine, const char *name, uint32_t *index,
                        struct fault *fault)
{
    if (!check_executor(engine, name, fault))
        return false;
    for (*index = 0; *index < engine->plan.weight_count; ++*index)
        if (strcmp(engine->plan.weights[*index].tensor->name, name) == 0)
            return engine->plan.weights[*index].rows > 1 ||
                   fault_set(fault, FAULT_ARGUMENT, "%s: a vector, expected a matrix", name);
    return fault_set(fault, FAULT_ARGUMENT, "%s: the model does not use such a tensor", name);
}

bool lichen_weight_rows(const struct lichen_engine *engine, const char *name, uint32_t first_row,
                        uint32_t row_count, float *dst, struct fault *fault)
{
    uint32_t index;
    if (!find_weight(engine, name, &index, fault))
        return false;
    ref_weights_read(engine->ref_weights, index, first_row, row_count, dst);
    return true;
}

bool lichen_weight_replace(struct lichen_engine *engine, const char *name, uint32_t type,
                           const void *blocks, struct fault *fault)
{
    uint32_t index;
    const struct dtype_info *info = dtype_find(type);
    if (!find_weight(engine, name, &index, fault))
        return false;
    if (blocks &&
        (!info || !info->decode || engine->plan.weights[index].cols % info->block_weights != 0))
        return fault_set(fault, FAULT_ARGUMENT, "%s: rows of %u weights are no blocks of type %u",
                         name, engine->plan.weights[index].cols, type);
    mtx_lock(&engine->lock);
    ref_weights_replace(engine->ref_weights, index, info, blocks);
    mtx_unlock(&engine->lock);
    return true;
}
