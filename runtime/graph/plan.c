/* plan.c: a plan grows by appending; plan_finish checks every step (plan_check.c) and places the
 * buffers: two buffers share a slot when the steps in which they live do not meet. */
#include "plan.h"
#include "plan_check.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CAPACITY_FIRST = 16 };

const char *op_name(enum op op)
{
    static const char *const names[OP_COUNT] = {
#define X(name, text) text,
#include "op.def"
#undef X
    };
    return (unsigned)op < OP_COUNT ? names[op] : "unknown operation";
}

void plan_init(struct plan *plan)
{
    memset(plan, 0, sizeof *plan);
    arena_init(&plan->arena, 0);
    plan->logits = PLAN_NONE;
}

void plan_free(struct plan *plan)
{
    arena_free(&plan->arena);
    memset(plan, 0, sizeof *plan);
}

/* items with room for one more. Capacities are 16, 32, 64 ..., so an array is full when its count
 * is zero or a power of two from 16 on. The outgrown copy stays in the arena. */
static void *plan_grow(struct plan *plan, void *items, uint32_t count, size_t size,
                       struct fault *fault)
{
    if (count != 0 && (count < CAPACITY_FIRST || (count & (count - 1)) != 0))
        return items;
    void *grown = arena_alloc(&plan->arena, count ? 2 * (size_t)count : CAPACITY_FIRST, size);
    if (!grown)
        fault_set(fault, FAULT_MEMORY, "plan: no memory for %u items", count + 1);
    else if (count)
        memcpy(grown, items, count * size);
    return grown;
}

static bool tensor_fits(const struct gguf_tensor *tensor, struct fault *fault)
{
    const struct dtype_info *info = dtype_find(tensor->dtype);
    if (!info || !info->decode)
        return fault_set(fault, FAULT_UNSUPPORTED, "tensor %s: type %s cannot be a weight",
                         tensor->name, info ? info->name : "unknown");
    if (tensor->dims[0] > INT32_MAX || tensor->rows > INT32_MAX || tensor->rows == 0 ||
        tensor->dims[0] == 0)
        return fault_set(
            fault, FAULT_FORMAT, "tensor %s: %llu rows of %llu, expected 1 to 2147483647 of each",
            tensor->name, (unsigned long long)tensor->rows, (unsigned long long)tensor->dims[0]);
    return true;
}

uint32_t plan_weight(struct plan *plan, const struct gguf_tensor *tensor, struct fault *fault)
{
    for (uint32_t i = 0; i < plan->weight_count; i++)
        if (plan->weights[i].tensor == tensor)
            return i;
    if (!tensor_fits(tensor, fault))
        return PLAN_NONE;
    struct plan_weight *weights =
        plan_grow(plan, plan->weights, plan->weight_count, sizeof *weights, fault);
    if (!weights)
        return PLAN_NONE;
    plan->weights = weights;
    weights[plan->weight_count] = (struct plan_weight){
        .tensor = tensor,
        .rows = (uint32_t)tensor->rows,
        .cols = (uint32_t)tensor->dims[0],
    };
    return plan->weight_count++;
}

uint32_t plan_buffer(struct plan *plan, const char *name, uint32_t width, enum plan_rows rows,
                     struct fault *fault)
{
    struct plan_buffer *buffers =
        plan_grow(plan, plan->buffers, plan->buffer_count, sizeof *buffers, fault);
    if (!buffers)
        return PLAN_NONE;
    plan->buffers = buffers;
    buffers[plan->buffer_count] = (struct plan_buffer){
        .name = name,
        .width = width,
        .rows = rows,
        .slot = PLAN_NONE,
        .first_step = PLAN_NONE,
        .last_step = PLAN_NONE,
    };
    return plan->buffer_count++;
}

void step_init(struct step *step, enum op op, uint32_t layer)
{
    memset(step, 0, sizeof *step);
    step->op = op;
    step->layer = layer;
    step->output = PLAN_NONE;
    for (uint32_t i = 0; i < PLAN_INPUT_MAX; i++)
        step->input[i] = PLAN_NONE;
    for (uint32_t i = 0; i < PLAN_WEIGHT_MAX; i++)
        step->weight[i].weight = PLAN_NONE;
}

bool plan_step(struct plan *plan, const struct step *step, struct fault *fault)
{
    struct step *steps = plan_grow(plan, plan->steps, plan->step_count, sizeof *steps, fault);
    if (!steps)
        return false;
    plan->steps = steps;
    steps[plan->step_count++] = *step;
    return true;
}

/* ---- liveness ---- */

static void buffer_touch(struct plan *plan, uint32_t buffer, uint32_t step)
{
    if (buffer == PLAN_NONE)
        return;
    if (plan->buffers[buffer].first_step == PLAN_NONE)
        plan->buffers[buffer].first_step = step;
    plan->buffers[buffer].last_step = step;
}

