/* bench_speed.h: how fast a model runs: prefill of `prompt` tokens and decode of `tokens` tokens
 * behind `depth` tokens of context, repeated, as median and 10th and 90th percentile.
 *   GB/s = weight bytes read for a token * tokens/s      share = GB/s / what a plain read reaches
 * A peer, where one is given, runs the same lengths at depth 0, in turn with lichen. */
#ifndef LICHEN_BENCH_SPEED_H
#define LICHEN_BENCH_SPEED_H

#include "bench_kernels.h"

enum { BENCH_DEPTH_MAX = 64, BENCH_ROW_MAX = 2 * BENCH_DEPTH_MAX, BENCH_REPEAT_MAX = 1000 };

struct bench_spread { /* tokens/s; all 0 = not measured */
    double median, p10, p90;
};

struct bench_row {
    bool decode; /* else prefill */
    uint32_t tokens, depth;
    struct bench_spread rate, peer;
    double gb_per_s, share;   /* share of bandwidth, 0 = not known */
    uint64_t bytes_per_token; /* 0 = not known, as for prefill */
    uint32_t dispatches_per_token, intervals_per_token;
    double submissions_per_token;
    char activations[16];
    struct bench_kernels kernels; /* count 0 = not measured */
};

struct bench_peer; /* another program, bench_peer.h */

struct bench_options {
    uint32_t prompt, tokens, repeats; /* prompt 0 or tokens 0: that test is left out */
    const uint32_t *depths;           /* [depth_count] */
    size_t depth_count;
    struct bench_peer *peer; /* NULL = none */
    bool kernels;            /* time them too, after the runs of each test */
    /* Called between runs; false gives up with FAULT_CANCELLED. */
    bool (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
};

struct bench_result {
    struct bench_row rows[BENCH_ROW_MAX];
    size_t count;
    double bandwidth;       /* bytes/s of a plain read of the memory the device uses, 0 = unknown */
    uint32_t skipped_depth; /* smallest depth left out for lack of context, 0 = none */
    double cold_s, warm_s;  /* start to first token; negative = not measured */
};

/* Fills rows and skipped_depth, which bench_result_free frees, also after a failure. session:
 * options of a session; context and sampler are chosen here. cancel_watch (may be NULL) is told the
 * session that runs, and NULL at its end. */
bool bench_speed(struct lichen_engine *engine, const struct lichen_session_options *session,
                 const struct bench_options *options,
                 void (*cancel_watch)(struct lichen_session *session), struct bench_result *result,
                 struct fault *fault);

void bench_result_free(struct bench_result *result); /* accepts a zeroed one */

/* Bytes/s of reading 256 MiB of host memory with `threads` threads (0 = all), best of 5. */
bool bench_memory(uint32_t threads, double *bandwidth, struct fault *fault);

/* Sorts the values; percentiles by linear interpolation. */
struct bench_spread bench_spread_of(double *values, size_t count);

#endif
