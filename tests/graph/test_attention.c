/* Attention and KV cache of exec_ref against a naive float64 softmax: query groups, windows,
 * softcap, ALiBi, the prefix mask, cache types; and that neither the cutting of a prompt into runs
 * nor the thread count changes a bit. */
#include "rig.h"

#include "ref.h"

#include <math.h>
#include <stdlib.h>

enum { WIDTH = 24, TOKENS = 150 };

struct attention_case {
    uint32_t heads, kv_heads, head_dim;
    struct attention_params params; /* scale, softcap, window, mask, slopes */
    enum kv_type kv;
    uint32_t prefix;
    double bound;
};

struct attention_rig {
    struct rig rig;
    uint32_t q, k, v, attention; /* steps */
    const struct attention_case *test;
};

static void token_ids(int32_t ids[TOKENS])
{
    uint64_t seed = 99;
    for (int i = 0; i < TOKENS; i++)
        ids[i] = (int32_t)(test_random(&seed) >> 40) % RIG_VOCAB;
}

static uint32_t project(struct rig *rig, const char *name, uint32_t tensor)
{
    struct step step;
    step_init(&step, OP_MATMUL, 0);
    step.input[0] = rig->x;
    step.weight[0] = rig_weight(rig, tensor);
    step.output = rig_buffer(rig, name, rig->tensors[tensor].rows);
    return rig_step(rig, &step);
}

static void attention_open(struct attention_rig *rigged, const struct attention_case *test,
                           uint32_t threads)
{
    struct rig *rig = &rigged->rig;
    struct kv_layer layers[2] = {{test->kv_heads, test->head_dim, 0},
                                 {test->kv_heads, test->head_dim, test->params.window}};
    rigged->test = test;
    rig_init(rig, WIDTH, 11);
    uint32_t kv_rows = test->kv_heads * test->head_dim;
    uint32_t q = rig_tensor(rig, "q", DTYPE_F32, test->heads * test->head_dim, WIDTH);
    uint32_t k = rig_tensor(rig, "k", DTYPE_F32, kv_rows, WIDTH);
    uint32_t v = rig_tensor(rig, "v", DTYPE_F32, kv_rows, WIDTH);
    rig_plan(rig);
    rig_layers(rig, 2, layers);
    rigged->q = project(rig, "q", q);
    rigged->k = project(rig, "k", k);
    rigged->v = project(rig, "v", v);
    struct step step;
    step_init(&step, OP_KV_STORE, 1);
    step.input[0] = rig->plan.steps[rigged->k].output;
    step.input[1] = rig->plan.steps[rigged->v].output;
    step.kv_store = (struct kv_store_params){1, test->kv_heads, test->head_dim};
    rig_step(rig, &step);
    step_init(&step, OP_ATTENTION, 1);
    step.input[0] = rig->plan.steps[rigged->q].output;
    step.attention = test->params;
    step.attention.layer = 1;
    step.attention.heads = test->heads;
    step.attention.kv_heads = test->kv_heads;
    step.attention.head_dim = test->head_dim;
    step.output = rig_buffer(rig, "attention", test->heads * test->head_dim);
    rigged->attention = rig_step(rig, &step);
    struct rig_options options = {
        .context = TOKENS, .batch_max = TOKENS, .threads = threads, .kv = test->kv};
    rig_ready(rig, &options);
}

/* Runs the ids in chunks and collects a step's output [TOKENS, width]. */
static float *run_chunks(struct attention_rig *rigged, uint32_t chunk, uint32_t step,
                         uint32_t width)
{
    int32_t ids[TOKENS];
    float *out = malloc((size_t)TOKENS * width * sizeof *out);
    assert_non_null(out);
    token_ids(ids);
    for (uint32_t at = 0; at < TOKENS; at += chunk) {
        uint32_t count = TOKENS - at < chunk ? TOKENS - at : chunk;
        struct batch batch = {.tokens = ids + at,
                              .count = count,
                              .position = at,
                              .outputs = 1,
                              .prefix = rigged->test->prefix};
        rig_run(&rigged->rig, &batch);
        rig_peek(&rigged->rig, step, out + (size_t)at * width, (size_t)count * width);
    }
    return out;
}

static bool visible(const struct attention_case *test, uint32_t query, uint32_t key)
{
    if (test->params.window && query >= key && query - key >= test->params.window)
        return false;
    return key <= query || (test->params.mask == MASK_PREFIX && key < test->prefix);
}

