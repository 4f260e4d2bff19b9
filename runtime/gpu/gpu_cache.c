/* gpu_cache.c: the driver's pipeline cache on disk, one file a device, driver and version of
 * lichen. Drivers trust the bytes they are given, so the file has its own header and checksum:
 *
 *   "LICHPIPE" u32 version u32 vendor u32 device u32 driver u8[16] device UUID
 *   u8[16] pipeline cache UUID  u64 size  u64 XXH3 of the size bytes that follow  */
#include "gpu_private.h"

#include "platform.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { CACHE_VERSION = 1, CACHE_SIZE_MAX = 256 << 20 };

struct cache_header {
    char magic[8];
    uint32_t version;
    uint32_t vendor, device, driver;
    uint8_t device_uuid[VK_UUID_SIZE];
    uint8_t cache_uuid[VK_UUID_SIZE];
    uint64_t size;
    uint64_t hash;
};
_Static_assert(sizeof(struct cache_header) == 72, "the header is written as it lies in memory");

static struct cache_header make_header(const struct gpu_probe *probe, const void *data, size_t size)
{
    struct cache_header header = {
        .magic = {'L', 'I', 'C', 'H', 'P', 'I', 'P', 'E'},
        .version = CACHE_VERSION,
        .vendor = probe->info.vendor_id,
        .device = probe->info.device_id,
        .driver = probe->info.driver_version,
        .size = size,
        .hash = XXH3_64bits(data, size),
    };
    memcpy(header.device_uuid, probe->device_uuid, VK_UUID_SIZE);
    memcpy(header.cache_uuid, probe->cache_uuid, VK_UUID_SIZE);
    return header;
}

static bool choose_path(struct gpu_device *device, const char *folder, struct fault *fault)
{
    const struct gpu_info *info = &device->probe.info;
    size_t size = strlen(folder) + sizeof LICHEN_VERSION + 80;
    char *path = malloc(size);
    if (!path)
        return gpu_no_memory("the path of the pipeline cache", fault);
    snprintf(path, size, "%s/pipelines-%s-%08x-%s.bin", folder, info->uuid, info->driver_version,
             LICHEN_VERSION);
    device->kernels.cache_path = path;
    return true;
}

/* Why the bytes of a file are not this device's cache; NULL = they are. */
static const char *reject(const struct gpu_device *device, const char *bytes, size_t size)
{
    struct cache_header found;
    if (size < sizeof found)
        return "too short";
    memcpy(&found, bytes, sizeof found);
    size_t rest = size - sizeof found;
    struct cache_header expected = make_header(&device->probe, bytes + sizeof found, rest);
    if (memcmp(found.magic, expected.magic, sizeof found.magic) != 0 ||
        found.version != expected.version)
        return "not a pipeline cache of this version";
    if (found.size != rest)
        return "wrong size";
    if (found.hash != expected.hash)
        return "wrong checksum";
    if (memcmp(&found, &expected, sizeof found) != 0)
        return "of another device or driver";
    return NULL;
}

static bool create(struct gpu_device *device, const void *data, size_t size, struct fault *fault)
{
    VkPipelineCacheCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
        .initialDataSize = size,
        .pInitialData = data,
    };
    VkResult result =
        device->vk.vkCreatePipelineCache(device->handle, &info, NULL, &device->kernels.cache);
    return GPU_CREATED(device, result, "vkCreatePipelineCache", &device->kernels.cache, fault);
}

bool gpu_cache_load(struct gpu_device *device, const char *folder, struct fault *fault)
{
    struct gpu_kernel_store *store = &device->kernels;
    char *bytes = NULL;
    size_t size = 0;
    snprintf(store->cache_state, sizeof store->cache_state, "no cache file");
    if (!folder)
        return create(device, NULL, 0, fault);
    if (!choose_path(device, folder, fault))
        return false;
    if (!file_load(store->cache_path, CACHE_SIZE_MAX, &bytes, &size, NULL))
        return create(device, NULL, 0, fault); /* mostly the first start */
    const char *why = reject(device, bytes, size);
    const char *data = bytes + sizeof(struct cache_header);
    size_t data_size = why ? 0 : size - sizeof(struct cache_header);
    if (why) {
        snprintf(store->cache_state, sizeof store->cache_state, "ignored: %s", why);
    } else {
        store->cache_hash = XXH3_64bits(data, data_size);
        snprintf(store->cache_state, sizeof store->cache_state, "loaded %zu bytes", data_size);
    }
    bool ok = create(device, why ? NULL : data, data_size, fault);
    free(bytes);
    return ok;
}

/* The driver's data behind room for the header; *size counts both. */
static char *get_data(struct gpu_device *device, size_t *size, struct fault *fault)
{
    const size_t head = sizeof(struct cache_header);
    VkPipelineCache cache = device->kernels.cache;
    size_t data_size = 0;
    VkResult result = device->vk.vkGetPipelineCacheData(device->handle, cache, &data_size, NULL);
    if (!gpu_result(device, result, "vkGetPipelineCacheData", fault))
        return NULL;
    char *bytes = malloc(head + data_size);
    if (!bytes) {
        gpu_no_memory("the pipeline cache", fault);
        return NULL;
    }
    result = device->vk.vkGetPipelineCacheData(device->handle, cache, &data_size, bytes + head);
    if (!gpu_result(device, result, "vkGetPipelineCacheData", fault)) {
        free(bytes);
        return NULL;
    }
    *size = head + data_size;
    return bytes;
}

static bool write_file(struct gpu_device *device, const char *bytes, size_t size,
                       struct fault *fault)
{
    struct gpu_kernel_store *store = &device->kernels;
    char folder[4096];
    const char *slash = strrchr(store->cache_path, '/');
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - store->cache_path), store->cache_path);
    return folder_create(folder, fault) && file_save(store->cache_path, bytes, size, 0600, fault);
}

bool gpu_cache_save(struct gpu_device *device, struct fault *fault)
{
    struct gpu_kernel_store *store = &device->kernels;
    size_t size = 0;
    if (!store->cache_path || store->count == 0)
        return true;
    char *bytes = gpu_alive(device, fault) ? get_data(device, &size, fault) : NULL;
    if (!bytes)
        return false;
    struct cache_header header =
        make_header(&device->probe, bytes + sizeof header, size - sizeof header);
    memcpy(bytes, &header, sizeof header);
    bool ok = header.hash == store->cache_hash || write_file(device, bytes, size, fault);
    if (ok)
        store->cache_hash = header.hash;
    free(bytes);
    return ok;
}

const char *gpu_cache_state(const struct gpu_device *device)
{
    return device->kernels.cache_state;
}
