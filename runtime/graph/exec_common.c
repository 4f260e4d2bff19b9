/* exec_common.c: what both executors do alike. */
#include "exec.h"
#include <math.h>

void exec_destroy(struct exec *exec)
{
    if (exec)
        exec->methods->destroy(exec);
}

static bool check_counts(const struct exec *exec, const struct batch *batch, struct fault *fault)
{
    if (batch->count == 0 || batch->count > exec->batch_max)
        return fault_set(fault, FAULT_ARGUMENT, "run of %u tokens, expected 1 to %u", batch->count,
                         exec->batch_max);
    if (batch->outputs > batch->count || batch->outputs > exec->outputs_max)
        return fault_set(fault, FAULT_ARGUMENT,
                         "logits of %u tokens wanted, the run has %u, at most %u are kept",
                         batch->outputs, batch->count, exec->outputs_max);
    return true;
}

/* Rows of a learned position table; UINT32_MAX when the model has none. */
static uint32_t positions_learned(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->step_count; i++) {
        const struct step *step = &plan->steps[i];
        if (step->op == OP_EMBED && step->weight[1].weight != PLAN_NONE)
            return plan->weights[step->weight[1].weight].rows;
    }
    return UINT32_MAX;
}

static bool check_positions(const struct exec *exec, const struct batch *batch, struct fault *fault)
{
    uint32_t learned = positions_learned(exec->plan);
    uint32_t limit = exec->context < learned ? exec->context : learned;
    uint64_t end = (uint64_t)batch->position + batch->count;
    if (end > limit)
        return fault_set(fault, FAULT_CONTEXT, "position %llu is needed, the context has %u",
                         (unsigned long long)end, limit);
    if (exec->plan->prefix_mask && batch->prefix > end)
        return fault_set(fault, FAULT_ARGUMENT, "prefix of %u, but only %llu positions are filled",
                         batch->prefix, (unsigned long long)end);
    if (exec->plan->prefix_mask && batch->position > 0 && batch->position < batch->prefix)
        return fault_set(fault, FAULT_ARGUMENT,
                         "a prefix of %u that sees itself in both directions is one run, this one "
                         "begins at %u",
                         batch->prefix, batch->position);
    return true;
}

bool exec_check(const struct exec *exec, const struct batch *batch, struct fault *fault)
{
    if (!check_counts(exec, batch, fault) || !check_positions(exec, batch, fault))
        return false;
    for (uint32_t i = 0; i < batch->count; i++)
        if (batch->tokens[i] < 0 || (uint32_t)batch->tokens[i] >= exec->plan->vocab)
            return fault_set(fault, FAULT_ARGUMENT, "token %d at %u, expected below %u",
                             batch->tokens[i], i, exec->plan->vocab);
    return true;
}

void rope_table_fill(const struct rope_table *table, uint32_t context, float *dst)
{
    uint32_t pairs = table->dims / 2;
    for (uint32_t position = 0; position < context; position++)
        for (uint32_t i = 0; i < pairs; i++) {
            double angle = (double)position * table->inv_freq[i];
            *dst++ = (float)(cos(angle) * table->magnitude);
            *dst++ = (float)(sin(angle) * table->magnitude);
        }
}
