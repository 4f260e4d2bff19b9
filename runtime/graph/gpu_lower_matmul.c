/* gpu_lower_matmul.c: products as calls: one step's, with a residual and the norm behind it, or
 * joined with its neighbours' and with what reads them. */
#include "gpu_lower.h"

struct product {
    const struct step *step;
    uint32_t row_first, row_count; /* of the matrix */
    struct gpu_area y, residual;
    uint32_t y_stride;
    bool bias;
    uint32_t normed; /* the fused NORM that x comes from, or PLAN_NONE */
    struct gpu_matmul_finish finish;
    struct gpu_area writes[3]; /* what the finish writes beside y */
};

/* x of a product in its forms. */
struct source {
    struct gpu_area floats, quants, scales;
};

static uint64_t rows_bytes(const struct gpu_matrix *matrix, uint32_t rows)
{
    uint64_t bytes = 0;
    for (uint32_t p = 0; p < planes_count(matrix->dtype); p++)
        bytes += planes_size(matrix->dtype, matrix->interleave, matrix->cols, rows, p);
    return bytes;
}

static struct source product_source(const struct lower *lower, const struct product *product)
{
    const struct gpu_space *space = &lower->gpu->space;
    uint32_t x = product->step->input[0];
    if (product->normed != PLAN_NONE)
        return (struct source){space->normed, space->normed_quants, space->normed_scales};
    return (struct source){lower_floats(lower, x), lower_quants(lower, x), lower_scales(lower, x)};
}

static struct gpu_matmul_call product_call(const struct lower *lower, const struct product *product)
{
    const struct gpu_weights *weights = lower->gpu->options.weights;
    const struct step *step = product->step;
    uint32_t weight = step->weight[0].weight;
    struct gpu_matmul_call call = {
        .matrix = weights_matrix(weights, weight),
        .row_first = product->row_first,
        .row_count = product->row_count,
        .tokens_max = lower_rows(lower, step->output),
        .x = product_source(lower, product).floats.range,
        .y = product->y.range,
        .y_stride = product->y_stride,
        .residual = product->residual.range,
        .run = lower->gpu->space.run.range,
        .outputs = lower_outputs(lower, step->output),
        .finish = product->finish,
    };
    if (product->bias)
        call.bias = weights->biases[weights->places[weight].matrix];
    if (product->normed != PLAN_NONE) {
        call.squares = lower->gpu->space.squares.range;
        call.square_count = lower->square_count;
        call.eps = lower->plan->steps[product->normed].norm.eps;
    }
    return call;
}

static void product_access(const struct lower *lower, const struct product *product,
                           struct gpu_area x, struct gpu_call *call)
{
    call_access(call, x, false);
    call_access(call, product->residual, false);
    if (product->normed != PLAN_NONE)
        call_access(call, lower->gpu->space.squares, false);
    if (product->finish.kind == FINISH_NORM)
        call_access(call, lower->gpu->space.squares, true);
    if (product->finish.kind != FINISH_GLU || product->finish.floats)
        call_access(call, product->y, true);
    for (uint32_t i = 0; i < 3; i++)
        if (product->writes[i].range.size)
            call_access(call, product->writes[i], true);
}

static bool product_emit(struct lower *lower, const struct product *product)
{
    struct gpu_device *device = exec_device(lower->gpu);
    struct gpu_matmul_call call = product_call(lower, product);
    enum activation_format format = lower->gpu->shape.format;
    const struct source source = product_source(lower, product);
    struct gpu_area x = source.floats;
    struct gpu_call emitted = {
        .outputs = call.outputs,
        .cost = (uint64_t)call.row_count * call.matrix->cols * call.tokens_max,
        .weight_bytes = rows_bytes(call.matrix, call.row_count),
        .step = (uint32_t)(product->step - lower->plan->steps),
    };
    if (call.matrix->cols % 32 == 0 &&
        gpu_matmul_wants_quants(device, call.matrix->dtype, call.tokens_max, format)) {
        lower->program->quants = true;
        x = source.quants;
        call.x_quants = x.range;
        call.x_scales = source.scales.range;
    } else {
        format = ACTIVATIONS_FLOAT;
    }
    product_access(lower, product, x, &emitted);
    if (!gpu_matmul_prepare(device, &call, format, &emitted.matmul, lower->fault))
        return false;
    if (product->finish.kind == FINISH_NORM)
        lower->square_count = gpu_matmul_groups(emitted.matmul);
    if (call_append(lower, &emitted))
        return true;
    gpu_matmul_release(device, emitted.matmul);
    return false;
}

