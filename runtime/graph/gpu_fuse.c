/* gpu_fuse.c: the fusion rules of gpu_fuse.h. */
#include "gpu_fuse_rules.h"

/* ---- who touches what ---- */

uint32_t fuse_slot(const struct plan *plan, uint32_t buffer)
{
    return buffer == PLAN_NONE ? PLAN_NONE : plan->buffers[buffer].slot;
}

static bool step_reads(const struct step *step, uint32_t buffer)
{
    for (uint32_t i = 0; i < PLAN_INPUT_MAX; i++)
        if (step->input[i] == buffer)
            return true;
    return false;
}

static bool step_reads_slot(const struct plan *plan, const struct step *step, uint32_t slot)
{
    for (uint32_t i = 0; i < PLAN_INPUT_MAX; i++)
        if (slot != PLAN_NONE && fuse_slot(plan, step->input[i]) == slot)
            return true;
    return false;
}

bool fuse_steps_meet(const struct plan *plan, const struct step *a, const struct step *b)
{
    uint32_t a_out = fuse_slot(plan, a->output), b_out = fuse_slot(plan, b->output);
    return (a_out != PLAN_NONE && a_out == b_out) || step_reads_slot(plan, a, b_out) ||
           step_reads_slot(plan, b, a_out);
}

/* True when `step` may run at the place of `target`; the steps in `with` go there too, in order. */
static bool can_move(const struct fuse *fuse, uint32_t step, uint32_t target,
                     const struct gpu_store *with)
{
    const struct plan *plan = fuse->plan;
    uint32_t low = step < target ? step : target, high = step < target ? target : step;
    for (uint32_t i = low + 1; i < high; i++) {
        bool along = with && (i == with->q_norm || i == with->q_rope || i == with->k_norm ||
                              i == with->k_rope);
        if (!along && fuse_steps_meet(plan, &plan->steps[step], &plan->steps[i]))
            return false;
    }
    return true;
}

uint32_t fuse_last_writer(const struct plan *plan, uint32_t buffer, uint32_t before)
{
    for (uint32_t i = before; i-- > 0;)
        if (plan->steps[i].output == buffer)
            return i;
    return PLAN_NONE;
}

uint32_t fuse_reader_count(const struct plan *plan, uint32_t writer)
{
    uint32_t buffer = plan->steps[writer].output, count = 0;
    for (uint32_t i = writer + 1; i < plan->step_count; i++) {
        count += step_reads(&plan->steps[i], buffer);
        if (plan->steps[i].output == buffer)
            break;
    }
    return count;
}

/* ---- store ---- */

/* The rope that ends at `before` on the buffer, over heads of head_dim; else PLAN_NONE. */
static uint32_t find_rope(const struct fuse *fuse, uint32_t buffer, uint32_t before,
                          uint32_t head_dim)
{
    uint32_t i = fuse_last_writer(fuse->plan, buffer, before);
    if (i == PLAN_NONE || !fuse_is_free(fuse, i))
        return PLAN_NONE;
    const struct step *step = &fuse->plan->steps[i];
    bool fits = step->op == OP_ROPE && step->rope.head_dim == head_dim &&
                step->input[0] == step->output && fuse_reader_count(fuse->plan, i) == 1;
    return fits ? i : PLAN_NONE;
}

/* The norm of each head whose only reader is `reader`; else PLAN_NONE. */
static uint32_t find_norm(const struct fuse *fuse, uint32_t buffer, uint32_t reader,
                          uint32_t head_dim)
{
    uint32_t i = fuse_last_writer(fuse->plan, buffer, reader);
    if (i == PLAN_NONE || !fuse_is_free(fuse, i))
        return PLAN_NONE;
    const struct step *step = &fuse->plan->steps[i];
    bool fits = step->op == OP_NORM && step->norm.kind == NORM_RMS &&
                step->norm.group == head_dim && step->weight[0].weight != PLAN_NONE &&
                step->weight[1].weight == PLAN_NONE && fuse_reader_count(fuse->plan, i) == 1;
    return fits ? i : PLAN_NONE;
}

/* The attention of the same layer behind a store. */
static uint32_t find_attention(const struct plan *plan, uint32_t store)
{
    for (uint32_t i = store + 1; i < plan->step_count; i++)
        if (plan->steps[i].op == OP_ATTENTION &&
            plan->steps[i].attention.layer == plan->steps[store].kv_store.layer)
            return i;
    return PLAN_NONE;
}

