/* gpu_weights.h: the inside of struct gpu_weights, shared by the files of exec_gpu. */
#ifndef LICHEN_GPU_WEIGHTS_H
#define LICHEN_GPU_WEIGHTS_H

#include "exec_gpu.h"
#include "gpu_matmul.h"
#include "gpu_pool.h"

struct gpu_weights {
    const struct plan *plan;
    struct gpu_pool pool;
    struct gpu_matrix *matrices; /* [weight_count]; rows 0: not used as a matrix */
    struct gpu_range *vectors;   /* [weight_count] float32 [cols]; size 0: not used as a vector */
    uint32_t *first_item;        /* [weight_count] pool items: shards' planes, then the vector */
};

/* Decides shards and places everything in the pool, without allocating on the device: the memory
 * plan stops here, loading goes on. gpu_weights_free also after a failure. */
bool gpu_weights_place(struct gpu_device *device, const struct plan *plan,
                       struct gpu_weights **out, struct fault *fault);

#endif
