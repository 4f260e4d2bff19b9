/* gpu_lower_ops.c: the operations that are not attention, as calls. Bindings, constants and push
 * words are in the order that the .comp of the same name states. */
#include "gpu_lower.h"

static uint32_t round_up(uint32_t value, uint32_t unit)
{
    return value / unit + (value % unit != 0);
}

/* Grid of a kernel with one invocation an item along a row. */
static void grid_elements(const struct lower *lower, struct kernel_call *kernel, uint32_t items,
                          uint32_t rows)
{
    const struct gpu_shape *shape = &lower->gpu->shape;
    uint32_t groups = round_up(items, shape->element_group);
    kernel->call.groups[0] = groups < shape->groups_max ? groups : shape->groups_max;
    kernel->call.groups[1] = rows;
    kernel->call.cost = (uint64_t)items * rows;
}

/* ---- embed ---- */

static bool embed_shader(enum dtype dtype, enum shader_id *shader)
{
    switch (dtype) {
#define X(TYPE)                                                                                    \
    case DTYPE_##TYPE:                                                                             \
        *shader = SHADER_EMBED_##TYPE;                                                             \
        return true;
        X(F32)
        X(F16)
        X(BF16)
        X(Q4_0)
        X(Q4_1)
        X(Q5_0)
        X(Q5_1)
        X(Q8_0)
        X(Q4_K)
        X(Q5_K)
        X(Q6_K)
        X(IQ4_NL)
        X(IQ4_XS)
#undef X
    default:
        return false;
    }
}

/* Rows of one shard. Shards write different rows, so that only the first waits for others. */
static bool embed_shard(struct lower *lower, const struct step *step, uint32_t source,
                        const struct gpu_matrix *matrix, uint32_t shard)
{
    const struct gpu_space *space = &lower->gpu->space;
    enum shader_id shader;
    struct kernel_call kernel;
    if (!embed_shader(matrix->dtype, &shader))
        return fault_set(lower->fault, FAULT_UNSUPPORTED, "embedding of type %d", matrix->dtype);
    kernel_begin(&kernel, shader, lower->gpu->shape.element_group);
    kernel_spec(&kernel, matrix->interleave);
    for (uint32_t p = 0; p < planes_count(matrix->dtype); p++)
        kernel_bind(&kernel, p, (struct gpu_area){matrix->shards[shard].plane[p], AREA_CONSTANT},
                    ACCESS_READ);
    kernel_bind(&kernel, 3, space->tokens, ACCESS_READ);
    kernel_bind(&kernel, 4, lower_floats(lower, step->output),
                shard > 0     ? ACCESS_SILENT
                : source == 1 ? ACCESS_BOTH
                              : ACCESS_WRITE);
    kernel_bind(&kernel, 5, space->run, ACCESS_READ);
    kernel_push(&kernel, matrix->cols);
    kernel_push(&kernel, matrix->shards[shard].row_first);
    kernel_push(&kernel, matrix->shards[shard].row_count);
    kernel_push(&kernel, source);
    kernel_push_float(&kernel, step->embed.scale);
    grid_elements(lower, &kernel, round_up(matrix->cols, 32), lower->program->tokens);
    kernel.call.weight_bytes = 0;
    return kernel_emit(lower, &kernel);
}

bool lower_embed(struct lower *lower, uint32_t index)
{
    const struct step *step = &lower->plan->steps[index];
    for (uint32_t source = 0; source < 2; source++) {
        if (step->weight[source].weight == PLAN_NONE)
            continue;
        const struct gpu_matrix *matrix =
            weights_matrix(lower->gpu->options.weights, step->weight[source].weight);
        for (uint32_t i = 0; i < matrix->shard_count; i++)
            if (!embed_shard(lower, step, source, matrix, i))
                return false;
    }
    return true;
}

/* ---- norm ---- */

bool lower_norm(struct lower *lower, uint32_t index)
{
    const struct step *step = &lower->plan->steps[index];
    const struct gpu_step_fusion *fusion = &lower->fusions[index];
    uint32_t width = lower->plan->buffers[step->output].width;
    uint32_t quant = lower_own_quants(lower, index, step->norm.group);
    struct kernel_call kernel;
    kernel_begin(&kernel, SHADER_NORM, lower->gpu->shape.row_group);
    kernel_spec(&kernel, step->norm.kind == NORM_LAYER);
    kernel_spec(&kernel, step->weight[1].weight != PLAN_NONE);
    kernel_spec(&kernel, fusion->write_float || !quant);
    kernel_spec(&kernel, quant);
    kernel_spec(&kernel, step->weight[0].weight != PLAN_NONE);
    kernel_bind(&kernel, 0, lower->gpu->space.run, ACCESS_READ);
    kernel_bind(&kernel, 1, lower_floats(lower, step->input[0]), ACCESS_READ);
    kernel_bind(&kernel, 2, lower_vector(lower, step->weight[0].weight), ACCESS_READ);
    kernel_bind(&kernel, 3, lower_vector(lower, step->weight[1].weight), ACCESS_READ);
    if (fusion->write_float || !quant)
        kernel_bind(&kernel, 4, lower_floats(lower, step->output), ACCESS_WRITE);
    if (quant) {
        kernel_bind(&kernel, 6, lower_quants(lower, step->output), ACCESS_WRITE);
        kernel_bind(&kernel, 7, lower_scales(lower, step->output), ACCESS_WRITE);
    }
    kernel_push(&kernel, width);
    kernel_push(&kernel, step->norm.group);
    kernel_push(&kernel, lower_outputs(lower, step->output));
    kernel_push_float(&kernel, step->norm.eps);
    kernel.call.groups[0] = width / step->norm.group;
    kernel.call.groups[1] = lower_rows(lower, step->output);
    kernel.call.cost = (uint64_t)width * kernel.call.groups[1];
    kernel.call.outputs = lower_outputs(lower, step->output);
    return kernel_emit(lower, &kernel);
}

