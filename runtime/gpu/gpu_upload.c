/* gpu_upload.c: bytes from the host into buffers and back. Mapped memory is written directly; the
 * rest goes through a ring of staging buffers, so that filling one overlaps copying another. */
#include "gpu_private.h"

#include <assert.h>
#include <string.h>

static uint64_t smaller(uint64_t left, uint64_t right)
{
    return left < right ? left : right;
}

static bool slot_init(struct gpu_device *device, struct gpu_upload_slot *slot, struct fault *fault)
{
    return (slot->staging || gpu_buffer_create(device, GPU_STAGING_SIZE, GPU_MEMORY_HOST,
                                               "staging buffer", &slot->staging, fault)) &&
           (slot->commands || gpu_commands_create(device, &slot->commands, fault));
}

/* The next slot of the ring, free to be written. */
static struct gpu_upload_slot *slot_next(struct gpu_device *device, struct fault *fault)
{
    struct gpu_upload_ring *ring = &device->upload;
    struct gpu_upload_slot *slot = &ring->slots[ring->next];
    ring->next = (ring->next + 1) % GPU_STAGING_SLOTS;
    if (!slot_init(device, slot, fault) || !gpu_commands_wait(device, slot->commands, fault))
        return NULL;
    return slot;
}

static bool upload_part(struct gpu_device *device, struct gpu_buffer *buffer, uint64_t offset,
                        const void *bytes, uint64_t size, struct fault *fault)
{
    struct gpu_upload_slot *slot = slot_next(device, fault);
    if (!slot)
        return false;
    memcpy(slot->staging->mapped, bytes, (size_t)size);
    if (!gpu_record_begin(slot->commands, fault))
        return false;
    gpu_record_copy(slot->commands, (struct gpu_range){slot->staging, 0, size},
                    (struct gpu_range){buffer, offset, size});
    return gpu_record_end(slot->commands, fault) && gpu_submit(device, slot->commands, fault);
}

bool gpu_upload(struct gpu_device *device, struct gpu_buffer *buffer, uint64_t offset,
                const void *bytes, uint64_t size, struct fault *fault)
{
    assert(offset <= buffer->size && size <= buffer->size - offset);
    if (!gpu_alive(device, fault))
        return false;
    if (buffer->mapped) {
        memcpy((char *)buffer->mapped + offset, bytes, (size_t)size);
        return true;
    }
    const char *source = bytes;
    for (uint64_t done = 0; done < size; done += GPU_STAGING_SIZE) {
        uint64_t part = smaller(size - done, GPU_STAGING_SIZE);
        if (!upload_part(device, buffer, offset + done, source + done, part, fault))
            return false;
    }
    return true;
}

bool gpu_upload_finish(struct gpu_device *device, struct fault *fault)
{
    for (uint32_t i = 0; i < GPU_STAGING_SLOTS; i++) {
        struct gpu_commands *commands = device->upload.slots[i].commands;
        if (commands && !gpu_commands_wait(device, commands, fault))
            return false;
    }
    return gpu_alive(device, fault);
}

uint64_t gpu_upload_staging(const struct gpu_device *device)
{
    if (gpu_memory_mapped(device, GPU_MEMORY_DEVICE))
        return 0;
    return (uint64_t)GPU_STAGING_SLOTS * GPU_STAGING_SIZE;
}

void gpu_upload_free(struct gpu_device *device)
{
    for (uint32_t i = 0; i < GPU_STAGING_SLOTS; i++) {
        gpu_commands_destroy(device, device->upload.slots[i].commands);
        gpu_buffer_destroy(device, device->upload.slots[i].staging);
    }
    memset(&device->upload, 0, sizeof device->upload);
}

/* ---- reading back ---- */

static bool flush_to_host(struct gpu_device *device, struct fault *fault)
{
    struct gpu_commands *commands = gpu_internal_begin(device, fault);
    if (!commands)
        return false;
    gpu_record_host_barrier(commands);
    return gpu_internal_finish(device, fault);
}

static bool download_part(struct gpu_device *device, struct gpu_range source,
                          struct gpu_buffer *staging, void *bytes, struct fault *fault)
{
    struct gpu_commands *commands = gpu_internal_begin(device, fault);
    if (!commands)
        return false;
    gpu_record_copy(commands, source, (struct gpu_range){staging, 0, source.size});
    gpu_record_host_barrier(commands);
    if (!gpu_internal_finish(device, fault))
        return false;
    memcpy(bytes, staging->mapped, (size_t)source.size);
    return true;
}

static bool download_staged(struct gpu_device *device, struct gpu_buffer *buffer, uint64_t offset,
                            char *bytes, uint64_t size, struct fault *fault)
{
    struct gpu_buffer *staging = NULL;
    uint64_t chunk = smaller(size, GPU_STAGING_SIZE);
    if (!gpu_buffer_create(device, chunk, GPU_MEMORY_READBACK, "readback buffer", &staging, fault))
        return false;
    bool ok = true;
    for (uint64_t done = 0; ok && done < size; done += chunk) {
        struct gpu_range part = {buffer, offset + done, smaller(size - done, chunk)};
        ok = download_part(device, part, staging, bytes + done, fault);
    }
    gpu_buffer_destroy(device, staging);
    return ok;
}

bool gpu_download(struct gpu_device *device, struct gpu_buffer *buffer, uint64_t offset,
                  void *bytes, uint64_t size, struct fault *fault)
{
    assert(offset <= buffer->size && size <= buffer->size - offset);
    if (!gpu_alive(device, fault))
        return false;
    if (size == 0)
        return true;
    if (!buffer->mapped)
        return download_staged(device, buffer, offset, bytes, size, fault);
    if (!flush_to_host(device, fault))
        return false;
    memcpy(bytes, (const char *)buffer->mapped + offset, (size_t)size);
    return true;
}
