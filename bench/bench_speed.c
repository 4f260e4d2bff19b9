/* bench_speed.c: the runs. Token ids do not matter for speed; they are fixed, and the peer's are
 * the same. */
#include "bench_speed.h"
#include "bench_peer.h"
#include "platform.h"
#include <stdio.h>
#include <stdlib.h>

struct bench {
    struct lichen_session *session;
    const struct bench_options *options;
    int32_t *ids;         /* [longest] */
    uint64_t done, total; /* runs */
    double *own, *peer;   /* [repeats], tokens/s */
};

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(const double *sorted, size_t count, double share)
{
    double at = share * (double)(count - 1);
    size_t i = (size_t)at;
    double next = i + 1 < count ? sorted[i + 1] : sorted[i];
    return sorted[i] + (at - (double)i) * (next - sorted[i]);
}

struct bench_spread bench_spread_of(double *values, size_t count)
{
    if (count == 0)
        return (struct bench_spread){0, 0, 0};
    qsort(values, count, sizeof *values, compare_doubles);
    return (struct bench_spread){percentile(values, count, 0.5), percentile(values, count, 0.1),
                                 percentile(values, count, 0.9)};
}

/* The session holds exactly depth tokens. */
static bool go_to(struct bench *bench, uint32_t depth, struct fault *fault)
{
    lichen_rewind(bench->session, depth);
    uint32_t count = lichen_session_count(bench->session);
    return lichen_feed(bench->session, bench->ids + count, depth - count, fault);
}

static bool run_prefill(struct bench *bench, uint32_t depth, uint32_t count, struct fault *fault)
{
    return lichen_feed(bench->session, bench->ids + depth, count, fault);
}

static bool run_decode(struct bench *bench, uint32_t count, struct fault *fault)
{
    int32_t id;
    for (uint32_t i = 0; i < count; i++)
        if (!lichen_next(bench->session, &id, fault))
            return false;
    return true;
}

/* Decode needs the logits of a token before it: at depth 0 a first token is fed, and behind
 * a context its last token is computed again. */
static bool run_once(struct bench *bench, const struct bench_row *row, double *rate,
                     struct fault *fault)
{
    uint32_t start = row->decode && row->depth ? row->depth - 1 : row->depth;
    if (!go_to(bench, start, fault) ||
        (row->decode && !lichen_feed(bench->session, bench->ids + start, 1, fault)))
        return false;
    lichen_stats_reset(bench->session);
    uint64_t begin = clock_ns();
    bool done = row->decode ? run_decode(bench, row->tokens, fault)
                            : run_prefill(bench, row->depth, row->tokens, fault);
    uint64_t elapsed = clock_ns() - begin;
    *rate = (double)row->tokens * 1e9 / (double)(elapsed ? elapsed : 1);
    return done;
}

static bool run_peer(struct bench *bench, const struct bench_row *row, double *rate,
                     struct fault *fault)
{
    double time_s = 0;
    *rate = 0;
    if (!bench->options->peer || row->depth)
        return true;
    if (!bench_peer_run(bench->options->peer, row->decode, row->tokens, &time_s, fault))
        return false;
    *rate = time_s > 0 ? row->tokens / time_s : 0;
    return true;
}

static bool step(struct bench *bench, struct fault *fault)
{
    bench->done++;
    return !bench->options->progress ||
           bench->options->progress(bench->options->context, bench->done, bench->total) ||
           fault_set(fault, FAULT_CANCELLED, "interrupted");
}

static void fill_row(const struct bench *bench, struct bench_row *row)
{
    struct lichen_stats stats;
    lichen_stats(bench->session, &stats);
    row->rate = bench_spread_of(bench->own, bench->options->repeats);
    row->peer = bench_spread_of(bench->peer, bench->options->repeats);
    row->submissions_per_token = (double)stats.submissions / row->tokens;
    snprintf(row->activations, sizeof row->activations, "%s",
             stats.activations ? stats.activations : "");
    if (!row->decode)
        return;
    row->bytes_per_token = stats.bytes_per_token;
    row->dispatches_per_token = stats.dispatches_per_token;
    row->intervals_per_token = stats.intervals_per_token;
    row->gb_per_s = (double)row->bytes_per_token * row->rate.median / 1e9;
}

