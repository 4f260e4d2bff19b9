/* loss_figures.c: sums over tokens and chunks. */
#include "loss_figures.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const double loss_shares[LOSS_SHARES] = {0, 0.001, 0.01, 0.05, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 1};

struct work {
    const struct loss_base_token *base; /* [count] */
    const struct loss_token *tokens;    /* [count], NULL for the base alone */
    size_t count;
    const struct loss_windows *windows;
    uint32_t chunks;
    double level;
    uint64_t seed;
    double *values;  /* [count] */
    double *sorted;  /* [count] */
    double *means;   /* [chunks] */
    double *weighed; /* [chunks], means as loss_windows_weigh makes them */
    struct loss_figures *figures;
};

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Mean, i.i.d. error and chunk interval of work->values; means (may be NULL) gets the chunks'. */
static struct loss_estimate estimate(struct work *work, double *means)
{
    struct loss_estimate result;
    double *into = means ? means : work->means;
    loss_mean(work->values, work->count, &result.value, NULL, &result.error);
    for (uint32_t i = 0; i < work->chunks; i++) {
        struct loss_window window = loss_window_at(work->windows, i);
        loss_mean(work->values + window.at, window.scored, &into[i], NULL, NULL);
    }
    memcpy(work->weighed, into, work->chunks * sizeof *into);
    loss_windows_weigh(work->windows, work->chunks, work->weighed);
    result.interval = loss_interval_of(work->weighed, work->chunks, work->level, work->seed);
    return result;
}

/* What cannot lie outside low .. high has no interval there. */
static void limit(struct loss_estimate *estimate, double low, double high)
{
    estimate->interval.low = fmax(estimate->interval.low, low);
    estimate->interval.high = fmin(estimate->interval.high, high);
}

static struct loss_interval interval_exp(struct loss_interval x)
{
    return (struct loss_interval){exp(x.low), exp(x.high), x.known};
}

/* exp of a mean: PPL with its error by the first derivative. */
static struct loss_estimate estimate_exp(struct loss_estimate x)
{
    double value = exp(x.value);
    return (struct loss_estimate){value, value * x.error, interval_exp(x.interval)};
}

static void percentiles(struct work *work, double at[LOSS_SHARES])
{
    memcpy(work->sorted, work->values, work->count * sizeof *work->sorted);
    qsort(work->sorted, work->count, sizeof *work->sorted, compare_doubles);
    for (int i = 0; i < LOSS_SHARES; i++)
        at[i] = loss_percentile(work->sorted, work->count, loss_shares[i]);
}

static void base_figures(struct work *work)
{
    struct loss_figures *figures = work->figures;
    size_t right = 0;
    for (size_t i = 0; i < work->count; i++) {
        work->values[i] = work->base[i].nll;
        right += work->base[i].right;
    }
    figures->ppl_base = estimate_exp(estimate(work, figures->nll_base_chunks));
    figures->accuracy_base = (double)right / (double)work->count;
}

/* P - B, P = exp(mean y), B = exp(mean x): of window i by P - B + P (y_i - y) - B (x_i - x). */
static void difference_interval(struct work *work)
{
    struct loss_figures *figures = work->figures;
    double p = figures->ppl.value, b = figures->ppl_base.value;
    memcpy(work->means, figures->nll_base_chunks, work->chunks * sizeof *work->means);
    memcpy(work->weighed, figures->nll_chunks, work->chunks * sizeof *work->weighed);
    loss_windows_weigh(work->windows, work->chunks, work->means);
    loss_windows_weigh(work->windows, work->chunks, work->weighed);
    for (uint32_t i = 0; i < work->chunks; i++)
        work->weighed[i] = p - b + p * (work->weighed[i] - log(p)) - b * (work->means[i] - log(b));
    figures->difference_interval =
        loss_interval_of(work->weighed, work->chunks, work->level, work->seed);
}

/* Of the nll: candidate, its difference to the base's, their correlation. */
static void perplexity_figures(struct work *work)
{
    struct loss_figures *figures = work->figures;
    double n = (double)work->count, sum_x = 0, sum_y = 0, xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; i < work->count; i++) {
        work->values[i] = work->tokens[i].nll;
        sum_x += work->base[i].nll;
        sum_y += work->tokens[i].nll;
    }
    figures->ppl = estimate_exp(estimate(work, figures->nll_chunks));
    for (size_t i = 0; i < work->count; i++) {
        double x = work->base[i].nll - sum_x / n, y = work->tokens[i].nll - sum_y / n;
        xx += x * x;
        yy += y * y;
        xy += x * y;
        work->values[i] = work->tokens[i].nll - work->base[i].nll;
    }
    figures->ln_ratio = estimate(work, NULL);
    figures->ratio = interval_exp(figures->ln_ratio.interval);
    figures->correlation = xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : NAN;
    /* Var(PPL - PPL base) to first order, with the covariance of the two means. */
    double p = figures->ppl.value, b = figures->ppl_base.value;
    double scale = n > 1 ? 1 / (n * (n - 1)) : 0;
    figures->difference = p - b;
    figures->difference_error = sqrt(fmax(0, (p * p * yy + b * b * xx - 2 * p * b * xy) * scale));
    difference_interval(work);
}

