/* Each operation of exec_ref but attention against a naive float64 version. */
#include "rig.h"

#include <math.h>

enum { TOKENS = 5, WIDTH = 44, POSITION = 3 };

static const int32_t tokens[TOKENS] = {7, 0, 63, 12, 7};
static const struct batch batch = {
    .tokens = tokens, .count = TOKENS, .position = POSITION, .outputs = TOKENS};
static const struct rig_options options = {.context = 16, .batch_max = 8, .threads = 2};

/* Row t of x: the embedding of tokens[t]. */
static const float *input_row(const struct rig *rig, uint32_t t)
{
    return rig->tensors[0].values + (size_t)tokens[t] * rig->width;
}

/* Runs the rig and compares a step's output with expected [TOKENS, width]. */
static void check(struct rig *rig, const char *what, uint32_t step, uint32_t width,
                  const double *expected, double bound)
{
    static float found[TOKENS * 512];
    rig_ready(rig, &options);
    rig_run(rig, &batch);
    rig_peek(rig, step, found, sizeof found / sizeof *found);
    rig_compare(what, found, expected, (size_t)TOKENS * width, bound);
    rig_close(rig);
}

static void test_embed(void **state)
{
    (void)state;
    struct rig rig;
    double expected[TOKENS * WIDTH];
    rig_init(&rig, WIDTH, 1);
    uint32_t positions = rig_tensor(&rig, "positions", DTYPE_F16, 16, WIDTH);
    rig_plan(&rig);
    struct step step;
    step_init(&step, OP_EMBED, PLAN_NONE);
    step.weight[0] = rig_weight(&rig, 0);
    step.weight[1] = rig_weight(&rig, positions);
    step.embed.scale = 2.5f;
    step.output = rig_buffer(&rig, "e", WIDTH);
    uint32_t index = rig_step(&rig, &step);
    for (uint32_t t = 0; t < TOKENS; t++)
        for (uint32_t i = 0; i < WIDTH; i++)
            expected[t * WIDTH + i] =
                2.5 * (double)input_row(&rig, t)[i] +
                (double)rig.tensors[positions].values[(POSITION + t) * WIDTH + i];
    check(&rig, "embed", index, WIDTH, expected, 1e-6);
}

static void norm_expect(const float *x, const float *weight, const float *bias, uint32_t count,
                        bool layer, double eps, double *y)
{
    double mean = 0, square = 0;
    for (uint32_t i = 0; i < count && layer; i++)
        mean += (double)x[i] / count;
    for (uint32_t i = 0; i < count; i++)
        square += ((double)x[i] - mean) * ((double)x[i] - mean) / count;
    for (uint32_t i = 0; i < count; i++)
        y[i] = ((double)x[i] - mean) / sqrt(square + eps) * (double)weight[i] +
               (bias ? (double)bias[i] : 0);
}

static void norm_case(enum norm_kind kind, uint32_t group, bool bias, bool in_place)
{
    struct rig rig;
    double expected[TOKENS * WIDTH];
    rig_init(&rig, WIDTH, 2);
    uint32_t weight = rig_tensor(&rig, "weight", DTYPE_F32, 1, group);
    uint32_t offset = rig_tensor(&rig, "bias", DTYPE_F16, 1, group);
    rig_plan(&rig);
    struct step step;
    step_init(&step, OP_NORM, PLAN_NONE);
    step.input[0] = rig.x;
    step.weight[0] = rig_weight(&rig, weight);
    if (bias)
        step.weight[1] = rig_weight(&rig, offset);
    step.norm = (struct norm_params){kind, 1e-3f, group};
    step.output = in_place ? rig.x : rig_buffer(&rig, "norm", WIDTH);
    uint32_t index = rig_step(&rig, &step);
    for (uint32_t t = 0; t < TOKENS; t++)
        for (uint32_t i = 0; i < WIDTH; i += group)
            norm_expect(input_row(&rig, t) + i, rig.tensors[weight].values,
                        bias ? rig.tensors[offset].values : NULL, group, kind == NORM_LAYER,
                        (double)1e-3f, expected + t * WIDTH + i);
    check(&rig, "norm", index, WIDTH, expected, 1e-6);
}

static void test_norm(void **state)
{
    (void)state;
    norm_case(NORM_RMS, WIDTH, false, false);
    norm_case(NORM_RMS, 4, false, true);
    norm_case(NORM_LAYER, WIDTH, true, false);
    norm_case(NORM_LAYER, 11, false, true);
}

