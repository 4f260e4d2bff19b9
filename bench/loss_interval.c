/* loss_interval.c: intervals by drawing chunks again. */
#include "loss_interval.h"
#include "loss_metrics.h"
#include <math.h>
#include <stdlib.h>

static uint64_t random_next(uint64_t *state) /* splitmix64 */
{
    uint64_t x = *state += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static size_t random_below(uint64_t *state, size_t limit)
{
    return (size_t)((random_next(state) >> 32) * (uint64_t)limit >> 32);
}

static double student_density(double t, double degrees)
{
    double log_scale = lgamma((degrees + 1) / 2) - lgamma(degrees / 2);
    return exp(log_scale - (degrees + 1) / 2 * log1p(t * t / degrees)) /
           sqrt(degrees * 3.14159265358979323846);
}

/* Probability of 0 .. t by Simpson's rule. */
static double student_area(double t, double degrees)
{
    enum { STEPS = 4000 };
    double sum = student_density(0, degrees) + student_density(t, degrees);
    for (int i = 1; i < STEPS; i++)
        sum += (i % 2 ? 4 : 2) * student_density(t * i / STEPS, degrees);
    return sum * t / STEPS / 3;
}

double loss_student(double probability, unsigned degrees)
{
    double low = 0, high = 1000;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (0.5 + student_area(middle, degrees) < probability)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* t of one sample; a sample of one value over and over tells nothing: false. */
static bool draw(const double *values, size_t count, double centre, uint64_t *state, double *t)
{
    double sum = 0, squares = 0, n = (double)count;
    for (size_t i = 0; i < count; i++) {
        double x = values[random_below(state, count)] - centre;
        sum += x;
        squares += x * x;
    }
    double mean = sum / n, variance = (squares - n * mean * mean) / (n - 1);
    if (!(variance > 1e-24 * squares / n) || !(variance > 0))
        return false;
    *t = mean / sqrt(variance / n);
    return true;
}

static struct loss_interval bootstrap(const double *values, size_t count, double level,
                                      uint64_t seed)
{
    double mean, error, t[LOSS_DRAWS];
    size_t drawn = 0;
    uint64_t state = seed;
    loss_mean(values, count, &mean, NULL, &error);
    for (int i = 0; i < LOSS_DRAWS; i++)
        drawn += draw(values, count, mean, &state, &t[drawn]);
    if (drawn == 0) /* all chunks alike */
        return (struct loss_interval){mean, mean, true};
    qsort(t, drawn, sizeof *t, compare_doubles);
    double upper = loss_percentile(t, drawn, (1 + level) / 2);
    double lower = loss_percentile(t, drawn, (1 - level) / 2);
    return (struct loss_interval){mean - upper * error, mean - lower * error, true};
}

struct loss_interval loss_interval_of(const double *values, size_t count, double level,
                                      uint64_t seed)
{
    double mean, error;
    if (count < 2)
        return (struct loss_interval){NAN, NAN, false};
    if (count >= LOSS_BOOTSTRAP_LEAST)
        return bootstrap(values, count, level, seed);
    loss_mean(values, count, &mean, NULL, &error);
    double reach = error * loss_student((1 + level) / 2, (unsigned)count - 1);
    return (struct loss_interval){mean - reach, mean + reach, true};
}

struct loss_pair loss_pair_of(const double *a, const double *b, size_t count, double level,
                              uint64_t seed, double *scratch)
{
    struct loss_pair pair = {.verdict = LOSS_SAME, .chunks_needed = INFINITY};
    bool equal = true;
    for (size_t i = 0; i < count; i++) {
        scratch[i] = a[i] - b[i];
        equal = equal && scratch[i] == 0;
    }
    loss_mean(scratch, count, &pair.difference, NULL, NULL);
    pair.interval = loss_interval_of(scratch, count, level, seed);
    if (equal) {
        pair.verdict = LOSS_EQUAL;
        return pair;
    }
    if (!pair.interval.known)
        return pair;
    if (pair.interval.low > 0 || pair.interval.high < 0) {
        pair.verdict = pair.difference < 0 ? LOSS_BETTER : LOSS_WORSE;
        pair.chunks_needed = 0;
        return pair;
    }
    /* The interval shrinks with the root of the chunks: when would it reach the difference? */
    double reach = (pair.interval.high - pair.interval.low) / 2 / fabs(pair.difference);
    double needed = ceil((double)count * reach * reach);
    pair.chunks_needed = needed > (double)count ? needed : (double)count + 1;
    return pair;
}

bool loss_at_floor(const double *values, const double *floor, size_t count, double level,
                   uint64_t seed, double *scratch)
{
    double mean, least;
    struct loss_pair pair = loss_pair_of(values, floor, count, level, seed, scratch);
    loss_mean(values, count, &mean, NULL, NULL);
    loss_mean(floor, count, &least, NULL, NULL);
    return pair.verdict != LOSS_WORSE && mean <= 2 * least;
}
