/* gpu_exec.h: the inside of exec_gpu, shared by its files:
 *
 *   gpu_shape.c    numbers that depend on device and options: buckets, chunks, workgroup sizes
 *   gpu_space.c    the device memory of an executor
 *   gpu_join.c     which weights lie one behind the other
 *   gpu_fuse.c     which steps of the plan share a kernel
 *   gpu_lower.c    plan -> calls (kernel, bindings, grid); gpu_lower_*.c one function an operation
 *   gpu_record.c   calls -> recorded command buffers; barriers follow from reads and writes
 *   gpu_time.c     the last run again, every call between timestamps
 *   exec_gpu.c     running, reading back
 *
 * Memory that calls read and write is divided into areas; an area's id is what barriers are
 * computed from. */
#ifndef LICHEN_GPU_EXEC_H
#define LICHEN_GPU_EXEC_H

#include "exec_gpu.h"
#include "gpu_matmul.h"
#include "gpu_pool.h"
#include "gpu_weights.h"
#include "run.h"
#include "shader_table.h"

enum {
    GPU_TOP_MAX = 256,       /* entries that top() gives without reading all logits */
    GPU_TOP_FIRST = 64,      /* entries computed until someone asks for more */
    GPU_TOP_SEGMENTS = 1024, /* topk_scan.comp */
    GPU_BUCKET_MAX = 8,
    GPU_CALL_ACCESS_MAX = 8,
    GPU_PUSH_WORDS = GPU_PUSH_MAX / 4,
};

/* ---- shape (gpu_shape.c) ---- */

struct gpu_shape {
    enum activation_format format;                  /* what matmuls really read */
    bool software;                                  /* the device is a CPU */
    uint32_t buckets[GPU_BUCKET_MAX], bucket_count; /* tokens of a submission, ascending */
    uint32_t rows_max;    /* largest bucket: rows of ROWS_TOKENS buffers */
    uint32_t outputs_max; /* rows of ROWS_OUTPUTS buffers */
    /* workgroup sizes */
    uint32_t element_group; /* independent elements or blocks */
    uint32_t row_group;     /* one workgroup a row or head, with barriers */
    uint32_t pick_group;    /* topk_pick: one workgroup in all */
    uint32_t groups_max;    /* workgroups that share a row of elements */
    /* attention */
    uint32_t attention_group, attention_keys, attention_rows;
    uint32_t split_above; /* decode over more keys than this is split into chunks */
    uint32_t chunk_min;
    uint32_t chunk_target; /* chunks wanted a K/V head */
    double target_ns;      /* of a submission */
    double rate_first;     /* cost units a nanosecond, before anything was measured */
};

bool gpu_shape_init(struct gpu_shape *shape, const struct exec_gpu_options *options,
                    struct fault *fault);
uint32_t gpu_shape_bucket(const struct gpu_shape *shape, uint32_t tokens);
/* Context bucket (positions, a power of two) that holds kv_count positions. */
uint32_t gpu_shape_context(const struct gpu_shape *shape, uint32_t kv_count);
/* True when attention of these many tokens over that context is split into chunks. */
bool gpu_shape_split(const struct gpu_shape *shape, uint32_t tokens, uint32_t context_bucket,
                     bool exact);
/* Keys a chunk, and chunks, when it is split. */
uint32_t gpu_shape_chunk(const struct gpu_shape *shape, uint32_t context_bucket, bool exact);

/* ---- space (gpu_space.c) ---- */

#define AREA_CONSTANT 0xFFFFFFFFu

struct gpu_area {
    struct gpu_range range; /* size 0: does not exist */
    uint32_t id;            /* AREA_CONSTANT: never written by a call */
};

enum gpu_joined { JOINED_STORE, JOINED_GLU, JOINED_COUNT }; /* who reads a joined product */

struct gpu_slopes {
    const float *host; /* plan's */
    uint32_t count, item;
};

struct gpu_space {
    struct gpu_pool kv, state, results, input;
    struct gpu_area *slots;         /* [slot_count] float32 [rows, slot_width] */
    struct gpu_area *quants;        /* [slot_count] packed-dot form of the slot, or size 0 */
    struct gpu_area *scales;        /* [slot_count] */
    struct gpu_area *keys, *values; /* [layer_count] */
    struct gpu_area rope[PLAN_ROPE_MAX];
    struct gpu_slopes *slopes; /* [slopes_count] distinct alibi tables */
    uint32_t slopes_count;
    struct gpu_area joined[JOINED_COUNT]; /* one token's */
    /* one token's vector in front of its RMS norm times the norm's weight, and parts of its sum of
     * squares */
    struct gpu_area normed, normed_quants, normed_scales, squares;
    struct gpu_area partials, maxima, found, run, tokens, dummy;
    struct gpu_range run_host; /* where the host writes; copied to run when that is not mapped */
    uint64_t run_size;         /* run_params and tokens together */
    uint32_t tokens_offset;    /* bytes from run to tokens */
    uint32_t area_count;       /* ids are below it */
    struct gpu_range lent;     /* for bindings that a kernel does not use */
};

