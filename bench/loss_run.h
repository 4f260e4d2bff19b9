/* loss_run.h: base and candidates in lock-step over the windows of one text: a few rows of the
 * base, then the same rows of each candidate, compared, dropped. What stays is one record a scored
 * token. Memory: the streams' rows (loss_stream.h) and sizeof(struct loss_token) a token and
 * candidate. */
#ifndef LICHEN_LOSS_RUN_H
#define LICHEN_LOSS_RUN_H

#include "loss_stream.h"
#include "loss_window.h"
#include "parallel.h"

struct loss_series { /* what is known of one text */
    struct loss_windows windows;
    uint32_t chunks;                            /* windows done */
    struct loss_base_token *base;               /* [windows.chunks * windows.scored] */
    struct loss_token *tokens[LOSS_STREAM_MAX]; /* of stream i, as base; [0] and those of streams
                                                   not run are NULL */
};

struct loss_progress {
    uint64_t done, total; /* tokens, of all streams */
    uint32_t chunks, chunks_total;
    double nll[LOSS_STREAM_MAX]; /* running means over chunks done; NaN before the first */
    double kld[LOSS_STREAM_MAX]; /* [0] unused */
    size_t count;                /* streams */
};

struct loss_run_options {
    struct parallel *parallel;         /* for the comparison; the result does not depend on it */
    struct loss_logits_writer *writer; /* gets the base's rows; NULL = none */
    /* False gives up with FAULT_CANCELLED. May be NULL. */
    bool (*progress)(void *context, const struct loss_progress *progress);
    void *context;
};

/* Streams are open with ctx of the windows. On failure, and when cancelled, the chunks done stay
 * valid in series. Logits that are no numbers are a FAULT_FORMAT. */
bool loss_run(struct loss_streams *streams, const struct loss_windows *windows,
              const struct loss_run_options *options, struct loss_series *series,
              struct fault *fault);
void loss_series_free(struct loss_series *series); /* accepts a zeroed one */

#endif
