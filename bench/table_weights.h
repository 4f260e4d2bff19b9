/* table_weights.h: the weights behind the table of errors of ggml's quantizers (quantization.md
 * section 2): one stream from xorshift64, first Gaussian weights, then Student-t with 5 degrees of
 * freedom, 256 rows of 4096 each. For the encoders' bench and test. */
#ifndef LICHEN_TABLE_WEIGHTS_H
#define LICHEN_TABLE_WEIGHTS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

enum { TABLE_ROWS = 256, TABLE_COLS = 4096, TABLE_WEIGHTS = TABLE_ROWS * TABLE_COLS };

static inline double table_uniform(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (double)(*state >> 11) / 9007199254740992.0;
}

static inline double table_gaussian(uint64_t *state)
{
    double radius = sqrt(-2.0 * log(table_uniform(state) + 1e-300));
    return radius * cos(6.283185307179586 * table_uniform(state));
}

static inline double table_student(uint64_t *state)
{
    double gaussian = table_gaussian(state), sum = 0.0;
    for (int i = 0; i < 5; i++) {
        double term = table_gaussian(state);
        sum += term * term;
    }
    return gaussian / sqrt(sum / 5.0);
}

/* gaussian, student: [TABLE_WEIGHTS] */
static inline void table_weights(float *gaussian, float *student)
{
    uint64_t state = 88172645463325252U;
    for (size_t i = 0; i < TABLE_WEIGHTS; i++)
        gaussian[i] = (float)(table_gaussian(&state) * 0.02);
    for (size_t i = 0; i < TABLE_WEIGHTS; i++)
        student[i] = (float)(table_student(&state) * 0.02);
}

#endif
