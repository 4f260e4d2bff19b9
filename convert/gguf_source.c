/* gguf_source.c: a GGUF file as a checkpoint, to quantize it again. The reader of quant/ validates
 * it; here its dims are turned round to be slowest first. */
#include "checkpoint_internal.h"

#include <string.h>

static enum element element_of(enum dtype dtype)
{
    switch (dtype) {
    case DTYPE_F32:
        return ELEMENT_F32;
    case DTYPE_F16:
        return ELEMENT_F16;
    case DTYPE_BF16:
        return ELEMENT_BF16;
    case DTYPE_I32:
        return ELEMENT_I32;
    default:
        return ELEMENT_BLOCK;
    }
}

static bool read_item(struct checkpoint_part *part, const struct gguf_tensor *src,
                      struct fault *fault)
{
    struct checkpoint_item *item = &part->items[part->item_count++];
    if (!part_name(part, src->name, strlen(src->name), &item->tensor.name, fault))
        return false;
    item->gguf_tensor = src;
    item->end = src->size;
    item->tensor.element = element_of(src->dtype);
    item->tensor.dtype = src->dtype;
    item->tensor.dim_count = src->dim_count;
    for (uint32_t i = 0; i < src->dim_count; i++)
        item->tensor.dims[i] = src->dims[src->dim_count - 1 - i];
    if (!item_measure(item, fault))
        return false;
    item->tensor.size = src->size;
    return true;
}

bool gguf_source_read(struct checkpoint_part *part, const char *path, struct fault *fault)
{
    if (!gguf_open(path, &part->gguf, fault) ||
        !part_reserve(part, gguf_tensor_count(part->gguf), fault))
        return false;
    for (uint32_t i = 0; i < gguf_tensor_count(part->gguf); i++)
        if (!read_item(part, gguf_tensor_at(part->gguf, i), fault))
            return fault_context(fault, "tensor '%s'", gguf_tensor_at(part->gguf, i)->name);
    return true;
}
