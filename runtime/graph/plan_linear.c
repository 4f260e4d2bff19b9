/* plan_linear.c: see plan_linear.h. */
#include "plan_linear.h"

/* The last step before `step` that wrote its input[0]. */
static uint32_t source_of(const struct plan *plan, uint32_t step)
{
    uint32_t i = step;
    while (i > 0 && plan->steps[i - 1].output != plan->steps[step].input[0])
        i--;
    return i == 0 ? PLAN_NONE : i - 1;
}

static bool is_known(const struct plan_linear *linears, uint32_t count,
                     const struct plan_linear *linear)
{
    for (uint32_t i = 0; i < count; i++)
        if (linears[i].weight == linear->weight && linears[i].source == linear->source)
            return true;
    return false;
}

uint32_t plan_linears(const struct plan *plan, struct plan_linear *dst)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->step_count; i++) {
        const struct step *step = &plan->steps[i];
        if (step->op != OP_MATMUL || plan->buffers[step->output].rows != ROWS_TOKENS)
            continue;
        const struct plan_linear linear = {i, step->weight[0].weight, source_of(plan, i)};
        if (!is_known(dst, count, &linear))
            dst[count++] = linear;
    }
    return count;
}