static void expect_head(const struct attention_case *test, const float *q, const float *k,
                        const float *v, uint32_t position, uint32_t head, double *out)
{
    uint32_t dim = test->head_dim, stride = test->kv_heads * dim;
    uint32_t kv_first = head / (test->heads / test->kv_heads) * dim;
    double weights[TOKENS], sum = 0;
    for (uint32_t j = 0; j < TOKENS; j++) {
        double score = 0, cap = (double)test->params.softcap;
        for (uint32_t i = 0; i < dim; i++)
            score += (double)q[i] * (double)k[j * stride + kv_first + i];
        score *= (double)test->params.scale;
        if (cap > 0)
            score = cap * tanh(score / cap);
        if (test->params.alibi_slopes)
            score += (double)test->params.alibi_slopes[head] * ((double)j - (double)position);
        weights[j] = visible(test, position, j) ? exp(score) : 0;
        sum += weights[j];
    }
    for (uint32_t i = 0; i < dim; i++) {
        out[i] = 0;
        for (uint32_t j = 0; j < TOKENS; j++)
            out[i] += weights[j] / sum * (double)v[j * stride + kv_first + i];
    }
}

static void attention_case(const struct attention_case *test)
{
    struct attention_rig rigged;
    uint32_t width = test->heads * test->head_dim, kv_width = test->kv_heads * test->head_dim;
    attention_open(&rigged, test, 2);
    float *q = run_chunks(&rigged, TOKENS, rigged.q, width);
    float *k = run_chunks(&rigged, TOKENS, rigged.k, kv_width);
    float *v = run_chunks(&rigged, TOKENS, rigged.v, kv_width);
    float *found = run_chunks(&rigged, TOKENS, rigged.attention, width);
    double *expected = malloc((size_t)TOKENS * width * sizeof *expected);
    assert_non_null(expected);
    for (uint32_t t = 0; t < TOKENS; t++)
        for (uint32_t head = 0; head < test->heads; head++)
            expect_head(test, q + (size_t)t * width + head * test->head_dim, k, v, t, head,
                        expected + (size_t)t * width + head * test->head_dim);
    rig_compare("attention", found, expected, (size_t)TOKENS * width, test->bound);
    free(expected);
    free(found);
    free(v);
    free(k);
    free(q);
    rig_close(&rigged.rig);
}

static const float slopes[6] = {0.5f, 0.25f, 0.125f, 0.1f, 0.05f, 0.01f};

#define PARAMS(scale, cap, window, mask, slopes)                                                   \
    {                                                                                              \
        0, 0, 0, 0, scale, cap, window, mask, slopes                                               \
    }

static const struct attention_case cases[] = {
    {6, 6, 8, PARAMS(0.35f, 0, 0, MASK_CAUSAL, NULL), KV_F32, 0, 4e-6},
    {6, 2, 8, PARAMS(0.35f, 0, 0, MASK_CAUSAL, NULL), KV_F32, 0, 4e-6},
    {6, 1, 5, PARAMS(0.35f, 0, 0, MASK_CAUSAL, NULL), KV_F32, 0, 4e-6},
    {12, 1, 3, PARAMS(0.35f, 0, 0, MASK_CAUSAL, NULL), KV_F32, 0, 4e-6},
    {6, 3, 8, PARAMS(0.35f, 0, 1, MASK_CAUSAL, NULL), KV_F32, 0, 4e-6},
    {6, 3, 8, PARAMS(0.35f, 0, 7, MASK_CAUSAL, NULL), KV_F32, 0, 4e-6},
    {6, 3, 8, PARAMS(0.35f, 0, 70, MASK_CAUSAL, NULL), KV_F32, 0, 4e-6},
    {6, 3, 8, PARAMS(0.35f, 0, 1000, MASK_CAUSAL, NULL), KV_F32, 0, 4e-6},
    {6, 3, 8, PARAMS(0.35f, 2.5f, 0, MASK_CAUSAL, NULL), KV_F32, 0, 4e-6},
    {6, 3, 8, PARAMS(0.35f, 0, 0, MASK_CAUSAL, slopes), KV_F32, 0, 4e-6},
    {6, 3, 8, PARAMS(0.35f, 0, 0, MASK_PREFIX, NULL), KV_F32, 77, 4e-6},
    {6, 3, 8, PARAMS(0.35f, 0, 0, MASK_PREFIX, NULL), KV_F32, 0, 4e-6},
    {6, 3, 8, PARAMS(0.2f, 0, 0, MASK_CAUSAL, NULL), KV_F16, 0, 1e-2},
    {6, 3, 32, PARAMS(0.1f, 0, 0, MASK_CAUSAL, NULL), KV_Q8_0, 0, 1e-1},
    {6, 3, 8, PARAMS(0.2f, 0, 0, MASK_CAUSAL, NULL), KV_Q8_0, 0, 1e-1},
};

static void test_against_float64(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        attention_case(&cases[i]);
}

static void test_chunks(void **state)
{
    (void)state;
    static const uint32_t chunks[] = {1, 7, 64, TOKENS};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct attention_rig rigged;
        uint32_t width = cases[i].heads * cases[i].head_dim;
        if (cases[i].params.mask == MASK_PREFIX)
            continue;
        attention_open(&rigged, &cases[i], 1);
        float *whole = run_chunks(&rigged, TOKENS, rigged.attention, width);
        rig_close(&rigged.rig);
        for (size_t j = 0; j < sizeof chunks / sizeof *chunks; j++) {
            attention_open(&rigged, &cases[i], 1 + (uint32_t)j);
            float *found = run_chunks(&rigged, chunks[j], rigged.attention, width);
            assert_memory_equal(found, whole, (size_t)TOKENS * width * sizeof *found);
            free(found);
            rig_close(&rigged.rig);
        }
        free(whole);
    }
}

