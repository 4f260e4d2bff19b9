/* matmul.h: shared by C and GLSL: what the matmul kernels are told. All of them compute
 *   y[t * y_stride + y_first + r] = sum_c W[r][c] * x[t * cols + c]
 *                                   (+ bias[bias_first + r])
 *                                   (+ residual[t * residual_stride + residual_first + r])
 * for t < run.count (or run.outputs) and r < rows, W row 0 being plane_row of the bound planes;
 * the sum is multiplied by a factor before when square_count is not 0. With one token the rest of a
 * fused step may follow (matmul_finish.glsl). */
#ifndef LICHEN_MATMUL_H
#define LICHEN_MATMUL_H

#ifdef GL_core_profile
#define MATMUL_UINT uint
#define MATMUL_FLOAT float
#else
#include <stdint.h>
#define MATMUL_UINT uint32_t
#define MATMUL_FLOAT float
#endif

/* Bindings; 0, 1, 2 are the planes of W. Unused ones are bound to anything. */
#define MATMUL_X 3        /* float32, or int8 planes (A16, A8) */
#define MATMUL_X_SCALES 4 /* vec2 a token and group of 32 columns, A16 and A8 */
#define MATMUL_Y 5
#define MATMUL_BIAS 6
#define MATMUL_RESIDUAL 7
#define MATMUL_RUN 8
/* of matmul_finish.glsl */
#define MATMUL_SQUARES 9
#define MATMUL_GAIN 10   /* or MATMUL_TABLE */
#define MATMUL_NORMED 11 /* or MATMUL_KEYS */
#define MATMUL_QUANTS 12 /* or MATMUL_VALUES */
#define MATMUL_SCALES 13
#define MATMUL_TABLE 10
#define MATMUL_KEYS 11
#define MATMUL_VALUES 12
#define MATMUL_SQUARES_OUT 14
#define MATMUL_BINDINGS 15

/* Bits of the epilogue, a specialization constant. */
#define MATMUL_ADD_BIAS 1
#define MATMUL_ADD_RESIDUAL 2
/* one token, matmul_finish.glsl: */
#define MATMUL_GLU 4
#define MATMUL_NORM 8
#define MATMUL_HEADS 16
#define MATMUL_FLOATS 32    /* GLU, NORM: the result as float32 */
#define MATMUL_QUANTS_16 64 /* and in packed-dot form */
#define MATMUL_QUANTS_8 128
#define MATMUL_SWAP 256            /* GLU: the activation is of the second half of the rows */
#define MATMUL_CACHE_F32 512       /* HEADS */
#define MATMUL_ACTIVATION_SHIFT 10 /* two bits: GLU's enum activation */

struct matmul_push {
    MATMUL_UINT cols;
    MATMUL_UINT groups; /* ceil(cols / 32) */
    MATMUL_UINT rows;
    MATMUL_UINT plane_row;
    MATMUL_UINT y_stride, y_first;
    MATMUL_UINT bias_first;
    MATMUL_UINT residual_stride, residual_first;
    MATMUL_UINT outputs; /* 1: the token count is run.outputs */
    /* x is a vector of squares' sum S before its norm: sums are multiplied by
     * 1 / sqrt(S / cols + eps), S in square_count parts; 0 = not */
    MATMUL_UINT square_count;
    MATMUL_FLOAT eps;
    /* GLU, HEADS: a workgroup's rows come from both halves of every span of so many rows; 0 = they
     * are consecutive */
    MATMUL_UINT pair_span;
    /* HEADS: the rows of k and v, the rest is q; consecutive pairs turn when pair_span is 0 */
    MATMUL_UINT head_dim, k_first, v_first, kv_rows, context;
};

#endif