static void divergence_figures(struct work *work)
{
    struct loss_figures *figures = work->figures;
    double cut = 0;
    for (size_t i = 0; i < work->count; i++) {
        work->values[i] = work->tokens[i].jsd;
        cut += work->tokens[i].kld_cut;
    }
    figures->jsd = estimate(work, NULL);
    limit(&figures->jsd, 0, INFINITY);
    figures->kld_cut = cut / (double)work->count;
    for (size_t i = 0; i < work->count; i++)
        work->values[i] = work->tokens[i].kld;
    figures->kld = estimate(work, figures->kld_chunks);
    limit(&figures->kld, 0, INFINITY);
    percentiles(work, figures->kld_at);
}

static void agreement_figures(struct work *work)
{
    struct loss_figures *figures = work->figures;
    for (size_t i = 0; i < work->count; i++)
        work->values[i] = work->tokens[i].top1;
    figures->top1 = estimate(work, NULL);
    limit(&figures->top1, 0, 1);
    for (size_t i = 0; i < work->count; i++)
        work->values[i] = work->tokens[i].top5 / 5.0;
    figures->top5 = estimate(work, NULL);
    limit(&figures->top5, 0, 1);
    for (size_t i = 0; i < work->count; i++)
        work->values[i] = work->tokens[i].top10 / 10.0;
    figures->top10 = estimate(work, NULL);
    limit(&figures->top10, 0, 1);
}

static void probability_figures(struct work *work)
{
    struct loss_figures *figures = work->figures;
    double squares = 0, n = (double)work->count, error;
    for (size_t i = 0; i < work->count; i++) {
        double dp = exp(-work->tokens[i].nll) - exp(-work->base[i].nll);
        long bin = lrint(floor((dp + 1) / 2 * LOSS_BINS));
        bin = bin < 0 ? 0 : bin >= LOSS_BINS ? LOSS_BINS - 1 : bin;
        figures->bins[bin] += 1 / n;
        work->values[i] = dp;
        squares += dp * dp;
    }
    figures->dp = estimate(work, NULL);
    percentiles(work, figures->dp_at);
    figures->dp_rms = sqrt(squares / n);
    for (size_t i = 0; i < work->count; i++)
        work->values[i] *= work->values[i];
    loss_mean(work->values, work->count, NULL, NULL, &error);
    figures->dp_rms_error = figures->dp_rms > 0 ? error / 2 / figures->dp_rms : 0;
}

static void flip_figures(struct work *work)
{
    struct loss_figures *figures = work->figures;
    size_t lost = 0, won = 0, right = 0;
    for (size_t i = 0; i < work->count; i++) {
        right += work->tokens[i].right;
        lost += work->base[i].right && !work->tokens[i].right;
        won += !work->base[i].right && work->tokens[i].right;
    }
    figures->accuracy = (double)right / (double)work->count;
    figures->right_to_wrong = (double)lost / (double)work->count;
    figures->wrong_to_right = (double)won / (double)work->count;
}

/* ---- where it is lost ---- */

/* Adds the tokens whose positions are begin .. end - 1. */
static void position_part(const struct work *work, uint32_t begin, uint32_t end, double *sum,
                          size_t *count)
{
    for (uint32_t chunk = 0; chunk < work->chunks; chunk++) {
        struct loss_window window = loss_window_at(work->windows, chunk);
        uint32_t last = window.first + window.scored;
        for (uint32_t i = begin > window.first ? begin : window.first; i < end && i < last; i++) {
            *sum += work->tokens[window.at + i - window.first].kld;
            ++*count;
        }
    }
}

/* The first window has the lowest position and none has a higher one than its last. */
static void position_figures(struct work *work)
{
    struct loss_figures *figures = work->figures;
    struct loss_window widest = loss_window_at(work->windows, 0);
    uint32_t parts = widest.scored < LOSS_POSITIONS ? widest.scored : LOSS_POSITIONS;
    figures->position_count = parts;
    for (uint32_t part = 0; part < parts; part++) {
        uint32_t begin = widest.first + (uint32_t)((uint64_t)part * widest.scored / parts);
        uint32_t end = widest.first + (uint32_t)((uint64_t)(part + 1) * widest.scored / parts);
        double sum = 0;
        size_t count = 0;
        position_part(work, begin, end, &sum, &count);
        figures->positions[part] = (struct loss_part){begin, end - 1, sum / (double)count};
    }
}

