/* loss_report_private.h: what the files of a loss report share. */
#ifndef LICHEN_LOSS_REPORT_PRIVATE_H
#define LICHEN_LOSS_REPORT_PRIVATE_H

#include "loss_endurance.h"
#include "loss_report.h"

struct report {
    const struct loss_request *request;
    struct loss_streams streams;
    size_t
        candidates_end; /* streams.items[1 .. candidates_end) are candidates; behind: the floor */
    uint32_t ctx;       /* tokens of a window */
    struct parallel *parallel;
    int32_t prompt[LOSS_PROMPT]; /* the first text's first tokens */
    uint32_t prompt_count;
    json_t *root, *base, *candidates, *texts, *pairs, *floor; /* root owns the others */
};

bool report_no_memory(struct fault *fault);
/* The last part of a path. */
const char *report_file_name(const char *path);
/* The engine that tokenizes and decodes: the base's, or the first candidate's. */
struct lichen_engine *report_words(const struct report *report);
/* Appends; takes the reference; NULL is a fault. */
bool report_append(json_t *array, json_t *value, struct fault *fault);

/* loss_report_text.c: runs all texts, or the file of logits, and adds what they say. */
bool report_run_texts(struct report *report, struct fault *fault);

#endif