/* ---- elementwise ---- */

/* Quants or floats of a GLU or ACTIVATION, in bindings first .. first + 2. */
static void bind_forms(struct lower *lower, struct kernel_call *kernel, uint32_t index,
                       uint32_t first, uint32_t quant)
{
    const struct step *step = &lower->plan->steps[index];
    bool floats = lower->fusions[index].write_float || !quant;
    kernel_spec(kernel, floats);
    kernel_spec(kernel, quant);
    if (floats)
        kernel_bind(kernel, first, lower_floats(lower, step->output), ACCESS_WRITE);
    if (!quant)
        return;
    kernel_bind(kernel, first + 1, lower_quants(lower, step->output), ACCESS_WRITE);
    kernel_bind(kernel, first + 2, lower_scales(lower, step->output), ACCESS_WRITE);
}

static bool elements_emit(struct lower *lower, struct kernel_call *kernel, uint32_t output,
                          uint32_t items)
{
    grid_elements(lower, kernel, items, lower_rows(lower, output));
    kernel->call.cost = (uint64_t)lower->plan->buffers[output].width * lower_rows(lower, output);
    kernel->call.outputs = lower_outputs(lower, output);
    return kernel_emit(lower, kernel);
}

bool lower_glu(struct lower *lower, uint32_t index)
{
    if (lower->fusions[index].finish)
        return lower_finish_glu(lower, index);
    const struct step *step = &lower->plan->steps[index];
    uint32_t width = lower->plan->buffers[step->output].width;
    uint32_t quant = lower_own_quants(lower, index, width);
    struct gpu_source a = lower_source(lower, index, 0, step->input[0]);
    struct gpu_source b = lower_source(lower, index, 1, step->input[1]);
    struct kernel_call kernel;
    kernel_begin(&kernel, SHADER_GLU, lower->gpu->shape.element_group);
    kernel_spec(&kernel, step->glu.activation);
    kernel_bind(&kernel, 0, lower->gpu->space.run, ACCESS_READ);
    kernel_bind(&kernel, 1, a.area, ACCESS_READ);
    kernel_bind(&kernel, 2, b.area, ACCESS_READ);
    bind_forms(lower, &kernel, index, 3, quant);
    kernel_push(&kernel, width);
    kernel_push(&kernel, lower_outputs(lower, step->output));
    kernel_push(&kernel, a.first);
    kernel_push(&kernel, b.first);
    return elements_emit(lower, &kernel, step->output, quant ? width / 32 : width);
}

bool lower_activation(struct lower *lower, uint32_t index)
{
    const struct step *step = &lower->plan->steps[index];
    uint32_t width = lower->plan->buffers[step->output].width;
    uint32_t quant = lower_own_quants(lower, index, width);
    struct kernel_call kernel;
    kernel_begin(&kernel, SHADER_ACTIVATION, lower->gpu->shape.element_group);
    kernel_spec(&kernel, step->activation.activation);
    kernel_bind(&kernel, 0, lower->gpu->space.run, ACCESS_READ);
    kernel_bind(&kernel, 1, lower_floats(lower, step->input[0]), ACCESS_READ);
    bind_forms(lower, &kernel, index, 2, quant);
    kernel_push(&kernel, width);
    kernel_push(&kernel, lower_outputs(lower, step->output));
    return elements_emit(lower, &kernel, step->output, quant ? width / 32 : width);
}

static bool add_emit(struct lower *lower, const struct step *step)
{
    uint32_t width = lower->plan->buffers[step->output].width;
    struct kernel_call kernel;
    kernel_begin(&kernel, SHADER_ADD, lower->gpu->shape.element_group);
    kernel_bind(&kernel, 0, lower->gpu->space.run, ACCESS_READ);
    kernel_bind(&kernel, 1, lower_floats(lower, step->input[0]), ACCESS_READ);
    kernel_bind(&kernel, 2, lower_floats(lower, step->input[1]), ACCESS_READ);
    kernel_bind(&kernel, 3, lower_floats(lower, step->output), ACCESS_WRITE);
    kernel_push(&kernel, width);
    kernel_push(&kernel, lower_outputs(lower, step->output));
    kernel_push_float(&kernel, step->add.scale_a);
    kernel_push_float(&kernel, step->add.scale_b);
    return elements_emit(lower, &kernel, step->output, width);
}

