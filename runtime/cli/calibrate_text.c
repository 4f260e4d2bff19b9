/* calibrate_text.c: texts to windows of tokens, cut as llama-imatrix cuts them. */
#include "calibrate.h"
#include "text.h"
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 256 << 20 };

struct cut { /* one text */
    struct lichen_ids ids;
    uint32_t windows, next;
};

static bool cut_read(struct calibrate *calibrate, const char *path, struct cut *cut, int32_t *begin)
{
    struct fault *fault = &calibrate->common.fault;
    struct text text = {0};
    struct lichen_ids plain = {0};
    bool done =
        text_read_path(&text, path, TEXT_MAX, fault) &&
        lichen_tokenize(calibrate->engine, text.bytes, text.size, true, false, &cut->ids, fault) &&
        lichen_tokenize(calibrate->engine, text.bytes, text.size, false, false, &plain, fault);
    if (done && plain.count > 0 && cut->ids.count > plain.count && cut->ids.ids[0] != plain.ids[0])
        *begin = cut->ids.ids[0];
    if (done && cut->ids.count / calibrate->ctx == 0)
        done = fault_set(fault, FAULT_ARGUMENT,
                         "calibrate: %s: %zu tokens, one window takes %u; use a longer text or a "
                         "smaller --ctx",
                         path, cut->ids.count, calibrate->ctx);
    if (done)
        cut->windows = (uint32_t)(cut->ids.count / calibrate->ctx);
    lichen_free(plain.ids);
    text_free(&text);
    return done;
}

/* Windows of the texts in turn; texts that have no more are left out. */
static void cuts_deal(struct cut *cuts, size_t count, uint32_t skip, int32_t begin,
                      struct windows *windows)
{
    uint32_t dealt = 0;
    for (size_t i = 0; dealt < skip + windows->count; i = (i + 1) % count) {
        struct cut *cut = &cuts[i];
        if (cut->next == cut->windows)
            continue;
        const int32_t *ids = cut->ids.ids + (size_t)cut->next++ * windows->size;
        if (dealt++ < skip)
            continue;
        int32_t *dst = windows->ids + (size_t)(dealt - 1 - skip) * windows->size;
        memcpy(dst, ids, windows->size * sizeof *dst);
        if (begin >= 0)
            dst[0] = begin;
    }
}

static bool windows_cut(struct calibrate *calibrate, struct cut *cuts, size_t count, uint32_t skip,
                        uint32_t keep, int32_t begin, struct windows *windows)
{
    struct fault *fault = &calibrate->common.fault;
    uint64_t all = 0;
    for (size_t i = 0; i < count; i++)
        all += cuts[i].windows;
    uint64_t left = all > skip ? all - skip : 0;
    if (windows->count == 0 && keep > 0 && keep >= left)
        return fault_set(fault, FAULT_ARGUMENT,
                         "calibrate: the texts have %llu windows of %u tokens, and --sensitivity "
                         "measures on %u of its own; give a longer text, one for it with "
                         "--dev-text, or a smaller --ctx or --dev-chunks",
                         (unsigned long long)all, calibrate->ctx, keep);
    left -= windows->count == 0 ? keep : 0;
    if (windows->count == 0 || windows->count > left)
        windows->count = left < UINT32_MAX ? (uint32_t)left : UINT32_MAX;
    if (windows->count == 0)
        return fault_set(fault, FAULT_ARGUMENT,
                         "calibrate: the texts have %llu windows of %u tokens and all are taken; "
                         "give a text of its own with --dev-text, or fewer --chunks",
                         (unsigned long long)all, calibrate->ctx);
    windows->ids = calloc((size_t)windows->count * windows->size, sizeof *windows->ids);
    if (!windows->ids)
        return fault_set(fault, FAULT_MEMORY, "no memory for %u windows of text", windows->count);
    cuts_deal(cuts, count, skip, begin, windows);
    return true;
}

bool windows_read(struct calibrate *calibrate, const struct option_texts *texts, uint32_t skip,
                  uint32_t count, uint32_t keep, struct windows *windows)
{
    struct cut cuts[OPTION_LIST_MAX] = {{.windows = 0}};
    int32_t begin = -1;
    bool done = true;
    *windows = (struct windows){.count = count, .size = calibrate->ctx};
    for (size_t i = 0; done && i < texts->count; i++)
        done = cut_read(calibrate, texts->items[i], &cuts[i], &begin);
    done = done && windows_cut(calibrate, cuts, texts->count, skip, keep, begin, windows);
    for (size_t i = 0; i < texts->count; i++)
        lichen_free(cuts[i].ids.ids);
    return done;
}

void windows_free(struct windows *windows)
{
    free(windows->ids);
    *windows = (struct windows){0};
}
