/* gpu.h: Vulkan compute as nouns without model words: device, buffer, kernel (a compute pipeline),
 * binding (a descriptor set), commands (a command buffer), timing. Only this folder includes
 * vulkan.h; all entry points are loaded at run time, so a machine without Vulkan is a fault with a
 * sentence and not a program that does not start. Minimum Vulkan 1.2; every optional feature is
 * probed. One thread at a time uses a device.
 *
 * Every VkResult is checked. VK_ERROR_DEVICE_LOST gives FAULT_DEVICE_LOST and from then on every
 * call on the device fails with it; out of memory gives FAULT_DEVICE and names the request. */
#ifndef LICHEN_GPU_H
#define LICHEN_GPU_H

#include "fault.h"
#include <stddef.h>
#include <stdint.h>

/* ---- devices (gpu_device.c) ---- */

enum gpu_type { GPU_DISCRETE, GPU_INTEGRATED, GPU_VIRTUAL, GPU_SOFTWARE, GPU_OTHER };

enum { GPU_HEAP_MAX = 16, GPU_DEVICE_MAX = 32 };

struct gpu_heap {
    uint64_t capacity; /* bytes */
    uint64_t free;     /* bytes by VK_EXT_memory_budget, else capacity */
    bool device_local;
    bool host_visible;
};

struct gpu_info {
    uint32_t index; /* as enumerated */
    char name[256];
    char uuid[37]; /* 8-4-4-4-12 lower-case hex */
    enum gpu_type type;
    char driver[256];        /* driverName and driverInfo */
    uint32_t api_version;    /* VK_MAKE_API_VERSION */
    uint32_t driver_version; /* raw */
    uint32_t vendor_id, device_id;
    uint32_t heap_count;
    struct gpu_heap heaps[GPU_HEAP_MAX];
    bool unified_memory; /* no discrete GPU, and every device-local heap is host visible */
    /* features lichen uses */
    bool packed_dot;             /* shaderIntegerDotProduct */
    bool packed_dot_accelerated; /* 4x8 packed signed */
    bool subgroup_arithmetic;
    bool subgroup_size_control;
    bool float16, storage16, storage8; /* never required */
    bool memory_budget, memory_priority, pipeline_statistics, timestamps;
    uint32_t subgroup_size, subgroup_min, subgroup_max;
    /* limits that bind */
    uint64_t storage_range_max; /* maxStorageBufferRange */
    uint64_t allocation_max;    /* maxMemoryAllocationSize */
    uint32_t shared_memory;     /* bytes a workgroup */
    uint32_t invocations_max;   /* a workgroup */
    uint32_t group_count_max[3];
    uint32_t storage_alignment;   /* minStorageBufferOffsetAlignment */
    uint32_t storage_binding_max; /* storage buffers of a stage */
    double timestamp_ns;          /* a tick */
    bool usable;
    char reason[256]; /* why chosen or why not */
};

/* Lists physical devices best first: discrete, integrated, virtual, software; within a type by
 * device-local memory. *count devices written, at most GPU_DEVICE_MAX. No Vulkan loader or no
 * device: true with *count 0 and `none` (may be NULL) saying why. */
bool gpu_list(struct gpu_info infos[GPU_DEVICE_MAX], uint32_t *count, char none[256],
              struct fault *fault);

/* Chooses among a list of gpu_list: NULL or "auto" = the first usable; an index as enumerated, a
 * part of a name (any case), a UUID. Writes every info's reason. No match is a fault that names the
 * candidates. *chosen indexes infos. */
bool gpu_choose(struct gpu_info *infos, uint32_t count, const char *device, uint32_t *chosen,
                struct fault *fault);

struct gpu_options {
    const char *device;       /* NULL or "auto" = best; an index, a part of a name, a UUID */
    const char *cache_folder; /* for the pipeline cache; NULL = none */
    bool exact_buffers;       /* tests: callers put nothing else into a tensor's buffer */
    bool robust;              /* robustBufferAccess, on in the product */
    bool validate;            /* tests: validation layer, messages >= warning counted */
    bool validate_sync;       /* tests: with validate: synchronization validation */
    bool validate_gpu;        /* tests: with validate: GPU-assisted (then robust must be off) */
    /* tests: called for each counted message, also those of gpu_close; may be NULL */
    void (*on_message)(void *context, const char *text);
    void *message_context;
    bool poison; /* tests: fresh memory is filled with 0xFF before it is cleared */
    /* Hides optional features to test the fallbacks; hide_mapped: device memory as if the host
     * could not see it (staging), whatever the device. */
    bool hide_packed_dot, hide_subgroups, hide_mapped;
};

