/* loss_endurance.c: a long answer of every stream. */
#include "loss_endurance.h"
#include "loss_json.h"
#include "platform.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUN = 4, SEED = 1 };

double loss_repetition(const int32_t *ids, size_t first, size_t count)
{
    size_t length = count - first, begin = first + length - length / 4, seen = 0, all = 0;
    if (length < 4 * RUN)
        return 0;
    for (size_t i = begin; i + RUN <= count; i++) {
        bool found = false;
        for (size_t k = first; k < i && !found; k++)
            found = memcmp(ids + k, ids + i, RUN * sizeof *ids) == 0;
        seen += found;
        all++;
    }
    return (double)seen / (double)all;
}

/* ---- one answer ---- */

static bool tick(const struct loss_endurance_options *options, struct loss_progress *progress,
                 struct fault *fault)
{
    progress->done++;
    return !options->run->progress || options->run->progress(options->run->context, progress) ||
           fault_set(fault, FAULT_CANCELLED, "interrupted");
}

/* What stops a model in the middle of its answer is a finding, not the end of the run. */
static bool is_finding(const struct fault *fault)
{
    return fault->kind != FAULT_CANCELLED && fault->kind != FAULT_MEMORY &&
           fault->kind != FAULT_DEVICE && fault->kind != FAULT_DEVICE_LOST;
}

static bool generate(struct lichen_session *session, const struct loss_endurance_options *options,
                     uint32_t wanted, struct loss_progress *progress, struct loss_answer *answer,
                     struct fault *fault)
{
    struct fault own = {0};
    uint64_t start = clock_ns(), first = 0;
    bool done = lichen_feed(session, options->prompt, options->prompt_count, &own);
    while (done && answer->tokens < wanted) {
        int32_t *id = &answer->ids[answer->prompt + answer->tokens];
        done = lichen_next(session, id, &own);
        if (!done)
            break;
        if (answer->tokens++ == 0)
            first = clock_ns();
        done = tick(options, progress, &own);
    }
    uint64_t end = clock_ns();
    answer->first_token_s = first ? (double)(first - start) / 1e9 : (double)NAN;
    answer->tokens_per_s =
        answer->tokens > 1 ? (answer->tokens - 1) * 1e9 / (double)(end - first) : (double)NAN;
    if (done)
        return true;
    answer->broken = is_finding(&own);
    answer->fault = own;
    return answer->broken || fault_set(fault, own.kind, "%s", own.text);
}

static bool answer_of(struct loss_streams *streams, struct loss_stream *stream,
                      const struct loss_endurance_options *options, uint32_t wanted,
                      struct loss_progress *progress, struct loss_answer *answer,
                      struct fault *fault)
{
    struct lichen_session_options session_options;
    struct lichen_session *session = NULL;
    lichen_session_defaults(&session_options);
    session_options.context = options->prompt_count + wanted;
    session_options.kv = stream->variant.kv;
    session_options.sampler.temperature = 0.8F;
    session_options.sampler.top_k = 40;
    session_options.sampler.seed = SEED;
    answer->prompt = options->prompt_count;
    answer->ids = calloc(session_options.context, sizeof *answer->ids);
    if (!answer->ids)
        return fault_set(fault, FAULT_MEMORY, "out of memory for %u tokens", (unsigned)wanted);
    memcpy(answer->ids, options->prompt, options->prompt_count * sizeof *answer->ids);
    bool done = lichen_session_open(stream->engine, &session_options, &session, fault);
    if (done && streams->watch)
        streams->watch(session);
    done = done && generate(session, options, wanted, progress, answer, fault);
    if (streams->watch)
        streams->watch(NULL);
    lichen_session_close(session);
    answer->repetition =
        loss_repetition(answer->ids, answer->prompt, answer->prompt + answer->tokens);
    return done;
}

/* ---- drift ---- */

static double mean_kld(const struct loss_token *tokens, size_t first, size_t end)
{
    double sum = 0;
    for (size_t i = first; i < end; i++)
        sum += tokens[i].kld;
    return sum / (double)(end - first);
}

struct drift {
    double first, last; /* mean KLD; NaN = not measured */
};