static bool same_turn(const struct rope_params *a, const struct rope_params *b)
{
    return a->dims == b->dims && a->style == b->style && a->table == b->table &&
           a->two_streams == b->two_streams;
}

static void find_key(const struct fuse *fuse, uint32_t store, struct gpu_store *found)
{
    const struct step *step = &fuse->plan->steps[store];
    uint32_t k = step->input[0], head_dim = step->kv_store.head_dim;
    uint32_t reader = store;
    found->k_rope = find_rope(fuse, k, store, head_dim);
    if (found->k_rope != PLAN_NONE)
        reader = found->k_rope;
    found->k_norm = find_norm(fuse, k, reader, head_dim);
}

static void find_query(const struct fuse *fuse, uint32_t store, struct gpu_store *found)
{
    const struct plan *plan = fuse->plan;
    uint32_t attention = find_attention(plan, store);
    if (attention == PLAN_NONE || found->k_rope == PLAN_NONE)
        return;
    uint32_t q = plan->steps[attention].input[0];
    found->q_rope = find_rope(fuse, q, attention, plan->steps[store].kv_store.head_dim);
    if (found->q_rope == PLAN_NONE)
        return;
    if (!same_turn(&plan->steps[found->q_rope].rope, &plan->steps[found->k_rope].rope)) {
        found->q_rope = PLAN_NONE;
        return;
    }
    found->q_norm = find_norm(fuse, q, found->q_rope, plan->steps[store].kv_store.head_dim);
}

/* True when the kernel would write q over what it reads as k or v. */
static bool query_meets_key(const struct plan *plan, uint32_t store, const struct gpu_store *found)
{
    const struct step *step = &plan->steps[store];
    uint32_t q = fuse_slot(plan, plan->steps[found->q_rope].output);
    uint32_t k = found->k_norm != PLAN_NONE ? plan->steps[found->k_norm].input[0] : step->input[0];
    return q == fuse_slot(plan, k) || q == fuse_slot(plan, step->input[1]);
}

static void drop_unmovable(const struct fuse *fuse, uint32_t store, struct gpu_store *found)
{
    if (found->q_norm != PLAN_NONE && !can_move(fuse, found->q_norm, store, found))
        found->q_norm = PLAN_NONE;
    if (found->q_rope != PLAN_NONE && !can_move(fuse, found->q_rope, store, found))
        found->q_norm = found->q_rope = PLAN_NONE;
    if (found->k_norm != PLAN_NONE && !can_move(fuse, found->k_norm, store, found))
        found->k_norm = PLAN_NONE;
    if (found->k_rope != PLAN_NONE && !can_move(fuse, found->k_rope, store, found))
        *found = (struct gpu_store){PLAN_NONE, PLAN_NONE, PLAN_NONE, PLAN_NONE};
    if (found->q_rope != PLAN_NONE && query_meets_key(fuse->plan, store, found))
        found->q_norm = found->q_rope = PLAN_NONE;
}

void fuse_absorb(const struct fuse *fuse, uint32_t step, uint32_t target)
{
    if (step != PLAN_NONE)
        fuse->fusions[step].absorbed_by = target;
}

static void fuse_store(const struct fuse *fuse, uint32_t store)
{
    struct gpu_store found = {PLAN_NONE, PLAN_NONE, PLAN_NONE, PLAN_NONE};
    find_key(fuse, store, &found);
    find_query(fuse, store, &found);
    drop_unmovable(fuse, store, &found);
    fuse_absorb(fuse, found.q_norm, store);
    fuse_absorb(fuse, found.q_rope, store);
    fuse_absorb(fuse, found.k_norm, store);
    fuse_absorb(fuse, found.k_rope, store);
    fuse->fusions[store].store = found;
}

/* ---- residual ---- */

static bool matmul_joins(const struct fuse *fuse, uint32_t matmul, uint32_t add)
{
    const struct plan *plan = fuse->plan;
    const struct step *product = &plan->steps[matmul], *sum = &plan->steps[add];
    return product->op == OP_MATMUL && fuse_is_free(fuse, matmul) &&
           product->input[1] == PLAN_NONE && fuse_reader_count(plan, matmul) == 1 &&
           sum->input[0] != sum->input[1] &&
           fuse_slot(plan, sum->output) != fuse_slot(plan, product->input[0]) &&
           plan->buffers[product->output].rows == plan->buffers[sum->output].rows &&
           can_move(fuse, matmul, add, NULL);
}