struct matmul_case {
    enum dtype dtype;
    uint32_t width, rows, first, count;
    bool bias, residual;
};

static void matmul_case(const struct matmul_case *test)
{
    static double expected[TOKENS * 512], whole[1024];
    double largest = 1;
    struct rig rig;
    rig_init(&rig, test->width, 3);
    uint32_t matrix = rig_tensor(&rig, "matrix", test->dtype, test->rows, test->width);
    uint32_t bias = rig_tensor(&rig, "bias", DTYPE_F32, 1, test->rows);
    uint32_t embedding = rig_tensor(&rig, "residual", DTYPE_F32, RIG_VOCAB, test->count);
    rig_plan(&rig);
    struct step step;
    step_init(&step, OP_EMBED, PLAN_NONE);
    step.weight[0] = rig_weight(&rig, embedding);
    step.embed.scale = 1;
    step.output = rig_buffer(&rig, "residual", test->count);
    rig_step(&rig, &step);
    uint32_t residual = step.output;
    step_init(&step, OP_MATMUL, PLAN_NONE);
    step.input[0] = rig.x;
    step.input[1] = test->residual ? residual : PLAN_NONE;
    step.weight[0] = rig_weight(&rig, matrix);
    step.weight[0].row_first = test->first;
    step.weight[0].row_count = test->count;
    if (test->bias)
        step.weight[1] =
            (struct weight_ref){rig_weight(&rig, bias).weight, test->first, test->count};
    step.output = rig_buffer(&rig, "y", test->count);
    uint32_t index = rig_step(&rig, &step);
    for (uint32_t t = 0; t < TOKENS; t++) {
        largest = fmax(largest, rig_product(&rig, matrix, input_row(&rig, t), whole));
        for (uint32_t r = 0; r < test->count; r++) {
            double y = whole[test->first + r];
            if (test->bias)
                y += (double)rig.tensors[bias].values[test->first + r];
            if (test->residual)
                y += (double)rig.tensors[embedding].values[(uint32_t)tokens[t] * test->count + r];
            expected[t * test->count + r] = y;
        }
    }
    check(&rig, "matmul", index, test->count, expected, 3e-7 * largest);
}

