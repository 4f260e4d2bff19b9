/* random_plan.c: see random_plan.h. */
#include "random_plan.h"

#include <math.h>

struct maker {
    struct random_plan *random;
    struct rig *rig;
    uint64_t seed;
    bool blocks;
    uint32_t width, heads, kv_heads, head_dim, ffn;
    enum dtype dtype;
    uint32_t x;
    uint32_t t_norm, t_bias, t_q, t_k, t_v, t_o, t_head_norm, t_up, t_gate, t_down, t_ffn_bias;
};

static uint32_t pick(struct maker *maker, uint32_t low, uint32_t high)
{
    return low + (uint32_t)((test_random(&maker->seed) >> 20) % (high - low + 1));
}

static bool coin(struct maker *maker)
{
    return pick(maker, 0, 1) == 1;
}

/* ---- steps ---- */

static uint32_t emit(struct maker *maker, struct step *step, uint32_t width)
{
    if (step->output == PLAN_NONE && width)
        step->output = rig_buffer(maker->rig, op_name(step->op), width);
    rig_step(maker->rig, step);
    return step->output;
}

static uint32_t norm(struct maker *maker, uint32_t input)
{
    struct step step;
    step_init(&step, OP_NORM, 0);
    step.input[0] = input;
    step.norm = (struct norm_params){NORM_RMS, 1e-5f, maker->width};
    step.weight[0] = rig_weight(maker->rig, maker->t_norm);
    if (coin(maker)) {
        step.norm.kind = NORM_LAYER;
        if (coin(maker))
            step.weight[1] = rig_weight(maker->rig, maker->t_bias);
    }
    return emit(maker, &step, maker->width);
}

static uint32_t matmul(struct maker *maker, uint32_t input, uint32_t tensor, uint32_t residual)
{
    struct step step;
    step_init(&step, OP_MATMUL, 0);
    step.input[0] = input;
    step.input[1] = residual;
    step.weight[0] = rig_weight(maker->rig, tensor);
    return emit(maker, &step, maker->rig->tensors[tensor].rows);
}

/* Norm of each head, in place or into another buffer. */
static uint32_t head_norm(struct maker *maker, uint32_t buffer, uint32_t heads, bool in_place)
{
    struct step step;
    step_init(&step, OP_NORM, 0);
    step.input[0] = buffer;
    step.norm = (struct norm_params){NORM_RMS, 1e-6f, maker->head_dim};
    step.weight[0] = rig_weight(maker->rig, maker->t_head_norm);
    if (in_place)
        step.output = buffer;
    return emit(maker, &step, heads * maker->head_dim);
}

static void rope(struct maker *maker, uint32_t buffer, uint32_t heads,
                 const struct rope_params *params)
{
    struct step step;
    step_init(&step, OP_ROPE, 0);
    step.input[0] = step.output = buffer;
    step.rope = *params;
    step.rope.head_count = heads;
    emit(maker, &step, 0);
}

static void kv_store(struct maker *maker, uint32_t k, uint32_t v, uint32_t layer)
{
    struct step step;
    step_init(&step, OP_KV_STORE, layer);
    step.input[0] = k;
    step.input[1] = v;
    step.kv_store = (struct kv_store_params){layer, maker->kv_heads, maker->head_dim};
    emit(maker, &step, 0);
}

static uint32_t attention(struct maker *maker, uint32_t q, uint32_t layer)
{
    static const float slopes[12] = {0.5f, 0.25f, 0.125f, 0.1f,  0.05f, 0.01f,
                                     0.4f, 0.3f,  0.2f,   0.15f, 0.02f, 0.001f};
    struct step step;
    step_init(&step, OP_ATTENTION, layer);
    step.input[0] = q;
    step.attention = (struct attention_params){
        .layer = layer,
        .heads = maker->heads,
        .kv_heads = maker->kv_heads,
        .head_dim = maker->head_dim,
        .scale = 1 / sqrtf((float)maker->head_dim),
        .softcap = pick(maker, 0, 3) == 0 ? 2.5f : 0,
        .window = pick(maker, 0, 2) == 0 ? pick(maker, 1, 90) : 0,
        .mask = maker->random->prefix_mask ? MASK_PREFIX : MASK_CAUSAL,
        .alibi_slopes = pick(maker, 0, 3) == 0 ? slopes : NULL,
    };
    if (step.attention.mask == MASK_PREFIX)
        step.attention.window = 0;
    return emit(maker, &step, maker->heads * maker->head_dim);
}