static void fuse_residual(const struct fuse *fuse, uint32_t add)
{
    const struct step *sum = &fuse->plan->steps[add];
    if (sum->add.scale_a != 1 || sum->add.scale_b != 1)
        return;
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t matmul = fuse_last_writer(fuse->plan, sum->input[i], add);
        if (matmul == PLAN_NONE || !matmul_joins(fuse, matmul, add))
            continue;
        fuse->fusions[add].matmul = matmul;
        fuse_absorb(fuse, matmul, add);
        return;
    }
}

/* ---- select ---- */

/* One token and one output: the row is the same, unless a later step overwrites the input. */
static void fuse_select(const struct fuse *fuse, uint32_t select)
{
    const struct plan *plan = fuse->plan;
    const struct step *step = &plan->steps[select];
    uint32_t slot = fuse_slot(plan, step->input[0]);
    if (fuse->tokens != 1 || fuse->outputs != 1 || step->output == plan->logits)
        return;
    for (uint32_t i = select + 1; i <= plan->buffers[step->output].last_step; i++)
        if (fuse_slot(plan, plan->steps[i].output) == slot || plan->steps[i].output == step->output)
            return;
    fuse->fusions[select].alias = true;
}

/* ---- quants ---- */

static bool wants_quants(const struct fuse *fuse, const struct step *matmul)
{
    const struct plan_weight *weight = &fuse->plan->weights[matmul->weight[0].weight];
    bool outputs = fuse->plan->buffers[matmul->output].rows == ROWS_OUTPUTS;
    return weight->cols % 32 == 0 &&
           gpu_matmul_wants_quants(exec_device(fuse->gpu), weight->tensor->dtype,
                                   outputs ? fuse->outputs : fuse->tokens, fuse->gpu->shape.format);
}

static void find_forms(const struct fuse *fuse, uint32_t writer)
{
    const struct plan *plan = fuse->plan;
    uint32_t buffer = plan->steps[writer].output;
    struct gpu_step_fusion *fusion = &fuse->fusions[writer];
    for (uint32_t i = writer + 1; i < plan->step_count; i++) {
        const struct step *step = &plan->steps[i];
        for (uint32_t j = 0; j < PLAN_INPUT_MAX; j++) {
            if (step->input[j] != buffer)
                continue;
            if (j == 0 && step->op == OP_MATMUL && wants_quants(fuse, step))
                fusion->write_quants = true;
            else
                fusion->write_float = true;
        }
        if (step->output == buffer)
            return;
    }
    if (buffer == plan->logits)
        fusion->write_float = true;
}

static void fuse_steps(struct fuse *fuse)
{
    const struct plan *plan = fuse->plan;
    for (uint32_t i = 0; i < plan->step_count; i++)
        if (plan->steps[i].op == OP_KV_STORE)
            fuse_store(fuse, i);
        else if (plan->steps[i].op == OP_ADD)
            fuse_residual(fuse, i);
        else if (plan->steps[i].op == OP_SELECT)
            fuse_select(fuse, i);
    for (uint32_t i = 0; i < plan->step_count && fuse->tokens == 1; i++)
        if (plan->steps[i].op == OP_KV_STORE)
            fuse_join_store(fuse, i);
        else if (plan->steps[i].op == OP_GLU)
            fuse_join_glu(fuse, i);
    if (fuse->tokens == 1)
        fuse_finish(fuse);
}

void gpu_fuse(const struct exec_gpu *gpu, uint32_t tokens, uint32_t outputs,
              struct gpu_step_fusion *fusions)
{
    const struct plan *plan = gpu->exec.plan;
    struct fuse fuse = {gpu, plan, tokens, outputs, fusions, {0}, 0};
    for (uint32_t i = 0; i < plan->step_count; i++)
        fusions[i] = (struct gpu_step_fusion){
            .absorbed_by = PLAN_NONE,
            .matmul = PLAN_NONE,
            .store = {PLAN_NONE, PLAN_NONE, PLAN_NONE, PLAN_NONE},
            .source = {PLAN_NONE, PLAN_NONE, PLAN_NONE},
            .product = PLAN_NONE,
            .norm = PLAN_NONE,
            .normed = PLAN_NONE,
        };
    if (!gpu->options.unfused)
        fuse_steps(&fuse);
    for (uint32_t i = 0; i < plan->step_count; i++)
        if (plan->steps[i].output != PLAN_NONE)
            find_forms(&fuse, i);
}
