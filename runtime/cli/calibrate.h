/* calibrate.h: what the files of `lichen calibrate` share. */
#ifndef LICHEN_CALIBRATE_H
#define LICHEN_CALIBRATE_H

#include "collector.h"
#include "command.h"

/* Windows of equal length out of texts, taken from the texts in turn. */
struct windows {
    int32_t *ids; /* [count * size], owned */
    uint32_t count, size;
};

struct calibrate {
    struct common common;
    struct option_texts texts, dev_texts;
    const char *path, *memory_option;
    uint32_t ctx, chunks, dev_chunks;
    bool hessian, measure;
    uint64_t memory; /* bytes for Hessians at a time; 0 = the collector's own */
    struct lichen_engine *engine;
    struct lichen_session *session;
    struct windows windows, dev_windows;
    struct collector_weight *weights; /* [weight_count], owned */
    uint32_t weight_count;
    struct collector *collector;
    const char **sensitive; /* as sensitivity, owned, names engine's */
    float *sensitivity;
    struct fault watch_fault; /* of the collector, inside a run */
    bool enough;              /* the run was ended because the pass has all it wants */
};

/* Reads and cuts the texts: count windows after the first `skip`; count 0 = all but the last `keep`,
 * which are to be had by a second call. A text too short for one window is a fault. Each window begins with the token that the model's texts begin with,
 * if it has one, in the place of its first. */
bool windows_read(struct calibrate *calibrate, const struct option_texts *texts, uint32_t skip,
                  uint32_t count, uint32_t keep, struct windows *windows);
void windows_free(struct windows *windows);

/* Measures and sets the sensitivities of all weights on the dev windows, after the first pass. */
bool calibrate_sensitivity(struct calibrate *calibrate);

#endif
