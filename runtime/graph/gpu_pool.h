/* gpu_pool.h: many device ranges in few buffers of at most 1 GiB. Ranges are added first and placed
 * at once; then the buffers are allocated, or only estimated: the memory plan runs the code that
 * allocates. With the device's exact_buffers (tests) every range is a buffer of exactly its size.
 */
#ifndef LICHEN_GPU_POOL_H
#define LICHEN_GPU_POOL_H

#include "gpu.h"
#include <stdbool.h>

struct gpu_pool_item {
    uint32_t buffer;
    uint64_t offset, size; /* bytes */
};

struct gpu_pool {
    const char *name; /* for messages, constant */
    enum gpu_memory memory;
    uint64_t alignment, buffer_max;
    bool exact;
    bool unfilled;               /* mapped buffers are not cleared: the owner fills all ranges */
    struct gpu_pool_item *items; /* [item_count] */
    uint32_t item_count, item_capacity;
    uint64_t *sizes;             /* [buffer_count] bytes */
    struct gpu_buffer **buffers; /* [buffer_count], NULL before gpu_pool_allocate */
    uint32_t buffer_count, buffer_capacity;
};

void gpu_pool_init(struct gpu_pool *pool, const struct gpu_device *device, const char *name,
                   enum gpu_memory memory);
void gpu_pool_free(struct gpu_pool *pool, struct gpu_device *device); /* accepts a zeroed one */

/* Places size bytes (at most the largest storage range of the device, else a fault that names
 * what). *item is the range's number. size 0 is taken as 4. */
bool gpu_pool_add(struct gpu_pool *pool, const struct gpu_device *device, uint64_t size,
                  const char *what, uint32_t *item, struct fault *fault);
bool gpu_pool_allocate(struct gpu_pool *pool, struct gpu_device *device, struct fault *fault);
struct gpu_range gpu_pool_range(const struct gpu_pool *pool, uint32_t item);
/* Adds the bytes that allocation takes to total[heap]. */
bool gpu_pool_estimate(const struct gpu_pool *pool, struct gpu_device *device,
                       uint64_t total[GPU_HEAP_MAX], struct fault *fault);
/* Adds the bytes that the allocated buffers took. */
void gpu_pool_used(const struct gpu_pool *pool, uint64_t total[GPU_HEAP_MAX]);

/* The largest range that may be bound: min(maxStorageBufferRange, 1 GiB, largest allocation). */
uint64_t gpu_range_limit(const struct gpu_device *device);

#endif
