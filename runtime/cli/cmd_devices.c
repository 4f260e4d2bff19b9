/* cmd_devices.c: lichen devices: what could run a model, and what would. */
#include "command.h"
#include <string.h>

static json_t *json_of_heaps(const struct lichen_device *device)
{
    json_t *heaps = json_array();
    for (uint32_t i = 0; heaps && i < device->heap_count; i++) {
        const struct lichen_heap *heap = &device->heaps[i];
        json_array_append_new(
            heaps, json_pack("{s:I, s:I, s:b, s:b}", "capacity", (json_int_t)heap->capacity, "free",
                             (json_int_t)heap->free, "device_local", (int)heap->device_local,
                             "host_visible", (int)heap->host_visible));
    }
    return heaps;
}

static bool print_json(struct common *common, const struct lichen_device *devices, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < count; i++) {
        const struct lichen_device *device = &devices[i];
        json_t *item = json_of_device(device);
        json_t *more = json_pack(
            "{s:i, s:o, s:s, s:s, s:b, s:b, s:s}", "number", (int)device->index, "heaps",
            json_of_heaps(device), "features", device->features, "limits", device->limits, "chosen",
            (int)device->chosen, "usable", (int)device->usable, "reason", device->reason);
        if (item && more)
            json_object_update(item, more);
        json_decref(more);
        json_array_append_new(array, item);
    }
    return output_json(json_pack("{s:i, s:o}", "schema", 1, "devices", array), &common->fault);
}

static void print_device(const struct lichen_device *device)
{
    const char *state = device->chosen ? "chosen" : device->usable ? "usable" : "not usable";
    char capacity[32], free[32], number[16] = "cpu";
    if (device->index >= 0)
        snprintf(number, sizeof number, "%d", (int)device->index);
    printf("%-4s%s  [%s]  %s\n", number, device->name, device->type, state);
    if (device->uuid[0])
        printf("    uuid      %s\n", device->uuid);
    if (device->driver[0])
        printf("    driver    %s%s%s\n", device->driver, device->api[0] ? ", Vulkan " : "",
               device->api);
    for (uint32_t i = 0; i < device->heap_count; i++) {
        const struct lichen_heap *heap = &device->heaps[i];
        printf("    heap %-4u %s, %s free%s%s\n", (unsigned)i, size_text(heap->capacity, capacity),
               size_text(heap->free, free), heap->device_local ? ", device-local" : "",
               heap->host_visible ? ", host-visible" : "");
    }
    if (device->features[0])
        printf("    features  %s\n", device->features);
    if (device->limits[0])
        printf("    limits    %s\n", device->limits);
    if (device->reason[0])
        printf("    %-9s %s\n",
               device->chosen   ? "because"
               : device->usable ? "note"
                                : "but",
               device->reason);
}

static int devices_main(const struct command *command, int argc, char **argv)
{
    struct common common;
    struct option_set set = {.count = 0};
    int first, status;
    common_init(&common);
    const struct option_spec specs[] = {
        {"device", 0, OPTION_TEXT, &common.device, "DEVICE",
         "which one would be chosen by this --device", 0},
    };
    option_set_add(&set, specs, sizeof specs / sizeof specs[0]);
    common_add_output(&common, &set, true);
    if (!command_begin(command, &common, &set, argc, argv, &first, &status))
        return status;
    struct lichen_device *devices = NULL;
    size_t count = 0;
    bool done = first == argc || fault_set(&common.fault, FAULT_ARGUMENT,
                                           "devices: unexpected '%.80s'", argv[first]);
    done = done && lichen_devices(common.device, &devices, &count, &common.fault);
    if (done && common.output.json)
        done = print_json(&common, devices, count);
    for (size_t i = 0; done && !common.output.json && i < count; i++)
        print_device(&devices[i]);
    status = output_end(done, &common.fault);
    lichen_free(devices);
    return status;
}

const struct command command_devices = {
    "devices", "", "the devices of this machine, and which one is chosen and why",
    "--device takes the number, a part of the name, or the UUID shown here.", devices_main};
