/* sensitivity.h: what a tensor's error costs, KLD = sensitivity * relative squared error, each
 * error weighted by the importance of its column; shared by the measuring and by recipe_fit. */
#ifndef LICHEN_SENSITIVITY_H
#define LICHEN_SENSITIVITY_H

#include "encode.h"

#include <stdint.h>

struct weighted_error {   /* sums over what was encoded */
    double error, signal; /* of h e^2, of h w^2 */
};

/* The cheapest type whose blocks divide such a row; DTYPE_ID_COUNT: none does. */
enum dtype sensitivity_type(uint32_t columns);
/* src [row_count, columns] -> dst, blocks of dtype; importance [columns] or NULL; row: scratch
 * [columns]. */
void sensitivity_encode(enum dtype dtype, const float *src, const float *importance,
                        uint32_t row_count, uint32_t columns, void *dst, float *row,
                        struct weighted_error *sums);
/* KL(base || candidate) in nats of two rows of logits. */
double sensitivity_kld(const float *base, const float *candidate, uint32_t count);

#endif
