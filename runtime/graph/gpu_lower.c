/* gpu_lower.c: walks the plan and appends calls to a program. */
#include "gpu_lower.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- kernel calls ---- */

void kernel_begin(struct kernel_call *kernel, enum shader_id shader, uint32_t group)
{
    memset(kernel, 0, sizeof *kernel);
    kernel->shader = shader;
    kernel->call.groups[0] = kernel->call.groups[1] = kernel->call.groups[2] = 1;
    kernel_spec(kernel, group);
}

void kernel_spec(struct kernel_call *kernel, uint32_t value)
{
    assert(kernel->spec_count < GPU_SPEC_MAX);
    kernel->spec[kernel->spec_count++] = value;
}

void kernel_push(struct kernel_call *kernel, uint32_t value)
{
    assert(kernel->push_count < GPU_PUSH_WORDS);
    kernel->push[kernel->push_count++] = value;
}

void kernel_push_float(struct kernel_call *kernel, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    kernel_push(kernel, bits);
}

void call_access(struct gpu_call *call, struct gpu_area area, bool write)
{
    if (area.id == AREA_CONSTANT || area.range.size == 0)
        return;
    for (uint32_t i = 0; i < call->access_count; i++)
        if (call->access[i].id == area.id && call->access[i].write == write)
            return;
    assert(call->access_count < GPU_CALL_ACCESS_MAX);
    call->access[call->access_count++] = (struct gpu_access){area.id, write};
}

void kernel_bind(struct kernel_call *kernel, uint32_t binding, struct gpu_area area,
                 enum access access)
{
    assert(binding < GPU_BINDING_MAX);
    kernel->areas[binding] = area;
    if (access == ACCESS_READ || access == ACCESS_BOTH)
        call_access(&kernel->call, area, false);
    if (access == ACCESS_WRITE || access == ACCESS_BOTH)
        call_access(&kernel->call, area, true);
}

bool call_append(struct lower *lower, const struct gpu_call *call)
{
    struct gpu_program *program = lower->program;
    if (program->call_count == program->call_capacity) {
        uint32_t capacity = program->call_capacity ? 2 * program->call_capacity : 256;
        struct gpu_call *calls = realloc(program->calls, capacity * sizeof *calls);
        if (!calls)
            return fault_set(lower->fault, FAULT_MEMORY, "no memory for %u calls", capacity);
        program->calls = calls;
        program->call_capacity = capacity;
    }
    program->calls[program->call_count++] = *call;
    return true;
}

bool kernel_emit(struct lower *lower, struct kernel_call *kernel)
{
    const struct shader *shader = shader_get(kernel->shader);
    struct gpu_device *device = exec_device(lower->gpu);
    struct gpu_range ranges[GPU_BINDING_MAX];
    struct gpu_kernel_request request = {
        .code = shader->code,
        .code_size = shader->size,
        .name = shader->name,
        .binding_count = shader->binding_count,
        .push_size = 4 * kernel->push_count,
        .spec_count = kernel->spec_count,
    };
    memcpy(request.spec, kernel->spec, sizeof request.spec);
    for (uint32_t i = 0; i < shader->binding_count; i++)
        ranges[i] = kernel->areas[i].range.size ? kernel->areas[i].range : lower->gpu->space.lent;
    memcpy(kernel->call.push, kernel->push, sizeof kernel->call.push);
    kernel->call.step = lower->step;
    if (!gpu_kernel_get(device, &request, &kernel->call.kernel, lower->fault) ||
        !gpu_bind(device, kernel->call.kernel, ranges, shader->binding_count, &kernel->call.binding,
                  lower->fault))
        return false;
    if (call_append(lower, &kernel->call))
        return true;
    gpu_unbind(device, kernel->call.binding);
    return false;
}

/* ---- buffers ---- */

/* The buffer whose memory holds it: a SELECT may be another name for its input. */
static uint32_t buffer_home(const struct lower *lower, uint32_t buffer)
{
    for (uint32_t i = 0; i < lower->plan->step_count; i++)
        if (lower->fusions[i].alias && lower->plan->steps[i].output == buffer)
            return lower->plan->steps[i].input[0];
    return buffer;
}

struct gpu_area lower_floats(const struct lower *lower, uint32_t buffer)
{
    if (buffer == PLAN_NONE)
        return (struct gpu_area){.id = AREA_CONSTANT};
    return lower->gpu->space.slots[lower->plan->buffers[buffer_home(lower, buffer)].slot];
}

struct gpu_source lower_source(const struct lower *lower, uint32_t consumer, uint32_t i,
                               uint32_t buffer)
{
    uint32_t first = lower->fusions[consumer].source[i];
    bool store = lower->plan->steps[consumer].op == OP_KV_STORE;
    if (first == PLAN_NONE)
        return (struct gpu_source){lower_floats(lower, buffer), 0};
    return (struct gpu_source){lower->gpu->space.joined[store ? JOINED_STORE : JOINED_GLU], first};
}

struct gpu_area lower_quants(const struct lower *lower, uint32_t buffer)
{
    return lower->gpu->space.quants[lower->plan->buffers[buffer].slot];
}

