/* loss_endurance.h: two of the four questions that people ask of a model: how soon and how fast
 * does it answer, and does it stay sane over a long answer?
 *
 * Every stream continues the text's first tokens by itself (temperature 0.8, top-k 40, fixed seed):
 *   first token   prompt in, first token chosen          tokens/s   of the rest
 *   repetition    share of the last quarter's runs of 4 tokens that the answer had before
 * Then base and candidates read the base's answer in lock-step:
 *   drift         mean KLD of the last quarter against that of the first */
#ifndef LICHEN_LOSS_ENDURANCE_H
#define LICHEN_LOSS_ENDURANCE_H

#include "loss_run.h"
#include <jansson.h>

enum { LOSS_PROMPT = 64 };

struct loss_answer { /* what one stream wrote */
    int32_t *ids;    /* [prompt + tokens], own */
    uint32_t prompt, tokens;
    double first_token_s, tokens_per_s;
    double repetition; /* 0 .. 1 */
    bool broken;       /* it could not go on: fault says why */
    struct fault fault;
};

/* Share of the runs of 4 ids that end in the last quarter of ids[first .. count) and stand in
 * ids[first ..) before; 0 when there are fewer than 16. */
double loss_repetition(const int32_t *ids, size_t first, size_t count);

struct loss_endurance_options {
    const int32_t *prompt;              /* [prompt_count] */
    uint32_t prompt_count;              /* 1 .. */
    uint32_t tokens;                    /* wanted; fewer where the model's context ends */
    size_t streams;                     /* the first so many of the set */
    const struct loss_run_options *run; /* for the drift; its progress is called for both */
};

/* Sets "speed" and "stability" of the streams' objects in the report: base, and the items of
 * candidates. Closes the sessions of the set (loss_streams_shut). */
bool loss_endurance(struct loss_streams *streams, const struct loss_endurance_options *options,
                    json_t *base, json_t *candidates, struct fault *fault);

#endif