static bool steps_check(struct plan *plan, struct fault *fault)
{
    for (uint32_t i = 0; i < plan->step_count; i++) {
        if (!plan_check_step(plan, i, fault))
            return false;
        const struct step *step = &plan->steps[i];
        for (uint32_t j = 0; j < PLAN_INPUT_MAX; j++)
            buffer_touch(plan, step->input[j], i);
        buffer_touch(plan, step->output, i);
        if (step->op == OP_ATTENTION && step->attention.mask == MASK_PREFIX)
            plan->prefix_mask = true;
    }
    return plan_check_logits(plan, fault);
}

/* The free slot that wastes or grows least; PLAN_NONE when none is free at that step. busy[slot] is
 * the last step of the buffer that holds it. */
static uint32_t slot_choose(const struct plan *plan, const uint32_t *busy, uint32_t step,
                            const struct plan_buffer *buffer)
{
    uint32_t best = PLAN_NONE;
    uint64_t best_cost = UINT64_MAX;
    for (uint32_t i = 0; i < plan->slot_count; i++) {
        if (plan->slot_rows[i] != buffer->rows || busy[i] >= step)
            continue;
        uint64_t have = plan->slot_width[i], want = buffer->width;
        uint64_t cost = have >= want ? have - want : (1ULL << 32) + want - have;
        if (cost < best_cost) {
            best = i;
            best_cost = cost;
        }
    }
    return best;
}

static void slot_take(struct plan *plan, uint32_t *busy, uint32_t step, struct plan_buffer *buffer)
{
    uint32_t slot = slot_choose(plan, busy, step, buffer);
    if (slot == PLAN_NONE) {
        slot = plan->slot_count++;
        plan->slot_rows[slot] = buffer->rows;
    }
    if (plan->slot_width[slot] < buffer->width)
        plan->slot_width[slot] = buffer->width;
    busy[slot] = buffer->last_step;
    buffer->slot = slot;
}

static bool slots_place(struct plan *plan, struct fault *fault)
{
    uint32_t *busy = arena_alloc(&plan->arena, plan->buffer_count, sizeof *busy);
    plan->slot_width = arena_alloc(&plan->arena, plan->buffer_count, sizeof *plan->slot_width);
    plan->slot_rows = arena_alloc(&plan->arena, plan->buffer_count, sizeof *plan->slot_rows);
    if (!busy || !plan->slot_width || !plan->slot_rows)
        return fault_set(fault, FAULT_MEMORY, "plan: no memory for %u slots", plan->buffer_count);
    for (uint32_t i = 0; i < plan->step_count; i++) {
        uint32_t output = plan->steps[i].output;
        if (output != PLAN_NONE && plan->buffers[output].first_step == i)
            slot_take(plan, busy, i, &plan->buffers[output]);
    }
    return true;
}

bool plan_finish(struct plan *plan, struct fault *fault)
{
    return steps_check(plan, fault) && slots_place(plan, fault);
}

/* ---- description ---- */

struct line {
    char *dst;
    size_t size, used;
};

static void line_add(struct line *line, const char *format, ...) FAULT_PRINTF(2, 3);

static void line_add(struct line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(line->dst + line->used, line->size - line->used, format, arguments);
    va_end(arguments);
    if (count > 0)
        line->used += (size_t)count;
    if (line->used >= line->size)
        line->used = line->size - 1;
}

static void line_add_weight(struct line *line, const struct plan *plan, struct weight_ref ref)
{
    if (ref.weight >= plan->weight_count)
        return;
    const struct plan_weight *weight = &plan->weights[ref.weight];
    line_add(line, " %s", weight->tensor->name);
    if (weight->rows == 1)
        line_add(line, " [%u]", weight->cols);
    else if (ref.row_count == weight->rows)
        line_add(line, " [%ux%u]", weight->rows, weight->cols);
    else
        line_add(line, " [%u+%ux%u]", ref.row_first, ref.row_count, weight->cols);
}

void plan_describe(const struct plan *plan, uint32_t index, char *dst, size_t size)
{
    if (size == 0)
        return;
    struct line line = {dst, size, 0};
    dst[0] = 0;
    if (index >= plan->step_count)
        return;
    const struct step *step = &plan->steps[index];
    line_add(&line, "%u %s", index, op_name(step->op));
    if (step->op == OP_KV_STORE || step->op == OP_ATTENTION)
        line_add(&line, " layer %u", step->layer);
    for (uint32_t i = 0; i < PLAN_WEIGHT_MAX; i++)
        line_add_weight(&line, plan, step->weight[i]);
    for (uint32_t i = 0; i < PLAN_INPUT_MAX; i++)
        if (step->input[i] < plan->buffer_count)
            line_add(&line, " %s", plan->buffers[step->input[i]].name);
    if (step->output < plan->buffer_count)
        line_add(&line, " -> %s", plan->buffers[step->output].name);
}