struct entropy_item {
    double entropy, kld;
};

static int compare_entropy(const void *a, const void *b)
{
    return compare_doubles(&((const struct entropy_item *)a)->entropy,
                           &((const struct entropy_item *)b)->entropy);
}

static bool entropy_figures(struct work *work, struct fault *fault)
{
    struct loss_figures *figures = work->figures;
    size_t parts = work->count < LOSS_ENTROPIES ? work->count : LOSS_ENTROPIES;
    struct entropy_item *items = malloc(work->count * sizeof *items);
    if (!items)
        return fault_set(fault, FAULT_MEMORY, "out of memory for %zu tokens", work->count);
    for (size_t i = 0; i < work->count; i++)
        items[i] = (struct entropy_item){work->base[i].entropy, work->tokens[i].kld};
    qsort(items, work->count, sizeof *items, compare_entropy);
    figures->entropy_count = parts;
    for (size_t part = 0; part < parts; part++) {
        size_t begin = part * work->count / parts, end = (part + 1) * work->count / parts;
        double sum = 0;
        for (size_t i = begin; i < end; i++)
            sum += items[i].kld;
        figures->entropies[part] = (struct loss_part){items[begin].entropy, items[end - 1].entropy,
                                                      sum / (double)(end - begin)};
    }
    free(items);
    return true;
}

static void worst_figures(struct work *work)
{
    struct loss_figures *figures = work->figures;
    for (size_t i = 0; i < work->count; i++) {
        size_t at = figures->worst_count;
        while (at > 0 && work->tokens[figures->worst[at - 1]].kld < work->tokens[i].kld)
            at--;
        if (at == LOSS_WORST)
            continue;
        if (figures->worst_count < LOSS_WORST)
            figures->worst_count++;
        for (size_t k = figures->worst_count - 1; k > at; k--)
            figures->worst[k] = figures->worst[k - 1];
        figures->worst[at] = i;
    }
}

static bool work_memory(struct work *work, struct fault *fault)
{
    struct loss_figures *figures = work->figures;
    work->values = malloc(work->count * sizeof *work->values);
    work->sorted = malloc(work->count * sizeof *work->sorted);
    work->means = malloc(work->chunks * sizeof *work->means);
    work->weighed = malloc(work->chunks * sizeof *work->weighed);
    figures->kld_chunks = calloc(work->chunks, sizeof *figures->kld_chunks);
    figures->nll_chunks = calloc(work->chunks, sizeof *figures->nll_chunks);
    figures->nll_base_chunks = calloc(work->chunks, sizeof *figures->nll_base_chunks);
    return (work->values && work->sorted && work->means && work->weighed && figures->kld_chunks &&
            figures->nll_chunks && figures->nll_base_chunks) ||
           fault_set(fault, FAULT_MEMORY, "out of memory for %zu tokens", work->count);
}

bool loss_figures_of(const struct loss_series *series, size_t stream, uint32_t chunks, double level,
                     uint64_t seed, struct loss_figures *figures, struct fault *fault)
{
    memset(figures, 0, sizeof *figures);
    if (chunks == 0 || chunks > series->chunks)
        return fault_set(fault, FAULT_ARGUMENT, "no window is done");
    struct work work = {.base = series->base,
                        .tokens = stream ? series->tokens[stream] : NULL,
                        .count = loss_windows_scored(&series->windows, chunks),
                        .windows = &series->windows,
                        .chunks = chunks,
                        .level = level,
                        .seed = seed,
                        .figures = figures};
    figures->chunks = chunks;
    figures->tokens = work.count;
    bool done = work_memory(&work, fault);
    if (done)
        base_figures(&work);
    if (done && work.tokens) {
        perplexity_figures(&work);
        divergence_figures(&work);
        agreement_figures(&work);
        probability_figures(&work);
        flip_figures(&work);
        position_figures(&work);
        worst_figures(&work);
        done = entropy_figures(&work, fault);
    }
    free(work.values);
    free(work.sorted);
    free(work.means);
    free(work.weighed);
    if (!done)
        loss_figures_free(figures);
    return done;
}

void loss_figures_free(struct loss_figures *figures)
{
    free(figures->kld_chunks);
    free(figures->nll_chunks);
    free(figures->nll_base_chunks);
    memset(figures, 0, sizeof *figures);
}
