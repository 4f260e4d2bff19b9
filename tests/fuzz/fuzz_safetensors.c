/* fuzz_safetensors.c: any bytes as a safetensors file. What is accepted lies inside the file, one
 * tensor behind the other, to its end. */
#include "fuzz.h"

#include "checkpoint_internal.h"

#include <stdlib.h>
#include <string.h>

/* assert without NDEBUG */
static void must(bool condition)
{
    if (!condition)
        abort();
}

static void parse(const uint8_t *bytes, size_t size, uint64_t file_size)
{
    struct checkpoint_part part = {0};
    struct fault fault = {0};
    if (safetensors_parse(bytes, size, file_size, &part, &fault)) {
        must(fault.kind == FAULT_NONE);
        for (uint32_t i = 0; i < part.item_count; i++) {
            const struct checkpoint_item *item = &part.items[i];
            must(i == 0 || item->offset == part.items[i - 1].end);
            must(item->end <= file_size && item->end - item->offset == item->tensor.size);
            must(item->tensor.dim_count <= CHECKPOINT_DIM_MAX && item->tensor.name[0] != 0);
        }
        must(part.item_count == 0 || part.items[part.item_count - 1].end == file_size);
    } else {
        must(fault.kind != FAULT_NONE && fault.text[0] != 0);
        must(memchr(fault.text, '\n', strlen(fault.text)) == NULL);
    }
    part_close(&part);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    parse(bytes, size, size);
    parse(bytes, size, (uint64_t)size + (1 << 20)); /* as if data followed */
    return 0;
}
