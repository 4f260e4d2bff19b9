/* gpu_run.c: see gpu_run.h. */
#include "gpu_run.h"
#include "gpu_private.h"

#include <math.h>
#include <stdlib.h>

static void must(bool good, const struct fault *fault)
{
    if (!good)
        fail_msg("%s", fault->text);
}

void gpu_run_open(struct gpu_run *run, const struct gpu_options *options, bool as_discrete,
                  const struct plan *plan, const struct gguf *gguf, struct parallel *parallel)
{
    struct fault fault = {0};
    memset(run, 0, sizeof *run);
    must(gpu_open(options, &run->device, &fault), &fault);
    if (as_discrete) {
        struct gpu_info *info = &run->device->probe.info;
        info->type = GPU_DISCRETE;
        info->packed_dot_accelerated = info->packed_dot;
        info->unified_memory = false; /* run parameters are copied */
    }
    run->plan = plan;
    must(gpu_weights_load(run->device, plan, gguf, 0, parallel, NULL, NULL, &run->weights, &fault),
         &fault);
}

struct exec *gpu_run_exec(const struct gpu_run *run, const struct exec_gpu_options *options)
{
    struct fault fault = {0};
    struct exec_gpu_options all = *options;
    struct exec *exec;
    all.device = run->device;
    all.plan = run->plan;
    all.weights = run->weights;
    must(exec_gpu_create(&all, &exec, &fault), &fault);
    return exec;
}

void gpu_run_close(struct gpu_run *run)
{
    const char *first = "";
    gpu_weights_free(run->device, run->weights);
    uint32_t count = gpu_validation_count(run->device, &first);
    if (count)
        fail_msg("%u validation messages, the first: %s", count, first);
    gpu_close(run->device);
}

/* Largest |a - b| relative to the largest |b|. */
static double difference(const float *a, const float *b, size_t count)
{
    double worst = 0, top = 0;
    for (size_t i = 0; i < count; i++) {
        double gap = fabs((double)a[i] - (double)b[i]), size = fabs((double)b[i]);
        worst = gap > worst || gap != gap ? gap : worst;
        top = size > top ? size : top;
    }
    return top > 0 ? worst / top : worst;
}

static void compare_step(struct exec *found, struct exec *expected, const struct batch *batch,
                         uint32_t step, double bound, uint32_t *compared)
{
    const struct plan *plan = found->plan;
    const struct plan_buffer *buffer = &plan->buffers[plan->steps[step].output];
    uint32_t rows = buffer->rows == ROWS_TOKENS ? batch->count : batch->outputs;
    size_t count = (size_t)rows * buffer->width;
    float *a = calloc(count + 1, sizeof *a), *b = calloc(count + 1, sizeof *b);
    struct fault fault = {0};
    char text[256];
    assert_true(a && b);
    bool shown = found->methods->peek(found, step, a, count, &fault);
    if (!shown && fault.kind != FAULT_UNSUPPORTED)
        fail_msg("%s", fault.text);
    if (shown) {
        must(expected->methods->peek(expected, step, b, count, &fault), &fault);
        double gap = difference(a, b, count);
        plan_describe(plan, step, text, sizeof text);
        if (!(gap <= bound))
            fail_msg("%s: relative difference %g, bound %g", text, gap, bound);
        ++*compared;
    }
    free(a);
    free(b);
}

uint32_t gpu_compare_steps(struct exec *found, struct exec *expected, const struct batch *batch,
                           double bound)
{
    struct fault fault = {0};
    uint32_t compared = 0;
    must(exec_run(expected, batch, NULL, &fault), &fault);
    must(exec_run(found, batch, NULL, &fault), &fault);
    for (uint32_t i = 0; i < found->plan->step_count; i++)
        if (found->plan->steps[i].output != PLAN_NONE)
            compare_step(found, expected, batch, i, bound, &compared);
    return compared;
}

/* log of sum of e^x. */
static double log_total(const float *x, uint32_t count)
{
    double top = -INFINITY, total = 0;
    for (uint32_t i = 0; i < count; i++)
        top = x[i] > top ? (double)x[i] : top;
    for (uint32_t i = 0; i < count; i++)
        total += exp((double)x[i] - top);
    return top + log(total);
}

double logits_divergence(const float *expected, const float *found, uint32_t rows, uint32_t vocab)
{
    double sum = 0;
    for (uint32_t r = 0; r < rows; r++) {
        const float *p = expected + (size_t)r * vocab, *q = found + (size_t)r * vocab;
        double p_total = log_total(p, vocab), q_total = log_total(q, vocab);
        for (uint32_t i = 0; i < vocab; i++) {
            double a = (double)p[i] - p_total, b = (double)q[i] - q_total;
            sum += exp(a) * (a - b);
        }
    }
    return sum / rows;
}
