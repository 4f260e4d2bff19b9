/* loss_metrics.c: rows of logits to figures of a token. */
#include "loss_metrics.h"
#include <math.h>

static const double log_cut = -16; /* llama-perplexity's */

/* Keeps the LOSS_TOP largest, largest first; of equal ones the lower id, which came first. */
static void top_insert(const float *row, int32_t id, struct loss_row *out)
{
    int at = LOSS_TOP;
    while (at > 0 && (out->top[at - 1] < 0 || row[out->top[at - 1]] < row[id]))
        at--;
    if (at == LOSS_TOP)
        return;
    for (int i = LOSS_TOP - 1; i > at; i--)
        out->top[i] = out->top[i - 1];
    out->top[at] = id;
}

void loss_row_read(const float *row, uint32_t vocab, bool normalized, struct loss_row *out)
{
    double sum = 0, weighted = 0;
    out->finite = true;
    for (int i = 0; i < LOSS_TOP; i++)
        out->top[i] = -1;
    for (uint32_t i = 0; i < vocab; i++) {
        out->finite = out->finite && !isnan(row[i]);
        int32_t last = out->top[LOSS_TOP - 1];
        if (last < 0 || row[i] > row[last])
            top_insert(row, (int32_t)i, out);
    }
    double largest = out->top[0] >= 0 ? (double)row[out->top[0]] : NAN;
    out->finite = out->finite && isfinite(largest);
    for (uint32_t i = 0; i < vocab; i++) {
        double x = (double)row[i] - largest, part = exp(x);
        sum += part;
        weighted += part > 0 ? part * x : 0;
    }
    out->log_norm = normalized ? 0 : largest + log(sum);
    out->entropy = log(sum) - weighted / sum;
}

void loss_row_score(const float *row, const struct loss_row *about, int32_t target,
                    struct loss_base_token *out)
{
    out->nll = about->log_norm - (double)row[target];
    out->entropy = about->entropy;
    out->likeliest = about->top[0];
    out->right = out->likeliest == target;
}

static uint8_t top_shared(const struct loss_row *x, const struct loss_row *y, int k)
{
    uint8_t shared = 0;
    for (int i = 0; i < k; i++)
        for (int j = 0; j < k; j++)
            shared = (uint8_t)(shared + (x->top[i] >= 0 && x->top[i] == y->top[j]));
    return shared;
}

void loss_row_compare(const float *base, const struct loss_row *about_base, const float *candidate,
                      const struct loss_row *about_candidate, uint32_t vocab, int32_t target,
                      struct loss_token *out)
{
    double kld = 0, kld_cut = 0, jsd = 0;
    for (uint32_t i = 0; i < vocab; i++) {
        double log_b = (double)base[i] - about_base->log_norm;
        double log_q = (double)candidate[i] - about_candidate->log_norm;
        double b = exp(log_b), q = exp(log_q), log_m = log((b + q) / 2);
        double part = b > 0 ? b * (log_b - log_q) : 0;
        kld += part;
        if (log_b > log_cut)
            kld_cut += part;
        jsd += (b > 0 ? b * (log_b - log_m) : 0) + (q > 0 ? q * (log_q - log_m) : 0);
    }
    out->nll = about_candidate->log_norm - (double)candidate[target];
    out->kld = kld;
    out->kld_cut = kld_cut;
    out->jsd = jsd > 0 ? jsd / 2 : 0; /* rounding may leave -1e-17 */
    out->top1 = top_shared(about_base, about_candidate, 1);
    out->top5 = top_shared(about_base, about_candidate, 5);
    out->top10 = top_shared(about_base, about_candidate, 10);
    out->likeliest = about_candidate->top[0];
    out->right = out->likeliest == target;
}

double loss_percentile(const double *sorted, size_t count, double share)
{
    if (count == 0)
        return NAN;
    double at = share * (double)(count - 1);
    size_t i = (size_t)at;
    double next = i + 1 < count ? sorted[i + 1] : sorted[i];
    return sorted[i] + (at - (double)i) * (next - sorted[i]);
}

void loss_mean(const double *values, size_t count, double *mean, double *deviation, double *error)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    double centre = count ? sum / (double)count : NAN;
    for (size_t i = 0; i < count; i++)
        squares += (values[i] - centre) * (values[i] - centre);
    double spread = count > 1 ? sqrt(squares / (double)(count - 1)) : 0;
    if (mean)
        *mean = centre;
    if (deviation)
        *deviation = spread;
    if (error)
        *error = count ? spread / sqrt((double)count) : NAN;
}
