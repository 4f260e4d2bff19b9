/* loss_interval.h: how sure a mean over chunks is. Tokens of one chunk depend on each other, so the
 * chunks are what is drawn again, never the tokens:
 *
 *   8 chunks and more   studentized bootstrap: LOSS_DRAWS samples of the chunks with replacement,
 *                       t = (mean* - mean)/error*, interval = mean - t[upper] error .. mean -
 * t[lower] error (Efron and Tibshirani, An Introduction to the Bootstrap, 12.5) 2 .. 7 chunks
 * Student's t: too few to draw from 1 chunk             nothing is known
 *
 * Pairs are compared by their differences chunk by chunk, so that what a text does to both cancels.
 * The draws follow a fixed seed: the same values give the same interval. */
#ifndef LICHEN_LOSS_INTERVAL_H
#define LICHEN_LOSS_INTERVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOSS_DRAWS = 2000, LOSS_BOOTSTRAP_LEAST = 8 };

struct loss_interval {
    double low, high;
    bool known;
};

/* values[count]: one mean a chunk; level e.g. 0.95. */
struct loss_interval loss_interval_of(const double *values, size_t count, double level,
                                      uint64_t seed);

enum loss_verdict { LOSS_BETTER, LOSS_WORSE, LOSS_SAME, LOSS_EQUAL };

struct loss_pair {
    double difference; /* mean of a - b */
    struct loss_interval interval;
    enum loss_verdict verdict; /* a is better (smaller), worse, not distinguishable; LOSS_EQUAL:
                                  every chunk has the same value */
    double
        chunks_needed; /* about so many for a verdict; 0 = there is one, INFINITY = none would do */
};

/* Losses of a and b on the same chunks: smaller is better. */
struct loss_pair loss_pair_of(const double *a, const double *b, size_t count, double level,
                              uint64_t seed, double *scratch /* [count] */);

/* Is a KLD no more than what the base has against itself? On the same windows: the mean of values
 * is at most twice that of floor, and the interval of their difference does not lie above 0. */
bool loss_at_floor(const double *values, const double *floor, size_t count, double level,
                   uint64_t seed, double *scratch /* [count] */);

/* The t that a Student variable of so many degrees of freedom stays below with this probability
 * (0.5 .. 1). */
double loss_student(double probability, unsigned degrees);

#endif
