/* loss_window.h: which tokens of a text are run together and which of them are scored. The
 * protocols give different numbers for the same model and are never mixed:
 *
 * - llama, llama-perplexity's: windows of ctx tokens side by side, the tail dropped; where the
 *   model wants a BOS it takes the place of the first token of every window (which is never a
 *   target); positions ctx/2 .. ctx-2 are scored, so a target has ctx/2 tokens or more before it.
 *   At least 2 windows.
 * - hf, the GPTQ and AWQ papers': BOS once in front of the text, windows side by side, every
 *   position but the last scored.
 * - strided, Hugging Face's guide (Perplexity of fixed-length models): windows begin every stride
 *   tokens and the last ends with the text, however short it then is; BOS once in front of the
 *   text. Of each window the targets are scored that no window before had: of the first all
 *   ctx - 1, then stride (the guide's trg_len), of the last what is left, so every token of the
 * text but its first counts once.
 *
 * "Position i is scored" means: the logits after token i against token i + 1. */
#ifndef LICHEN_LOSS_WINDOW_H
#define LICHEN_LOSS_WINDOW_H

#include "fault.h"
#include <stddef.h>
#include <stdint.h>

enum loss_protocol { LOSS_LLAMA, LOSS_HF, LOSS_STRIDED };

const char *loss_protocol_name(enum loss_protocol protocol);

struct loss_windows {
    const int32_t *ids; /* [count], caller's */
    size_t count;
    uint32_t ctx;
    uint32_t stride; /* from one window's beginning to the next's */
    uint32_t chunks; /* windows */
    uint32_t first;  /* position scored first; of strided's inner windows */
    uint32_t scored; /* positions scored in a window; of strided's inner windows */
    int32_t bos;     /* takes the first place of every window; -1 = nothing does */
    bool strided;
};

struct loss_window {
    uint32_t size;   /* tokens run */
    uint32_t first;  /* position scored first */
    uint32_t scored; /* positions scored, at least 1 */
    size_t at;       /* positions scored in the windows before */
};

/* stride: strided's, 1 .. ctx - 1; else unused. chunks_max 0 = all there are. bos -1 = the model
 * wants none. A text too short is a FAULT_ARGUMENT. */
bool loss_windows_make(enum loss_protocol protocol, const int32_t *ids, size_t count, uint32_t ctx,
                       uint32_t stride, uint32_t chunks_max, int32_t bos,
                       struct loss_windows *windows, struct fault *fault);
struct loss_window loss_window_at(const struct loss_windows *windows, uint32_t chunk);
/* Positions scored in the first chunks windows. */
size_t loss_windows_scored(const struct loss_windows *windows, uint32_t chunks);
/* The window that scores the position of this number. */
uint32_t loss_window_of(const struct loss_windows *windows, size_t number);
/* values: a mean over each of the first chunks windows. Where these score unequally many positions,
 * makes of value i: mean + share_i / mean share * (value_i - mean), mean being that over all
 * positions: then their plain mean is it, and their spread that of a ratio of sums (Cochran,
 * Sampling Techniques, 6.3). */
void loss_windows_weigh(const struct loss_windows *windows, uint32_t chunks, double *values);
/* The tokens of one window as they are run, dst[ctx]. */
void loss_window_tokens(const struct loss_windows *windows, uint32_t chunk, int32_t *dst);

#endif
