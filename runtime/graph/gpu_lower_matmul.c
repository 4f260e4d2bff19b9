/* gpu_lower_matmul.c: products as calls: one step's, with a residual, or joined with its
 * neighbours'. */
#include "gpu_lower.h"

struct product {
    const struct step *step;
    uint32_t row_first, row_count; /* of the matrix */
    struct gpu_area y, residual;
    uint32_t y_stride;
    bool bias;
};

static uint64_t rows_bytes(const struct gpu_matrix *matrix, uint32_t rows)
{
    uint64_t bytes = 0;
    for (uint32_t p = 0; p < planes_count(matrix->dtype); p++)
        bytes += planes_size(matrix->dtype, matrix->interleave, matrix->cols, rows, p);
    return bytes;
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
        .x = lower_floats(lower, step->input[0]).range,
        .y = product->y.range,
        .y_stride = product->y_stride,
        .residual = product->residual.range,
        .run = lower->gpu->space.run.range,
        .outputs = lower_outputs(lower, step->output),
    };
    if (product->bias)
        call.bias = weights->biases[weights->places[weight].matrix];
    return call;
}

static bool product_emit(struct lower *lower, const struct product *product)
{
    struct gpu_device *device = exec_device(lower->gpu);
    struct gpu_matmul_call call = product_call(lower, product);
    enum activation_format format = lower->gpu->shape.format;
    struct gpu_area x = lower_floats(lower, product->step->input[0]);
    struct gpu_call emitted = {
        .outputs = call.outputs,
        .cost = (uint64_t)call.row_count * call.matrix->cols * call.tokens_max,
        .weight_bytes = rows_bytes(call.matrix, call.row_count),
        .step = (uint32_t)(product->step - lower->plan->steps),
    };
    if (call.matrix->cols % 32 == 0 &&
        gpu_matmul_wants_quants(device, call.matrix->dtype, call.tokens_max, format)) {
        lower->program->quants = true;
        x = lower_quants(lower, product->step->input[0]);
        call.x_quants = x.range;
        call.x_scales = lower_scales(lower, product->step->input[0]).range;
    } else {
        format = ACTIVATIONS_FLOAT;
    }
    call_access(&emitted, x, false);
    call_access(&emitted, product->residual, false);
    call_access(&emitted, product->y, true);
    if (!gpu_matmul_prepare(device, &call, format, &emitted.matmul, lower->fault))
        return false;
    if (call_append(lower, &emitted))
        return true;
    gpu_matmul_release(device, emitted.matmul);
    return false;
}

bool lower_matmul_into(struct lower *lower, uint32_t index, uint32_t output, uint32_t residual)
{
    const struct step *step = &lower->plan->steps[index];
    const struct product product = {
        .step = step,
        .row_first = weights_row(lower->gpu->options.weights, step->weight[0]),
        .row_count = step->weight[0].row_count,
        .y = lower_floats(lower, output),
        .y_stride = lower->plan->buffers[output].width,
        .residual = lower_floats(lower, residual),
        .bias = step->weight[1].weight != PLAN_NONE,
    };
    return product_emit(lower, &product);
}

bool lower_matmul(struct lower *lower, uint32_t index)
{
    const struct step *step = &lower->plan->steps[index];
    const struct gpu_step_fusion *fusion = &lower->fusions[index];
    if (!fusion->join_count)
        return lower_matmul_into(lower, index, step->output, step->input[1]);
    const struct product product = {
        .step = step,
        .row_first = fusion->join_first,
        .row_count = fusion->join_count,
        .y = lower->gpu->space.joined[fusion->join_area],
        .y_stride = fusion->join_count,
        .residual = lower_floats(lower, PLAN_NONE),
        .bias = fusion->join_bias,
    };
    return product_emit(lower, &product);
}
