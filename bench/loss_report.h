/* loss_report.h: a whole run of lichen loss: opens base and candidates, runs every text, and gives
 * the report (loss_json.h). */
#ifndef LICHEN_LOSS_REPORT_H
#define LICHEN_LOSS_REPORT_H

#include "loss_run.h"
#include <jansson.h>

/* 2,000 tokens; on a software device and the C executor 200. */
#define LOSS_STABILITY_AUTO UINT32_MAX

struct loss_request {         /* pointers are the caller's */
    const char *command;      /* as it was typed */
    struct loss_variant base; /* path NULL: base_logits is the base */
    const char *base_logits; /* a file of logits; its tokens are the text, texts are not read; needs
                               a candidate */
    const char *save_logits; /* where the base's logits of the first text go; NULL = nowhere */
    const struct loss_variant *candidates;
    size_t candidate_count;
    const char *const *texts; /* paths */
    size_t text_count;
    enum loss_protocol protocol;
    uint32_t ctx, stride;         /* stride: of LOSS_STRIDED */
    uint32_t chunks_max, threads; /* chunks_max 0 = all; threads 0 = all processors */
    double level;                 /* of the intervals, e.g. 0.95 */
    uint64_t seed;                /* of the intervals */
    uint32_t floor_chunks; /* windows of the base against itself in other runs; 0 = not measured */
    uint32_t stability_tokens; /* of the long answer; 0 = none, and no speed; LOSS_STABILITY_AUTO */
    bool tensors;              /* compare weights */
    const char *calibration;   /* with it also the outputs of layers (lichen calibrate); NULL */
    struct lichen_engine_options engine_options;   /* threads, cache folder, loading progress */
    void (*watch)(struct lichen_session *session); /* loss_stream.h; may be NULL */
    bool (*progress)(void *context, const struct loss_progress *progress); /* loss_run.h */
    void (*activity)(void *context, const char *what,
                     const char *about); /* what begins; not NULL */
    void *context;
};

/* *report: also on failure and when cancelled, what is known so far; NULL when that is nothing. */
bool loss_report(const struct loss_request *request, json_t **report, struct fault *fault);

#endif
