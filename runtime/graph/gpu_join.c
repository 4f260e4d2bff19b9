/* gpu_join.c: which weights lie one behind the other in a matrix: those of MATMUL steps of a layer
 * that read the same input, with the same type and width, each used once and whole. */
#include "gpu_weights.h"

struct join {
    const struct plan *plan;
    uint32_t interleave;
    struct gpu_place *places;
    struct gpu_matrix *matrices;
    uint32_t count;
};

static uint32_t use_count(const struct plan *plan, uint32_t weight)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->step_count; i++)
        for (uint32_t j = 0; j < PLAN_WEIGHT_MAX; j++)
            count += plan->steps[i].weight[j].weight == weight;
    return count;
}

/* A product whose weight may have neighbours. */
static bool is_joinable(const struct plan *plan, const struct step *step)
{
    const struct weight_ref *ref = &step->weight[0];
    return step->op == OP_MATMUL && step->layer != PLAN_NONE && step->input[1] == PLAN_NONE &&
           ref->row_first == 0 && ref->row_count == plan->weights[ref->weight].rows &&
           use_count(plan, ref->weight) == 1;
}

static bool same_input(const struct plan *plan, uint32_t a, uint32_t b)
{
    if (plan->steps[a].layer != plan->steps[b].layer ||
        plan->steps[a].input[0] != plan->steps[b].input[0])
        return false;
    for (uint32_t i = a; i < b; i++)
        if (plan->steps[i].output == plan->steps[b].input[0])
            return false;
    return true;
}

/* True when the weight of step b may follow what is in the matrix of step a so far. */
static bool may_follow(const struct join *join, uint32_t a, uint32_t b)
{
    const struct plan *plan = join->plan;
    const struct plan_weight *first = &plan->weights[plan->steps[a].weight[0].weight];
    const struct plan_weight *next = &plan->weights[plan->steps[b].weight[0].weight];
    const struct gpu_matrix *matrix =
        &join->matrices[join->places[plan->steps[a].weight[0].weight].matrix];
    return same_input(plan, a, b) && first->tensor->dtype == next->tensor->dtype &&
           first->cols == next->cols && matrix->rows < UINT32_MAX - next->rows &&
           planes_supported(matrix->dtype, NULL) &&
           matrix->rows % planes_row_group(matrix->dtype, join->interleave) == 0;
}

static void weight_append(struct join *join, uint32_t weight, uint32_t matrix)
{
    const struct plan_weight *added = &join->plan->weights[weight];
    struct gpu_matrix *target = &join->matrices[matrix];
    join->places[weight] = (struct gpu_place){matrix, target->rows};
    target->dtype = added->tensor->dtype;
    target->cols = added->cols;
    target->interleave = join->interleave;
    target->rows += added->rows;
}

static void step_place(struct join *join, uint32_t index)
{
    const struct step *step = &join->plan->steps[index];
    uint32_t matrix = join->count;
    for (uint32_t i = index; i-- > 0 && is_joinable(join->plan, step);)
        if (is_joinable(join->plan, &join->plan->steps[i]) && may_follow(join, i, index)) {
            matrix = join->places[join->plan->steps[i].weight[0].weight].matrix;
            break;
        }
    weight_append(join, step->weight[0].weight, matrix);
    join->count += matrix == join->count;
}

uint32_t gpu_join_weights(const struct plan *plan, uint32_t interleave, struct gpu_place *places,
                          struct gpu_matrix *matrices)
{
    struct join join = {plan, interleave, places, matrices, 0};
    for (uint32_t i = 0; i < plan->weight_count; i++)
        places[i].matrix = PLAN_NONE;
    for (uint32_t i = 0; i < plan->step_count; i++) {
        const struct step *step = &plan->steps[i];
        uint32_t first = step->weight[0].weight, second = step->weight[1].weight;
        bool product = step->op == OP_EMBED || step->op == OP_MATMUL;
        if (product && places[first].matrix == PLAN_NONE)
            step_place(&join, i);
        if (step->op == OP_EMBED && second != PLAN_NONE && places[second].matrix == PLAN_NONE)
            weight_append(&join, second, join.count++);
    }
    return join.count;
}