struct gpu_device;

bool gpu_open(const struct gpu_options *options, struct gpu_device **out, struct fault *fault);
void gpu_close(struct gpu_device *device); /* NULL is allowed; saves the pipeline cache */
const struct gpu_info *gpu_device_info(const struct gpu_device *device);
bool gpu_lost(const struct gpu_device *device);
bool gpu_exact_buffers(const struct gpu_device *device); /* the option */
/* Validation messages so far (validate), and the first one's text. */
uint32_t gpu_validation_count(const struct gpu_device *device, const char **first);
/* Free bytes now (memory budget), for the heap that `device` memory comes from. */
uint64_t gpu_memory_free(struct gpu_device *device);
/* Bytes allocated from the driver by this device so far, by heap index. */
uint64_t gpu_memory_used(const struct gpu_device *device, uint32_t heap);

/* ---- buffers (gpu_memory.c, gpu_upload.c) ---- */

enum gpu_memory {
    GPU_MEMORY_DEVICE,  /* device local; mapped too where that costs nothing (unified memory) */
    GPU_MEMORY_HOST,    /* host visible, coherent, for staging and spilled weights */
    GPU_MEMORY_READBACK /* host visible, cached where there is one, for results */
};

/* The heap that this kind of memory comes from. */
uint32_t gpu_memory_heap(const struct gpu_device *device, enum gpu_memory memory);

struct gpu_buffer; /* one VkBuffer with its own memory; storage, transfer source and destination */

/* size bytes, zero-filled. size > min(allocation_max, 1 GiB) is a fault: the caller splits. */
bool gpu_buffer_create(struct gpu_device *device, uint64_t size, enum gpu_memory memory,
                       const char *name, struct gpu_buffer **out, struct fault *fault);
/* The same, but memory that is mapped is left as it is: the owner writes every byte that is read. */
bool gpu_buffer_create_unfilled(struct gpu_device *device, uint64_t size, enum gpu_memory memory,
                                const char *name, struct gpu_buffer **out, struct fault *fault);
void gpu_buffer_destroy(struct gpu_device *device, struct gpu_buffer *buffer); /* NULL allowed */
uint64_t gpu_buffer_size(const struct gpu_buffer *buffer);
uint64_t gpu_buffer_allocated(const struct gpu_buffer *buffer); /* bytes taken from the heap */
uint32_t gpu_buffer_heap(const struct gpu_buffer *buffer);
void *gpu_buffer_map(const struct gpu_buffer *buffer); /* NULL when not host visible */
/* Fills with zeros, waiting for the device. Not for the hot path. */
bool gpu_buffer_clear(struct gpu_device *device, struct gpu_buffer *buffer, struct fault *fault);

/* The bytes gpu_buffer_create would take for size and from which heap, before anything is
 * allocated (vkGetDeviceBufferMemoryRequirements or a probing buffer): the memory plan uses it. */
bool gpu_buffer_estimate(struct gpu_device *device, uint64_t size, enum gpu_memory memory,
                         uint64_t *allocated, uint32_t *heap, struct fault *fault);

/* Writes bytes into a buffer: directly where it is mapped, else through a ring of staging buffers
 * created on first use (gpu_upload_staging says how big). gpu_upload_finish waits for all. */
bool gpu_upload(struct gpu_device *device, struct gpu_buffer *buffer, uint64_t offset,
                const void *bytes, uint64_t size, struct fault *fault);
bool gpu_upload_finish(struct gpu_device *device, struct fault *fault);
/* Reads back, waiting for the device. Not for the hot path. */
bool gpu_download(struct gpu_device *device, struct gpu_buffer *buffer, uint64_t offset,
                  void *bytes, uint64_t size, struct fault *fault);
uint64_t gpu_upload_staging(const struct gpu_device *device); /* bytes it takes or would take */

/* ---- kernels (gpu_pipeline.c) ---- */

enum { GPU_BINDING_MAX = 15, GPU_SPEC_MAX = 16, GPU_PUSH_MAX = 128 };

struct gpu_kernel; /* a pipeline, owned by the device, shared by equal requests */

