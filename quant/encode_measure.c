/* encode_measure.c: what encode_stats sums. LANES sums side by side, added up in their order, so
 * that every instruction set gives the same numbers to the bit. */
#include "encode_block.h"
#include "encode_search.h"

void ENCODER(measure)(const float *src, const float *decoded, size_t count,
                      struct encode_stats *stats)
{
    double error[LANES] = {0}, signal[LANES] = {0};
    float error_max[LANES] = {0};
    uint32_t nonfinite[LANES] = {0};
    size_t whole = count - count % LANES;
    for (size_t i = 0; i < whole; i += LANES)
        for (size_t k = 0; k < LANES; k++) {
            uint32_t bits = bits_of(src[i + k]);
            uint32_t is_finite = (bits & 0x7fffffff) < 0x7f800000;
            double x = (double)float_of(bits & (0U - is_finite));
            double e = x - (double)decoded[i + k];
            float size = (float)(e < 0 ? -e : e);
            nonfinite[k] += 1 - is_finite;
            signal[k] += x * x;
            error[k] += e * e;
            error_max[k] = size > error_max[k] ? size : error_max[k];
        }
    for (size_t i = whole; i < count; i++) {
        uint32_t bits = bits_of(src[i]), is_finite = (bits & 0x7fffffff) < 0x7f800000;
        double x = (double)float_of(bits & (0U - is_finite)), e = x - (double)decoded[i];
        float size = (float)(e < 0 ? -e : e);
        nonfinite[0] += 1 - is_finite;
        signal[0] += x * x;
        error[0] += e * e;
        error_max[0] = size > error_max[0] ? size : error_max[0];
    }
    for (size_t k = 0; k < LANES; k++) {
        stats->nonfinite += nonfinite[k];
        stats->signal += signal[k];
        stats->error += error[k];
        if ((double)error_max[k] > stats->error_max)
            stats->error_max = (double)error_max[k];
    }
}