static uint32_t add(struct maker *maker, uint32_t a, uint32_t b)
{
    struct step step;
    step_init(&step, OP_ADD, 0);
    step.input[0] = a;
    step.input[1] = b;
    step.add = (struct add_params){1, 1};
    if (pick(maker, 0, 3) == 0)
        step.add = (struct add_params){0.5f, 1.25f};
    if (coin(maker))
        step.output = a;
    return emit(maker, &step, maker->width);
}

/* ---- blocks of a layer ---- */

static uint32_t attention_block(struct maker *maker, uint32_t input, uint32_t layer)
{
    uint32_t pairs = maker->head_dim / 2;
    struct rope_params params = {0,
                                 maker->head_dim,
                                 2 * (pairs ? pick(maker, 1, pairs) : 0),
                                 coin(maker) ? ROPE_HALF : ROPE_ADJACENT,
                                 0,
                                 false};
    bool normed = coin(maker), roped = pairs && pick(maker, 0, 3), early = coin(maker);
    params.dims = maker->rig->plan.rope[0].dims;
    params.two_streams = maker->random->prefix_mask && 2 * params.dims <= maker->head_dim;
    maker->random->two_streams |= roped && params.two_streams;
    uint32_t q = matmul(maker, input, maker->t_q, PLAN_NONE);
    if (early && normed)
        q = head_norm(maker, q, maker->heads, coin(maker));
    if (early && roped)
        rope(maker, q, maker->heads, &params);
    uint32_t k = matmul(maker, input, maker->t_k, PLAN_NONE);
    if (normed)
        k = head_norm(maker, k, maker->kv_heads, coin(maker));
    if (roped)
        rope(maker, k, maker->kv_heads, &params);
    uint32_t v = matmul(maker, input, maker->t_v, PLAN_NONE);
    kv_store(maker, k, v, layer);
    if (!early && normed)
        q = head_norm(maker, q, maker->heads, coin(maker));
    if (!early && roped)
        rope(maker, q, maker->heads, &params);
    return attention(maker, q, layer);
}

static uint32_t ffn_block(struct maker *maker, uint32_t input)
{
    struct step step;
    enum activation kind = (enum activation)pick(maker, ACTIVATION_SILU, ACTIVATION_RELU2);
    uint32_t up = matmul(maker, input, maker->t_up, PLAN_NONE);
    if (coin(maker)) {
        step_init(&step, OP_ACTIVATION, 0);
        step.input[0] = up;
        step.activation.activation = kind;
        if (coin(maker))
            step.output = up;
        return emit(maker, &step, maker->ffn);
    }
    uint32_t gate = matmul(maker, input, maker->t_gate, PLAN_NONE);
    step_init(&step, OP_GLU, 0);
    step.input[0] = gate;
    step.input[1] = up;
    step.glu.activation = kind;
    if (coin(maker))
        step.output = gate;
    return emit(maker, &step, maker->ffn);
}

/* A projection back to width with its residual, by input, by ADD or in place. */
static void join(struct maker *maker, uint32_t input, uint32_t tensor)
{
    if (coin(maker))
        maker->x = matmul(maker, input, tensor, maker->x);
    else if (coin(maker))
        maker->x = add(maker, maker->x, matmul(maker, input, tensor, PLAN_NONE));
    else
        maker->x = add(maker, matmul(maker, input, tensor, PLAN_NONE), maker->x);
}

static void layer(struct maker *maker, uint32_t index)
{
    uint32_t normed = norm(maker, maker->x);
    if (pick(maker, 0, 3) == 0) { /* parallel */
        uint32_t o = attention_block(maker, normed, index);
        uint32_t f = ffn_block(maker, normed);
        join(maker, o, maker->t_o);
        join(maker, f, maker->t_down);
        return;
    }
    join(maker, attention_block(maker, normed, index), maker->t_o);
    join(maker, ffn_block(maker, norm(maker, maker->x)), maker->t_down);
}

/* ---- shapes ---- */