/* Places everything; with allocate also allocates and fills tables. gpu_space_free in any case. */
bool gpu_space_init(struct gpu_space *space, const struct exec_gpu_options *options,
                    const struct gpu_shape *shape, bool allocate, struct fault *fault);
void gpu_space_free(struct gpu_space *space, struct gpu_device *device);
struct gpu_area gpu_space_slopes(const struct gpu_space *space, const float *slopes);

/* ---- calls (gpu_lower.c) ---- */

struct gpu_access {
    uint32_t id;
    bool write;
};

struct gpu_call {
    struct gpu_matmul *matmul; /* or a kernel: */
    struct gpu_kernel *kernel;
    struct gpu_binding *binding;
    uint32_t push[GPU_PUSH_WORDS];
    uint32_t groups[3];
    struct gpu_access access[GPU_CALL_ACCESS_MAX];
    uint32_t access_count;
    bool chunked; /* push words chunk_word (chunk), + 1 (chunk_max) are set at recording */
    uint32_t chunk_word;
    bool chunk_groups; /* and groups[2] = chunks */
    bool outputs;      /* left out when no logits are wanted */
    uint64_t cost;     /* multiply-adds, about */
    uint64_t key_cost; /* more for each position of the context bucket */
    uint64_t weight_bytes;
    uint32_t step; /* of the plan; PLAN_NONE: what follows the plan (top-k) */
};

struct gpu_program { /* the plan lowered for one bucket */
    uint32_t tokens, outputs;
    bool split;
    struct gpu_call *calls; /* [call_count] */
    uint32_t call_count, call_capacity;
    uint32_t *step_calls; /* [step_count] calls after which the step's output can be read; 0 = the
                             step was fused away */
    bool top;             /* ends with top-k */
    bool quants;          /* some matmul reads packed-dot activations */
    struct gpu_program *next;
};

struct exec_gpu;
bool gpu_program_create(struct exec_gpu *gpu, uint32_t tokens, uint32_t outputs, bool split,
                        struct gpu_program **out, struct fault *fault);
void gpu_program_destroy(struct exec_gpu *gpu, struct gpu_program *program); /* NULL allowed */

/* ---- recordings (gpu_record.c) ---- */

struct gpu_segment { /* one submission */
    struct gpu_commands *commands;
    uint64_t cost;
};

struct gpu_recording {
    const struct gpu_program *program;
    uint32_t context_bucket;
    bool outputs; /* with the calls behind SELECT */
    struct gpu_segment *segments;
    uint32_t segment_count;
    uint32_t dispatches, barriers;
    uint64_t weight_bytes;
    uint64_t budget; /* most cost of a segment it was cut for */
    double rate;     /* cost units a nanosecond: measured, or the shape's first guess */
    bool stale;      /* the budget turned out wrong: cut again before the next run */
    struct gpu_recording *next;
};

/* The recording for a submission of these many tokens, made on first use. */
bool gpu_recording_get(struct exec_gpu *gpu, uint32_t tokens, uint32_t outputs, uint32_t kv_count,
                       struct gpu_recording **out, struct fault *fault);
/* Calls first .. count of the program into new commands (peek, top-k), a barrier behind each.
 * timed: timestamps 0 and 1 with nothing but a barrier between, then one behind every call. */
bool gpu_record_calls(struct exec_gpu *gpu, const struct gpu_program *program, uint32_t first,
                      uint32_t count, uint32_t context_bucket, bool timed,
                      struct gpu_commands **out, struct fault *fault);
uint64_t gpu_call_cost(const struct exec_gpu *gpu, const struct gpu_call *call,
                       uint32_t context_bucket);
/* Submits its segments one by one; tokens of the bucket that are really there. */
bool gpu_recording_run(struct exec_gpu *gpu, struct gpu_recording *recording, uint32_t tokens,
                       const volatile bool *cancel, struct fault *fault);
void gpu_recordings_free(struct exec_gpu *gpu);

/* ---- the executor (exec_gpu.c) ---- */

struct gpu_part { /* of a batch: one submission, or several of the same tokens */
    uint32_t first, count; /* tokens of the batch */
    uint32_t outputs;      /* of the part's last tokens */
    uint32_t row;          /* of the batch's outputs: where the part's begin */
};

/* The part of the last run that begins at token `first`, its recording, and its parameters written
 * to the device. */
bool gpu_part_prepare(struct exec_gpu *gpu, uint32_t first, struct gpu_part *part,
                      struct gpu_recording **out, struct fault *fault);

struct exec_gpu {
    struct exec exec;
    struct exec_gpu_options options;
    struct gpu_shape shape;
    struct gpu_space space;
    struct gpu_program *programs;
    struct gpu_recording *recordings;
    uint32_t top;            /* entries of top-k that are computed with every run */
    uint64_t attention_cost; /* of a token and key in a layer */
    struct gpu_run_stats stats;
    /* the last run */
    int32_t *tokens; /* [batch_max] */
    struct batch batch;
    const struct gpu_program *last_program; /* of the submission that had the outputs */
    float *host_logits;                     /* [outputs_max, vocab] when runs with so many outputs
                                               take several submissions, else NULL */
    bool logits_on_host;
};

static inline struct gpu_device *exec_device(const struct exec_gpu *gpu)
{
    return gpu->options.device;
}

#endif
