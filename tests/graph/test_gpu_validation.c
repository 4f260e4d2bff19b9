/* exec_gpu under the validation layer: core, synchronization and GPU-assisted checks have nothing
 * to say about loading, running in all bucket sizes, top-k, logits and peek; and fresh memory full
 * of 0xFF changes no bit. */
#include "gpu_run.h"
#include "random_plan.h"

#include <stdlib.h>

static const struct gpu_options core = {.validate = true, .robust = true, .exact_buffers = true};
static const struct gpu_options sync = {
    .validate = true, .validate_sync = true, .robust = true, .exact_buffers = true};
static const struct gpu_options assisted = {
    .validate = true, .validate_gpu = true, .exact_buffers = true};

static void must(bool good, const struct fault *fault)
{
    if (!good)
        fail_msg("%s", fault->text);
}

/* Logits of the first `batches` batches [RANDOM_CONTEXT, RIG_VOCAB], as far as wanted; returns
 * rows. */
static uint32_t batches_run(struct exec *exec, uint32_t batches, bool prefix_mask, float *logits)
{
    static const uint32_t sizes[] = {1, 9, 37, 270, 1};
    struct fault fault = {0};
    int32_t ids[RANDOM_CONTEXT];
    uint32_t position = 0, rows = 0;
    for (uint32_t i = 0; i < RANDOM_CONTEXT; i++)
        ids[i] = (int32_t)(i * 7 % RIG_VOCAB);
    for (uint32_t i = 0; i < batches; i++) {
        uint32_t count = prefix_mask && i > 0 ? 1 : sizes[i], outputs = i == 2 ? count : 1;
        const struct batch batch = {.tokens = ids,
                                    .count = count,
                                    .position = position,
                                    .outputs = outputs,
                                    .prefix = prefix_mask ? 5 : 0};
        int32_t best[4];
        float values[4];
        must(exec_run(exec, &batch, NULL, &fault), &fault);
        must(exec->methods->logits(exec, 0, outputs, logits + (size_t)rows * RIG_VOCAB, &fault),
             &fault);
        must(exec->methods->top(exec, outputs - 1, 4, best, values, &fault), &fault);
        rows += outputs;
        position += count;
    }
    return rows;
}

static void peek_some(struct exec *exec)
{
    struct fault fault = {0};
    size_t capacity = 1 << 20;
    float *dst = malloc(capacity * sizeof *dst);
    assert_non_null(dst);
    for (uint32_t i = 0; i < exec->plan->step_count; i += 3) {
        fault.kind = FAULT_NONE;
        if (exec->plan->steps[i].output != PLAN_NONE &&
            !exec->methods->peek(exec, i, dst, capacity, &fault))
            assert_int_equal(fault.kind, FAULT_UNSUPPORTED);
    }
    free(dst);
}

enum { ALL_BATCHES = 5 };

/* Runs a random plan on such a device; its logits go to logits. */
static uint32_t plan_run(const struct gpu_options *options, uint64_t seed, bool as_discrete,
                         bool exact, uint32_t batches, float *logits)
{
    struct random_plan random;
    struct gpu_run run;
    random_plan_open(&random, seed, true);
    const struct exec_gpu_options wanted = {.context = RANDOM_CONTEXT,
                                            .batch_max = RANDOM_CONTEXT,
                                            .outputs_max = RANDOM_CONTEXT,
                                            .kv = random.kv,
                                            .activations = ACTIVATIONS_16,
                                            .exact = exact};
    gpu_run_open(&run, options, as_discrete, &random.rig.plan, random.rig.gguf,
                 random.rig.parallel);
    struct exec *exec = gpu_run_exec(&run, &wanted);
    uint32_t rows = batches_run(exec, batches, random.prefix_mask, logits);
    if (!options->poison)
        peek_some(exec);
    exec_destroy(exec);
    gpu_run_close(&run);
    random_plan_close(&random);
    return rows;
}

static float logits[RANDOM_CONTEXT * RIG_VOCAB];

static void all_clean(const struct gpu_options *options)
{
    plan_run(options, 8, false, false, ALL_BATCHES, logits);
    plan_run(options, 12, false, true, ALL_BATCHES, logits);
    plan_run(options, 103, true, false, ALL_BATCHES, logits);
}

static void test_core(void **state)
{
    (void)state;
    all_clean(&core);
}

static void test_sync(void **state)
{
    (void)state;
    all_clean(&sync);
}

/* The layer's checks make the unrolled kernel of software devices so large that its compilation
 * takes minutes; one token (few rows) is enough to see its addresses. */
static void test_assisted(void **state)
{
    (void)state;
    plan_run(&assisted, 8, false, false, 1, logits);
    plan_run(&assisted, 12, false, false, ALL_BATCHES, logits);
    plan_run(&assisted, 103, true, false, ALL_BATCHES, logits);
}

static void test_poison(void **state)
{
    (void)state;
    static const uint64_t seeds[] = {8, 107};
    static float clean[RANDOM_CONTEXT * RIG_VOCAB], poisoned[RANDOM_CONTEXT * RIG_VOCAB];
    const struct gpu_options plain = {.robust = true}, poison = {.robust = true, .poison = true};
    for (size_t i = 0; i < 2; i++) {
        bool discrete = seeds[i] > 100;
        uint32_t rows = plan_run(&plain, seeds[i], discrete, false, ALL_BATCHES, clean);
        assert_int_equal(plan_run(&poison, seeds[i], discrete, false, ALL_BATCHES, poisoned),
                         rows);
        assert_memory_equal(clean, poisoned, (size_t)rows * RIG_VOCAB * sizeof *clean);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core),
        cmocka_unit_test(test_sync),
        cmocka_unit_test(test_assisted),
        cmocka_unit_test(test_poison),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