struct gpu_kernel_request {
    const uint32_t *code;        /* SPIR-V, stays valid while the device lives */
    size_t code_size;            /* bytes */
    const char *name;            /* for messages, stays valid as well */
    uint32_t binding_count;      /* storage buffers, bindings 0..count-1 of set 0 */
    uint32_t push_size;          /* bytes of push constants */
    uint32_t spec[GPU_SPEC_MAX]; /* specialization constants with ids 0..spec_count-1 */
    uint32_t spec_count;
    /* Required size (needs subgroup_size_control; a power of two in subgroup_min..subgroup_max), 0
     * = any. With it subgroups are full: the workgroup's x must be a multiple of it. */
    uint32_t subgroup_size;
};

/* Finds or builds; created on first use, kept until gpu_close, VkPipelineCache behind it. */
bool gpu_kernel_get(struct gpu_device *device, const struct gpu_kernel_request *request,
                    struct gpu_kernel **out, struct fault *fault);
uint32_t gpu_kernel_count(const struct gpu_device *device);
const char *gpu_kernel_name(const struct gpu_kernel *kernel);

/* Writes the pipeline cache file now if it has changed; gpu_close does the same and keeps quiet
 * about a failure. False with a fault when it could not be written, which harms nothing. */
bool gpu_cache_save(struct gpu_device *device, struct fault *fault);
/* For people: "no cache file", "loaded 12345 bytes", "ignored: wrong checksum", ... */
const char *gpu_cache_state(const struct gpu_device *device);

/* ---- bindings and commands (gpu_command.c) ---- */

struct gpu_range {
    struct gpu_buffer *buffer;
    uint64_t offset; /* multiple of storage_alignment */
    uint64_t size;   /* bytes, 0 = to the end */
};

struct gpu_binding; /* a descriptor set, written once; owned by the device until released */

bool gpu_bind(struct gpu_device *device, struct gpu_kernel *kernel, const struct gpu_range *ranges,
              uint32_t count, struct gpu_binding **out, struct fault *fault);
void gpu_unbind(struct gpu_device *device, struct gpu_binding *binding); /* NULL is allowed */

struct gpu_commands; /* a command buffer: recorded once, submitted many times */

bool gpu_commands_create(struct gpu_device *device, struct gpu_commands **out, struct fault *fault);
void gpu_commands_destroy(struct gpu_device *device, struct gpu_commands *commands);
/* Begins with a barrier against everything submitted before, which is not counted. */
bool gpu_record_begin(struct gpu_commands *commands, struct fault *fault);
void gpu_record_dispatch(struct gpu_commands *commands, struct gpu_kernel *kernel,
                         struct gpu_binding *binding, const void *push, uint32_t x, uint32_t y,
                         uint32_t z);
/* Shader and transfer writes before it are visible to shader and transfer accesses after it. */
void gpu_record_barrier(struct gpu_commands *commands);
void gpu_record_copy(struct gpu_commands *commands, struct gpu_range source,
                     struct gpu_range target);
/* Makes shader writes visible to the host's reads of mapped buffers, at the end of a recording. */
void gpu_record_host_barrier(struct gpu_commands *commands);
enum { GPU_TIMESTAMP_MAX = 4096 };

/* Empties slots 0 .. count at once, so that the timestamps into them cost nothing more. */
void gpu_record_timing(struct gpu_commands *commands, uint32_t count);
/* A timestamp into slot (< GPU_TIMESTAMP_MAX) once everything before it is done; read by
 * gpu_timing_read after the wait. */
void gpu_record_timestamp(struct gpu_commands *commands, uint32_t slot);
bool gpu_record_end(struct gpu_commands *commands, struct fault *fault);
uint32_t gpu_recorded_dispatches(const struct gpu_commands *commands);
uint32_t gpu_recorded_barriers(const struct gpu_commands *commands);

/* Submits and returns; at most one submission of the same commands may be in flight.
 * Host writes to mapped memory before the submit are visible to it. */
bool gpu_submit(struct gpu_device *device, struct gpu_commands *commands, struct fault *fault);
/* Waits for everything submitted so far. */
bool gpu_wait(struct gpu_device *device, struct fault *fault);
uint64_t gpu_submit_count(const struct gpu_device *device);
/* Nanoseconds between two slots of the last run of commands; 0 when the device has no timestamps.
 */
double gpu_timing_read(struct gpu_device *device, uint32_t from_slot, uint32_t to_slot);

#endif