static void test_matmul(void **state)
{
    (void)state;
    static const struct matmul_case cases[] = {
        {DTYPE_F32, WIDTH, 64, 0, 64, false, false},  {DTYPE_F32, 7, 5, 0, 5, true, true},
        {DTYPE_F32, 1, 1, 0, 1, true, false},         {DTYPE_F16, 172, 50, 3, 47, true, true},
        {DTYPE_BF16, 172, 50, 17, 1, true, false},    {DTYPE_Q4_0, 96, 33, 16, 17, false, true},
        {DTYPE_Q4_1, 96, 33, 1, 31, true, false},     {DTYPE_Q5_0, 64, 40, 0, 40, false, false},
        {DTYPE_Q5_1, 64, 40, 0, 40, false, false},    {DTYPE_Q8_0, 64, 40, 8, 16, false, false},
        {DTYPE_Q4_K, 256, 18, 0, 18, false, false},   {DTYPE_Q5_K, 256, 18, 0, 18, false, false},
        {DTYPE_Q6_K, 512, 18, 0, 18, false, false},   {DTYPE_IQ4_NL, 64, 18, 0, 18, false, false},
        {DTYPE_IQ4_XS, 256, 18, 0, 18, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        matmul_case(&cases[i]);
}

/* two_streams: without a prefix the first dims stand still, the next ones count. */
static void rope_case(enum rope_style style, uint32_t dims, bool two_streams)
{
    enum { HEADS = 4, HEAD_DIM = 11 };
    static const double frequencies[5] = {1, 0.31, 0.1, 0.031, 0.01};
    struct rig rig;
    double expected[TOKENS * WIDTH];
    rig_init(&rig, WIDTH, 4);
    rig_plan(&rig);
    rig.plan.rope[1] = (struct rope_table){dims, frequencies, 1.25};
    struct step step;
    step_init(&step, OP_ROPE, PLAN_NONE);
    step.input[0] = step.output = rig.x;
    step.rope = (struct rope_params){HEADS, HEAD_DIM, dims, style, 1, two_streams};
    uint32_t index = rig_step(&rig, &step);
    for (uint32_t t = 0; t < TOKENS; t++)
        for (uint32_t i = 0; i < WIDTH; i++) {
            uint32_t head = i % HEAD_DIM, half = dims / 2;
            bool behind = two_streams && head >= dims;
            uint32_t j = behind ? head - dims : head;
            uint32_t position = two_streams && !behind ? 0 : POSITION + t;
            const float *x = input_row(&rig, t) + i - j;
            bool first = style == ROPE_HALF ? j < half : j % 2 == 0;
            uint32_t pair = style == ROPE_HALF ? j % half : j / 2;
            uint32_t other = style == ROPE_HALF ? (first ? j + half : j - half) : j ^ 1;
            double y = (double)x[j];
            if (j < dims) {
                double angle = position * frequencies[pair];
                y = 1.25 * (y * cos(angle) + (first ? -1 : 1) * (double)x[other] * sin(angle));
            }
            expected[t * WIDTH + i] = y;
        }
    check(&rig, "rope", index, WIDTH, expected, 1e-6);
}

static void test_rope(void **state)
{
    (void)state;
    rope_case(ROPE_HALF, 10, false);
    rope_case(ROPE_HALF, 4, false);
    rope_case(ROPE_ADJACENT, 10, false);
    rope_case(ROPE_ADJACENT, 2, false);
    rope_case(ROPE_HALF, 4, true);
    rope_case(ROPE_ADJACENT, 2, true);
}

static double activate(enum activation activation, double x)
{
    switch (activation) {
    case ACTIVATION_SILU:
        return x / (1 + exp(-x));
    case ACTIVATION_GELU_TANH:
        return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case ACTIVATION_GELU_ERF:
        return 0.5 * x * (1 + erf(x / sqrt(2.0)));
    case ACTIVATION_RELU2:
        break;
    }
    return x > 0 ? x * x : 0;
}

/* A second buffer: 3 times the embedding. */
static uint32_t second_input(struct rig *rig)
{
    struct step step;
    step_init(&step, OP_EMBED, PLAN_NONE);
    step.weight[0] = rig_weight(rig, 0);
    step.embed.scale = 3;
    step.output = rig_buffer(rig, "second", rig->width);
    rig_step(rig, &step);
    return step.output;
}

static void pointwise_case(enum op op, enum activation activation, bool in_place)
{
    struct rig rig;
    double expected[TOKENS * WIDTH];
    rig_init(&rig, WIDTH, 5);
    rig_plan(&rig);
    uint32_t second = second_input(&rig);
    struct step step;
    step_init(&step, op, PLAN_NONE);
    step.input[0] = second;
    if (op == OP_GLU || op == OP_ADD)
        step.input[1] = rig.x;
    if (op == OP_GLU)
        step.glu.activation = activation;
    if (op == OP_ACTIVATION)
        step.activation.activation = activation;
    if (op == OP_ADD)
        step.add = (struct add_params){0.5f, -1.5f};
    step.output = in_place ? second : rig_buffer(&rig, "y", WIDTH);
    uint32_t index = rig_step(&rig, &step);
    for (uint32_t t = 0; t < TOKENS; t++)
        for (uint32_t i = 0; i < WIDTH; i++) {
            double x = (double)input_row(&rig, t)[i], three = (double)(3 * input_row(&rig, t)[i]);
            expected[t * WIDTH + i] = op == OP_GLU          ? activate(activation, three) * x
                                      : op == OP_ACTIVATION ? activate(activation, three)
                                                            : 0.5 * three - 1.5 * x;
        }
    check(&rig, op_name(op), index, WIDTH, expected, 1e-6);
}

static void test_pointwise(void **state)
{
    (void)state;
    for (int activation = ACTIVATION_SILU; activation <= ACTIVATION_RELU2; activation++) {
        pointwise_case(OP_GLU, (enum activation)activation, activation % 2);
        pointwise_case(OP_ACTIVATION, (enum activation)activation, !(activation % 2));
    }
    pointwise_case(OP_ADD, ACTIVATION_SILU, false);
    pointwise_case(OP_ADD, ACTIVATION_SILU, true);
}

static void test_softcap(void **state)
{
    (void)state;
    static const struct softcap_params cases[] = {{4, 1.5f}, {0.25f, 0}};
    for (size_t k = 0; k < 2; k++) {
        struct rig rig;
        double expected[TOKENS * WIDTH];
        rig_init(&rig, WIDTH, 6);
        rig_plan(&rig);
        struct step step;
        step_init(&step, OP_SOFTCAP, PLAN_NONE);
        step.input[0] = step.output = rig.x;
        step.softcap = cases[k];
        uint32_t index = rig_step(&rig, &step);
        for (uint32_t t = 0; t < TOKENS; t++)
            for (uint32_t i = 0; i < WIDTH; i++) {
                double y = (double)cases[k].scale * (double)input_row(&rig, t)[i];
                double cap = (double)cases[k].cap;
                expected[t * WIDTH + i] = cap > 0 ? cap * tanh(y / cap) : y;
            }
        check(&rig, "softcap", index, WIDTH, expected, 1e-6);
    }
}

/* SELECT takes the last rows; logits and top see those. */
static void test_outputs(void **state)
{
    (void)state;
    struct rig rig;
    struct fault fault = {0};
    static float logits[TOKENS * RIG_VOCAB], two[2 * RIG_VOCAB];
    int32_t ids[RIG_VOCAB];
    float values[RIG_VOCAB];
    rig_init(&rig, WIDTH, 7);
    rig_plan(&rig);
    rig_ready(&rig, &options);
    rig_run(&rig, &batch);
    const struct exec_methods *methods = rig.exec->methods;
    assert_true(methods->logits(rig.exec, 0, TOKENS, logits, &fault));
    struct batch last = batch;
    last.outputs = 2;
    rig_run(&rig, &last);
    assert_true(methods->logits(rig.exec, 0, 2, two, &fault));
    assert_memory_equal(two, logits + 3 * RIG_VOCAB, sizeof two);
    assert_true(methods->top(rig.exec, 1, RIG_VOCAB, ids, values, &fault));
    for (uint32_t i = 0; i < RIG_VOCAB; i++) {
        assert_true(values[i] == two[RIG_VOCAB + ids[i]]);
        assert_true(i == 0 || values[i - 1] >= values[i]);
    }
    assert_false(methods->top(rig.exec, 2, 1, ids, values, &fault));
    assert_int_equal(fault.kind, FAULT_ARGUMENT);
    assert_false(methods->logits(rig.exec, 1, 2, two, NULL));
    last.outputs = 0;
    rig_run(&rig, &last);
    assert_false(methods->logits(rig.exec, 0, 1, two, NULL));
    rig_close(&rig);
}

static void refused(struct rig *rig, struct batch bad, enum fault_kind kind)
{
    struct fault fault = {0};
    assert_false(exec_run(rig->exec, &bad, NULL, &fault));
    assert_int_equal(fault.kind, kind);
}

static void test_batches(void **state)
{
    (void)state;
    static const int32_t bad_tokens[3] = {0, RIG_VOCAB, -1};
    struct rig rig;
    struct fault fault = {0};
    volatile bool cancel = true;
    rig_init(&rig, WIDTH, 8);
    rig_plan(&rig);
    rig_ready(&rig, &options);
    refused(&rig, (struct batch){.tokens = tokens, .count = 0}, FAULT_ARGUMENT);
    refused(&rig, (struct batch){.tokens = tokens, .count = 9}, FAULT_ARGUMENT);
    refused(&rig, (struct batch){.tokens = tokens, .count = 1, .outputs = 2}, FAULT_ARGUMENT);
    refused(&rig, (struct batch){.tokens = tokens, .count = 1, .position = 16}, FAULT_CONTEXT);
    refused(&rig, (struct batch){.tokens = tokens, .count = 1, .position = UINT32_MAX},
            FAULT_CONTEXT);
    refused(&rig, (struct batch){.tokens = bad_tokens, .count = 2}, FAULT_ARGUMENT);
    refused(&rig, (struct batch){.tokens = bad_tokens + 2, .count = 1}, FAULT_ARGUMENT);
    assert_false(exec_run(rig.exec, &batch, &cancel, &fault));
    assert_int_equal(fault.kind, FAULT_CANCELLED);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embed),     cmocka_unit_test(test_norm),
        cmocka_unit_test(test_matmul),    cmocka_unit_test(test_rope),
        cmocka_unit_test(test_pointwise), cmocka_unit_test(test_softcap),
        cmocka_unit_test(test_outputs),   cmocka_unit_test(test_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
