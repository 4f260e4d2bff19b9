/* What exec_gpu promises beside right numbers: the memory plan is what is allocated, top() agrees
 * with the logits, cancelling, runs with more output rows than fit, refusals. */
#include "gpu_exec.h"
#include "gpu_run.h"
#include "random_plan.h"
#include "top.h"

#include <stdlib.h>

static const struct gpu_options robust = {.robust = true};

struct pair {
    struct random_plan random;
    struct gpu_run run;
    struct exec *exec;
};

static void must(bool good, const struct fault *fault)
{
    if (!good)
        fail_msg("%s", fault->text);
}

static void pair_open(struct pair *pair, uint32_t batch_max, uint32_t outputs_max)
{
    const struct exec_gpu_options options = {.context = RANDOM_CONTEXT,
                                             .batch_max = batch_max,
                                             .outputs_max = outputs_max,
                                             .kv = KV_F16,
                                             .activations = ACTIVATIONS_16};
    random_plan_open(&pair->random, 8, true);
    gpu_run_open(&pair->run, &robust, false, &pair->random.rig.plan, pair->random.rig.gguf,
                 pair->random.rig.parallel);
    pair->exec = gpu_run_exec(&pair->run, &options);
}

static void pair_close(struct pair *pair)
{
    exec_destroy(pair->exec);
    gpu_run_close(&pair->run);
    random_plan_close(&pair->random);
}

static void ids_fill(int32_t ids[RANDOM_CONTEXT])
{
    for (uint32_t i = 0; i < RANDOM_CONTEXT; i++)
        ids[i] = (int32_t)(i * 13 % RIG_VOCAB);
}

/* ---- memory ---- */

static void test_memory(void **state)
{
    (void)state;
    struct pair pair;
    struct fault fault = {0};
    struct gpu_memory_plan planned, used;
    const struct exec_gpu_options options = {
        .context = RANDOM_CONTEXT, .batch_max = 512, .outputs_max = 40, .kv = KV_F16};
    pair_open(&pair, 512, 40);
    struct gpu_device *device = pair.run.device;
    must(exec_gpu_memory(device, &pair.random.rig.plan, 0, &options, &planned, &fault), &fault);
    exec_gpu_memory_used(pair.exec, pair.run.weights, &used);
    assert_memory_equal(&planned, &used, sizeof used);
    for (uint32_t i = 0; i < gpu_device_info(device)->heap_count; i++)
        assert_int_equal(gpu_memory_used(device, i), used.heap[i].weights + used.heap[i].kv +
                                                         used.heap[i].activations +
                                                         used.heap[i].staging);
    pair_close(&pair);
}

/* ---- results ---- */

static void top_check(struct exec *exec, uint32_t row, uint32_t k)
{
    struct fault fault = {0};
    float logits[RIG_VOCAB], expected_logits[RIG_VOCAB], found_logits[RIG_VOCAB];
    int32_t expected[RIG_VOCAB], found[RIG_VOCAB];
    must(exec->methods->logits(exec, row, 1, logits, &fault), &fault);
    must(top_select(logits, RIG_VOCAB, k, expected, expected_logits, &fault), &fault);
    must(exec->methods->top(exec, row, k, found, found_logits, &fault), &fault);
    assert_memory_equal(found, expected, k * sizeof *found);
    assert_memory_equal(found_logits, expected_logits, k * sizeof *found_logits);
}

static void test_top(void **state)
{
    (void)state;
    struct pair pair;
    struct fault fault = {0};
    int32_t ids[RANDOM_CONTEXT], id;
    float logit;
    pair_open(&pair, 64, 8);
    ids_fill(ids);
    for (uint32_t outputs = 1; outputs <= 3; outputs += 2) {
        const struct batch batch = {.tokens = ids, .count = 5, .outputs = outputs};
        must(exec_run(pair.exec, &batch, NULL, &fault), &fault);
        for (uint32_t k = 1; k <= RIG_VOCAB; k += 21)
            top_check(pair.exec, outputs - 1, k);
    }
    assert_false(pair.exec->methods->top(pair.exec, 3, 1, &id, &logit, &fault));
    assert_int_equal(fault.kind, FAULT_ARGUMENT);
    pair_close(&pair);
}

