/* golden.h: logits of real models from the float64 forward of forward.py, and the distance of an
 * executor from them. Files are made by make_golden.py:
 *
 *   "lichen golden 1\n"  u64 model_size  u32 vocab, prompt_count, bucket_count, greedy_count
 *   prompt_count x { u32 token_count, row_count, i32 tokens[], i32 greedy[greedy_count],
 *     row_count x { f64 total, u32 top_count, u32 ids[], f32 log_p[], f32 bucket_log_p[] } }
 *
 * A row belongs to one of the last row_count tokens. total is the logarithm of the sum of
 * exp(logit). The most probable tokens are kept one by one, the others summed by id % bucket_count;
 * what that leaves out is told in README.md. */
#ifndef LICHEN_TEST_GOLDEN_H
#define LICHEN_TEST_GOLDEN_H

#include "exec.h"

struct golden_row {
    double total;
    uint32_t top_count;
    const uint32_t *ids;       /* [top_count], most probable first */
    const float *log_p;        /* [top_count] */
    const float *bucket_log_p; /* [bucket_count], -inf for an empty one */
};

struct golden_prompt {
    uint32_t token_count, row_count;
    const int32_t *tokens; /* [token_count] */
    const int32_t *greedy; /* [greedy_count] the ids that follow */
    struct golden_row *rows;
};

struct golden {
    char *bytes; /* the file, owned */
    uint64_t model_size;
    uint32_t vocab, prompt_count, bucket_count, greedy_count;
    struct golden_prompt *prompts;
};

/* Asserts that the file is there and whole. */
void golden_open(struct golden *golden, const char *path);
void golden_close(struct golden *golden);

/* Path of a model file in the models folder (test_model_path). False
 * when it is nowhere or has another size than the golden's. */
bool golden_model(const struct golden *golden, const char *name, char *path, size_t size);

struct golden_stats {
    uint32_t rows;
    uint32_t top_changed;     /* rows whose most probable token differs */
    double kl_mean, kl_worst; /* sum p (log p - log q), p = golden; nats */
    double error_worst;       /* of log-probabilities of tokens that have p >= 1e-4 */
};

/* One row of logits [vocab] against a golden row. */
double golden_kl(const struct golden *golden, const struct golden_row *row, const float *logits);
/* Runs the first prompt_count prompts from position 0 in runs of at most `chunk` tokens and
 * compares the last rows. */
void golden_compare(const struct golden *golden, struct exec *exec, uint32_t prompt_count,
                    uint32_t chunk, struct golden_stats *stats);
/* Runs the first prompt_count prompts and takes greedy_count best tokens; returns how many prompts
 * gave the golden's ids. */
uint32_t golden_greedy(const struct golden *golden, struct exec *exec, uint32_t prompt_count);

#endif