static void shapes(struct maker *maker)
{
    static const uint32_t dims[] = {1, 2, 5, 7, 8, 16, 24, 33, 48, 64, 80};
    static const enum dtype types[] = {DTYPE_Q4_0, DTYPE_Q8_0, DTYPE_Q4_1, DTYPE_Q5_1};
    static const uint32_t groups[] = {1, 2, 3, 4};
    maker->kv_heads = pick(maker, 1, 3);
    maker->heads = maker->kv_heads * groups[pick(maker, 0, 3)];
    if (maker->blocks) {
        maker->dtype = types[pick(maker, 0, 3)];
        maker->head_dim = 32 * pick(maker, 1, 2);
        maker->width = 32 * pick(maker, 1, 6);
        maker->ffn = 32 * pick(maker, 1, 9);
    } else {
        maker->dtype = coin(maker) ? DTYPE_F32 : DTYPE_BF16;
        maker->head_dim = dims[pick(maker, 0, sizeof dims / sizeof *dims - 1)];
        maker->width = pick(maker, 1, 150);
        maker->ffn = pick(maker, 1, 200);
    }
}

static void tensors(struct maker *maker)
{
    struct rig *rig = maker->rig;
    uint32_t inner = maker->heads * maker->head_dim, kv = maker->kv_heads * maker->head_dim;
    maker->t_norm = rig_tensor(rig, "norm", DTYPE_F32, 1, maker->width);
    maker->t_bias = rig_tensor(rig, "bias", DTYPE_F32, 1, maker->width);
    maker->t_head_norm = rig_tensor(rig, "head_norm", DTYPE_F32, 1, maker->head_dim);
    maker->t_q = rig_tensor(rig, "q", maker->dtype, inner, maker->width);
    maker->t_k = rig_tensor(rig, "k", maker->dtype, kv, maker->width);
    maker->t_v = rig_tensor(rig, "v", maker->dtype, kv, maker->width);
    maker->t_o = rig_tensor(rig, "o", maker->dtype, maker->width, inner);
    maker->t_up = rig_tensor(rig, "up", maker->dtype, maker->ffn, maker->width);
    maker->t_gate = rig_tensor(rig, "gate", maker->dtype, maker->ffn, maker->width);
    maker->t_down = rig_tensor(rig, "down", maker->dtype, maker->width, maker->ffn);
}

static void rope_table(struct maker *maker)
{
    struct plan *plan = &maker->rig->plan;
    uint32_t pairs = maker->head_dim / 2;
    if (!pairs)
        return;
    plan->rope[0].dims = 2 * pick(maker, 1, pairs);
    plan->rope[0].magnitude = 1;
    double *frequencies = arena_alloc(&plan->arena, pairs, sizeof *frequencies);
    assert_non_null(frequencies);
    for (uint32_t i = 0; i < pairs; i++)
        frequencies[i] = pow(10000, -2.0 * i / plan->rope[0].dims);
    plan->rope[0].inv_freq = frequencies;
}

void random_plan_open(struct random_plan *random, uint64_t seed, bool blocks)
{
    struct maker maker = {.random = random, .rig = &random->rig, .seed = seed, .blocks = blocks};
    struct kv_layer layers[2];
    memset(random, 0, sizeof *random);
    shapes(&maker);
    random->kv = (enum kv_type)pick(&maker, KV_F16, KV_Q8_0);
    random->prefix_mask = pick(&maker, 0, 7) == 0;
    uint32_t layer_count = pick(&maker, 1, 2);
    rig_init(&random->rig, maker.width, seed + 1);
    tensors(&maker);
    rig_plan(&random->rig);
    rope_table(&maker);
    for (uint32_t i = 0; i < 2; i++)
        layers[i] = (struct kv_layer){maker.kv_heads, maker.head_dim, 0};
    rig_layers(&random->rig, layer_count, layers);
    maker.x = random->rig.x;
    for (uint32_t i = 0; i < layer_count; i++)
        layer(&maker, i);
    random->rig.x = maker.x;
    const struct rig_options options = {
        .context = RANDOM_CONTEXT, .batch_max = RANDOM_CONTEXT, .threads = 2, .kv = random->kv};
    rig_ready(&random->rig, &options);
    snprintf(random->text, sizeof random->text,
             "seed %llu: width %u, %u heads, %u kv, head %u, ffn %u, type %d, kv type %d%s%s",
             (unsigned long long)seed, maker.width, maker.heads, maker.kv_heads, maker.head_dim,
             maker.ffn, maker.dtype, random->kv, random->prefix_mask ? ", prefix" : "",
             random->two_streams ? ", two streams" : "");
}

void random_plan_close(struct random_plan *random)
{
    rig_close(&random->rig);
}
