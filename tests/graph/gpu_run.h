/* gpu_run.h: exec_gpu in tests: a device, the weights of a plan on it, executors. Every function
 * asserts that it succeeds. */
#ifndef LICHEN_TEST_GPU_RUN_H
#define LICHEN_TEST_GPU_RUN_H

#include "testing.h"

#include "exec_gpu.h"
#include "gguf.h"
#include "parallel.h"

struct gpu_run {
    struct gpu_device *device;
    struct gpu_weights *weights;
    const struct plan *plan;
};

/* as_discrete: the shapes and kernels of a real GPU are taken also on a software device. */
void gpu_run_open(struct gpu_run *run, const struct gpu_options *options, bool as_discrete,
                  const struct plan *plan, const struct gguf *gguf, struct parallel *parallel);
/* options: device, plan and weights are filled in. */
struct exec *gpu_run_exec(const struct gpu_run *run, const struct exec_gpu_options *options);
/* Closes and asserts that validation, when on, had nothing to say. */
void gpu_run_close(struct gpu_run *run);

/* The differences of two executors after the same batch, at every step that both can show: fails
 * when |a - b| > bound * (largest |b| of the step), with the step's description. Returns the steps
 * compared. */
uint32_t gpu_compare_steps(struct exec *found, struct exec *expected, const struct batch *batch,
                           double bound);
/* Mean over rows of KL(softmax(expected) || softmax(found)). */
double logits_divergence(const float *expected, const float *found, uint32_t rows, uint32_t vocab);

#endif
