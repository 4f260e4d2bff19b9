/* safetensors.c: reads the description of a safetensors file (huggingface/safetensors, README and
 * tensor.rs), all of whose rules are enforced:
 *
 *   u64 size of the header, the header: {"NAME": {"dtype": "F16", "shape": [2, 3],
 *   "data_offsets": [begin, end]}, ..., "__metadata__": {"key": "text"}}, the tensors
 *
 * Offsets count from the end of the header; the tensors follow one another without hole or overlap
 * and end where the file ends. */
#include "checkpoint_internal.h"
#include "checked.h"
#include "reader.h"
#include "strict_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_START = 8, HEADER_MAX = 100000000, HEADER_DEPTH = 3 };

static bool find_element(const char *name, enum element *element, struct fault *fault)
{
    for (int i = 0; i < ELEMENT_BLOCK; i++) {
        *element = (enum element)i;
        if (strcmp(element_info(*element)->name, name) == 0)
            return true;
    }
    char known[128] = "";
    for (int i = 0; i < ELEMENT_BLOCK; i++)
        snprintf(known + strlen(known), sizeof known - strlen(known), " %s",
                 element_info((enum element)i)->name);
    return fault_set(fault, FAULT_UNSUPPORTED, "dtype '%.64s' is not supported; those are:%s", name,
                     known);
}

static bool get_u64(const json_t *value, const char *what, uint64_t *out, struct fault *fault)
{
    if (!json_is_integer(value))
        return fault_set(fault, FAULT_FORMAT, "%s is %s, expected an integer", what,
                         strict_json_kind(value));
    json_int_t integer = json_integer_value(value);
    if (integer < 0)
        return fault_set(fault, FAULT_FORMAT, "%s is %" JSON_INTEGER_FORMAT ", expected 0 or more",
                         what, integer);
    *out = (uint64_t)integer;
    return true;
}

static bool read_shape(const json_t *shape, struct checkpoint_tensor *tensor, struct fault *fault)
{
    if (!json_is_array(shape))
        return fault_set(fault, FAULT_FORMAT, "shape is %s, expected an array",
                         strict_json_kind(shape));
    if (json_array_size(shape) > CHECKPOINT_DIM_MAX)
        return fault_set(fault, FAULT_UNSUPPORTED, "%zu dimensions, at most %d are supported",
                         json_array_size(shape), CHECKPOINT_DIM_MAX);
    tensor->dim_count = (uint32_t)json_array_size(shape);
    for (uint32_t i = 0; i < tensor->dim_count; i++)
        if (!get_u64(json_array_get(shape, i), "a dimension", &tensor->dims[i], fault))
            return false;
    return true;
}

static bool read_offsets(const json_t *offsets, struct checkpoint_item *item, struct fault *fault)
{
    if (!json_is_array(offsets) || json_array_size(offsets) != 2)
        return fault_set(fault, FAULT_FORMAT, "data_offsets is %s, expected [begin, end]",
                         json_is_array(offsets) ? "an array of another size"
                                                : strict_json_kind(offsets));
    if (!get_u64(json_array_get(offsets, 0), "data_offsets[0]", &item->offset, fault) ||
        !get_u64(json_array_get(offsets, 1), "data_offsets[1]", &item->end, fault))
        return false;
    if (item->end < item->offset)
        return fault_set(fault, FAULT_FORMAT, "data_offsets end at %llu before they begin at %llu",
                         (unsigned long long)item->end, (unsigned long long)item->offset);
    return true;
}

static bool read_entry(json_t *entry, struct checkpoint_item *item, struct fault *fault)
{
    if (!json_is_object(entry))
        return fault_set(fault, FAULT_FORMAT, "is %s, expected an object", strict_json_kind(entry));
    const json_t *dtype = json_object_get(entry, "dtype");
    if (!json_is_string(dtype))
        return fault_set(fault, FAULT_FORMAT, "dtype is %s, expected text",
                         strict_json_kind(dtype));
    if (!find_element(json_string_value(dtype), &item->tensor.element, fault) ||
        !read_shape(json_object_get(entry, "shape"), &item->tensor, fault) ||
        !read_offsets(json_object_get(entry, "data_offsets"), item, fault) ||
        !item_measure(item, fault))
        return false;
    if (json_object_size(entry) != 3)
        return fault_set(fault, FAULT_FORMAT,
                         "has %zu fields, expected dtype, shape and data_offsets",
                         json_object_size(entry));
    if (item->end - item->offset != item->tensor.size)
        return fault_set(
            fault, FAULT_FORMAT, "has %llu bytes by data_offsets, %llu by shape and dtype",
            (unsigned long long)(item->end - item->offset), (unsigned long long)item->tensor.size);
    return true;
}

static bool check_metadata(json_t *metadata, struct fault *fault)
{
    const char *key;
    json_t *value;
    if (!json_is_object(metadata))
        return fault_set(fault, FAULT_FORMAT, "__metadata__ is %s, expected an object",
                         strict_json_kind(metadata));
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value))
            return fault_set(fault, FAULT_FORMAT, "__metadata__ '%.64s' is %s, expected text", key,
                             strict_json_kind(value));
    }
    return true;
}