bool lower_add(struct lower *lower, uint32_t index)
{
    const struct step *step = &lower->plan->steps[index];
    uint32_t matmul = lower->fusions[index].matmul;
    if (matmul == PLAN_NONE)
        return add_emit(lower, step);
    const struct step *product = &lower->plan->steps[matmul];
    uint32_t residual = step->input[0] == product->output ? step->input[1] : step->input[0];
    return lower_matmul_into(lower, matmul, step->output, residual, lower->fusions[index].norm);
}

bool lower_softcap(struct lower *lower, uint32_t index)
{
    const struct step *step = &lower->plan->steps[index];
    uint32_t width = lower->plan->buffers[step->output].width;
    struct kernel_call kernel;
    kernel_begin(&kernel, SHADER_SOFTCAP, lower->gpu->shape.element_group);
    kernel_bind(&kernel, 0, lower->gpu->space.run, ACCESS_READ);
    kernel_bind(&kernel, 1, lower_floats(lower, step->input[0]), ACCESS_READ);
    kernel_bind(&kernel, 2, lower_floats(lower, step->output), ACCESS_WRITE);
    kernel_push(&kernel, width);
    kernel_push(&kernel, lower_outputs(lower, step->output));
    kernel_push_float(&kernel, step->softcap.scale);
    kernel_push_float(&kernel, step->softcap.cap);
    return elements_emit(lower, &kernel, step->output, width);
}

bool lower_select(struct lower *lower, uint32_t index)
{
    const struct step *step = &lower->plan->steps[index];
    uint32_t width = lower->plan->buffers[step->output].width;
    struct kernel_call kernel;
    if (lower->fusions[index].alias)
        return true;
    kernel_begin(&kernel, SHADER_SELECT, lower->gpu->shape.element_group);
    kernel_bind(&kernel, 0, lower->gpu->space.run, ACCESS_READ);
    kernel_bind(&kernel, 1, lower_floats(lower, step->input[0]), ACCESS_READ);
    kernel_bind(&kernel, 2, lower_floats(lower, step->output), ACCESS_WRITE);
    kernel_push(&kernel, width);
    return elements_emit(lower, &kernel, step->output, width);
}

bool lower_quantize(struct lower *lower, uint32_t buffer)
{
    uint32_t width = lower->plan->buffers[buffer].width;
    struct kernel_call kernel;
    kernel_begin(&kernel, SHADER_QUANTIZE, lower->gpu->shape.element_group);
    kernel_spec(&kernel, lower->gpu->shape.format == ACTIVATIONS_16 ? 1 : 2);
    kernel_bind(&kernel, 0, lower->gpu->space.run, ACCESS_READ);
    kernel_bind(&kernel, 1, lower_floats(lower, buffer), ACCESS_READ);
    kernel_bind(&kernel, 2, lower_quants(lower, buffer), ACCESS_WRITE);
    kernel_bind(&kernel, 3, lower_scales(lower, buffer), ACCESS_WRITE);
    kernel_push(&kernel, width);
    kernel_push(&kernel, lower_outputs(lower, buffer));
    return elements_emit(lower, &kernel, buffer, width / 32);
}

/* ---- top-k ---- */

bool lower_top(struct lower *lower)
{
    const struct gpu_space *space = &lower->gpu->space;
    const struct gpu_shape *shape = &lower->gpu->shape;
    struct gpu_area logits = lower_floats(lower, lower->plan->logits);
    uint32_t parts = shape->software ? 1 : shape->pick_group / 32; /* lines of 32 segments */
    struct kernel_call scan, pick;
    kernel_begin(&scan, SHADER_TOPK_SCAN, shape->pick_group);
    kernel_spec(&scan, GPU_TOP_SEGMENTS);
    kernel_spec(&scan, parts);
    kernel_bind(&scan, 0, space->run, ACCESS_READ);
    kernel_bind(&scan, 1, logits, ACCESS_READ);
    kernel_bind(&scan, 2, space->maxima, ACCESS_WRITE);
    kernel_push(&scan, lower->plan->vocab);
    scan.call.groups[0] = round_up(GPU_TOP_SEGMENTS, shape->pick_group / parts);
    kernel_begin(&pick, SHADER_TOPK_PICK, shape->pick_group);
    kernel_spec(&pick, GPU_TOP_SEGMENTS);
    kernel_spec(&pick, GPU_TOP_MAX);
    kernel_bind(&pick, 0, space->run, ACCESS_READ);
    kernel_bind(&pick, 1, logits, ACCESS_READ);
    kernel_bind(&pick, 2, space->maxima, ACCESS_READ);
    kernel_bind(&pick, 3, space->found, ACCESS_WRITE);
    kernel_push(&pick, lower->plan->vocab);
    scan.call.outputs = pick.call.outputs = true;
    scan.call.cost = pick.call.cost = lower->plan->vocab;
    return kernel_emit(lower, &scan) && kernel_emit(lower, &pick);
}
