/* gpu_weights.h: the inside of struct gpu_weights, shared by the files of exec_gpu.
 *
 * A matrix on the device holds the rows of one weight, or of several that one vector is multiplied
 * with (q, k and v; gate and up) one behind the other, so that one kernel call can do them all. */
#ifndef LICHEN_GPU_WEIGHTS_H
#define LICHEN_GPU_WEIGHTS_H

#include "exec_gpu.h"
#include "gpu_matmul.h"
#include "gpu_pool.h"

struct gpu_place {   /* where the rows of a weight begin */
    uint32_t matrix; /* PLAN_NONE: it is not used as a matrix */
    uint32_t row;
};

struct gpu_weights {
    const struct plan *plan;
    uint32_t host_layers;        /* the last layers, whose matrices lie in host memory */
    struct gpu_pool pool, host;  /* of the device, and of host memory */
    struct gpu_matrix *matrices; /* [matrix_count] */
    bool *hosted;                /* [matrix_count] it lies in the host pool */
    struct gpu_range *biases;    /* [matrix_count] float32 [rows], 0 where a step has none; size 0:
                                    no step has one */
    uint32_t *matrix_items;      /* [matrix_count] first item in its pool: shards' planes */
    uint32_t *bias_items;        /* [matrix_count] item of the bias in the device's pool */
    uint32_t matrix_count;
    struct gpu_place *places;  /* [weight_count] */
    struct gpu_range *vectors; /* [weight_count] float32 [cols] of norms; size 0: not used so */
    uint32_t *vector_items;    /* [weight_count] */
};

/* Decides matrices and shards and places everything in the pool, without allocating on the device:
 * the memory plan stops here, loading goes on. gpu_weights_free also after a failure. */
bool gpu_weights_place(struct gpu_device *device, const struct plan *plan, uint32_t host_layers,
                       struct gpu_weights **out, struct fault *fault);

/* Puts every weight that is used as a matrix into one (gpu_join.c): fills places, and dtype, rows,
 * cols and interleave of matrices; both are zeroed arrays of [weight_count]. Returns the number of
 * matrices. */
uint32_t gpu_join_weights(const struct plan *plan, uint32_t interleave, struct gpu_place *places,
                          struct gpu_matrix *matrices);

static inline const struct gpu_matrix *weights_matrix(const struct gpu_weights *weights,
                                                      uint32_t weight)
{
    return &weights->matrices[weights->places[weight].matrix];
}

/* The pool that a matrix lies in. */
static inline struct gpu_pool *weights_pool(struct gpu_weights *weights, uint32_t matrix)
{
    return weights->hosted[matrix] ? &weights->host : &weights->pool;
}

/* First row of a reference inside its matrix. */
static inline uint32_t weights_row(const struct gpu_weights *weights, struct weight_ref ref)
{
    return weights->places[ref.weight].row + ref.row_first;
}

#endif
