/* loss_window.c: the windows of the protocols. */
#include "loss_window.h"
#include <string.h>

const char *loss_protocol_name(enum loss_protocol protocol)
{
    static const char *const names[] = {"llama", "hf", "strided"};
    return names[protocol];
}

bool loss_windows_make(enum loss_protocol protocol, const int32_t *ids, size_t count, uint32_t ctx,
                       uint32_t stride, uint32_t chunks_max, int32_t bos,
                       struct loss_windows *windows, struct fault *fault)
{
    bool llama = protocol == LOSS_LLAMA, strided = protocol == LOSS_STRIDED;
    if (ctx < 4)
        return fault_set(fault, FAULT_ARGUMENT, "windows of %u tokens: at least 4 are needed",
                         (unsigned)ctx);
    if (!strided)
        stride = ctx;
    else if (stride == 0 || stride >= ctx)
        return fault_set(fault, FAULT_ARGUMENT,
                         "windows of %u tokens every %u tokens (--stride): 1 .. %u are possible",
                         (unsigned)ctx, (unsigned)stride, (unsigned)ctx - 1);
    size_t needed = llama ? 2 * (size_t)ctx : ctx;
    if (count < needed)
        return fault_set(fault, FAULT_ARGUMENT,
                         "the text has %zu tokens; %zu are needed for windows of %u (--ctx): a "
                         "longer text or a smaller --ctx",
                         count, needed, (unsigned)ctx);
    size_t chunks = 1 + (count - ctx) / stride;
    if (chunks > UINT32_MAX / ctx)
        return fault_set(fault, FAULT_ARGUMENT, "the text has %zu tokens, too many", count);
    if (chunks_max && chunks > chunks_max)
        chunks = chunks_max;
    uint32_t first = llama ? ctx / 2 : strided ? ctx - stride - 1 : 0;
    *windows = (struct loss_windows){.ids = ids,
                                     .count = count,
                                     .ctx = ctx,
                                     .stride = stride,
                                     .chunks = (uint32_t)chunks,
                                     .first = first,
                                     .scored = ctx - 1 - first,
                                     .bos = llama ? bos : -1};
    return true;
}

void loss_window_tokens(const struct loss_windows *windows, uint32_t chunk, int32_t *dst)
{
    memcpy(dst, windows->ids + (size_t)chunk * windows->stride, windows->ctx * sizeof *dst);
    if (windows->bos >= 0)
        dst[0] = windows->bos;
}
