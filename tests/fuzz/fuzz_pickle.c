/* fuzz_pickle.c: any bytes as the pickle of a checkpoint. Every tensor that comes out stays inside
 * its storage. */
#include "fuzz.h"

#include "pickle.h"

#include <stdlib.h>
#include <string.h>

/* assert without NDEBUG */
static void must(bool condition)
{
    if (!condition)
        abort();
}

static void check_tensor(const struct pickle *pickle, const struct pickle_tensor *tensor)
{
    must(tensor->storage < pickle->storage_count && tensor->dim_count <= CHECKPOINT_DIM_MAX);
    const struct pickle_storage *storage = &pickle->storages[tensor->storage];
    uint64_t last = tensor->offset;
    must(strlen(storage->key) > 0 && strspn(storage->key, "0123456789") == strlen(storage->key));
    must(tensor->name_size <= CHECKPOINT_NAME_MAX && tensor->name[tensor->name_size] == 0);
    for (uint32_t i = 0; i < tensor->dim_count; i++) {
        if (tensor->dims[i] == 0)
            return;
        last += (tensor->dims[i] - 1) * tensor->strides[i];
    }
    must(last < storage->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct pickle pickle;
    struct fault fault = {0};
    if (pickle_parse(bytes, size, &pickle, &fault)) {
        must(fault.kind == FAULT_NONE);
        for (uint32_t i = 0; i < pickle.tensor_count; i++)
            check_tensor(&pickle, &pickle.tensors[i]);
    } else {
        must(fault.kind != FAULT_NONE && fault.text[0] != 0);
        must(memchr(fault.text, '\n', strlen(fault.text)) == NULL);
    }
    pickle_free(&pickle);
    return 0;
}
