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
    size_t needed = llama ? 2 * (size_t)ctx : strided ? 4 : ctx;
    if (count < needed)
        return fault_set(fault, FAULT_ARGUMENT,
                         "the text has %zu tokens; %zu are needed for windows of %u (--ctx): a "
                         "longer text or a smaller --ctx",
                         count, needed, (unsigned)ctx);
    size_t chunks = count < ctx ? 1 : 1 + (count - ctx) / stride;
    if (strided && count > ctx)
        chunks = 1 + (count - ctx + stride - 1) / stride;
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
                                     .bos = llama ? bos : -1,
                                     .strided = strided};
    return true;
}

struct loss_window loss_window_at(const struct loss_windows *windows, uint32_t chunk)
{
    if (!windows->strided)
        return (struct loss_window){windows->ctx, windows->first, windows->scored,
                                    (size_t)chunk * windows->scored};
    size_t begin = (size_t)chunk * windows->stride, left = windows->count - begin;
    size_t seen =
        chunk ? begin - windows->stride + windows->ctx : 1; /* tokens that are no targets */
    uint32_t size = left < windows->ctx ? (uint32_t)left : windows->ctx;
    uint32_t scored = (uint32_t)(begin + size - seen);
    return (struct loss_window){size, size - 1 - scored, scored, seen - 1};
}

size_t loss_windows_scored(const struct loss_windows *windows, uint32_t chunks)
{
    if (chunks == 0)
        return 0;
    struct loss_window last = loss_window_at(windows, chunks - 1);
    return last.at + last.scored;
}

uint32_t loss_window_of(const struct loss_windows *windows, size_t number)
{
    size_t opening = windows->strided ? windows->ctx - 1 : windows->scored;
    return number < opening ? 0 : (uint32_t)(1 + (number - opening) / windows->scored);
}

void loss_windows_weigh(const struct loss_windows *windows, uint32_t chunks, double *values)
{
    double sum = 0, scored = (double)loss_windows_scored(windows, chunks);
    if (!windows->strided)
        return;
    for (uint32_t i = 0; i < chunks; i++)
        sum += loss_window_at(windows, i).scored * values[i];
    double mean = sum / scored;
    for (uint32_t i = 0; i < chunks; i++)
        values[i] = mean + loss_window_at(windows, i).scored * chunks / scored * (values[i] - mean);
}

void loss_window_tokens(const struct loss_windows *windows, uint32_t chunk, int32_t *dst)
{
    memcpy(dst, windows->ids + (size_t)chunk * windows->stride,
           loss_window_at(windows, chunk).size * sizeof *dst);
    if (windows->bos >= 0)
        dst[0] = windows->bos;
}
