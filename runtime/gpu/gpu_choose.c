/* gpu_choose.c: which device of a list is used, and the sentence that says why. */
#include "gpu_private.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOT_FOUND = GPU_DEVICE_MAX };

/* ---- reasons ---- */

static const char *type_name(enum gpu_type type)
{
    static const char *const names[] = {"discrete GPU", "integrated GPU", "virtual GPU",
                                        "software renderer on the CPU", "unknown kind of device"};
    return names[type];
}

void gpu_describe(struct gpu_info *info, const char *more)
{
    uint64_t local_size = 0;
    for (uint32_t i = 0; i < info->heap_count; i++)
        local_size += info->heaps[i].device_local ? info->heaps[i].capacity : 0;
    if (info->heap_count == 0)
        snprintf(info->reason, sizeof info->reason, "has no memory: can only build kernels%s",
                 more);
    else
        snprintf(info->reason, sizeof info->reason, "%s, %.1f GiB, %s%s", type_name(info->type),
                 (double)local_size / 1073741824.0,
                 info->packed_dot_accelerated ? "fast packed dot"
                 : info->packed_dot           ? "packed dot"
                                              : "no packed dot",
                 more);
}

static void write_reasons(struct gpu_info *infos, uint32_t count, uint32_t chosen, bool asked)
{
    char other[200];
    snprintf(other, sizeof other, "; %.150s is used", infos[chosen].name);
    for (uint32_t i = 0; i < count; i++)
        if (infos[i].usable && i != chosen)
            gpu_describe(&infos[i], other);
    gpu_describe(&infos[chosen], asked ? "; asked for" : count > 1 ? "; the best" : "");
}

/* ---- matching ---- */

/* Whether part occurs in text, letters of either case. */
static bool contains(const char *text, const char *part)
{
    size_t size = strlen(part);
    for (; strlen(text) >= size; text++) {
        size_t i = 0;
        while (i < size && tolower((unsigned char)text[i]) == tolower((unsigned char)part[i]))
            i++;
        if (i == size)
            return true;
    }
    return false;
}

static uint32_t find_usable(const struct gpu_info *infos, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (infos[i].usable)
            return i;
    return 0;
}

static uint32_t find_index(const struct gpu_info *infos, uint32_t count, const char *wanted)
{
    char *end = NULL;
    unsigned long index = strtoul(wanted, &end, 10);
    if (!isdigit((unsigned char)*wanted) || *end)
        return NOT_FOUND;
    for (uint32_t i = 0; i < count; i++)
        if (infos[i].index == index)
            return i;
    return NOT_FOUND;
}

static uint32_t find_text(const struct gpu_info *infos, uint32_t count, const char *wanted)
{
    const size_t uuid_size = sizeof infos->uuid - 1;
    for (uint32_t i = 0; i < count && strlen(wanted) == uuid_size; i++)
        if (contains(infos[i].uuid, wanted))
            return i;
    for (uint32_t i = 0; i < count && *wanted; i++)
        if (contains(infos[i].name, wanted))
            return i;
    return NOT_FOUND;
}

static bool no_match(const struct gpu_info *infos, uint32_t count, const char *wanted,
                     struct fault *fault)
{
    char names[600] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < count && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%u '%s'", i ? ", " : "",
                                 infos[i].index, infos[i].name);
    return fault_set(fault, FAULT_ARGUMENT, "no Vulkan device is '%.200s'; there is %s", wanted,
                     names);
}

bool gpu_choose(struct gpu_info *infos, uint32_t count, const char *device, uint32_t *chosen,
                struct fault *fault)
{
    bool asked = device && strcmp(device, "auto") != 0;
    if (count == 0)
        return fault_set(fault, FAULT_DEVICE, "the Vulkan drivers list no device");
    uint32_t found = asked ? find_index(infos, count, device) : find_usable(infos, count);
    if (found == NOT_FOUND)
        found = find_text(infos, count, device);
    if (found == NOT_FOUND)
        return no_match(infos, count, device, fault);
    if (!infos[found].usable)
        return fault_set(fault, FAULT_DEVICE, "%s is %s", infos[found].name, infos[found].reason);
    write_reasons(infos, count, found, asked);
    *chosen = found;
    return true;
}
