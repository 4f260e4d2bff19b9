/* ref_ops.c: the operations that treat each token by itself. Equations are in plan.h. */
#include "ref.h"
#include <math.h>
#include <string.h>

/* One call of row(...) for every row of the step's output, in parallel. */
struct rows {
    struct exec_ref *ref;
    const struct step *step;
    uint32_t width;
    const float *a, *b; /* inputs, b may be NULL */
    float *out;
    void (*row)(const struct rows *rows, uint32_t row, uint32_t thread);
};

static void rows_item(void *context, uint32_t item, uint32_t thread)
{
    const struct rows *rows = context;
    rows->row(rows, item, thread);
}

static void rows_run(struct exec_ref *ref, const struct step *step,
                     void (*row)(const struct rows *rows, uint32_t row, uint32_t thread))
{
    struct rows rows = {
        .ref = ref,
        .step = step,
        .width = ref_buffer(ref, step->output)->width,
        .a = step->input[0] == PLAN_NONE ? NULL : ref_data(ref, step->input[0]),
        .b = step->input[1] == PLAN_NONE ? NULL : ref_data(ref, step->input[1]),
        .out = ref_data(ref, step->output),
        .row = row,
    };
    parallel_for(ref->parallel, ref_rows(ref, step->output), rows_item, &rows);
}

/* ---- embedding ---- */

static void embed_row(const struct rows *rows, uint32_t row, uint32_t thread)
{
    const struct exec_ref *ref = rows->ref;
    const struct step *step = rows->step;
    float *out = rows->out + (size_t)row * rows->width;
    ref_weights_decode(ref->weights, step->weight[0].weight, (uint32_t)ref->batch.tokens[row], 1,
                       out);
    for (uint32_t i = 0; i < rows->width; i++)
        out[i] *= step->embed.scale;
    if (step->weight[1].weight == PLAN_NONE)
        return;
    float *position = ref->scratch[thread];
    ref_weights_decode(ref->weights, step->weight[1].weight, ref->batch.position + row, 1,
                       position);
    for (uint32_t i = 0; i < rows->width; i++)
        out[i] += position[i];
}

void ref_embed(struct exec_ref *ref, const struct step *step)
{
    rows_run(ref, step, embed_row);
}

/* ---- norm ---- */

static void norm_rms(const float *x, const float *weight, uint32_t count, float eps, float *y)
{
    double sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += (double)x[i] * x[i];
    float factor = (float)(1 / sqrt(sum / count + (double)eps));
    for (uint32_t i = 0; i < count; i++)
        y[i] = x[i] * factor * weight[i];
}

static void norm_layer(const float *x, const float *weight, const float *bias, uint32_t count,
                       float eps, float *y)
{
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += (double)x[i];
    double mean = sum / count;
    for (uint32_t i = 0; i < count; i++)
        squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    double factor = 1 / sqrt(squares / count + (double)eps);
    for (uint32_t i = 0; i < count; i++)
        y[i] = (float)(((double)x[i] - mean) * factor) * weight[i] + (bias ? bias[i] : 0);
}

static void norm_row(const struct rows *rows, uint32_t row, uint32_t thread)
{
    (void)thread;
    const struct norm_params *norm = &rows->step->norm;
    const float *weight = ref_vector(rows->ref, rows->step->weight[0]);
    const float *bias = ref_vector(rows->ref, rows->step->weight[1]);
    for (uint32_t i = 0; i < rows->width; i += norm->group) {
        size_t offset = (size_t)row * rows->width + i;
        if (norm->kind == NORM_RMS)
            norm_rms(rows->a + offset, weight, norm->group, norm->eps, rows->out + offset);
        else
            norm_layer(rows->a + offset, weight, bias, norm->group, norm->eps, rows->out + offset);
    }
}

void ref_norm(struct exec_ref *ref, const struct step *step)
{
    rows_run(ref, step, norm_row);
}

/* ---- rope ---- */

static void rope_head(const struct rope_params *rope, const float *table, float *x)
{
    uint32_t pairs = rope->dims / 2;
    for (uint32_t i = 0; i < pairs; i++) {
        uint32_t first = rope->style == ROPE_HALF ? i : 2 * i;
        uint32_t second = rope->style == ROPE_HALF ? i + pairs : 2 * i + 1;
        float c = table[2 * i], s = table[2 * i + 1];
        float a = x[first], b = x[second];
        x[first] = a * c - b * s;
        x[second] = a * s + b * c;
    }
}

