/* exec_gpu.h: the plan on a Vulkan device. Weights are uploaded once per model (planes.h layout,
 * row shards), each executor has its own KV cache, activations and recorded command buffers.
 *
 * A run of one token is one submission of a command buffer recorded once per bucket of context
 * length; longer runs are cut into submissions bounded in time. */
#ifndef LICHEN_EXEC_GPU_H
#define LICHEN_EXEC_GPU_H

#include "exec.h"
#include "gpu.h"

enum activation_format {
    ACTIVATIONS_16,    /* two int8 planes, packed dot */
    ACTIVATIONS_8,     /* one int8 plane: the user's choice, never a default */
    ACTIVATIONS_FLOAT, /* float32 twin; --exact, and where packed dot is missing */
    ACTIVATIONS_AUTO   /* 16 on a device with packed dot; float on a software device, where float
                          kernels are faster and truer (docs/kernels.md) */
};

struct gpu_weights; /* immutable after load, shared by executors */

/* progress (may be NULL) is called with bytes done and total, and returns false to cancel. */
typedef bool (*progress_fn)(void *context, uint64_t done, uint64_t total);

/* host_layers: the matrices of the last so many layers lie in host memory (GPU_MEMORY_HOST), which
 * the device reads over the bus; more than there are: all. */
bool gpu_weights_load(struct gpu_device *device, const struct plan *plan, const struct gguf *gguf,
                      uint32_t host_layers, struct parallel *parallel, progress_fn progress,
                      void *context, struct gpu_weights **out, struct fault *fault);
void gpu_weights_free(struct gpu_device *device, struct gpu_weights *weights);

struct exec_gpu_options {
    struct gpu_device *device;
    const struct plan *plan;
    const struct gpu_weights *weights;
    uint32_t context, batch_max, outputs_max;
    enum kv_type kv;
    enum activation_format activations;
    bool exact;   /* fixed reduction order: the same logits whatever the batch or chunking */
    bool unfused; /* tests: one kernel a step, so that peek sees every step */
};

bool exec_gpu_create(const struct exec_gpu_options *options, struct exec **out,
                     struct fault *fault);

/* Every byte that load and create take, per heap and purpose, computed with the same code that
 * allocates (a dry run): the memory plan prints it. */
struct gpu_memory_plan {
    struct {
        uint64_t weights, kv, activations, staging;
    } heap[GPU_HEAP_MAX];
};
bool exec_gpu_memory(struct gpu_device *device, const struct plan *plan, uint32_t host_layers,
                     const struct exec_gpu_options *options, struct gpu_memory_plan *memory,
                     struct fault *fault);
/* What is really allocated now by weights and executor, in the same form. */
void exec_gpu_memory_used(const struct exec *exec, const struct gpu_weights *weights,
                          struct gpu_memory_plan *memory);

/* Counters of the last run, for bench. */
struct gpu_run_stats {
    uint32_t submissions, dispatches, barriers;
    uint64_t weight_bytes;      /* read by one token */
    enum activation_format ran; /* what the matmuls used */
};
void exec_gpu_stats(const struct exec *exec, struct gpu_run_stats *stats);

/* The dispatches of the last run that share kernel, operation, weight type and matrix shape. */
struct gpu_kernel_time {
    const char *kernel; /* shader_table's, or the plan's names below: they live like the program */
    const char *operation; /* of the plan (op.def); "top" for what follows it */
    const char *weights;   /* type, "" = no matrix */
    uint32_t rows, cols;   /* of the matrix, 0 = none */
    uint32_t dispatches;
    double time_ns;
    uint64_t bytes;    /* of weights, and of keys and values where one token attends */
    uint64_t products; /* multiply-adds of a matrix product, else 0 */
};

struct gpu_times {
    struct gpu_kernel_time *items; /* [count], in order of first use; malloc'd */
    uint32_t count, tokens;        /* tokens of the last run */
    double empty_ns; /* a bracket with nothing in it: what the measuring adds to each call, about */
};

/* Runs the last batch once more with a barrier and a timestamp around every call: nothing overlaps,
 * so the sum is more than the run took. Writing the same keys and values again changes nothing.
 * FAULT_UNSUPPORTED where the queue has no timestamps. Free times->items, also after a failure. */
bool exec_gpu_times(struct exec *exec, struct gpu_times *times, struct fault *fault);

#endif