/* More rows than one submission keeps: they are collected on the host. */
static void test_many_outputs(void **state)
{
    (void)state;
    struct pair pair;
    struct fault fault = {0};
    int32_t ids[RANDOM_CONTEXT];
    enum { COUNT = 600, OUTPUTS = 500 };
    float *found = malloc(sizeof(float) * OUTPUTS * RIG_VOCAB);
    float *expected = malloc(sizeof(float) * OUTPUTS * RIG_VOCAB);
    assert_true(found && expected);
    pair_open(&pair, COUNT, OUTPUTS);
    ids_fill(ids);
    const struct batch batch = {.tokens = ids, .count = COUNT, .outputs = OUTPUTS};
    must(exec_run(pair.exec, &batch, NULL, &fault), &fault);
    must(pair.exec->methods->logits(pair.exec, 0, OUTPUTS, found, &fault), &fault);
    rig_run(&pair.random.rig, &batch);
    must(pair.random.rig.exec->methods->logits(pair.random.rig.exec, 0, OUTPUTS, expected, &fault),
         &fault);
    assert_true(logits_divergence(expected, found, OUTPUTS, RIG_VOCAB) < 1e-5);
    top_check(pair.exec, OUTPUTS - 1, 5);
    pair_close(&pair);
    free(found);
    free(expected);
}

/* Where attention would take too long a batch is cut further: the same logits. */
static void test_small_parts(void **state)
{
    (void)state;
    struct pair pair;
    struct fault fault = {0};
    int32_t ids[RANDOM_CONTEXT];
    enum { COUNT = 60, OUTPUTS = 30 };
    static float whole[OUTPUTS * RIG_VOCAB], parts[OUTPUTS * RIG_VOCAB];
    static const uint64_t costs[] = {1, 1u << 22, 1u << 30};
    pair_open(&pair, COUNT, OUTPUTS);
    ids_fill(ids);
    const struct batch batch = {.tokens = ids, .count = COUNT, .outputs = OUTPUTS};
    for (size_t i = 0; i < 3; i++) {
        struct gpu_run_stats stats;
        ((struct exec_gpu *)pair.exec)->attention_cost = costs[i];
        must(exec_run(pair.exec, &batch, NULL, &fault), &fault);
        must(pair.exec->methods->logits(pair.exec, 0, OUTPUTS, i ? parts : whole, &fault), &fault);
        top_check(pair.exec, OUTPUTS - 1, 5);
        exec_gpu_stats(pair.exec, &stats);
        assert_true(i == 0 || stats.submissions >= (i == 1 ? 8 : COUNT));
        if (i)
            assert_true(logits_divergence(whole, parts, OUTPUTS, RIG_VOCAB) < 1e-5);
    }
    pair_close(&pair);
}

/* ---- refusals ---- */

static void test_cancel(void **state)
{
    (void)state;
    struct pair pair;
    struct fault fault = {0};
    int32_t ids[RANDOM_CONTEXT];
    const volatile bool cancelled = true, going_on = false;
    pair_open(&pair, 64, 8);
    ids_fill(ids);
    const struct batch batch = {.tokens = ids, .count = 5, .outputs = 1};
    assert_false(exec_run(pair.exec, &batch, &cancelled, &fault));
    assert_int_equal(fault.kind, FAULT_CANCELLED);
    fault.kind = FAULT_NONE;
    assert_false(pair.exec->methods->top(pair.exec, 0, 1, ids, NULL, &fault));
    fault.kind = FAULT_NONE;
    must(exec_run(pair.exec, &batch, &going_on, &fault), &fault);
    pair_close(&pair);
}

static void test_refusals(void **state)
{
    (void)state;
    struct pair pair;
    struct exec *exec;
    pair_open(&pair, 64, 8);
    const struct exec_gpu_options good = {.device = pair.run.device,
                                          .plan = pair.run.plan,
                                          .weights = pair.run.weights,
                                          .context = 64,
                                          .batch_max = 8,
                                          .outputs_max = 1};
    struct exec_gpu_options bad[2] = {good, good};
    bad[0].batch_max = 65;
    bad[1].context = 1u << 31;
    for (size_t i = 0; i < 2; i++) {
        struct fault fault = {0};
        assert_false(exec_gpu_create(&bad[i], &exec, &fault));
        assert_null(exec);
        assert_true(fault.kind != FAULT_NONE);
        print_message("%s\n", fault.text);
    }
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),       cmocka_unit_test(test_top),
        cmocka_unit_test(test_many_outputs), cmocka_unit_test(test_small_parts),
        cmocka_unit_test(test_cancel),       cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