/* Rotates `dims` of every head, from dimension `first` on, as at `position`. */
static void rope_heads(const struct rows *rows, uint32_t row, uint32_t first, size_t position)
{
    const struct rope_params *rope = &rows->step->rope;
    const float *table = rows->ref->rope[rope->table] + position * rope->dims;
    float *out = rows->out + (size_t)row * rows->width + first;
    for (uint32_t head = 0; head < rope->head_count; head++)
        rope_head(rope, table, out + (size_t)head * rope->head_dim);
}

static void rope_row(const struct rows *rows, uint32_t row, uint32_t thread)
{
    (void)thread;
    const struct batch *batch = &rows->ref->batch;
    const struct rope_params *rope = &rows->step->rope;
    uint32_t position = batch->position + row, stop = batch->prefix ? batch->prefix - 1 : 0;
    if (!rope->two_streams) {
        rope_heads(rows, row, 0, position);
        return;
    }
    uint32_t stopped = position < stop ? position : stop;
    rope_heads(rows, row, 0, stopped);
    rope_heads(rows, row, rope->dims, position - stopped);
}

void ref_rope(struct exec_ref *ref, const struct step *step)
{
    rows_run(ref, step, rope_row);
}

/* ---- activations ---- */

static float activate(enum activation activation, float x)
{
    switch (activation) {
    case ACTIVATION_SILU:
        return x / (1 + expf(-x));
    case ACTIVATION_GELU_TANH:
        return 0.5f * x * (1 + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
    case ACTIVATION_GELU_ERF:
        return 0.5f * x * (1 + erff(x * 0.70710678118654752f));
    case ACTIVATION_RELU2:
        break;
    }
    return x > 0 ? x * x : 0;
}

static void glu_row(const struct rows *rows, uint32_t row, uint32_t thread)
{
    (void)thread;
    size_t first = (size_t)row * rows->width;
    for (size_t i = first; i < first + rows->width; i++)
        rows->out[i] = activate(rows->step->glu.activation, rows->a[i]) * rows->b[i];
}

void ref_glu(struct exec_ref *ref, const struct step *step)
{
    rows_run(ref, step, glu_row);
}

static void activation_row(const struct rows *rows, uint32_t row, uint32_t thread)
{
    (void)thread;
    size_t first = (size_t)row * rows->width;
    for (size_t i = first; i < first + rows->width; i++)
        rows->out[i] = activate(rows->step->activation.activation, rows->a[i]);
}

void ref_activation(struct exec_ref *ref, const struct step *step)
{
    rows_run(ref, step, activation_row);
}

/* ---- the rest ---- */

static void add_row(const struct rows *rows, uint32_t row, uint32_t thread)
{
    (void)thread;
    const struct add_params *add = &rows->step->add;
    size_t first = (size_t)row * rows->width;
    for (size_t i = first; i < first + rows->width; i++)
        rows->out[i] = add->scale_a * rows->a[i] + add->scale_b * rows->b[i];
}

void ref_add(struct exec_ref *ref, const struct step *step)
{
    rows_run(ref, step, add_row);
}

void ref_select(struct exec_ref *ref, const struct step *step)
{
    uint32_t width = ref_buffer(ref, step->output)->width, outputs = ref->batch.outputs;
    const float *x = ref_data(ref, step->input[0]);
    memcpy(ref_data(ref, step->output), x + (size_t)(ref->batch.count - outputs) * width,
           (size_t)outputs * width * sizeof *x);
}

static void softcap_row(const struct rows *rows, uint32_t row, uint32_t thread)
{
    (void)thread;
    const struct softcap_params *softcap = &rows->step->softcap;
    size_t first = (size_t)row * rows->width;
    for (size_t i = first; i < first + rows->width; i++) {
        float x = softcap->scale * rows->out[i];
        rows->out[i] = softcap->cap > 0 ? softcap->cap * tanhf(x / softcap->cap) : x;
    }
}

void ref_softcap(struct exec_ref *ref, const struct step *step)
{
    rows_run(ref, step, softcap_row);
}
