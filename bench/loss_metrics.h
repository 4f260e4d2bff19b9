/* loss_metrics.h: one row of logits, and two of them compared: base b against candidate q. In
 * float64:
 *
 *   log p_i = x_i - ln sum_j exp(x_j)          nll = -log p_target           H = -sum p log p
 *   KLD     = sum_i pb_i (log pb_i - log pq_i)                               over the vocabulary
 *   JSD     = 1/2 KL(b, m) + 1/2 KL(q, m),  m = (b + q)/2                    symmetric, <= ln 2
 *   top-k agreement = tokens that are among the k likeliest of both / k      ties: lower id first
 *
 * The same row twice gives KLD 0 exactly. Natural logarithms throughout. */
#ifndef LICHEN_LOSS_METRICS_H
#define LICHEN_LOSS_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOSS_TOP = 10 };

struct loss_row {
    double log_norm;       /* log p_i = row[i] - log_norm */
    double entropy;        /* nats */
    int32_t top[LOSS_TOP]; /* likeliest first; -1 where the vocabulary is smaller */
    bool finite;           /* no NaN, no +inf, not all -inf */
};

struct loss_base_token { /* a scored position of the base */
    double nll, entropy;
    int32_t likeliest;
    bool right; /* likeliest is the true token */
};

struct loss_token { /* a scored position of a candidate */
    double nll, kld, jsd;
    double kld_cut; /* KLD without the tokens of log pb <= -16, as llama-perplexity sums */
    int32_t likeliest;
    uint8_t top1, top5, top10; /* shared tokens: 0 .. 1, 5, 10 */
    bool right;
};

/* normalized: the row holds log probabilities, and log_norm is 0. */
void loss_row_read(const float *row, uint32_t vocab, bool normalized, struct loss_row *out);
void loss_row_score(const float *row, const struct loss_row *about, int32_t target,
                    struct loss_base_token *out);
/* Both rows [vocab]. */
void loss_row_compare(const float *base, const struct loss_row *about_base, const float *candidate,
                      const struct loss_row *about_candidate, uint32_t vocab, int32_t target,
                      struct loss_token *out);

/* Percentile of sorted values by linear interpolation at share * (count - 1); NaN of none. */
double loss_percentile(const double *sorted, size_t count, double share);
/* Mean, sample standard deviation and standard error of independent values; any pointer may be
 * NULL. One value has deviation 0. */
void loss_mean(const double *values, size_t count, double *mean, double *deviation, double *error);

#endif