struct gpu_area lower_scales(const struct lower *lower, uint32_t buffer)
{
    return lower->gpu->space.scales[lower->plan->buffers[buffer].slot];
}

struct gpu_area lower_vector(const struct lower *lower, uint32_t weight)
{
    struct gpu_area area = {.id = AREA_CONSTANT};
    if (weight != PLAN_NONE)
        area.range = lower->gpu->options.weights->vectors[weight];
    return area;
}

bool lower_outputs(const struct lower *lower, uint32_t buffer)
{
    return lower->plan->buffers[buffer].rows == ROWS_OUTPUTS;
}

uint32_t lower_rows(const struct lower *lower, uint32_t buffer)
{
    return lower_outputs(lower, buffer) ? lower->program->outputs : lower->program->tokens;
}

uint32_t lower_quant_format(const struct lower *lower, uint32_t index)
{
    if (!lower->fusions[index].write_quants)
        return 0;
    return lower->gpu->shape.format == ACTIVATIONS_16 ? 1 : 2;
}

uint32_t lower_own_quants(const struct lower *lower, uint32_t index, uint32_t unit)
{
    bool own = unit % 32 == 0 && !lower->gpu->options.unfused;
    return own ? lower_quant_format(lower, index) : 0;
}

/* ---- the walk ---- */

static bool (*const lower_step[OP_COUNT])(struct lower *lower, uint32_t index) = {
    [OP_EMBED] = lower_embed,       [OP_NORM] = lower_norm,
    [OP_MATMUL] = lower_matmul,     [OP_ROPE] = lower_rope,
    [OP_KV_STORE] = lower_kv_store, [OP_ATTENTION] = lower_attention,
    [OP_GLU] = lower_glu,           [OP_ACTIVATION] = lower_activation,
    [OP_ADD] = lower_add,           [OP_SELECT] = lower_select,
    [OP_SOFTCAP] = lower_softcap,
};

/* The unit of 32-blocks in which the step's kernel can write quants itself; 1 = it cannot. */
static uint32_t quant_unit(const struct lower *lower, const struct step *step)
{
    switch (step->op) {
    case OP_NORM:
        return step->norm.group;
    case OP_ATTENTION:
        return lower_attention_unit(lower, &step->attention);
    case OP_GLU:
    case OP_ACTIVATION:
        return lower->plan->buffers[step->output].width;
    default:
        return 1;
    }
}

static bool lower_one(struct lower *lower, uint32_t index)
{
    const struct step *step = &lower->plan->steps[index];
    const struct gpu_step_fusion *fusion = &lower->fusions[index];
    if (fusion->absorbed_by != PLAN_NONE)
        return true;
    lower->step = index;
    if (!lower_step[step->op](lower, index))
        return fault_context(lower->fault, "step %u (%s)", index, op_name(step->op));
    bool own = lower_own_quants(lower, index, quant_unit(lower, step)) != 0;
    /* its slot is not written */
    bool hidden = fusion->alias || fusion->join_count || (own && !fusion->write_float);
    if (step->output != PLAN_NONE && !hidden)
        lower->program->step_calls[index] = lower->program->call_count;
    return own || !fusion->write_quants || lower_quantize(lower, step->output);
}

static bool lower_all(struct lower *lower)
{
    for (uint32_t i = 0; i < lower->plan->step_count; i++)
        if (!lower_one(lower, i))
            return false;
    lower->step = PLAN_NONE;
    lower->program->top = lower->program->outputs == 1;
    return !lower->program->top || lower_top(lower);
}

bool gpu_program_create(struct exec_gpu *gpu, uint32_t tokens, uint32_t outputs, bool split,
                        struct gpu_program **out, struct fault *fault)
{
    const struct plan *plan = gpu->exec.plan;
    struct gpu_program *program = *out = calloc(1, sizeof *program);
    struct lower lower = {.gpu = gpu, .plan = plan, .program = program, .fault = fault};
    lower.fusions = calloc(plan->step_count + 1, sizeof *lower.fusions);
    if (program)
        program->step_calls = calloc(plan->step_count + 1, sizeof *program->step_calls);
    bool created = program && program->step_calls && lower.fusions;
    if (!created)
        fault_set(fault, FAULT_MEMORY, "no memory for %u calls", plan->step_count);
    if (created) {
        program->tokens = tokens;
        program->outputs = outputs;
        program->split = split;
        gpu_fuse(gpu, tokens, outputs, lower.fusions);
        created = lower_all(&lower);
    }
    free(lower.fusions);
    if (!created) {
        gpu_program_destroy(gpu, program);
        *out = NULL;
    }
    return created;
}

void gpu_program_destroy(struct exec_gpu *gpu, struct gpu_program *program)
{
    if (!program)
        return;
    for (uint32_t i = 0; i < program->call_count; i++) {
        if (program->calls[i].matmul)
            gpu_matmul_release(exec_device(gpu), program->calls[i].matmul);
        gpu_unbind(exec_device(gpu), program->calls[i].binding);
    }
    free(program->calls);
    free(program->step_calls);
    free(program);
}
