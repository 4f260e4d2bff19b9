/* builder.c: each emit function makes one step and, where it is not in place, its output buffer.
 * Widths come from the tensors or from the input; plan_finish compares them with each other. */
#include "builder.h"
#include <math.h>
#include <stdio.h>

enum { NAME_MAX_SIZE = 96 };

static void tensor_name(const struct builder *builder, const char *name, const char *suffix,
                        char text[NAME_MAX_SIZE])
{
    if (builder->layer == PLAN_NONE)
        snprintf(text, NAME_MAX_SIZE, "%s.%s", name, suffix);
    else
        snprintf(text, NAME_MAX_SIZE, "blk.%u.%s.%s", builder->layer, name, suffix);
}

const struct gguf_tensor *builder_find(const struct builder *builder, const char *name,
                                       const char *suffix)
{
    char text[NAME_MAX_SIZE];
    tensor_name(builder, name, suffix, text);
    return gguf_tensor_find(builder->gguf, text);
}

static void builder_fail(struct builder *builder)
{
    builder->failed = true;
}

/* The whole tensor as a weight; PLAN_NONE when it is absent (a failure when required). */
static struct weight_ref weight_find(struct builder *builder, const char *name, const char *suffix,
                                     bool required)
{
    struct weight_ref ref = {PLAN_NONE, 0, 0};
    const struct gguf_tensor *tensor = builder_find(builder, name, suffix);
    if (tensor) {
        ref.weight = plan_weight(builder->plan, tensor, builder->fault);
        if (ref.weight == PLAN_NONE)
            builder_fail(builder);
        else
            ref.row_count = builder->plan->weights[ref.weight].rows;
    } else if (required) {
        char text[NAME_MAX_SIZE];
        tensor_name(builder, name, suffix, text);
        fault_set(builder->fault, FAULT_FORMAT, "tensor %s is missing", text);
        builder_fail(builder);
    }
    return ref;
}

static uint32_t buffer_like(struct builder *builder, const char *name, uint32_t width,
                            enum plan_rows rows)
{
    uint32_t buffer = plan_buffer(builder->plan, name, width, rows, builder->fault);
    if (buffer == PLAN_NONE)
        builder_fail(builder);
    return buffer;
}

static uint32_t width_of(const struct builder *builder, uint32_t buffer)
{
    return builder->plan->buffers[buffer].width;
}

static enum plan_rows rows_of(const struct builder *builder, uint32_t buffer)
{
    return builder->plan->buffers[buffer].rows;
}

static uint32_t step_add(struct builder *builder, const struct step *step)
{
    if (builder->failed)
        return PLAN_NONE;
    if (!plan_step(builder->plan, step, builder->fault)) {
        builder_fail(builder);
        return PLAN_NONE;
    }
    return step->output;
}

static bool step_begin(struct builder *builder, struct step *step, enum op op, uint32_t input)
{
    step_init(step, op, builder->layer);
    step->input[0] = input;
    return !builder->failed;
}

uint32_t emit_linear(struct builder *builder, uint32_t input, const struct linear *linear)
{
    struct step step;
    if (!step_begin(builder, &step, OP_MATMUL, input))
        return PLAN_NONE;
    step.weight[0] = weight_find(builder, linear->name, "weight", true);
    step.weight[1] = weight_find(builder, linear->name, "bias", false);
    if (builder->failed)
        return PLAN_NONE;
    if (linear->row_count) {
        step.weight[0].row_first = linear->row_first;
        step.weight[0].row_count = linear->row_count;
    }
    step.weight[1].row_first = step.weight[0].row_first;
    step.weight[1].row_count = step.weight[0].row_count;
    step.input[1] = linear->residual;
    step.output =
        buffer_like(builder, linear->output, step.weight[0].row_count, rows_of(builder, input));
    return step_add(builder, &step);
}

uint32_t emit_norm(struct builder *builder, uint32_t input, const char *name, uint32_t group,
                   bool in_place)
{
    struct step step;
    if (!step_begin(builder, &step, OP_NORM, input))
        return PLAN_NONE;
    step.weight[0] = weight_find(builder, name, "weight", true);
    step.weight[1] = weight_find(builder, name, "bias", false);
    step.norm = (struct norm_params){builder->family->norm, builder->hparams->norm_eps, group};
    step.output =
        in_place ? input
                 : buffer_like(builder, "norm", width_of(builder, input), rows_of(builder, input));
    return step_add(builder, &step);
}

uint32_t emit_embed(struct builder *builder)
{
    struct step step;
    if (!step_begin(builder, &step, OP_EMBED, PLAN_NONE))
        return PLAN_NONE;
    step.weight[0] = weight_find(builder, "token_embd", "weight", true);
    if (builder->family->position == POSITION_LEARNED)
        step.weight[1] = weight_find(builder, "position_embd", "weight", true);
    step.embed.scale = builder->hparams->embedding_scale;
    step.output = buffer_like(builder, "x", builder->hparams->dim, ROWS_TOKENS);
    return step_add(builder, &step);
}