static bool read_entries(json_t *root, struct checkpoint_part *part, struct fault *fault)
{
    const char *name;
    json_t *entry;
    if (!part_reserve(part, json_object_size(root), fault))
        return false;
    json_object_foreach(root, name, entry)
    {
        struct checkpoint_item *item = &part->items[part->item_count];
        if (strcmp(name, "__metadata__") == 0) {
            if (!check_metadata(entry, fault))
                return false;
            continue;
        }
        if (!part_name(part, name, strlen(name), &item->tensor.name, fault))
            return false;
        if (!read_entry(entry, item, fault))
            return fault_context(fault, "tensor '%s'", name);
        part->item_count++;
    }
    return true;
}

static int compare_places(const void *a, const void *b)
{
    const struct checkpoint_item *x = a, *y = b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static bool place_items(struct checkpoint_part *part, uint64_t data_start, uint64_t file_size,
                        struct fault *fault)
{
    uint64_t next = 0, data_size = file_size - data_start;
    if (part->item_count > 1)
        qsort(part->items, part->item_count, sizeof *part->items, compare_places);
    for (uint32_t i = 0; i < part->item_count; i++) {
        struct checkpoint_item *item = &part->items[i];
        if (item->offset != next)
            return fault_set(
                fault, FAULT_FORMAT, "tensor '%s' begins at byte %llu of the data, expected %llu",
                item->tensor.name, (unsigned long long)item->offset, (unsigned long long)next);
        next = item->end;
        if (item->end > data_size)
            return fault_set(
                fault, FAULT_FORMAT,
                "tensor '%s' ends at byte %llu of the data, the file has %llu; if it was cut off, "
                "download it again",
                item->tensor.name, (unsigned long long)item->end, (unsigned long long)data_size);
        item->offset += data_start; /* both are within the file now */
        item->end += data_start;
    }
    if (next != data_size)
        return fault_set(fault, FAULT_FORMAT,
                         "the tensors end at byte %llu of the data, the file has %llu",
                         (unsigned long long)next, (unsigned long long)data_size);
    return true;
}

/* size: of the header */
static bool parse_header(const char *header, size_t size, uint64_t file_size,
                         struct checkpoint_part *part, struct fault *fault)
{
    if (header[0] != '{')
        return fault_set(fault, FAULT_FORMAT, "byte %d: the header begins with %02x, expected '{'",
                         HEADER_START, (unsigned char)header[0]);
    json_t *root = strict_json_parse(header, size, HEADER_DEPTH, HEADER_START, fault);
    bool done = root && read_entries(root, part, fault) &&
                place_items(part, HEADER_START + size, file_size, fault);
    json_decref(root);
    return done;
}

static bool header_size(const void *bytes, size_t size, uint64_t file_size, size_t *out,
                        struct fault *fault)
{
    struct reader reader;
    reader_init(&reader, bytes, size, fault);
    uint64_t header = reader_u64(&reader, "the size of the header");
    if (reader.failed)
        return false;
    if (header < 2 || header > HEADER_MAX)
        return fault_set(
            fault, FAULT_FORMAT,
            "byte 0: a header of %llu bytes, expected 2 to %d: not a safetensors file?",
            (unsigned long long)header, HEADER_MAX);
    if (header > file_size - HEADER_START)
        return fault_set(fault, FAULT_FORMAT,
                         "byte 0: a header of %llu bytes, the file has %llu behind its size: cut "
                         "off, or not a safetensors file",
                         (unsigned long long)header,
                         (unsigned long long)(file_size - HEADER_START));
    *out = (size_t)header;
    return true;
}

bool safetensors_parse(const void *bytes, size_t size, uint64_t file_size,
                       struct checkpoint_part *part, struct fault *fault)
{
    size_t header = 0;
    if (!header_size(bytes, size, file_size, &header, fault))
        return false;
    if (header > size - HEADER_START)
        return fault_set(fault, FAULT_FORMAT, "byte %d: only %zu bytes of the header are there",
                         HEADER_START, size - HEADER_START);
    return parse_header((const char *)bytes + HEADER_START, header, file_size, part, fault);
}

bool safetensors_read(struct checkpoint_part *part, struct fault *fault)
{
    uint64_t size = file_size(part->file);
    uint8_t start[HEADER_START];
    size_t header = 0, present = size < sizeof start ? (size_t)size : sizeof start;
    if (!file_read(part->file, 0, start, present, fault) ||
        !header_size(start, present, size, &header, fault))
        return false;
    char *text = malloc(header);
    if (!text)
        return fault_set(fault, FAULT_MEMORY, "no memory for a header of %zu bytes", header);
    bool done = file_read(part->file, HEADER_START, text, header, fault) &&
                parse_header(text, header, size, part, fault);
    free(text);
    return done;
}
