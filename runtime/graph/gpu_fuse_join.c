/* gpu_fuse_join.c: products of one vector whose weights lie one behind the other (gpu_join.c) as
 * one kernel call: q, k and v in front of a KV_STORE, a and b in front of a GLU. The last of them,
 * the leader, computes all into a scratch area. */
#include "gpu_fuse_rules.h"

/* The products behind the sources of a consumer. */
struct group {
    uint32_t consumer;
    uint32_t steps[GPU_SOURCE_MAX]; /* MATMUL, or PLAN_NONE: not joined */
    uint32_t rows[GPU_SOURCE_MAX];  /* first row in the matrix */
};

static bool product_joins(const struct fuse *fuse, uint32_t step)
{
    const struct step *product = &fuse->plan->steps[step];
    return product->op == OP_MATMUL && fuse_is_free(fuse, step) && product->input[1] == PLAN_NONE &&
           fuse->fusions[step].join_count == 0 && fuse_reader_count(fuse->plan, step) == 1;
}

/* Source i of the group is `buffer`, last read before step `reader`. */
static void group_add(const struct fuse *fuse, struct group *group, uint32_t i, uint32_t buffer,
                      uint32_t reader)
{
    uint32_t step = fuse_last_writer(fuse->plan, buffer, reader);
    group->steps[i] = PLAN_NONE;
    if (step == PLAN_NONE || !product_joins(fuse, step))
        return;
    group->steps[i] = step;
    group->rows[i] = weights_row(fuse->gpu->options.weights, fuse->plan->steps[step].weight[0]);
}

static uint32_t product_matrix(const struct fuse *fuse, uint32_t step)
{
    return fuse->gpu->options.weights->places[fuse->plan->steps[step].weight[0].weight].matrix;
}

/* Source `to` begins where `from` ends, and both multiply the same. */
static bool group_touches(const struct fuse *fuse, const struct group *group, uint32_t from,
                          uint32_t to)
{
    uint32_t a = group->steps[from], b = group->steps[to];
    return a != PLAN_NONE && b != PLAN_NONE && a != b &&
           product_matrix(fuse, a) == product_matrix(fuse, b) &&
           fuse->plan->steps[a].input[0] == fuse->plan->steps[b].input[0] &&
           group->rows[from] + fuse->plan->steps[a].weight[0].row_count == group->rows[to];
}

/* Leaves the sources that follow one another from `first` on; returns how many. */
static uint32_t group_chain(const struct fuse *fuse, struct group *group, uint32_t first)
{
    bool in[GPU_SOURCE_MAX] = {false};
    uint32_t count = 1, last = first;
    in[first] = true;
    for (uint32_t i = 0; i < GPU_SOURCE_MAX; i++)
        if (!in[i] && group_touches(fuse, group, last, i)) {
            in[i] = true;
            last = i;
            count++;
            i = UINT32_MAX; /* from the beginning again */
        }
    for (uint32_t i = 0; i < GPU_SOURCE_MAX && count > 1; i++)
        if (!in[i])
            group->steps[i] = PLAN_NONE;
    return count;
}

static uint32_t group_leader(const struct group *group)
{
    uint32_t leader = 0;
    for (uint32_t i = 0; i < GPU_SOURCE_MAX; i++)
        if (group->steps[i] != PLAN_NONE && group->steps[i] > leader)
            leader = group->steps[i];
    return leader;
}

/* All may run at the leader's place; what the consumer absorbs runs later and does not count. */
static bool group_moves(const struct fuse *fuse, const struct group *group, uint32_t leader)
{
    for (uint32_t i = 0; i < GPU_SOURCE_MAX; i++) {
        if (group->steps[i] == PLAN_NONE)
            continue;
        for (uint32_t j = group->steps[i] + 1; j < leader; j++)
            if (fuse->fusions[j].absorbed_by != group->consumer &&
                fuse_steps_meet(fuse->plan, &fuse->plan->steps[group->steps[i]],
                                &fuse->plan->steps[j]))
                return false;
    }
    return true;
}

static void group_join(struct fuse *fuse, const struct group *group, uint32_t first,
                       enum gpu_joined area)
{
    uint32_t leader = group_leader(group);
    struct gpu_step_fusion *fusion = &fuse->fusions[leader];
    if (leader <= fuse->joined_until[area] || !group_moves(fuse, group, leader))
        return;
    fusion->join_first = group->rows[first];
    fusion->join_area = area;
    for (uint32_t i = 0; i < GPU_SOURCE_MAX; i++) {
        uint32_t step = group->steps[i];
        if (step == PLAN_NONE)
            continue;
        fusion->join_count += fuse->plan->steps[step].weight[0].row_count;
        fusion->join_bias |= fuse->plan->steps[step].weight[1].weight != PLAN_NONE;
        fuse->fusions[group->consumer].source[i] = group->rows[i] - group->rows[first];
        if (step != leader)
            fuse_absorb(fuse, step, leader);
    }
    fuse->fusions[group->consumer].product = leader;
    fuse->joined_until[area] = group->consumer;
}

static void group_fuse(struct fuse *fuse, struct group *group, enum gpu_joined area)
{
    for (uint32_t first = 0; first < GPU_SOURCE_MAX; first++)
        if (group->steps[first] != PLAN_NONE && group_chain(fuse, group, first) > 1) {
            group_join(fuse, group, first, area);
            return;
        }
}

/* The buffer before [norm] [rope], and the first step that reads it. */
static void chain_begin(const struct fuse *fuse, uint32_t norm, uint32_t rope, uint32_t *buffer,
                        uint32_t *reader)
{
    if (rope != PLAN_NONE)
        *reader = rope;
    if (norm == PLAN_NONE)
        return;
    *reader = norm;
    *buffer = fuse->plan->steps[norm].input[0];
}

void fuse_join_store(struct fuse *fuse, uint32_t index)
{
    const struct step *step = &fuse->plan->steps[index];
    const struct gpu_store *store = &fuse->fusions[index].store;
    struct group group = {.consumer = index, .steps = {PLAN_NONE, PLAN_NONE, PLAN_NONE}};
    uint32_t k = step->input[0], k_reader = index;
    if (store->q_rope != PLAN_NONE) {
        uint32_t q = fuse->plan->steps[store->q_rope].output, q_reader = index;
        chain_begin(fuse, store->q_norm, store->q_rope, &q, &q_reader);
        group_add(fuse, &group, 0, q, q_reader);
    }
    chain_begin(fuse, store->k_norm, store->k_rope, &k, &k_reader);
    group_add(fuse, &group, 1, k, k_reader);
    group_add(fuse, &group, 2, step->input[1], index);
    group_fuse(fuse, &group, JOINED_STORE);
}

void fuse_join_glu(struct fuse *fuse, uint32_t index)
{
    const struct step *step = &fuse->plan->steps[index];
    struct group group = {.consumer = index, .steps = {PLAN_NONE, PLAN_NONE, PLAN_NONE}};
    group_add(fuse, &group, 0, step->input[0], index);
    group_add(fuse, &group, 1, step->input[1], index);
    group_fuse(fuse, &group, JOINED_GLU);
}
