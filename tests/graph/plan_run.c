/* plan_run.c: see plan_run.h. */
#include "plan_run.h"

#include <stdlib.h>

static void must(bool good, const struct fault *fault)
{
    if (!good)
        fail_msg("%s", fault->text);
}

/* Times every call of the last run: as many dispatches, and the results stay. */
static void time_again(struct exec *exec, uint32_t outputs, const float *logits)
{
    struct fault fault = {0};
    struct gpu_run_stats stats;
    struct gpu_times times;
    uint32_t dispatches = 0;
    float *again = malloc((size_t)outputs * RIG_VOCAB * sizeof *again);
    assert_non_null(again);
    exec_gpu_stats(exec, &stats);
    must(exec_gpu_times(exec, &times, &fault), &fault);
    for (uint32_t i = 0; i < times.count; i++) {
        assert_true(times.items[i].time_ns >= 0);
        dispatches += times.items[i].dispatches;
    }
    assert_int_equal(dispatches, stats.dispatches);
    must(exec->methods->logits(exec, 0, outputs, again, &fault), &fault);
    assert_memory_equal(again, logits, (size_t)outputs * RIG_VOCAB * sizeof *again);
    free(times.items);
    free(again);
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
        time_again(exec, outputs, logits + (size_t)rows * RIG_VOCAB);
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

uint32_t plan_run(const struct gpu_options *options, const struct plan_run *what, float *logits)
{
    struct random_plan random;
    struct gpu_run run;
    random_plan_open(&random, what->seed, true);
    const struct exec_gpu_options wanted = {.context = RANDOM_CONTEXT,
                                            .batch_max = RANDOM_CONTEXT,
                                            .outputs_max = RANDOM_CONTEXT,
                                            .kv = random.kv,
                                            .activations = ACTIVATIONS_16,
                                            .exact = what->exact};
    gpu_run_open(&run, options, what->as_discrete, &random.rig.plan, random.rig.gguf,
                 random.rig.parallel);
    struct exec *exec = gpu_run_exec(&run, &wanted);
    uint32_t rows = batches_run(exec, what->batches, random.prefix_mask, logits);
    peek_some(exec);
    exec_destroy(exec);
    gpu_run_close(&run);
    random_plan_close(&random);
    return rows;
}
