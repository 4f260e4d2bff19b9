/* gpu_fuse_finish.c: what the product of one token does beside storing its sums (finish in
 * gpu_fuse.h): the norm behind a residual, a GLU, or rotation and the caches. */
#include "gpu_fuse_rules.h"

/* True when the kernel of rows `first` .. `first + count` of the step's matrix can do more. */
static bool product_finishes(const struct fuse *fuse, uint32_t product, uint32_t first,
                             uint32_t count)
{
    const struct step *step = &fuse->plan->steps[product];
    const struct gpu_matmul_call call = {
        .matrix = weights_matrix(fuse->gpu->options.weights, step->weight[0].weight),
        .row_first = first,
        .row_count = count,
        .tokens_max = fuse->tokens,
    };
    return fuse->plan->buffers[step->output].rows == ROWS_TOKENS && gpu_matmul_finishes(&call) &&
           gpu_matmul_can_finish(exec_device(fuse->gpu), call.matrix->dtype);
}

/* ---- norm ---- */

/* The step at whose place a step runs. */
static uint32_t place_of(const struct fuse *fuse, uint32_t step)
{
    while (fuse->fusions[step].absorbed_by != PLAN_NONE)
        step = fuse->fusions[step].absorbed_by;
    return step;
}

/* The last place where the output of a norm is read; PLAN_NONE when one who reads it is no product
 * or nobody does. */
static uint32_t last_product(const struct fuse *fuse, uint32_t norm)
{
    const struct plan *plan = fuse->plan;
    uint32_t buffer = plan->steps[norm].output, last = PLAN_NONE;
    for (uint32_t i = norm + 1; i < plan->step_count; i++) {
        const struct step *step = &plan->steps[i];
        bool reads = step->op == OP_MATMUL && step->input[0] == buffer;
        for (uint32_t j = reads ? 1 : 0; j < PLAN_INPUT_MAX; j++)
            if (step->input[j] == buffer)
                return PLAN_NONE;
        if (reads && (last == PLAN_NONE || place_of(fuse, i) > last))
            last = place_of(fuse, i);
        if (step->output == buffer)
            break;
    }
    return last;
}

/* The MATMUL or ADD that writes what the norm reads as a product plus a residual; else PLAN_NONE.
 */
static uint32_t residual_before(const struct fuse *fuse, uint32_t norm)
{
    const struct plan *plan = fuse->plan;
    uint32_t step = fuse_last_writer(plan, plan->steps[norm].input[0], norm);
    if (step != PLAN_NONE && fuse->fusions[step].alias)
        step = fuse_last_writer(plan, plan->steps[step].input[0], step);
    if (step == PLAN_NONE || !fuse_is_free(fuse, step) || fuse->fusions[step].norm != PLAN_NONE)
        return PLAN_NONE;
    bool sum = fuse->fusions[step].matmul != PLAN_NONE;
    bool product = plan->steps[step].op == OP_MATMUL && plan->steps[step].input[1] != PLAN_NONE;
    return sum || product ? step : PLAN_NONE;
}

static void fuse_norm(struct fuse *fuse, uint32_t norm)
{
    const struct plan *plan = fuse->plan;
    const struct step *step = &plan->steps[norm];
    if (step->norm.kind != NORM_RMS || step->norm.group != plan->buffers[step->output].width ||
        step->weight[0].weight == PLAN_NONE || step->weight[1].weight != PLAN_NONE ||
        !fuse_is_free(fuse, norm))
        return;
    uint32_t writer = residual_before(fuse, norm), last = last_product(fuse, norm);
    if (writer == PLAN_NONE || last == PLAN_NONE || writer <= fuse->normed_until)
        return;
    uint32_t product =
        fuse->fusions[writer].matmul != PLAN_NONE ? fuse->fusions[writer].matmul : writer;
    const struct weight_ref *ref = &plan->steps[product].weight[0];
    if (!product_finishes(fuse, product, weights_row(fuse->gpu->options.weights, *ref),
                          ref->row_count))
        return;
    fuse->fusions[writer].norm = norm;
    fuse_absorb(fuse, norm, writer);
    fuse->normed_until = last;
    for (uint32_t i = norm + 1; i < plan->step_count; i++) {
        if (plan->steps[i].op == OP_MATMUL && plan->steps[i].input[0] == step->output)
            fuse->fusions[i].normed = norm;
        if (plan->steps[i].output == step->output)
            return;
    }
}

