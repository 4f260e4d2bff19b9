/* gpu_private.h: what the files of this folder share: the device's parts, one struct a noun, and
 * the functions between them. Tests include it to replace entries of the dispatch table. */
#ifndef LICHEN_GPU_PRIVATE_H
#define LICHEN_GPU_PRIVATE_H

#include "gpu.h"
#include "gpu_loader.h"

enum {
    GPU_MEMORY_KIND_COUNT = 3,
    GPU_STAGING_SLOTS = 3,
    GPU_STAGING_SIZE = 32 << 20,
};
#define GPU_BUFFER_MAX (1ull << 30)
#define GPU_FENCE_TIMEOUT_NS 120000000000ull

/* ---- instance (gpu_instance.c) ---- */

struct gpu_instance {
    void *library;
    struct gpu_table vk;
    VkInstance handle;
    uint32_t api_version; /* what the instance was created for: 1.2 or 1.3 */
    VkDebugUtilsMessengerEXT messenger;
    uint32_t message_count; /* validation messages >= warning */
    char first_message[2048];
    void (*on_message)(void *context, const char *text); /* may be NULL */
    void *message_context;
};

/* options may be NULL: no validation. The instance must not move until it is closed. */
bool gpu_instance_open(struct gpu_instance *instance, const struct gpu_options *options,
                       struct fault *fault);
void gpu_instance_close(struct gpu_instance *instance); /* accepts a zeroed one */

/* ---- physical devices (gpu_probe.c, gpu_probe_chain.c) ---- */

struct gpu_probe {
    VkPhysicalDevice handle;
    struct gpu_info info;
    VkPhysicalDeviceMemoryProperties memory;
    uint32_t queue_family;
    uint32_t timestamp_bits;
    uint64_t local_size; /* bytes of device-local heaps */
    uint8_t cache_uuid[VK_UUID_SIZE];
    uint8_t device_uuid[VK_UUID_SIZE];
    /* device extensions present */
    bool has_dot, has_size_control, has_budget, has_priority, has_statistics, has_portability;
};

/* Feature structs of one query or one device creation, linked by gpu_chain_init. */
struct gpu_chain {
    VkPhysicalDeviceFeatures2 core;
    VkPhysicalDeviceVulkan11Features v11;
    VkPhysicalDeviceVulkan12Features v12;
    VkPhysicalDeviceShaderIntegerDotProductFeatures dot;
    VkPhysicalDeviceSubgroupSizeControlFeatures size_control;
    VkPhysicalDeviceMemoryPriorityFeaturesEXT priority;
};
/* Zeroes the structs and links those that the device knows. */
void gpu_chain_init(struct gpu_chain *chain, const struct gpu_probe *probe);
/* Fills features and limits of probe->info from the driver; needs Vulkan 1.2 (api_version set). */
void gpu_probe_features(const struct gpu_instance *instance, struct gpu_probe *probe);

/* All devices of the instance, best first. probes: malloc'd, caller frees. */
bool gpu_probe_all(const struct gpu_instance *instance, struct gpu_probe **probes, uint32_t *count,
                   struct fault *fault);
/* Reads capacity and free bytes of the heaps again. */
void gpu_probe_heaps(const struct gpu_instance *instance, struct gpu_probe *probe);

/* ---- choosing (gpu_choose.c) ---- */

/* Writes the reason of a usable device: what it is, then more. */
void gpu_describe(struct gpu_info *info, const char *more);

/* ---- parts of a device ---- */

struct gpu_memory_state {                 /* gpu_memory.c */
    uint32_t type[GPU_MEMORY_KIND_COUNT]; /* memory type index of an enum gpu_memory */
    uint64_t used[GPU_HEAP_MAX];          /* bytes allocated, by heap */
    uint32_t buffer_count;                /* alive */
};

struct gpu_upload_slot {
    struct gpu_buffer *staging;
    struct gpu_commands *commands;
};

struct gpu_upload_ring { /* gpu_upload.c */
    struct gpu_upload_slot slots[GPU_STAGING_SLOTS];
    uint32_t next;
};

struct gpu_kernel_store {                                  /* gpu_pipeline.c, gpu_cache.c */
    VkDescriptorSetLayout set_layout[GPU_BINDING_MAX + 1]; /* by binding count, made on demand */
    VkPipelineLayout layout[GPU_BINDING_MAX + 1];
    struct gpu_kernel **items; /* [count], owned */
    uint32_t count, capacity;
    VkPipelineCache cache;
    char *cache_path;    /* NULL = no cache file */
    uint64_t cache_hash; /* of the data on disk, 0 = none */
    char cache_state[128];
};

struct gpu_binding_pool {
    VkDescriptorPool handle;
    uint32_t free_sets;
};