/* Base and candidates read what the base wrote. */
static bool measure_drift(struct loss_streams *streams,
                          const struct loss_endurance_options *options,
                          const struct loss_answer *base, struct drift *drifts, struct fault *fault)
{
    uint32_t ctx = base->prompt + base->tokens;
    struct loss_series series = {.chunks = 0};
    const struct loss_windows windows = {.ids = base->ids,
                                         .count = ctx,
                                         .ctx = ctx,
                                         .stride = ctx,
                                         .chunks = 1,
                                         .first = base->prompt - 1,
                                         .scored = base->tokens,
                                         .bos = -1};
    loss_streams_shut(streams);
    size_t count = streams->count;
    streams->count = options->streams;
    bool done = loss_streams_open(streams, ctx, fault) &&
                loss_run(streams, &windows, options->run, &series, fault);
    size_t quarter = windows.scored / 4;
    for (size_t i = 1; done && quarter && i < options->streams; i++)
        drifts[i] =
            (struct drift){mean_kld(series.tokens[i], 0, quarter),
                           mean_kld(series.tokens[i], windows.scored - quarter, windows.scored)};
    loss_series_free(&series);
    loss_streams_shut(streams);
    streams->count = count;
    return done;
}

/* ---- words ---- */

static const double loops = 0.9, repeats = 0.5, drifts_by = 2, drifts_least = 0.01;

static void verdict(const struct loss_answer *answer, const struct drift *drift, char *text,
                    size_t size)
{
    int used;
    double share = 100 * answer->repetition;
    if (answer->broken)
        used = snprintf(text, size, "breaks at token %u: %.200s", (unsigned)answer->tokens,
                        answer->fault.text);
    else if (answer->repetition >= loops)
        used = snprintf(text, size, "ends in a loop (%.0f %% repeated)", share);
    else if (answer->repetition >= repeats)
        used = snprintf(text, size, "repeats itself (%.0f %%)", share);
    else if (drift && drift->last > drifts_by * drift->first && drift->last > drifts_least)
        used = snprintf(text, size, "drifts away");
    else
        used = snprintf(text, size, "steady (%.0f %% repeated)", share);
    if (drift && isfinite(drift->last) && used > 0 && (size_t)used < size)
        snprintf(text + used, size - (size_t)used, ", KLD %.3g at first, %.3g at last",
                 drift->first, drift->last);
}

static void describe(json_t *object, const struct loss_answer *answer, const struct drift *drift)
{
    char text[400];
    verdict(answer, drift, text, sizeof text);
    json_object_set_new(object, "speed",
                        json_pack("{s:I, s:o, s:o}", "prompt_tokens", (json_int_t)answer->prompt,
                                  "first_token_s", loss_json_real(answer->first_token_s),
                                  "tokens_per_s", loss_json_real(answer->tokens_per_s)));
    json_object_set_new(
        object, "stability",
        json_pack("{s:I, s:b, s:f, s:o, s:o, s:s}", "tokens", (json_int_t)answer->tokens, "broken",
                  (int)answer->broken, "repetition", answer->repetition, "kld_first",
                  loss_json_real(drift ? drift->first : (double)NAN), "kld_last",
                  loss_json_real(drift ? drift->last : (double)NAN), "verdict", text));
}

/* Tokens that every model's context has room for. */
static uint32_t room(const struct loss_streams *streams,
                     const struct loss_endurance_options *options)
{
    uint32_t wanted = options->tokens;
    for (size_t i = 0; i < streams->engine_count; i++) {
        struct lichen_model_info info;
        lichen_model_info(streams->engines[i], &info);
        if (!info.context_trained)
            continue;
        uint32_t left = info.context_trained > options->prompt_count
                            ? info.context_trained - options->prompt_count
                            : 0;
        wanted = left < wanted ? left : wanted;
    }
    return wanted;
}

bool loss_endurance(struct loss_streams *streams, const struct loss_endurance_options *options,
                    json_t *base, json_t *candidates, struct fault *fault)
{
    struct loss_answer *answers = calloc(options->streams, sizeof *answers);
    struct drift drifts[LOSS_STREAM_MAX];
    uint32_t wanted = room(streams, options);
    struct loss_progress progress = {.total = (uint64_t)wanted * options->streams,
                                     .nll = {(double)NAN}};
    bool done = answers || fault_set(fault, FAULT_MEMORY, "out of memory for answers");
    for (size_t i = 0; i < LOSS_STREAM_MAX; i++)
        drifts[i] = (struct drift){(double)NAN, (double)NAN};
    loss_streams_shut(streams);
    for (size_t i = 0; done && wanted && i < options->streams; i++)
        if (streams->items[i].engine)
            done = answer_of(streams, &streams->items[i], options, wanted, &progress, &answers[i],
                             fault);
    if (done && options->streams > 1 && answers[0].tokens >= 4 * RUN)
        done = measure_drift(streams, options, &answers[0], drifts, fault);
    for (size_t i = 0; done && i < options->streams; i++)
        if (answers[i].ids)
            describe(i ? json_array_get(candidates, i - 1) : base, &answers[i],
                     i ? &drifts[i] : NULL);
    for (size_t i = 0; answers && i < options->streams; i++)
        free(answers[i].ids);
    free(answers);
    return done;
}