/* ---- GLU, store ---- */

/* True when only steps that the consumer absorbs lie between its product and it, and the product
 * may write `output` while it reads its input. */
static bool may_absorb(const struct fuse *fuse, uint32_t consumer, uint32_t output)
{
    const struct plan *plan = fuse->plan;
    uint32_t product = fuse->fusions[consumer].product;
    for (uint32_t i = product + 1; i < consumer; i++)
        if (fuse->fusions[i].absorbed_by != consumer)
            return false;
    return fuse->fusions[product].normed != PLAN_NONE ||
           fuse_slot(plan, output) != fuse_slot(plan, plan->steps[product].input[0]);
}

static void finish_consumer(struct fuse *fuse, uint32_t consumer)
{
    struct gpu_step_fusion *fusion = &fuse->fusions[consumer];
    fusion->finish = true;
    fuse_absorb(fuse, fusion->product, consumer);
}

/* True when the product of the consumer has so many joined rows and can do more than store. */
static bool joined_rows(const struct fuse *fuse, uint32_t consumer, uint32_t count)
{
    const struct gpu_step_fusion *fusion = &fuse->fusions[consumer];
    if (fusion->product == PLAN_NONE)
        return false;
    const struct gpu_step_fusion *product = &fuse->fusions[fusion->product];
    return product->join_count == count &&
           product_finishes(fuse, fusion->product, product->join_first, count);
}

static void fuse_finish_glu(struct fuse *fuse, uint32_t glu)
{
    const struct plan *plan = fuse->plan;
    const struct gpu_step_fusion *fusion = &fuse->fusions[glu];
    uint32_t output = plan->steps[glu].output, width = plan->buffers[output].width;
    if (fusion->source[0] == PLAN_NONE || fusion->source[1] == PLAN_NONE ||
        !joined_rows(fuse, glu, 2 * width) || !may_absorb(fuse, glu, output))
        return;
    finish_consumer(fuse, glu);
}

static void fuse_finish_store(struct fuse *fuse, uint32_t index)
{
    const struct plan *plan = fuse->plan;
    const struct gpu_step_fusion *fusion = &fuse->fusions[index];
    const struct kv_store_params *params = &plan->steps[index].kv_store;
    const struct gpu_store *store = &fusion->store;
    enum kv_type kv = fuse->gpu->options.kv;
    if (store->q_rope == PLAN_NONE || store->k_rope == PLAN_NONE || store->q_norm != PLAN_NONE ||
        store->k_norm != PLAN_NONE || (kv != KV_F16 && kv != KV_F32))
        return;
    const struct step *rope = &plan->steps[store->q_rope];
    uint32_t rows = (rope->rope.head_count + 2 * params->kv_heads) * params->head_dim;
    for (uint32_t i = 0; i < GPU_SOURCE_MAX; i++)
        if (fusion->source[i] == PLAN_NONE)
            return;
    if (rope->rope.two_streams || rope->rope.dims != params->head_dim ||
        params->head_dim % 4 != 0 || !joined_rows(fuse, index, rows) ||
        !may_absorb(fuse, index, rope->output))
        return;
    finish_consumer(fuse, index);
}

void fuse_finish(struct fuse *fuse)
{
    const struct plan *plan = fuse->plan;
    for (uint32_t i = 0; i < plan->step_count; i++)
        if (plan->steps[i].op == OP_NORM)
            fuse_norm(fuse, i);
    for (uint32_t i = 0; i < plan->step_count; i++)
        if (plan->steps[i].op == OP_GLU)
            fuse_finish_glu(fuse, i);
        else if (plan->steps[i].op == OP_KV_STORE)
            fuse_finish_store(fuse, i);
}