struct gpu_binding_store {          /* gpu_binding.c */
    struct gpu_binding_pool *pools; /* [pool_count] */
    uint32_t pool_count;
    struct gpu_binding *first; /* all bindings alive */
};

struct gpu_queue { /* gpu_command.c, gpu_submit.c */
    VkQueue handle;
    VkCommandPool pool;
    struct gpu_commands *pending;  /* submitted and not waited for */
    struct gpu_commands *internal; /* for fills, copies and downloads; made on first use */
    uint64_t submit_count;
    VkQueryPool timestamps; /* VK_NULL_HANDLE = none */
    uint8_t timestamp_recorded[GPU_TIMESTAMP_MAX / 8];
};

struct gpu_device {
    struct gpu_instance instance;
    struct gpu_table vk; /* the calls of this device go through it */
    struct gpu_probe probe;
    bool exact_buffers, validate, poison, hide_mapped;
    VkDevice handle;
    bool lost;
    bool unsettled; /* a wait failed: work may still be running */
    struct gpu_memory_state memory;
    struct gpu_upload_ring upload;
    struct gpu_kernel_store kernels;
    struct gpu_binding_store bindings;
    struct gpu_queue queue;
};

struct gpu_buffer {
    VkBuffer handle;
    VkDeviceMemory memory;
    uint64_t size;
    uint64_t allocated;
    uint32_t heap;
    void *mapped; /* NULL when not host visible */
};

struct gpu_kernel {
    VkPipeline handle;
    VkPipelineLayout layout; /* the store's */
    struct gpu_kernel_request request;
};

struct gpu_binding {
    VkDescriptorSet set;
    uint32_t pool;
    struct gpu_binding *previous, *next;
};

struct gpu_commands {
    struct gpu_device *device;
    VkCommandBuffer handle;
    VkFence fence;
    VkPipeline bound; /* by the last dispatch of the recording */
    uint32_t dispatch_count, barrier_count;
    uint32_t empty_slots; /* timestamps below it were emptied by gpu_record_timing */
    bool pending;
    bool fence_used;           /* signaled, or about to be; reset before the next submission */
    struct gpu_commands *next; /* in the queue's pending list */
};

/* ---- results (gpu_error.c) ---- */

/* VK_SUCCESS: true. Else records "CALL: VK_ERROR_..., what it means"; a lost device stays lost. */
bool gpu_result(struct gpu_device *device, VkResult result, const char *call, struct fault *fault);
/* The same for a call that writes a handle; after a failure the handle is cleared, for Vulkan
 * leaves it undefined. */
bool gpu_created(struct gpu_device *device, VkResult result, const char *call, void *handle,
                 size_t handle_size, struct fault *fault);
#define GPU_CREATED(DEVICE, RESULT, CALL, HANDLE, FAULT)                                           \
    gpu_created(DEVICE, RESULT, CALL, HANDLE, sizeof *(HANDLE), FAULT)
/* The same where there is no device yet. */
bool gpu_result_early(VkResult result, const char *call, struct fault *fault);
/* False with FAULT_DEVICE_LOST once the device is lost. */
bool gpu_alive(const struct gpu_device *device, struct fault *fault);
/* No answer within GPU_FENCE_TIMEOUT_NS. */
bool gpu_hung(struct gpu_device *device, struct fault *fault);
/* Before destroying objects: after a failed wait the device may still be using them. */
void gpu_settle(struct gpu_device *device);
bool gpu_no_memory(const char *what, struct fault *fault); /* malloc failed */

/* ---- between the parts ---- */

bool gpu_memory_init(struct gpu_device *device, struct fault *fault);
bool gpu_memory_mapped(const struct gpu_device *device, enum gpu_memory memory);

void gpu_upload_free(struct gpu_device *device);

bool gpu_kernels_init(struct gpu_device *device, const char *cache_folder, struct fault *fault);
void gpu_kernels_free(struct gpu_device *device);
/* The layouts of kernels with that many bindings. */
bool gpu_layout_get(struct gpu_device *device, uint32_t binding_count, struct fault *fault);
bool gpu_cache_load(struct gpu_device *device, const char *folder, struct fault *fault);

void gpu_bindings_free(struct gpu_device *device);

bool gpu_queue_init(struct gpu_device *device, struct fault *fault);
void gpu_queue_free(struct gpu_device *device);
bool gpu_commands_wait(struct gpu_device *device, struct gpu_commands *commands,
                       struct fault *fault);
/* Takes commands that the device no longer runs off the pending list. */
void gpu_commands_forget(struct gpu_device *device, struct gpu_commands *commands);
/* Records into the internal commands; finish submits and waits. */
struct gpu_commands *gpu_internal_begin(struct gpu_device *device, struct fault *fault);
bool gpu_internal_finish(struct gpu_device *device, struct fault *fault);
void gpu_record_fill(struct gpu_commands *commands, struct gpu_buffer *buffer, uint32_t word);

#endif