void emit_rope(struct builder *builder, uint32_t buffer, uint32_t heads, uint32_t table)
{
    struct step step;
    if (!step_begin(builder, &step, OP_ROPE, buffer))
        return;
    step.rope = (struct rope_params){
        .head_count = heads,
        .head_dim = builder->hparams->head_dim,
        .dims = builder->hparams->rope_dims,
        .style = builder->family->rope,
        .table = table,
        .two_streams = builder->family->position == POSITION_PREFIX,
    };
    step.output = buffer;
    step_add(builder, &step);
}

void emit_kv_store(struct builder *builder, uint32_t k, uint32_t v)
{
    struct step step;
    if (!step_begin(builder, &step, OP_KV_STORE, k))
        return;
    step.input[1] = v;
    step.kv_store = (struct kv_store_params){builder->layer, builder->hparams->kv_heads,
                                             builder->hparams->head_dim};
    step_add(builder, &step);
}

/* Head h of a power of two of heads: 2^(-max (h + 1) / heads). Other counts take the slopes of the
 * next lower power and then every second one of the next higher (Press et al., ALiBi). */
static float alibi_slope(float most, uint32_t heads, uint32_t head)
{
    uint32_t power = 1;
    while (power * 2 <= heads)
        power *= 2;
    double exponent = head < power ? (double)(head + 1) / power
                                   : (double)(2 * (head - power) + 1) / (2.0 * power);
    return (float)exp2(-(double)most * exponent);
}

static const float *alibi_slopes(struct builder *builder)
{
    uint32_t heads = builder->hparams->heads;
    float *slopes = arena_alloc(&builder->plan->arena, heads, sizeof *slopes);
    if (!slopes) {
        fault_set(builder->fault, FAULT_MEMORY, "no memory for %u slopes", heads);
        builder_fail(builder);
        return NULL;
    }
    for (uint32_t i = 0; i < heads; i++)
        slopes[i] = alibi_slope(builder->hparams->alibi_max, heads, i);
    return slopes;
}

uint32_t emit_attention(struct builder *builder, uint32_t q)
{
    const struct hparams *hparams = builder->hparams;
    struct step step;
    if (!step_begin(builder, &step, OP_ATTENTION, q))
        return PLAN_NONE;
    step.attention = (struct attention_params){
        .layer = builder->layer,
        .heads = hparams->heads,
        .kv_heads = hparams->kv_heads,
        .head_dim = hparams->head_dim,
        .scale = hparams->attention_scale,
        .softcap = hparams->attention_softcap,
        .window = hparams_layer_local(hparams, builder->layer) ? hparams->window : 0,
        .mask = builder->family->position == POSITION_PREFIX ? MASK_PREFIX : MASK_CAUSAL,
        .alibi_slopes = hparams->alibi_max > 0 ? alibi_slopes(builder) : NULL,
    };
    step.output = buffer_like(builder, "attention", width_of(builder, q), ROWS_TOKENS);
    return step_add(builder, &step);
}

uint32_t emit_glu(struct builder *builder, uint32_t gate, uint32_t up)
{
    struct step step;
    if (!step_begin(builder, &step, OP_GLU, gate))
        return PLAN_NONE;
    step.input[1] = up;
    step.output = gate;
    step.glu.activation = builder->family->activation;
    return step_add(builder, &step);
}

uint32_t emit_activation(struct builder *builder, uint32_t input)
{
    struct step step;
    if (!step_begin(builder, &step, OP_ACTIVATION, input))
        return PLAN_NONE;
    step.output = input;
    step.activation.activation = builder->family->activation;
    return step_add(builder, &step);
}

uint32_t emit_add(struct builder *builder, uint32_t a, float scale_a, uint32_t b, float scale_b)
{
    struct step step;
    if (!step_begin(builder, &step, OP_ADD, a))
        return PLAN_NONE;
    step.input[1] = b;
    step.output = a;
    step.add = (struct add_params){scale_a, scale_b};
    return step_add(builder, &step);
}

uint32_t emit_select(struct builder *builder, uint32_t input)
{
    struct step step;
    if (!step_begin(builder, &step, OP_SELECT, input))
        return PLAN_NONE;
    step.output = buffer_like(builder, "last", width_of(builder, input), ROWS_OUTPUTS);
    return step_add(builder, &step);
}

void emit_softcap(struct builder *builder, uint32_t buffer, float scale, float cap)
{
    struct step step;
    if (!step_begin(builder, &step, OP_SOFTCAP, buffer))
        return;
    step.output = buffer;
    step.softcap = (struct softcap_params){scale, cap};
    step_add(builder, &step);
}
