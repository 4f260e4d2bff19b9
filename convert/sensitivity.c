/* sensitivity.c: see sensitivity.h. */
#include "sensitivity.h"

#include <math.h>

enum dtype sensitivity_type(uint32_t columns)
{
    return columns % dtype_find(DTYPE_Q4_0)->block_weights == 0 ? DTYPE_Q4_0 : DTYPE_ID_COUNT;
}

static void add_row(const float *src, const float *decoded, const float *importance,
                    uint32_t columns, struct weighted_error *sums)
{
    for (uint32_t i = 0; i < columns; i++) {
        double weight = importance ? (double)importance[i] : 1;
        double value = isfinite(src[i]) ? (double)src[i] : 0, error = value - (double)decoded[i];
        sums->error += weight * error * error;
        sums->signal += weight * value * value;
    }
}

void sensitivity_encode(enum dtype dtype, const float *src, const float *importance,
                        uint32_t row_count, uint32_t columns, void *dst, float *row,
                        struct weighted_error *sums)
{
    const struct dtype_info *info = dtype_find(dtype);
    uint32_t blocks = columns / info->block_weights;
    for (uint32_t i = 0; i < row_count; i++) {
        char *bytes = (char *)dst + (size_t)i * blocks * info->block_size;
        encode_row(dtype, src + (size_t)i * columns, importance, columns, bytes, NULL);
        info->decode(bytes, row, blocks);
        add_row(src + (size_t)i * columns, row, importance, columns, sums);
    }
}

static double log_sum(const float *logits, uint32_t count, float *largest)
{
    double sum = 0;
    *largest = logits[0];
    for (uint32_t i = 1; i < count; i++)
        *largest = logits[i] > *largest ? logits[i] : *largest;
    for (uint32_t i = 0; i < count; i++)
        sum += (double)expf(logits[i] - *largest);
    return log(sum);
}

double sensitivity_kld(const float *base, const float *candidate, uint32_t count)
{
    float base_largest, other_largest;
    double base_sum = log_sum(base, count, &base_largest);
    double other_sum = log_sum(candidate, count, &other_largest), kld = 0;
    for (uint32_t i = 0; i < count; i++) {
        double p = (double)(base[i] - base_largest) - base_sum;
        double q = (double)(candidate[i] - other_largest) - other_sum;
        kld += exp(p) * (p - q);
    }
    return kld;
}
