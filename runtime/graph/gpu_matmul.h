/* gpu_matmul.h: y = W x on the device, for every weight type: chooses kernel and tiling, binds,
 * records. Knows rows, columns and tokens, nothing of models.
 *
 *   y[t][r] = sum_c W[r][c] * x[t][c]  (+ bias[r])  (+ residual[t][r])
 *
 * With one token a call may do more (struct gpu_matmul_finish, shaders/matmul_finish.glsl), and may
 * divide by the root mean square of what x was before the norm (squares).
 * Buffers are float32 row-major [tokens, width]. Weights are planes (planes.h) in row shards.
 * With ACTIVATIONS_16/8 the packed-dot kernels read x as int8 planes written by the quantize
 * kernel (or a producer that writes that layout itself):
 *   A16, per token and block of 32 columns: ivec4 lo0, lo1, hi0, hi1 (x = d * (256 * hi + lo)) in
 *   the quant buffer [tokens][blocks][16 words]; vec2 (d, d * sum(256 * hi + lo)) in the scale
 *   buffer [tokens][blocks].  A8: 8 words, (d, d * sum(q)). */
#ifndef LICHEN_GPU_MATMUL_H
#define LICHEN_GPU_MATMUL_H

#include "exec_gpu.h"
#include "planes.h"

enum { GPU_SHARD_MAX = 64 };

struct gpu_matrix_shard {
    uint32_t row_first, row_count;
    struct gpu_range plane[PLANE_MAX];
};

struct gpu_matrix { /* one weight on the device */
    enum dtype dtype;
    uint32_t rows, cols;
    uint32_t interleave; /* of its planes (planes.h) */
    uint32_t shard_count;
    struct gpu_matrix_shard *shards; /* [shard_count] */
};

/* How planes should be laid out for the kernels that run on a device. */
uint32_t gpu_matmul_interleave(const struct gpu_info *info);

enum matmul_finish { FINISH_STORE, FINISH_GLU, FINISH_NORM, FINISH_HEADS };

struct gpu_matmul_finish {
    enum matmul_finish kind; /* STORE: nothing below is read */
    bool floats;             /* GLU into y, NORM into normed */
    uint32_t quant;          /* GLU, NORM: 0 none, 1 A16, 2 A8, outputs a multiple of 32 */
    struct gpu_range quants, scales;
    /* GLU: rows / 2 outputs */
    uint32_t activation; /* enum activation */
    bool swap;           /* it is of the second half of the rows */
    /* NORM: x = y, n = x * gain, squares = a float a workgroup (gpu_matmul_groups) */
    struct gpu_range gain, normed, squares;
    /* HEADS: q into y, k and v into caches at run.position */
    struct gpu_range table, keys, values;
    bool adjacent, cache_f32;
    uint32_t head_dim; /* a multiple of 4, all of it turns */
    uint32_t k_first, v_first, kv_rows, context;
};

struct gpu_matmul_call {
    const struct gpu_matrix *matrix;
    uint32_t row_first, row_count; /* the rows of W that are used */
    uint32_t tokens_max;           /* the bucket; the actual count comes from the run buffer */
    struct gpu_range x;            /* float32 [tokens, cols]; always given */
    struct gpu_range x_quants;     /* packed-dot form of x, size 0 when not available */
    struct gpu_range x_scales;
    struct gpu_range y;        /* float32 [tokens, y_stride] */
    uint32_t y_stride;         /* floats from one token to the next, >= row_count */
    uint32_t y_first;          /* float offset of row 0 inside a token's row */
    struct gpu_range bias;     /* float32 [matrix rows], size 0 = none */
    struct gpu_range residual; /* float32 [tokens, row_count], size 0 = none; may equal y */
    struct gpu_range run;      /* struct run_params (shaders/run.h), token counts */
    bool outputs;              /* token count = run.outputs instead of run.count */
    struct gpu_range squares;  /* [square_count], size 0 = x is as it is */
    uint32_t square_count;
    float eps;
    struct gpu_matmul_finish finish;
};

struct gpu_matmul; /* prepared: kernels and bindings; recorded any number of times */

/* True when a call with that many tokens wants x in packed-dot form (so that the caller quantizes
 * once for all matrices that share x). */
bool gpu_matmul_wants_quants(struct gpu_device *device, enum dtype dtype, uint32_t tokens_max,
                             enum activation_format format);
bool gpu_matmul_prepare(struct gpu_device *device, const struct gpu_matmul_call *call,
                        enum activation_format format, struct gpu_matmul **out,
                        struct fault *fault);
/* Workgroups of a matmul that is one dispatch: the squares that FINISH_NORM writes. */
uint32_t gpu_matmul_groups(const struct gpu_matmul *matmul);
/* True when the kernels for one token of this type can do more than store on the device. */
bool gpu_matmul_can_finish(struct gpu_device *device, enum dtype dtype);
/* True when the call has one token and its rows lie in one shard, as every finish needs. */
bool gpu_matmul_finishes(const struct gpu_matmul_call *call);
void gpu_matmul_release(struct gpu_device *device, struct gpu_matmul *matmul);
void gpu_matmul_record(const struct gpu_matmul *matmul, struct gpu_commands *commands);
/* What it dispatches: a name and how many times. */
const char *gpu_matmul_name(const struct gpu_matmul *matmul);
uint32_t gpu_matmul_dispatches(const struct gpu_matmul *matmul);

/* Bytes of the packed-dot form for a token of cols columns. */
uint64_t gpu_quants_size(uint32_t cols, enum activation_format format);
uint64_t gpu_scales_size(uint32_t cols);

#endif
