/* gpu_pool.c: ranges packed one behind the other; a range that does not fit begins a new buffer. */
#include "gpu_pool.h"
#include <stdlib.h>

#define POOL_BUFFER_MAX (1ULL << 30)
enum { POOL_ALIGNMENT = 256 };

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t gpu_range_limit(const struct gpu_device *device)
{
    const struct gpu_info *info = gpu_device_info(device);
    return least(least(info->storage_range_max, info->allocation_max), POOL_BUFFER_MAX) &
           ~(uint64_t)(POOL_ALIGNMENT - 1);
}

void gpu_pool_init(struct gpu_pool *pool, const struct gpu_device *device, const char *name,
                   enum gpu_memory memory)
{
    const struct gpu_info *info = gpu_device_info(device);
    *pool = (struct gpu_pool){
        .name = name,
        .memory = memory,
        .alignment =
            info->storage_alignment > POOL_ALIGNMENT ? info->storage_alignment : POOL_ALIGNMENT,
        .buffer_max = least(info->allocation_max, POOL_BUFFER_MAX),
        .exact = gpu_exact_buffers(device),
    };
}

void gpu_pool_free(struct gpu_pool *pool, struct gpu_device *device)
{
    for (uint32_t i = 0; i < pool->buffer_count && pool->buffers; i++)
        gpu_buffer_destroy(device, pool->buffers[i]);
    free(pool->buffers);
    free(pool->sizes);
    free(pool->items);
    *pool = (struct gpu_pool){0};
}

/* items with room for one more; *capacity grows by doubling. */
static void *grow(void *items, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    uint32_t wanted = *capacity ? 2 * *capacity : 64;
    void *grown = realloc(items, wanted * size);
    if (grown)
        *capacity = wanted;
    return grown;
}

static bool pool_room(struct gpu_pool *pool, struct fault *fault)
{
    void *items = grow(pool->items, pool->item_count, &pool->item_capacity, sizeof *pool->items);
    if (items)
        pool->items = items;
    void *sizes =
        grow(pool->sizes, pool->buffer_count, &pool->buffer_capacity, sizeof *pool->sizes);
    if (sizes)
        pool->sizes = sizes;
    return (items && sizes) || fault_set(fault, FAULT_MEMORY, "no memory for a list of ranges");
}

/* Where the next range begins in the last buffer. */
static uint64_t pool_next(const struct gpu_pool *pool)
{
    uint64_t size = pool->buffer_count ? pool->sizes[pool->buffer_count - 1] : 0;
    return (size + pool->alignment - 1) / pool->alignment * pool->alignment;
}

bool gpu_pool_add(struct gpu_pool *pool, const struct gpu_device *device, uint64_t size,
                  const char *what, uint32_t *item, struct fault *fault)
{
    uint64_t limit = gpu_range_limit(device), offset = pool_next(pool);
    size = size ? size : 4;
    if (size > limit)
        return fault_set(fault, FAULT_DEVICE,
                         "%s: %llu bytes, but this device binds at most %llu at once", what,
                         (unsigned long long)size, (unsigned long long)limit);
    if (!pool_room(pool, fault))
        return false;
    if (pool->buffer_count == 0 || pool->exact || offset + size > pool->buffer_max) {
        pool->sizes[pool->buffer_count++] = 0;
        offset = 0;
    }
    pool->sizes[pool->buffer_count - 1] = offset + size;
    pool->items[pool->item_count] = (struct gpu_pool_item){
        .buffer = pool->buffer_count - 1,
        .offset = offset,
        .size = size,
    };
    *item = pool->item_count++;
    return true;
}

bool gpu_pool_allocate(struct gpu_pool *pool, struct gpu_device *device, struct fault *fault)
{
    pool->buffers =
        calloc(pool->buffer_count ? pool->buffer_count : 1, sizeof(struct gpu_buffer *));
    if (!pool->buffers)
        return fault_set(fault, FAULT_MEMORY, "no memory for a list of buffers");
    bool created = true;
    for (uint32_t i = 0; i < pool->buffer_count && created; i++)
        created = (pool->unfilled ? gpu_buffer_create_unfilled : gpu_buffer_create)(
            device, pool->sizes[i], pool->memory, pool->name, &pool->buffers[i], fault);
    return created;
}

struct gpu_range gpu_pool_range(const struct gpu_pool *pool, uint32_t item)
{
    const struct gpu_pool_item *place = &pool->items[item];
    return (struct gpu_range){
        .buffer = pool->buffers ? pool->buffers[place->buffer] : NULL,
        .offset = place->offset,
        .size = place->size,
    };
}

bool gpu_pool_estimate(const struct gpu_pool *pool, struct gpu_device *device,
                       uint64_t total[GPU_HEAP_MAX], struct fault *fault)
{
    for (uint32_t i = 0; i < pool->buffer_count; i++) {
        uint64_t allocated;
        uint32_t heap;
        if (!gpu_buffer_estimate(device, pool->sizes[i], pool->memory, &allocated, &heap, fault))
            return false;
        total[heap] += allocated;
    }
    return true;
}

void gpu_pool_used(const struct gpu_pool *pool, uint64_t total[GPU_HEAP_MAX])
{
    for (uint32_t i = 0; i < pool->buffer_count && pool->buffers; i++)
        if (pool->buffers[i])
            total[gpu_buffer_heap(pool->buffers[i])] += gpu_buffer_allocated(pool->buffers[i]);
}