static void test_prefix_too_long(void **state)
{
    (void)state;
    struct attention_rig rigged;
    struct fault fault = {0};
    int32_t id = 1;
    attention_open(&rigged, &cases[10], 1);
    assert_true(rigged.rig.plan.prefix_mask);
    struct batch batch = {.tokens = &id, .count = 1, .prefix = 2};
    assert_false(exec_run(rigged.rig.exec, &batch, NULL, &fault));
    assert_int_equal(fault.kind, FAULT_ARGUMENT);
    rig_close(&rigged.rig);
}

/* A prefix in two runs: the first half could not see the second. */
static void test_prefix_in_pieces(void **state)
{
    (void)state;
    struct attention_rig rigged;
    struct fault fault = {0};
    int32_t ids[3] = {1, 2, 3};
    attention_open(&rigged, &cases[10], 3);
    struct batch batch = {.tokens = ids, .count = 2, .prefix = 2};
    assert_true(exec_run(rigged.rig.exec, &batch, NULL, &fault));
    batch = (struct batch){.tokens = ids + 2, .count = 1, .position = 2, .prefix = 2};
    assert_true(exec_run(rigged.rig.exec, &batch, NULL, &fault));
    batch = (struct batch){.tokens = ids + 1, .count = 2, .position = 1, .prefix = 2};
    assert_false(exec_run(rigged.rig.exec, &batch, NULL, &fault));
    assert_int_equal(fault.kind, FAULT_ARGUMENT);
    assert_non_null(strstr(fault.text, "is one run"));
    rig_close(&rigged.rig);
}

/* The memory plan is what create takes. */
static void test_memory(void **state)
{
    (void)state;
    struct attention_rig rigged;
    uint64_t kv, activations;
    attention_open(&rigged, &cases[13], 2);
    const struct exec_ref *ref = (const struct exec_ref *)rigged.rig.exec;
    struct exec_ref_options options = {.plan = &rigged.rig.plan,
                                       .gguf = rigged.rig.gguf,
                                       .parallel = rigged.rig.parallel,
                                       .context = TOKENS,
                                       .batch_max = TOKENS,
                                       .outputs_max = TOKENS,
                                       .kv = KV_Q8_0};
    exec_ref_memory(&options, &kv, &activations);
    assert_int_equal(kv, 2u * 2 * 3 * TOKENS * 34);
    assert_int_equal(kv + activations, ref->arena.used);
    assert_int_equal(ref_weights_memory(&rigged.rig.plan), ref_weights_size(rigged.rig.weights));
    rig_close(&rigged.rig);
}

static void test_options(void **state)
{
    (void)state;
    static const uint32_t bad[][3] = {{0, 1, 1}, {4, 0, 1}, {4, 4, 0}, {4, 5, 1}, {4, 2, 3}};
    struct attention_rig rigged;
    attention_open(&rigged, &cases[0], 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct exec *exec;
        struct fault fault = {0};
        struct exec_ref_options options = {.plan = &rigged.rig.plan,
                                           .gguf = rigged.rig.gguf,
                                           .parallel = rigged.rig.parallel,
                                           .context = bad[i][0],
                                           .batch_max = bad[i][1],
                                           .outputs_max = bad[i][2]};
        assert_false(exec_ref_create(&options, rigged.rig.weights, &exec, &fault));
        assert_int_equal(fault.kind, FAULT_ARGUMENT);
        exec_destroy(exec);
    }
    rig_close(&rigged.rig);
}

static void kv_round_trip(const float *values, uint32_t count, float *found)
{
    uint8_t row[4 * sizeof(float) * 32];
    ref_kv_encode(KV_Q8_0, values, count, row);
    dtype_find(DTYPE_Q8_0)->decode(row, found, ref_kv_row_floats(KV_Q8_0, count) / 32);
}

static void test_q8_0_rows(void **state)
{
    (void)state;
    float values[40], found[64];
    static const float strange[] = {INFINITY, -INFINITY, NAN, 1e8f};
    for (int i = 0; i < 40; i++)
        values[i] = (float)(i - 20) * 0.05f;
    kv_round_trip(values, 40, found);
    for (int i = 0; i < 40; i++)
        assert_true(fabsf(found[i] - values[i]) <= 0.0045f);
    memset(values, 0, sizeof values);
    kv_round_trip(values, 40, found);
    for (int i = 0; i < 64; i++)
        assert_true(found[i] == 0);
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        values[3] = strange[i];
        kv_round_trip(values, 40, found);
        assert_true(isnan(found[3]));
        assert_true(found[35] == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_float64), cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_prefix_too_long), cmocka_unit_test(test_prefix_in_pieces),
        cmocka_unit_test(test_memory),          cmocka_unit_test(test_options),
        cmocka_unit_test(test_q8_0_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
