/* matmul.h: shared by C and GLSL: what the matmul kernels are told. All of them compute
 *   y[t * y_stride + y_first + r] = sum_c W[r][c] * x[t * cols + c]
 *                                   (+ bias[bias_first + r])
 *                                   (+ residual[t * residual_stride + residual_first + r])
 * for t < run.count (or run.outputs) and r < rows, W row 0 being plane_row of the bound planes. */
#ifndef LICHEN_MATMUL_H
#define LICHEN_MATMUL_H

#ifdef GL_core_profile
#define MATMUL_UINT uint
#else
#include <stdint.h>
#define MATMUL_UINT uint32_t
#endif

/* Bindings; 0, 1, 2 are the planes of W. Unused ones are bound to anything. */
#define MATMUL_X 3        /* float32, or int8 planes (A16, A8) */
#define MATMUL_X_SCALES 4 /* vec2 a token and group of 32 columns, A16 and A8 */
#define MATMUL_Y 5
#define MATMUL_BIAS 6
#define MATMUL_RESIDUAL 7
#define MATMUL_RUN 8
#define MATMUL_BINDINGS 9

/* Bits of the epilogue, a specialization constant. */
#define MATMUL_ADD_BIAS 1
#define MATMUL_ADD_RESIDUAL 2

struct matmul_push {
    MATMUL_UINT cols;
    MATMUL_UINT groups; /* ceil(cols / 32) */
    MATMUL_UINT rows;
    MATMUL_UINT plane_row;
    MATMUL_UINT y_stride, y_first;
    MATMUL_UINT bias_first;
    MATMUL_UINT residual_stride, residual_first;
    MATMUL_UINT outputs; /* 1: the token count is run.outputs */
};

#endif