/* One run that is not counted, then the repeats, each beside the peer's. */
static bool bench_row(struct bench *bench, struct bench_row *row, struct fault *fault)
{
    double own, peer;
    if (!run_peer(bench, row, &peer, fault) || !run_once(bench, row, &own, fault) ||
        !step(bench, fault))
        return false;
    for (uint32_t i = 0; i < bench->options->repeats; i++)
        if (!run_peer(bench, row, &bench->peer[i], fault) ||
            !run_once(bench, row, &bench->own[i], fault) || !step(bench, fault))
            return false;
    fill_row(bench, row);
    return !bench->options->kernels ||
           bench_kernels_measure(bench->session, bench->options->repeats, &row->kernels, fault);
}

static uint32_t larger(uint32_t x, uint32_t y)
{
    return x > y ? x : y;
}

/* The rows that the model's context has room for; returns the context they need. */
static uint32_t choose_rows(const struct bench_options *options, uint32_t context_max,
                            struct bench_result *result)
{
    uint32_t longest = larger(options->prompt, options->tokens + 1), context = longest;
    result->count = 0;
    result->skipped_depth = 0;
    for (size_t i = 0; i < options->depth_count && i < BENCH_DEPTH_MAX; i++) {
        uint32_t depth = options->depths[i];
        if (depth > 0 && context_max > 0 && depth > context_max - longest) {
            if (!result->skipped_depth || depth < result->skipped_depth)
                result->skipped_depth = depth;
            continue;
        }
        context = larger(context, depth + longest);
        if (options->prompt)
            result->rows[result->count++] =
                (struct bench_row){.decode = false, .tokens = options->prompt, .depth = depth};
        if (options->tokens)
            result->rows[result->count++] =
                (struct bench_row){.decode = true, .tokens = options->tokens, .depth = depth};
    }
    return context;
}

static bool bench_memory_get(struct bench *bench, uint32_t context, uint32_t vocab,
                             struct fault *fault)
{
    bench->ids = calloc(context, sizeof *bench->ids);
    bench->own = calloc(bench->options->repeats, sizeof *bench->own);
    bench->peer = calloc(bench->options->repeats, sizeof *bench->peer);
    if (!bench->ids || !bench->own || !bench->peer)
        return fault_set(fault, FAULT_MEMORY, "out of memory for %u tokens", (unsigned)context);
    for (uint32_t i = 0; i < context; i++)
        bench->ids[i] = (int32_t)((1000 + i * 7 % 5000) % vocab);
    return true;
}

static bool check_options(const struct bench_options *options, uint32_t context_max,
                          struct fault *fault)
{
    if (options->repeats < 1 || options->repeats > BENCH_REPEAT_MAX)
        return fault_set(fault, FAULT_ARGUMENT, "repeats: expected 1 .. %d, found %u",
                         BENCH_REPEAT_MAX, (unsigned)options->repeats);
    uint32_t longest = larger(options->prompt, options->tokens);
    if (longest == 0 || longest >= 1u << 30)
        return fault_set(fault, FAULT_ARGUMENT, "nothing to measure, or too many tokens");
    if (context_max && longest >= context_max)
        return fault_set(fault, FAULT_ARGUMENT,
                         "%u tokens: the model was trained for a context of "
                         "%u; smaller -p and -n are needed",
                         (unsigned)longest, (unsigned)context_max);
    return true;
}

bool bench_speed(struct lichen_engine *engine, const struct lichen_session_options *session,
                 const struct bench_options *options,
                 void (*cancel_watch)(struct lichen_session *session), struct bench_result *result,
                 struct fault *fault)
{
    struct lichen_model_info info;
    struct bench bench = {.options = options};
    lichen_model_info(engine, &info);
    if (!check_options(options, info.context_trained, fault))
        return false;
    struct lichen_session_options chosen = *session;
    chosen.context = choose_rows(options, info.context_trained, result);
    chosen.sampler.temperature = 0;
    bench.total = (uint64_t)result->count * (options->repeats + 1);
    bool done = bench_memory_get(&bench, chosen.context, info.vocab, fault) &&
                lichen_session_open(engine, &chosen, &bench.session, fault);
    done = done && (!options->kernels || bench_kernels_check(bench.session, fault));
    if (done && cancel_watch)
        cancel_watch(bench.session);
    for (size_t i = 0; done && i < result->count; i++)
        done = bench_row(&bench, &result->rows[i], fault);
    if (cancel_watch)
        cancel_watch(NULL);
    lichen_session_close(bench.session);
    free(bench.ids);
    free(bench.own);
    free(bench.peer);
    return done;
}

void bench_result_free(struct bench_result *result)
{
    for (size_t i = 0; i < result->count; i++)
        bench_kernels_free(&result->rows[i].kernels);
    result->count = 0;
}