/* The forms in which a finish writes the output of step `index`, beside y. */
static void finish_forms(const struct lower *lower, uint32_t index, struct gpu_area quants,
                         struct gpu_area scales, struct product *product)
{
    uint32_t width = lower->plan->buffers[lower->plan->steps[index].output].width;
    struct gpu_matmul_finish *finish = &product->finish;
    finish->quant = lower_own_quants(lower, index, width);
    finish->floats = lower->fusions[index].write_float || !finish->quant;
    if (!finish->quant)
        return;
    finish->quants = quants.range;
    finish->scales = scales.range;
    product->writes[0] = quants;
    product->writes[1] = scales;
}

static void finish_norm(const struct lower *lower, uint32_t norm, struct product *product)
{
    const struct gpu_space *space = &lower->gpu->space;
    product->finish.kind = FINISH_NORM;
    product->finish.gain = lower_vector(lower, lower->plan->steps[norm].weight[0].weight).range;
    product->finish.normed = space->normed.range;
    product->finish.squares = space->squares.range;
    finish_forms(lower, norm, space->normed_quants, space->normed_scales, product);
    if (product->finish.floats)
        product->writes[2] = space->normed;
}

bool lower_matmul_into(struct lower *lower, uint32_t index, uint32_t output, uint32_t residual,
                       uint32_t norm)
{
    const struct step *step = &lower->plan->steps[index];
    struct product product = {
        .step = step,
        .row_first = weights_row(lower->gpu->options.weights, step->weight[0]),
        .row_count = step->weight[0].row_count,
        .y = lower_floats(lower, output),
        .y_stride = lower->plan->buffers[output].width,
        .residual = lower_floats(lower, residual),
        .bias = step->weight[1].weight != PLAN_NONE,
        .normed = lower->fusions[index].normed,
    };
    if (norm != PLAN_NONE)
        finish_norm(lower, norm, &product);
    return product_emit(lower, &product);
}

static struct product joined_product(const struct lower *lower, uint32_t index)
{
    const struct gpu_step_fusion *fusion = &lower->fusions[index];
    return (struct product){
        .step = &lower->plan->steps[index],
        .row_first = fusion->join_first,
        .row_count = fusion->join_count,
        .y = lower->gpu->space.joined[fusion->join_area],
        .y_stride = fusion->join_count,
        .residual = lower_floats(lower, PLAN_NONE),
        .bias = fusion->join_bias,
        .normed = fusion->normed,
    };
}

bool lower_matmul(struct lower *lower, uint32_t index)
{
    const struct step *step = &lower->plan->steps[index];
    const struct gpu_step_fusion *fusion = &lower->fusions[index];
    if (!fusion->join_count)
        return lower_matmul_into(lower, index, step->output, step->input[1], fusion->norm);
    const struct product product = joined_product(lower, index);
    return product_emit(lower, &product);
}

bool lower_finish_glu(struct lower *lower, uint32_t index)
{
    const struct step *step = &lower->plan->steps[index];
    const struct gpu_step_fusion *fusion = &lower->fusions[index];
    struct product product = joined_product(lower, fusion->product);
    product.y = lower_floats(lower, step->output);
    product.finish.kind = FINISH_GLU;
    product.finish.activation = step->glu.activation;
    product.finish.swap = fusion->source[0] > fusion->source[1];
    finish_forms(lower, index, lower_quants(lower, step->output), lower_scales(lower, step->output),
                 &product);
    return product_emit(lower, &product);
}

bool lower_finish_store(struct lower *lower, uint32_t index)
{
    const struct gpu_step_fusion *fusion = &lower->fusions[index];
    const struct kv_store_params *params = &lower->plan->steps[index].kv_store;
    const struct step *rope = &lower->plan->steps[fusion->store.q_rope];
    const struct gpu_space *space = &lower->gpu->space;
    struct product product = joined_product(lower, fusion->product);
    product.y = lower_floats(lower, rope->output);
    product.writes[0] = space->keys[params->layer];
    product.writes[1] = space->values[params->layer];
    product.finish = (struct gpu_matmul_finish){
        .kind = FINISH_HEADS,
        .table = space->rope[rope->rope.table].range,
        .keys = space->keys[params->layer].range,
        .values = space->values[params->layer].range,
        .adjacent = rope->rope.style == ROPE_ADJACENT,
        .cache_f32 = lower->gpu->options.kv == KV_F32,
        .head_dim = params->head_dim,
        .k_first = fusion->source[1],
        .v_first = fusion->source[2],
        .kv_rows = params->kv_heads * params->head_dim,
        .context = lower->gpu->exec.context,
    };
    return product_emit(lower, &product);
}
